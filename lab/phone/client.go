package phone

import (
	"net/netip"
	"time"

	"github.com/emiago/sipgo/sip"
)

// clientTx is a client transaction (RFC 3261 17.1, RFC 6026 for INVITE).
type clientTx struct {
	p           *Phone
	key         string
	req         *sip.Request
	text        []byte
	peer        netip.AddrPort
	interval    time.Duration
	repeat      *timer // A, E
	giveUp      *timer // B, F
	provisional bool
	final       bool
	ack         []byte                  // answer to a repeated final response of an INVITE
	on          func(res *sip.Response) // with the lock held; nil when no answer came
}

func clientKey(message sip.Message) string {
	branch, _ := message.Via().Params.Get("branch")
	return branch + " " + string(message.CSeq().MethodName)
}

// start sends a request and calls on for every provisional response and then once for the final one.
func (p *Phone) start(req *sip.Request, peer netip.AddrPort, on func(res *sip.Response)) *clientTx {
	tx := &clientTx{p: p, key: clientKey(req), req: req, text: []byte(req.String()), peer: peer, interval: p.cfg.T1, on: on}
	if p.closed {
		return tx
	}
	p.clients[tx.key] = tx
	p.write(tx.text, peer)
	tx.repeat = p.after(tx.interval, tx.again)
	tx.giveUp = p.after(64*p.cfg.T1, tx.timeout)
	return tx
}

func (tx *clientTx) again() {
	tx.p.write(tx.text, tx.peer)
	tx.interval *= 2
	if tx.interval > timerT2 && !tx.req.IsInvite() {
		tx.interval = timerT2
	}
	tx.repeat = tx.p.after(tx.interval, tx.again)
}

func (tx *clientTx) timeout() {
	tx.stop()
	delete(tx.p.clients, tx.key)
	tx.final = true
	tx.on(nil)
}

func (tx *clientTx) stop() {
	tx.repeat.stop()
	tx.giveUp.stop()
}

// abandon tells the owner that there will be no answer, when the phone is closed.
func (tx *clientTx) abandon() {
	if !tx.final {
		tx.final = true
		tx.on(nil)
	}
}

func (p *Phone) receiveResponse(res *sip.Response) {
	tx := p.clients[clientKey(res)]
	if tx == nil {
		return
	}
	tx.receive(res)
}

func (tx *clientTx) receive(res *sip.Response) {
	invite := tx.req.IsInvite()
	switch {
	case tx.final:
		if !res.IsProvisional() && tx.ack != nil {
			tx.p.write(tx.ack, tx.peer)
		}
		return
	case res.IsProvisional():
		tx.provisional = true
		if invite {
			tx.stop()
		}
		tx.on(res)
		return
	}
	tx.final = true
	tx.stop()
	if !invite {
		delete(tx.p.clients, tx.key)
		tx.on(res)
		return
	}
	if !res.IsSuccess() {
		tx.ack = []byte(tx.refusalAck(res).String())
		tx.p.write(tx.ack, tx.peer)
	}
	tx.p.after(64*tx.p.cfg.T1, func() { delete(tx.p.clients, tx.key) })
	tx.on(res)
}

// refusalAck is the ACK of a refused INVITE, which belongs to its transaction (RFC 3261 17.1.1.3).
func (tx *clientTx) refusalAck(res *sip.Response) *sip.Request {
	ack := sip.NewRequest(sip.ACK, *tx.req.Recipient.Clone())
	maxForwards := sip.MaxForwardsHeader(70)
	ack.AppendHeader(tx.req.Via().Clone())
	ack.AppendHeader(&maxForwards)
	sip.CopyHeaders("Route", tx.req, ack)
	ack.AppendHeader(cloneFrom(tx.req.From()))
	ack.AppendHeader(cloneTo(res.To()))
	ack.AppendHeader(sip.HeaderClone(tx.req.CallID()))
	ack.AppendHeader(&sip.CSeqHeader{SeqNo: tx.req.CSeq().SeqNo, MethodName: sip.ACK})
	ack.SetBody(nil)
	return ack
}

// cancel sends the CANCEL of an INVITE that was answered provisionally (RFC 3261 9.1); when nothing comes of it within 64*T1
// the INVITE counts as not answered.
func (tx *clientTx) cancel() {
	req := sip.NewRequest(sip.CANCEL, *tx.req.Recipient.Clone())
	maxForwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(tx.req.Via().Clone())
	req.AppendHeader(&maxForwards)
	sip.CopyHeaders("Route", tx.req, req)
	req.AppendHeader(cloneFrom(tx.req.From()))
	req.AppendHeader(cloneTo(tx.req.To()))
	req.AppendHeader(sip.HeaderClone(tx.req.CallID()))
	req.AppendHeader(&sip.CSeqHeader{SeqNo: tx.req.CSeq().SeqNo, MethodName: sip.CANCEL})
	req.SetBody(nil)
	tx.p.start(req, tx.peer, func(*sip.Response) {})
	tx.giveUp = tx.p.after(64*tx.p.cfg.T1, tx.timeout)
}
