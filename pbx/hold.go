package pbx

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// A hold from outside leaves the conversation in its bridge: the volume of the extension's channel is nothing both ways, and a
// helper, a ChanSpy that barges in, plays music to the other party. Both hang on the extension's channel and end with it. The
// helper is known by its name, so that the picture follows a hold whoever began it.

// holdContext is a dialplan context of our own, made at run time. Nothing of the customer's leads there.
const holdContext = "dialbridge-hold"

// holdLimit is how long music is played. Then whoever listens ends the hold; when nobody does for holdGrace, Asterisk itself
// hangs the extension's channel up, and the call is over.
const (
	holdLimit = 30 * time.Minute
	holdGrace = 10 * time.Second
)

// Volumes, as func_volume takes them: divided by so much nothing is left, yet packets flow, which carry the music.
const (
	noVolume    = "-32767"
	plainVolume = "0"
)

// holdDialplan is all of holdContext. The music comes through a second Local channel, because Asterisk drops the sound of one
// with a generator at both halves, as ChanSpy and music on hold are.
var holdDialplan = [][4]string{
	{"_held!", "1", "Set", "CDR_PROP(disable)=1"},
	{"_held!", "2", "Dial", "Local/music@" + holdContext + "/n,,g"},
	{"_held!", "3", "Wait", strconv.Itoa(int(holdGrace / time.Second))},
	{"_held!", "4", "SoftHangup", "${DIALBRIDGE_HELD}"},
	{"music", "1", "Set", "CDR_PROP(disable)=1"},
	{"music", "2", "Answer", ""},
	{"music", "3", "MusicOnHold", ",${DIALBRIDGE_LIMIT}"},
}

// isHolder reports whether a channel or a device is part of a helper.
func isHolder(name string) bool {
	return strings.HasPrefix(name, "Local/") && strings.Contains(name, "@"+holdContext)
}

// heldBy reads the Uniqueid of the held channel out of the name of a helper; "" when it is none.
func heldBy(name string) string {
	id, ok := strings.CutPrefix(name, "Local/held")
	if !ok || !isHolder(name) {
		return ""
	}
	id, _, _ = strings.Cut(id, "@")
	return id
}

// OnHold reports whether the leg is on hold: its phone has pressed hold, or it was put on hold from outside.
func (c *Channel) OnHold() bool { return c.Holding || c.Held != "" }

// loudness is a volume to be given to a channel, and the helper that ends with it. moves is the channel's Uniqueid where requests to hold wait
// until it is done.
type loudness struct{ channel, volume, helper, moves string }

// held notes that a helper has begun to play for a channel, or, when by is "", that it has ended. A hold that nobody asked to end
// leaves the channel without a voice, which it gets back.
func (s *state) held(ch *channel, by string) {
	if by == "" && ch.Held != "" && !ch.releasing {
		s.voices = append(s.voices, loudness{channel: ch.Name, volume: plainVolume})
	}
	s.setHold(ch, ch.Holding, by)
}

func (s *state) holderStops(id string) {
	for _, ch := range s.channels {
		if ch.Held == id && id != "" {
			s.held(ch, "")
		}
	}
}

// overheld ends a hold whose music has ended by its limit: the helper waits a moment before it ends the call.
func (s *state) overheld(m ami.Message) {
	ch := s.channels[heldBy(m.Get("Channel"))]
	if ch != nil && ch.Held != "" && m.Get("Application") == "Wait" {
		s.voices = append(s.voices, loudness{channel: ch.Name, volume: plainVolume, helper: ch.Held})
	}
}

// reconcileHolds takes over from a list of channels which are on hold from outside: one may have been put there, or come back,
// while nobody listened.
func (s *state) reconcileHolds(list []ami.Message) {
	by := map[string]string{}
	for _, m := range list {
		if id := heldBy(m.Get("Channel")); id != "" && m.Get("Application") == "ChanSpy" {
			by[id] = m.Get("Uniqueid")
		}
	}
	for id, ch := range s.channels {
		helper := by[id]
		if helper != "" && !ch.moving { // who began it may not have come so far, and who was to end it may have come half way
			ch.moving = true
			s.voices = append(s.voices, loudness{channel: ch.Name, volume: noVolume, moves: id})
		}
		if helper != ch.Held {
			s.held(ch, helper)
		}
	}
}

// putVoices asks Asterisk for what the last change wants, one after the other. The caller holds mu.
func (r *run) putVoices(list []loudness) {
	if len(list) == 0 {
		return
	}
	r.inTurn("volumes", func() {
		for _, l := range list {
			ctx, cancel := context.WithTimeout(context.Background(), confirmPatience)
			if err := r.voice(ctx, l); err != nil && !errors.Is(err, ErrNoCall) && !errors.Is(err, context.Canceled) {
				r.log.Warn("volume of a held call could not be set", "channel", l.channel, "volume", l.volume, "error", err)
			}
			cancel()
			r.endHold(l.moves)
		}
	})
}

// voice sets the volume of a channel both ways and ends its helper.
func (s *Switch) voice(ctx context.Context, l loudness) error {
	for _, way := range []string{"RX", "TX"} {
		if _, err := s.client.Do(ctx, ami.NewAction("Setvar", "Channel", l.channel, "Variable", "VOLUME("+way+")", "Value", l.volume)); err != nil {
			return translate(err)
		}
	}
	if l.helper == "" {
		return nil
	}
	_, err := s.client.Do(ctx, ami.NewAction("Hangup", "Channel", l.helper))
	if err = translate(err); errors.Is(err, ErrNoCall) {
		return nil // it has ended by itself
	}
	return err
}

// Hold puts the conversation of an extension on hold from outside: the other party hears music, the extension nothing, and both
// stay where they are. It returns when music plays; a call that is on hold from outside already is left so. Of several calls the
// one in which the extension talks is meant. Errors: InvalidError, ErrNoCall, ErrState (nobody is talked to, there are more than
// two parties, the phone itself holds the call), ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) Hold(ctx context.Context, n Exten) error {
	_, g, err := s.grip(n)
	if err != nil {
		return err
	}
	own, err := s.beginHold(ctx, g.own.ID)
	if err != nil {
		return fmt.Errorf("%w: %s", err, n)
	}
	defer s.endHold(own.ID)
	if own.Held != "" {
		return s.voice(ctx, loudness{channel: own.Name, volume: noVolume})
	}
	if err := s.addDialplan(ctx, holdDialplan); err != nil {
		return err
	}
	helper := string(newCallID(time.Now()))
	if _, err := s.client.Do(ctx, ami.NewAction("Originate",
		"Channel", "Local/held"+own.ID+"@"+holdContext+"/n", "Application", "ChanSpy", "Data", own.Name+",qEB",
		"Async", "true", "ChannelId", helper, "Variable", "CDR_PROP(disable)=1", "Variable", "__DIALBRIDGE_HELD="+own.Name,
		"Variable", "__DIALBRIDGE_LIMIT="+strconv.Itoa(int(s.holdLimit()/time.Second)))); err != nil {
		return translate(err)
	}
	if err := s.confirm(ctx, n, func(st *state) bool { ch := st.channels[own.ID]; return ch == nil || ch.Held != "" }); err != nil {
		return err
	}
	err = s.voice(ctx, loudness{channel: own.Name, volume: noVolume})
	if err != nil && !errors.Is(err, ErrUnknown) {
		s.undoHold(ctx, own, helper)
	}
	return err
}

// undoHold takes a hold back that was refused half way: the refusal tells more than what comes of this.
func (s *Switch) undoHold(ctx context.Context, own Channel, helper string) {
	_ = s.voice(ctx, loudness{channel: own.Name, volume: plainVolume})
	_, _ = s.client.Do(ctx, ami.NewAction("Hangup", "Channel", helper))
	s.await(ctx, func(st *state) bool { ch := st.channels[own.ID]; return ch == nil || ch.Held == "" })
}

// holdLimit is how long a hold may last.
func (s *Switch) holdLimit() time.Duration {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if limit := s.state.rules.HoldLimit; limit > 0 {
		return limit
	}
	return holdLimit
}

// errHolding says that another request is putting a channel on hold, errReleasing that one is taking it back.
var (
	errHolding   = fmt.Errorf("%w: a hold is under way", ErrState)
	errReleasing = fmt.Errorf("%w: the end of a hold is under way", ErrState)
)

// beginHold checks that a channel can be put on hold, and notes that it is about to be: of two requests at once the second waits for the
// first, and finds it done.
func (s *Switch) beginHold(ctx context.Context, id string) (own Channel, err error) {
	s.awaitFor(ctx, holdPatience, func(st *state) bool {
		own, err = st.beginHold(id)
		return !errors.Is(err, errHolding)
	})
	return own, err
}

// holdPatience is how long a request to hold waits for another one.
const holdPatience = 2 * confirmPatience

func (s *state) beginHold(id string) (Channel, error) {
	ch := s.channels[id]
	switch {
	case ch == nil:
		return Channel{}, ErrNoCall
	case ch.moving && !ch.releasing:
		return Channel{}, errHolding
	case ch.moving:
		return Channel{}, errReleasing
	case ch.Held == "" && ch.Holding:
		return Channel{}, fmt.Errorf("%w: the phone itself holds the call", ErrState)
	case ch.Aside != "":
		return Channel{}, fmt.Errorf("%w: a consultation is under way", ErrState)
	case !s.pair(ch):
		return Channel{}, fmt.Errorf("%w: not a talk of two", ErrState)
	}
	ch.moving = true
	return ch.Channel, nil
}

func (s *Switch) endHold(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch := s.state.channels[id]; ch != nil {
		ch.moving, ch.releasing = false, false
	}
	s.stir()
}

// pair reports whether a channel is in a conversation of two, and not in a conference that has two members by now.
func (s *state) pair(ch *channel) bool {
	parties := 0
	for _, other := range s.hearing(ch, map[*channel]bool{}) {
		if !other.Local() {
			parties++
		}
		if other.conferring() {
			return false
		}
	}
	return parties == 2
}

// conferring reports whether the channel is a member of a conference.
func (c *Channel) conferring() bool { return c.App == "ConfBridge" || c.App == "MeetMe" }

// addDialplan fills holdContext, which a reload of the dialplan has emptied.
func (s *Switch) addDialplan(ctx context.Context, steps [][4]string) error {
	for _, x := range steps {
		if err := s.addExtension(ctx, holdContext, x[0], x[1], x[2], x[3]); err != nil {
			return err
		}
	}
	return nil
}

// Unhold ends the hold of an extension that Hold began, be it before a restart of the daemon: both hear each other again when it
// returns. A hold by the phone itself is the phone's to end. Errors: InvalidError, ErrNoCall, ErrState (nothing is on hold from
// outside), ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) Unhold(ctx context.Context, n Exten) error {
	if _, _, err := s.grip(n); err != nil {
		return err
	}
	own, err := s.beginUnhold(ctx, n)
	if err != nil {
		return fmt.Errorf("%w: %s", err, n)
	}
	defer s.endHold(own.ID)
	if err := s.voice(ctx, loudness{channel: own.Name, volume: plainVolume, helper: own.Held}); err != nil {
		return err
	}
	return s.confirm(ctx, n, func(st *state) bool { ch := st.channels[own.ID]; return ch == nil || ch.Held == "" })
}

// beginUnhold finds the channel of an extension that is on hold from outside, and waits until its hold has begun.
func (s *Switch) beginUnhold(ctx context.Context, n Exten) (own Channel, err error) {
	s.awaitFor(ctx, holdPatience, func(st *state) bool {
		own, err = st.beginUnhold(n)
		return !errors.Is(err, errHolding)
	})
	return own, err
}

func (s *state) beginUnhold(n Exten) (Channel, error) {
	for _, ch := range s.channels {
		switch {
		case ch.Held == "" || s.rules.extenOf(ch.Device()) != n:
			continue
		case ch.moving && !ch.releasing:
			return Channel{}, errHolding
		case ch.moving:
			return Channel{}, errReleasing
		}
		ch.moving, ch.releasing = true, true
		return ch.Channel, nil
	}
	return Channel{}, fmt.Errorf("%w: not on hold from outside", ErrState)
}
