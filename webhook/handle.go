package webhook

import (
	"time"
)

// handle takes in the end of an attempt.
func (l *loop) handle(out outcome) {
	l.inFlight--
	l.s.count(out.class, l.inFlight)
	if out.probe {
		l.breaker.probing = false
	}
	ln := l.lines[out.key]
	e, _ := l.s.current(out.end)
	t := Target{}.complete()
	if e != nil {
		t = e.target
	}
	it := &ln.items[0]
	it.attempts++
	switch out.verdict {
	case delivered:
		l.delivered(ln, out)
	case failed:
		l.failed(ln, out, t)
	case refused:
		l.refused(ln, out, t)
	case abandoned:
		it.attempts--
		l.wait(ln, out.end)
	}
}

func (l *loop) delivered(ln *line, out outcome) {
	it := &ln.items[0]
	l.s.latency.observe(out.end.Sub(it.at).Seconds())
	if l.breaker.success(out.end) {
		l.receiverUp(out)
	}
	l.s.to.set(func(r *ReceiverState) { r.LastSuccess, r.Failures = out.end, 0 })
	l.s.outbox.firstSuccess(l.s.to)
	l.end(ln, out.mark(stateDelivered))
}

// failed lets the event wait and the breaker judge the endpoint.
func (l *loop) failed(ln *line, out outcome, t Target) {
	ln.fails++
	opened := l.breaker.failure(out.end, ln.key, out.probe, probeSchedule(out, t))
	l.note(out)
	if opened {
		l.receiverDown(out)
	} else if !l.breaker.open {
		l.s.log.Warn("event was not delivered and will be tried again", "event_id", ln.items[0].eventID, "kind", ln.items[0].kind,
			"attempts", ln.items[0].attempts, "status", out.status, "reason", out.err)
	}
	l.again(ln, out, backoff(ln.fails, t.RetryMax), out.retryAfter == 0)
}

// refused counts against the event, unless the endpoint refuses everything.
func (l *loop) refused(ln *line, out outcome, t Target) {
	it := &ln.items[0]
	opened, closed := l.breaker.refused(out.end, it.refused == 0, out.probe, probeSchedule(out, t))
	l.note(out)
	switch {
	case closed:
		l.receiverUp(out)
	case opened:
		l.receiverDown(out)
	}
	if l.breaker.open {
		ln.fails++
		l.again(ln, out, backoff(ln.fails, t.RetryMax), true)
		return
	}
	if it.refused == 0 || it.refusedAt.After(out.end) {
		it.refusedAt = out.end
	}
	it.refused++
	rest := t.PoisonSpan - out.end.Sub(it.refusedAt)
	if it.refused >= t.PoisonAttempts && rest <= 0 {
		l.s.log.Error("event is refused and was moved to the dead letters", "event_id", it.eventID, "kind", it.kind,
			"attempts", it.attempts, "status", out.status)
		l.end(ln, out.mark(stateDead))
		return
	}
	l.s.log.Warn("event is refused by the receiver", "event_id", it.eventID, "kind", it.kind, "attempts", it.attempts, "status", out.status)
	l.again(ln, out, poisonWait(it.refused, t, rest), false)
}

// poisonWait spreads the tries of a refused event: soon at first, because a conflict may pass, and the last one when
// the span is over.
func poisonWait(refusals int, t Target, rest time.Duration) time.Duration {
	wait := backoff(refusals, t.RetryMax)
	if refusals >= t.PoisonAttempts-1 {
		return max(wait, rest)
	}
	return wait
}

// again records a failed attempt and puts the line aside. Retry-After is obeyed in place of the schedule.
func (l *loop) again(ln *line, out outcome, wait time.Duration, lenient bool) {
	if ln.gone { // superseded or dropped meanwhile: its successor's turn
		l.count(&ln.items[0], -1)
		l.early.drop(ln.items[0].id)
		ln.items = ln.items[1:]
		l.next(ln)
		return
	}
	k := out.mark(statePending)
	k.item = ln.items[0]
	k.item.body = nil
	l.s.marks.add(k)
	if out.retryAfter > 0 {
		wait = out.retryAfter
	}
	ln.lenient = lenient
	l.wait(ln, out.end.Add(wait))
}

func (o *outcome) mark(s state) mark {
	return mark{state: s, at: o.end, took: o.end.Sub(o.at), status: o.status, err: o.err, answer: o.answer}
}

// probeSchedule bounds a probe's wait by the target, and lengthens it to what Retry-After asks for.
func probeSchedule(out outcome, t Target) func(time.Duration) time.Duration {
	return func(d time.Duration) time.Duration { return max(probeWait(d, t.RetryMax), out.retryAfter) }
}

func (l *loop) note(out outcome) {
	l.s.to.set(func(r *ReceiverState) {
		r.LastFailure, r.LastError, r.LastStatus = out.end, out.err, out.status
		r.Failures, r.NextProbe = l.breaker.streak, l.breaker.probeAt
	})
}

func (l *loop) receiverDown(out outcome) {
	l.s.to.down.Store(true)
	l.s.to.set(func(r *ReceiverState) { r.Up, r.Since, r.NextProbe = false, out.end, l.breaker.probeAt })
	l.s.outbox.saveReceiver(l.s.to)
	l.s.log.Error("receiver is down, events are kept and it is probed", "status", out.status, "reason", out.err, "failures", l.breaker.streak)
	l.s.outbox.coalesce(l.s.to)
}

func (l *loop) receiverUp(out outcome) {
	l.s.to.down.Store(false)
	var down time.Duration
	l.s.to.set(func(r *ReceiverState) {
		down = max(0, out.end.Sub(r.Since)) // since may be of a process with another clock
		r.Up, r.Since, r.Failures, r.NextProbe = true, out.end, 0, time.Time{}
	})
	l.s.outbox.saveReceiver(l.s.to)
	l.s.log.Info("receiver answers again", "status", out.status, "down_for", down.Round(time.Second).String())
	l.release()
}
