package httpd

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocumentIsMergedInOrder(t *testing.T) {
	s := newServer(t, nil)
	s.Describe([]byte(`{"tags":[{"name":"b"}],"paths":{"/b/z":{},"/b/a":{}},"webhooks":{"rings":{}},"components":{"schemas":{"B":{}},"responses":{"B":{}}}}`))
	s.Describe([]byte(`{"tags":[{"name":"c"}],"paths":{"/c":{}},"components":{"schemas":{"C":{}}}}`))
	w := ask(s, "GET", "/openapi.json", nil, nil)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	var doc struct {
		OpenAPI    string
		Tags       []struct{ Name string }
		Paths      object
		Webhooks   object
		Components map[string]object
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	names := func(o object) (list []string) {
		for _, m := range o {
			list = append(list, m.name)
		}
		return list
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi = %q", doc.OpenAPI)
	}
	for _, x := range []struct{ what, got, want string }{
		{"tags", doc.Tags[0].Name + doc.Tags[1].Name + doc.Tags[2].Name, "dialbridgebc"},
		{"paths", strings.Join(names(doc.Paths), " "), "/healthz /readyz /metrics /openapi.json /docs /b/z /b/a /c"},
		{"webhooks", strings.Join(names(doc.Webhooks), " "), "rings"},
		{"schemas", strings.Join(names(doc.Components["schemas"]), " "), "Readiness B C"},
		{"responses", strings.Join(names(doc.Components["responses"]), " "), "B"},
	} {
		if diff := cmp.Diff(x.want, x.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", x.what, diff)
		}
	}
}

func TestPartsThatDoNotFitAreNotServed(t *testing.T) {
	for _, test := range []struct{ name, part string }{
		{"a path twice", `{"paths":{"/readyz":{}}}`},
		{"a component twice", `{"components":{"schemas":{"Readiness":{}}}}`},
		{"another title", `{"info":{"title":"mine"}}`},
		{"no object", `[]`},
		{"paths that are no object", `{"paths":[]}`},
		{"half of it", `{"paths":{"/x":`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, nil)
			s.Describe([]byte(test.part))
			if w := ask(s, "GET", "/openapi.json", nil, nil); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "part") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

// TestFixedRoutesAreDescribed compares the server's own part of the document with the routes that it has.
func TestFixedRoutesAreDescribed(t *testing.T) {
	s := newServer(t, nil)
	var doc struct{ Paths map[string]json.RawMessage }
	if err := json.Unmarshal(ask(s, "GET", "/openapi.json", nil, nil).Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	routes := map[string]bool{}
	for _, r := range s.Echo().Routes() {
		if r.Method == http.MethodGet && path.Dir(r.Path) == "/" {
			routes[r.Path] = true
		}
	}
	for p := range doc.Paths {
		if !routes[p] {
			t.Errorf("%s is described and not served", p)
		}
		delete(routes, p)
	}
	if len(routes) > 0 {
		t.Errorf("not described: %v", routes)
	}
}

var loaded = regexp.MustCompile(`(?:src|href)="([^"]*)"`)

func TestPageLoadsWhatItNames(t *testing.T) {
	s := newServer(t, nil)
	page := ask(s, "GET", "/docs", nil, nil)
	if page.Code != http.StatusOK || !strings.HasPrefix(page.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("%d %v", page.Code, page.Header())
	}
	if csp := page.Header().Get("Content-Security-Policy"); csp != docsPolicy || strings.Contains(csp, "unsafe-eval") {
		t.Errorf("policy %q", csp)
	}
	names := loaded.FindAllStringSubmatch(page.Body.String(), -1)
	if len(names) < 5 {
		t.Fatalf("only %v is loaded", names)
	}
	for _, name := range names {
		if strings.HasPrefix(name[1], "/") || strings.Contains(name[1], ":") {
			t.Errorf("%s is no relative address", name[1])
		}
		w := ask(s, "GET", "/"+name[1], nil, nil)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") == "" || w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: %d %v", name[1], w.Code, w.Header())
		}
	}
	if strings.Contains(page.Body.String(), "<style") || regexp.MustCompile(`<script[^>]*>[^<]`).MatchString(page.Body.String()) {
		t.Error("the page has code of its own, which its policy forbids")
	}
	if w := ask(s, "GET", "/docs/", nil, nil); w.Code != http.StatusMovedPermanently || w.Header().Get("Location") != "../docs" {
		t.Errorf("/docs/: %d %v", w.Code, w.Header())
	}
	for _, name := range []string{"/docs/docs.html", "/docs/openapi.json", "/docs/../server.go", "/docs/swagger-ui.css.gz"} {
		if w := ask(s, "GET", name, nil, nil); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

func TestPageIsSentCompressedAndOnce(t *testing.T) {
	s := newServer(t, nil)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	get := func(header, value string) (status int, h http.Header, size int) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/docs/swagger-ui-bundle.js", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(header, value)
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header, len(body)
	}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	_, packed, small := get("Accept-Encoding", "gzip, br")
	_, plain, large := get("Accept-Encoding", "identity")
	if packed.Get("Content-Encoding") != "gzip" || plain.Get("Content-Encoding") != "" || small > 600_000 || large < 1_000_000 {
		t.Errorf("%d bytes %v, %d bytes %v", small, packed, large, plain)
	}
	if packed.Get("Vary") != "Accept-Encoding" {
		t.Errorf("Vary: %q", packed.Get("Vary"))
	}
	if status, _, n := get("If-None-Match", packed.Get("ETag")); status != http.StatusNotModified || n != 0 {
		t.Errorf("the second time: %d, %d bytes", status, n)
	}
}

func TestDocsObeyTheAllowedNetworks(t *testing.T) {
	s := newServer(t, func(o *Options) { o.Settings.Allow = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	for _, p := range []string{"/openapi.json", "/docs", "/docs/docs.js"} {
		if w := ask(s, "GET", p, nil, nil); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", p, w.Code)
		}
	}
}
