package blacklist

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dialbridge/dialbridge/pbx"
)

const (
	rest       = 20 * time.Millisecond // after a comparison that was asked for, for each thousand entries of AstDB
	firstRetry = 2 * time.Second
	lastRetry  = time.Minute
	pruneEvery = time.Hour
)

// Refresh compares AstDB with the table now and waits for it, two seconds at most. A comparison of many entries serves
// those who ask soon after it too: for 2 s with 100,000 entries, not at all below 1,000. Errors say why it could not be
// done, or that it is not done yet: pbx.ErrOffline, context.DeadlineExceeded, and those of pbx.Switch.DBTree.
func (n *Numbers) Refresh(ctx context.Context) error { return n.await(ctx, true) }

// tell has waiting changes written to AstDB and waits for it as Refresh does. Whatever hinders it is in Status, and the
// changes go on waiting.
func (n *Numbers) tell(ctx context.Context) { _ = n.await(ctx, false) }

func (n *Numbers) await(ctx context.Context, full bool) error {
	done := make(chan error, 1)
	n.mu.Lock()
	if !n.running {
		n.mu.Unlock()
		return pbx.ErrOffline
	}
	n.waiting = append(n.waiting, done)
	n.full = n.full || full
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return context.DeadlineExceeded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run keeps AstDB and the table the same and runs the guard until ctx ends. The switch and the store must be run by the
// caller, and the store must outlive it.
func (n *Numbers) Run(ctx context.Context) error {
	n.setRunning(true)
	var guard sync.WaitGroup
	guard.Go(func() { n.watch(ctx) })
	r := rounds{Numbers: n, more: true}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-n.wake:
			r.round(ctx)
		case <-tick.C:
			r.round(ctx)
		}
	}
	n.setRunning(false)
	guard.Wait()
	return nil
}

func (n *Numbers) setRunning(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running = on
	answer(n.waiting, pbx.ErrOffline)
	n.waiting = nil
}

func answer(waiting []chan error, err error) {
	for _, done := range waiting {
		done <- err
	}
}

// rounds is the state of the loop.
type rounds struct {
	*Numbers
	more     bool      // changes may wait
	resyncs  uint64    // of the switch, when AstDB was last compared
	compared time.Time // when that was
	entries  int       // how many AstDB had then
	pruned   time.Time
	retry    time.Time // not before this, unless somebody waits
	backoff  time.Duration
}

// round does what is due and answers those who wait.
func (r *rounds) round(ctx context.Context) {
	r.mu.Lock()
	waiting, asked := r.waiting, r.full
	r.waiting, r.full = nil, false
	r.mu.Unlock()
	st := r.sw.Status()
	if !st.Complete {
		answer(waiting, pbx.ErrOffline)
		return
	}
	now := time.Now()
	age := now.Sub(r.compared)
	full := r.resyncs != st.Resyncs || age >= r.every || asked && age >= time.Duration(r.entries/1000)*rest
	r.more = r.more || len(waiting) > 0
	if !full && !r.more || len(waiting) == 0 && now.Before(r.retry) {
		answer(waiting, nil)
		return
	}
	err := r.work(ctx, full, st.Resyncs)
	answer(waiting, err)
	r.note(ctx, err)
}

// work makes passes until nothing waits.
func (r *rounds) work(ctx context.Context, full bool, resyncs uint64) error {
	for {
		start := time.Now()
		out, err := r.pass(ctx, full, resyncs)
		if err != nil {
			r.more = true
			return err
		}
		r.report(ctx, out)
		if full {
			r.resyncs, r.compared, r.entries = resyncs, time.Now(), out.entries
			r.mu.Lock()
			r.status.Compared, r.status.Took, r.status.Ignored = r.compared, r.compared.Sub(start), out.ignored
			r.mu.Unlock()
		}
		full, r.more = false, false
		if !out.more {
			return r.tidy(ctx)
		}
	}
}

// report logs what was found.
func (r *rounds) report(ctx context.Context, out outcome) {
	if out.adopted+out.dropped+out.again == 0 {
		return
	}
	r.log.InfoContext(ctx, "black list and asterisk differed", "entered_in_asterisk", out.adopted, "removed_in_asterisk", out.dropped,
		"to_be_written_again", out.again)
}

func (r *rounds) tidy(ctx context.Context) error {
	if time.Since(r.pruned) < pruneEvery {
		return nil
	}
	r.pruned = time.Now()
	return r.prune(ctx)
}

// note keeps and logs how it went; the same failure is logged once.
func (r *rounds) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	before := r.status.Err
	r.status.Err = err
	r.mu.Unlock()
	if err == nil {
		r.retry, r.backoff = time.Time{}, 0
		if before != nil {
			r.log.InfoContext(ctx, "black list is the same in asterisk again")
		}
		return
	}
	r.backoff = min(max(2*r.backoff, firstRetry), lastRetry)
	r.retry = time.Now().Add(r.backoff)
	if errors.Is(err, pbx.ErrOffline) || errors.Is(err, pbx.ErrUnknown) || errors.Is(err, errMoved) {
		r.retry, r.backoff = time.Time{}, 0 // the next connection is reason enough
		return
	}
	if before == nil || before.Error() != err.Error() {
		r.log.WarnContext(ctx, "black list could not be told to asterisk, it is tried again", "error", err)
	}
}
