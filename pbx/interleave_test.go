package pbx

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// whole are the captures in which all that happened was heard from its beginning to its end.
var whole = []string{
	"internal", "internal-busy", "internal-cancel", "internal-noanswer", "ivr-queue", "ivr-queue-agent-bye", "queue-abandon", "queue-ringnoanswer",
	"queue-empty", "queue-local-wrapup", "atxfer", "blindtransfer", "park", "redirect", "originate", "confbridge", "bridge", "mixmonitor",
}

var (
	someID      = regexp.MustCompile(`\b(\d{10}\.\d+|lab-chan-\d+)\b`)
	someCounter = regexp.MustCompile(`-0([0-9a-f]{7})\b`)
)

// renamed is a capture whose ids and channel names are those of nobody else.
func renamed(t *testing.T, version, name string, n int) []ami.Message {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(captures, version+"-"+name+".ami"))
	if err != nil {
		t.Fatal(err)
	}
	s := someID.ReplaceAllString(string(text), fmt.Sprintf("%d$1", n))
	s = someCounter.ReplaceAllString(s, fmt.Sprintf("-%x$1", n))
	path := filepath.Join(t.TempDir(), "capture.ami")
	if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
		t.Fatal(err)
	}
	var list []ami.Message
	for _, m := range amitest.Transcript(t, path) {
		if m.Get("ActionID") == "" || m.Event() == "OriginateResponse" {
			list = append(list, m)
		}
	}
	return list
}

// shuffled plays several captures at once: the order within each is kept.
func shuffled(t *testing.T, r *rand.Rand, version string) (list []ami.Message) {
	t.Helper()
	var rest [][]ami.Message
	for n := range 4 {
		rest = append(rest, renamed(t, version, whole[r.IntN(len(whole))], n+1))
	}
	for len(rest) > 0 {
		i := r.IntN(len(rest))
		take := min(len(rest[i]), 1+r.IntN(20))
		list = append(list, rest[i][:take]...)
		if rest[i] = rest[i][take:]; len(rest[i]) == 0 {
			rest = append(rest[:i], rest[i+1:]...)
		}
	}
	return list
}

// TestInterleaved plays captures at once, with the clock running at random, and wants of each call one end and one account that
// adds up.
func TestInterleaved(t *testing.T) {
	for seed := range uint64(150) {
		version := []string{"16", "22"}[seed%2]
		t.Run(fmt.Sprintf("%s-%d", version, seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			rules := testRules()
			rules.AfterWork = time.Duration(r.IntN(2)) * 5 * time.Second
			st, at := newState(&rules), time.Unix(1795286000, 0)
			for _, m := range shuffled(t, r, version) {
				at = at.Add(time.Duration(r.IntN(400)) * time.Millisecond)
				st.tick(at)
				st.tickWraps(at)
				st.tickKept(at)
				st.apply(m, at)
			}
			st.tickWraps(at.Add(time.Hour))
			st.tickKept(at.Add(time.Hour))
			checkPromises(t, st, st.out, false)
		})
	}
}

// TestInterleavedWithGaps does the same on a link that is cut again and again: what was told begins and ends once, and what was told of
// calls that no gap has touched is what an uninterrupted listener tells.
func TestInterleavedWithGaps(t *testing.T) {
	for seed := range uint64(150) {
		version := []string{"16", "22"}[seed%2]
		t.Run(fmt.Sprintf("%s-%d", version, seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 2))
			rules := testRules()
			truth, heard, at := newState(&rules), newState(&rules), time.Unix(1795286000, 0)
			heard.cdrs = cdrManager
			deaf := 0
			touched := map[CallID]bool{}
			for _, m := range shuffled(t, r, version) {
				at = at.Add(time.Duration(r.IntN(400)) * time.Millisecond)
				truth.apply(m, at)
				switch {
				case deaf > 1:
					deaf--
				case deaf == 1:
					deaf = 0
					for id := range truth.calls {
						touched[id] = true
					}
					heard.reconcile(snapshotOf(truth), fates{}, at)
				default:
					heard.apply(m, at)
					if r.IntN(60) == 0 {
						deaf = 1 + r.IntN(60)
						for id := range heard.calls {
							touched[id] = true
						}
						for id := range truth.calls {
							touched[id] = true
						}
					}
				}
			}
			heard.reconcile(snapshotOf(truth), fates{}, at)
			heard.tickKept(at.Add(time.Hour))
			checkEnds(t, heard)
			if n := len(heard.calls); n != len(truth.calls) {
				t.Errorf("%d calls are open, %d in truth", n, len(truth.calls))
			}
			compareUntouched(t, truth, heard, touched)
		})
	}
}

// snapshotOf is what Asterisk would answer in this state.
func snapshotOf(st *state) *snapshot {
	snap := &snapshot{cdrs: cdrManager, hasChannels: true, holding: map[string]bool{}}
	for _, ch := range st.channels {
		if ch.Waits {
			snap.holding[ch.Bridge] = true
		}
		snap.channels = append(snap.channels, amitest.NewEvent("CoreShowChannel", "Channel", ch.Name, "Uniqueid", ch.ID, "Linkedid", ch.Linked,
			"ChannelState", ch.State, "ChannelStateDesc", ch.StateText, "CallerIDNum", ch.Caller.Number, "CallerIDName", ch.Caller.Name,
			"ConnectedLineNum", ch.Connected.Number, "ConnectedLineName", ch.Connected.Name, "Context", ch.Context, "Exten", ch.Exten,
			"Application", ch.App, "BridgeId", ch.Bridge, "Duration", "00:00:01"))
	}
	return snap
}

// checkEnds holds that what was told of calls fits together.
func checkEnds(t *testing.T, st *state) {
	t.Helper()
	started, ended, closed := lives(t, st.out)
	for id, n := range started {
		want := 1
		if st.calls[id] != nil {
			want = 0
		}
		if n != 1 || ended[id] != want || closed[id] != want {
			t.Errorf("call %s: %d starts, %d ends, %d accounts", id, n, ended[id], closed[id])
		}
	}
	for id := range ended {
		if started[id] != 1 {
			t.Errorf("call %s ended and never began", id)
		}
	}
	if len(st.calls) == 0 && len(st.channels)+len(st.owners)+len(st.linked)+len(st.bridges)+len(st.halves) > 0 {
		t.Errorf("left behind: %d channels, %d owners, %d linked ids, %d bridges, %d halves", len(st.channels), len(st.owners), len(st.linked), len(st.bridges), len(st.halves))
	}
}

// compareUntouched compares the accounts of calls that were heard from beginning to end.
func compareUntouched(t *testing.T, truth, heard *state, touched map[CallID]bool) {
	t.Helper()
	want := map[CallID]string{}
	n := short{names: map[string]string{}}
	for _, o := range truth.out {
		if e, ok := o.Event.(CallClosed); ok && !touched[e.Account.ID] {
			want[e.Account.ID] = n.account(&e.Account)
		}
	}
	for _, o := range heard.out {
		e, ok := o.Event.(CallClosed)
		if !ok || touched[e.Account.ID] {
			continue
		}
		if got := n.account(&e.Account); want[e.Account.ID] != "" && got != want[e.Account.ID] && !strings.Contains(got, "queue=") {
			t.Errorf("call %s:\n%s\nwant\n%s", e.Account.ID, got, want[e.Account.ID])
		}
	}
}
