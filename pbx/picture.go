package pbx

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// picture copies the whole state. The caller holds mu.
func (s *Switch) picture() Picture {
	p := Picture{Seq: s.state.seq, Resyncs: s.resyncs, Calls: s.calls(), Extensions: s.extensions(), Agents: s.state.allAgents()}
	for _, q := range s.state.queues {
		p.Queues = append(p.Queues, q.copy())
	}
	slices.SortFunc(p.Queues, func(a, b Queue) int { return cmp.Compare(a.Name, b.Name) })
	return p
}

func (s *Switch) calls() []Call {
	list := make([]Call, 0, len(s.state.calls))
	for _, c := range s.state.calls {
		list = append(list, s.state.copyCall(c))
	}
	slices.SortFunc(list, func(a, b Call) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID))
	})
	return list
}

func (s *Switch) extensions() []Extension {
	list := make([]Extension, 0, len(s.state.extens))
	for _, x := range s.state.extens {
		list = append(list, x.copy())
	}
	sortExtensions(list)
	return list
}

func (x *extension) copy() Extension {
	return Extension{Number: x.number, Name: string(x.number), Device: x.device, State: x.state()}
}

// Calls returns the live calls, oldest first; ErrOffline while the picture is not complete.
func (s *Switch) Calls() ([]Call, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.synced {
		return nil, ErrOffline
	}
	return s.calls(), nil
}

// Extensions returns all internal numbers with their states, in the order of their numbers; ErrOffline while the
// picture is not complete.
func (s *Switch) Extensions() ([]Extension, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.synced {
		return nil, ErrOffline
	}
	return s.extensions(), nil
}

// Extension returns one internal number; ErrNotFound when there is none, ErrOffline while the picture is not complete.
func (s *Switch) Extension(n Exten) (Extension, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.synced {
		return Extension{}, ErrOffline
	}
	x, ok := s.state.extens[n]
	if !ok {
		return Extension{}, ErrNotFound
	}
	return x.copy(), nil
}

// ParseExten takes the number out of what clients write: 808, SIP/808, sip/808, PJSIP/808.
func ParseExten(text string) Exten {
	if tech, rest, ok := strings.Cut(text, "/"); ok && (strings.EqualFold(tech, "SIP") || strings.EqualFold(tech, "PJSIP")) {
		return Exten(rest)
	}
	return Exten(text)
}

// Age returns how long a channel has existed, never negative.
func (c *Channel) Age(now time.Time) time.Duration { return max(0, now.Sub(c.Created)) }
