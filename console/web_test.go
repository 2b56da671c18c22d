package console

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"testing"
)

// maxPayload bounds what a browser loads for all pages together, compressed.
const maxPayload = 300 << 10

// TestPagesAreServed: every file with its type, its policy, compressed and once.
func TestPagesAreServed(t *testing.T) {
	r := newRig(t, 20)
	if w := r.request(http.MethodGet, "/console", ""); w.Code != http.StatusMovedPermanently || w.Header().Get("Location") != "console/" {
		t.Errorf("/console: %d %v", w.Code, w.Header())
	}
	total := 0
	for name, mimeType := range webFiles() {
		target := strings.TrimSuffix(strings.TrimPrefix(name, "web"), "index.html")
		w := r.request(http.MethodGet, pathWeb+target, "", "Accept-Encoding", "gzip, br", "From", "10.0.0.1:4000")
		h := w.Header()
		if w.Code != http.StatusOK || h.Get("Content-Type") != mimeType || h.Get("Content-Encoding") != "gzip" || h.Get("Vary") != "Accept-Encoding" ||
			h.Get("Cache-Control") != "no-cache" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %d %v", target, w.Code, h)
			continue
		}
		if path.Ext(name) != ".txt" {
			total += w.Body.Len()
		}
		data, err := fs.ReadFile(web, name)
		r.must(err)
		unpacked, err := gzip.NewReader(w.Body)
		r.must(err)
		if text, err := io.ReadAll(unpacked); err != nil || !bytes.Equal(text, data) {
			t.Errorf("%s is not what was compressed: %v", target, err)
		}
		if w := r.request(http.MethodGet, pathWeb+target, ""); w.Code != http.StatusOK || w.Header().Get("Content-Encoding") != "" || !bytes.Equal(w.Body.Bytes(), data) {
			t.Errorf("%s without compression: %d %v", target, w.Code, w.Header())
		}
		if w := r.request(http.MethodGet, pathWeb+target, "", "If-None-Match", h.Get("ETag")); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
			t.Errorf("%s the second time: %d", target, w.Code)
		}
	}
	t.Logf("%d bytes compressed", total)
	if total == 0 || total > maxPayload {
		t.Errorf("the pages are %d bytes, compressed", total)
	}
	for _, target := range []string{"/console/index.html", "/console/vendor/README.md", "/console/nothing.js", "/console/../api.go", "/console/web.go"} {
		if w := r.request(http.MethodGet, target, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}

// TestPagesAskNobodyElse: no page loads anything from elsewhere, and none has code of its own in its HTML.
func TestPagesAskNobodyElse(t *testing.T) {
	for name := range webFiles() {
		data, err := fs.ReadFile(web, name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		if path.Ext(name) == ".html" && (strings.Contains(text, "<style") || strings.Contains(text, "style=") || strings.Contains(text, " on")) {
			t.Errorf("%s has code or style of its own, which the policy forbids", name)
		}
		if strings.HasPrefix(name, "web/vendor/") || path.Ext(name) == ".svg" {
			continue
		}
		for _, forbidden := range []string{"innerHTML", "dangerouslySetInnerHTML", "eval(", "https://", "cdn."} {
			if strings.Contains(text, forbidden) {
				t.Errorf("%s: %s", name, forbidden)
			}
		}
	}
}
