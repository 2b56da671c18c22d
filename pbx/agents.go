package pbx

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dialbridge/dialbridge/ami"
)

// ErrNoQueue says that a queue does not exist.
var ErrNoQueue = errors.New("no such queue")

// agent checks what all verbs about agents need: the number, which field names, the picture, and the queue where one is named.
func (s *Switch) agent(field string, n Exten, queue QueueName) (*Rules, error) {
	rules := s.state.rules
	if !rules.isExten(string(n)) {
		return nil, &InvalidError{Field: field, Reason: "not an extension number"}
	}
	if !s.synced {
		return nil, ErrOffline
	}
	if queue != "" && s.state.queues[queue] == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoQueue, queue)
	}
	return rules, nil
}

// Pause pauses or unpauses an extension in a queue, in all its queues when queue is "". Errors: InvalidError, ErrNoQueue,
// ErrNotFound (it is no member there), ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) Pause(ctx context.Context, n Exten, queue QueueName, paused bool, reason string) error {
	if paused && reason == afterWork {
		return &InvalidError{Field: "reason", Reason: "acw is kept for after-call work"}
	}
	s.mu.RLock()
	_, err := s.agent("member", n, queue)
	places := s.state.places(n, queue)
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	if len(places) == 0 {
		return fmt.Errorf("%w: %s is no member", ErrNotFound, n)
	}
	return s.pausePlaces(ctx, places, paused, reason)
}

// pausePlaces pauses or unpauses an extension in some of its queues, and waits until it is seen.
func (s *Switch) pausePlaces(ctx context.Context, places []place, paused bool, reason string) error {
	for _, p := range places {
		a := ami.NewAction("QueuePause", "Queue", string(p.queue), "Interface", p.member.Interface, "Paused", strconv.FormatBool(paused))
		if reason != "" {
			a = a.With("Reason", reason)
		}
		if _, err := s.client.Do(ctx, a); err != nil {
			return translate(err)
		}
	}
	s.await(ctx, func(st *state) bool {
		for _, p := range places {
			if q := st.queues[p.queue]; q == nil {
				continue
			} else if m := q.member(p.member.Interface); m != nil && m.Paused != paused {
				return false
			}
		}
		return true
	})
	return nil
}

// leaveReason is why a static member that has left is paused.
const leaveReason = "logout"

// pausedByLeave reports whether a static member has left its queue in the only way it can.
func (m *Member) pausedByLeave() bool { return m.Static && m.Paused && m.Reason == leaveReason }

// Join makes an extension a dynamic member of a queue; being one already is success, and a static member that has left
// is unpaused. Errors: InvalidError, ErrNoQueue,
// ErrNotFound (no such extension), ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) Join(ctx context.Context, n Exten, queue QueueName) error {
	s.mu.RLock()
	rules, err := s.agent("extension", n, queue)
	phone, _ := s.state.phoneOf(n)
	places := s.state.places(n, queue)
	s.mu.RUnlock()
	switch {
	case err != nil:
		return err
	case len(places) > 0 && places[0].member.pausedByLeave():
		return s.Pause(ctx, n, queue, false, "")
	case len(places) > 0:
		return nil
	case phone == "":
		return fmt.Errorf("%w: extension %s", ErrNotFound, n)
	}
	return s.join(ctx, rules, phone, n, queue, false)
}

// join adds a dynamic member.
func (s *Switch) join(ctx context.Context, rules *Rules, phone string, n Exten, queue QueueName, paused bool) error {
	device := rules.withTechnology(phone)
	a := ami.NewAction("QueueAdd", "Queue", string(queue), "Interface", rules.memberInterface(device, n),
		"MemberName", string(n), "StateInterface", device, "Penalty", "0")
	if paused {
		a = a.With("Paused", "true")
	}
	if _, err := s.client.Do(ctx, a); err != nil && !refusedWith(err, "Already there") {
		return translate(err)
	}
	s.await(ctx, func(st *state) bool { return len(st.places(n, queue)) > 0 })
	return nil
}

// memberInterface fills the template of a queue member: {tech} and {exten}.
func (r *Rules) memberInterface(device string, n Exten) string {
	tech, _, _ := strings.Cut(device, "/")
	if r.QueueMember == "" {
		return device
	}
	return strings.NewReplacer("{tech}", tech, "{exten}", string(n)).Replace(r.QueueMember)
}

func refusedWith(err error, text string) bool {
	var refused *ami.ResponseError
	return errors.As(err, &refused) && strings.Contains(refused.Message, text)
}

// Leave takes an extension out of a queue, out of all its queues when queue is "". A static member cannot be taken out: it
// is paused instead, and static tells so. Errors are those of Pause.
func (s *Switch) Leave(ctx context.Context, n Exten, queue QueueName) (static bool, err error) {
	s.mu.RLock()
	_, err = s.agent("extension", n, queue)
	places := s.state.places(n, queue)
	s.mu.RUnlock()
	if err != nil {
		return false, err
	}
	if len(places) == 0 {
		return false, fmt.Errorf("%w: %s is no member", ErrNotFound, n)
	}
	for _, p := range places {
		if p.member.Static {
			static = true
			err = s.Pause(ctx, n, p.queue, true, leaveReason)
		} else {
			_, err = s.client.Do(ctx, ami.NewAction("QueueRemove", "Queue", string(p.queue), "Interface", p.member.Interface))
			err = translate(err)
		}
		if err != nil {
			return static, err
		}
	}
	s.await(ctx, func(st *state) bool {
		for _, p := range st.places(n, queue) {
			if !p.member.Static {
				return false
			}
		}
		return true
	})
	return static, nil
}
