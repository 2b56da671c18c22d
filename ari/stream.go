package ari

import (
	"sync"
	"time"
)

// A stream carries items from the reader of the socket, which must never wait, to whoever takes them, who may. All that
// has gathered is one batch. What waits is bounded in bytes.
type stream struct {
	out   chan []Item
	limit int

	mu      sync.Mutex
	waiting []Item
	bytes   int    // of waiting, and of the batch that is being handed over
	given   int    // bytes of that batch
	events  uint64 // put so far
	untaken uint64
	closed  bool
	changed chan struct{} // capacity 1: something was put, or the end has come
	room    chan struct{} // capacity 1: something was taken
}

func newStream(limit int) *stream {
	return &stream{
		out: make(chan []Item), limit: limit,
		changed: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
}

// put adds an event and reports whether there was room for it.
func (s *stream) put(i Item) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := sizeOf(i)
	if s.bytes > 0 && s.bytes+size > s.limit {
		return false
	}
	s.events++
	s.add(i, size)
	return true
}

// mark adds an ItemConnected or ItemDisconnected, for which there is always room.
func (s *stream) mark(i Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(i, sizeOf(i))
}

func sizeOf(i Item) int { return itemSize + len(i.Event.Raw) }

func (s *stream) add(i Item, size int) {
	s.waiting = append(s.waiting, i)
	s.bytes += size
	signal(s.changed)
}

// size returns the bytes that wait.
func (s *stream) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// counts returns how many events were put, how many of them were never taken, and the bytes that wait.
func (s *stream) counts() (events, untaken uint64, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events, s.untaken, s.bytes
}

// close says that no more will be put.
func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	signal(s.changed)
}

// hand gives what gathers to the channel until the stream is closed and empty, or closed and nobody takes, and then
// closes the channel.
func (s *stream) hand() {
	defer close(s.out)
	for {
		b, closed := s.gather()
		switch {
		case len(b) > 0:
			if !s.give(b, closed) {
				s.abandon(b)
				return
			}
			s.taken()
		case closed:
			return
		default:
			<-s.changed
		}
	}
}

// gather takes all that waits; its bytes still count.
func (s *stream) gather() (b []Item, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, s.waiting = s.waiting, nil
	s.given = s.bytes
	return b, s.closed
}

// give hands one batch over. When the stream is closed it waits for its taker a second only.
func (s *stream) give(b []Item, closed bool) bool {
	for !closed {
		select {
		case s.out <- b:
			return true
		case <-s.changed:
			closed = s.isClosed()
		}
	}
	limit := time.NewTimer(goodbye)
	defer limit.Stop()
	select {
	case s.out <- b:
		return true
	case <-limit.C:
		return false
	}
}

func (s *stream) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// taken forgets the bytes of the batch that was handed over.
func (s *stream) taken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes -= s.given
	s.given = 0
	signal(s.room)
}

// abandon counts what nobody takes.
func (s *stream) abandon(b []Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, items := range [][]Item{b, s.waiting} {
		for _, i := range items {
			if i.Kind == ItemEvent {
				s.untaken++
			}
		}
	}
	s.waiting, s.bytes, s.given = nil, 0, 0
}

// signal wakes who waits on a channel of capacity 1.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
