package browser_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/dialbridge/dialbridge/lab/browser"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// witness is a test that may fail: it keeps what was said.
type witness struct {
	*testing.T
	said []string
}

func (w *witness) Errorf(format string, args ...any) {
	w.said = append(w.said, fmt.Sprintf(format, args...))
}

const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Test</title><link rel="icon" href="data:,">
<style>@media (prefers-color-scheme: dark) { body { background: #000; color: #fff } } [hidden] { display: none }</style>
<main><h1>A page</h1>
<label>Name <input id="name"></label> <button id="say">Say</button> <select id="choice" aria-label="Choice"><option value="a">A<option value="b">B</select>
<p id="out"></p><p id="no" hidden>hidden</p><a id="open" href="/other" target="_blank" rel="opener">other</a><button id="bad">Bad</button></main>
<script>
document.querySelector('#say').onclick = e => { document.querySelector('#out').textContent = 'Hello ' + document.querySelector('#name').value + ' ' + e.isTrusted; };
document.querySelector('#choice').onchange = e => { document.querySelector('#out').textContent = 'chose ' + e.target.value; };
document.querySelector('#bad').onclick = () => { throw new Error('on purpose'); };
</script>`

func site(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/":
			_, _ = w.Write([]byte(html))
		case "/frames":
			inner := strings.Replace("http://"+r.Host, "127.0.0.1", "localhost", 1)
			_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Frames</title><link rel="icon" href="data:,"><iframe title="inner" src="%s/"></iframe>`, inner)
		default:
			_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Other</title><link rel="icon" href="data:,"><p>I am %s</p>`, r.URL.Path)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestPage(t *testing.T) {
	url := site(t)
	b := browser.ForTest(t, browser.Options{})
	p := b.Open(url + "/")
	p.Size(360, 400)
	p.Type("#name", "wrong")
	p.Type("#name", `"Ann" 王`)
	p.Click("#say")
	p.WaitText("#out", `Hello "Ann" 王 true`)
	p.Select("#choice", "b")
	if got := p.Text("#out"); got != "chose b" {
		t.Errorf("%q", got)
	}
	p.WaitGone("#no")
	p.Prefer("dark")
	p.Until("a dark page", "getComputedStyle(document.body).backgroundColor === 'rgb(0, 0, 0)'")
	file := filepath.Join(t.TempDir(), "page.png")
	p.Screenshot(file)
	if png, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(png, []byte("\x89PNG")) {
		t.Errorf("no picture: %v", err)
	}
	p.Click("#open")
	other := b.Popup("/other")
	other.WaitText("p", "I am /other")
	other.Close()
	var number float64
	p.Eval("Promise.resolve(6 * 7)", &number)
	if number != 42 {
		t.Errorf("%v", number)
	}
}

func TestFrameOfAnotherSite(t *testing.T) {
	url := site(t)
	b := browser.ForTest(t, browser.Options{})
	b.Open(url + "/frames")
	inner := b.Frame("localhost")
	inner.Type("#name", "frame")
	inner.Click("#say")
	inner.WaitText("#out", "Hello frame")
}

func TestErrorsOfPagesFailTests(t *testing.T) {
	url := site(t)
	w := &witness{T: t}
	t.Run("inside", func(t *testing.T) {
		w.T = t
		p := browser.ForTest(w, browser.Options{}).Open(url + "/")
		p.Accessible()
		p.Eval("document.querySelector('#out').insertAdjacentHTML('afterend', '<img src=\"data:,\"><input id=\"nameless\">')", nil)
		p.Accessible("image-alt")
		p.Click("#bad")
		p.Eval("console.error('said', 7)", nil)
		p.Eval("fetch('http://127.0.0.1:1/').catch(() => {})", nil)
		p.Expect("net::ERR")
		p.Until("the errors", "true")
	})
	all := strings.Join(w.said, "\n")
	if len(w.said) != 3 || !strings.Contains(w.said[0], "axe-core: label:") || !strings.Contains(all, "on purpose") || !strings.Contains(all, "said 7") {
		t.Errorf("%q", w.said)
	}
}
