package console

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/audit"
)

// noted are the entries of the audit log, the oldest first: who, what, what came of it, and with what.
func (r *rig) noted(f audit.Filter) (lines []string) {
	r.t.Helper()
	r.settled()
	list, err := r.audit.List(r.t.Context(), f)
	r.must(err)
	slices.Reverse(list)
	for _, e := range list {
		var params []string
		for name, value := range e.Params {
			params = append(params, name+"="+value)
		}
		slices.Sort(params)
		_, path, _ := strings.Cut(e.Action, Prefix)
		broke := ""
		if e.BrokeOff != "" {
			broke = " broke off: " + e.BrokeOff
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %d%s %s", e.Who, path, e.Status, broke, strings.Join(params, " "))))
	}
	return lines
}

// deaf is a client of HTTP/2 that takes nothing for too long: writes fail, and the request's context lives on.
type deaf struct{ *httptest.ResponseRecorder }

func (deaf) Write([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// TestHearingsAreNoted: who has heard which recording is in the audit log, once for all the pieces that a player asks for.
func TestHearingsAreNoted(t *testing.T) {
	r := newRig(t, 20)
	dir := t.TempDir()
	r.must(os.WriteFile(filepath.Join(dir, "1.wav"), tone(), 0o600))
	r.api.ConfigureRecordings(Recordings{Directory: dir, AsteriskDirectory: "/var/spool/asterisk/monitor"})
	r.remember(pastCalls()...)
	ann := r.enter("admin", adminPassword)
	ann.expect(200, http.MethodHead, "/calls/1.1/recording", "")
	ann.expect(200, http.MethodGet, "/calls/1.1", "")
	ann.expect(206, http.MethodGet, "/calls/1.1/recording", "", "Range", "bytes=0-")
	ann.expect(206, http.MethodGet, "/calls/1.1/recording", "", "Range", "bytes=8000-")
	ann.expect(200, http.MethodGet, "/calls/1.1/recording", "")
	r.request(http.MethodGet, Prefix+"/calls/1.1/recording", "", "Range", "bytes=0-")
	want := []string{"admin /calls/:id/recording 206 id=1.1", "admin /calls/:id/recording 200 id=1.1", "local /calls/:id/recording 206 id=1.1"}
	if diff := cmp.Diff(want, r.noted(audit.Filter{Action: "recording"})); diff != "" {
		t.Error(diff)
	}
}

// TestExportsAreNoted: who has exported what, that which broke off too and why, and not who was refused or has only asked. What the page lists is
// none, and what a program takes page by page is one.
func TestExportsAreNoted(t *testing.T) {
	r := newRig(t, 20)
	long := pastCalls()[0]
	long.CallerName = strings.Repeat("x", 10<<10)
	r.many(1000, long) // more than fits between a server and a client who does not read
	ann := r.enter("admin", adminPassword)
	ann.expect(200, http.MethodHead, "/calls.csv", "")
	ann.expect(400, http.MethodGet, "/calls.csv?from=x", "")
	ann.expect(200, http.MethodGet, "/calls.csv?direction=outbound&text=%E7%8E%8B", "")
	ann.expect(200, http.MethodGet, "/calls?limit=1", "")
	server := httptest.NewServer(r.web)
	defer server.Close()
	part := func(query string, meanwhile func(*http.Response), header ...string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+Prefix+"/calls.csv?"+query, nil)
		r.must(err)
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := server.Client().Do(req)
		r.must(err)
		_, err = io.CopyN(io.Discard, resp.Body, 10)
		r.must(err)
		meanwhile(resp)
		if _, err = io.Copy(io.Discard, resp.Body); err == nil {
			t.Error(query, "came whole")
		}
		_ = resp.Body.Close()
	}
	part("answered=yes&n=1", func(resp *http.Response) { r.must(resp.Body.Close()) })
	part("answered=yes&n=2", func(*http.Response) {
		_, err := r.users.Change(t.Context(), 1, changeName("another"))
		r.must(err)
	}, "Cookie", ann.cookie)
	part("answered=yes&n=3", func(*http.Response) {
		r.must(r.db.Do(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(context.Background(), `UPDATE pbx_calls SET body = 'no JSON' WHERE seq = 1`)
			return err
		}))
	})
	server.Close() // waits for the handlers
	breaks := func(ctx context.Context, query string) {
		defer func() { _ = recover() }() // as the server does
		req := httptest.NewRequestWithContext(ctx, http.MethodGet, Prefix+"/calls.csv?"+query, nil)
		req.RemoteAddr, req.Host = "127.0.0.1:40000", "127.0.0.1:8000"
		r.web.ServeHTTP(deaf{httptest.NewRecorder()}, req)
	}
	breaks(t.Context(), "answered=yes&n=4")
	gone, leave := context.WithCancel(t.Context())
	leave()
	breaks(gone, "answered=yes&n=5") // nothing has gone out
	r.api.Configure(func(h http.Header) bool { return h.Get("Authorization") == "good" })
	for range 2 {
		r.request(http.MethodGet, Prefix+"/calls?limit=1", "", "Authorization", "good")
	}
	want := []string{
		"admin /calls.csv 200 direction=outbound text=王", "local /calls.csv 200 broke off: client answered=yes n=1", "admin /calls.csv 200 broke off: session answered=yes n=2",
		"local /calls.csv 200 broke off: error answered=yes n=3", "local /calls.csv 200 broke off: client answered=yes n=4", "WEBKEY /calls 200 limit=1",
	}
	if diff := cmp.Diff(want, r.noted(audit.Filter{Action: "/calls"})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[1:5], r.noted(audit.Filter{Action: "/calls", Failed: true})); diff != "" {
		t.Error(diff)
	}
}

// TestUnknownNamesAreNotKept: a password that was typed as the name is nowhere, whatever is wrong with the rest; the name of a user is.
func TestUnknownNamesAreNotKept(t *testing.T) {
	r := newRig(t, 100)
	const secret = "hunter2-typed-as-name"
	for _, tc := range []string{
		body("login", secret, "password", "x"), body("login", secret), body("login", "admin", "password", "wrong"), body("login", "admin"), body("password", "x"),
	} {
		r.request(http.MethodPost, Prefix+"/session", tc, "From", elsewhere)
	}
	for range 20 { // until the name is locked
		r.request(http.MethodPost, Prefix+"/session", body("login", secret, "password", "x"), "From", elsewhere)
	}
	have := r.noted(audit.Filter{Limit: 1000})
	want := []string{
		"/session 401 login=unknown name password=***", "/session 400 login=unknown name", "/session 401 login=admin password=***", "/session 400 login=admin",
		"/session 400 password=***",
	}
	if diff := cmp.Diff(want, have[:len(want)]); diff != "" || len(have) != 25 || !slices.Contains(have, "/session 429 login=unknown name password=***") {
		t.Errorf("%d entries, %q, %s", len(have), have[len(want):], diff)
	}
	for _, line := range have {
		if strings.Contains(line, secret) {
			t.Error(line)
		}
	}
}
