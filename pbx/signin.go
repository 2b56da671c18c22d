package pbx

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// SignIn makes an agent a member of queues, paused until he says that he is ready; one who takes calls already takes theirs too. In queues of which he is a member already nothing
// changes for him. Errors: InvalidError, ErrNoQueue, ErrNotFound (no such extension), ErrOffline, ErrUnknown, ErrForbidden,
// RefusedError; with the first three nothing was done.
func (s *Switch) SignIn(ctx context.Context, n Exten, queues []QueueName) error {
	rules, phone, err := s.beginSignIn(n, queues)
	if err != nil {
		return err
	}
	defer s.endSignIn(ctx, n)
	for _, queue := range slices.Compact(slices.Sorted(slices.Values(queues))) {
		if err := s.signIn(ctx, rules, phone, n, queue); err != nil {
			return err
		}
	}
	return nil
}

// beginSignIn checks all queues before the first is joined. Until endSignIn, a pause without a reason is that of one who signs in:
// Asterisk takes no reason with QueueAdd.
func (s *Switch) beginSignIn(n Exten, queues []QueueName) (*Rules, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(queues) == 0 {
		return nil, "", &InvalidError{Field: "queue", Reason: "none is named"}
	}
	for _, queue := range queues {
		if queue == "" {
			return nil, "", &InvalidError{Field: "queue", Reason: "a name is empty"}
		}
		if _, err := s.agent("extension", n, queue); err != nil {
			return nil, "", err
		}
	}
	phone, _ := s.state.phoneOf(n)
	if phone == "" {
		return nil, "", fmt.Errorf("%w: extension %s", ErrNotFound, n)
	}
	s.state.signing[n]++
	return s.state.rules, phone, nil
}

// endSignIn lets be told what an agent does now, and waits until it has been: between the first queue and the last one he did nothing
// that is worth telling.
func (s *Switch) endSignIn(ctx context.Context, n Exten) {
	s.mu.Lock()
	if s.state.signing[n]--; s.state.signing[n] == 0 {
		delete(s.state.signing, n)
		s.state.post(n)
	}
	s.mu.Unlock()
	poke(s.acks)
	s.await(ctx, func(st *state) bool { return !st.restless[n] || st.signing[n] > 0 })
}

func (s *Switch) signIn(ctx context.Context, rules *Rules, phone string, n Exten, queue QueueName) error {
	s.mu.RLock()
	places, free := s.state.places(n, queue), s.state.atWork(n)
	s.mu.RUnlock()
	if len(places) > 0 && !places[0].member.pausedByLeave() {
		return nil
	}
	if free && len(places) == 0 {
		return s.join(ctx, rules, phone, n, queue, false)
	}
	if free {
		return s.pausePlaces(ctx, places, false, "")
	}
	if len(places) == 0 {
		if err := s.join(ctx, rules, phone, n, queue, true); err != nil {
			return err
		}
		s.mu.RLock()
		places = s.state.places(n, queue)
		s.mu.RUnlock()
	}
	if err := s.pausePlaces(ctx, places, true, loginReason); err != nil {
		return err
	}
	s.await(ctx, func(st *state) bool {
		return !slices.ContainsFunc(st.places(n, queue), func(p place) bool { return p.member.Reason != loginReason })
	})
	return nil
}

// SignOut takes an agent out of all his queues; a call that he has goes on. Errors: InvalidError, ErrSignedOut, ErrOffline, ErrUnknown,
// ErrForbidden, RefusedError.
func (s *Switch) SignOut(ctx context.Context, n Exten) error {
	if _, _, err := s.seat(n); err != nil {
		return err
	}
	s.mu.Lock()
	s.state.signing[n]++
	s.mu.Unlock()
	defer s.endSignIn(ctx, n)
	_, err := s.Leave(ctx, n, "")
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: %s", ErrSignedOut, n)
	}
	return err
}

// atWork reports whether an agent is a member of a queue in which he is not paused.
func (s *state) atWork(n Exten) bool {
	return slices.ContainsFunc(s.places(n, ""), func(p place) bool { return !p.member.Paused })
}
