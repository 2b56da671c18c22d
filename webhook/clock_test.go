package webhook

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Clocks step: a box without a battery boots in 1970, and a wrong one is set right years later. Order is by what was stored first, and waits
// are not told by the clock.
func TestClockSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(nil)
		r := newRig(t, rigOptions{transport: rec})
		now := time.Now()
		var want []string
		for i, at := range []time.Time{now, time.Unix(0, 0), now.AddDate(10, 0, 0), now.AddDate(0, 0, -1), now.AddDate(-40, 0, 0), now} {
			e := event("a", i)
			e.At = at
			r.put(e)
			want = append(want, e.ID)
		}
		r.send(Target{URL: "http://receiver.test/", TTL: 24 * time.Hour})
		time.Sleep(time.Second)
		if diff := cmp.Diff(want, rec.delivered()); diff != "" {
			t.Error(diff)
		}
		r.close()
	})
}

// An event that may expire and was stored by a clock that was ahead is sent, not kept for ever.
func TestEventOfTheFutureIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(nil)
		r := newRig(t, rigOptions{transport: rec})
		e := event("a", 0)
		e.At, e.TTL = time.Now().AddDate(10, 0, 0), true
		r.put(e)
		r.send(Target{URL: "http://receiver.test/", TTL: time.Hour})
		time.Sleep(time.Second)
		if len(rec.delivered()) != 1 || r.status().Total.Expired != 0 {
			t.Errorf("%+v", r.status().Total)
		}
		r.close()
	})
}

// What was stored before a step is not held to the old clock: refusals of the future and of 1970, and an outage of the future. Neither stops
// the queue, and neither makes it spin.
func TestStoredTimesAreNotTrusted(t *testing.T) {
	for name, step := range map[string]time.Duration{"ahead": 10 * 365 * 24 * time.Hour, "a day back": -24 * time.Hour, "1970": -30 * 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "test.db")
				rec := newReceiver(func(a *arrival, _ http.Header) int {
					if a.id == "a-0" {
						return 400
					}
					return 200
				})
				r := newRig(t, rigOptions{path: path, transport: rec})
				r.send(Target{URL: "http://receiver.test/"})
				r.put(events("a", 2)...)
				time.Sleep(time.Second)
				r.stopSender()
				moved := time.Now().Add(step).UnixMilli()
				if err := r.db.Prepare(t.Context(), execAll(
					fmt.Sprintf(`UPDATE webhook_outbox SET refused_at = %d, at = %d`, moved, moved),
					fmt.Sprintf(`UPDATE webhook_receivers SET up = 0, since = %d, status = 503, error = 'answer 503'`, moved),
				)); err != nil {
					t.Fatal(err)
				}
				r.close()
				made := len(rec.all())

				again := newRig(t, rigOptions{path: path, transport: rec})
				again.send(Target{URL: "http://receiver.test/"})
				time.Sleep(time.Hour)
				if diff := cmp.Diff([]string{"a-1"}, rec.delivered()); diff != "" {
					t.Error(diff)
				}
				if s := again.status(); s.Total.Dead != 1 || !s.Receiver.Up {
					t.Errorf("%+v", s)
				}
				if n := len(rec.all()) - made; n > 10 {
					t.Errorf("%d attempts in an hour for two events", n)
				}
				again.close()
			})
		})
	}
}
