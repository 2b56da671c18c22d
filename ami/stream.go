package ami

import (
	"sync"
	"time"
)

// A stream carries batches from the reader of the socket, which must never wait, to whoever takes the items, who may.
// What waits is bounded in bytes.
type stream struct {
	out   chan []Item
	limit int

	mu      sync.Mutex
	waiting []batch
	bytes   int
	events  uint64 // put so far
	untaken uint64 // of events, those that were still there when the end came
	closed  bool
	changed chan struct{} // capacity 1: something was put, or the end has come
	room    chan struct{} // capacity 1: something was taken
}

type batch struct {
	items  []Item
	events int // among items
	bytes  int
}

func newStream(limit int) *stream {
	return &stream{
		out:     make(chan []Item),
		limit:   limit,
		changed: make(chan struct{}, 1),
		room:    make(chan struct{}, 1),
	}
}

// put adds a batch and reports whether there was room for it.
func (s *stream) put(b batch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes > 0 && s.bytes+b.bytes > s.limit {
		return false
	}
	s.events += uint64(b.events)
	s.add(b)
	return true
}

// mark adds an ItemConnected or ItemDisconnected, for which there is always room.
func (s *stream) mark(i Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(batch{items: []Item{i}, bytes: itemSize})
}

func (s *stream) add(b batch) {
	s.waiting = append(s.waiting, b)
	s.bytes += b.bytes
	signal(s.changed)
}

// size returns the bytes that wait.
func (s *stream) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// counts returns how many events were put so far, and how many of them nobody took before the end.
func (s *stream) counts() (events, untaken uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events, s.untaken
}

// close says that no more will be put.
func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	signal(s.changed)
}

// hand gives the batches to the channel until the stream is closed and empty, or closed and nobody takes, and then
// closes the channel.
func (s *stream) hand() {
	defer close(s.out)
	for {
		b, ok, closed := s.first()
		switch {
		case ok:
			if !s.give(b, closed) {
				s.abandon()
				return
			}
			s.taken(b)
		case closed:
			return
		default:
			<-s.changed
		}
	}
}

// first returns the oldest batch without taking it off.
func (s *stream) first() (b batch, ok, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		return batch{}, false, s.closed
	}
	return s.waiting[0], true, s.closed
}

// give hands one batch over. After the stream was closed it waits for its taker a second only. closed is what is known of
// that already: the signal of it may have been used up.
func (s *stream) give(b batch, closed bool) bool {
	for !closed {
		select {
		case s.out <- b.items:
			return true
		case <-s.changed:
			_, _, closed = s.first()
		}
	}
	limit := time.NewTimer(goodbye)
	defer limit.Stop()
	select {
	case s.out <- b.items:
		return true
	case <-limit.C:
		return false
	}
}

// taken takes the oldest batch off.
func (s *stream) taken(b batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[0] = batch{}
	if s.waiting = s.waiting[1:]; len(s.waiting) == 0 {
		s.waiting = nil
	}
	s.bytes -= b.bytes
	signal(s.room)
}

// abandon counts what nobody takes, and lets go of it.
func (s *stream) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.waiting {
		s.untaken += uint64(b.events)
	}
	s.waiting, s.bytes = nil, 0
}

// signal wakes who waits on a channel of capacity 1.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
