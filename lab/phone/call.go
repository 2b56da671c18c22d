package phone

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// State is how far a call has come.
type State uint8

// The states of a call, in order; a call never goes back.
const (
	Trying   State = iota // INVITE sent or received, nothing rings
	Ringing               // 180 received or sent
	Answered              // 200 received or sent
	Ended
)

func (s State) String() string { return [...]string{"trying", "ringing", "answered", "ended"}[s] }

// Direction of a call, seen from the phone.
type Direction uint8

// The directions of a call.
const (
	Outgoing Direction = iota
	Incoming
)

func (d Direction) String() string { return [...]string{"outgoing", "incoming"}[d] }

// Side says who did something.
type Side uint8

// The sides of a call.
const (
	Nobody Side = iota // no answer came within the protocol's time
	Local              // this phone
	Remote
)

func (s Side) String() string { return [...]string{"nobody", "local", "remote"}[s] }

// Party is someone as a phone's display shows him.
type Party struct {
	Number string // user part of the URI, unescaped
	Name   string // display name, unquoted
	URI    string
}

// End is why a call ended.
type End struct {
	By     Side
	Method string    // "BYE", "CANCEL", "INVITE" (refused), "closed", "vanished"
	Code   int       // SIP status of a call that was not answered, else 0
	Reason string    // phrase of that status
	Header string    // Reason header (RFC 3326) as it came, several joined with ", "
	Cause  int       // Q.850 cause, from the Reason header or Asterisk's X-Asterisk-HangupCauseCode; 0 is unknown
	At     time.Time // when
}

func (e End) String() string {
	text := fmt.Sprintf("%s by %s", e.Method, e.By)
	if e.Code != 0 {
		text += fmt.Sprintf(", %d %s", e.Code, e.Reason)
	}
	if e.Cause != 0 {
		text += fmt.Sprintf(", cause %d", e.Cause)
	}
	return text
}

// Info is a snapshot of a call.
type Info struct {
	ID        string // Call-ID
	Direction Direction
	State     State
	Dialled   string // user part of the Request-URI
	From, To  Party  // of the INVITE
	Remote    Party  // who the display shows: Asserted when known, else the other side's From or To
	Asserted  Party  // P-Asserted-Identity or Remote-Party-ID, the newest of the dialog; zero when there was none
	Diversion []Party

	LocalHold  bool   // this phone has put the other side on hold
	RemoteHold bool   // the other side does not want to receive audio
	Codec      string // "PCMU" or "PCMA" once agreed

	Created  time.Time // INVITE sent or received
	Progress time.Time // 183 received; zero when there was none
	Ringing  time.Time // 180 sent or received; zero when there was none
	Answered time.Time // 200 sent or received; zero when there was none
	End      End       // zero until the call has ended
}

// Call is one call of a phone. Its methods are safe for concurrent use, and its values stay readable when it has ended.
type Call struct {
	p   *Phone
	key string

	// All below is guarded by the phone's mutex.
	info    Info
	last    string // newest message of importance, for the errors of waits
	headers []sip.Header

	local      *sip.FromHeader // this side with its tag
	remote     *sip.ToHeader   // the other side, with its tag once known
	target     sip.Uri         // where requests go: the other side's Contact
	peer       netip.AddrPort  // where the first INVITE came from or went to
	routes     []string        // route set (RFC 3261 12.1)
	cseq       uint32
	remoteCSeq int64 // -1 before the first request of the other side

	invite     *exchange // outgoing call's INVITE
	cancelling bool      // Cancel was called
	cancelSent bool
	server     *serverTx // incoming INVITE that has no ACK yet
	described  []byte    // the SDP of its answer
	confirmed  bool      // ACK sent or received
	byeWanted  bool      // BYE once confirmed
	byeDone    bool
	byeErr     error
	behaviour  Behaviour
	pending    *timer // next step of the behaviour

	media     *media
	sdpID     uint64
	sdpCount  uint64
	event     uint8 // payload type of telephone-event that this side announces
	offered   bool  // the SDP sent last was an offer without its answer
	reinvited bool  // a re-INVITE of this side is under way
	stats     signalStats
}

// signalStats is the part of Stats that comes with SIP.
type signalStats struct {
	reinvites, updates int
	digits             string
}

func callKey(callID, localTag string) string { return callID + " " + localTag }

func (p *Phone) newCall(direction Direction, callID, localTag string) *Call {
	c := &Call{p: p, key: callKey(callID, localTag), sdpID: uint64(time.Now().Unix()), event: payloadEvent, remoteCSeq: -1}
	c.info.ID, c.info.Direction, c.info.Created = callID, direction, time.Now()
	p.calls[c.key] = c
	return c
}

// ID is the call's Call-ID.
func (c *Call) ID() string { return c.info.ID }

// Phone is the phone the call belongs to.
func (c *Call) Phone() *Phone { return c.p }

// Info returns a snapshot of the call.
func (c *Call) Info() Info {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	info := c.info
	info.Remote = info.Asserted
	if info.Remote == (Party{}) {
		info.Remote = info.To
		if info.Direction == Incoming {
			info.Remote = info.From
		}
	}
	info.Diversion = append([]Party(nil), info.Diversion...)
	return info
}

// State is how far the call has come.
func (c *Call) State() State {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.info.State
}

// Headers returns the values of a header in the other side's INVITE, or in the newest response to this side's.
func (c *Call) Headers(name string) []string {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	var values []string
	for _, h := range c.headers {
		if strings.EqualFold(h.Name(), name) {
			values = append(values, h.Value())
		}
	}
	return values
}

func (c *Call) String() string {
	info := c.Info()
	return fmt.Sprintf("%s call %s of %s with %s: %s", info.Direction, info.ID, c.p.cfg.User, info.Remote.Number, info.State)
}

// describe is the last known state for the error of a wait; the lock is held.
func (c *Call) describe() string {
	text := c.info.State.String()
	if c.last != "" {
		text += ", " + c.last
	}
	if c.info.State == Ended {
		text += ", " + c.info.End.String()
	}
	return text
}

func (c *Call) advance(state State) {
	if state <= c.info.State {
		return
	}
	c.info.State = state
	switch state {
	case Ringing:
		c.info.Ringing = time.Now()
	case Answered:
		if c.info.Answered.IsZero() {
			c.info.Answered = time.Now()
		}
	}
	c.p.broadcast()
}

// end is the one way into the state Ended; it sends nothing.
func (c *Call) end(e End) {
	if c.info.State == Ended {
		return
	}
	e.At = time.Now()
	c.info.End = e
	c.pending.stop()
	c.advance(Ended)
	if c.media != nil {
		c.media.close()
	}
	c.p.after(64*c.p.cfg.T1, func() { delete(c.p.calls, c.key) })
}

// request makes a request inside the call's dialog (RFC 3261 12.2.1.1).
func (c *Call) request(method sip.RequestMethod, cseq uint32) *sip.Request {
	req := c.p.newRequest(method, *c.target.Clone(), cloneFrom(c.local), cloneTo(c.remote), c.info.ID, cseq)
	for _, route := range c.routes {
		req.AppendHeader(sip.NewHeader("Route", route))
	}
	if method != sip.ACK && method != sip.BYE {
		req.AppendHeader(&sip.ContactHeader{Address: c.p.contact()})
	}
	return req
}

func (c *Call) nextCSeq() uint32 {
	c.cseq++
	return c.cseq
}

// to is where requests inside the dialog are sent: the first route, else the other side's Contact.
func (c *Call) to() netip.AddrPort {
	if len(c.routes) > 0 {
		var uri sip.Uri
		if _, err := sip.ParseAddressValue(c.routes[0], &uri, nil); err == nil {
			return destination(uri, c.peer)
		}
	}
	return destination(c.target, c.peer)
}

// send makes a request inside the dialog and hands its final answer, nil for none, to on.
func (c *Call) send(req *sip.Request, on func(res *sip.Response)) {
	c.p.request(req, c.to(), c.nextCSeq, func(res *sip.Response) {
		if res == nil || !res.IsProvisional() {
			on(res)
		}
	})
}

// learn takes the newest facts about the other side from any of its messages.
func (c *Call) learn(message sip.Message) {
	if contact := message.GetHeaders("Contact"); len(contact) == 1 {
		if h, ok := contact[0].(*sip.ContactHeader); ok && !h.Address.Wildcard {
			c.target = *h.Address.Clone()
		}
	}
	for _, name := range []string{"P-Asserted-Identity", "Remote-Party-ID"} {
		if party, ok := parseParty(headerValue(message, name)); ok {
			c.info.Asserted = party
			c.p.broadcast()
			return
		}
	}
}
