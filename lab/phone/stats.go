package phone

import (
	"context"
	"fmt"
	"time"
)

// Stats counts what a call has sent and received; it stays readable after the call.
type Stats struct {
	PacketsOut uint64    // RTP packets sent, digits included
	PacketsIn  uint64    // RTP packets received, digits included
	SoundIn    uint64    // of them those with more than silence in them
	LastIn     time.Time // when the newest one came; zero when none has
	DigitsRTP  string    // received as telephone-event
	DigitsINFO string    // received in SIP INFO
	ReInvites  int       // re-INVITEs received, refused ones not counted
	Updates    int       // UPDATEs received
}

// Stats returns the call's counters.
func (c *Call) Stats() Stats {
	c.p.mu.Lock()
	s := Stats{ReInvites: c.stats.reinvites, Updates: c.stats.updates, DigitsINFO: c.stats.digits}
	m := c.media
	c.p.mu.Unlock()
	if m == nil {
		return s
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.PacketsOut, s.PacketsIn, s.SoundIn = m.counted, m.in.packets, m.in.sound
	s.LastIn, s.DigitsRTP = m.in.last, m.in.digits
	return s
}

// Received waits until the call has received n more RTP packets; 50 are one second.
func (c *Call) Received(ctx context.Context, n int) error {
	goal := c.Stats().PacketsIn + uint64(n)
	return c.Until(ctx, fmt.Sprintf("%d RTP packets", n), func(s Stats) bool { return s.PacketsIn >= goal })
}

// Heard waits until the call has received n more RTP packets that are not silent.
func (c *Call) Heard(ctx context.Context, n int) error {
	goal := c.Stats().SoundIn + uint64(n)
	return c.Until(ctx, fmt.Sprintf("%d RTP packets with sound", n), func(s Stats) bool { return s.SoundIn >= goal })
}

// Digits waits until the digits received one way are exactly these.
func (c *Call) Digits(ctx context.Context, digits string, way Way) error {
	return c.Until(ctx, fmt.Sprintf("digits %q by %s", digits, way), func(s Stats) bool {
		if way == INFO {
			return s.DigitsINFO == digits
		}
		return s.DigitsRTP == digits
	})
}

// Held waits until the other side has put this phone on hold, or taken it back.
func (c *Call) Held(ctx context.Context, held bool) error {
	what := "the other side's hold"
	if !held {
		what = "the end of the other side's hold"
	}
	return c.wait(ctx, what, func() (bool, error) {
		if c.info.State == Ended {
			return false, &EndedError{For: what, End: c.info.End}
		}
		return c.info.RemoteHold == held, nil
	})
}

// Until waits until the call's counters are as done says, which is asked after every packet and every change of the call. When
// the call ends before that the error is an *EndedError.
func (c *Call) Until(ctx context.Context, what string, done func(Stats) bool) error {
	for {
		c.p.mu.Lock()
		state, end, m, call := c.info.State, c.info.End, c.media, c.p.changed
		c.p.mu.Unlock()
		packet := m.watch()
		s := c.Stats()
		err := error(nil)
		switch {
		case done(s):
		case state == Ended:
			err = &EndedError{For: what, End: end}
		default:
			select {
			case <-call:
			case <-packet:
			case <-ctx.Done():
				err = &WaitError{For: what, Last: fmt.Sprintf("%s, %+v", state, s), Err: ctx.Err()}
			}
			m.unwatch()
			if err == nil {
				continue
			}
			return err
		}
		m.unwatch()
		return err
	}
}

// watch returns a channel that is closed at the next packet; a nil stream has none.
func (m *media) watch() <-chan struct{} {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting++
	return m.changed
}

func (m *media) unwatch() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting--
}
