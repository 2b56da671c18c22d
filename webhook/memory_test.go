package webhook

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A receiver that is down stays down for the next process: since the same time, with a probe and not with ten attempts.
func TestOutageOutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(func(*arrival, http.Header) int { return 503 })
		path := filepath.Join(t.TempDir(), "test.db")
		r := newRig(t, rigOptions{path: path, transport: rec})
		r.send(Target{URL: "http://receiver.test/"})
		for _, key := range []string{"a", "b", "c", "d", "e"} {
			r.put(events(key, 3)...)
		}
		time.Sleep(time.Hour)
		before := r.sender.State()
		r.close()
		made := len(rec.all())

		again := newRig(t, rigOptions{path: path, transport: rec})
		if s := again.status().Receiver; s.Up || !s.Since.Equal(before.Since.Truncate(time.Millisecond)) || s.LastStatus != 503 {
			t.Errorf("known at the start: %+v, before %+v", s, before)
		}
		again.send(Target{URL: "http://receiver.test/"})
		time.Sleep(time.Second)
		if n := len(rec.all()) - made; n != 1 {
			t.Errorf("%d attempts at the start, want one probe", n)
		}
		if n := strings.Count(again.log.String(), "receiver is down"); n != 0 {
			t.Errorf("said %d times again that the receiver is down", n)
		}
		rec.setRule(nil)
		for again.status().Total.Pending > 0 {
			time.Sleep(time.Second)
		}
		if s := again.sender.State(); !s.Up || !strings.Contains(again.log.String(), "receiver answers again") {
			t.Errorf("%+v; log:\n%s", s, again.log)
		}
		again.close()
		third := newRig(t, rigOptions{path: path, transport: rec})
		if s := third.status().Receiver; !s.Up || s.LastError != "" || s.Since.Before(before.Since) {
			t.Errorf("known at the third start: %+v", s)
		}
		third.close()
	})
}

func TestReceiverIsUnknownUntilSomethingIsSent(t *testing.T) {
	r := newRig(t, rigOptions{})
	if s := r.status().Receiver; !s.Since.IsZero() {
		t.Errorf("%+v", s)
	}
	srv := serve(t, newReceiver(nil))
	r.send(Target{URL: srv.URL})
	r.put(event("a", 0))
	r.waitFor("delivery", func() bool { return r.status().Total.Delivered == 1 })
	r.close()
	again := newRig(t, rigOptions{path: r.path})
	if s := again.status().Receiver; s.Since.IsZero() || !s.Up {
		t.Errorf("%+v", s)
	}
}

func TestGapsAreKept(t *testing.T) {
	r := newRig(t, rigOptions{})
	until := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	var want []Gap
	for i := range shownGaps + 5 {
		g := Gap{Until: until.Add(time.Duration(i) * time.Hour), Reason: "nobody listened"}
		if i%2 == 0 {
			g.Since = g.Until.Add(-time.Minute)
		}
		if err := r.outbox.NoteGap(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		want = append(want, g)
	}
	s := r.status()
	if diff := cmp.Diff(want[5:], s.Gaps); diff != "" || s.AllGaps != len(want) {
		t.Errorf("%d gaps: %s", s.AllGaps, diff)
	}
}

// The shape that scripts and the console read.
func TestJSON(t *testing.T) {
	at := time.Date(2026, 5, 4, 14, 0, 0, 5e8, time.FixedZone("", 7200))
	for want, v := range map[string]any{
		`{"seq":7,"id":"evt_a","receiver":"default","event":"cdr","call":"1.2","state":"pending","at":"2026-05-04T12:00:00.5Z","attempts":0}`://
		Record{Seq: 7, ID: "evt_a", Receiver: "default", Kind: "cdr", Key: "1.2", State: "pending", At: at},
		`{"seq":7,"id":"evt_a","receiver":"default","event":"cdr","call":"1.2","state":"dead","at":"2026-05-04T12:00:00.5Z","attempts":2,"last_at":"2026-05-04T12:00:00.5Z",` +
			`"last_status":400,"last_error":"answer 400","answer":"no","failed":[{"n":2,"at":"2026-05-04T12:00:00.5Z","took_ms":1500,"status":400,"error":"answer 400"}],"body":{"a":1}}`: //
		Record{
			Seq: 7, ID: "evt_a", Receiver: "default", Kind: "cdr", Key: "1.2", State: "dead", At: at, Attempts: 2, LastAt: at, LastStatus: 400, LastError: "answer 400",
			Answer: []byte("no"), Body: []byte(`{"a":1}`), Tries: []Attempt{{N: 2, At: at, Took: 1500 * time.Millisecond, Status: 400, Error: "answer 400"}},
		},
		`{"state":"unknown","failures":0}`: ReceiverState{},
		`{"receiver":{"state":"down","since":"2026-05-04T12:00:00.5Z","failures":3},"oldest_pending_seconds":0,` +
			`"total":{"pending":0,"dead":0,"delivered":0,"expired":0,"dropped":0,"lost":0,"superseded":0,"repeated":0},` +
			`"events":[],"receivers":[],"gaps":[],"gaps_total":0,"file_bytes":1,"file_bytes_max":2}`: //
		Status{Receiver: ReceiverState{Since: at, Failures: 3}, FileBytes: 1, MaxSize: 2},
	} {
		got, err := json.Marshal(v)
		if err != nil || string(got) != want {
			t.Errorf("%v: got\n%s\nwant\n%s", err, got, want)
		}
	}
	if got, _ := json.Marshal(Record{Body: []byte("no \xff JSON")}); !strings.HasSuffix(string(got), "\"body\":\"no \\ufffd JSON\"}") {
		t.Errorf("%s", got)
	}
}
