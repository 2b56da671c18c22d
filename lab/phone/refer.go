package phone

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// referral is a REFER of this phone and what its NOTIFYs have said (RFC 3515).
type referral struct {
	code   int    // newest status of the message/sipfrag; 0 is none yet
	reason string // its phrase
	over   bool   // final status, or Subscription-State: terminated
}

// Refer transfers the other side to a number or URI (blind transfer): it sends REFER and follows the NOTIFYs until the final
// status. A refusal of the REFER or of the new call is a *StatusError of Method REFER or NOTIFY, and the call goes on. After
// success the phone hangs up, as desk phones do (RFC 5589 6.1), unless the other side was first. chan_sip refuses to transfer
// a call in the first moments after its answer, when it is not bridged yet: wait with Call.Heard.
func (c *Call) Refer(ctx context.Context, target string) error {
	uri, err := c.p.targetURI(target)
	if err != nil {
		return err
	}
	if err := c.refer(ctx, "<"+uri.String()+">"); err != nil {
		return err
	}
	return c.Hangup(ctx)
}

// ReferReplaces connects the other sides of two calls of this phone (attended transfer): the other side of c takes the place
// of this phone in the call other (RFC 3891). After success the phone hangs both calls up.
func (c *Call) ReferReplaces(ctx context.Context, other *Call) error {
	if other.p != c.p || other == c {
		return fmt.Errorf("phone: refer: %w: not another call of the same phone", ErrState)
	}
	if err := other.established(ctx, "the second call to be answered"); err != nil {
		return err
	}
	c.p.mu.Lock()
	uri := *other.remote.Address.Clone()
	replaces := fmt.Sprintf("%s;to-tag=%s;from-tag=%s", other.info.ID, tagOf(other.remote.Params), tagOf(other.local.Params))
	c.p.mu.Unlock()
	uri.Headers = nil
	if err := c.refer(ctx, "<"+uri.String()+"?Replaces="+url.QueryEscape(replaces)+">"); err != nil {
		return err
	}
	return errors.Join(c.Hangup(ctx), other.Hangup(ctx))
}

func (c *Call) refer(ctx context.Context, referTo string) error {
	if err := c.established(ctx, "a call to transfer"); err != nil {
		return err
	}
	r := &referral{}
	c.p.mu.Lock()
	if c.p.subs[c.key] != nil {
		c.p.mu.Unlock()
		return fmt.Errorf("phone: refer: %w: a REFER is under way", ErrState)
	}
	c.p.subs[c.key] = r
	c.p.mu.Unlock()
	defer func() {
		c.p.mu.Lock()
		defer c.p.mu.Unlock()
		delete(c.p.subs, c.key)
	}()
	res, err := c.ask(ctx, sip.REFER, func(req *sip.Request) {
		self := c.local.Address
		req.AppendHeader(sip.NewHeader("Refer-To", referTo))
		req.AppendHeader(sip.NewHeader("Referred-By", "<"+self.String()+">"))
	})
	if err != nil {
		return err
	}
	if !res.IsSuccess() {
		return statusError(sip.REFER, res)
	}
	err = c.p.wait(ctx, "the outcome of REFER", func() string { return fmt.Sprintf("NOTIFY %d %s; %s", r.code, r.reason, c.describe()) },
		func() (bool, error) { return r.over, nil })
	if err == nil && (r.code < 200 || r.code >= 300) {
		return &StatusError{Method: string(sip.NOTIFY), Code: r.code, Reason: r.reason}
	}
	return err
}

// receiveNotify follows the REFER of the call, and obeys who wants it answered.
func (c *Call) receiveNotify(tx *serverTx) {
	tx.answer(sip.StatusOK)
	r := c.p.subs[c.key]
	event, _, _ := strings.Cut(headerValue(tx.req, "Event"), ";")
	if strings.EqualFold(strings.TrimSpace(event), "talk") && c.behaviour.Talk && c.info.State == Ringing && c.info.Direction == Incoming {
		c.pending.stop()
		c.answer()
		return
	}
	if r == nil || r.over || !strings.EqualFold(strings.TrimSpace(event), "refer") {
		return
	}
	if code, reason, ok := parseFragment(string(tx.req.Body())); ok {
		r.code, r.reason = code, reason
	}
	state, _, _ := strings.Cut(headerValue(tx.req, "Subscription-State"), ";")
	r.over = r.code >= 200 || strings.EqualFold(strings.TrimSpace(state), "terminated")
	c.p.broadcast()
}

// parseFragment reads the status line of a message/sipfrag body.
func parseFragment(body string) (code int, reason string, ok bool) {
	line, _, _ := strings.Cut(body, "\n")
	fields := strings.SplitN(strings.TrimSpace(line), " ", 3)
	if len(fields) < 2 || fields[0] != "SIP/2.0" {
		return 0, "", false
	}
	code, err := strconv.Atoi(fields[1])
	if len(fields) == 3 {
		reason = fields[2]
	}
	return code, reason, err == nil
}
