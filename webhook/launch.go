package webhook

import (
	"container/heap"
	"context"
	"time"
)

// launch sends what may be sent and returns how long there is nothing more to do.
func (l *loop) launch(now time.Time) time.Duration {
	e, changes := l.s.current(now)
	if changes != l.changes {
		l.changes = changes
		l.reconfigured(now)
	}
	for len(l.waiting) > 0 && !l.waiting[0].due.After(now) {
		l.wakeUp(l.waiting[0])
	}
	if e == nil {
		return pollEvery
	}
	if l.breaker.open {
		return l.probe(e, now)
	}
	for range maxLaunches {
		if !l.mayLaunch(e.target.Concurrency) {
			return l.untilDue(now)
		}
		ln := l.pick()
		if ln == nil {
			return l.untilDue(now)
		}
		l.start(e, ln, now, false)
	}
	return 0
}

// mayLaunch also bounds what has ended and is not marked in the file yet: after a crash that is sent twice. A disk that is slower than
// the receiver slows the sender down instead.
func (l *loop) mayLaunch(concurrency int) bool {
	return l.inFlight < l.breaker.allowed(concurrency) && l.inFlight+len(l.settling) < concurrency
}

// untilDue returns when the next line is due, at most pollEvery.
func (l *loop) untilDue(now time.Time) time.Duration {
	if len(l.waiting) == 0 {
		return pollEvery
	}
	return min(max(l.waiting[0].due.Sub(now), 0), pollEvery)
}

// reconfigured gives a new target its chance at once.
func (l *loop) reconfigured(now time.Time) {
	if l.breaker.open {
		l.breaker.probeAt = now
	}
	l.release()
}

// release makes ready what waits only because the endpoint failed.
func (l *loop) release() {
	for _, ln := range append([]*line(nil), l.waiting...) {
		if ln.lenient {
			l.wakeUp(ln)
		}
	}
}

// probe sends one event while the breaker is open, when it is time.
func (l *loop) probe(e *endpoint, now time.Time) time.Duration {
	if l.breaker.probing {
		return pollEvery
	}
	if wait := l.breaker.probeAt.Sub(now); wait > 0 {
		return min(wait, pollEvery)
	}
	ln := l.candidate()
	if ln == nil {
		return pollEvery
	}
	if ln.state == lineWaiting {
		l.wakeUp(ln)
		if ln.state != lineReady || len(ln.items) == 0 {
			return pollEvery
		}
	}
	heap.Remove(l.readyOf(ln), ln.index)
	l.start(e, ln, now, true)
	return pollEvery
}

// candidate picks the line to probe with: the oldest event. From the fifth probe on every other one goes to the line that was
// probed least recently, because it may be the oldest event alone that the receiver chokes on; when the receiver refused everything, all
// probes go round.
func (l *loop) candidate() *line {
	round := l.breaker.byRefusal || (l.breaker.probes >= len(probeWaits) && l.breaker.probes%2 == 1)
	var best *line
	for _, lines := range [][]*line{l.ready, l.readyEarly, l.waiting} {
		for _, ln := range lines {
			if best == nil || better(ln, best, round) {
				best = ln
			}
		}
	}
	return best
}

func better(a, b *line, round bool) bool {
	if a.probed < 0 || b.probed < 0 {
		return a.probed < b.probed
	}
	if round && a.probed != b.probed {
		return a.probed < b.probed
	}
	return a.order() < b.order()
}

// start makes an attempt with the head of a line that is in no heap. What is too old to be sent ends here instead.
func (l *loop) start(e *endpoint, ln *line, now time.Time, probe bool) {
	if len(ln.items) == 0 {
		l.next(ln)
		return
	}
	if ln.items[0].expired(now, e.target.TTL) {
		l.end(ln, mark{state: stateExpired, at: now})
		return
	}
	if ln.items[0].body == nil && !l.reload(ln) {
		return
	}
	ln.state = lineBusy
	if probe {
		l.breaker.probing = true
		ln.probed = l.breaker.probes + 1
	}
	l.inFlight++
	it := ln.items[0]
	go func() {
		out := e.attempt(l.ctx, it)
		out.probe = probe
		l.results <- out // has room for all that can be in flight
	}()
}

// reload reads the body of a head that has waited.
func (l *loop) reload(ln *line) bool {
	it, pending, err := l.store.one(context.WithoutCancel(l.ctx), ln.items[0].id)
	if err != nil {
		l.readFailed(err)
		l.wait(ln, time.Now().Add(readRetry))
		return false
	}
	l.count(&ln.items[0], -1)
	if !pending {
		l.early.drop(ln.items[0].id)
		ln.items = ln.items[1:]
		l.next(ln)
		return false
	}
	ln.items[0].body = it.body
	l.count(&ln.items[0], 1)
	return true
}

// end records the end of a head and goes on with its line, which is in no heap.
func (l *loop) end(ln *line, k mark) {
	k.item = ln.items[0]
	l.settling[k.item.id] = struct{}{}
	l.early.drop(k.item.id)
	l.s.marks.add(k)
	l.count(&ln.items[0], -1)
	ln.items[0] = item{}
	ln.items = ln.items[1:]
	l.next(ln)
}
