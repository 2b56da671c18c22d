package pbx

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// ThreeWay brings a third party, an extension or a number outside, into the call of an extension: he is rung, and when he answers both
// hear him and he hears both. Errors: those of Spy, BarredError; ErrState also where the third party talks or listens to
// the extension already, and where the call is on hold.
func (s *Switch) ThreeWay(ctx context.Context, third string, on Exten) error {
	rules, g, err := s.grip(on)
	switch {
	case err != nil:
		return err
	case third == string(on):
		return &InvalidError{Field: "dst", Reason: "is the extension itself"}
	case g.has(rules, third):
		return fmt.Errorf("%w: %s talks to %s already", ErrState, on, third)
	case g.own.OnHold():
		return fmt.Errorf("%w: the call of %s is on hold", ErrState, on)
	}
	r := SpyRequest{By: Exten(third), On: on, Mode: Barge, third: true}
	if rules.isExten(third) {
		return s.Spy(ctx, r)
	}
	if err := s.target(ctx, rules, third); err != nil {
		return err
	}
	return s.startSpy(ctx, rules, "Local/"+third+"@"+rules.Context+"/n", g.own.Name, r)
}

// has reports whether a number is that of whom the extension talks to.
func (g grip) has(rules *Rules, number string) bool {
	return number == g.own.Connected.Number || number == g.peer.Caller.Number || number == string(rules.extenOf(g.peer.Device()))
}

// StopSpying ends all that one party listens to. A party that was brought into a call leaves it. Errors: InvalidError, ErrNoCall,
// ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) StopSpying(ctx context.Context, by Exten) error {
	return s.stopSpies(ctx, by, func(p *spy) bool { return p.By == by })
}

// EndThreeWay takes a third party out of the call of an extension into which ThreeWay has brought it. Who listens to the extension is
// let be, and is not told of: ErrNoCall. Errors are those of StopSpying.
func (s *Switch) EndThreeWay(ctx context.Context, third, on Exten) error {
	return s.stopSpies(ctx, third, func(p *spy) bool { return p.Third && p.By == third && p.On == on })
}

// stopSpies ends some of what a party listens to.
func (s *Switch) stopSpies(ctx context.Context, by Exten, which func(*spy) bool) error {
	if !isDialable(string(by)) {
		return &InvalidError{Field: "extension", Reason: "not a number"}
	}
	if !s.isSynced() {
		return ErrOffline
	}
	s.await(ctx, func(st *state) bool { return len(st.listening(which)) > 0 || !st.spyIsDue(which, time.Now()) })
	s.mu.RLock()
	ids := s.state.listening(which)
	s.mu.RUnlock()
	if len(ids) == 0 {
		return fmt.Errorf("%w: %s does not listen there", ErrNoCall, by)
	}
	for _, id := range ids {
		if _, err := s.client.Do(ctx, ami.NewAction("Hangup", "Channel", id)); err != nil {
			return translate(err)
		}
		if err := s.confirm(ctx, by, func(st *state) bool { return st.over(id) }); err != nil {
			return err
		}
	}
	return nil
}

// listening lists the channels of some listeners.
func (s *state) listening(which func(*spy) bool) (ids []string) {
	for id, p := range s.spies {
		if s.channels[id] != nil && which(p) {
			ids = append(ids, id)
		}
	}
	return ids
}

// spyIsDue reports whether one of some listeners has been ordered whose channel does not exist yet.
func (s *state) spyIsDue(which func(*spy) bool, now time.Time) bool {
	for id, p := range s.spies {
		if s.channels[id] == nil && now.Sub(p.Ordered) < channelBirth && which(p) {
			return true
		}
	}
	return false
}

// Intercept rings an extension and, when it answers, gives it the one whom another extension talks to, or who rings there; the other
// extension is released. It returns when Asterisk has taken the order. Errors: InvalidError, ErrNotFound (no such extension By),
// ErrNotRegistered, ErrEngaged (By has a call), ErrNoCall, ErrState (the other one rings somebody itself), ErrOffline, ErrUnknown,
// ErrForbidden, RefusedError.
func (s *Switch) Intercept(ctx context.Context, by, from Exten) error {
	rules, device, err := s.freePhone(by)
	if err != nil {
		return err
	}
	_, g, err := s.grip(from)
	switch {
	case err != nil:
		return err
	case by == from:
		return &InvalidError{Field: "dst", Reason: "an extension cannot take its own call"}
	}
	app, data := "Bridge", g.peer.Name
	switch {
	case g.peer.ID != "":
	case g.from != "":
		app, data = "PickupChan", g.own.Name
	default:
		return fmt.Errorf("%w: %s talks to nobody yet", ErrState, from)
	}
	_, err = s.client.Do(ctx, ami.NewAction("Originate",
		"Channel", device, "Application", app, "Data", data, "CallerID", "<"+shownNumber(g.own.Connected.Number, from)+">",
		"Timeout", strconv.FormatInt(rules.Timeout.Milliseconds(), 10), "Async", "true", "ChannelId", string(newCallID(time.Now()))))
	return translate(err)
}

// shownNumber is what the ringing phone shows: the party's number, where it is one.
func shownNumber(number string, instead Exten) string {
	if isDialable(number) {
		return number
	}
	return string(instead)
}

// freePhone finds what to ring for an extension that has no call.
func (s *Switch) freePhone(n Exten) (*Rules, string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rules := s.state.rules
	if !rules.isExten(string(n)) {
		return nil, "", &InvalidError{Field: "extension", Reason: "not an extension number"}
	}
	if !s.synced {
		return nil, "", ErrOffline
	}
	device, now := s.state.phoneOf(n)
	switch {
	case device == "":
		return nil, "", fmt.Errorf("%w: extension %s", ErrNotFound, n)
	case now == Unavailable:
		return nil, "", fmt.Errorf("%w: %s", ErrNotRegistered, n)
	case len(s.state.lines[n]) > 0:
		return nil, "", fmt.Errorf("%w: %s", ErrEngaged, n)
	}
	return rules, rules.withTechnology(device), nil
}

// TakeCall sends a caller who waits in a queue to an extension; he does not wait any more. id is the Uniqueid of his channel. Errors:
// InvalidError, ErrNotFound (nobody waits under that id, or another takes him; no such extension), ErrNotRegistered, ErrEngaged (the
// extension has a call), ErrNoCall (he hangs up), ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) TakeCall(ctx context.Context, n Exten, id string) error {
	if !uniqueID(id) {
		return &InvalidError{Field: "channel_uuid", Reason: "not a channel's id"}
	}
	rules, _, err := s.freePhone(n)
	if err != nil {
		return err
	}
	name := s.claimCaller(id)
	if name == "" {
		return fmt.Errorf("%w: nobody waits as %s", ErrNotFound, id)
	}
	defer s.releaseCaller(id)
	if err := s.target(ctx, rules, string(n)); err != nil {
		return err
	}
	if _, err := s.client.Do(ctx, ami.NewAction("Redirect", "Channel", name, "Context", rules.Context, "Exten", string(n), "Priority", "1")); err != nil {
		return translate(err)
	}
	return s.confirm(ctx, n, func(st *state) bool { return st.queueOf(id) == nil })
}

// claimCaller keeps one who waits for him who asks first, and returns the name of his channel; "" when nobody waits, or another takes him.
func (s *Switch) claimCaller(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.state.channels[id]
	if ch == nil || s.state.queueOf(id) == nil || s.state.claimed[id] {
		return ""
	}
	s.state.claimed[id] = true
	return ch.Name
}

func (s *Switch) releaseCaller(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.state.claimed, id)
}

// queueOf finds the queue in which a caller waits.
func (s *state) queueOf(id string) *queue {
	for _, q := range s.queues {
		for _, w := range q.callers {
			if w.ID == id {
				return q
			}
		}
	}
	return nil
}
