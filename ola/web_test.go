package ola

import (
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestWebFiles holds what is served beside the socket, and how: to anybody, never stale, and nothing else.
func TestWebFiles(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{})
	r.token = ""
	embedded, err := fs.Glob(web, "web/*")
	r.must(err)
	for i := range embedded {
		embedded[i] = strings.TrimPrefix(embedded[i], "web/")
	}
	if diff := gocmp.Diff(embedded, keys(webFiles)); diff != "" {
		t.Errorf("served differs from what there is (-there +served):\n%s", diff)
	}
	for name, mimeType := range webFiles {
		text, err := os.ReadFile("web/" + name)
		r.must(err)
		path := "/ola/" + name
		w := r.request(http.MethodGet, path, "")
		h := w.Header()
		if w.Code != http.StatusOK || h.Get("Content-Type") != mimeType || w.Body.String() != string(text) || h.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v", path, w.Code, h)
		}
		if h.Get("Content-Security-Policy") != webPolicy || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %v", path, h)
		}
		tag := h.Get("ETag")
		for _, had := range []string{tag, "W/" + tag, `"old", ` + tag} {
			if w := r.request(http.MethodGet, path, "", "If-None-Match", had); w.Code != http.StatusNotModified || w.Body.Len() != 0 || w.Header().Get("ETag") != tag {
				t.Errorf("%s, had %s: %d %v", path, had, w.Code, w.Header())
			}
		}
		for _, had := range []string{`"old"`, tag[:5], ""} {
			if w := r.request(http.MethodGet, path, "", "If-None-Match", had); w.Code != http.StatusOK {
				t.Errorf("%s, had %s: %d", path, had, w.Code)
			}
		}
		if w := r.request(http.MethodHead, path, ""); w.Code != http.StatusOK || w.Header().Get("ETag") != tag {
			t.Errorf("HEAD %s: %d %v", path, w.Code, w.Header())
		}
		if h := r.expect(http.StatusMethodNotAllowed, "Method Not Allowed", http.MethodPost, path, "a=b"); h.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("POST %s: %v", path, h)
		}
	}
	for _, path := range []string{"/ola", "/ola/", "/ola/web.go", "/ola/web/ola_api.js", "/ola/../ola/demo", "/ola/ola_api.js/", "/ola/%2e%2e/api.go"} {
		r.expect(http.StatusNotFound, "not found", http.MethodGet, path, "")
	}
	r.expect(http.StatusUpgradeRequired, "a WebSocket is expected", http.MethodGet, pathSocket, "")
}

// TestDeclarationsFit compares ola_api.d.ts with what there is in ola_api.js, and both with the vendor's document.
func TestDeclarationsFit(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{})
	p := r.open("")
	var methods, fields []string
	r.must(p.vm.ExportTo(p.run(`Object.getOwnPropertyNames(ola.Ola.prototype).filter(function (n) {
		return n.charAt(0) !== '_' && n !== 'constructor' && n !== 'connected'; }).sort()`), &methods))
	r.must(p.vm.ExportTo(p.run(`Object.keys(new ola.Ola()).concat(['connected', 'Ola', 'OlaError']).filter(function (n) {
		return n.charAt(0) !== '_' || n === '_extn'; }).sort()`), &fields))
	text, err := os.ReadFile("web/ola_api.d.ts")
	r.must(err)
	_, client, _ := strings.Cut(string(text), "  interface Client {\n")
	declared := func(pattern string) (list []string) {
		for _, m := range regexp.MustCompile(`(?m)^    `+pattern).FindAllStringSubmatch(client, -1) {
			list = append(list, m[1])
		}
		slices.Sort(list)
		return list
	}
	if diff := gocmp.Diff(methods, declared(`(\w+)\(`)); diff != "" {
		t.Errorf("methods (-ola_api.js +ola_api.d.ts):\n%s", diff)
	}
	if diff := gocmp.Diff(fields, declared(`(?:readonly )?(\w+)\??: `)); diff != "" {
		t.Errorf("fields (-ola_api.js +ola_api.d.ts):\n%s", diff)
	}
	readme, err := os.ReadFile("README.md")
	r.must(err)
	for _, name := range methods {
		if !strings.Contains(string(readme), "`"+name+"(") {
			t.Errorf("README.md does not tell of %s", name)
		}
	}
	for _, name := range strings.Fields(`connect auth subscribe unsubscribe login logout go_ready go_break dial hangup hold unhold ping collect_dtmf transfer
		intercept monitor unmonitor three_way exit_three_way take_call kill`) {
		if !slices.Contains(methods, name) {
			t.Errorf("%s of the document is not there", name)
		}
	}
}

// TestClientIsAModule holds that the file can be required too.
func TestClientIsAModule(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{})
	p := r.open("")
	source, err := os.ReadFile("web/ola_api.js")
	r.must(err)
	p.run("ola = undefined; var module = {exports: {}};\n" + string(source))
	if got := p.run(`[typeof ola, typeof module.exports.connect, module.exports.ola === module.exports, module.exports instanceof module.exports.Ola].join()`).String(); got != "undefined,function,true,true" {
		t.Errorf("a module: %s", got)
	}
}

// TestDemoPageIsWhole holds that the page has what its code asks for, and nothing that its policy forbids or that would run what a caller
// has chosen.
func TestDemoPageIsWhole(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile("web/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	page, code := read("demo.html"), read("demo.js")
	has := func(pattern string) map[string]bool {
		list := map[string]bool{}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(page, -1) {
			list[m[1]] = true
		}
		return list
	}
	ids, commands := has(` id="([^"]*)"`), has(` data-do="([^"]*)"`)
	for _, m := range regexp.MustCompile(`(?:byId|onSubmit)\('([^']*)'`).FindAllStringSubmatch(code, -1) {
		if !ids[m[1]] {
			t.Errorf("the page has no %s", m[1])
		}
	}
	for name := range commands {
		if !strings.Contains(code, "  "+name+": function") {
			t.Errorf("nothing is done by %s", name)
		}
	}
	for name := range has(`(?:src|href)="([^"]*)"`) {
		if webFiles[name] == "" {
			t.Errorf("the page loads %s, which is not there", name)
		}
	}
	for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "localStorage", "sessionStorage", "$("} {
		if strings.Contains(code+read("ola_api.js"), bad) {
			t.Errorf("there is %s", bad)
		}
	}
	if m := regexp.MustCompile(`(?i)<style|<script[^>]*>[^<]|\son\w+=|\sstyle=|javascript:`).FindString(page); m != "" {
		t.Errorf("the page has %q, which its policy forbids", m)
	}
}

// TestPageOfTheReadmeWorks runs the page that README.md shows.
func TestPageOfTheReadmeWorks(t *testing.T) {
	r, url := online(t, newAsterisk(t), rigOptions{})
	p := r.open(url)
	readme, err := os.ReadFile("README.md")
	r.must(err)
	_, rest, _ := strings.Cut(string(readme), "<script>\n")
	script, _, _ := strings.Cut(rest, "</script>")
	r.must(p.vm.Set("PASSWORD", secretOf("808")))
	p.run(`var shown = {}, document = {getElementById: function (id) { return shown[id] = shown[id] || {}; }};`)
	p.run(strings.NewReplacer("'ws://BOX:8000/ola_socket'", "URL", "'PASSWORD'", "PASSWORD").Replace(script))
	p.until(`shown.state && shown.state.textContent === 'ready'`)
}
