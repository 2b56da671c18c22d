package pbx

import (
	"fmt"
	"slices"
)

// Situation is what goes on in the call of an extension besides talking. The zero value is that of one who just talks, or has no call.
type Situation struct {
	Held   bool   // it is on hold: the phone has pressed hold, or it was put there from outside
	Asks   bool   // the extension has left the other party by Consult, and not come back
	Asking string // number of whom it asks, "" while that is not known
	Third  []Exten
}

// Situation tells how it stands with the call of an extension, whoever has brought that about. Third are those whom ThreeWay has brought
// in, or rings for that, in order. Errors: ErrOffline, ErrNotFound (no such extension).
func (s *Switch) Situation(n Exten) (Situation, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.synced {
		return Situation{}, ErrOffline
	}
	st := s.state
	if st.extens[n] == nil && st.agents[n] == nil {
		return Situation{}, fmt.Errorf("%w: extension %s", ErrNotFound, n)
	}
	a := st.agents[n]
	if a == nil {
		a = &agent{Agent: Agent{Exten: n}}
	}
	own := st.channels[st.callOf(a).Channel]
	if own == nil {
		return Situation{}, nil
	}
	now := Situation{Held: own.OnHold(), Asks: own.Consulting}
	if own.Consulting {
		now.Asking = st.consults(own)
	}
	for id, p := range st.spies {
		if p.third && p.on == n && st.channels[id] != nil {
			now.Third = append(now.Third, p.by)
		}
	}
	slices.Sort(now.Third)
	return now, nil
}

// consults is the number of whom a channel asks that has left its peer, "" while nobody can be told.
func (s *state) consults(own *channel) string {
	for _, ch := range s.hearing(own, map[*channel]bool{}) {
		if ch != own && !ch.Local() {
			number, _ := s.party(ch)
			return number
		}
	}
	return ""
}
