package webhook

import (
	"container/heap"
	"context"
	"time"
)

const (
	window      = 512     // events in memory below which more are read
	windowBytes = 8 << 20 // and their bodies
	maxLines    = 65536   // keys in memory: beyond it no further ones are read until some have ended
	lineLength  = 16      // events of one key in memory
	pollEvery   = time.Second
	purgeEvery  = time.Minute
	endGrace    = 5 * time.Second
	readRetry   = time.Second
	maxLaunches = 256 // in one turn, so that answers are heard in between
	maxScans    = 16  // chunks read in one turn, for the same reason
)

// loop is the state of Run. Only Run's goroutine touches it.
//
// Memory does not grow with the queue. The file is read forward in the order of ids, up to cursor. An event whose key has no line
// yet opens one; one whose key is held up, or has enough in memory, only sets the line's more flag and is read again by key
// when its turn comes. So a key that is stuck holds one small line and never the window, and what lies behind it is reached.
type loop struct {
	s          *Sender
	ctx        context.Context // of the attempts
	store      store
	lines      map[string]*line
	ready      readyHeap
	waiting    waitingHeap
	settling   map[int64]struct{} // ended, but the file may not say so yet
	early      early
	readyEarly readyHeap
	turn       int // of pick
	inFlight   int
	results    chan outcome
	timer      *time.Timer

	cursor   int64 // rows up to here are in lines, or behind a more flag
	caughtUp bool  // nothing pending is beyond cursor but what the feed brings
	loaded   int
	bytes    int
	scanAt   time.Time // when reading is tried again after an error

	breaker  breaker
	changes  int // of the configuration, as seen last
	revision int64
	polled   time.Time
	purged   time.Time
	dirty    bool // there may be more to read at once
}

func newLoop(ctx context.Context, s *Sender) *loop {
	now := time.Now()
	l := &loop{
		s: s, ctx: ctx, store: store{db: s.outbox.db.Reader(), receiver: s.to.id}, lines: map[string]*line{},
		results: make(chan outcome, maxConcurrency), timer: time.NewTimer(time.Hour),
		settling: map[int64]struct{}{}, early: early{sizes: map[int64]int{}}, breaker: s.to.breakerAtStart(now), polled: now,
	}
	l.revision, _ = l.store.revision(ctx) // an error shows again at the first poll
	return l
}

func (l *loop) stop() { l.timer.Stop() }

// hear takes in what the writer, other processes and the configuration have changed.
func (l *loop) hear() {
	n := l.s.to.feed.take()
	for _, id := range n.settled {
		delete(l.settling, id)
	}
	if n.reset {
		l.reset()
	}
	for _, g := range n.removed {
		l.forget(g)
	}
	l.early.lookups = 0
	for i := range n.stored {
		it := n.stored[i]
		if it.id <= l.cursor {
			continue
		}
		if l.caughtUp = l.caughtUp && !l.full(); !l.caughtUp {
			l.prefer(it)
			continue
		}
		l.cursor = it.id
		l.add(it)
	}
	if n.missed {
		l.caughtUp = false
		l.closeEarly()
	}
	now := time.Now()
	if now.Sub(l.polled) >= pollEvery {
		l.polled = now
		l.poll(now)
	}
}

func (l *loop) full() bool {
	return l.loaded-len(l.early.sizes) >= 2*window || l.bytes-l.early.bytes >= windowBytes || len(l.lines) >= maxLines
}

// add takes an event into memory, or notes that its key has more in the file.
func (l *loop) add(it item) {
	if _, ended := l.settling[it.id]; ended || l.early.drop(it.id) {
		return
	}
	ln := l.lines[it.key]
	if ln == nil {
		ln = &line{key: it.key, last: it.id, items: []item{it}}
		l.lines[it.key] = ln
		l.count(&it, 1)
		l.queue(ln)
		l.suspectKey(ln)
		return
	}
	if ln.more || ln.state == lineWaiting || len(ln.items) >= lineLength {
		ln.more = true
		return
	}
	ln.items = append(ln.items, it)
	ln.last = it.id
	l.count(&it, 1)
}

// suspectKey probes at once with a new key while all failures of an outage came from one other key: it may be that key alone.
func (l *loop) suspectKey(ln *line) {
	if l.breaker.open && !l.breaker.byRefusal && !l.breaker.mixed && ln.key != l.breaker.culprit {
		l.breaker.mixed = true
		l.breaker.probeAt = time.Now()
		ln.probed = -1
	}
}

func (l *loop) count(it *item, n int) {
	l.loaded += n
	l.bytes += n * len(it.body)
}

// forget drops a row that was deleted from the file.
func (l *loop) forget(g gone) {
	ln := l.lines[g.key]
	if ln == nil {
		return
	}
	for i := range ln.items {
		if ln.items[i].id != g.id {
			continue
		}
		if i == 0 && ln.state == lineBusy {
			ln.gone = true
			return
		}
		if i > 0 || ln.state != lineWaiting { // a waiting head is not counted
			l.count(&ln.items[i], -1)
		}
		l.early.drop(g.id)
		ln.items = append(ln.items[:i:i], ln.items[i+1:]...)
		if i == 0 {
			l.unqueue(ln)
			l.next(ln)
		}
		return
	}
}

// unqueue takes a line out of its heap.
func (l *loop) unqueue(ln *line) {
	switch ln.state {
	case lineReady:
		heap.Remove(l.readyOf(ln), ln.index)
	case lineWaiting:
		heap.Remove(&l.waiting, ln.index)
	case lineBusy:
	}
}

// reset forgets everything but what is in flight and reads the file anew.
func (l *loop) reset() {
	l.ready, l.readyEarly, l.waiting, l.loaded, l.bytes = nil, nil, nil, 0, 0
	l.early = early{sizes: map[int64]int{}}
	for key, ln := range l.lines {
		if ln.state != lineBusy {
			delete(l.lines, key)
			continue
		}
		ln.items = ln.items[:1:1]
		ln.last, ln.more, ln.early = 0, true, false
		l.count(&ln.items[0], 1)
	}
	l.cursor, l.caughtUp = 0, false
}

// fill reads on in the file while there is room in memory.
func (l *loop) fill() {
	l.dirty = false
	if l.caughtUp || time.Now().Before(l.scanAt) {
		return
	}
	for range maxScans {
		if l.loaded-len(l.early.sizes) >= window || l.bytes-l.early.bytes >= windowBytes || len(l.lines) >= maxLines {
			return
		}
		items, end, err := l.store.after(context.WithoutCancel(l.ctx), l.cursor)
		if err != nil {
			l.readFailed(err)
			return
		}
		for i := range items {
			l.cursor = items[i].id
			l.add(items[i])
		}
		if end {
			l.caughtUp = true
			return
		}
	}
	l.dirty = true
}

func (l *loop) readFailed(err error) {
	l.scanAt = time.Now().Add(readRetry)
	l.s.outbox.db.Report(err)
	l.s.log.Error("outbox cannot be read", "error", err)
}

// next goes on with a line whose head has ended: with the next event in memory, else in the file, else the line ends.
// The line is in no heap when it is called.
func (l *loop) next(ln *line) {
	ln.fails, ln.gone, ln.lenient = 0, false, false
	if len(ln.items) == 0 && ln.more {
		if !l.extend(ln) {
			return
		}
	}
	if len(ln.items) == 0 {
		delete(l.lines, ln.key)
		return
	}
	l.queue(ln)
}

// extend reads the next events of a line; false when the file could not be read and the line waits for another try.
func (l *loop) extend(ln *line) bool {
	for ln.more && len(ln.items) == 0 {
		items, end, err := l.store.ofKey(context.WithoutCancel(l.ctx), ln.key, ln.last, l.cursor)
		if err != nil {
			l.readFailed(err)
			l.wait(ln, time.Now().Add(readRetry))
			return false
		}
		ln.more = !end
		for i := range items {
			ln.last = items[i].id
			if _, ended := l.settling[items[i].id]; !ended {
				ln.items = append(ln.items, items[i])
				l.count(&items[i], 1)
			}
		}
	}
	return true
}

// wait puts a line aside until due, and out of memory all of it that can be read again.
func (l *loop) wait(ln *line, due time.Time) {
	if len(ln.items) > 1 {
		ln.last, ln.more = ln.items[0].id, true
		for i := range ln.items[1:] {
			l.early.drop(ln.items[1+i].id)
			l.count(&ln.items[1+i], -1)
		}
		ln.closed = true
		ln.items = ln.items[:1:1]
	}
	if len(ln.items) == 1 {
		l.count(&ln.items[0], -1)
		ln.items[0].body = nil
	}
	ln.state, ln.due = lineWaiting, due
	heap.Push(&l.waiting, ln)
}

// wakeUp makes a waiting line ready. Its head's body is read when it is sent.
func (l *loop) wakeUp(ln *line) {
	heap.Remove(&l.waiting, ln.index)
	if len(ln.items) == 0 {
		l.next(ln)
		return
	}
	l.count(&ln.items[0], 1)
	l.queue(ln)
}

// sleep waits for whatever comes first and takes in the answers that are there.
func (l *loop) sleep(ctx context.Context, d time.Duration) {
	if l.dirty {
		d = 0
	}
	l.timer.Reset(d)
	select {
	case <-ctx.Done():
	case <-l.s.to.feed.wake:
	case <-l.s.wake:
	case out := <-l.results:
		l.handle(out)
	case <-l.timer.C:
	}
	for {
		select {
		case out := <-l.results:
			l.handle(out)
		default:
			return
		}
	}
}

// finish waits for what is in flight and for its record.
func (l *loop) finish(cancel context.CancelFunc) error {
	timer := time.AfterFunc(endGrace, cancel)
	defer timer.Stop()
	for l.inFlight > 0 {
		l.handle(<-l.results)
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(l.ctx), endGrace)
	defer done()
	if e, _ := l.s.current(time.Now()); e != nil {
		e.client.HTTPClient.CloseIdleConnections()
	}
	return l.s.marks.wait(ctx)
}
