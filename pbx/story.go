package pbx

import (
	"cmp"
	"strings"

	"github.com/dialbridge/dialbridge/ami"
)

// beginRing notes that a leg rings, and for which queue.
func (s *state) beginRing(c *call, leg *Leg) {
	n := s.rules.extenOf(deviceOf(leg.ToName))
	sp := Span{Kind: SpanRing, Channel: leg.ToID, Party: cmp.Or(string(n), leg.To.Number), Exten: n}
	for i := range c.Spans {
		if waiting := &c.Spans[i]; waiting.Kind == SpanQueue && waiting.open() {
			waiting.Rang = true
			sp.Place = waiting.Place
		}
	}
	if c.Parted && !c.talks() { // who gives up before the first conversation may do so before Asterisk tells that it rings
		c.nobodyEnds()
	}
	s.begin(c, sp)
}

func (s *state) parked(m ami.Message) {
	ch := s.channels[m.Get("ParkeeUniqueid")]
	if ch == nil || ch.call.openSpan(SpanPark, ch.ID) != nil {
		return
	}
	sp := s.spanOf(SpanPark, ch)
	sp.Place = m.Get("ParkingSpace")
	s.begin(ch.call, sp)
}

func (s *state) unparked(m ami.Message, how string) {
	if ch := s.channels[m.Get("ParkeeUniqueid")]; ch != nil {
		s.finish(ch.call, SpanPark, ch.ID, how)
	}
}

// blindTransfer notes who sent a call where.
func (s *state) blindTransfer(m ami.Message) {
	if m.Get("Result") == "Success" {
		s.transferred(m.Get("TransfererUniqueid"), m.Get("Extension"), "blind")
	}
}

// transferred notes a transfer in the call of who made it.
func (s *state) transferred(by, to, how string) {
	ch := s.channels[by]
	if ch == nil {
		return
	}
	sp := s.spanOf(SpanTransfer, ch)
	sp.Place, sp.Outcome = to, how
	s.moment(ch.call, sp)
}

// userEvent takes what a dialplan reports of itself: UserEvent(ivr,ivrId: 610,ivrName: working time) when a caller comes into a
// menu, the same with ivrDtmf when he has chosen. UserEvent(feedback,score: 5) tells a rating.
func (s *state) userEvent(m ami.Message) {
	ch := s.touch(m)
	if ch == nil {
		return
	}
	switch m.Get("UserEvent") {
	case "ivr":
		s.reportMenu(ch, m)
	case "feedback":
		ch.call.Score = cmp.Or(clip(m.Get("score")), ch.call.Score)
		ch.call.dirty = true
	}
}

// byPhone is the forwarding that a phone itself asks for (SIP 302).
const byPhone = "phone"

// forwarded notes that a rung phone sent the call on. Asterisk tells where to as a number, or with its context.
func (s *state) forwarded(c *call, leg *Leg, to string) {
	if to == "" {
		return
	}
	to, _, _ = strings.Cut(strings.TrimPrefix(to, "Local/"), "@")
	c.ForwardType, c.ForwardNumber = byPhone, to
	s.moment(c, Span{Kind: SpanForward, Channel: leg.ToID, Party: leg.To.Number, Exten: s.rules.extenOf(deviceOf(leg.ToName)), Place: to})
}
