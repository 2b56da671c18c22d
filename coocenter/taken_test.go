package coocenter

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/internal/httpd"
)

// TestWhatIsTakenIsNoted: each recording that somebody takes, and once for all their pages the lists of calls and of pushed events; no look at what goes on, or at one call.
func TestWhatIsTakenIsNoted(t *testing.T) {
	var have []string
	r := recorded(t, sampleKey, func(n httpd.Note) {
		have = append(have, fmt.Sprintf("%s %s %d %v", n.Who, n.Action, n.Status, n.Params))
		if !n.Taken {
			t.Errorf("a command: %+v", n)
		}
	}).history()
	const b = "2026/11/b%20c.mp3"
	for _, x := range []struct{ method, path, piece string }{
		{http.MethodGet, "/monitor/a.wav", ""},
		{http.MethodGet, "/monitor/" + b, "bytes=0-"},
		{http.MethodGet, "/monitor/" + b, "bytes=5-"},
		{http.MethodHead, "/monitor/a.wav", ""},
		{http.MethodGet, "/monitor/none.wav", ""},
		{http.MethodGet, "/calls?limit=1", ""},
		{http.MethodGet, "/calls?limit=1&after=1", ""},
		{http.MethodPost, "/calls", ""},
		{http.MethodGet, "/calls?limit=x", ""},
		{http.MethodGet, "/calls/1541415929.807", ""},
		{http.MethodGet, "/events", ""},
		{http.MethodGet, "/extensions/current-calls", ""},
		{http.MethodGet, "/blacklist/index", ""},
	} {
		header := []string{"Authorization", Token(sampleKey, r.api.now())}
		if x.piece != "" {
			header = append(header, "Range", x.piece)
		}
		r.request(x.method, "/coocenter-api"+x.path, "", header...)
	}
	want := []string{
		"WEBKEY GET /coocenter-api/monitor/* 200 map[*:a.wav]", "WEBKEY GET /coocenter-api/monitor/* 206 map[*:2026/11/b c.mp3]",
		"WEBKEY GET /coocenter-api/calls 200 map[limit:1]", "WEBKEY GET /coocenter-api/events 200 map[]",
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}
