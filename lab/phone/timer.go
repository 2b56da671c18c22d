package phone

import "time"

// timer runs a function once with the phone's lock held, unless it is stopped before.
type timer struct {
	p       *Phone
	t       *time.Timer
	stopped bool
}

// after starts a timer; the lock must be held.
func (p *Phone) after(d time.Duration, run func()) *timer {
	t := &timer{p: p}
	if p.closed {
		t.stopped = true
		return t
	}
	p.timers[t] = struct{}{}
	p.running.Add(1)
	t.t = time.AfterFunc(d, func() {
		defer p.running.Done()
		p.mu.Lock()
		defer p.mu.Unlock()
		if t.stopped {
			return
		}
		t.stopped = true
		delete(p.timers, t)
		run()
	})
	return t
}

// stop ends the timer; the lock must be held. A nil or spent timer may be stopped.
func (t *timer) stop() {
	if t == nil || t.stopped {
		return
	}
	t.stopped = true
	delete(t.p.timers, t)
	if t.t.Stop() {
		t.p.running.Done()
	}
}
