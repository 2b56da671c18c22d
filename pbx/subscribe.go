package pbx

import (
	"context"
	"errors"
	"sync"
)

var (
	// ErrClosed ends a subscription whose switch has ended; all that was told before has been read.
	ErrClosed = errors.New("subscription closed")
	// ErrSlow ends a subscription whose reader fell behind its limit; it must subscribe again and take the new picture.
	ErrSlow = errors.New("subscriber fell behind")
)

// SubscribeOptions say what a subscriber is.
type SubscribeOptions struct {
	// Durable subscribers are never cut off and must Ack: a call stays stored as open until all of them have
	// acknowledged its end.
	Durable bool
	// Limit is how many events may wait for a subscriber that is not durable; 0 means 1024.
	Limit int
}

// Picture is the whole state at one moment of the stream.
type Picture struct {
	Seq        uint64 // the last event that is already in the picture
	Calls      []Call
	Extensions []Extension
	Agents     []Agent // all extensions as agents
	Queues     []Queue
	Resyncs    uint64 // full queries that are in the picture
}

// Subscription is a place in the stream of events. Its methods are safe for use by one reader.
type Subscription struct {
	sw    *Switch
	opts  SubscribeOptions
	mu    sync.Mutex
	queue []Occurrence
	err   error
	wake  chan struct{}
	acked uint64 // guarded by sw.mu
}

// Next returns the events that wait, at least one; it blocks until there is one. It fails with ErrClosed, ErrSlow or
// the context's error.
func (sub *Subscription) Next(ctx context.Context) ([]Occurrence, error) {
	for {
		sub.mu.Lock()
		batch, err := sub.queue, sub.err
		sub.queue = nil
		sub.mu.Unlock()
		if len(batch) > 0 {
			return batch, nil
		}
		if err != nil {
			return nil, err
		}
		select {
		case <-sub.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Ack says that everything up to and including seq is in safe hands.
func (sub *Subscription) Ack(seq uint64) {
	sub.sw.mu.Lock()
	sub.acked = max(sub.acked, seq)
	sub.sw.mu.Unlock()
	poke(sub.sw.acks)
}

// Close ends the subscription.
func (sub *Subscription) Close() {
	sub.sw.mu.Lock()
	sub.sw.subs = without(sub.sw.subs, sub)
	sub.sw.mu.Unlock()
	sub.end(ErrClosed)
	poke(sub.sw.acks)
}

func (sub *Subscription) put(events []Occurrence) (ok bool) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if !sub.opts.Durable && len(sub.queue)+len(events) > sub.opts.Limit {
		sub.queue, sub.err = nil, ErrSlow
		poke(sub.wake)
		return false
	}
	sub.queue = append(sub.queue, events...)
	poke(sub.wake)
	return true
}

func (sub *Subscription) end(err error) {
	sub.mu.Lock()
	if sub.err == nil {
		sub.err = err
	}
	sub.mu.Unlock()
	poke(sub.wake)
}

// Subscribe returns the picture as it stands and a subscription to everything after it.
func (s *Switch) Subscribe(o SubscribeOptions) (*Subscription, Picture) {
	if o.Limit <= 0 {
		o.Limit = 1024
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := &Subscription{sw: s, opts: o, wake: make(chan struct{}, 1), acked: s.state.seq}
	if s.closed {
		sub.err = ErrClosed
		return sub, s.picture()
	}
	s.subs = append(s.subs, sub)
	return sub, s.picture()
}

// publish hands events to all subscribers; a slow one is cut off. The caller holds s.mu.
func (s *Switch) publish(events []Occurrence) {
	kept := s.subs[:0]
	for _, sub := range s.subs {
		if sub.put(events) {
			kept = append(kept, sub)
		}
	}
	clear(s.subs[len(kept):])
	s.subs = kept
}

// safe is the last event that all durable subscribers have acknowledged. The caller holds s.mu.
func (s *Switch) safe() uint64 {
	least := s.state.seq
	for _, sub := range s.subs {
		if sub.opts.Durable {
			least = min(least, sub.acked)
		}
	}
	return least
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
