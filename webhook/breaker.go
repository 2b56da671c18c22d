package webhook

import "time"

const (
	openAfter    = 10 // failed attempts in a row
	openRefusals = 20 // refused events in a row beyond which the endpoint is at fault
	slowStep     = time.Second
)

// probeWaits are the waits before the first probes; then every Target.RetryMax.
var probeWaits = [...]time.Duration{2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second}

// breaker tells a failing endpoint from a failing event. Closed, everything is sent; open, one probe at a time. It holds no
// clock and no lock: the sender's loop owns it.
type breaker struct {
	open      bool
	byRefusal bool // opened because everything was refused, so a refusal does not close it
	since     time.Time
	streak    int    // failed attempts since the last success
	culprit   string // the key of all of them, unless mixed
	mixed     bool
	refusals  int // events refused for the first time since the last success
	probing   bool
	probes    int // since it opened
	probeAt   time.Time
	limit     int // requests in flight during the slow start, 0 = no limit
	level     int // successes at this limit
	raised    time.Time
}

// success returns true when the breaker closes.
func (b *breaker) success(now time.Time) bool {
	b.streak, b.refusals, b.culprit, b.mixed = 0, 0, "", false
	if b.open {
		b.close(now)
		return true
	}
	if b.limit > 0 {
		b.level++
		if b.level >= b.limit && now.Sub(b.raised) >= slowStep {
			b.limit, b.level, b.raised = 2*b.limit, 0, now
		}
	}
	return false
}

func (b *breaker) close(now time.Time) {
	*b = breaker{since: now, limit: 1, raised: now}
}

// failure returns true when the breaker opens. wait overrides the probe's schedule when it is longer (Retry-After).
func (b *breaker) failure(now time.Time, key string, probe bool, wait func(time.Duration) time.Duration) bool {
	switch {
	case b.streak == 0:
		b.culprit = key
	case b.culprit != key:
		b.mixed = true
	}
	b.streak++
	if b.limit > 1 {
		b.limit, b.level, b.raised = b.limit/2, 0, now
	}
	if b.open {
		if probe {
			b.probes++
			b.schedule(now, wait)
		}
		return false
	}
	if b.streak < openAfter {
		return false
	}
	b.trip(now, wait)
	return true
}

func (b *breaker) trip(now time.Time, wait func(time.Duration) time.Duration) {
	b.open, b.since, b.probes, b.limit = true, now, 0, 0
	b.schedule(now, wait)
}

// schedule sets the next probe. wait gets the wait of the schedule (0 = the longest) and returns what is to be waited.
func (b *breaker) schedule(now time.Time, wait func(time.Duration) time.Duration) {
	d := time.Duration(0)
	if b.probes < len(probeWaits) {
		d = probeWaits[b.probes]
	}
	b.probeAt = now.Add(wait(d))
}

// refused notes a refusal; fresh: it is this event's first one. opened and closed say what changed. A refusal shows that the
// endpoint answers again, so it ends an outage, unless refusals for all were the outage.
func (b *breaker) refused(now time.Time, fresh, probe bool, wait func(time.Duration) time.Duration) (opened, closed bool) {
	if b.open {
		switch {
		case !b.byRefusal:
			b.close(now)
			b.refusals++
			return false, true
		case probe:
			b.probes++
			b.schedule(now, wait)
		}
		return false, false
	}
	if fresh {
		b.refusals++
	}
	if b.refusals <= openRefusals {
		return false, false
	}
	b.byRefusal = true
	b.trip(now, wait)
	return true, false
}

// allowed returns how many requests may be in flight.
func (b *breaker) allowed(concurrency int) int {
	if b.limit > 0 && b.limit < concurrency {
		return b.limit
	}
	b.limit = 0
	return concurrency
}
