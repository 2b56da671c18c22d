package coocenter

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/internal/golden"
)

// drawn is what differs from run to run in an action: the id of the call, the counter of the actions, and the age of a call.
var drawn = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\d{10}\.c[0-9a-f]{14}`), "ID"},
	{regexp.MustCompile(`(ActionID: .*)-\d+`), "$1-N"},
	{regexp.MustCompile(`"duration":"00:0[12]:\d\d"`), `"duration":"AGE"`},
}

func settled(text string) string {
	for _, d := range drawn {
		text = d.what.ReplaceAllString(text, d.with)
	}
	return text
}

// TestExchanges plays the requests of testdata/api/*.txtar and compares the answers, and the actions that Asterisk saw
// because of them. A file holds cases: "NAME request", "NAME actions", "NAME response".
func TestExchanges(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "api", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %d files", err, len(files))
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			fake := newAsterisk(t)
			fake.channels = liveChannels()
			r := newRig(t, fake, rigOptions{}).complete().history()
			archive := txtar.Parse(text)
			played := &txtar.Archive{Comment: archive.Comment}
			for _, file := range archive.Files {
				if name, ok := strings.CutSuffix(file.Name, " request"); ok {
					played.Files = append(played.Files, file)
					played.Files = append(played.Files, r.exchange(name, string(file.Data))...)
				}
			}
			golden.Compare(t, f, txtar.Format(played))
			r.nothingElse(played)
		})
	}
}

// exchange plays one request: a line of method and target, header lines, an empty line, and the body.
func (r *rig) exchange(name, text string) []txtar.File {
	r.t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	first, headers, _ := strings.Cut(strings.TrimSpace(head), "\n")
	method, target, _ := strings.Cut(first, " ")
	header := []string{"X-Request-Id", "request-1"}
	for line := range strings.Lines(headers) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), ": ")
		header = append(header, k, v)
	}
	before := len(r.caused())
	answer := r.request(method, target, strings.TrimSuffix(body, "\n"), header...)
	var out []txtar.File
	if actions := r.caused()[before:]; len(actions) > 0 {
		out = append(out, txtar.File{Name: name + " actions", Data: []byte(settled(wire(actions)))})
	}
	return append(out, txtar.File{Name: name + " response", Data: []byte(settled(answered(answer)))})
}

// nothingElse proves that no action came late: what Asterisk gets comes in its order.
func (r *rig) nothingElse(played *txtar.Archive) {
	r.t.Helper()
	known := 1
	for _, file := range played.Files {
		known += bytes.Count(file.Data, []byte("\nActionID: "))
	}
	r.request("POST", "/coocenter-api/extensions/hangup", "extension=810", "X-Request-Id", "request-1")
	if n := len(r.caused()); n != known {
		r.t.Errorf("Asterisk got %d actions, of which %d are known", n, known)
	}
}

// caused lists the actions that Asterisk has got, without those by which the picture is kept.
func (r *rig) caused() (list []ami.Action) {
	for _, a := range r.fake.Received("") {
		if strings.HasPrefix(a.Get("ActionID"), "request-") {
			list = append(list, a)
		}
	}
	return list
}

func wire(actions []ami.Action) string {
	var b strings.Builder
	for _, a := range actions {
		fmt.Fprintf(&b, "Action: %s\n", a.Name)
		for _, f := range a.Fields {
			fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
		}
	}
	return b.String()
}

func answered(answer *httptest.ResponseRecorder) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d\n", answer.Code)
	for _, name := range []string{"Content-Type", "Allow", "Retry-After", "X-Request-Id"} {
		if v := answer.Header().Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	fmt.Fprintf(&b, "\n%s", answer.Body)
	return b.String()
}

// liveChannels are two calls: 808 talks to 809 over a Local channel, and a caller from outside waits.
func liveChannels() []ami.Message {
	row := func(name, id, linked, bridge, state, desc, num, callerName, connected, connectedName, duration string) ami.Message {
		return amitest.NewEvent("CoreShowChannel", "BridgeId", bridge, "Channel", name, "ChannelState", state, "ChannelStateDesc", desc, "CallerIDNum", num,
			"CallerIDName", callerName, "ConnectedLineNum", connected, "ConnectedLineName", connectedName, "Context", "from-internal",
			"Exten", "809", "Uniqueid", id, "Linkedid", linked, "Duration", duration)
	}
	return []ami.Message{
		row("PJSIP/808-0000000a", "1795286308.1", "1795286308.1", "b1", "6", "Up", "808", "Wang", "809", "Li", "00:01:20"),
		row("Local/809@queue-00000001;1", "1795286308.2", "1795286308.1", "b1", "6", "Up", "809", "", "808", "Wang", "00:01:20"),
		row("Local/809@queue-00000001;2", "1795286308.3", "1795286308.1", "b2", "6", "Up", "808", "Wang", "809", "Li", "00:01:20"),
		row("PJSIP/809-0000000b", "1795286308.4", "1795286308.1", "b2", "6", "Up", "809", "Li", "808", "Wang", "00:01:20"),
		row("SIP/trunk-0000000c", "1795286310.5", "1795286310.5", "", "4", "Ring", "02112345678", `"张三" <x>`, "<unknown>", "<unknown>", "00:01:10"),
	}
}
