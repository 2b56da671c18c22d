package pbx

import (
	"context"
	"fmt"
	"time"
)

// effectPatience is how long a verb waits for the picture to show what Asterisk has said it did.
const effectPatience = time.Second

// await waits until the picture satisfies ok, for effectPatience at most. Asterisk's answer to an action and the event
// of its effect come on one socket in either order, some milliseconds apart: with this, who is told "done" and asks at
// once is told the new state. It reports whether the effect was seen.
func (s *Switch) await(ctx context.Context, ok func(*state) bool) bool {
	return s.awaitFor(ctx, effectPatience, ok)
}

// awaitFor is await with a patience of its own.
func (s *Switch) awaitFor(ctx context.Context, patience time.Duration, ok func(*state) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		s.mu.Lock()
		if ok(s.state) {
			s.mu.Unlock()
			return true
		}
		changed := make(chan struct{})
		s.watchers = append(s.watchers, changed)
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// stir wakes who waits for a change. The caller holds mu.
func (s *Switch) stir() {
	for _, w := range s.watchers {
		close(w)
	}
	s.watchers = s.watchers[:0]
}

// confirmPatience is how long Asterisk may take to end or to move a channel after it has said that it will.
const confirmPatience = 3 * time.Second

// confirm waits for the effect of an action that Asterisk has accepted and that may come to nothing: a channel which is told to
// end may stay. ErrUnknown when it was not seen.
func (s *Switch) confirm(ctx context.Context, n Exten, ok func(*state) bool) error {
	if s.awaitFor(ctx, confirmPatience, ok) {
		return nil
	}
	return fmt.Errorf("%w: asterisk said that it was done for %s, and it was not seen", ErrUnknown, n)
}

// over reports whether a channel has ended, but for what the dialplan does after it.
func (s *state) over(id string) bool {
	ch := s.channels[id]
	return ch == nil || ch.Exten == "h"
}
