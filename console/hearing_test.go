package console

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %d %s", e.Who, path, e.Status, strings.Join(params, " "))))
	}
	return lines
}

// TestHearingsAreNoted: who has heard which recording is in the audit log, once for each download and once for all the pieces that a player asks
// for, wherever he begins.
func TestHearingsAreNoted(t *testing.T) {
	r := newRig(t, 20)
	dir := t.TempDir()
	r.must(os.WriteFile(filepath.Join(dir, "1.wav"), tone(), 0o600))
	r.api.ConfigureRecordings(Recordings{Directory: dir, AsteriskDirectory: "/var/spool/asterisk/monitor"})
	r.remember(pastCalls()...)
	now := time.Now()
	r.api.hearings.now = func() time.Time { return now }
	ann := r.enter("admin", adminPassword)
	hear := func(want int, header ...string) {
		t.Helper()
		ann.expect(want, http.MethodGet, "/calls/1.1/recording", "", header...)
	}
	heard := "admin /calls/:id/recording"
	var want []string
	same := func(more ...string) {
		t.Helper()
		want = append(want, more...)
		if diff := cmp.Diff(want, r.noted(audit.Filter{Action: "recording"})); diff != "" {
			t.Error(diff)
		}
	}
	ann.expect(200, http.MethodHead, "/calls/1.1/recording", "")
	ann.expect(200, http.MethodGet, "/calls/1.1", "")
	hear(416, "Range", "bytes=999999-")
	hear(412, "If-Match", `"another"`)
	same()
	hear(206, "Range", "bytes=1-") // all but the first byte is as good as all
	same(heard + " 206 id=1.1")
	hear(206, "Range", "bytes=0-")
	hear(206, "Range", "bytes=8000-")
	now = now.Add(oneHearing)
	hear(206, "Range", "bytes=12000-")
	same()
	hear(200)
	hear(200)
	same(heard+" 200 id=1.1", heard+" 200 id=1.1")
	now = now.Add(oneHearing + time.Second)
	hear(206, "Range", "bytes=4-")
	same(heard + " 206 id=1.1")
	r.request(http.MethodGet, Prefix+"/calls/1.1/recording", "", "Range", "bytes=0-")
	same("local /calls/:id/recording 206 id=1.1")
	piece := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	for n := range mostHearings + 10 { // which a stranger cannot make, and a program can
		r.api.hearings.begins(piece, hearing{"x", "y", fmt.Sprint(n)})
	}
	if n := len(r.api.hearings.last); n > mostHearings {
		t.Errorf("%d hearings are remembered", n)
	}
}

// TestExportsAreNoted: who has exported what, that which broke off too, and not who was refused or has only asked.
func TestExportsAreNoted(t *testing.T) {
	r := newRig(t, 20)
	r.bulk(300, 10<<10)
	ann := r.enter("admin", adminPassword)
	ann.expect(200, http.MethodHead, "/calls.csv", "")
	ann.expect(400, http.MethodGet, "/calls.csv?from=x", "")
	ann.expect(200, http.MethodGet, "/calls.csv?direction=inbound&text=%E7%8E%8B", "")
	server := httptest.NewServer(r.web)
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+Prefix+"/calls.csv?queue=630", nil)
	r.must(err)
	resp, err := server.Client().Do(req)
	r.must(err)
	_, _ = io.CopyN(io.Discard, resp.Body, 10)
	r.must(resp.Body.Close())
	server.CloseClientConnections()
	server.Close() // waits for the handler
	want := []string{"admin /calls.csv 200 direction=inbound text=王", "local /calls.csv 200 queue=630"}
	if diff := cmp.Diff(want, r.noted(audit.Filter{Action: "calls.csv"})); diff != "" {
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
