package pbx

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// ErrRingsOn says that a phone rings on, though it was asked to pick up: many do not let that be done from afar, or only when they are set so.
var ErrRingsOn = errors.New("the phone does not pick up when it is asked to")

// ErrCannotAsk says that Asterisk has no means to ask a phone to pick up.
var ErrCannotAsk = errors.New("asterisk cannot ask phones to pick up: its module res_pjsip_notify.so is not loaded")

// talkPatience is how long a phone may take to pick up.
const talkPatience = 3 * time.Second

// Answer asks the phone of an extension to pick up the call that rings there, by "Event: talk" within that call, and returns when it has.
// Errors: InvalidError, ErrNoCall (nothing rings), ErrRingsOn (the phone does not do it), ErrCannotAsk, ErrOffline,
// ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) Answer(ctx context.Context, n Exten) error {
	id, name, err := s.rung(n)
	if err != nil {
		return err
	}
	notify := ami.NewAction("PJSIPNotify", "Channel", name, "Variable", "Event=talk")
	if device, sip := strings.CutPrefix(name, "SIP/"); sip {
		m, err := s.client.Do(ctx, ami.NewAction("Getvar", "Channel", name, "Variable", "SIPCALLID"))
		if err != nil {
			return translate(err)
		}
		peer := device[:strings.LastIndexByte(device, '-')]
		notify = ami.NewAction("SIPnotify", "Channel", peer, "Call-ID", m.Get("Value"), "Variable", "Event=talk")
	}
	_, err = s.client.Do(ctx, notify)
	var refused *ami.ResponseError
	if errors.As(err, &refused) && strings.HasPrefix(refused.Message, "Invalid/unknown command") {
		return ErrCannotAsk
	}
	if err != nil {
		return translate(err)
	}
	up := s.awaitFor(ctx, talkPatience, func(st *state) bool { ch := st.channels[id]; return ch == nil || ch.State != ringing })
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch ch := s.state.channels[id]; {
	case ch == nil:
		return fmt.Errorf("%w: %s", ErrNoCall, n) // the caller was quicker
	case !up:
		return fmt.Errorf("%w: %s", ErrRingsOn, n)
	}
	return nil
}

// rung finds the channel by which an extension's phone rings.
func (s *Switch) rung(n Exten) (id, name string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case !s.state.rules.isExten(string(n)):
		return "", "", &InvalidError{Field: "extension", Reason: "not an extension number"}
	case !s.synced:
		return "", "", ErrOffline
	}
	for _, ch := range s.state.lines[n] {
		if ch.State == ringing && !ch.Local() && strings.Contains(ch.Name, "-") {
			return ch.ID, ch.Name, nil
		}
	}
	return "", "", fmt.Errorf("%w: nothing rings at %s", ErrNoCall, n)
}
