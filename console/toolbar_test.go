package console

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// toolbarRig is a rig that serves the toolbar besides.
func toolbarRig(t *testing.T, failures int, s ToolbarSettings) (*rig, *Toolbar) {
	t.Helper()
	r := newRigOn(t, 20, ami.Options{})
	bar := NewToolbar(ToolbarOptions{Switch: r.sw, Users: r.users, Failures: httpd.NewLimiter(failures, time.Minute), Settings: s})
	server, err := httpd.New(httpd.Options{
		Settings: httpd.Settings{Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}, Logger: slog.New(slog.DiscardHandler),
	})
	r.must(err)
	r.api.Mount(server) // the document of the two is one
	bar.Mount(server)
	r.web = server.Handler()
	return r, bar
}

// TestToolbarIsServed: each file with its type and a policy, nothing else, and all pages of the console together are small.
func TestToolbarIsServed(t *testing.T) {
	r, _ := toolbarRig(t, 20, ToolbarSettings{})
	if w := r.request(http.MethodGet, pathToolbar, ""); w.Code != http.StatusMovedPermanently || w.Header().Get("Location") != "toolbar/" {
		t.Errorf("%s: %d %v", pathToolbar, w.Code, w.Header())
	}
	total := 0
	for name, mimeType := range filesBelow(dirToolbar) {
		target := pathToolbar + "/" + strings.TrimSuffix(strings.TrimPrefix(name, dirToolbar), "index.html")
		w := r.request(http.MethodGet, target, "", "Accept-Encoding", "gzip", "From", "10.0.0.1:4000")
		h := w.Header()
		if w.Code != http.StatusOK || h.Get("Content-Type") != mimeType || h.Get("Content-Security-Policy") == "" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", target, w.Code, h)
		}
		total += w.Body.Len()
		data, err := fs.ReadFile(web, name)
		r.must(err)
		for _, forbidden := range []string{"innerHTML", "dangerouslySetInnerHTML", "eval(", "https://", "<style", "style="} {
			if strings.Contains(string(data), forbidden) {
				t.Errorf("%s: %s", name, forbidden)
			}
		}
	}
	all := newRig(t, 20)
	for name := range webFiles() {
		if path.Ext(name) != ".txt" {
			target := strings.TrimSuffix(strings.TrimPrefix(name, "web"), "index.html")
			total += all.request(http.MethodGet, pathWeb+target, "", "Accept-Encoding", "gzip").Body.Len()
		}
	}
	client, err := os.ReadFile("../ola/web/ola_api.js") // on which it stands
	r.must(err)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(client)
	r.must(w.Close())
	total += packed.Len()
	t.Logf("%d bytes compressed", total)
	if total == 0 || total > maxPayload {
		t.Errorf("the pages are %d bytes, compressed", total)
	}
	for _, target := range []string{"/index.html", "/nothing.js", "/../toolbar.go", "/status/", "/origins/x"} {
		if w := r.request(http.MethodGet, pathToolbar+target, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}

// TestToolbarPolicy: who may frame the page, and what it may frame, follow the configuration.
func TestToolbarPolicy(t *testing.T) {
	const crm = "https://crm.example"
	r, bar := toolbarRig(t, 20, ToolbarSettings{})
	for _, tc := range []struct {
		settings ToolbarSettings
		framers  string
		framed   string
		origins  string
	}{
		{ToolbarSettings{}, "'self'", "", "[]"},
		{ToolbarSettings{PopURL: crm + "/pop?n={caller}"}, "'self'", "", "[]"},
		{ToolbarSettings{PopURL: crm + "/pop?n={caller}&token=t", PopFrame: true}, "'self'", crm, "[]"},
		{ToolbarSettings{PopURL: "http://10.0.0.5:8080/{caller}", PopFrame: true, Origins: []string{crm, "http://10.0.0.5:8080"}},
			"'self' " + crm + " http://10.0.0.5:8080", "http://10.0.0.5:8080", `["` + crm + `","http://10.0.0.5:8080"]`},
	} {
		bar.Configure(tc.settings)
		rules := strings.Split(r.request(http.MethodGet, pathToolbar+"/", "").Header().Get("Content-Security-Policy"), "; ")
		if !slices.Contains(rules, "frame-ancestors "+tc.framers) || !slices.Contains(rules, "default-src 'self'") {
			t.Errorf("%+v: %q", tc.settings, rules)
		}
		if has := slices.ContainsFunc(rules, func(s string) bool { return strings.HasPrefix(s, "frame-src") }); has != (tc.framed != "") ||
			has && !slices.Contains(rules, "frame-src "+tc.framed) {
			t.Errorf("%+v: %q", tc.settings, rules)
		}
		if w := r.request(http.MethodGet, pathToolbar+"/origins", ""); strings.TrimSpace(w.Body.String()) != `{"origins":`+tc.origins+`}` {
			t.Errorf("%s", w.Body)
		}
	}
}

// TestToolbarStatusRefuses: nothing is told without the right log-in. What it tells to others is tried on a real Asterisk.
func TestToolbarStatusRefuses(t *testing.T) {
	r, bar := toolbarRig(t, 2, ToolbarSettings{PopURL: "https://crm.example/?token=hidden"})
	post := func(want int, body string, header ...string) *httptest.ResponseRecorder {
		t.Helper()
		w := r.request(http.MethodPost, pathToolbar+"/status", body, header...)
		if w.Code != want || strings.Contains(w.Body.String(), "hidden") || w.Code != http.StatusRequestEntityTooLarge && w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%.100s: %d %s %v, want %d", body, w.Code, w.Body, w.Header(), want)
		}
		return w
	}
	post(400, `{}`)
	post(400, `{"username":"805"}`)
	post(400, `{"username":"805","password":""}`)
	post(400, `{"username":"8\u000005","password":"x"}`)
	post(400, "{\"username\":\"8\xff\",\"password\":\"x\"}")
	post(413, `{"username":"`+strings.Repeat("8", 1<<20)+`"}`)
	post(503, `{"username":"805","password":"x"}`) // no Asterisk: an extension's password cannot be checked
	post(401, `{"username":"nobody","password":"x"}`)
	for role, want := range map[pbx.Role]int{pbx.RoleAgent: 403, pbx.RoleSupervisor: 503} { // whom the socket lets in, and then Asterisk is missing
		_, err := r.users.Create(t.Context(), "a"+string(role), "", role, "good enough")
		r.must(err)
		post(want, body("username", "a"+string(role), "password", "good enough", "extn", "805"))
	}
	if described(t, r).Paths.Find(pathToolbar+"/status").Post == nil {
		t.Error("it is not described")
	}
	if w := r.request(http.MethodGet, pathToolbar+"/status", ""); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
	bar.failures.Fail(netip.MustParseAddr("127.0.0.1"))
	post(429, `{"username":"805","password":"x"}`)
}
