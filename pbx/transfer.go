package pbx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

var (
	// ErrNoCall says that the extension has no call that could be acted upon.
	ErrNoCall = errors.New("no call")
	// ErrState says that the call is not in a state in which the verb makes sense.
	ErrState = errors.New("call is not in the right state")
	// ErrUnreached says that the one who was to be asked is busy or could not be rung. The call is as it was.
	ErrUnreached = errors.New("number is busy or could not be rung")
)

// Exists asks Asterisk's dialplan whether a number can be dialled in a context, patterns and includes considered.
// Asterisk accepts a transfer to a number that does not exist, and the call is lost.
func (s *Switch) Exists(ctx context.Context, dialplan, number string) (bool, error) {
	m, err := s.client.Do(ctx, ami.NewAction("Getvar", "Variable", "DIALPLAN_EXISTS("+dialplan+","+number+",1)"))
	if err != nil {
		return false, translate(err)
	}
	switch m.Get("Value") {
	case "1":
		return true, nil
	case "0":
		return false, nil
	}
	_, err = s.client.List(ctx, ami.NewAction("ShowDialPlan", "Context", dialplan, "Extension", number)) // func_dialplan is not loaded
	if refusedWith(err, "Did not find") {
		return false, nil
	}
	return err == nil, translate(err)
}

// leg of an extension that a verb acts upon.
type grip struct {
	own  Channel // the extension's channel
	peer Channel // who is at the other end, zero when nobody is yet
	from string  // channel that is ringing own, "" when it is not ringing
}

// gripOf finds the call of an extension that a person would mean: the one it talks in, else one that rings it.
func (s *state) gripOf(n Exten) (g grip, found bool) {
	best := 0
	for _, ch := range s.channels {
		if s.rules.extenOf(ch.Device()) != n {
			continue
		}
		candidate, rank := grip{own: ch.Channel}, 1
		if peer := s.peerOf(ch); peer != nil {
			candidate.peer, rank = peer.Channel, 3
			if !ch.OnHold() {
				rank = 4
			}
		} else if leg := ch.call.leg(ch.ID); leg != nil && !leg.Ended && leg.FromName != "" {
			candidate.from, rank = leg.FromName, 2
		}
		if rank > best {
			g, best = candidate, rank
		}
	}
	return g, best > 0
}

// peerOf returns who shares the bridge with a channel, through Local channels.
func (s *state) peerOf(ch *channel) *channel {
	if ch.Bridge == "" {
		return nil
	}
	for _, other := range s.channels {
		if other != ch && other.Bridge == ch.Bridge {
			return other
		}
	}
	return nil
}

// target checks the number to which a call is to go.
func (s *Switch) target(ctx context.Context, rules *Rules, to string) error {
	if !rules.dials(to) {
		return &InvalidError{Field: "dst", Reason: "number may not be dialled"}
	}
	if err := s.mayCall(ctx, rules, "dst", to); err != nil {
		return err
	}
	ok, err := s.Exists(ctx, rules.Context, to)
	if err == nil && !ok {
		err = fmt.Errorf("%w: number %s in context %s", ErrNotFound, to, rules.Context)
	}
	return err
}

// grip finds the call of an extension for a verb.
func (s *Switch) grip(n Exten) (*Rules, grip, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rules := s.state.rules
	if !rules.isExten(string(n)) {
		return nil, grip{}, &InvalidError{Field: "src", Reason: "not an extension number"}
	}
	if !s.synced {
		return nil, grip{}, ErrOffline
	}
	g, ok := s.state.gripOf(n)
	if !ok {
		return nil, grip{}, fmt.Errorf("%w: %s", ErrNoCall, n)
	}
	return rules, g, nil
}

// Transfer sends the one whom an extension talks to, or who is ringing it, to a number; the extension is released.
// Errors: InvalidError, BarredError, ErrNoCall, ErrState (it is itself still ringing somebody), ErrNotFound (no such
// number), ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) Transfer(ctx context.Context, n Exten, to string) error {
	rules, g, err := s.grip(n)
	if err != nil {
		return err
	}
	if to == string(n) {
		return &InvalidError{Field: "dst", Reason: "is the extension itself"}
	}
	if err := s.target(ctx, rules, to); err != nil {
		return err
	}
	var a ami.Action
	switch {
	case g.peer.ID != "":
		a = ami.NewAction("BlindTransfer", "Channel", g.own.Name, "Context", rules.Context, "Exten", to)
	case g.from != "":
		a = ami.NewAction("Redirect", "Channel", g.from, "Context", rules.Context, "Exten", to, "Priority", "1")
	default:
		return fmt.Errorf("%w: %s talks to nobody yet", ErrState, n)
	}
	if _, err := s.client.Do(ctx, a); err != nil {
		return translate(err)
	}
	return s.confirm(ctx, n, func(st *state) bool { return st.over(g.own.ID) || st.channels[g.own.ID].Bridge != g.own.Bridge })
}

// consultPatience is how long Asterisk may take to begin an attended transfer: it dials as if somebody pressed the keys,
// 70 ms each, and then waits whether more come where a longer number would fit too (features.conf, transferdigittimeout,
// 3 s). ringPatience is how long a number may then take to ring: some trunks never tell that it does, and a dialplan
// sounds the busy tone for a while before it gives up.
const (
	consultPatience = 5 * time.Second
	digitPatience   = 100 * time.Millisecond
	ringPatience    = 4 * time.Second
)

// Consult puts the one whom an extension talks to on hold and lets the extension call a number, so that it can then
// Complete or Cancel an attended transfer. It returns when that number rings or has answered, because Asterisk's answer tells
// nothing: where the dialplan does not let the phone transfer, nothing happens, and a number that is busy sends the
// extension back to its peer some milliseconds later. Errors are those of Transfer; ErrState also when nothing happened,
// ErrNotRegistered when the number is an extension without a phone, and ErrUnreached when it could not be rung.
func (s *Switch) Consult(ctx context.Context, n Exten, to string) error {
	rules, g, err := s.grip(n)
	if err != nil {
		return err
	}
	if g.peer.ID == "" {
		return fmt.Errorf("%w: %s talks to nobody yet", ErrState, n)
	}
	if s.phoneless(Exten(to)) {
		return fmt.Errorf("%w: %s", ErrNotRegistered, to)
	}
	if err := s.target(ctx, rules, to); err != nil {
		return err
	}
	if !s.putAside(g) {
		return fmt.Errorf("%w: %s consults already, or is on hold", ErrState, n)
	}
	if _, err := s.client.Do(ctx, ami.NewAction("Atxfer", "Channel", g.own.Name, "Context", rules.Context, "Exten", to)); err != nil {
		err = translate(err)
		_ = s.takeBack(g.own.ID, !errors.Is(err, ErrUnknown)) // the error tells more
		return err
	}
	s.awaitFor(ctx, consultPatience+time.Duration(len(to))*digitPatience, func(st *state) bool {
		ch := st.channels[g.own.ID]
		return ch == nil || ch.Consulting || ch.Aside == ""
	})
	s.awaitFor(ctx, ringPatience, func(st *state) bool {
		ch := st.channels[g.own.ID]
		return ch == nil || !ch.Consulting || st.rings(st.peerOf(ch))
	})
	if err := s.takeBack(g.own.ID, ctx.Err() == nil); err != nil {
		return fmt.Errorf("%w: %s to %s", err, n, to)
	}
	return nil
}

// phoneless reports whether a number is an extension for which no phone is registered.
func (s *Switch) phoneless(n Exten) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	device, phone := s.state.phoneOf(n)
	return device != "" && phone == Unavailable
}

// rings reports whether a channel rings or has answered.
func (s *state) rings(ch *channel) bool { return ch != nil && (ch.State == ringing || ch.State == up) }

// putAside notes that a channel is about to leave its peer; false when it has done so already, or has no peer any more.
func (s *Switch) putAside(g grip) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.state.channels[g.own.ID]
	if ch == nil || ch.Aside != "" || ch.moving || ch.Held != "" || ch.Bridge == "" || ch.Bridge != g.own.Bridge {
		return false
	}
	ch.Aside, ch.call.dirty = ch.Bridge, true
	poke(s.acks) // to be stored: what is ordered now may begin when this process is no more
	return true
}

// takeBack forgets what putAside noted, unless the channel has really left: then there is no error. ErrUnreached is one
// that has left and come back, ErrState one that never left or has ended. Where nobody has looked for long enough, or could not,
// it may leave yet: that is ErrUnknown, and tickLeaving forgets it.
func (s *Switch) takeBack(id string, looked bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.state.channels[id]
	switch {
	case ch == nil:
		return ErrState
	case ch.Consulting:
		return nil
	case ch.Aside == "":
		return ErrUnreached
	case !looked || !s.synced:
		s.state.leaving[id] = time.Now().Add(leavePatience)
		return ErrUnknown
	}
	s.state.stays(ch)
	return ErrState
}

// leavePatience is how long a channel is still taken for one that is about to leave its peer when nobody waits for that any more: longer
// than the longest number takes.
const leavePatience = consultPatience + 32*digitPatience

// stays notes that a channel does not leave its peer.
func (s *state) stays(ch *channel) {
	ch.Aside, ch.call.dirty = "", true
	delete(s.leaving, ch.ID)
	s.unrest(ch.line)
}

// tickLeaving forgets those who were about to leave their peers and have not. It is for a picture that is complete: before, one may have left unseen.
func (s *state) tickLeaving(now time.Time) {
	for id, until := range s.leaving {
		ch := s.channels[id]
		switch {
		case ch == nil || ch.Consulting || ch.Aside == "":
			delete(s.leaving, id)
		case now.After(until):
			s.stays(ch)
		}
	}
}

// consult follows a channel that consults: it enters another bridge, and comes back when that fails or is cancelled.
func (s *state) consult(ch *channel) {
	switch {
	case ch.Aside == "" || ch.Bridge == "":
	case ch.Bridge != ch.Aside:
		if !ch.Consulting {
			ch.Question = ch.Bridge
		}
		ch.Consulting, ch.call.dirty = true, true
	case ch.Consulting:
		s.consulted(ch)
	}
}

// consulted ends a consultation, and the hold that Asterisk has begun for it.
func (s *state) consulted(ch *channel) {
	ch.Aside, ch.Question, ch.Consulting, ch.call.dirty = "", "", false, true
	if ch.Parted {
		ch.Parted = false
		s.setHold(ch, false, ch.Held)
	}
	s.unrest(ch.line)
}

// deserted ends the consultations of those who have left a bridge in which nobody is any more: the one who asks, and whom he asks, go on
// alone, and there is nobody to be connected.
func (s *state) deserted(bridge string) {
	for _, ch := range s.channels {
		if ch.Consulting && ch.Aside == bridge {
			s.consulted(ch)
		}
	}
}

// consultation finds the channel of an extension that consults, in the consultation that is meant; "" for any.
func (s *Switch) consultation(n Exten, question string) (name, id string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.state.rules.isExten(string(n)) {
		return "", "", &InvalidError{Field: "src", Reason: "not an extension number"}
	}
	if !s.synced {
		return "", "", ErrOffline
	}
	busy := false
	for _, ch := range s.state.channels {
		if s.state.rules.extenOf(ch.Device()) != n {
			continue
		}
		busy = true
		if ch.Consulting && (question == "" || question == ch.Question) {
			return ch.Name, ch.ID, nil
		}
	}
	if busy {
		return "", "", fmt.Errorf("%w: %s has no attended transfer under way", ErrState, n)
	}
	return "", "", fmt.Errorf("%w: %s", ErrNoCall, n)
}

// Complete ends an attended transfer well: the extension is released and the two others talk. question names the consultation that is
// meant, as Situation tells it; with "" it is the one that there is. Errors: InvalidError,
// ErrNoCall, ErrState (nothing to complete, or another consultation), ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) Complete(ctx context.Context, n Exten, question string) error {
	name, id, err := s.consultation(n, question)
	if err != nil {
		return err
	}
	if _, err := s.client.Do(ctx, ami.NewAction("Hangup", "Channel", name)); err != nil {
		return translate(err)
	}
	return s.confirm(ctx, n, func(st *state) bool { return st.over(id) })
}

// Cancel ends an attended transfer by going back: the one consulted is released and the extension talks to the first one
// again. Errors are those of Complete.
func (s *Switch) Cancel(ctx context.Context, n Exten) error {
	name, id, err := s.consultation(n, "")
	if err != nil {
		return err
	}
	if _, err := s.client.Do(ctx, ami.NewAction("CancelAtxfer", "Channel", name)); err != nil {
		return translate(err)
	}
	if !s.await(ctx, func(st *state) bool { ch := st.channels[id]; return ch == nil || !ch.Consulting }) {
		return fmt.Errorf("%w: %s has not come back from its consultation", ErrUnknown, n)
	}
	return nil
}

// attendedTransfer forgets a consultation that has ended on the phone.
func (s *state) attendedTransfer(m ami.Message) {
	for name, value := range m.All() {
		if strings.HasSuffix(name, "TransfererUniqueid") {
			if ch := s.channels[value]; ch != nil {
				ch.Aside, ch.Question, ch.Consulting, ch.call.dirty = "", "", false, true
			}
		}
	}
	if m.Get("Result") == "Success" {
		to := cmp.Or(m.Get("TransferTargetCallerIDNum"), m.Get("SecondTransfererConnectedLineNum"))
		s.transferred(m.Get("OrigTransfererUniqueid"), known(to), "attended")
		s.succeed(s.succession(m))
	}
}
