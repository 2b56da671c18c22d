package pbx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

var (
	// ErrSignedOut says that an extension is a member of no queue.
	ErrSignedOut = errors.New("agent is not signed in")
	// ErrEngaged says that an agent has a call, or is about to get one that was ordered for him.
	ErrEngaged = errors.New("agent has a call")
)

// Agents returns all extensions as agents, those who are not signed in too, in the order of their numbers; ErrOffline while the
// picture is not complete.
func (s *Switch) Agents() ([]Agent, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.synced {
		return nil, ErrOffline
	}
	return s.state.allAgents(), nil
}

func byAgentNumber(a, b Agent) int {
	return cmp.Or(cmp.Compare(len(a.Exten), len(b.Exten)), cmp.Compare(a.Exten, b.Exten))
}

// Agent returns one extension as an agent; ErrNotFound when there is none, ErrOffline while the picture is not complete.
func (s *Switch) Agent(n Exten) (Agent, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.synced {
		return Agent{}, ErrOffline
	}
	if s.state.extens[n] == nil && s.state.agents[n] == nil {
		return Agent{}, fmt.Errorf("%w: extension %s", ErrNotFound, n)
	}
	return s.state.agentOf(n), nil
}

// AfterWorkUntil is when the after-call work of an agent ends by itself; zero when he has none.
func (s *Switch) AfterWorkUntil(n Exten) time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if w := s.state.wraps[n]; w != nil {
		return w.Until
	}
	return time.Time{}
}

// seat checks a number and returns the agent behind it and his memberships, without those that he has left.
func (s *Switch) seat(n Exten) (Agent, []place, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, err := s.agent("extension", n, ""); err != nil {
		return Agent{}, nil, err
	}
	a := s.state.agentOf(n)
	if a.State == AgentLogout {
		return a, nil, fmt.Errorf("%w: %s", ErrSignedOut, n)
	}
	return a, slices.DeleteFunc(s.state.places(n, ""), func(p place) bool { return p.member.pausedByLeave() }), nil
}

// Ready lets an agent take calls in all the queues that he is signed in to. Errors: InvalidError, ErrSignedOut, ErrOffline, ErrUnknown,
// ErrForbidden, RefusedError.
func (s *Switch) Ready(ctx context.Context, n Exten) error {
	_, places, err := s.seat(n)
	if err != nil {
		return err
	}
	return s.pausePlaces(ctx, places, false, "")
}

// maxReason is how much of the reason of a pause Asterisk keeps, in bytes (app_queue.c, reason_paused): it cuts the rest, be it in the
// midst of a character.
const maxReason = 79

// Break pauses an agent in all his queues; a call that he has goes on. Errors are those of Ready.
func (s *Switch) Break(ctx context.Context, n Exten, reason string) error {
	if slices.Contains([]string{afterWork, leaveReason, loginReason}, reason) {
		return &InvalidError{Field: "reason", Reason: reason + " is kept for the switch"}
	}
	if len(reason) > maxReason {
		return &InvalidError{Field: "reason", Reason: "longer than " + strconv.Itoa(maxReason) + " bytes"}
	}
	_, places, err := s.seat(n)
	if err != nil {
		return err
	}
	return s.pausePlaces(ctx, places, true, reason)
}

// DialAs starts a call for an agent who has none: his phone rings, and when he answers the number is dialled from it. remark is kept
// with the call; when the two have talked, the agent has after-call work. Errors: those of Dial, ErrSignedOut, ErrEngaged.
func (s *Switch) DialAs(ctx context.Context, n Exten, to, remark string) (CallID, error) {
	if _, _, err := s.seat(n); err != nil {
		return "", err
	}
	return s.order(ctx, DialRequest{From: string(n), To: to, Remark: remark}, s.expectOne)
}

// orderPatience is how long Asterisk may take to make the channel of an ordered call, or to say that it cannot; one that is later is not
// awaited.
const orderPatience = 30 * time.Second

// expectOne is expect for an agent who may have one call alone: of two orders at once the second is refused.
func (s *Switch) expectOne(id CallID, o *order) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.work = true
	engaged := s.state.agentOf(Exten(o.from)).State == AgentBusy
	for _, other := range s.state.asked {
		engaged = engaged || other.from == o.from && o.at.Sub(other.at) < orderPatience
	}
	if engaged {
		return fmt.Errorf("%w: %s", ErrEngaged, o.from)
	}
	s.state.asked[id] = *o
	return nil
}
