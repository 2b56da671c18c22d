package phone

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Behaviour is what a phone does with an incoming call. The zero Behaviour rings and answers at once.
type Behaviour struct {
	RingFor     time.Duration // how long it rings before it answers, or refuses with Status
	AnswerAfter time.Duration // the same for an answer; used when RingFor is 0
	Status      int           // refuse with this status (486, 603, 480, 404 ...); 0 is answer. Without RingFor nothing rings
	Redirect    string        // send the caller on to this number (302); nothing rings
	Never       bool          // ring until the caller gives up
	Manual      bool          // ring until Call.Answer, Call.Reject or Call.Hangup
	Talk        bool          // with Manual or Never: answer also when told to, by NOTIFY with "Event: talk" in the dialog
	EarlyMedia  bool          // send 183 with SDP before the answer, in place of 180
	HangupAfter time.Duration // hang up so long after the answer; 0 is never
}

// Behave sets what the phone does with the incoming calls from now on.
func (p *Phone) Behave(b Behaviour) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.behaviour = b
}

// BehaveFor sets the Behaviour for calls to one number, the user part of the Request-URI, in place of that of Behave.
func (p *Phone) BehaveFor(number string, b Behaviour) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byNumber[number] = b
}

// Accept returns the next incoming call, whatever the Behaviour does with it, in the order of arrival. Calls that nobody
// accepts are kept up to a thousand.
func (p *Phone) Accept(ctx context.Context) (*Call, error) {
	var call *Call
	err := p.wait(ctx, "an incoming call", func() string { return "none came" }, func() (bool, error) {
		if len(p.arrivals) == 0 {
			return false, nil
		}
		call = p.arrivals[0]
		p.arrivals = slices.Delete(p.arrivals, 0, 1)
		return true, nil
	})
	return call, err
}

// receiveCall handles the INVITE of a new call.
func (p *Phone) receiveCall(tx *serverTx) {
	req := tx.req
	if unknown := unknownExtensions(req); unknown != "" {
		res := tx.response(sip.StatusBadExtension)
		res.AppendHeader(sip.NewHeader("Unsupported", unknown))
		tx.respond(res)
		return
	}
	if p.leaving {
		tx.answer(sip.StatusTemporarilyUnavailable)
		return
	}
	busy := p.cfg.Lines > 0 && len(p.live()) >= p.cfg.Lines
	c := p.newIncoming(tx)
	p.arrivals = append(p.arrivals, c)
	if len(p.arrivals) > arrivalsKept {
		p.arrivals = slices.Delete(p.arrivals, 0, 1)
	}
	p.broadcast()
	switch {
	case busy:
		c.refuse(sip.StatusBusyHere)
	case !c.acceptable(req.Body()):
		c.refuse(sip.StatusNotAcceptableHere)
	default:
		c.behave()
	}
}

// unknownExtensions lists what the request requires and the phone does not have.
func unknownExtensions(req *sip.Request) string {
	var unknown []string
	for _, h := range req.GetHeaders("Require") {
		for option := range strings.SplitSeq(h.Value(), ",") {
			if option = strings.TrimSpace(option); option != "" && option != "timer" {
				unknown = append(unknown, option)
			}
		}
	}
	return strings.Join(unknown, ", ")
}

func (p *Phone) newIncoming(tx *serverTx) *Call {
	req, tag := tx.req, newToken(10)
	req.To().Params.Add("tag", tag) // every response carries it (RFC 3261 8.2.6.2)
	c := p.newCall(Incoming, string(*req.CallID()), tag)
	c.server, c.peer, c.headers = tx, tx.peer, req.Headers()
	c.target = *req.From().Address.Clone()
	c.local = &sip.FromHeader{DisplayName: req.To().DisplayName, Address: *req.To().Address.Clone(), Params: req.To().Params.Clone()}
	c.remote = &sip.ToHeader{DisplayName: req.From().DisplayName, Address: *req.From().Address.Clone(), Params: req.From().Params.Clone()}
	c.remoteCSeq = int64(req.CSeq().SeqNo)
	for _, h := range req.GetHeaders("Record-Route") {
		c.routes = append(c.routes, h.Value())
	}
	c.info.Dialled = newParty("", req.Recipient).Number
	c.info.From = newParty(req.From().DisplayName, req.From().Address)
	c.info.To = newParty(req.To().DisplayName, req.To().Address)
	for _, h := range req.GetHeaders("Diversion") {
		if party, ok := parseParty(h.Value()); ok {
			c.info.Diversion = append(c.info.Diversion, party)
		}
	}
	c.last = "INVITE received"
	c.learn(req)
	tx.cancelled = c.receiveCancel
	tx.noAck = c.giveUpAck
	return c
}

// acceptable says whether an offer, if there is one, can be answered.
func (c *Call) acceptable(offer []byte) bool {
	if len(offer) == 0 {
		return true
	}
	_, err := parseSDP(offer)
	return err == nil
}

// behave starts what the phone's Behaviour says.
func (c *Call) behave() {
	b, ok := c.p.byNumber[c.info.Dialled]
	if !ok {
		b = c.p.behaviour
	}
	c.behaviour = b
	if b.Redirect != "" {
		c.redirect(b.Redirect)
		return
	}
	wait := b.RingFor
	if wait == 0 && b.Status == 0 {
		wait = b.AnswerAfter
	}
	if b.Status != 0 && wait == 0 && !b.Never && !b.Manual {
		c.refuse(b.Status)
		return
	}
	c.ring()
	switch {
	case c.info.State == Ended || b.Never || b.Manual:
	case wait == 0:
		c.answer()
	default:
		c.pending = c.p.after(wait, func() {
			if b.Status != 0 {
				c.refuse(b.Status)
				return
			}
			c.answer()
		})
	}
}

// ring sends 180, or 183 with SDP.
func (c *Call) ring() {
	if !c.behaviour.EarlyMedia {
		c.respond(sip.StatusRinging, nil)
		c.advance(Ringing)
		return
	}
	body, err := c.describeMedia()
	if err != nil {
		c.refuse(sip.StatusNotAcceptableHere)
		return
	}
	c.respond(sip.StatusSessionInProgress, body)
	c.info.Progress = time.Now()
	c.media.start()
	c.p.broadcast()
}

// describeMedia makes the answer to the INVITE's offer, or an offer when it has none; called again it says the same.
func (c *Call) describeMedia() ([]byte, error) {
	if c.media == nil {
		media, err := c.p.newMedia()
		if err != nil {
			return nil, err
		}
		c.media = media
	}
	if c.described != nil {
		return c.described, nil
	}
	var err error
	if offer := c.server.req.Body(); len(offer) > 0 {
		c.described, err = c.receiveSDPOffer(offer)
	} else {
		c.described = c.offer()
	}
	return c.described, err
}

// respond answers the INVITE that waits in c.server.
func (c *Call) respond(code int, body []byte) {
	res := c.server.response(code)
	res.AppendHeader(&sip.ContactHeader{Address: c.p.contact()})
	if code >= 200 && code < 300 {
		addSessionTimer(res, c.server.req)
	}
	if body != nil {
		setBody(res, sdpType, body)
	}
	c.last = fmt.Sprintf("%d %s sent", code, phrase(code))
	c.server.respond(res)
}

// addSessionTimer accepts a session timer (RFC 4028) in the way that leaves the work to the other side.
func addSessionTimer(res *sip.Response, req *sip.Request) {
	interval, ok := seconds(headerValue(req, "Session-Expires"))
	if !ok {
		return
	}
	res.AppendHeader(sip.NewHeader("Require", "timer"))
	res.AppendHeader(sip.NewHeader("Session-Expires", fmt.Sprintf("%d;refresher=uac", interval)))
}

func (c *Call) answer() {
	body, err := c.describeMedia()
	if err != nil {
		c.last = err.Error()
		c.refuse(sip.StatusNotAcceptableHere)
		return
	}
	c.info.Answered = time.Now() // before anybody can know of it
	c.respond(sip.StatusOK, body)
	c.media.start()
	c.advance(Answered)
	if c.behaviour.HangupAfter > 0 {
		c.pending = c.p.after(c.behaviour.HangupAfter, c.sendBye)
	}
}

// redirect answers 302 with the number as the Contact to call in place of this phone (RFC 3261 8.3).
func (c *Call) redirect(number string) {
	to := c.p.contact()
	to.User = number
	res := c.server.response(sip.StatusMovedTemporarily)
	res.AppendHeader(&sip.ContactHeader{Address: to})
	c.server.respond(res)
	c.end(End{By: Local, Method: "INVITE", Code: sip.StatusMovedTemporarily, Reason: phrase(sip.StatusMovedTemporarily)})
}

func (c *Call) refuse(code int) {
	c.respond(code, nil)
	c.end(End{By: Local, Method: "INVITE", Code: code, Reason: phrase(code)})
}

// receiveCancel ends a call that the caller has given up.
func (c *Call) receiveCancel(req *sip.Request) {
	if c.info.State >= Answered {
		return
	}
	header, cause := causes(req)
	c.respond(sip.StatusRequestTerminated, nil)
	c.end(End{By: Remote, Method: "CANCEL", Code: sip.StatusRequestTerminated, Reason: phrase(487), Header: header, Cause: cause})
}

// giveUpAck hangs up a call whose answer was never acknowledged (RFC 3261 13.3.1.4).
func (c *Call) giveUpAck() {
	if c.info.State == Ended {
		return
	}
	c.server, c.confirmed = nil, true
	c.sendBye()
	c.info.End.By = Nobody
}

// receiveAck confirms an answer; when that was an offer the ACK has its answer.
func (c *Call) receiveAck(req *sip.Request) {
	if c.server == nil || c.server.req.CSeq().SeqNo != req.CSeq().SeqNo {
		return
	}
	c.server.acknowledge()
	c.server = nil
	c.confirmed = true
	if c.offered && c.info.State != Ended {
		if err := c.receiveSDPAnswer(req.Body()); err != nil {
			c.last = err.Error()
			c.byeWanted = true
		}
	}
	c.p.broadcast()
	if c.byeWanted {
		c.sendBye()
	}
}

// Answer answers a call that rings by hand, or sooner than its Behaviour would.
func (c *Call) Answer(ctx context.Context) error {
	if err := c.byHand(ctx, "answer"); err != nil {
		return err
	}
	defer c.p.mu.Unlock()
	c.pending.stop()
	c.answer()
	if c.info.State == Ended {
		return fmt.Errorf("phone: answer: %s", c.describe())
	}
	return nil
}

// Reject refuses a call that rings, with 486 or any other status from 300 on.
func (c *Call) Reject(ctx context.Context, code int) error {
	if err := c.byHand(ctx, "reject"); err != nil {
		return err
	}
	defer c.p.mu.Unlock()
	if code < 300 || code > 699 {
		return fmt.Errorf("phone: reject: %d is no refusal", code)
	}
	c.refuse(code)
	return nil
}

// byHand locks the phone when the call is an incoming one that waits.
func (c *Call) byHand(ctx context.Context, what string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("phone: %s: %w", what, err)
	}
	c.p.mu.Lock()
	if c.info.Direction != Incoming || c.info.State >= Answered {
		defer c.p.mu.Unlock()
		return fmt.Errorf("phone: %s: %w: %s", what, ErrState, c.describe())
	}
	return nil
}
