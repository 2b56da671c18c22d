package webhook

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// late is a transport whose other end takes its time, by a fake clock too.
type late struct {
	http.RoundTripper
	by time.Duration
}

// RoundTrip implements http.RoundTripper.
func (l late) RoundTrip(req *http.Request) (*http.Response, error) {
	time.Sleep(l.by)
	return l.RoundTripper.RoundTrip(req)
}

// TestNewEventsPassALongQueue: a call that begins while 4,000 events wait is told at once, and the queue goes on meanwhile. A call of which
// something waits is told in order.
func TestNewEventsPassALongQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(nil)
		r := newRig(t, rigOptions{transport: late{rec, 10 * time.Millisecond}})
		const keys, each, calls = 1000, 4, 10
		var batch []Event
		for n := range each {
			for k := range keys {
				batch = append(batch, event(fmt.Sprint("old", k), n))
			}
		}
		r.put(batch...)
		r.send(Target{URL: "http://receiver.test/", Concurrency: 4})
		time.Sleep(time.Second)
		before := len(rec.all())
		if before == 0 || before > keys {
			t.Fatalf("%d sent after a second", before)
		}
		r.put(event("old999", each), event("old0", each))
		for n := range 3 {
			for k := range calls {
				r.put(event(fmt.Sprint("new", k), n))
			}
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(350 * time.Millisecond)
		fresh, queued := map[string]int{}, 0
		for _, a := range rec.all()[before:] {
			if a.key[:3] == "new" {
				fresh[a.key]++
			} else {
				queued++
			}
		}
		for k := range calls {
			if n := fresh[fmt.Sprint("new", k)]; n != 3 {
				t.Errorf("%d events of new call %d were sent after half a second, want 3", n, k)
			}
		}
		if queued < 30 {
			t.Errorf("%d events of the queue were sent beside the new ones", queued)
		}
		r.drained()
		inTurn(t, rec, keys*each+3*calls+2)
	})
}

// drained waits, by a fake clock, until nothing waits any more.
func (r *rig) drained() {
	r.t.Helper()
	for range 1000 {
		if r.status().Total.Pending == 0 {
			break
		}
		time.Sleep(time.Second)
	}
	if n := r.status().Total.Pending; n > 0 {
		r.t.Errorf("%d events still wait", n)
	}
	r.close()
}

// inTurn checks that each event was delivered once, and after those before it of its key.
func inTurn(t *testing.T, rec *receiver, want int) {
	t.Helper()
	next, all := map[string]int{}, 0
	for _, a := range rec.all() {
		if a.n != next[a.key] {
			t.Fatalf("event %d of key %s was sent when it was the turn of %d", a.n, a.key, next[a.key])
		}
		if a.status == 200 {
			next[a.key]++
			all++
		}
	}
	if all != want {
		t.Errorf("%d delivered, want %d", all, want)
	}
}

// TestOrderBesideALongQueue stores events of old and new keys, also more at once than the sender is told of, while a long queue is sent to a
// receiver that fails now and then.
func TestOrderBesideALongQueue(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 7))
				luck := rand.New(rand.NewPCG(seed, 8))
				rec := newReceiver(func(*arrival, http.Header) int {
					if luck.IntN(20) == 0 {
						return []int{503, 0, 418, 400}[luck.IntN(4)]
					}
					return 200
				})
				r := newRig(t, rigOptions{transport: late{rec, time.Millisecond}})
				const keys = 400
				next, total := [keys]int{}, 0
				some := func(n int) (batch []Event) {
					for range n {
						k := rng.IntN(keys)
						batch = append(batch, event(fmt.Sprint("k", k), next[k]))
						next[k]++
						total++
					}
					return batch
				}
				r.put(some(2500)...)
				r.send(Target{URL: "http://receiver.test/", Concurrency: 1 + rng.IntN(16), RetryMax: 2 * time.Second, PoisonAttempts: 1000})
				for i := range 250 {
					r.put(some(1 + rng.IntN(4))...)
					if i == 125 {
						r.put(some(maxFeed + 500)...)
					}
					time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
				}
				r.drained()
				inTurn(t, rec, total)
			})
		})
	}
}
