package phone

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"
)

// serverTx is a server transaction (RFC 3261 17.2). That of an INVITE also repeats a 2xx until its ACK, which the standard
// leaves to the user of the transaction (13.3.1.4).
type serverTx struct {
	p         *Phone
	key       string
	req       *sip.Request
	peer      netip.AddrPort
	last      []byte
	code      int // of last
	interval  time.Duration
	repeat    *timer // G
	giveUp    *timer // H
	acked     bool
	noAck     func() // 64*T1 passed since a 2xx without its ACK
	cancelled func(req *sip.Request)
}

// serverKey names the transaction of a request; ACK and CANCEL name that of their INVITE.
func serverKey(req *sip.Request, method sip.RequestMethod) string {
	via := req.Via()
	branch, _ := via.Params.Get("branch")
	if method == sip.ACK {
		method = sip.INVITE
	}
	return branch + " " + via.SentBy() + " " + string(method)
}

func (p *Phone) receiveRequest(req *sip.Request, peer netip.AddrPort) {
	tx := p.servers[serverKey(req, req.Method)]
	switch {
	case req.IsAck():
		p.receiveAck(req, tx)
		return
	case tx != nil:
		if tx.last != nil && !tx.acked {
			p.write(tx.last, peer)
		}
		return
	}
	tx = &serverTx{p: p, key: serverKey(req, req.Method), req: req, peer: peer}
	p.servers[tx.key] = tx
	if req.IsCancel() {
		p.receiveCancel(tx)
		return
	}
	if tagOf(req.To().Params) != "" {
		p.receiveInDialog(tx)
		return
	}
	p.receiveNew(tx)
}

// receiveAck ends the repeating of a refusal, found by its transaction, or of an answer, found by its dialog.
func (p *Phone) receiveAck(req *sip.Request, tx *serverTx) {
	if tx != nil && tx.code >= 300 {
		tx.acknowledge()
		return
	}
	c := p.calls[callKey(string(*req.CallID()), tagOf(req.To().Params))]
	if c != nil {
		c.receiveAck(req)
	}
}

func (p *Phone) receiveCancel(tx *serverTx) {
	invite := p.servers[serverKey(tx.req, sip.INVITE)]
	if invite == nil {
		tx.answer(sip.StatusCallTransactionDoesNotExists)
		return
	}
	tx.answer(sip.StatusOK)
	if invite.code < 200 && invite.cancelled != nil {
		invite.cancelled(tx.req)
	}
}

// receiveNew handles a request outside of any dialog.
func (p *Phone) receiveNew(tx *serverTx) {
	switch tx.req.Method {
	case sip.INVITE:
		p.receiveCall(tx)
	case sip.OPTIONS:
		res := tx.response(sip.StatusOK)
		res.AppendHeader(sip.NewHeader("Accept", sdpType))
		tx.respond(res)
	case sip.NOTIFY, sip.MESSAGE:
		tx.answer(sip.StatusOK)
	case sip.BYE, sip.INFO, sip.UPDATE, sip.REFER, sip.PRACK:
		tx.answer(sip.StatusCallTransactionDoesNotExists)
	default:
		tx.answer(sip.StatusMethodNotAllowed)
	}
}

// response makes a response to the transaction's request.
func (tx *serverTx) response(code int) *sip.Response {
	res := sip.NewResponseFromRequest(tx.req, code, phrase(code), nil)
	res.AppendHeader(sip.NewHeader("Allow", allowed))
	res.AppendHeader(sip.NewHeader("User-Agent", userAgent))
	return res
}

// answer sends a response without further headers.
func (tx *serverTx) answer(code int) { tx.respond(tx.response(code)) }

func (tx *serverTx) respond(res *sip.Response) {
	p := tx.p
	tx.last, tx.code = []byte(res.String()), res.StatusCode
	p.write(tx.last, tx.peer)
	if tx.code < 200 {
		return
	}
	if !tx.req.IsInvite() {
		p.after(64*p.cfg.T1, tx.remove)
		return
	}
	tx.interval = p.cfg.T1
	tx.repeat = p.after(tx.interval, tx.again)
	tx.giveUp = p.after(64*p.cfg.T1, tx.timeout)
}

func (tx *serverTx) again() {
	tx.p.write(tx.last, tx.peer)
	tx.interval = min(2*tx.interval, timerT2)
	tx.repeat = tx.p.after(tx.interval, tx.again)
}

func (tx *serverTx) timeout() {
	tx.repeat.stop()
	tx.remove()
	if tx.code < 300 && tx.noAck != nil {
		tx.noAck()
	}
}

// acknowledge notes the ACK of the final response.
func (tx *serverTx) acknowledge() {
	if tx.acked {
		return
	}
	tx.acked = true
	tx.repeat.stop()
	tx.giveUp.stop()
	tx.p.after(64*tx.p.cfg.T1, tx.remove)
}

func (tx *serverTx) remove() { delete(tx.p.servers, tx.key) }

// phrase is the reason phrase of a status the phone sends.
func phrase(code int) string {
	phrases := map[int]string{
		100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 202: "Accepted",
		400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout", 410: "Gone",
		420: "Bad Extension", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 484: "Address Incomplete",
		486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending",
		500: "Server Internal Error", 503: "Service Unavailable", 600: "Busy Everywhere", 603: "Decline",
		604: "Does Not Exist Anywhere", 606: "Not Acceptable",
	}
	if text, ok := phrases[code]; ok {
		return text
	}
	return "Status " + strconv.Itoa(code)
}
