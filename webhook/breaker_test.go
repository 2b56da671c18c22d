package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Three days of outage: no more than a probe a minute, nothing lost, and an end within a bit more than a minute after the
// receiver is back.
func TestLongOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(func(*arrival, http.Header) int { return 0 })
		r := newRig(t, rigOptions{transport: rec})
		r.send(Target{URL: "http://receiver.test/"})
		for n := range 5 {
			for k := range 200 {
				r.put(event(fmt.Sprintf("k%d", k), n))
			}
		}
		time.Sleep(72 * time.Hour)
		attempts := len(rec.all())
		if limit := 72*60*5/4 + 100; attempts < 72*60 || attempts > limit {
			t.Errorf("%d attempts in three days, want about one a minute", attempts)
		}
		s := r.sender.State()
		if s.Up || s.LastError == "" || s.NextProbe.Before(time.Now()) || time.Since(s.Since) < 71*time.Hour {
			t.Errorf("state %+v", s)
		}
		rec.setRule(nil)
		back := time.Now()
		for r.status().Total.Pending > 0 {
			time.Sleep(time.Second)
		}
		if d := time.Since(back); d > 75*time.Second {
			t.Errorf("recovered after %v", d)
		}
		if n := len(rec.delivered()); n != 1000 {
			t.Errorf("%d delivered, want each of 1000 once", n)
		}
		if s := r.sender.State(); !s.Up || s.Failures != 0 {
			t.Errorf("state %+v", s)
		}
		r.close()
	})
}

// After an outage the rate rises step by step.
func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowReceiver{receiver: newReceiver(func(*arrival, http.Header) int { return 503 })}
		r := newRig(t, rigOptions{transport: slow})
		r.send(Target{URL: "http://receiver.test/", Concurrency: 8})
		for k := range 400 {
			r.put(event(fmt.Sprintf("k%d", k), 0))
		}
		time.Sleep(time.Minute)
		slow.setRule(nil)
		for r.status().Total.Pending > 0 {
			time.Sleep(100 * time.Millisecond)
		}
		r.close()
		if diff := cmp.Diff([]int{1, 2, 4, 8}, slow.levels()); diff != "" {
			t.Errorf("requests in flight over time (-want +got):\n%s", diff)
		}
	})
}

// slowReceiver takes 100 ms for a success and notes how many were in flight each time that is a new maximum.
type slowReceiver struct {
	*receiver
	now, max int
	maxima   []int
}

func (s *slowReceiver) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	ok := s.rule == nil
	s.now++
	if ok && s.now > s.max {
		s.max = s.now
		s.maxima = append(s.maxima, s.now)
	}
	s.mu.Unlock()
	if ok {
		time.Sleep(100 * time.Millisecond)
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.now--
	}()
	return s.receiver.RoundTrip(req)
}

// levels are the powers of two among the maxima: 2 comes before 3.
func (s *slowReceiver) levels() (out []int) {
	for _, n := range s.maxima {
		if n&(n-1) == 0 {
			out = append(out, n)
		}
	}
	if s.max > 8 {
		out = append(out, s.max)
	}
	return out
}

// An endpoint that answers 500 now and then is not down.
func TestOccasionalFailuresDoNotOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		rec := newReceiver(func(*arrival, http.Header) int {
			if n++; n%3 == 0 {
				return 200
			}
			return 500
		})
		r := newRig(t, rigOptions{transport: rec})
		r.send(Target{URL: "http://receiver.test/"})
		for k := range 200 {
			r.put(event(fmt.Sprintf("k%d", k), 0))
		}
		for r.status().Total.Pending > 0 {
			time.Sleep(time.Second)
		}
		r.close()
		if strings.Contains(r.log.String(), "receiver is down") {
			t.Error("the breaker has opened although every third attempt succeeded")
		}
	})
}

// One event that the endpoint chokes on, alone, looks like an outage. The next event of another key shows that it is none.
func TestOneBadEventIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(func(a *arrival, _ http.Header) int {
			if a.key == "bad" {
				return 500
			}
			return 200
		})
		r := newRig(t, rigOptions{transport: rec})
		r.send(Target{URL: "http://receiver.test/"})
		r.put(event("bad", 0))
		time.Sleep(time.Hour)
		if r.sender.State().Up {
			t.Fatal("still up after an hour of failures")
		}
		start := time.Now()
		r.put(event("good", 0))
		for r.status().Total.Delivered == 0 {
			time.Sleep(time.Millisecond)
		}
		if d := time.Since(start); d > 10*time.Millisecond || !r.sender.State().Up {
			t.Errorf("delivered after %v, state %+v", d, r.sender.State())
		}
		r.close()
	})
}

// 401, 403, 404 and 410 for an hour: nothing dead, nothing lost.
func TestMisconfiguredEndpointLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		statuses := []int{401, 403, 404, 410, 301, 308, 405}
		n := 0
		rec := newReceiver(func(*arrival, http.Header) int { n++; return statuses[n%len(statuses)] })
		r := newRig(t, rigOptions{transport: rec})
		r.send(Target{URL: "http://receiver.test/"})
		r.put(events("a", 50)...)
		r.put(events("b", 50)...)
		time.Sleep(time.Hour)
		if s := r.status(); s.Total.Pending != 100 || s.Total.Dead != 0 || s.Receiver.Up {
			t.Errorf("status %+v", s)
		}
		rec.setRule(nil)
		time.Sleep(2 * time.Minute)
		if s := r.status(); s.Total.Delivered != 100 {
			t.Errorf("status %+v", s)
		}
		r.close()
	})
}

// One refused event becomes a dead letter after five attempts over fifteen minutes. Other keys do not notice, its own
// goes on, and a replay delivers it.
func TestPoisonedEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(func(a *arrival, _ http.Header) int {
			if a.id == "a-1" {
				return 400
			}
			return 200
		})
		r := newRig(t, rigOptions{transport: rec})
		r.send(Target{URL: "http://receiver.test/"})
		start := time.Now()
		r.put(events("a", 4)...)
		r.put(events("b", 4)...)
		time.Sleep(time.Second)
		if diff := cmp.Diff([]string{"a-0", "b-0", "b-1", "b-2", "b-3"}, sorted(rec.delivered())); diff != "" {
			t.Error(diff)
		}
		for r.status().Total.Dead == 0 {
			time.Sleep(time.Second)
		}
		if d := time.Since(start); d < 15*time.Minute || d > 16*time.Minute {
			t.Errorf("dead after %v, want 15 minutes", d)
		}
		time.Sleep(time.Second)
		got := r.show("a-1")
		if got.State != "dead" || got.Attempts != 5 || len(got.Tries) != 5 || got.LastStatus != 400 || string(got.Answer) != "said the receiver" {
			t.Errorf("dead letter %+v", got)
		}
		if s := r.status(); s.Total.Delivered != 7 || s.Total.Dead != 1 || s.Total.Pending != 0 {
			t.Errorf("status %+v", s.Total)
		}
		rec.setRule(nil)
		if n, err := r.outbox.Replay(t.Context(), ""); n != 1 || err != nil {
			t.Errorf("replayed %d, %v", n, err)
		}
		time.Sleep(time.Second)
		if got := r.show("a-1"); got.State != "delivered" || got.Attempts != 6 {
			t.Errorf("after the replay %+v", got)
		}
		if s := r.status(); s.Total.Delivered != 8 || s.Total.Dead != 0 || s.Total.Pending != 0 {
			t.Errorf("status after the replay %+v", s.Total)
		}
		r.close()
	})
}

// When everything is refused it is the endpoint: no more than twenty events die, and all the others arrive later.
func TestRefusalOfEverythingIsTheEndpoint(t *testing.T) {
	for _, keys := range []int{1, 5, 200} {
		t.Run(fmt.Sprint(keys, " keys"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := newReceiver(func(*arrival, http.Header) int { return 422 })
				r := newRig(t, rigOptions{transport: rec})
				r.send(Target{URL: "http://receiver.test/"})
				for k := range keys {
					r.put(events(fmt.Sprintf("k%d", k), 200/keys)...)
				}
				time.Sleep(6 * time.Hour)
				s := r.status()
				if s.Total.Dead > openRefusals || s.Receiver.Up {
					t.Errorf("after six hours %+v", s)
				}
				before := len(rec.all())
				time.Sleep(time.Hour)
				if n := len(rec.all()) - before; n > 80 {
					t.Errorf("%d attempts in an hour of refusals", n)
				}
				rec.setRule(nil)
				time.Sleep(2 * time.Minute)
				if got := r.status(); got.Total.Delivered != 200-s.Total.Dead || got.Total.Pending != 0 {
					t.Errorf("recovered to %+v", got.Total)
				}
				r.close()
			})
		})
	}
}

// A poisoned event at the head of the queue must not keep the breaker open.
func TestPoisonedProbeEndsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(func(*arrival, http.Header) int { return 503 })
		r := newRig(t, rigOptions{transport: rec})
		r.send(Target{URL: "http://receiver.test/"})
		r.put(event("bad", 0))
		for k := range 30 {
			r.put(event(fmt.Sprintf("k%d", k), 0))
		}
		time.Sleep(time.Hour)
		rec.setRule(func(a *arrival, _ http.Header) int {
			if a.key == "bad" {
				return 400
			}
			return 200
		})
		time.Sleep(2 * time.Minute)
		if s := r.status(); s.Total.Delivered != 30 || !s.Receiver.Up {
			t.Errorf("status %+v", s)
		}
		r.close()
	})
}

// While the receiver is down only the newest state of each key is kept; other events are all kept.
func TestNewestReplacesOlderWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(func(*arrival, http.Header) int { return 0 })
		r := newRig(t, rigOptions{transport: rec})
		r.send(Target{URL: "http://receiver.test/"})
		state := func(ext string, n int) Event {
			return Event{ID: fmt.Sprintf("%s-%d", ext, n), Kind: "extensionstatus", Key: ext, Newest: true, Body: fmt.Appendf(nil, `{"key":%q,"n":%d}`, ext, n)}
		}
		for n := range 10 { // before it is known to be down
			r.put(state("201", n), state("202", n), event("call", n))
		}
		time.Sleep(20 * time.Minute)
		if s := r.status(); s.Receiver.Up || s.Total.Pending != 12 {
			t.Errorf("after the opening %+v, want 10 calls and 2 states", s.Total)
		}
		for n := 10; n < 50; n++ {
			r.put(state("201", n), event("call", n))
			time.Sleep(10 * time.Second)
		}
		if s := r.status(); s.Total.Pending != 52 {
			t.Errorf("pending %d, want 50 calls and 2 states", s.Total.Pending)
		}
		rec.setRule(nil)
		time.Sleep(2 * time.Minute)
		got := map[string]int{}
		for _, a := range rec.all() {
			if a.status == 200 && strings.HasPrefix(a.key, "20") {
				if _, twice := got[a.key]; twice {
					t.Errorf("%s delivered twice", a.key)
				}
				got[a.key] = a.n
			}
		}
		if diff := cmp.Diff(map[string]int{"201": 49, "202": 9}, got); diff != "" {
			t.Error(diff)
		}
		s := r.status()
		if s.Total.Pending != 0 || s.Total.Delivered != 52 || s.Total.Superseded != 58 {
			t.Errorf("status %+v", s.Total)
		}
		r.put(state("201", 50), state("201", 51)) // up again: all are sent
		time.Sleep(time.Second)
		if s := r.status(); s.Total.Delivered != 54 {
			t.Errorf("status %+v", s.Total)
		}
		r.close()
	})
}

// Events that may age are given up after the TTL, the others never.
func TestTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(func(*arrival, http.Header) int { return 0 })
		r := newRig(t, rigOptions{transport: rec})
		r.send(Target{URL: "http://receiver.test/", TTL: time.Hour})
		r.put(event("cdr", 0))
		for n := range 5 {
			r.put(Event{ID: fmt.Sprint("old", n), Kind: "ivr", Key: fmt.Sprint("old", n), TTL: true, Body: []byte("{}")})
		}
		time.Sleep(2 * time.Hour)
		r.put(Event{ID: "young", Kind: "ivr", Key: "young", TTL: true, Body: []byte("{}")})
		rec.setRule(nil)
		time.Sleep(2 * time.Minute)
		if diff := cmp.Diff([]string{"cdr-0", "young"}, sorted(rec.delivered())); diff != "" {
			t.Error(diff)
		}
		if got := r.show("old3"); got.State != "expired" {
			t.Errorf("state %s", got.State)
		}
		if s := r.status(); s.Total.Expired != 5 || s.Total.Pending != 0 {
			t.Errorf("status %+v", s.Total)
		}
		r.close()
	})
}
