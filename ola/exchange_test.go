package ola

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
	"github.com/dialbridge/dialbridge/internal/golden"
)

// drawn is what differs from run to run: the id of a call, the counter of the actions, and times.
var drawn = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\d{10}\.c[0-9a-f]{14}`), "ID"},
	{regexp.MustCompile(`(ActionID: .*)-\d+`), "$1-N"},
	{regexp.MustCompile(`20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}"`), `MICROSECONDS"`},
	{regexp.MustCompile(`20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"`), `SECONDS"`},
	{regexp.MustCompile(`"wait_time":"([2-9]\d|\d{3,})"`), `"wait_time":"WAIT"`},
}

func settled(text string) string {
	for _, d := range drawn {
		text = d.what.ReplaceAllString(text, d.with)
	}
	return text
}

// TestExchanges plays the requests of testdata/api/*.txtar and compares the answers, and the actions that Asterisk saw because of them.
// A file holds cases: "NAME request", "NAME actions", "NAME response".
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
			r := newRig(t, newAsterisk(t), rigOptions{}).complete()
			archive := txtar.Parse(text)
			played := &txtar.Archive{Comment: archive.Comment}
			for _, file := range archive.Files {
				if name, ok := strings.CutSuffix(file.Name, " request"); ok {
					played.Files = append(played.Files, file)
					played.Files = append(played.Files, r.exchange(name, string(file.Data))...)
				}
			}
			golden.Compare(t, f, txtar.Format(played))
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
		k, v, _ := strings.Cut(strings.TrimSpace(line), ":")
		header = append(header, k, strings.TrimSpace(v))
	}
	before := len(r.caused())
	answer := r.request(method, target, strings.TrimSuffix(body, "\n"), header...)
	var out []txtar.File
	if actions := r.caused()[before:]; len(actions) > 0 {
		out = append(out, txtar.File{Name: name + " actions", Data: []byte(settled(wire(actions)))})
	}
	return append(out, txtar.File{Name: name + " response", Data: []byte(settled(answered(answer)))})
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
	for _, name := range []string{"Content-Type", "Allow", "Retry-After", "Access-Control-Expose-Headers"} {
		if v := answer.Header().Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	fmt.Fprintf(&b, "\n%s", answer.Body)
	return b.String()
}
