package webhook

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Every status has its verdict: 2xx is delivery, seven are the event's own fault, everything else is the endpoint's.
func TestEveryStatus(t *testing.T) {
	own := map[int]bool{400: true, 409: true, 411: true, 413: true, 415: true, 422: true, 431: true}
	for status := 100; status <= 999; status++ {
		want := failed
		switch {
		case status >= 200 && status < 300:
			want = delivered
		case own[status]:
			want = refused
		}
		if got := judge(status); got != want {
			t.Errorf("%d: verdict %d, want %d", status, got, want)
		}
	}
}

// The same through the whole sender: what the file says of the event after one attempt.
func TestEveryStatusOnTheWire(t *testing.T) {
	statuses := []int{}
	for s := 200; s <= 599; s++ {
		if http.StatusText(s) != "" || s%100 == 99 {
			statuses = append(statuses, s)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(nil)
		r := newRig(t, rigOptions{transport: rec})
		r.send(Target{URL: "http://receiver.test/"})
		for _, status := range statuses {
			rec.setRule(func(a *arrival, _ http.Header) int {
				if a.key == "probe" {
					return 200
				}
				return status
			})
			id := "s" + http.StatusText(status)
			id = strings.NewReplacer(" ", "", "'", "").Replace(id) + string(rune('0'+status/100)) + string(rune('0'+status%10))
			r.put(Event{ID: id, Kind: "cdr", Key: id, Body: []byte("{}")})
			time.Sleep(time.Second)
			got := r.show(id)
			want := "pending"
			if judge(status) == delivered {
				want = "delivered"
			}
			if got.State != want || got.Attempts != 1 || got.LastStatus != status {
				t.Errorf("%d: %+v, want one attempt and %s", status, got, want)
			}
			if want == "pending" && (len(got.Tries) != 1 || !strings.Contains(got.LastError, "answer")) {
				t.Errorf("%d: tries %+v, error %q", status, got.Tries, got.LastError)
			}
			rec.setRule(nil)
			for r.status().Total.Pending > 0 {
				time.Sleep(time.Second)
			}
		}
		r.close()
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		value string
		want  time.Duration
		ok    bool
	}{
		{"", 0, false},
		{"7", 7 * time.Second, true},
		{" 7 ", 7 * time.Second, true},
		{"0", time.Second, true},
		{"900", 15 * time.Minute, true},
		{"3600", 15 * time.Minute, true},
		{"99999999999", 15 * time.Minute, true},
		{"9223372037", 15 * time.Minute, true},
		{"9223372036854775808", 15 * time.Minute, true},
		{strings.Repeat("9", 400), 15 * time.Minute, true},
		{"-1", time.Second, true},
		{"-99999999999", time.Second, true},
		{"1.5", 0, false},
		{"soon", 0, false},
		{"-", 0, false},
		{"Mon, 04 May 2026 12:00:30 GMT", 30 * time.Second, true},
		{"Mon, 04 May 2099 12:00:30 GMT", 15 * time.Minute, true},
		{"Mon, 04 May 1999 12:00:30 GMT", time.Second, true},
	} {
		got, ok := retryAfter(http.Header{"Retry-After": {tc.value}}, now)
		if got != tc.want || ok != tc.ok {
			t.Errorf("%q: %v %v, want %v %v", tc.value, got, ok, tc.want, tc.ok)
		}
	}
}

func TestBackoffDoublesToItsBound(t *testing.T) {
	for n := 1; n < 200; n++ {
		ideal := math.Min(2*math.Pow(2, float64(n-1)), 60) * float64(time.Second)
		for range 50 {
			got := float64(backoff(n, time.Minute))
			if got < .8*ideal-1 || got > 1.2*ideal+1 || got > float64(time.Minute) {
				t.Fatalf("try %d: %v, want about %v", n, time.Duration(got), time.Duration(ideal))
			}
		}
	}
	if got := backoff(1, time.Millisecond); got > time.Millisecond {
		t.Errorf("%v is longer than the bound", got)
	}
}

// gaps sends one event to a receiver that answers by the rule and returns the waits between its attempts.
func gaps(t *testing.T, n int, target Target, rule func(*arrival, http.Header) int) (waits []time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(rule)
		r := newRig(t, rigOptions{transport: rec})
		target.URL = "http://receiver.test/"
		r.send(target)
		r.put(event("a", 0))
		for len(rec.all()) <= n {
			time.Sleep(10 * time.Millisecond)
		}
		r.close()
		all := rec.all()
		for i := range n {
			waits = append(waits, all[i+1].at.Sub(all[i].at))
		}
	})
	return waits
}

func TestRetryAfterIsObeyed(t *testing.T) {
	for value, want := range map[string]time.Duration{"7": 7 * time.Second, "3600": 15 * time.Minute, "99999999999": 15 * time.Minute, "-5": time.Second} {
		for _, got := range gaps(t, 3, Target{}, func(_ *arrival, h http.Header) int { h.Set("Retry-After", value); return 429 }) {
			if got < want || got > want+50*time.Millisecond {
				t.Errorf("Retry-After %s: waited %v, want %v", value, got, want)
			}
		}
	}
	first := gaps(t, 1, Target{}, func(_ *arrival, h http.Header) int { h.Set("Retry-After", "soon"); return 503 })[0]
	if first < 1600*time.Millisecond || first > 2500*time.Millisecond {
		t.Errorf("garbage in Retry-After: waited %v, want the usual 2 s", first)
	}
}

// Alone in the world, an event is tried after 2, 4, 8 ... and from the tenth failure on as a probe after 2, 5, 10, 30 s, then
// every minute.
func TestScheduleOfAnOutage(t *testing.T) {
	waits := gaps(t, 20, Target{}, func(*arrival, http.Header) int { return 0 })
	ideal := []float64{2, 4, 8, 16, 32, 60, 60, 60, 60, 2, 5, 10, 30, 60, 60, 60, 60, 60, 60, 60}
	for i, got := range waits {
		if s := got.Seconds(); s < .8*ideal[i] || s > min(1.2*ideal[i], 60)+.1 {
			t.Errorf("wait %d: %.2f s, want about %v s", i+1, s, ideal[i])
		}
	}
}
