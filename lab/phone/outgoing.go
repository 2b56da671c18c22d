package phone

import (
	"context"
	"fmt"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Header is one further header of an INVITE.
type Header struct{ Name, Value string }

// DialOptions changes what the INVITE of a call says. A provider's trunk calls in for many callers this way.
type DialOptions struct {
	Number  string // caller's number in From, default Config.User
	Name    string // caller's display name, default Config.Name when Number is empty too
	Headers []Header
}

// Dial calls a number of the server, or a full URI ("sip:802@127.0.0.1:40000"), which is sent straight to its host. It returns
// when the INVITE has been sent; digest challenges are answered on the way.
func (p *Phone) Dial(ctx context.Context, target string) (*Call, error) {
	return p.DialWith(ctx, target, DialOptions{})
}

// DialWith is Dial with a changed INVITE.
func (p *Phone) DialWith(ctx context.Context, target string, o DialOptions) (*Call, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("phone: dial %s: %w", target, err)
	}
	uri, err := p.targetURI(target)
	if err != nil {
		return nil, err
	}
	if o.Number == "" {
		o.Number = p.cfg.User
		if o.Name == "" {
			o.Name = p.cfg.Name
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.leaving {
		return nil, fmt.Errorf("phone: dial %s: %w", target, ErrClosed)
	}
	media, err := p.newMedia()
	if err != nil {
		return nil, fmt.Errorf("phone: dial %s: %w", target, err)
	}
	tag := newToken(10)
	c := p.newCall(Outgoing, newToken(20)+"@"+p.addr.Addr().String(), tag)
	c.media, c.target, c.peer, c.cseq = media, uri, destination(uri, p.server), 1
	c.local = &sip.FromHeader{
		DisplayName: quoted(o.Name), Address: sip.Uri{Scheme: "sip", User: o.Number, Host: p.domain()},
		Params: sip.HeaderParams{{K: "tag", V: tag}},
	}
	c.remote = &sip.ToHeader{Address: *uri.Clone()}
	c.info.Dialled = newParty("", uri).Number
	c.info.From, c.info.To = newParty(c.local.DisplayName, c.local.Address), newParty("", uri)
	req := c.request(sip.INVITE, c.cseq)
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	for _, h := range o.Headers {
		req.AppendHeader(sip.NewHeader(h.Name, h.Value))
	}
	setBody(req, sdpType, c.offer())
	c.last = "INVITE sent"
	c.invite = p.request(req, c.peer, c.nextCSeq, c.receiveAnswer)
	return c, nil
}

// receiveAnswer handles the responses to the INVITE of an outgoing call.
func (c *Call) receiveAnswer(res *sip.Response) {
	if c.info.State == Ended && (res == nil || !res.IsSuccess()) {
		return
	}
	if res == nil {
		c.endUnanswered(End{By: Nobody, Code: sip.StatusRequestTimeout, Reason: phrase(408)})
		return
	}
	c.last = fmt.Sprintf("%d %s received", res.StatusCode, res.Reason)
	c.headers = res.Headers()
	if tag := tagOf(res.To().Params); tag != "" {
		c.remote.Params = sip.HeaderParams{{K: "tag", V: tag}}
	}
	switch {
	case res.IsProvisional():
		c.learn(res)
		c.receiveProvisional(res)
	case res.IsSuccess():
		c.learn(res)
		c.receiveOK(res)
	default:
		header, cause := causes(res)
		c.endUnanswered(End{By: Remote, Code: res.StatusCode, Reason: res.Reason, Header: header, Cause: cause})
	}
}

// endUnanswered ends an outgoing call that was not answered; after a Cancel it was this side that ended it.
func (c *Call) endUnanswered(e End) {
	e.Method = "INVITE"
	if c.cancelling && (e.Code == sip.StatusRequestTerminated || e.By == Nobody) {
		e.By, e.Method = Local, "CANCEL"
	}
	c.end(e)
}

func (c *Call) receiveProvisional(res *sip.Response) {
	if c.cancelling {
		c.sendCancel()
	}
	switch res.StatusCode {
	case sip.StatusRinging:
		c.advance(Ringing)
	case sip.StatusSessionInProgress:
		if c.info.Progress.IsZero() {
			c.info.Progress = time.Now()
		}
	}
	if len(res.Body()) > 0 {
		if err := c.receiveSDPAnswer(res.Body()); err != nil {
			c.last += ", " + err.Error()
		}
	}
	c.p.broadcast()
}

func (c *Call) receiveOK(res *sip.Response) {
	c.routes = nil
	recorded := res.GetHeaders("Record-Route")
	for i := len(recorded) - 1; i >= 0; i-- {
		c.routes = append(c.routes, recorded[i].Value())
	}
	c.acknowledge(c.invite.tx, nil)
	c.confirmed = true
	if c.info.State == Ended || c.cancelling {
		c.sendBye()
		return
	}
	if err := c.receiveSDPAnswer(res.Body()); err != nil {
		c.last += ", " + err.Error()
		c.sendBye()
		return
	}
	c.media.start()
	c.advance(Answered)
}

// acknowledge sends the ACK of a 2xx, which is a request of its own inside the dialog (RFC 3261 13.2.2.4).
func (c *Call) acknowledge(tx *clientTx, body []byte) {
	ack := c.request(sip.ACK, tx.req.CSeq().SeqNo)
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		sip.CopyHeaders(name, tx.req, ack)
	}
	if body != nil {
		setBody(ack, sdpType, body)
	}
	tx.ack, tx.peer = []byte(ack.String()), c.to()
	c.p.write(tx.ack, tx.peer)
}

// Cancel gives up an outgoing call before it is answered, and waits until the other side has confirmed that. Before the first
// provisional response nothing may be sent (RFC 3261 9.1), so the CANCEL waits for it. When the answer overtakes it the call is
// hung up.
func (c *Call) Cancel(ctx context.Context) error {
	c.p.mu.Lock()
	if c.info.Direction != Outgoing || c.info.State == Answered {
		defer c.p.mu.Unlock()
		return fmt.Errorf("phone: cancel: %w: %s", ErrState, c.describe())
	}
	if c.info.State != Ended && !c.cancelling {
		c.cancelling = true
		c.p.broadcast()
		if c.invite.tx.provisional {
			c.sendCancel()
		}
	}
	c.p.mu.Unlock()
	_, err := c.Ended(ctx)
	return err
}

func (c *Call) sendCancel() {
	if c.cancelSent {
		return
	}
	c.cancelSent = true
	c.last = "CANCEL sent"
	c.invite.tx.cancel()
}
