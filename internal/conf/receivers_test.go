package conf

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReceivers(t *testing.T) {
	c, err := Parse("api.conf", []byte(`
[Webhook CRM-2]
URL = https://crm.example/a?k=SECRETTOKEN
events = CDR, dialbegein, cdr
retry_max = 5s
[webhook]
secret = first
retry_max = 30s
timeout = 7s
[webhook b_1]
url = http://b.example
[webhook crm-2]
concurrency = 2
`), []string{"DIALBRIDGE_WEBHOOK_CRM_2_SECRET=new, old", "DIALBRIDGE_WEBHOOK_POISON_ATTEMPTS=9"})
	if err != nil {
		t.Fatal(err)
	}
	base := Receiver{Timeout: 7 * time.Second, Concurrency: 8, RetryMax: 30 * time.Second, PoisonAttempts: 9, PoisonSpan: 15 * time.Minute}
	first, second := base, base
	first.Name, first.URL, first.Events, first.Secrets = "crm-2", "https://crm.example/a?k=SECRETTOKEN", []string{"cdr", "dialbegin"}, []Secret{"new", "old"}
	first.RetryMax, first.Concurrency = 5*time.Second, 2
	second.Name, second.URL = "b_1", "http://b.example"
	if diff := cmp.Diff([]Receiver{first, second}, c.Receivers); diff != "" {
		t.Error(diff)
	}
	if shown := fmt.Sprint(c, c.LogValue(), c.Receivers); strings.Contains(shown, "SECRETTOKEN") || strings.Contains(shown, "old") || !strings.Contains(shown, "[webhook b_1]") {
		t.Error(shown)
	}
	if got := Changed(defaults(t), c); len(got) > 0 {
		t.Errorf("a receiver that is added needs no restart: %v", got)
	}
	if got := Changed(c, defaults(t)); len(got) > 0 {
		t.Errorf("a receiver that is taken away needs no restart: %v", got)
	}
}

func TestReceiversThatCannotBe(t *testing.T) {
	for text, want := range map[string]string{
		"[webhook default]": `api.conf:1: [webhook default]: is the name of the receiver of [general] URL; choose another`,
		"[webhook a b]":     `api.conf:1: [webhook a b]: is no name; write 1 to 32 letters, digits, dashes or underscores`,
		"[webhook " + strings.Repeat("x", 33) + "]": `api.conf:1: [webhook ` + strings.Repeat("x", 33) + `]: is no name; write 1 to 32 letters, digits, dashes or underscores`,
		"[webhook a]":                                                    `api.conf:1: [webhook a] url: is missing; write one, or take the section away`,
		"[webhook a]\nurl = ftp://x":                                     `api.conf:2: [webhook a] url: has the scheme ftp; write http://HOST[:PORT][/PATH] or the same with https`,
		"[webhook a]\nurl = http://x\nevents = cdr,":                     `api.conf:3: [webhook a] events: has an empty name in its list; write cdr, hangup`,
		"[webhook a-b]\nurl = http://x\n[webhook a_b]\nurl = http://x":   `api.conf:3: [webhook a_b]: differs from another name by a dash alone; choose another`,
		"[webhook a]\nurl = http://x\ndialbegin_event = dialbegein\nx=1": `api.conf:3: [webhook a] dialbegin_event: unknown key; the nearest is dialbegin_event, which belongs into [webhook]`,
	} {
		if got := faults(t, text)[0]; got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", text, got, want)
		}
	}
	var many strings.Builder
	for i := range maxReceivers + 1 {
		fmt.Fprintf(&many, "[webhook r%d]\nurl = http://x\n", i)
	}
	if got := faults(t, many.String()); len(got) != 1 || !strings.Contains(got[0], "is one receiver too many; there may be 16") {
		t.Error(got)
	}
	if got := faults(t, "", "DIALBRIDGE_WEBHOOK_NOBODY_SECRET=x"); !strings.Contains(got[0], "is unknown") {
		t.Error(got)
	}
}

// The commented section of the example names real keys, and the text above it the others.
func TestExampleTellsOfReceivers(t *testing.T) {
	text, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "# Further receivers")
	section, _, _ = strings.Cut(section, "\n[")
	for _, k := range (&Receiver{}).receiverKeys() {
		if !strings.Contains(section, k.name) {
			t.Errorf("%s is not told", k.name)
		}
	}
}
