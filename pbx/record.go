package pbx

import (
	"cmp"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// cdrSource says where call detail records come from.
type cdrSource uint8

const (
	cdrUnknown  cdrSource = iota // not to be found out: composed when none comes
	cdrManager                   // Asterisk tells every record
	cdrAnswered                  // Asterisk tells its records, and makes none of a call that rang nobody (cdr.conf unanswered=no)
	cdrComposed                  // Asterisk tells none
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
	if s.cdrs == cdrUnknown {
		s.cdrs, s.waiting = cdrManager, nil
	}
	s.record(parseCDR(m))
}

// record ties a record to its call and tells it.
func (s *state) record(r CDR) {
	id, requested, o, a := CallID(r.UniqueID), "", outsideOrder{}, aloneOrder{}
	f, c := s.ended[r.UniqueID], s.owners[r.UniqueID]
	switch {
	case c != nil:
		id, r.Direction, r.Recording, requested, o = c.id, s.directionOf(c), c.recording, c.requested, c.outsideOrder()
		a = c.aloneOrder()
	case f != nil:
		id, r.Direction, r.Recording, requested, o = f.call, f.direction, f.recording, f.requested, f.outside
		a = f.alone
	default:
		r.Direction = s.directionBy(r)
	}
	if o.superfluous(&r) {
		return
	}
	if c != nil && o.unanswered(&r) {
		c.held = append(c.held, r)
		return
	}
	o.right(&r)
	a.right(&r)
	if r.Destination == "" || r.Destination == "s" {
		r.Destination = cmp.Or(requested, r.Destination) // an ordered call that did not come to its dialplan
	}
	s.emit(CallRecorded{Call: id, CDR: r})
}

// aloneOrder is what the records of an ordered call are judged by that has nobody for a caller. Asterisk has who was called as its source.
type aloneOrder struct {
	id                 string // of its channel, "" for every other call
	orderer, requested string
}

func (c *call) aloneOrder() aloneOrder {
	if !c.Alone {
		return aloneOrder{}
	}
	return aloneOrder{id: strings.Clone(c.idString()), orderer: c.orderer, requested: c.requested}
}

func (a aloneOrder) right(r *CDR) {
	if a.id != "" && r.UniqueID == a.id {
		r.Source, r.Destination = a.orderer, a.requested
	}
}

// standsIn reports whether a Local channel is all that the dialplan sees of who was called through it.
func (c *call) standsIn(ch *channel) bool { return c.Alone && ch == c.first }

// directionBy judges a record of a call that was never seen.
func (s *state) directionBy(r CDR) Direction {
	switch {
	case s.rules.InboundContexts.MatchString(r.DestinationContext):
		return Inbound
	case s.leadsOut(r.Destination, r.DestinationContext):
		return Outbound
	default:
		return Internal
	}
}

// compose makes the record of an ended channel that ran the dialplan, where Asterisk does not tell one.
func (s *state) compose(ch *channel, cause string) {
	c := ch.call
	leg, own := c.mainLeg(ch.ID), c.leg(ch.ID)
	silent := ch.Answered.IsZero() && leg == nil // such a call is dropped by Asterisk's own bookkeeping, see main/cdr.c
	if ch.Called || s.cdrs == cdrManager || s.cdrs == cdrAnswered && !silent {
		return
	}
	r := composeCDR(&ch.Channel, leg, s.at, s.rules.Location)
	r.Disposition = disposition(&ch.Channel, leg, own, cause)
	r.Destination = cmp.Or(r.Destination, c.requested)
	r.Direction, r.Recording = s.directionOf(c), c.recording
	c.aloneOrder().right(&r)
	s.composed(c, r)
}

// composed tells a record that was made here, at once or when it is clear that Asterisk tells none.
func (s *state) composed(c *call, r CDR) {
	if s.cdrs != cdrUnknown {
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

// tick emits the composed records whose patience has ended and forgets orders that never became a call.
func (s *state) tick(now time.Time) {
	for id, o := range s.asked {
		if now.Sub(o.at) > lateness {
			delete(s.asked, id)
		}
	}
	for id, p := range s.spies {
		if s.channels[id] == nil && now.Sub(p.Ordered) > lateness {
			delete(s.spies, id)
		}
	}
	for len(s.waiting) > 0 && !now.Before(s.waiting[0].due) {
		p := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.at, s.stamp = now, ""
		s.emit(CallRecorded{Call: p.call, CDR: p.cdr})
	}
}
