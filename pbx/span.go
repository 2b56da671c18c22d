package pbx

import (
	"slices"
	"time"
)

// SpanKind says what a stretch of a call was.
type SpanKind string

// The kinds of spans. The last four are moments: they begin and end at once.
const (
	SpanMenu      SpanKind = "ivr"       // in a menu; Place is its id, Name its name, Digits the keys
	SpanFeedback  SpanKind = "feedback"  // in a survey; Digits are the keys
	SpanQueue     SpanKind = "queue"     // waiting; Place is the queue, Outcome a Miss or QueueConnected
	SpanRing      SpanKind = "ring"      // a device rings; Place is the queue that rings it, Outcome Asterisk's DialStatus
	SpanTalk      SpanKind = "talk"      // a party hears another one, hold included
	SpanHold      SpanKind = "hold"      // a party has pressed hold, or was put on hold from outside
	SpanPark      SpanKind = "park"      // parked; Place is the space, Outcome how it ended
	SpanVoicemail SpanKind = "voicemail" // listening to or speaking on a voicemail box
	SpanAfterWork SpanKind = "afterwork" // an agent's pause after the call

	SpanTransfer SpanKind = "transfer" // Party sent the call to Place; Outcome is blind or attended
	SpanPickup   SpanKind = "pickup"   // Party took the call that rang at Place
	SpanForward  SpanKind = "forward"  // the rung phone Party sent the call on to Place
)

// Span is one stretch of a call. Times are the daemon's clock; within one process they carry a monotonic reading, so that
// differences do not depend on the wall clock.
type Span struct {
	Kind    SpanKind  `json:"kind"`
	Channel string    `json:"channel,omitempty"` // Uniqueid of the channel that it is about
	Party   string    `json:"party,omitempty"`   // its number
	Exten   Exten     `json:"exten,omitempty"`   // its extension, "" for an outside party
	Place   string    `json:"place,omitempty"`
	Name    string    `json:"name,omitempty"`
	Digits  string    `json:"digits,omitempty"`
	Outcome string    `json:"outcome,omitempty"`
	Rang    bool      `json:"rang,omitempty"` // of a queue: it has rung somebody
	Start   time.Time `json:"start"`
	End     time.Time `json:"end,omitzero"` // zero while it lasts
}

// Length is how long the span lasted, never negative; 0 while it lasts.
func (sp *Span) Length() time.Duration {
	if sp.open() {
		return 0
	}
	return max(0, sp.End.Sub(sp.Start))
}

// until is Length as of a moment.
func (sp *Span) until(at time.Time) time.Duration {
	if sp.open() {
		return max(0, at.Sub(sp.Start))
	}
	return sp.Length()
}

func (sp *Span) open() bool { return sp.End.IsZero() }

// maxSpans bounds what is kept of a call that does not end, such as a conference in which people come and go for days.
const maxSpans = 1000

// begin opens a span of a call now. A call that has too many loses the oldest attempt to ring a phone that nobody answered: of
// those a queue makes thousands, and of the others nobody.
func (s *state) begin(c *call, sp Span) {
	if len(c.Spans) >= maxSpans {
		c.Truncated = true
		i := slices.IndexFunc(c.Spans, func(old Span) bool { return old.Kind == SpanRing && !old.open() && old.Outcome != "ANSWER" })
		if i < 0 {
			return
		}
		c.Spans = slices.Delete(c.Spans, i, i+1)
	}
	sp.Start = s.at
	c.Spans = append(c.Spans, sp)
	c.dirty = true
}

// moment notes what takes no time.
func (s *state) moment(c *call, sp Span) {
	sp.End = s.at
	s.begin(c, sp)
}

// openSpan returns the span of a kind in which a channel is, nil for none. It is valid until the next one begins.
func (c *call) openSpan(kind SpanKind, channel string) *Span {
	for i := len(c.Spans) - 1; i >= 0; i-- {
		if sp := &c.Spans[i]; sp.Kind == kind && sp.Channel == channel && sp.open() {
			return sp
		}
	}
	return nil
}

// finish ends the open span of a kind and returns it, nil for none.
func (s *state) finish(c *call, kind SpanKind, channel, outcome string) *Span {
	sp := c.openSpan(kind, channel)
	if sp == nil {
		return nil
	}
	sp.End = s.at
	if outcome != "" {
		sp.Outcome = outcome
	}
	c.dirty = true
	return sp
}

// finishChannel ends all that a channel was in when it ended.
func (c *call) finishChannel(channel string, at time.Time) {
	for i := range c.Spans {
		if sp := &c.Spans[i]; sp.Channel == channel && sp.open() {
			sp.End = latest(at, sp.Start)
		}
	}
}

// carrySpans lets what a channel is in go on in the call that it joins.
func (s *state) carrySpans(ch *channel, from, to *call) {
	for i := range from.Spans {
		if sp := &from.Spans[i]; sp.Channel == ch.ID && sp.open() {
			s.begin(to, *sp)
			sp.End = s.at
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// party is the number of who is behind a channel, and his extension.
func (s *state) party(ch *channel) (number string, exten Exten) {
	if exten = s.rules.extenOf(ch.Device()); exten != "" {
		return string(exten), exten
	}
	return ch.Caller.Number, ""
}

// spanOf begins a span that is about a channel.
func (s *state) spanOf(kind SpanKind, ch *channel) Span {
	number, exten := s.party(ch)
	return Span{Kind: kind, Channel: ch.ID, Party: number, Exten: exten}
}
