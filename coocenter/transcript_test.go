package coocenter

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/internal/golden"
	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

const captures = "../ami/testdata/captures"

// scenarios are played from captures of both versions of Asterisk; their bodies are kept as golden files.
var scenarios = []string{
	"internal", "internal-busy", "internal-cancel", "internal-unregistered", "originate", "originate-fail",
	"ivr-queue", "ivr-queue-agent-bye", "ivr-timeout",
	"blindtransfer", "atxfer", "queue-ringnoanswer", "queue-local-wrapup", "mixmonitor", "utf8",
}

// clock is the daemon's clock in an event, where the capture carries no time of Asterisk.
var clock = regexp.MustCompile(`"timestamp":"\d{10}\.\d{6}"`)

// stay is the daemon's clock in the event of a menu.
var stay = regexp.MustCompile(`"startTime":"[^"]*","endTime":"[^"]*","duration":"\d+"`)

// secondsText are those of a call log: a capture is played faster than it was.
var secondsText = regexp.MustCompile(`"(queue|feedback|ivr|ring|hold|talking)Time":("?)\d+"?`)

// tale writes the events as they are stored, one paragraph each. The ids of extensionstatus, which is no part of a call,
// are left out: they hold the moment.
func tale(list []webhook.Record) string {
	var b strings.Builder
	for _, rec := range list {
		id := rec.ID
		if rec.Kind == "extensionstatus" {
			id = "-"
		}
		body := stay.ReplaceAll(clock.ReplaceAll(rec.Body, []byte(`"timestamp":"TIME"`)), []byte(`"startTime":"TIME","endTime":"TIME","duration":"0"`))
		body = secondsText.ReplaceAll(body, []byte(`"${1}Time":${2}0$2`))
		fmt.Fprintf(&b, "%s %s %s\n%s\n\n", rec.Kind, rec.Key, id, body)
	}
	return b.String()
}

func TestTranscripts(t *testing.T) {
	for _, scenario := range scenarios {
		for _, version := range []string{"16", "22"} {
			name := version + "-" + scenario
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, newAsterisk(t), rigOptions{}).complete()
				r.play(filepath.Join(captures, name+".ami"))
				golden.Compare(t, filepath.Join("testdata", "transcripts", name+".golden"), []byte(tale(r.stored())))
			})
		}
	}
}

// TestIDsAreDerived plays every capture into two fresh stores: the events of calls have the same ids, and none comes
// twice. So an event that is found again after a crash is known.
func TestIDsAreDerived(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(captures, "*.ami"))
	if err != nil || len(files) < 40 {
		t.Fatalf("captures: %v, %d files", err, len(files))
	}
	for _, version := range []string{"16", "22"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			for _, f := range files {
				torn := strings.HasSuffix(f, "-channelvars.ami") // its missing end is found out by a query, sooner or later
				if strings.HasPrefix(filepath.Base(f), version+"-") && !strings.Contains(f, "-login-") && !torn {
					playTwice(t, f)
				}
			}
		})
	}
}

func playTwice(t *testing.T, f string) {
	t.Helper()
	var first []string
	for round := range 2 {
		r := newRig(t, newAsterisk(t), rigOptions{}).complete()
		r.play(f)
		ids := []string{}
		for _, rec := range r.stored() {
			if rec.Kind != "extensionstatus" {
				ids = append(ids, rec.Kind+" "+rec.ID)
			}
		}
		status, err := r.outbox.Status(t.Context())
		r.must(err)
		if status.Total.Duplicates != 0 {
			t.Errorf("%s: %d events have the id of another one", filepath.Base(f), status.Total.Duplicates)
		}
		r.close()
		if round == 0 {
			first = ids
		} else if diff := cmp.Diff(first, ids); diff != "" {
			t.Errorf("%s, played again (-first +second):\n%s", filepath.Base(f), diff)
		}
	}
}

// TestSettings plays one attended transfer under each setting that changes what is pushed.
func TestSettings(t *testing.T) {
	for name, set := range map[string]func(*Rules){
		"hangup-legs-all":     func(r *Rules) { r.HangupLegs = true },
		"channel-names-raw":   func(r *Rules) { r.RawChannelNames = true },
		"event-dialbegein":    func(r *Rules) { r.DialBeginEvent = "dialbegein" },
		"directory-elsewhere": func(r *Rules) { r.AsteriskDirectory = "/var/spool/asterisk/monitor/sub" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules, capture := sampleRules(), "22-atxfer"
			if set(&rules); name == "directory-elsewhere" {
				capture = "22-mixmonitor"
			}
			r := newRig(t, newAsterisk(t), rigOptions{rules: &rules}).complete()
			r.play(filepath.Join(captures, capture+".ami"))
			golden.Compare(t, filepath.Join("testdata", "transcripts", "setting-"+name+".golden"), []byte(tale(r.stored())))
		})
	}
}

// TestNothingIsStoredWithoutAReceiver plays a call while no URL is configured, and another one after one is.
func TestNothingIsStoredWithoutAReceiver(t *testing.T) {
	rules := sampleRules()
	rules.Push = false
	r := newRig(t, newAsterisk(t), rigOptions{rules: &rules}).complete()
	if !r.events.Off() {
		t.Error("Off is false without a receiver")
	}
	r.fake.Play(filepath.Join(captures, "22-internal.ami"))
	// Not 899, which ends the second capture: the second daemon tells that this one is gone.
	r.fake.Event("ExtensionStatus", "Exten", "898", "Context", "hints", "Hint", "PJSIP/898", "Status", "0", "StatusText", "Idle")
	r.until("the end of the capture", func() bool {
		_, err := r.sw.Extension("898")
		return err == nil
	})
	r.close() // all that was read is encoded

	r = newRig(t, newAsterisk(t), rigOptions{path: r.path, rules: &rules}).complete()
	if got := r.stored(); len(got) != 0 {
		t.Fatalf("stored without a receiver:\n%s", tale(got))
	}
	rules.Push = true
	r.events.Configure(rules)
	if r.events.Off() {
		t.Error("Off is true with a receiver")
	}
	r.play(filepath.Join(captures, "22-internal-busy.ami"))
	if diff := cmp.Diff([]string{"dialbegin", "dialend", "cdr", "cdr", "hangup", "cc_cdr"}, kinds(r.stored())); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// kinds lists the events of calls.
func kinds(list []webhook.Record) (out []string) {
	for _, rec := range list {
		if rec.Kind != "extensionstatus" {
			out = append(out, rec.Kind)
		}
	}
	return out
}

// TestSameCaptureTwiceInOneStore plays a capture again after a restart of the daemon: what is known is not stored again. Of a call
// that is remembered only a record is taken.
func TestSameCaptureTwiceInOneStore(t *testing.T) {
	for name, remembered := range map[string]bool{"remembered": true, "forgotten": false} {
		t.Run(name, func(t *testing.T) {
			first := newRig(t, newAsterisk(t), rigOptions{}).complete()
			first.play(filepath.Join(captures, "22-blindtransfer.ami"))
			want := kinds(first.stored())
			again := int64(0)
			for _, kind := range want {
				if kind == "cdr" { // a record may come late
					again++
				}
			}
			if !remembered {
				again = int64(len(want))
				first.must(first.db.Do(t.Context(), func(tx *sql.Tx) error {
					_, err := tx.ExecContext(context.Background(), `DELETE FROM pbx_calls`)
					return err
				}))
			}
			first.close()
			second := newRig(t, newAsterisk(t), rigOptions{path: first.path}).complete()
			second.fake.Play(filepath.Join(captures, "22-blindtransfer.ami"))
			second.fake.Event("ExtensionStatus", "Exten", "898", "Context", "hints", "Hint", "PJSIP/898", "Status", "0", "StatusText", "Idle")
			second.until("the last event", func() bool {
				list, err := second.outbox.List(t.Context(), webhook.Filter{Kind: "extensionstatus", Key: "ext:898", Limit: 1})
				second.must(err)
				return len(list) == 1
			})
			status, err := second.outbox.Status(t.Context())
			second.must(err)
			if got := status.Total.Duplicates; got != again {
				t.Errorf("%d events were found again, want %d", got, again)
			}
			if diff := cmp.Diff(want, kinds(second.stored())); diff != "" {
				t.Errorf("stored (-first +second):\n%s", diff)
			}
		})
	}
}

// TestPush delivers a capture to a receiver and looks at the requests as a receiver would.
func TestPush(t *testing.T) {
	var mu sync.Mutex
	bodies, order := map[string]string{}, map[string][]string{}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // the sender went away
		}
		var event struct{ Uniqueid, UUID, Exten string }
		if err := json.Unmarshal(body, &event); err != nil {
			t.Errorf("body %q: %v", body, err)
		}
		id := req.Header.Get("webhook-id")
		mac := hmac.New(sha256.New, []byte("sign me"))
		mac.Write([]byte(id + "." + req.Header.Get("webhook-timestamp") + "." + string(body)))
		if got, want := req.Header.Get("webhook-signature"), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)); got != want {
			t.Errorf("signature %q, want %q", got, want)
		}
		if got := req.Header.Get("Content-Type"); req.Method != http.MethodPost || got != "application/json; charset=utf-8" {
			t.Errorf("%s with Content-Type %q", req.Method, got)
		}
		mu.Lock()
		defer mu.Unlock()
		bodies[id] = string(body)
		key := event.Uniqueid + event.UUID + event.Exten
		order[key] = append(order[key], id)
	}))
	defer receiver.Close()
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	r.must(r.sender.Configure(webhook.Target{URL: receiver.URL, Secrets: []string{"sign me"}}))
	r.play(filepath.Join(captures, "22-atxfer.ami"))
	r.until("the deliveries", func() bool {
		status, err := r.outbox.Status(t.Context())
		r.must(err)
		return status.Total.Pending == 0
	})
	mu.Lock()
	defer mu.Unlock()
	wantOrder := map[string][]string{}
	for _, rec := range r.stored() {
		if bodies[rec.ID] != string(rec.Body) {
			t.Errorf("%s %s: received %q, stored %q", rec.Kind, rec.ID, bodies[rec.ID], rec.Body)
		}
		key := strings.TrimPrefix(rec.Key, "ext:")
		wantOrder[key] = append(wantOrder[key], rec.ID)
	}
	for key, want := range wantOrder {
		if diff := cmp.Diff(want, order[key]); diff != "" {
			t.Errorf("order of %s (-stored +received):\n%s", key, diff)
		}
	}
}

// TestMissedRecordsAreAGap: what cannot be made good is stored with its reason, and pushed to nobody.
func TestMissedRecordsAreAGap(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	since := time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC)
	r.events.store([]pbx.Occurrence{{Seq: 1, At: since.Add(time.Hour), Event: pbx.RecordsMissed{Since: since, Reason: "permission denied"}}})
	status, err := r.outbox.Status(t.Context())
	r.must(err)
	if len(status.Gaps) != 1 || !status.Gaps[0].Since.Equal(since) || !status.Gaps[0].Until.Equal(since.Add(time.Hour)) || !strings.Contains(status.Gaps[0].Reason, "permission denied") {
		t.Errorf("gaps: %+v", status.Gaps)
	}
	if n := len(r.stored()); n != 0 {
		t.Errorf("%d events", n)
	}
}
