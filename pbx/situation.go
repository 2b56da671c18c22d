package pbx

import (
	"cmp"
	"slices"
)

// Situation is what goes on in the call of an extension besides talking. The zero value is that of one who just talks, or has no call.
type Situation struct {
	Held     bool    // it is on hold: the phone has pressed hold, or it was put there from outside
	Pressed  bool    // the phone has done that, and it alone can end it. The other party's hold is none of this one
	Asks     bool    // the extension has left the other party by Consult, and not come back
	Asking   string  // number of whom it asks, "" while that is not known
	Question string  // names this asking and no later one, for Complete; "" where nobody is asked
	Third    []Exten // those whom ThreeWay has brought in, or rings for that, in the order in which it was asked to
}

func (n *Situation) equal(m *Situation) bool {
	return n.Held == m.Held && n.Pressed == m.Pressed && n.Asks == m.Asks && n.Asking == m.Asking && n.Question == m.Question && slices.Equal(n.Third, m.Third)
}

// situation is how it stands with a call of an extension, seen from its channel.
func (s *state) situation(n Exten, own *channel) Situation {
	now := Situation{Held: own.OnHold() && !own.Parted, Pressed: own.Holding && !own.Parted, Asks: own.Consulting}
	if own.Consulting {
		now.Asking, now.Question = s.consults(own), own.Question
	}
	var third []*spy
	for id, p := range s.spies {
		if p.Third && p.On == n && s.channels[id] != nil {
			third = append(third, p)
		}
	}
	slices.SortFunc(third, func(a, b *spy) int { return cmp.Or(a.Ordered.Compare(b.Ordered), cmp.Compare(a.By, b.By)) })
	for _, p := range third {
		now.Third = append(now.Third, p.By)
	}
	return now
}

// consults is the number of whom a channel asks that has left its peer, "" while nobody can be told.
func (s *state) consults(own *channel) string {
	other := s.heard(own)
	if other == nil {
		return ""
	}
	number, _ := s.party(other)
	return number
}
