package pbx

import (
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// dialBegin notes a leg that is being rung. A Local leg is not told: the device behind it follows as a leg of its own,
// rung by the second half, and is told as rung by whoever rang the Local channel.
func (s *state) dialBegin(m ami.Message) {
	name, from := m.Get("DestChannel"), dialler{party: Party{Number: known(m.Get("CallerIDNum")), Name: known(m.Get("CallerIDName"))}, name: m.Get("Channel")}
	s.touch(m)
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
	leg := legFrom(m, from)
	c.legs = append(c.legs, leg)
	c.dirty = true
	s.emit(DialBegun{Call: c.id, Leg: *leg})
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
		return d
	}
	for _, ch := range c.channels { // a transferring phone rings through a Local channel that nobody dialled
		if !ch.Local() && ch.Caller.Number == from.party.Number {
			return dialler{party: from.party, name: ch.Name}
		}
	}
	return dialler{party: from.party}
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
	if c == nil || localBase(name) != "" {
		return
	}
	leg := c.leg(m.Get("DestUniqueid"))
	if leg == nil { // it began while the link was down
		from := dialler{party: Party{Number: known(m.Get("CallerIDNum")), Name: known(m.Get("CallerIDName"))}, name: m.Get("Channel")}
		leg = legFrom(m, s.behindLocal(c, from))
		c.legs = append(c.legs, leg)
	}
	s.endLeg(c, leg, m.Get("DialStatus"))
}

func (s *state) endLeg(c *call, leg *Leg, status string) {
	if leg.Ended {
		return
	}
	leg.Ended, leg.Status, leg.Answered = true, status, status == "ANSWER"
	c.dirty = true
	s.emit(DialEnded{Call: c.id, Leg: *leg})
}

func (c *call) leg(id string) *Leg {
	for _, l := range c.legs {
		if l.ToID == id {
			return l
		}
	}
	return nil
}

// cdrMode says where call detail records come from.
type cdrMode uint8

const (
	cdrUnknown  cdrMode = iota // not to be found out: composed when none comes
	cdrManager                 // Asterisk sends Cdr events
	cdrComposed                // it does not
)

// pendingCDR is a composed record that waits whether Asterisk sends its own.
type pendingCDR struct {
	call CallID
	cdr  CDR
	due  time.Time
}

// cdrPatience is how long after a channel's end its Cdr event may come before the record is composed.
const cdrPatience = 3 * time.Second

func (s *state) cdr(m ami.Message) {
	r := parseCDR(m)
	s.cdrs = cdrManager
	s.waiting = nil
	id := CallID(r.UniqueID)
	switch f, c := s.ended[r.UniqueID], s.owners[r.UniqueID]; {
	case c != nil:
		id, r.Direction, r.Recording = c.id, s.directionOf(c), c.recording
	case f != nil:
		id, r.Direction, r.Recording = f.call, f.direction, f.recording
	default:
		r.Direction = s.directionBy(r)
	}
	s.emit(CallRecorded{Call: id, CDR: r})
}

// directionBy judges a record of a call that was never seen.
func (s *state) directionBy(r CDR) Direction {
	switch {
	case s.rules.InboundContexts.MatchString(r.DestinationContext):
		return Inbound
	case s.rules.isOutside(r.Destination):
		return Outbound
	default:
		return Internal
	}
}

// compose makes the record of an ended channel that ran the dialplan, where Asterisk does not tell its own.
func (s *state) compose(ch *channel, cause string) {
	if s.cdrs == cdrManager || ch.Called {
		return
	}
	c := ch.call
	r := composeCDR(&ch.Channel, c.mainLeg(ch.ID), cause, s.at, s.rules.Location)
	r.Direction, r.Recording = s.directionOf(c), c.recording
	if s.cdrs == cdrComposed {
		s.emit(CallRecorded{Call: c.id, CDR: r})
		return
	}
	s.waiting = append(s.waiting, pendingCDR{call: c.id, cdr: r, due: s.at.Add(cdrPatience)})
}

// mainLeg returns the answered leg of a call, else the last one rung; the leg of the channel itself is none.
func (c *call) mainLeg(self string) *Leg {
	var last *Leg
	for _, l := range c.legs {
		if l.ToID == self {
			continue
		}
		if l.Answered {
			return l
		}
		last = l
	}
	return last
}

// tick emits the composed records whose patience has ended.
func (s *state) tick(now time.Time) {
	for len(s.waiting) > 0 && !now.Before(s.waiting[0].due) {
		p := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.at, s.stamp = now, ""
		s.emit(CallRecorded{Call: p.call, CDR: p.cdr})
	}
}
