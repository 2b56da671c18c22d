package coocenter

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/blacklist"
	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

// unconnected is the dialect without an Asterisk: it decodes and checks all that comes, and can send nothing.
func unconnected(f *testing.F) (*API, http.Handler) {
	f.Helper()
	must := func(err error) {
		f.Helper()
		if err != nil {
			f.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(f.TempDir(), "fuzz.db"), Logger: log})
	must(err)
	sw, err := pbx.New(ctx, pbx.Options{Client: ami.New(ami.Options{Address: "127.0.0.1:1", Logger: log}), Store: db, Rules: coreRules(), Logger: log})
	must(err)
	numbers, err := blacklist.New(ctx, blacklist.Options{Switch: sw, Store: db, Logger: log})
	must(err)
	outbox, err := webhook.NewOutbox(ctx, db, webhook.OutboxOptions{Logger: log})
	must(err)
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx) }()
	f.Cleanup(func() {
		cancel()
		must(<-ended)
		must(db.Close())
	})
	rules := sampleRules()
	rules.RecordingsDirectory = f.TempDir()
	api := NewAPI(APIOptions{Switch: sw, Numbers: numbers, Outbox: outbox, Failures: httpd.NewLimiter(20, time.Minute), Rules: rules, Now: time.Now, Logger: log})
	server, err := httpd.New(httpd.Options{
		Settings: httpd.Settings{Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}, Logger: log,
	})
	must(err)
	api.Mount(server)
	return api, server.Handler()
}

// needsNoAsterisk reports whether an endpoint answers out of the database.
func needsNoAsterisk(path string) bool {
	return strings.HasPrefix(path, "/blacklist/") || path == "/calls" || path == "/events"
}

// FuzzRequests sends whatever comes to mind to every endpoint. The answer is JSON in the dialect's shape with a status that
// README.md has, nothing panics, and what fails says why without an "internal error".
func FuzzRequests(f *testing.F) {
	api, web := unconnected(f)
	routes := api.routes()
	for i := range routes {
		f.Add(uint8(i), "", " src=808&dst=809", "application/x-www-form-urlencoded", "")
		f.Add(uint8(i), "queue=630", `{"member":"SIP/808","state":true,"extension":808,"number":"+1"}`, "application/json", "key-1")
	}
	f.Add(uint8(15), "from=2026-11-21+10:00:00&to=2026-11-21T12:00:00%2B08:00&extension=SIP/808&answered=yes", `{"limit":1000,"after":17}`, "application/json", "")
	f.Add(uint8(17), "after=evt_a&event=cc_cdr&uniqueid=1.1&limit=-1", "", "", "")
	f.Add(uint8(7), "src=808\r\nAction: Originate", "dst=%0d%0a", "", "")
	f.Add(uint8(8), "", "extension=%ff%fe%00", "application/x-www-form-urlencoded; charset=latin1", "")
	f.Fuzz(func(t *testing.T, which uint8, query, body, kind, key string) {
		r := routes[int(which)%len(routes)]
		for _, method := range r.methods {
			path := strings.ReplaceAll(Prefix+r.path, "*", "a.wav")
			req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
			req.URL.RawQuery = query
			req.Header.Set("Content-Type", kind)
			req.Header.Set("Idempotency-Key", key)
			w := httptest.NewRecorder()
			web.ServeHTTP(w, req)
			if w.Code == http.StatusInternalServerError || w.Code == http.StatusOK && !needsNoAsterisk(r.path) {
				t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
			var shape struct{ Status, Message string }
			if err := json.Unmarshal(w.Body.Bytes(), &shape); err != nil || !utf8.Valid(w.Body.Bytes()) {
				t.Fatalf("%s %s: %d %q: %v", method, path, w.Code, w.Body, err)
			}
			if w.Code != http.StatusOK && (shape.Status != "error" || shape.Message == "" || strings.ContainsAny(shape.Message, "\r\n\x00")) {
				t.Fatalf("%s %s: %d %q", method, path, w.Code, w.Body)
			}
		}
	})
}
