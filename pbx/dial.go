package pbx

import (
	"slices"
	"strings"

	"github.com/dialbridge/dialbridge/ami"
)

// dialBegin notes a leg that is being rung. A Local leg is not told: the device behind it follows as a leg of its own,
// rung by the second half, and is told as rung by whoever rang the Local channel.
func (s *state) dialBegin(m ami.Message) {
	name, from := m.Get("DestChannel"), dialler{party: Party{Number: known(m.Get("CallerIDNum")), Name: known(m.Get("CallerIDName"))}, name: m.Get("Channel")}
	if ch := s.touch(m); ch != nil {
		s.tellVisit(ch, "")
	}
	c := s.callOfLeg(m)
	if c == nil {
		return
	}
	if ch := s.channels[m.Get("DestUniqueid")]; ch != nil {
		ch.Called = from.name != ""
	}
	if from.name == "" && m.Get("DestUniqueid") == c.idString() {
		c.originated = true
	}
	from = s.behindLocal(c, from)
	if base := localBase(name); base != "" {
		s.dialling[base] = from
		return
	}
	if leg := c.leg(m.Get("DestUniqueid")); leg != nil && leg.Unseen {
		leg.Unseen = false // it was found before this came
		return
	}
	s.ring(c, legFrom(m, from))
}

// ring tells that a leg is being rung.
func (s *state) ring(c *call, leg *Leg) {
	s.addLeg(c, leg)
	c.dirty = true
	s.beginRing(c, leg)
	s.emit(DialBegun{Call: c.id, Leg: *leg})
}

// maxLegs bounds the legs that are kept of a call: a queue may ring its agents for hours.
const maxLegs = 200

// addLeg notes a leg. The oldest that have ended without an answer make room.
func (s *state) addLeg(c *call, leg *Leg) {
	c.outward = c.outward || s.rules.extenOf(deviceOf(leg.ToName)) == ""
	if len(c.legs) >= maxLegs {
		if i := slices.IndexFunc(c.legs, func(l *Leg) bool { return l.Ended && !l.Answered }); i >= 0 {
			c.legs = slices.Delete(c.legs, i, i+1)
		}
	}
	c.legs = append(c.legs, leg)
}

// callOfLeg finds the call by the rung channel, else by its Linkedid.
func (s *state) callOfLeg(m ami.Message) *call {
	if ch := s.channels[m.Get("DestUniqueid")]; ch != nil {
		return ch.call
	}
	return s.linked[m.Get("DestLinkedid")]
}

// behindLocal replaces the half of a Local channel by who rings through it.
func (s *state) behindLocal(c *call, from dialler) dialler {
	base := localBase(from.name)
	if base == "" {
		return from
	}
	if d, ok := s.dialling[base]; ok {
		if d.name == "" && strings.HasSuffix(from.name, ";1") {
			return dialler{party: from.party, name: c.orderedThrough()}
		}
		return d
	}
	if c.requested != "" && localBase(c.first.Name) == base {
		return dialler{} // an ordered call, whose own ringing is told in either order with that of the number behind it
	}
	for _, ch := range c.channels { // a transferring phone rings through a Local channel that nobody dialled
		if !ch.Local() && ch.Caller.Number == from.party.Number {
			return dialler{party: from.party, name: ch.Name}
		}
	}
	return dialler{party: from.party}
}

// orderedThrough returns the channel of the outside number that an ordered call has rung through a Local channel, whose
// first half then runs the dialplan for it; "" when none has answered.
func (c *call) orderedThrough() string {
	for _, l := range c.legs {
		if l.FromName == "" && l.Answered {
			return l.ToName
		}
	}
	return ""
}

func legFrom(m ami.Message, from dialler) *Leg {
	return &Leg{
		From: from.party, FromName: from.name,
		To:     Party{Number: known(m.Get("DestCallerIDNum")), Name: known(m.Get("DestCallerIDName"))},
		ToName: m.Get("DestChannel"), ToID: m.Get("DestUniqueid"), DialString: m.Get("DialString"),
	}
}

// dialEnd closes a leg once: Asterisk may say it twice for one channel.
func (s *state) dialEnd(m ami.Message) {
	s.touch(m)
	name := m.Get("DestChannel")
	c := s.callOfLeg(m)
	if c == nil {
		return
	}
	if localBase(name) != "" {
		if m.Get("DestUniqueid") == c.idString() && m.Get("DialStatus") == "ANSWER" {
			s.limitCall(c, &Leg{ToID: c.idString()}) // an outside number that was ordered
		}
		return
	}
	leg := c.leg(m.Get("DestUniqueid"))
	if leg == nil { // it began while the link was down
		from := dialler{party: Party{Number: known(m.Get("CallerIDNum")), Name: known(m.Get("CallerIDName"))}, name: m.Get("Channel")}
		leg = legFrom(m, s.behindLocal(c, from))
		s.addLeg(c, leg)
	}
	s.endLeg(c, leg, m.Get("DialStatus"))
	s.forwarded(c, leg, m.Get("Forward"))
}

// pickup brings who takes a call that rings elsewhere into that call, and ends the leg that rang. Asterisk gives both one
// Linkedid only when they part again.
func (s *state) pickup(m ami.Message) {
	ch, target := s.touch(m), s.channels[m.Get("TargetUniqueid")]
	if ch == nil || target == nil {
		return
	}
	if leg := target.call.leg(target.ID); leg != nil {
		s.endLeg(target.call, leg, "CANCEL")
	}
	taken := s.spanOf(SpanPickup, ch)
	taken.Place, _ = s.party(target)
	s.moveChannel(ch, target.Linked)
	ch.Called, ch.Dialled = target.Called, target.Dialled
	if target == target.call.first { // the one that was ordered to call
		target.call.first = ch
	}
	if target.Bridge != "" { // it was answered in the same moment
		s.succeed(target, ch)
	}
	s.moment(target.call, taken)
}

func (s *state) endLeg(c *call, leg *Leg, status string) {
	if leg.Ended {
		return
	}
	leg.Ended, leg.Status, leg.Answered = true, status, status == "ANSWER"
	c.dirty = true
	s.finish(c, SpanRing, leg.ToID, status)
	s.emit(DialEnded{Call: c.id, Leg: *leg})
	if leg.Answered {
		s.limitCall(c, leg)
	}
}

func (c *call) leg(id string) *Leg {
	for _, l := range c.legs {
		if l.ToID == id {
			return l
		}
	}
	return nil
}
