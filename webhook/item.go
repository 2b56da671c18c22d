package webhook

import "time"

// item is one stored event in memory. Its body is nil while it waits for a later try.
type item struct {
	id        int64
	receiver  int64
	eventID   string
	kind      string
	key       string
	body      []byte
	at        time.Time
	ttl       bool
	attempts  int // all that were made
	refused   int // refusals that count
	refusedAt time.Time
}

func newItem(e *Event, now time.Time) item {
	it := item{eventID: e.ID, kind: e.Kind, key: e.Key, body: e.Body, at: e.At, ttl: e.TTL}
	if it.key == "" {
		it.key = e.ID
	}
	if it.at.IsZero() {
		it.at = now
	}
	if it.body == nil {
		it.body = []byte{}
	}
	return it
}

func (it *item) expired(now time.Time, ttl time.Duration) bool {
	return it.ttl && ttl > 0 && now.Sub(it.at) > ttl
}
