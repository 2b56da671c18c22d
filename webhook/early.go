package webhook

import (
	"container/heap"
	"context"
)

// While a long queue is read from the file, what is stored meanwhile lies behind all of it. An event whose key has nothing older waiting
// need not wait for the others: it opens an early line, which is sent beside the queue.
const (
	maxEarly   = window // events of early lines in memory; further ones wait their turn in the file
	maxLookups = 64     // in one turn, so that answers are heard in between
	queueShare = 4      // every so many attempts one is for the queue, whatever else is ready
)

// early are the events beyond the cursor that are in memory.
type early struct {
	sizes   map[int64]int // of their bodies, by row
	bytes   int
	lookups int // in this turn
}

func (e *early) add(it *item) {
	e.sizes[it.id] = len(it.body)
	e.bytes += len(it.body)
}

// drop forgets an event that is not in memory any more, or not beyond the cursor; false when it was none.
func (e *early) drop(id int64) bool {
	size, ok := e.sizes[id]
	if ok {
		delete(e.sizes, id)
		e.bytes -= size
	}
	return ok
}

func (e *early) full() bool { return len(e.sizes) >= maxEarly || e.bytes >= windowBytes }

// prefer takes in an event beyond the cursor where that keeps the order of its key. One that is passed over is read from the file when
// its turn comes, and closes its line to what follows it.
func (l *loop) prefer(it item) {
	ln := l.lines[it.key]
	switch {
	case ln == nil && !l.early.full() && len(l.lines) < maxLines && l.isFirst(&it):
		ln = &line{key: it.key, last: it.id, items: []item{it}, early: true}
		l.lines[it.key] = ln
		l.queue(ln)
		l.suspectKey(ln)
	case ln == nil:
		return
	case ln.early && !ln.closed && !l.early.full() && !ln.more && ln.state != lineWaiting && len(ln.items) < lineLength:
		ln.items = append(ln.items, it)
		ln.last = it.id
	default:
		ln.closed = true
		return
	}
	l.early.add(&it)
	l.count(&it, 1)
}

// isFirst reports whether nothing older of an event's key waits beyond the cursor. What lies before it has a line.
func (l *loop) isFirst(it *item) bool {
	if l.early.lookups++; l.early.lookups > maxLookups {
		return false
	}
	older, err := l.store.idsOfKey(context.WithoutCancel(l.ctx), it.key, l.cursor, it.id)
	if err != nil {
		return false // the loop reads the file soon, and reports what is wrong with it
	}
	for _, id := range older {
		if _, ended := l.settling[id]; !ended {
			return false
		}
	}
	return len(older) < lineRows
}

// closeEarly lets no early line take in more: an event was stored of which only the file tells.
func (l *loop) closeEarly() {
	for _, ln := range l.lines {
		ln.closed = true
	}
}

// queue puts a line among those that may be sent.
func (l *loop) queue(ln *line) {
	ln.state = lineReady
	heap.Push(l.readyOf(ln), ln)
}

func (l *loop) readyOf(ln *line) *readyHeap {
	if ln.early {
		return &l.readyEarly
	}
	return &l.ready
}

// pick takes the line off that is to be sent next, nil for none.
func (l *loop) pick() *line {
	from := &l.ready
	l.turn++
	if len(l.readyEarly) > 0 && (len(l.ready) == 0 || l.turn%queueShare != 0) {
		from = &l.readyEarly
	}
	if len(*from) == 0 {
		return nil
	}
	return heap.Pop(from).(*line)
}
