package bridge_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// TestOrdersFromOutside orders calls that begin with a number outside, and holds that each has caller and called the right
// way round in its one record, however it ends and whoever writes the record.
func TestOrdersFromOutside(t *testing.T) {
	for _, writer := range []string{"Asterisk", "Asterisk of answered calls", "daemon"} {
		t.Run(writer, func(t *testing.T) {
			forBoth(t, func(t *testing.T, version string) {
				b := setUp(t, version, lab.Options{NoCDRManager: writer == "daemon"}, bridge.Options{})
				if writer == "Asterisk of answered calls" {
					b.forgetUnanswered()
				}
				b.ordersFromOutside(writer)
			})
		})
	}
}

// forgetUnanswered lets Asterisk drop the records of calls that rang nobody, as it does by default.
func (b *bench) forgetUnanswered() {
	b.Helper()
	file := filepath.Join(b.lab.EtcDir, "cdr.conf")
	text, err := os.ReadFile(file)
	b.must(err)
	b.must(os.WriteFile(file, []byte(strings.Replace(string(text), "unanswered = yes", "unanswered = no", 1)), 0o644))
	b.cli("module reload cdr")
	if out := b.cli("cdr show status"); !strings.Contains(out, "Log unanswered calls:       No") {
		b.Fatal(out)
	}
	b.must(b.d.Stop())
	b.must(b.d.Run(b.ctx))
	b.must(b.d.Ready(b.within(startTime)))
}

// order clicks to dial and returns the id of the call.
func (b *bench) order(nameValue ...string) string {
	b.Helper()
	var reply struct{ Data struct{ UniqueID string } }
	b.must(json.Unmarshal([]byte(b.does("extensions/click-number", "Originate successfully queued", nameValue...)), &reply))
	return reply.Data.UniqueID
}

func (b *bench) ordersFromOutside(writer string) {
	b.Helper()
	const src, other = "02155551111", "02155552222"
	p, out := b.phone("802"), b.trunk()
	b.phone("801")
	b.idle("801", "802")
	bye := phone.Behaviour{HangupAfter: 300 * time.Millisecond}
	cases := []struct {
		name     string
		dst      string
		src, dev phone.Behaviour // of the number outside, and of 802
		want     []string        // of the records
	}{
		{"answered", "802", phone.Behaviour{}, bye, []string{"ANSWERED"}},
		{"dst is busy", "802", phone.Behaviour{}, phone.Behaviour{Status: 486}, []string{"BUSY", "ANSWERED"}}, // the dialplan goes on
		{"dst has no phone", "820", phone.Behaviour{}, phone.Behaviour{}, []string{"ANSWERED"}},
		{"dst does not answer", "802", bye, phone.Behaviour{Never: true}, []string{"NO ANSWER"}},
		{"src is busy", "802", phone.Behaviour{Status: 486}, phone.Behaviour{}, []string{"BUSY"}},
		{"src is not to be reached", "802", phone.Behaviour{Status: 503}, phone.Behaviour{}, []string{"CONGESTION"}},
		{"src does not answer", "802", phone.Behaviour{Never: true}, phone.Behaviour{}, []string{"NO ANSWER"}},
		{"dst is outside", other, phone.Behaviour{}, phone.Behaviour{}, []string{"ANSWERED"}},
	}
	out.BehaveFor(other, bye)
	ids := make([]string, len(cases))
	wait := func(id string, records int) {
		b.callEvents(records, func(e bridge.Event) bool { return e.Call() == id })
	}
	for i, c := range cases {
		if writer == "daemon" {
			cases[i].want = c.want[:1] // one for each channel, see the README
		}
		out.BehaveFor(src, c.src)
		p.Behave(c.dev)
		ids[i] = b.order("src", src, "dst", c.dst, "timeout", "1")
		wait(ids[i], len(cases[i].want))
	}
	p.Behave(phone.Behaviour{})
	wait(b.order("src", "801", "dst", "802", "limitSec", "1"), 1) // a record too many has come before this one
	for i, c := range cases {
		var got []string
		for _, e := range b.rec.Events() {
			if e.Call() != ids[i] || e.Kind != "cdr" {
				continue
			}
			got = append(got, e.Fields["disposition"])
			if e.Fields["source"] != src || e.Fields["destination"] != c.dst || e.Fields["calltype"] != "outbound" {
				b.Errorf("%s: %s", c.name, e.Body)
			}
			if (e.Fields["answertime"] == "") != (i == 4 || i == 5 || i == 6 || writer == "daemon" && (i == 1 || i == 3)) {
				b.Errorf("%s: %s", c.name, e.Body)
			}
		}
		if !slices.Equal(got, c.want) {
			b.Errorf("%s: records %q, want %q", c.name, got, c.want)
		}
	}
}
