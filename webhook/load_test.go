package webhook

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
)

// A burst of 20,000 events at a receiver that is down: all of what must stay arrives, and of the states only the last of each key.
func TestBurst(t *testing.T) {
	const n, extensions = 20_000, 50
	var up atomic.Bool
	rec := newReceiver(func(*arrival, http.Header) int {
		if up.Load() {
			return 200
		}
		return 503
	})
	srv := serve(t, rec)
	r := newRig(t, rigOptions{})
	r.send(Target{URL: srv.URL, RetryMax: 1})
	for i := range 20 {
		r.put(event(fmt.Sprint("first", i), 0))
	}
	r.waitFor("the outage", func() bool { return !r.sender.State().Up })
	for i := range n {
		e := event(fmt.Sprint("call", i/2), i)
		if i%2 == 1 {
			e = Event{ID: fmt.Sprint("state-", i), Kind: "extensionstatus", Key: fmt.Sprint("ext:", i%(2*extensions)), Body: []byte("{}"), Newest: true, Weight: 1, At: e.At}
		}
		r.outbox.Put([]Event{e}, nil) // nobody waits
	}
	r.put(event("last", 0))
	if s := r.status(); s.Total.Superseded != n/2-extensions || s.Total.Lost != 0 {
		t.Errorf("%+v", s.Total)
	}
	up.Store(true)
	r.waitFor("the drain", func() bool { return r.status().Total.Pending == 0 })
	if got := len(rec.delivered()); got != 20+n/2+extensions+1 {
		t.Errorf("%d delivered, want %d", got, 20+n/2+extensions+1)
	}
}
