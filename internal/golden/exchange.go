package golden

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
)

// RequestID is the X-Request-Id of all requests that are played, but of those that bring one of their own.
const RequestID = "request-1"

// Stage is a dialect beside a scripted Asterisk, on which the exchanges of one file are played.
type Stage struct {
	// Request sends a request; header holds names and values by turns.
	Request func(method, target, body string, header ...string) *httptest.ResponseRecorder
	// Actions are what Asterisk has got because of requests so far, each as text.
	Actions func() []string
	// Headers are the names of those of the answer that are compared.
	Headers []string
	// Drawn is what differs from run to run.
	Drawn []Drawn
	// After is called when a file was played; nil = nothing.
	After func(played *txtar.Archive)
}

// Drawn is a part of an answer or an action that differs from run to run, and what is written in its place.
type Drawn struct {
	What *regexp.Regexp
	With string
}

// Exchanges plays the requests of testdata/api/*.txtar, each file on a stage of its own, and compares the answers, and the actions that
// Asterisk saw because of them. A file holds cases: "NAME request", "NAME actions", "NAME response". A request is a line of method and
// target, header lines, an empty line, and the body.
func Exchanges(t *testing.T, set func(t *testing.T) Stage) {
	t.Helper()
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
			s := set(t)
			archive := txtar.Parse(text)
			played := &txtar.Archive{Comment: archive.Comment}
			for _, file := range archive.Files {
				if name, ok := strings.CutSuffix(file.Name, " request"); ok {
					played.Files = append(played.Files, file)
					played.Files = append(played.Files, s.exchange(name, string(file.Data))...)
				}
			}
			Compare(t, f, txtar.Format(played))
			if s.After != nil {
				s.After(played)
			}
		})
	}
}

func (s *Stage) exchange(name, text string) []txtar.File {
	head, body, _ := strings.Cut(text, "\n\n")
	first, headers, _ := strings.Cut(strings.TrimSpace(head), "\n")
	method, target, _ := strings.Cut(first, " ")
	header := []string{"X-Request-Id", RequestID}
	for line := range strings.Lines(headers) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), ":")
		header = append(header, k, strings.TrimSpace(v))
	}
	before := len(s.Actions())
	answer := s.Request(method, target, strings.TrimSuffix(body, "\n"), header...)
	var out []txtar.File
	if actions := s.Actions()[before:]; len(actions) > 0 {
		out = append(out, txtar.File{Name: name + " actions", Data: []byte(s.settled(strings.Join(actions, "")))})
	}
	return append(out, txtar.File{Name: name + " response", Data: []byte(s.settled(s.answered(answer)))})
}

func (s *Stage) settled(text string) string {
	for _, d := range s.Drawn {
		text = d.What.ReplaceAllString(text, d.With)
	}
	return text
}

func (s *Stage) answered(answer *httptest.ResponseRecorder) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d\n", answer.Code)
	for _, name := range s.Headers {
		if v := answer.Header().Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	fmt.Fprintf(&b, "\n%s", answer.Body)
	return b.String()
}
