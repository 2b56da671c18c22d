package coocenter

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// sample is one request that the document gives as an example.
type sample struct {
	method, path string // path as the document has it
	target, body string
	form         string
}

// samples makes requests of the examples of all operations; an operation without any is asked without parameters.
func samples(t *testing.T, doc *openapi3.T) (list []sample) {
	t.Helper()
	for path, item := range doc.Paths.Map() {
		if !strings.HasPrefix(path, Prefix) {
			continue
		}
		for method, o := range item.Operations() {
			s := sample{method: method, path: path, target: wildcard.ReplaceAllString(path, "2026%2F11%2Fcall.wav")}
			if o.RequestBody == nil {
				list = append(list, s)
				continue
			}
			for _, example := range o.RequestBody.Value.Content.Get("application/json").Examples {
				body, err := json.Marshal(example.Value.Value)
				if err != nil {
					t.Fatal(err)
				}
				s.body = string(body)
				form := url.Values{}
				for name, value := range example.Value.Value.(map[string]any) {
					text, err := json.Marshal(value)
					if err != nil {
						t.Fatal(err)
					}
					form.Set(name, strings.Trim(string(text), `"`))
				}
				s.form = form.Encode()
				list = append(list, s)
			}
		}
	}
	slices.SortFunc(list, func(a, b sample) int { return strings.Compare(a.method+a.path+a.body, b.method+b.path+b.body) })
	return list
}

// TestExamplesAreAnsweredAsDescribed sends every example of the document, as JSON, as a form and in the query, in every
// state of the daemon that has an answer of its own, and checks the answers against the document.
func TestExamplesAreAnsweredAsDescribed(t *testing.T) {
	recordings := t.TempDir()
	if err := os.MkdirAll(filepath.Join(recordings, "2026", "11"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(recordings, "2026", "11", "call.wav"), []byte("RIFF"), 0o644); err != nil {
		t.Fatal(err)
	}
	open, closed := sampleRules(), sampleRules()
	open.RecordingsDirectory, closed.RecordingsDirectory, closed.WebKey = recordings, recordings, "asjdfjklkasdf"
	for _, state := range []struct {
		name    string
		rules   Rules
		limit   int
		refused bool // Asterisk refuses the login
		more    string
		status  int // what all endpoints answer, 0 = it depends
	}{
		{name: "in order", rules: open},
		{name: "without Asterisk", rules: open, refused: true},
		{name: "wrong token", rules: closed, limit: 100_000, status: http.StatusUnauthorized},
		{name: "too many wrong tokens", rules: closed, limit: 1, status: http.StatusTooManyRequests},
		{name: "body too large", rules: open, more: strings.Repeat(" ", 1<<20+1), status: http.StatusRequestEntityTooLarge},
	} {
		t.Run(state.name, func(t *testing.T) {
			t.Parallel()
			fake := newAsterisk(t)
			fake.channels = liveChannels()
			if state.refused {
				fake.Refuse()
			}
			r := newRig(t, fake, rigOptions{rules: &state.rules, limit: state.limit})
			doc := described(t, r)
			strict(doc)
			if !state.refused {
				r.complete()
			}
			if state.limit == 1 {
				r.request(http.MethodGet, Prefix+"/queues/queue-info", "", "Authorization", "wrong")
			}
			for _, s := range samples(t, doc) {
				r.tries(doc, s, state.more, state.status)
			}
		})
	}
}

// tries sends one example in its several forms.
func (r *rig) tries(doc *openapi3.T, s sample, more string, status int) {
	r.t.Helper()
	for _, way := range [][3]string{
		{s.target, s.body + more, "application/json"}, {s.target, s.form + more, "application/x-www-form-urlencoded"}, {s.target + "?" + s.form, more, "application/json"},
	} {
		if way[1] != "" && (s.method == http.MethodGet || s.method == http.MethodHead) {
			continue
		}
		w := r.request(s.method, way[0], way[1], "Content-Type", way[2], "X-Request-Id", "request-1")
		switch {
		case w.Header().Get("X-Request-Id") != "request-1":
			r.t.Errorf("%s %s: X-Request-Id %q", s.method, way[0], w.Header().Get("X-Request-Id"))
		case status != 0 && w.Code != status:
			r.t.Errorf("%s %s: %d, want %d", s.method, way[0], w.Code, status)
		case strings.Contains(s.path, "/monitor/") && w.Code == http.StatusOK:
			if w.Header().Get("Content-Type") != "audio/wav" || w.Body.String() != "RIFF" && s.method == http.MethodGet {
				r.t.Errorf("recording: %q %v", w.Body, w.Header())
			}
		case s.method == http.MethodHead:
			if doc.Paths.Find(s.path).Head.Responses.Status(w.Code) == nil {
				r.t.Errorf("%s %s: %d is not described", s.method, way[0], w.Code)
			}
		default:
			if err := conforms(doc, s.method, s.path, w.Code, w.Body.Bytes()); err != nil {
				r.t.Errorf("%s %s %.100s: %d %s: %v", s.method, way[0], way[1], w.Code, w.Body, err)
			}
		}
	}
}
