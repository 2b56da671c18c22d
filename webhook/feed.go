package webhook

import "sync"

// What waits in memory for the sender; beyond it events are read from the file.
const (
	maxFeed      = 4096
	maxFeedBytes = 8 << 20
)

// feed carries what was committed from the writer to the sender. What does not
// fit is in the file all the same.
type feed struct {
	mu      sync.Mutex
	wake    chan struct{} // one token: there is news
	stored  []item
	removed []gone
	settled []int64 // rows whose end is durable
	bytes   int     // of stored's bodies
	missed  bool    // stored does not hold everything
	reset   bool    // rows have changed in ways that only the file tells
}

func (f *feed) put(stored []item, removed []gone) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range stored {
		f.missed = f.missed || len(f.stored) >= maxFeed || f.bytes >= maxFeedBytes
		if f.missed {
			break
		}
		f.stored = append(f.stored, stored[i])
		f.bytes += len(stored[i].body)
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
	f.stored, f.removed, f.settled, f.bytes, f.missed, f.reset = nil, nil, nil, 0, false, false
	return n
}
