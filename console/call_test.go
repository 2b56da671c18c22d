package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/dialbridge/dialbridge/internal/httpd"
	probe "github.com/dialbridge/dialbridge/internal/trial" // the room has a trial of its own
)

// described is the whole OpenAPI document; what it does not name is forbidden.
func (f *floor) described() *openapi3.T {
	f.t.Helper()
	answer, text := f.askAt(strings.TrimSuffix(f.url, Prefix), http.MethodGet, "/openapi.json", "")
	doc, err := openapi3.NewLoader().LoadFromData([]byte(text))
	if err != nil || answer.StatusCode != http.StatusOK {
		f.t.Fatalf("%s %v", answer.Status, err)
	}
	for name, s := range doc.Components.Schemas {
		if no := false; strings.HasPrefix(name, "Console") {
			s.Value.AdditionalProperties = openapi3.AdditionalProperties{Has: &no}
		}
	}
	return doc
}

// fits compares a text with a schema of the document.
func (f *floor) fits(doc *openapi3.T, schema, text string) {
	f.t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		f.t.Fatalf("%v: %s", err, text)
	}
	if err := doc.ValidateSchemaJSON(doc.Components.Schemas[schema].Value, value, openapi3.EnableJSONSchema2020()); err != nil {
		f.t.Errorf("%s: %v", text, err)
	}
}

// story asks for the call of the floor.
func (f *floor) story() (s callStory, text string) {
	f.t.Helper()
	answer, text := f.ask(http.MethodGet, "/calls/1.1", "")
	if err := json.Unmarshal([]byte(text), &s); err != nil || answer.StatusCode != http.StatusOK {
		f.t.Fatalf("%s %s\n%s", answer.Status, text, f.log.String())
	}
	return s, text
}

// TestCall: a call while it lives, and when it has ended, as the document describes it, on the PBX's clock.
func TestCall(t *testing.T) {
	f := newFloor(t, httpd.Limits{}, func(f *floor) { f.api.zone = time.FixedZone("", 345*60) })
	doc := f.described()
	f.comes()
	f.answered()
	f.recorded("/monitor/2026/in.wav")
	probe.Until(t, &f.log, "the recording", func() bool { return len(f.sw.Board().Calls) == 1 && f.sw.Board().Calls[0].Recorded })
	live, text := f.story()
	f.fits(doc, "ConsoleCall", text)
	if live.State != callLive || !live.End.IsZero() || live.EndedBy != "" || live.Recording == nil || *live.Recording != (soundFile{Name: "2026/in.wav"}) {
		t.Errorf("while it lives: %s", text)
	}
	w := f.open()
	_ = w.snapshot()
	f.over()
	var done callStory
	probe.Until(t, &f.log, "the end of the call", func() bool {
		done, text = f.story()
		return done.State == callEnded
	})
	f.fits(doc, "ConsoleCall", text)
	if strings.Count(text, `+05:45"`) != 3+2*len(done.Timeline) {
		t.Errorf("times of another clock: %s", text)
	}
	var kinds []string
	for _, sp := range done.Timeline {
		kinds = append(kinds, sp.Kind)
		if sp.End.IsZero() {
			t.Errorf("a stretch of an ended call goes on: %+v", sp)
		}
	}
	if !slices.Equal(kinds, []string{"queue", "talk", "talk"}) || done.Timeline[0].Outcome != "connected" || done.Caller != "02155551234" || done.Called != "801" ||
		!done.Answered || done.EndedBy != "caller" || len(done.Agents) != 1 {
		t.Errorf("when it has ended: %s", text)
	}
	for _, section := range []string{"queues", "extensions", "calls", "receivers"} {
		for id, row := range f.open().snapshot().Rows[section] {
			body, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			schema := map[string]string{"queues": "Queue", "extensions": "Extension", "calls": "Call", "receivers": "Receiver"}[section]
			t.Logf("%s %s", section, id)
			f.fits(doc, "ConsoleLive"+schema, string(body))
		}
	}
}

// recorded lets the call be recorded.
func (f *floor) recorded(file string) {
	f.fake.Send(channelEvent("VarSet", "PJSIP/trunk-00000001", "1.1", "6", "Variable", "MIXMONITOR_FILENAME", "Value", file).String() + "\r\n")
}

// TestNoSuchCall: what is no id of a call is 404 or 400, in the shape of the console.
func TestNoSuchCall(t *testing.T) {
	f := newFloor(t, httpd.Limits{}, nil)
	for id, want := range map[string]int{
		"2.2": 404, "..": 404, "%2e%2e": 404, "1.1%2F..%2F1.1": 404, strings.Repeat("9", longestID+1): 404, "%ff%fe": 400, "1.1%00": 400, "1.1%0d%0aX:%201": 400,
		url.PathEscape("1' OR '1'='1"): 404, "1.1?call=%ff": 400, "1.1?a=%00": 400,
	} {
		path, query, _ := strings.Cut(id, "?")
		for _, end := range []string{"", "/recording"} {
			answer, text := f.ask(http.MethodGet, "/calls/"+path+end+"?"+query, "")
			var shape struct{ Status, Message string }
			if err := json.Unmarshal([]byte(text), &shape); err != nil || answer.StatusCode != want || shape.Status != "error" || shape.Message == "" {
				t.Errorf("%q%s: %s %s, want %d", id, end, answer.Status, text, want)
			}
		}
	}
}

// TestRecordingOfACall: in whole and in parts, and never from outside of the directory.
func TestRecordingOfACall(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret.wav")
	if err := os.WriteFile(outside, []byte("SECRET"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFloor(t, httpd.Limits{}, nil)
	dir := f.api.recordings.Load().Directory
	for name, do := range map[string]func(string) error{
		"in.wav":   func(p string) error { return os.WriteFile(p, []byte("0123456789"), 0o600) },
		"link.wav": func(p string) error { return os.Symlink(outside, p) },
		"dir.wav":  func(p string) error { return os.Mkdir(p, 0o700) },
	} {
		if err := do(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	f.comes()
	probe.Until(t, &f.log, "the call", func() bool { return len(f.sw.Board().Calls) == 1 })
	if answer, text := f.ask(http.MethodGet, "/calls/1.1/recording", ""); answer.StatusCode != http.StatusNotFound || !strings.Contains(text, "was not recorded") {
		t.Errorf("without one: %s %s", answer.Status, text)
	}
	for _, tc := range []struct {
		file, header, want string
		status             int
		there              bool
	}{
		{"/monitor/in.wav", "", "0123456789", 200, true},
		{"/monitor/in.wav", "bytes=2-4", "234", 206, true},
		{"/monitor/in.wav", "bytes=50-", `"status":"error"`, 416, true},
		{"/monitor/link.wav", "", `"status":"error"`, 404, false},
		{"/monitor/dir.wav", "", `"status":"error"`, 404, false},
		{"/monitor/../etc/passwd", "", `"status":"error"`, 404, false},
		{"/monitor/gone.wav", "", `"status":"error"`, 404, false},
		{outside, "", `"status":"error"`, 404, false},
		{"in.wav", "", `"status":"error"`, 404, false},
	} {
		f.recorded(tc.file)
		probe.Until(t, &f.log, "the recording "+tc.file, func() bool {
			calls, err := f.sw.Calls()
			return err == nil && calls[0].Recording == tc.file
		})
		var header []string
		if tc.header != "" {
			header = []string{"Range", tc.header}
		}
		answer, text := f.ask(http.MethodGet, "/calls/1.1/recording", "", header...)
		if answer.StatusCode != tc.status || !strings.Contains(text, tc.want) || strings.Contains(text, "SECRET") {
			t.Errorf("%s %s: %s %s", tc.file, tc.header, answer.Status, text)
		}
		if answer.StatusCode == http.StatusOK && (answer.Header.Get("Content-Type") != "audio/wav" || answer.Header.Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%v", answer.Header)
		}
		if s, text := f.story(); s.Recording == nil || s.Recording.There != tc.there {
			t.Errorf("%s: %s, there: %v", tc.file, text, fmt.Sprint(tc.there))
		}
	}
}
