package pbx

import "time"

// Sizes is how much there is of what the picture holds.
type Sizes struct {
	Calls, Channels int
	Extensions      map[ExtenState]int // each state, those of none too
	Agents          map[AgentState]int // each state but AgentLogout, those of none too
	Queues          int
	Callers         int       // who wait in queues
	Longest         time.Time // when the first of them came; zero when nobody waits
	Conferences     int       // that are stored
	Attendees       int       // channels in conferences
}

// Sizes counts the picture; ErrOffline while it is not complete.
func (s *Switch) Sizes() (Sizes, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.synced {
		return Sizes{}, ErrOffline
	}
	return s.state.sizes(), nil
}

func (s *state) sizes() Sizes {
	z := Sizes{
		Calls: len(s.calls), Channels: len(s.channels), Queues: len(s.queues), Conferences: len(s.conferences), Attendees: len(s.attending),
		Extensions: map[ExtenState]int{Idle: 0, InUse: 0, Busy: 0, Unavailable: 0, Ringing: 0, OnHold: 0},
		Agents:     map[AgentState]int{AgentLogin: 0, AgentReady: 0, AgentUnready: 0, AgentBusy: 0, AgentAfterWork: 0},
	}
	for _, x := range s.extens {
		z.Extensions[x.state()]++
	}
	for _, a := range s.agents {
		if a.State != "" && a.State != AgentLogout {
			z.Agents[a.State]++
		}
	}
	for _, q := range s.queues {
		z.Callers += len(q.callers)
		for _, w := range q.callers {
			if z.Longest.IsZero() || w.Since.Before(z.Longest) {
				z.Longest = w.Since
			}
		}
	}
	return z
}

// Applied counts the events of Asterisk that were applied since the start, by name, those of none too. The names are those of
// Wanted that change the picture.
func (s *Switch) Applied() map[string]uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	counts := make(map[string]uint64, len(s.state.applied))
	for name, n := range s.state.applied {
		counts[name] = *n
	}
	return counts
}

// SyntheticEnds counts the ends of calls since the start that were told without Asterisk's word: the daemon, or the link, was away when
// they ended.
func (s *Switch) SyntheticEnds() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.synthetic
}

// appliedNames has a counter for each event, so that none is missing before it came first.
func appliedNames() map[string]*uint64 {
	counts := make(map[string]*uint64, len(appliers))
	for name := range appliers {
		counts[name] = new(uint64)
	}
	return counts
}
