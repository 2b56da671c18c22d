package coocenter

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/dialbridge/dialbridge/internal/httpd"
)

// recorded is a rig with a folder of recordings, and things beside it that must not be reached.
func recorded(t *testing.T, key string, audit ...func(httpd.Note)) *rig {
	t.Helper()
	outside := t.TempDir()
	directory := filepath.Join(outside, "monitor")
	rules := sampleRules()
	rules.RecordingsDirectory, rules.WebKey = directory, key
	options := rigOptions{rules: &rules}
	for _, f := range audit {
		options.audit = f
	}
	r := newRig(t, newAsterisk(t), options)
	r.must(os.MkdirAll(filepath.Join(directory, "2026", "11"), 0o755))
	for _, name := range []string{"monitor/a.wav", "monitor/2026/11/b c.mp3", "monitor/notes", "monitor/张三.WAV", "secret.wav"} {
		r.must(os.WriteFile(filepath.Join(outside, filepath.FromSlash(name)), []byte("0123456789"), 0o644))
	}
	r.must(os.Symlink("../secret.wav", filepath.Join(directory, "out.wav")))
	r.must(os.Symlink("a.wav", filepath.Join(directory, "in.wav")))
	return r
}

func TestRecordings(t *testing.T) {
	r := recorded(t, "")
	for _, c := range []struct{ path, kind string }{
		{"a.wav", "audio/wav"}, {"2026/11/b%20c.mp3", "audio/mpeg"}, {"2026%2F11%2Fb%20c.mp3", "audio/mpeg"},
		{"notes", "application/octet-stream"}, {"%E5%BC%A0%E4%B8%89.WAV", "audio/wav"}, {"in.wav", "audio/wav"},
	} {
		w := r.request(http.MethodGet, "/coocenter-api/monitor/"+c.path, "")
		if w.Code != http.StatusOK || w.Body.String() != "0123456789" || w.Header().Get("Content-Type") != c.kind {
			t.Errorf("%s: %d %q %v", c.path, w.Code, w.Body, w.Header())
		}
	}
	w := r.request(http.MethodGet, "/coocenter-api/monitor/a.wav", "", "Range", "bytes=2-4")
	if w.Code != http.StatusPartialContent || w.Body.String() != "234" || w.Header().Get("Content-Range") != "bytes 2-4/10" {
		t.Errorf("a range: %d %q %v", w.Code, w.Body, w.Header())
	}
	if w := r.request(http.MethodGet, "/coocenter-api/monitor/a.wav", "", "Range", "bytes=20-"); w.Code != http.StatusRequestedRangeNotSatisfiable ||
		w.Body.String() != "{\"status\":\"error\",\"message\":\"invalid range: failed to overlap\"}\n" || w.Header().Get("Content-Range") != "bytes */10" {
		t.Errorf("a range behind the end: %d %q %v", w.Code, w.Body, w.Header())
	}
	if w := r.request(http.MethodGet, "/coocenter-api/monitor/a.wav", "", "If-Match", `"another"`); w.Code != http.StatusPreconditionFailed || w.Body.Len() > 0 {
		t.Errorf("a condition that does not hold: %d %q", w.Code, w.Body)
	}
	if w := r.request(http.MethodHead, "/coocenter-api/monitor/a.wav", ""); w.Code != http.StatusOK || w.Header().Get("Content-Length") != "10" {
		t.Errorf("HEAD: %d %v", w.Code, w.Header())
	}
	tag := r.request(http.MethodGet, "/coocenter-api/monitor/a.wav", "").Header().Get("ETag")
	if w := r.request(http.MethodGet, "/coocenter-api/monitor/a.wav", "", "If-None-Match", tag); w.Code != http.StatusNotModified || tag == "" {
		t.Errorf("unchanged, ETag %q: %d", tag, w.Code)
	}
}

func TestNothingOutsideOfTheRecordings(t *testing.T) {
	r := recorded(t, "")
	for _, path := range []string{
		"none.wav", "", "2026", "2026/", "out.wav", "../secret.wav", "2026/../../secret.wav", "..%2Fsecret.wav", "%2e%2e/secret.wav",
		"%2e%2e%2fsecret.wav", "..%5Csecret.wav", "/etc/passwd", "%2Fetc%2Fpasswd", "//etc/passwd", "./a.wav", "2026//11/b%20c.mp3", "a.wav%00", "a.wav%0A",
		"%FF.wav", "a.wav/", "a.wav/x",
	} {
		w := r.request(http.MethodGet, "/coocenter-api/monitor/"+path, "")
		if w.Code != http.StatusNotFound && w.Code != http.StatusBadRequest {
			t.Errorf("%q: %d %q", path, w.Code, w.Body)
		}
	}
	r.expect(404, "File not found", http.MethodGet, "/coocenter-api/monitor/none.wav", "")
	r.expect(405, "Method Not Allowed", http.MethodPost, "/coocenter-api/monitor/a.wav", "x=y")
}

func TestRecordingsNeedTheToken(t *testing.T) {
	r := recorded(t, sampleKey)
	r.expect(401, "Unauthorized", http.MethodGet, "/coocenter-api/monitor/a.wav", "")
	if w := r.request(http.MethodGet, "/coocenter-api/monitor/a.wav", "", "Authorization", Token(sampleKey, r.api.now())); w.Code != http.StatusOK {
		t.Errorf("with the token: %d", w.Code)
	}
}

func TestRecordingsDirectoryIsGone(t *testing.T) {
	r := recorded(t, "")
	r.must(os.RemoveAll(r.api.rules.Load().RecordingsDirectory))
	r.expect(404, "File not found", http.MethodGet, "/coocenter-api/monitor/a.wav", "")
}
