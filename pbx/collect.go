package pbx

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// Collect leaves the conversation in its bridge, as a hold does: a helper whispers the prompt to the other party, and the keys that he
// presses are read from Asterisk's events. So a prompt that ends badly, or a daemon that does, leaves both talking.

// How long Collect waits for the first key after the prompt, and for one more; and how many it takes. # ends it too.
const (
	firstKeyPatience = 10 * time.Second
	nextKeyPatience  = 5 * time.Second
	promptLimit      = 3 * time.Minute
	maxCollected     = 32
	maxCollections   = 64 // that are remembered of a call
)

// promptExten is where the helper's other half plays, in holdContext; promptDialplan is what it does there. What Playback has come to
// is told by the step after it.
const promptExten = "prompt"

var promptDialplan = [][4]string{
	{promptExten, "1", "Set", "CDR_PROP(disable)=1"},
	{promptExten, "2", "Answer", ""},
	{promptExten, "3", "Wait", "0.2"}, // the whisper begins
	{promptExten, "4", "Playback", "${DIALBRIDGE_PROMPT}"},
	{promptExten, "5", "NoOp", "${PLAYBACKSTATUS}"},
	{promptExten, "6", "Wait", "0.5"},
	{promptExten, "7", "Hangup", ""},
}

// soundFile is the name of a sound as Asterisk finds it in its own folders, without a way out of them.
var soundFile = regexp.MustCompile(`^[0-9A-Za-z_][0-9A-Za-z_./-]{0,127}$`)

// soundEndings are cut off: Asterisk chooses the format.
var soundEndings = regexp.MustCompile(`\.(wav|WAV|wav49|gsm|ulaw|alaw|sln|sln16|g722|mp3)$`)

// collection is the keys that are being collected on an agent's channel.
type collection struct {
	from    string // Uniqueid of who presses them
	helper  string // Uniqueid of the helper
	keys    string
	until   time.Time
	started bool // the prompt is heard
	failed  bool // it could not be played
}

// Collect plays a prompt to whom an extension talks to, who alone hears it, and collects the keys that he presses, up to # or until he
// stops. It returns when the prompt plays; the keys come with the AgentChanged after the last one. Errors: InvalidError (also for a
// sound that Asterisk cannot play), ErrNoCall, ErrState (nobody is talked to, or keys are being collected already), ErrOffline,
// ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) Collect(ctx context.Context, n Exten, prompt string) error {
	prompt = soundEndings.ReplaceAllString(prompt, "")
	if !soundFile.MatchString(prompt) || strings.Contains(prompt, "..") {
		return &InvalidError{Field: "soundfile", Reason: "not the name of a sound below Asterisk's own folders"}
	}
	_, g, err := s.grip(n)
	if err != nil {
		return err
	}
	if err := s.addDialplan(ctx, promptDialplan); err != nil {
		return err
	}
	c := &collection{helper: string(newCallID(time.Now())), until: time.Now().Add(promptLimit)}
	peer, err := s.beginCollection(g.own.ID, c)
	if err != nil {
		return fmt.Errorf("%w: %s", err, n)
	}
	if _, err := s.client.Do(ctx, ami.NewAction("Originate",
		"Channel", "Local/"+promptExten+"@"+holdContext+"/n", "Application", "ChanSpy", "Data", peer+",qEw",
		"Async", "true", "ChannelId", c.helper, "Variable", "CDR_PROP(disable)=1", "Variable", "__DIALBRIDGE_PROMPT="+prompt)); err != nil {
		s.dropCollection(g.own.ID, c)
		return translate(err)
	}
	if err := s.confirm(ctx, n, func(*state) bool { return c.started || c.failed }); err != nil {
		return err
	}
	if s.awaitFor(ctx, playPatience, func(*state) bool { return c.failed }) {
		s.dropCollection(g.own.ID, c)
		return &InvalidError{Field: "soundfile", Reason: "Asterisk cannot play " + prompt}
	}
	return nil
}

// playPatience is how long Playback may take to find that there is no such sound, after the whisper has begun.
const playPatience = 500 * time.Millisecond

// beginCollection notes a collection and returns the channel of whom the extension talks to.
func (s *Switch) beginCollection(own string, c *collection) (peer string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.state.channels[own]
	switch {
	case ch == nil:
		return "", ErrNoCall
	case !s.state.pair(ch):
		return "", fmt.Errorf("%w: not a talk of two", ErrState)
	case ch.collecting != nil:
		return "", fmt.Errorf("%w: keys are being collected already", ErrState)
	}
	other := s.state.heard(ch) // who is there, for it is a talk of two
	c.from, peer = other.ID, other.Name
	ch.collecting = c
	return peer, nil
}

func (s *Switch) dropCollection(own string, c *collection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch := s.state.channels[own]; ch != nil && ch.collecting == c {
		ch.collecting = nil
	}
}

// collections calls do for all channels on which keys are collected.
func (s *state) collections(do func(ch *channel, c *collection)) {
	for _, ch := range s.channels {
		if ch.collecting != nil {
			do(ch, ch.collecting)
		}
	}
}

// prompted follows the helper that plays a prompt: id is its Uniqueid.
func (s *state) prompted(id string) {
	s.collections(func(_ *channel, c *collection) {
		if c.helper == id {
			c.started = true
		}
	})
}

// promptEnded notes what Playback has come to. Both halves of a helper have the same call.
func (s *state) promptEnded(m ami.Message) {
	if m.Get("Exten") != promptExten && m.Get("Extension") != promptExten || m.Get("Application") != "NoOp" {
		return
	}
	s.collections(func(_ *channel, c *collection) {
		if c.helper != m.Get("Linkedid") {
			return
		}
		c.failed = m.Get("AppData") == "FAILED"
		if c.keys == "" {
			c.until = s.at.Add(firstKeyPatience)
		}
	})
}

// collectKey takes a key that somebody has pressed; it reports whether it was one that is collected.
func (s *state) collectKey(id, key string) (taken bool) {
	s.collections(func(ch *channel, c *collection) {
		if c.from != id {
			return
		}
		taken = true
		if key != "#" {
			c.keys += key
			c.until = s.at.Add(nextKeyPatience)
		}
		if key == "#" || len(c.keys) >= maxCollected {
			s.collected(ch)
		}
	})
	return taken
}

// tickCollections ends those whose time is over.
func (s *state) tickCollections(now time.Time) {
	s.collections(func(ch *channel, c *collection) {
		if now.After(c.until) {
			s.at, s.stamp = now, ""
			s.collected(ch)
		}
	})
	s.judgeAgents()
}

// collected ends a collection and tells what came of it.
func (s *state) collected(ch *channel) {
	ch.keys = append(ch.keys[max(0, len(ch.keys)+1-maxCollections):len(ch.keys):len(ch.keys)], ch.collecting.keys)
	ch.collecting = nil
	s.unrest(ch.line)
}
