package webhook

import "sync"

const maxFeed = 4096 // events that wait in memory for the sender; beyond it they are read from the file

// feed carries what was committed from the writer to the sender. It holds no more than maxFeed events: what does not
// fit is in the file all the same.
type feed struct {
	mu      sync.Mutex
	wake    chan struct{} // one token: there is news
	stored  []item
	removed []gone
	settled []int64 // rows whose end is durable
	missed  bool    // stored does not hold everything
	reset   bool    // rows have changed in ways that only the file tells
}

func (f *feed) put(stored []item, removed []gone) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.stored)+len(stored) > maxFeed {
		f.missed = true
	}
	if !f.missed {
		f.stored = append(f.stored, stored...)
	}
	if len(f.removed)+len(removed) > maxFeed {
		f.removed, f.reset = nil, true
	} else {
		f.removed = append(f.removed, removed...)
	}
	f.signal()
}

func (f *feed) settle(ids []int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settled = append(f.settled, ids...)
	f.signal()
}

func (f *feed) rewind() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reset = true
	f.signal()
}

func (f *feed) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// news is what take returns.
type news struct {
	stored        []item
	removed       []gone
	settled       []int64
	missed, reset bool
}

func (f *feed) take() news {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := news{stored: f.stored, removed: f.removed, settled: f.settled, missed: f.missed, reset: f.reset}
	f.stored, f.removed, f.settled, f.missed, f.reset = nil, nil, nil, false, false
	return n
}
