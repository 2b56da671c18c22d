package pbx

import (
	"cmp"
	"slices"
	"strings"
)

// outsideOrder is what the records of an ordered call are judged by that begins with a number outside. Such a call is rung over
// a Local channel: the second half dials the number as a phone would, the first half then runs the dialplan for it.
type outsideOrder struct {
	local     string // the Local channel without the mark of its half, "" for every other call
	requested string
	ring      *Leg // by which the number was rung last, nil when the dialplan rang nobody
}

func (c *call) outsideOrder() outsideOrder {
	if c.requested == "" || localBase(c.first.Name) == "" {
		return outsideOrder{}
	}
	o := outsideOrder{local: localBase(c.first.Name), requested: c.requested}
	for _, l := range slices.Backward(c.legs) {
		if l.FromName == "" {
			o.ring = l
			break
		}
	}
	return o
}

// superfluous reports whether a record is that of the second half: the same call once more, with caller and called
// exchanged.
func (o outsideOrder) superfluous(r *CDR) bool {
	return o.local != "" && localBase(r.Channel) == o.local && strings.HasSuffix(r.Channel, ";2")
}

// unanswered reports whether a record is that of the first half when the number outside did not answer.
func (o outsideOrder) unanswered(r *CDR) bool {
	return o.local != "" && localBase(r.Channel) == o.local && r.Answer == ""
}

// right turns the record of an unanswered one to whom the call was meant for, and to how its ringing ended: Asterisk has
// the number as its own destination, and 16 says FAILED for a number that does not answer.
func (o outsideOrder) right(r *CDR) {
	if !o.unanswered(r) {
		return
	}
	r.Destination = o.requested
	if o.ring != nil && o.ring.Ended {
		r.Disposition = cmp.Or(dispositions[o.ring.Status], "NO ANSWER")
	}
}

// recordOutside tells, at the end of a call that began with a number outside, the records that waited for how the ringing
// ended, and composes the one that Asterisk does not make.
func (s *state) recordOutside(c *call, cause string) {
	o := c.outsideOrder()
	if o.local == "" {
		return
	}
	for _, r := range c.held {
		o.right(&r)
		s.emit(CallRecorded{Call: c.id, CDR: r})
	}
	first, leg := &c.first.Channel, c.rungByOutside()
	silent := first.Answered.IsZero() && len(c.held) == 0
	if s.cdrs == cdrManager || s.cdrs == cdrAnswered && !silent {
		return
	}
	r := composeCDR(first, leg, s.at, s.rules.Location)
	r.Disposition = disposition(first, leg, o.ring, cause)
	r.Destination, r.Direction, r.Recording = c.requested, s.directionOf(c), c.recording
	s.composed(c, r)
}

// rungByOutside returns the leg that answered of those that were rung for the number outside, else the last one.
func (c *call) rungByOutside() (leg *Leg) {
	for _, l := range c.legs {
		if l.FromName == "" {
			continue
		}
		if leg = l; l.Answered {
			break
		}
	}
	return leg
}
