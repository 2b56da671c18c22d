package webhook

import (
	"fmt"
	"os"
	"testing"
)

// After a recovery the counters agree with what is left, the gap is told, and all that is left is delivered.
func TestRecoveredQueue(t *testing.T) {
	r := newRig(t, rigOptions{})
	const n = 300
	for i := range n {
		r.put(Event{ID: fmt.Sprint("e", i), Kind: "cdr", Key: fmt.Sprint(i), Body: make([]byte, 1500), Weight: Never})
	}
	r.close()
	content, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	for at := len(content) / 2 / page * page; ; at += page { // a leaf of the events, in the middle
		if content[at] == 0x0d {
			clear(content[at : at+page])
			break
		}
	}
	for path, content := range map[string][]byte{r.path: content, r.path + ".suspect": {}} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := newRig(t, rigOptions{path: r.path, recover: true})
	s := again.status()
	counts, err := again.outbox.Count(t.Context(), Filter{State: "pending"})
	if err != nil || int64(counts["cdr"]) != s.Total.Pending || s.Total.Pending < n-10 || s.Total.Pending == n {
		t.Errorf("%d pending by the counters, %v by the rows, %v; want a few less than %d", s.Total.Pending, counts, err, n)
	}
	if len(s.Gaps) != 1 || !s.Gaps[0].Since.IsZero() {
		t.Errorf("gaps %+v", s.Gaps)
	}
	rec := newReceiver(nil)
	srv := serve(t, rec)
	again.send(Target{URL: srv.URL})
	again.waitFor("delivery", func() bool { return again.status().Total.Pending == 0 })
	if got := len(rec.delivered()); int64(got) != s.Total.Pending {
		t.Errorf("%d delivered, want %d", got, s.Total.Pending)
	}
}

// What could be saved completely is no gap.
func TestRecoveredWithoutLoss(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.put(events("a", 100)...)
	r.close()
	f, err := os.OpenFile(r.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("not SQLite's name"), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	again := newRig(t, rigOptions{path: r.path, recover: true})
	if s := again.status(); s.Total.Pending != 100 || s.AllGaps != 0 {
		t.Errorf("%+v", s)
	}
}
