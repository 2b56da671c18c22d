package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDeliver(t *testing.T) {
	rec := newReceiver(nil)
	srv := serve(t, rec)
	r := newRig(t, rigOptions{})
	r.send(Target{URL: srv.URL, Secrets: []string{"one", "whsec_dHdv"}, UserAgent: "dialbridge/1.2"})
	r.put(events("a", 3)...)
	r.waitFor("delivery", func() bool { return len(rec.delivered()) == 3 })
	if diff := cmp.Diff([]string{"a-0", "a-1", "a-2"}, rec.delivered()); diff != "" {
		t.Error(diff)
	}
	a := rec.all()[0]
	for name, want := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "User-Agent": "dialbridge/1.2", "Idempotency-Key": "a-0", "Webhook-Id": "a-0",
		"Webhook-Signature": sign([][]byte{[]byte("one"), []byte("two")}, "a-0", mustUnix(t, a.header.Get("Webhook-Timestamp")), a.body),
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	got := r.show("a-0")
	if got.State != "delivered" || got.Attempts != 1 || got.LastStatus != 200 || got.LastError != "" {
		t.Errorf("stored as %+v", got)
	}
	if s := r.status(); s.Total.Delivered != 3 || s.Total.Pending != 0 || !s.Oldest.IsZero() || !s.Receiver.Up {
		t.Errorf("status %+v", s)
	}
}

func TestRepeatedPutIsIgnored(t *testing.T) {
	rec := newReceiver(nil)
	srv := serve(t, rec)
	r := newRig(t, rigOptions{})
	r.put(event("a", 0), event("a", 0))
	r.put(event("a", 0))
	r.send(Target{URL: srv.URL})
	r.waitFor("delivery", func() bool { return r.status().Total.Delivered == 1 })
	r.put(event("a", 0), event("a", 1))
	r.waitFor("delivery", func() bool { return r.status().Total.Delivered == 2 })
	if diff := cmp.Diff([]string{"a-0", "a-1"}, rec.delivered()); diff != "" {
		t.Error(diff)
	}
	if s := r.status(); s.Total.Duplicates != 3 {
		t.Errorf("%d duplicates counted, want 3", s.Total.Duplicates)
	}
}

func TestPutRefusesTheUnsendable(t *testing.T) {
	r := newRig(t, rigOptions{})
	for name, e := range map[string]Event{
		"no id": {}, "line break": {ID: "a\r\nb"}, "not ASCII": {ID: "ä"}, "long id": {ID: strings.Repeat("x", 256)},
		"huge": {ID: "x", Body: make([]byte, maxBody+1)},
	} {
		result := make(chan error, 1)
		r.outbox.Put([]Event{event("good", 1), e}, func(err error) { result <- err })
		if err := <-result; !errors.Is(err, ErrEvent) {
			t.Errorf("%s: %v, want ErrEvent", name, err)
		}
	}
	if s := r.status(); s.Total.Pending != 0 {
		t.Errorf("%d events stored, want none: a Put is all or nothing", s.Total.Pending)
	}
}

func TestBodiesAreSentAsTheyAre(t *testing.T) {
	bodies := map[string][]byte{
		"empty": {}, "nil": nil, "latin": {0xff, 0xfe, 0, '"', 0x80}, "controls": []byte("{\"a\":\"\x00\x01\r\n\"}"),
		"1MB": bytes.Repeat([]byte("0123456789abcdef"), 1<<16),
	}
	rec := newReceiver(nil)
	srv := serve(t, rec)
	r := newRig(t, rigOptions{})
	r.send(Target{URL: srv.URL})
	for id, body := range bodies {
		r.put(Event{ID: id, Body: body})
	}
	r.waitFor("delivery", func() bool { return len(rec.delivered()) == len(bodies) })
	for _, a := range rec.all() {
		if want := bodies[a.id]; !bytes.Equal(a.body, want) {
			t.Errorf("%s arrived with %d bytes, want %d", a.id, len(a.body), len(want))
		}
	}
}

// Order holds within every key whatever fails, and every event arrives.
func TestOrderUnderRandomFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		statuses := []int{200, 200, 200, 200, 503, 0, 429, 302, 404, 418}
		rec := newReceiver(func(*arrival, http.Header) int { return statuses[rng.IntN(len(statuses))] })
		r := newRig(t, rigOptions{transport: rec})
		r.send(Target{URL: "http://receiver.test/hook"})
		const keys, each = 40, 50
		for n := range each {
			for k := range keys {
				r.put(event(string(rune('A'+k)), n))
			}
		}
		for r.status().Total.Delivered < keys*each {
			time.Sleep(time.Second)
		}
		r.close()
		next := map[string]int{}
		for _, a := range rec.all() {
			if a.n != next[a.key] {
				t.Fatalf("event %d of key %s was sent while %d had not ended", a.n, a.key, next[a.key])
			}
			if a.status == 200 {
				next[a.key]++
			}
		}
	})
}

// A key that fails holds up no other, however much of it waits.
func TestStuckKeyHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(func(a *arrival, _ http.Header) int {
			if a.key == "stuck" {
				return 500
			}
			return 200
		})
		r := newRig(t, rigOptions{transport: rec})
		r.put(events("stuck", 5000)...)
		for i := range 100 {
			r.put(events(fmt.Sprintf("k%d", i), 20)...)
		}
		start := time.Now()
		r.send(Target{URL: "http://receiver.test/", Concurrency: 4})
		for r.status().Total.Delivered < 2000 {
			time.Sleep(100 * time.Millisecond)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("others took %v", d)
		}
		rec.setRule(nil)
		for r.status().Total.Pending > 0 {
			time.Sleep(time.Second)
		}
		if n := len(rec.delivered()); n != 7000 {
			t.Errorf("%d delivered, want 7000", n)
		}
		r.close()
	})
}

func TestReconfigureWhileRunning(t *testing.T) {
	one, two := newReceiver(nil), newReceiver(nil)
	first, second := serve(t, one), serve(t, two)
	r := newRig(t, rigOptions{})
	r.send(Target{}) // no URL: held
	r.put(event("a", 0))
	if err := r.sender.Configure(Target{URL: "ftp://user:secret@host/"}); !errors.Is(err, ErrURL) || strings.Contains(err.Error(), "secret") {
		t.Errorf("bad URL: %v", err)
	}
	if err := r.sender.Configure(Target{URL: first.URL, Secrets: []string{"whsec_***"}}); !errors.Is(err, ErrSecret) {
		t.Errorf("bad secret: %v", err)
	}
	if len(one.all()) != 0 {
		t.Error("sent without a URL")
	}
	for _, step := range []struct {
		url string
		rec *receiver
		n   int
	}{{first.URL, one, 1}, {second.URL, two, 2}} {
		if err := r.sender.Configure(Target{URL: step.url}); err != nil {
			t.Fatal(err)
		}
		r.put(event("a", step.n))
		r.waitFor("delivery", func() bool { return r.status().Total.Pending == 0 })
		if len(step.rec.delivered()) == 0 {
			t.Errorf("nothing arrived at %s", step.url)
		}
	}
}

func TestRestartSendsWhatWaits(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.put(events("a", 2000)...)
	r.close()
	rec := newReceiver(nil)
	srv := serve(t, rec)
	again := newRig(t, rigOptions{path: r.path})
	again.send(Target{URL: srv.URL})
	again.waitFor("delivery", func() bool { return again.status().Total.Delivered == 2000 })
	for i, a := range rec.all() {
		if a.n != i {
			t.Fatalf("arrival %d is event %d", i, a.n)
		}
	}
}

// What is in flight at the end is waited for and recorded, so that a clean restart makes no duplicates.
func TestCleanEndMakesNoDuplicates(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	rec := newReceiver(nil)
	srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		close(entered)
		<-leave
		rec.ServeHTTP(w, req)
	}))
	r := newRig(t, rigOptions{})
	r.send(Target{URL: srv.URL})
	r.put(event("a", 0))
	<-entered
	time.AfterFunc(20*time.Millisecond, func() { close(leave) })
	r.close()
	again := newRig(t, rigOptions{path: r.path})
	if s := again.status(); s.Total.Delivered != 1 || s.Total.Pending != 0 {
		t.Errorf("after the restart %+v", s.Total)
	}
}

func TestHistoryIsKeptAndPurged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(nil)
		r := newRig(t, rigOptions{transport: rec, keep: time.Hour})
		r.send(Target{URL: "http://receiver.test/"})
		r.put(events("a", 1200)...)
		time.Sleep(50 * time.Minute)
		if got := r.show("a-0"); got.State != "delivered" {
			t.Errorf("state %s", got.State)
		}
		time.Sleep(20 * time.Minute)
		if _, err := r.outbox.Show(context.Background(), "", "a-0"); !errors.Is(err, ErrUnknown) {
			t.Errorf("still there after Keep: %v", err)
		}
		left, err := r.outbox.List(context.Background(), Filter{})
		if err != nil || len(left) != 0 {
			t.Errorf("%d rows left, %v", len(left), err)
		}
		r.close()
	})
}
