package phone

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// receiveInDialog handles a request with a To tag.
func (p *Phone) receiveInDialog(tx *serverTx) {
	req := tx.req
	c := p.calls[callKey(string(*req.CallID()), tagOf(req.To().Params))]
	switch {
	case c == nil:
		tx.answer(sip.StatusCallTransactionDoesNotExists)
		return
	case int64(req.CSeq().SeqNo) <= c.remoteCSeq:
		tx.answer(sip.StatusInternalServerError) // out of order (RFC 3261 12.2.2)
		return
	}
	c.remoteCSeq = int64(req.CSeq().SeqNo)
	if c.info.State == Ended && req.Method != sip.BYE && req.Method != sip.NOTIFY {
		tx.answer(sip.StatusCallTransactionDoesNotExists)
		return
	}
	switch req.Method {
	case sip.BYE:
		c.receiveBye(tx)
	case sip.INVITE:
		c.receiveReinvite(tx)
	case sip.UPDATE:
		c.receiveUpdate(tx)
	case sip.INFO:
		c.receiveInfo(tx)
	case sip.NOTIFY:
		c.receiveNotify(tx)
	case sip.OPTIONS, sip.MESSAGE:
		tx.answer(sip.StatusOK)
	case sip.REFER:
		tx.answer(sip.StatusGlobalDecline)
	default:
		tx.answer(sip.StatusMethodNotAllowed)
	}
}

func (c *Call) receiveBye(tx *serverTx) {
	tx.answer(sip.StatusOK)
	if c.info.State == Ended {
		return
	}
	header, cause := causes(tx.req)
	if c.server != nil && c.server.code < 200 { // the caller of an early dialog may send BYE (RFC 3261 15)
		c.respond(sip.StatusRequestTerminated, nil)
	}
	c.last = "BYE received"
	c.end(End{By: Remote, Method: "BYE", Header: header, Cause: cause})
}

// sendBye hangs an answered call up, or notes that it wants to when the ACK is still to come.
func (c *Call) sendBye() {
	if c.info.State == Ended && c.info.Direction == Incoming {
		return
	}
	if !c.confirmed {
		c.byeWanted = true
		c.p.broadcast()
		return
	}
	req := c.request(sip.BYE, c.nextCSeq())
	req.AppendHeader(sip.NewHeader("Reason", `Q.850;cause=16;text="Normal call clearing"`))
	c.last = "BYE sent"
	c.end(End{By: Local, Method: "BYE", Cause: 16})
	c.send(req, func(res *sip.Response) {
		defer c.p.broadcast()
		c.byeDone = true
		switch {
		case res == nil:
			c.byeErr = fmt.Errorf("phone: BYE: %w", c.p.noAnswer())
		case !res.IsSuccess() && res.StatusCode != sip.StatusCallTransactionDoesNotExists:
			c.byeErr = statusError(sip.BYE, res)
		}
	})
}

// Hangup ends the call from this side, whatever its state: BYE, CANCEL or 603. It waits for the other side's confirmation; a
// call that has ended is no error.
func (c *Call) Hangup(ctx context.Context) error {
	c.p.mu.Lock()
	state := c.info.State
	switch {
	case state == Ended:
		c.p.mu.Unlock()
		return nil
	case state != Answered && c.info.Direction == Outgoing:
		c.p.mu.Unlock()
		return c.Cancel(ctx)
	case state != Answered:
		c.refuse(sip.StatusGlobalDecline)
		c.p.mu.Unlock()
		return nil
	}
	c.sendBye()
	c.p.mu.Unlock()
	return c.wait(ctx, "the answer to BYE", func() (bool, error) {
		return c.byeDone || c.info.State == Ended && c.info.End.By == Remote, c.byeErr
	})
}

func (c *Call) wait(ctx context.Context, what string, done func() (bool, error)) error {
	return c.p.wait(ctx, what, c.describe, done)
}

// Ringing waits until the call rings: 180 received or sent. An answered call has rung.
func (c *Call) Ringing(ctx context.Context) error { return c.reach(ctx, Ringing, "ringing") }

// Answered waits until the call is answered. When it ends before that the error is an *EndedError.
func (c *Call) Answered(ctx context.Context) error { return c.reach(ctx, Answered, "the answer") }

func (c *Call) reach(ctx context.Context, state State, what string) error {
	return c.wait(ctx, what, func() (bool, error) {
		switch {
		case c.info.State == Ended && (c.info.Answered.IsZero() && (state == Answered || c.info.Ringing.IsZero())):
			return false, &EndedError{For: what, End: c.info.End}
		default:
			return c.info.State >= state, nil
		}
	})
}

// Ended waits until the call has ended and its media with it, and says why.
func (c *Call) Ended(ctx context.Context) (End, error) {
	var end End
	err := c.wait(ctx, "the end of the call", func() (bool, error) {
		end = c.info.End
		return c.info.State == Ended, nil
	})
	if err == nil && c.media != nil {
		<-c.media.done
	}
	return end, err
}

// established waits until the call is answered and the answer acknowledged, so that requests may be sent inside its dialog.
func (c *Call) established(ctx context.Context, what string) error {
	return c.wait(ctx, what, func() (bool, error) {
		if c.info.State == Ended {
			return false, &EndedError{For: what, End: c.info.End}
		}
		return c.info.State == Answered && c.confirmed, nil
	})
}

// Hold puts the other side on hold with a re-INVITE (a=sendonly) and waits until it has agreed.
func (c *Call) Hold(ctx context.Context) error { return c.setHold(ctx, true) }

// Unhold takes the other side back (a=sendrecv).
func (c *Call) Unhold(ctx context.Context) error { return c.setHold(ctx, false) }

func (c *Call) setHold(ctx context.Context, hold bool) error {
	for {
		res, err := c.reinvite(ctx, hold)
		if err != nil {
			return err
		}
		if res.IsSuccess() {
			return nil
		}
		if res.StatusCode != sip.StatusRequestPending {
			return statusError(sip.INVITE, res)
		}
		// RFC 3261 14.1: both sides sent one; the owner of the Call-ID waits longer.
		pause := time.Duration(rand.Int64N(int64(2 * time.Second)))
		if c.info.Direction == Outgoing {
			pause += 2100 * time.Millisecond
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return &WaitError{For: "re-INVITE", Last: "491 Request Pending", Err: ctx.Err()}
		}
	}
}

// reinvite sends one re-INVITE and returns its final response; hold takes effect when that is a success.
func (c *Call) reinvite(ctx context.Context, hold bool) (*sip.Response, error) {
	var answer *sip.Response
	var failure error
	err := c.wait(ctx, "a call to re-INVITE", func() (bool, error) {
		if c.info.State == Ended {
			return false, &EndedError{For: "re-INVITE", End: c.info.End}
		}
		if c.info.State != Answered || !c.confirmed || c.reinvited || c.server != nil {
			return false, nil
		}
		before := c.info.LocalHold
		c.info.LocalHold = hold
		c.sendReinvite(func(res *sip.Response, err error) {
			answer, failure = res, err
			if err != nil || !res.IsSuccess() {
				c.info.LocalHold = before
			}
		})
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	err = c.wait(ctx, "the answer to re-INVITE", func() (bool, error) { return answer != nil, failure })
	return answer, err
}

// sendReinvite offers the call's present media; finished is called with the lock held.
func (c *Call) sendReinvite(finished func(res *sip.Response, err error)) {
	c.reinvited = true
	req := c.request(sip.INVITE, c.nextCSeq())
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	setBody(req, sdpType, c.offer())
	var x *exchange
	x = c.p.request(req, c.to(), c.nextCSeq, func(res *sip.Response) {
		if res != nil && res.IsProvisional() {
			return
		}
		defer c.p.broadcast()
		c.reinvited = false
		switch {
		case res == nil:
			finished(nil, fmt.Errorf("phone: re-INVITE: %w", c.p.noAnswer()))
			return
		case !res.IsSuccess():
			c.offered = false
			finished(res, nil)
			return
		}
		c.learn(res)
		c.acknowledge(x.tx, nil)
		if err := c.receiveSDPAnswer(res.Body()); err != nil {
			finished(nil, err)
			return
		}
		finished(res, nil)
	})
}

// receiveReinvite handles an INVITE inside the dialog: hold, a moved media address, a session refresh, a new name to show.
func (c *Call) receiveReinvite(tx *serverTx) {
	switch {
	case c.reinvited:
		tx.answer(sip.StatusRequestPending)
		return
	case c.server != nil:
		res := tx.response(sip.StatusInternalServerError)
		res.AppendHeader(sip.NewHeader("Retry-After", "1"))
		tx.respond(res)
		return
	}
	c.stats.reinvites++
	c.learn(tx.req)
	c.server, c.described = tx, nil
	tx.noAck = c.giveUpAck
	body, err := c.describeMedia()
	if err != nil {
		c.respond(sip.StatusNotAcceptableHere, nil)
		c.server = nil
		return
	}
	c.respond(sip.StatusOK, body)
	c.p.broadcast()
}

func (c *Call) receiveUpdate(tx *serverTx) {
	c.stats.updates++
	c.learn(tx.req)
	res := tx.response(sip.StatusOK)
	if len(tx.req.Body()) > 0 && c.media != nil {
		if c.reinvited {
			tx.answer(sip.StatusRequestPending)
			return
		}
		body, err := c.receiveSDPOffer(tx.req.Body())
		if err != nil {
			tx.answer(sip.StatusNotAcceptableHere)
			return
		}
		setBody(res, sdpType, body)
	}
	res.AppendHeader(&sip.ContactHeader{Address: c.p.contact()})
	addSessionTimer(res, tx.req)
	tx.respond(res)
	c.p.broadcast()
}

// receiveInfo takes a digit (application/dtmf-relay or application/dtmf) or anything else that nobody asked about.
func (c *Call) receiveInfo(tx *serverTx) {
	kind := ""
	if h := tx.req.ContentType(); h != nil {
		kind = strings.ToLower(h.Value())
	}
	body := string(tx.req.Body())
	switch {
	case strings.HasPrefix(kind, "application/dtmf-relay"):
		c.stats.digits += relayDigit(body)
	case strings.HasPrefix(kind, "application/dtmf"):
		c.stats.digits += strings.TrimSpace(body)
	}
	tx.answer(sip.StatusOK)
	c.p.broadcast()
}

func relayDigit(body string) string {
	for line := range strings.Lines(body) {
		name, value, ok := strings.Cut(line, "=")
		if ok && strings.EqualFold(strings.TrimSpace(name), "Signal") {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
