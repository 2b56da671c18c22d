package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func ids(records []Record) (out []string) {
	for _, r := range records {
		out = append(out, r.ID)
	}
	return out
}

func TestList(t *testing.T) {
	ctx := context.Background()
	r := newRig(t, rigOptions{})
	r.put(events("a", 3)...)
	r.put(Event{ID: "x", Kind: "ivr", Key: "b"})
	if n, err := r.outbox.Drop(ctx, "", "a-1"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	for _, tc := range []struct {
		filter Filter
		want   []string
	}{
		{Filter{}, []string{"x", "a-2", "a-1", "a-0"}},
		{Filter{State: "pending"}, []string{"x", "a-2", "a-0"}},
		{Filter{State: "dropped"}, []string{"a-1"}},
		{Filter{State: "dead"}, nil},
		{Filter{Kind: "ivr"}, []string{"x"}},
		{Filter{Key: "a", Limit: 2}, []string{"a-2", "a-1"}},
		{Filter{Key: "a", Before: 2}, []string{"a-0"}},
	} {
		got, err := r.outbox.List(ctx, tc.filter)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, ids(got)); diff != "" {
			t.Errorf("%+v: %s", tc.filter, diff)
		}
	}
	if _, err := r.outbox.List(ctx, Filter{State: "nonsense"}); err == nil {
		t.Error("an unknown state gave no error")
	}
	if _, err := r.outbox.Show(ctx, "", "nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("show: %v", err)
	}
	if _, err := r.outbox.Replay(ctx, "", "a-1", "nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("replay: %v", err)
	}
	if got := r.show("a-1"); got.State != "dropped" {
		t.Error("a replay that failed has changed something")
	}
}

// A dropped event goes out of the queue, its key goes on, and it is not brought back by a repeated Put.
func TestDropAndReplayWhileSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(func(a *arrival, _ http.Header) int {
			if a.id == "a-0" {
				return 500
			}
			return 200
		})
		r := newRig(t, rigOptions{transport: rec})
		r.send(Target{URL: "http://receiver.test/"})
		r.put(events("a", 3)...)
		r.put(event("b", 0))
		time.Sleep(time.Second)
		if diff := cmp.Diff([]string{"b-0"}, rec.delivered()); diff != "" {
			t.Error(diff)
		}
		if n, err := r.outbox.Drop(t.Context(), "", "a-0", "b-0"); n != 1 || err != nil {
			t.Errorf("dropped %d, %v; want only what is not delivered", n, err)
		}
		r.put(event("a", 0))
		time.Sleep(time.Second)
		if diff := cmp.Diff([]string{"b-0", "a-1", "a-2"}, rec.delivered()); diff != "" {
			t.Error(diff)
		}
		rec.setRule(nil)
		if n, err := r.outbox.Replay(t.Context(), "", "a-0", "b-0"); n != 2 || err != nil {
			t.Errorf("replayed %d, %v", n, err)
		}
		time.Sleep(time.Second)
		if diff := cmp.Diff([]string{"a-0", "b-0"}, sorted(rec.delivered()[3:])); diff != "" {
			t.Error(diff)
		}
		if s := r.status(); s.Total.Pending != 0 || s.Total.Dropped != 1 {
			t.Errorf("status %+v", s.Total)
		}
		r.close()
	})
}

// Another process repairs the queue on the same file while the daemon runs.
func TestToolBesideTheDaemon(t *testing.T) {
	rec := newReceiver(func(a *arrival, _ http.Header) int {
		if a.key == "a" {
			return 400
		}
		return 200
	})
	srv := serve(t, rec)
	r := newRig(t, rigOptions{})
	r.send(Target{URL: srv.URL, PoisonAttempts: 1, PoisonSpan: time.Nanosecond, RetryMax: 10 * time.Millisecond})
	r.put(event("a", 0), event("a", 1))
	r.waitFor("dead letters", func() bool { return r.status().Total.Dead == 2 })
	rec.setRule(nil)
	tool, err := sqlite.Open(t.Context(), sqlite.Options{Path: r.path, Tool: true})
	if err != nil {
		t.Fatal(err)
	}
	outbox, err := NewOutbox(t.Context(), tool, OutboxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := outbox.Status(t.Context()); err != nil || s.Total.Dead != 2 {
		t.Errorf("status %+v, %v", s.Total, err)
	}
	if n, err := outbox.Drop(t.Context(), "", "a-0"); n != 1 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
	if n, err := outbox.Replay(t.Context(), ""); n != 1 || err != nil {
		t.Errorf("replayed %d, %v", n, err)
	}
	if err := tool.Close(); err != nil {
		t.Fatal(err)
	}
	r.waitFor("the replayed event", func() bool { return slices.Contains(rec.delivered(), "a-1") })
}

// When the file is full, history goes first, then what waits by weight, the oldest first, and what must stay stays.
func TestFullFile(t *testing.T) {
	rec := newReceiver(nil)
	srv := serve(t, rec)
	r := newRig(t, rigOptions{maxSize: 4 << 20})
	body := make([]byte, 8000)
	fill := func(kind string, weight, n int) {
		for i := range n {
			r.put(Event{ID: fmt.Sprintf("%s-%d", kind, i), Kind: kind, Key: fmt.Sprint(kind, i), Body: body, Weight: weight})
		}
	}
	fill("old", Never, 100)
	r.send(Target{URL: srv.URL})
	r.waitFor("delivery", func() bool { return r.status().Total.Delivered == 100 })
	r.settle()
	r.stopSender()
	fill("status", 1, 250)
	fill("ivr", 2, 150)
	byKind := func() map[string][2]int64 {
		out := map[string][2]int64{}
		for _, k := range r.status().Kinds {
			out[k.Kind] = [2]int64{k.Pending, k.Lost}
		}
		return out
	}
	if left, err := r.outbox.List(context.Background(), Filter{State: "delivered"}); err != nil || len(left) == 100 || byKind()["status"][1] != 0 {
		t.Errorf("%d delivered kept, %v: history must go before anything that waits", len(left), byKind())
	}
	fill("cdr", Never, 380)
	got := byKind()
	if got["status"][0] != 0 || got["ivr"][0] == 150 || got["ivr"][1] == 0 || got["cdr"] != [2]int64{380, 0} {
		t.Errorf("pending and lost by kind: %v", got)
	}
	if s := r.db.Stats(); s.FileBytes > s.MaxSize {
		t.Errorf("file has %d bytes, bound is %d", s.FileBytes, s.MaxSize)
	}
	again := newReceiver(nil)
	srv2 := serve(t, again)
	r.send(Target{URL: srv2.URL})
	r.waitFor("drain", func() bool { return r.status().Total.Pending == 0 })
	n := 0
	for _, id := range again.delivered() {
		if id[:3] == "cdr" {
			n++
		}
	}
	if n != 380 {
		t.Errorf("%d call records arrived, want all 380", n)
	}
}

// A file full of what must stay holds new events back in memory until delivery has made room; none is lost.
func TestFullOfWhatMustStay(t *testing.T) {
	rec := newReceiver(nil)
	srv := serve(t, rec)
	r := newRig(t, rigOptions{maxSize: 2 << 20})
	const n = 500
	acked := make(chan error, n)
	for i := range n {
		r.outbox.Put([]Event{{ID: fmt.Sprint("c", i), Kind: "cdr", Key: fmt.Sprint(i), Body: make([]byte, 8000), Weight: Never}}, func(err error) { acked <- err })
	}
	r.waitFor("the full file", func() bool { return r.db.Stats().LastError != nil })
	if s := r.db.Stats(); s.QueuedBytes == 0 {
		t.Error("nothing waits in memory")
	}
	r.send(Target{URL: srv.URL})
	for range n {
		if err := <-acked; err != nil {
			t.Fatal(err)
		}
	}
	r.waitFor("delivery", func() bool { return r.status().Total.Delivered == n })
	if got := len(rec.delivered()); got != n {
		t.Errorf("%d arrived, want %d", got, n)
	}
}
