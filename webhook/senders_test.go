package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// senders replaces the rig's one sender by one for each target, and runs them.
func (r *rig) senders(targets ...Target) *Senders {
	r.t.Helper()
	s := NewSenders(r.outbox, r.sender.opts)
	if err := s.Configure(context.Background(), targets); err != nil {
		r.t.Fatal(err)
	}
	r.stopSender = background(r.t, s.Run)
	return s
}

func (r *rig) of(name string) ReceiverStatus {
	r.t.Helper()
	for _, s := range r.status().Receivers {
		if s.Name == name {
			return s
		}
	}
	r.t.Fatalf("no receiver %s in %+v", name, r.status().Receivers)
	return ReceiverStatus{}
}

// inOrder holds that the first arrivals of each key came in order.
func inOrder(t *testing.T, who string, rec *receiver) {
	t.Helper()
	seen, last := map[string]bool{}, map[string]int{}
	for _, a := range rec.all() {
		if seen[a.id] || a.status/100 != 2 {
			continue
		}
		seen[a.id] = true
		if n, known := last[a.key]; known && a.n < n {
			t.Errorf("%s: key %s: event %d arrived after %d", who, a.key, a.n, n)
		}
		last[a.key] = a.n
	}
}

// One receiver is down and the other one goes on as if it were alone; each has its own order, state and counters.
func TestReceiversDoNotHinderEachOther(t *testing.T) {
	var up atomic.Bool
	first, second := newReceiver(nil), newReceiver(func(*arrival, http.Header) int {
		if up.Load() {
			return 200
		}
		return 503
	})
	r := newRig(t, rigOptions{})
	r.senders(Target{URL: serve(t, first).URL}, Target{Receiver: "wall", URL: serve(t, second).URL, RetryMax: 50 * time.Millisecond})
	const keys, each = 40, 5
	for n := range each {
		for k := range keys {
			r.put(event(fmt.Sprint("call", k), n))
		}
	}
	r.waitFor("all at the first", func() bool { return r.of(Default).Total.Delivered == keys*each })
	r.waitFor("the outage of the second", func() bool { return !r.of("wall").State.Up })
	if s := r.of("wall"); s.Total.Pending != keys*each || s.Oldest.IsZero() || s.State.LastStatus != 503 || !r.of(Default).State.Up || r.of(Default).State.Failures != 0 {
		t.Errorf("%+v\n%+v", s, r.of(Default))
	}
	up.Store(true)
	r.waitFor("all at the second", func() bool { return r.of("wall").Total.Delivered == keys*each })
	for who, rec := range map[string]*receiver{"first": first, "second": second} {
		inOrder(t, who, rec)
		if got := len(rec.delivered()); got != keys*each {
			t.Errorf("%s: %d delivered, want %d", who, got, keys*each)
		}
	}
	if log := r.log.String(); strings.Count(log, "receiver is down") != 1 || !strings.Contains(log, "failures=10") || !strings.Contains(log, "receiver=wall") {
		t.Errorf("log:\n%s", log)
	}
}

// What a receiver gets is chosen by kind; a signature is its own.
func TestReceiverGetsItsKinds(t *testing.T) {
	all, some := newReceiver(nil), newReceiver(nil)
	r := newRig(t, rigOptions{})
	r.senders(Target{URL: serve(t, all).URL, Secrets: []string{"first"}},
		Target{Receiver: "billing", URL: serve(t, some).URL, Kinds: []string{"cdr", "cc_cdr"}})
	for i, kind := range []string{"dialbegin", "cdr", "hangup", "cc_cdr", "ivr"} {
		r.put(Event{ID: fmt.Sprint("e", i), Kind: kind, Key: "1.1", Body: []byte("{}")})
	}
	r.waitFor("delivery", func() bool { return r.status().Total.Delivered == 7 })
	if diff := cmp.Diff([]string{"e1", "e3"}, some.delivered()); diff != "" || len(all.delivered()) != 5 {
		t.Errorf("%s\n%v", diff, all.delivered())
	}
	if h := some.all()[0].header; h.Get("webhook-signature") != "" || all.all()[0].header.Get("webhook-signature") == "" {
		t.Error("signed with another's secret, or not at all")
	}
}

// The dead letter of one receiver is neither seen nor touched by the other, and is replayed to its own alone.
func TestDeadLetterOfOneReceiver(t *testing.T) {
	first, second := newReceiver(nil), newReceiver(func(a *arrival, _ http.Header) int {
		if a.id == "a-0" {
			return 422
		}
		return 200
	})
	r := newRig(t, rigOptions{})
	r.senders(Target{URL: serve(t, first).URL}, Target{
		Receiver: "wall", URL: serve(t, second).URL, PoisonAttempts: 1, PoisonSpan: time.Nanosecond, RetryMax: 10 * time.Millisecond,
	})
	r.put(events("a", 2)...)
	r.waitFor("the end of all", func() bool { s := r.status().Total; return s.Dead == 1 && s.Delivered == 3 })
	if _, err := r.outbox.Replay(t.Context(), "", "a-0"); !errors.Is(err, ErrFilter) || !strings.Contains(err.Error(), "a-0 is stored for default, wall") {
		t.Errorf("replay for whom? %v", err)
	}
	if _, err := r.outbox.Replay(t.Context(), "nobody", "a-0"); !errors.Is(err, ErrFilter) {
		t.Errorf("%v", err)
	}
	got, err := r.outbox.Show(t.Context(), "wall", "a-0")
	if err != nil || got.State != "dead" || got.Receiver != "wall" || len(got.Also) != 1 || len(got.Tries) == 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = r.outbox.Show(t.Context(), "", "a-0"); err != nil || got.State != "delivered" || got.Receiver != Default {
		t.Errorf("%+v, %v", got, err)
	}
	list, err := r.outbox.List(t.Context(), Filter{Receiver: "wall", State: "dead"})
	if err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	second.setRule(nil)
	if n, err := r.outbox.Replay(t.Context(), ""); n != 1 || err != nil {
		t.Errorf("%d replayed, %v", n, err)
	}
	r.waitFor("the replayed one", func() bool { return r.of("wall").Total.Delivered == 2 })
	if n := len(first.all()); n != 2 {
		t.Errorf("%d arrivals at the first, want 2", n)
	}
}

// A receiver that is taken away gets nothing more, and loses nothing: what waits is told, and sent when it is back, also by another process.
func TestReceiverRemovedAndBack(t *testing.T) {
	first, second := newReceiver(nil), newReceiver(func(*arrival, http.Header) int { return 503 })
	one, two := Target{URL: serve(t, first).URL}, Target{Receiver: "wall", URL: serve(t, second).URL, RetryMax: 10 * time.Millisecond}
	r := newRig(t, rigOptions{})
	s := r.senders(one, two)
	r.put(events("a", 3)...)
	r.waitFor("an attempt at the second", func() bool { return len(second.all()) > 0 })
	if err := s.Configure(t.Context(), []Target{one}); err != nil {
		t.Fatal(err)
	}
	r.put(event("a", 3))
	r.waitFor("all at the first", func() bool { return r.of(Default).Total.Delivered == 4 })
	if got := r.of("wall"); got.Configured || got.Total.Pending != 3 {
		t.Errorf("%+v", got)
	}
	if _, err := s.Named("wall"); !errors.Is(err, ErrReceiver) {
		t.Errorf("%v", err)
	}
	second.setRule(nil)
	r.close()
	if got := second.delivered(); len(got) != 0 {
		t.Errorf("%v arrived at a receiver that is not configured", got)
	}

	again := newRig(t, rigOptions{path: r.path})
	if got := again.of("wall"); got.Configured || got.Total.Pending != 3 {
		t.Errorf("%+v", got)
	}
	s = again.senders(one)
	if err := s.Configure(t.Context(), []Target{one, two}); err != nil { // while it runs
		t.Fatal(err)
	}
	again.put(event("a", 4))
	again.waitFor("all that waited", func() bool { return again.of("wall").Total.Delivered == 4 })
	if diff := cmp.Diff([]string{"a-0", "a-1", "a-2", "a-4"}, second.delivered()); diff != "" {
		t.Error(diff)
	}
	bad := two
	bad.URL = "nonsense"
	if err := s.Configure(t.Context(), []Target{bad}); !errors.Is(err, ErrURL) || !again.of(Default).Configured {
		t.Errorf("%v; a target that cannot be used must change nothing", err)
	}
	if err := s.Configure(t.Context(), []Target{one, two, two}); !errors.Is(err, ErrReceiver) {
		t.Errorf("%v", err)
	}
}

// Whoever reads events sees each once, and a cursor holds, whichever receivers there are and were.
func TestReadTellsEachEventOnce(t *testing.T) {
	r := newRig(t, rigOptions{})
	subscribe := func(names ...string) {
		t.Helper()
		var list []Subscription
		for _, name := range names {
			list = append(list, Subscription{Receiver: name})
		}
		if err := r.outbox.Subscribe(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	r.put(event("a", 0))
	subscribe(Default, "wall")
	r.put(event("a", 0), event("a", 1))
	subscribe("wall", "third")
	r.put(event("a", 2))
	subscribe(Default)
	r.put(event("a", 2), event("a", 3))
	var got []string
	for after := ""; ; {
		page, err := r.outbox.Read(t.Context(), ReadFilter{After: after, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		after = page[0].ID
		got = append(got, after+" "+page[0].Receiver)
	}
	if diff := cmp.Diff([]string{"a-0 default", "a-1 default", "a-2 wall", "a-3 default"}, got); diff != "" {
		t.Error(diff)
	}
	list, err := r.outbox.List(t.Context(), Filter{State: "pending", Limit: 3})
	if diff := cmp.Diff([]string{"a-3", "a-2", "a-2"}, ids(list)); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if n, err := r.outbox.DropWhere(t.Context(), Filter{Receiver: "wall"}, nil); n != 3 || err != nil {
		t.Errorf("%d dropped, %v", n, err)
	}
	if s := r.status(); s.Total.Pending != 5 || s.Total.Dropped != 3 {
		t.Errorf("%+v", s.Total)
	}
}

// oldFile is a file as it was before there were several receivers.
func oldFile(t *testing.T, maxSize int64, fill func(*sql.Tx) error) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, MaxSize: maxSize, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Migrate(t.Context(), "webhook", schema[:3]), db.Prepare(t.Context(), fill)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

const oldRows = `INSERT INTO webhook_outbox (id, event_id, kind, key, body, at, newest, weight, ttl, state, attempts, done_at)
	WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
	SELECT 1000 + i, 'a-' || i, 'cdr', 'a', '{"key":"a","n":' || i || '}' || printf('%%%ds', ''), 0, 0, 2147483647, 0, 0, 0, NULL FROM n`

// A file from before keeps all: what waits, its failed attempts, the counters, the outage, and the place from which ids go on.
func TestFileFromBeforeSeveralReceivers(t *testing.T) {
	const n = 700
	path := oldFile(t, 0, execAll(fmt.Sprintf(oldRows, n-1, 0),
		`UPDATE webhook_outbox SET state = 2, attempts = 2, last_at = 5, last_status = 422 WHERE id = 1000`,
		`UPDATE webhook_outbox SET state = 1, done_at = 1 WHERE id = 1001`,
		`INSERT INTO webhook_attempts VALUES (1000, 1, 5, 6, 422, 'answer 422'), (1000, 2, 7, 8, 422, 'answer 422')`,
		fmt.Sprintf(`INSERT INTO webhook_counts (kind, weight, pending, dead, delivered, lost) VALUES ('cdr', 2147483647, %d, 1, 1, 9)`, n-2),
		`INSERT INTO webhook_receiver VALUES (1, 0, 1234567, 503, 'answer 503')`,
		`UPDATE sqlite_sequence SET seq = 5000 WHERE name = 'webhook_outbox'`))
	r := newRig(t, rigOptions{path: path, keep: 1000 * time.Hour})
	s := r.of(Default)
	if s.Total.Pending != n-2 || s.Total.Dead != 1 || s.Total.Lost != 9 || s.State.Up || s.State.LastStatus != 503 || s.State.Since.UnixMilli() != 1234567 {
		t.Errorf("%+v", s)
	}
	if dead := r.show("a-0"); len(dead.Tries) != 2 || dead.LastStatus != 422 || dead.Seq != 1000 {
		t.Errorf("%+v", dead)
	}
	if got, err := r.outbox.Read(t.Context(), ReadFilter{After: "a-1", Limit: 2}); err != nil || len(got) != 2 || got[0].ID != "a-2" {
		t.Errorf("%+v, %v", got, err)
	}
	r.put(event("b", 0))
	if got := r.show("b-0"); got.Seq != 5001 {
		t.Errorf("the new event is row %d, want 5001", got.Seq)
	}
	rec := newReceiver(nil)
	r.senders(Target{URL: serve(t, rec).URL})
	r.waitFor("delivery", func() bool { return r.of(Default).Total.Pending == 0 })
	inOrder(t, "after the upgrade", rec)
	if got := len(rec.delivered()); got != n-1 {
		t.Errorf("%d delivered, want %d", got, n-1)
	}
}

// A full file has no room for a second copy of itself.
func TestFullFileFromBefore(t *testing.T) {
	const size, n = 16 << 20, 3500 // of 4 KB each: seven eighths
	path := oldFile(t, size, execAll(fmt.Sprintf(oldRows, n-1, 3800), fmt.Sprintf(`INSERT INTO webhook_counts (kind, weight, pending) VALUES ('cdr', 2147483647, %d)`, n)))
	r := newRig(t, rigOptions{path: path, maxSize: size})
	if s := r.status(); s.Total.Pending != n || s.FileBytes > size || s.FileBytes < size*3/4 {
		t.Errorf("%+v", s)
	}
}

// TestKillWithTwoReceivers kills the daemon at random moments while one receiver fails often.
func TestKillWithTwoReceivers(t *testing.T) {
	first, second := newReceiver(nil), newReceiver(nil)
	second.setRule(failing(30))
	dir, url, other := t.TempDir(), slowly(t, first), slowly(t, second)
	var acked []string
	for range 6 {
		acked = append(acked, endedRun(t, dir, url, syscall.SIGKILL, "WEBHOOK_TEST_SECOND="+other)...)
	}
	second.setRule(nil)
	r := newRig(t, rigOptions{path: filepath.Join(dir, "test.db")})
	r.senders(Target{URL: url}, Target{Receiver: "second", URL: other})
	for left := r.status().Total.Pending; left > 0; left = r.status().Total.Pending {
		r.waitFor("drain", func() bool { return r.status().Total.Pending < left })
	}
	for who, rec := range map[string]*receiver{"first": first, "second": second} {
		inOrder(t, who, rec)
		seen := map[string]bool{}
		for _, id := range rec.delivered() {
			seen[id] = true
		}
		for _, id := range acked {
			if !seen[id] {
				t.Errorf("%s: event %s was acknowledged and never arrived", who, id)
			}
		}
	}
	t.Logf("6 kills, %d acknowledged for two receivers", len(acked))
}
