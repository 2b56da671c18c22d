package pbx

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// SpyMode is how a listener takes part in a call.
type SpyMode string

// The modes of a listener, and the key of app_chanspy's option d that switches to each.
const (
	Listen  SpyMode = "listen"  // hears both
	Whisper SpyMode = "whisper" // and is heard by the one listened to
	Barge   SpyMode = "barge"   // and by both
)

var spyKeys = map[SpyMode]string{Listen: "4", Whisper: "5", Barge: "6"}

// spyOptions are app_chanspy's: q no beep, E end with the channel listened to, d keys switch the mode.
var spyOptions = map[SpyMode]string{Listen: "qEd", Whisper: "qEdw", Barge: "qEdB"}

// spy is a running or ordered listener. It is stored with the call that its channel is, because Asterisk does not tell what it was meant for.
type spy struct {
	By      Exten     `json:"by"`
	On      Exten     `json:"on"`
	Mode    SpyMode   `json:"mode"`
	Third   bool      `json:"third,omitempty"`   // it was brought in by ThreeWay, and all know of it
	Started bool      `json:"started,omitempty"` // it hears
	Ordered time.Time `json:"ordered"`
}

// SpyRequest asks to let By listen to On.
type SpyRequest struct {
	By, On Exten
	Mode   SpyMode

	third bool // as in spy
}

// Spy rings By and lets it listen to the call of On; when By listens already, its mode is changed. Errors: InvalidError,
// ErrNotFound (no such extension By), ErrNotRegistered (By), ErrNoCall (On), ErrState (By was brought into the call by ThreeWay, or has
// not answered yet), ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) Spy(ctx context.Context, r SpyRequest) error {
	if spyKeys[r.Mode] == "" {
		return &InvalidError{Field: "mode", Reason: "not listen, whisper or barge"}
	}
	if r.By == r.On {
		return &InvalidError{Field: "src", Reason: "an extension cannot listen to itself"}
	}
	s.mu.RLock()
	device, phone := s.state.phoneOf(r.By)
	rules := s.state.rules
	s.mu.RUnlock()
	if err := rules.pair(r.By, r.On); err != nil {
		return err
	}
	_, g, err := s.grip(r.On)
	switch {
	case err != nil:
		return err
	case device == "":
		return fmt.Errorf("%w: extension %s", ErrNotFound, r.By)
	case phone == Unavailable:
		return fmt.Errorf("%w: %s", ErrNotRegistered, r.By)
	}
	return s.startSpy(ctx, rules, rules.withTechnology(device), g.own.Name, r)
}

// pair checks the numbers of who listens and of who is listened to.
func (r *Rules) pair(by, on Exten) error {
	switch {
	case !r.isExten(string(by)):
		return &InvalidError{Field: "src", Reason: "not an extension number"}
	case !r.isExten(string(on)):
		return &InvalidError{Field: "dst", Reason: "not an extension number"}
	}
	return nil
}

func (s *Switch) startSpy(ctx context.Context, rules *Rules, device, channel string, r SpyRequest) error {
	id, running, ch := s.orderSpy(r)
	if running != nil && running.Third != r.third {
		return fmt.Errorf("%w: %s takes part in the call of %s in another way", ErrState, r.By, r.On) // no agent makes a secret listener heard
	}
	if running != nil {
		return s.changeSpy(ctx, running, ch, r.Mode)
	}
	_, err := s.client.Do(ctx, ami.NewAction("Originate",
		"Channel", device, "Application", "ChanSpy", "Data", channel+","+spyOptions[r.Mode],
		"CallerID", "\"Spy-"+string(r.On)+"\" <"+string(r.On)+">",
		"Timeout", strconv.FormatInt(rules.Timeout.Milliseconds(), 10), "Async", "true", "ChannelId", string(id)))
	if err != nil {
		s.mu.Lock()
		delete(s.state.spies, string(id))
		s.mu.Unlock()
	}
	return translate(err)
}

// channelBirth is how long after its order a channel may take to exist.
const channelBirth = 2 * time.Second

// orderSpy notes a new listener, unless there is one of the same two already: two requests at once make one.
func (s *Switch) orderSpy(r SpyRequest) (id CallID, running *spy, own *channel) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, p := range s.state.spies {
		if p.By != r.By || p.On != r.On {
			continue
		}
		if ch := s.state.channels[id]; ch != nil {
			return "", p, ch
		}
		if now.Sub(p.Ordered) < channelBirth {
			return "", p, nil
		}
	}
	id = newCallID(now)
	s.state.spies[string(id)] = &spy{By: r.By, On: r.On, Mode: r.Mode, Third: r.third, Ordered: now}
	return id, nil, nil
}

// changeSpy presses the key of a mode on behalf of the listener.
func (s *Switch) changeSpy(ctx context.Context, p *spy, own *channel, mode SpyMode) error {
	s.mu.RLock()
	same, started, channel := p.Mode == mode, p.Started && own != nil, ""
	if own != nil {
		channel = own.Name
	}
	s.mu.RUnlock()
	if same {
		return nil
	}
	if !started {
		return fmt.Errorf("%w: %s has not answered yet", ErrState, p.By)
	}
	_, err := s.client.Do(ctx, ami.NewAction("PlayDTMF", "Channel", channel, "Digit", spyKeys[mode], "Receive", "true"))
	if err != nil {
		return translate(err)
	}
	s.mu.Lock()
	p.Mode, own.call.dirty = mode, true
	s.mu.Unlock()
	return nil
}

// StopSpy ends the listening of one extension to another. Errors: InvalidError, ErrNoCall, ErrOffline, ErrUnknown,
// ErrForbidden, RefusedError.
func (s *Switch) StopSpy(ctx context.Context, by, on Exten) error {
	if err := s.rules().pair(by, on); err != nil {
		return err
	}
	return s.stopSpies(ctx, by, func(p *spy) bool { return p.By == by && p.On == on })
}

func (s *state) spyStart(m ami.Message) {
	if isHolder(m.Get("SpyerChannel")) {
		s.prompted(m.Get("SpyerUniqueid"))
		if ch := s.channels[m.Get("SpyeeUniqueid")]; ch != nil && heldBy(m.Get("SpyerChannel")) != "" {
			s.held(ch, m.Get("SpyerUniqueid"))
		}
		return
	}
	s.hears(m.Get("SpyerUniqueid"))
}

func (s *state) spyStop(m ami.Message) {
	s.holderStops(m.Get("SpyerUniqueid"))
	s.unspy(m.Get("SpyerUniqueid"))
}

// hears notes that a listener hears.
func (s *state) hears(id string) {
	if p, ch := s.spies[id], s.channels[id]; p != nil && ch != nil && !p.Started {
		p.Started, ch.call.dirty = true, true
	}
}

// unspy forgets a listener.
func (s *state) unspy(id string) {
	if p := s.spies[id]; p != nil {
		delete(s.spies, id)
		s.unrest(p.On)
		if c := s.owners[id]; c != nil && c.Spy == p {
			c.Spy, c.dirty = nil, true
		}
	}
}
