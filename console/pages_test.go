package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/audit"
	"github.com/dialbridge/dialbridge/lab/browser"
	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

// site serves the console for a browser, to which a key is needed: it must log in. It tells seen, where there is one, of each request.
func (r *rig) site(seen ...func(*http.Request)) string {
	r.t.Helper()
	r.api.Configure(func(h http.Header) bool { return h.Get("Authorization") == "good" })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		for _, f := range seen {
			f(req)
		}
		r.web.ServeHTTP(w, req)
	}))
	r.t.Cleanup(server.Close)
	return server.URL + pathWeb + "/"
}

// logInAs fills the form in.
func logInAs(p *browser.Page, name, password string) {
	p.Type("input[name=login]", name)
	p.Type("input[name=password]", password)
	p.Click("form button")
}

// looks holds that nothing is wrong with a page in both colours, both languages and on a telephone's screen.
func looks(t *testing.T, p *browser.Page) {
	t.Helper()
	p.Accessible()
	p.Select("header label:nth-of-type(2) select", "dark")
	p.Until("dark", "getComputedStyle(document.body).backgroundColor === 'rgb(16, 22, 29)'")
	p.Accessible()
	p.Size(360, 640)
	p.Select("header label:nth-of-type(1) select", "zh")
	p.Until("Chinese", "document.documentElement.lang === 'zh-CN'")
	p.Accessible()
	narrow(t, p)
	p.Select("header label:nth-of-type(1) select", "en")
	p.Select("header label:nth-of-type(2) select", "auto")
	p.Size(1280, 800)
}

// narrow holds that a page, and a window in it, are no wider than the telephone that they are on.
func narrow(t *testing.T, p *browser.Page) {
	t.Helper()
	var over float64
	p.Eval(`Math.max(0, ...Array.from(document.querySelectorAll("html, dialog"), (e) => Math.max(e.scrollWidth, e.getBoundingClientRect().right) - innerWidth))`, &over)
	if over > 0 {
		t.Errorf("the page is %v pixels wider than a screen of 360", over)
	}
}

// TestPagesInABrowser: a person logs in, makes a user, who logs in, loses his place when he is changed, and all is in the audit log.
func TestPagesInABrowser(t *testing.T) {
	r := newRig(t, 100)
	r.must(r.sender.Configure(t.Context(), []webhook.Target{{URL: "http://127.0.0.1:9/"}}))
	url := r.site()
	b := browser.ForTest(t, browser.Options{})
	p := b.Open(url)
	p.Expect("401") // the browser tells of each
	p.Expect("409")
	p.Expect("403")
	p.WaitText("h1", "Log in")
	looks(t, p)
	logInAs(p, "admin", "wrong password")
	p.WaitText("[role=alert]", "wrong name or password")
	p.Accessible()
	p.Select("header label:nth-of-type(1) select", "zh")
	p.WaitText("[role=alert]", "用户名或密码错误")
	p.Select("header label:nth-of-type(1) select", "en")
	logInAs(p, "admin", adminPassword)
	p.WaitText("h1", "Wallboard")
	p.Eval("location.hash = '#/users'", nil)
	p.WaitText("h1", "Users")
	p.WaitText("tbody th", "admin")
	looks(t, p)

	p.Click("main .bar button")
	p.Wait("dialog input[name=login]")
	looks(t, p)
	p.Type("dialog input[name=login]", "ann")
	p.Type("dialog input[name=name]", `Ann <b>"王"</b>`)
	p.Type("dialog input[name=password]", "in the morning")
	p.Select("dialog select", "supervisor")
	p.Click("dialog .primary")
	p.WaitGone("dialog")
	p.WaitText("tbody td", `Ann <b>"王"</b>`)
	p.Click("button[aria-label='Change admin']")
	p.Wait("dialog input[name=disabled]")
	looks(t, p)
	p.Click("dialog button[type=button]")
	p.Click("button[aria-label='Delete admin']")
	p.Until("the focus on what does no harm", `document.activeElement.textContent === "Cancel"`)
	p.Click("dialog .danger")
	p.WaitText("dialog [role=alert]", "last administrator")
	looks(t, p)
	p.Click("dialog button[type=button]")
	p.WaitGone("dialog")

	r.audit.Note(audit.Entry{At: time.Now(), Who: "admin", Action: "GET /console/api/calls.csv", Status: 200, BrokeOff: "client"})
	p.Eval("location.hash = '#/audit'", nil)
	p.WaitText("td .tag", "broke off: the client went away")
	p.WaitText("td", "POST /console/api/users")
	p.WaitText("td", "password = ***")
	looks(t, p)
	p.Click("main input[name=failed]")
	p.Click("main form button")
	p.WaitText("td", "409")
	p.WaitGone("td .tag.good")

	p.Click("header button")
	p.WaitText("h1", "Log in")
	logInAs(p, "ann", "in the morning")
	p.WaitText(".who", "Ann")
	p.Click(".who")
	p.WaitText("h2", "Change the password")
	looks(t, p)
	p.Type("input[name=old]", "in the evening")
	p.Type("input[name=new]", "another morning")
	p.Click("main form button")
	p.WaitText("[role=alert]", "not the one that you have")
	p.Type("input[name=old]", "in the morning")
	p.Click("main form button")
	p.WaitText("h1", "Log in")
	logInAs(p, "ann", "another morning")
	p.WaitText(".who", "Ann")
	p.Eval("location.hash = '#/delivery'", nil) // a supervisor sees it, and orders nothing there
	p.WaitText("h1", "Delivery")
	p.WaitText("tbody th", "default")
	looks(t, p)
	p.WaitGone("main button:not([type=submit])")
	p.Eval("location.hash = '#/users'", nil)
	p.WaitText("main", "Your role may not see this page.")
	p.Accessible()
	name := "Anna"
	_, err := r.users.Change(t.Context(), 2, changeName(name))
	r.must(err)
	p.Eval("import(new URL('./api.js', location.href)).then(m => m.get('session').catch(() => {}))", nil)
	p.WaitText("[role=status]", "Your session has ended.")
	p.Accessible()
}

// TestAnAgentInABrowser: an agent, who may see no page of the menu, finds his account and the way to the toolbar.
func TestAnAgentInABrowser(t *testing.T) {
	r := newRig(t, 100)
	_, err := r.users.Create(t.Context(), "bea", "Bea", pbx.RoleAgent, "good enough")
	r.must(err)
	p := browser.ForTest(t, browser.Options{}).Open(r.site())
	p.Expect("401")
	p.WaitText("h1", "Log in")
	logInAs(p, "bea", "good enough")
	p.WaitText("h1", "Bea")
	p.WaitText("main a[href='toolbar/']", "Agent toolbar")
	p.WaitGone("nav a")
	looks(t, p)
}

// TestAnotherSiteInTheSameBrowser: while somebody is logged in, a page of another site can neither order anything in his name, nor log him in as
// somebody else, nor show the console in a frame.
func TestAnotherSiteInTheSameBrowser(t *testing.T) {
	r := newRig(t, 100)
	var scripts, forged atomic.Int64
	url := r.site(func(req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/app.js") {
			scripts.Add(1)
		}
		if req.Method == http.MethodPost && req.Header.Get("Origin") != "" && !strings.Contains(req.Header.Get("Origin"), req.Host) {
			forged.Add(1)
			if req.Header.Get("Cookie") != "" {
				t.Errorf("%s comes with a cookie from %s", req.URL.Path, req.Header.Get("Origin"))
			}
		}
	})
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Evil</title><link rel="icon" href="data:,"><p>evil</p>
			<form method="post" action="%[1]sapi/outbox/replay" target="out"><input name="state" value="dead"></form><iframe name="out" title="out"></iframe>
			<form method="post" action="%[1]sapi/session" target="in"><input name="login" value="admin"><input name="password" value="`+adminPassword+`"></form>
			<iframe name="in" title="in"></iframe><iframe name="frame" title="frame"></iframe>`, url)
	}))
	t.Cleanup(evil.Close)
	b := browser.ForTest(t, browser.Options{})
	mine := b.Open(url)
	mine.Expect("401")
	mine.WaitText("h1", "Log in")
	logInAs(mine, "admin", adminPassword)
	mine.WaitText("h1", "Wallboard")
	before := scripts.Load()
	p := b.Open(strings.Replace(evil.URL, "127.0.0.1", "localhost", 1))
	for _, part := range []string{"403", "Content Security Policy", "ERR_BLOCKED", "frame-ancestors", "Framing"} {
		p.Expect(part)
	}
	p.Eval(`document.forms[0].submit(); document.forms[1].submit();
		fetch('`+url+`api/users', {method: 'POST', mode: 'no-cors', credentials: 'include', body: 'login=eve&role=admin&password=let+me+in+now'}).catch(() => {});
		new Promise(done => { const f = document.querySelector('[name=frame]'); f.onload = () => done(true); f.src = '`+url+`'; })`, nil)
	p.Until("the forged requests", "true")
	refused := 0
	for deadline := time.Now().Add(30 * time.Second); refused < 3 && time.Now().Before(deadline); {
		<-time.After(10 * time.Millisecond)
		list, err := r.audit.List(t.Context(), audit.Filter{Failed: true, Remote: "127.0.0.1"})
		r.must(err)
		refused = 0
		for _, e := range list {
			if e.Status == http.StatusForbidden {
				refused++
			}
		}
	}
	if n := forged.Load(); n != 3 || scripts.Load() != before {
		t.Errorf("%d forged requests came; the console ran in a frame: %v", n, scripts.Load() != before)
	}
	if users, err := r.users.List(t.Context()); err != nil || len(users) != 1 || refused != 3 || len(r.api.sessions.known) != 1 {
		t.Errorf("%d users, %d refusals, %d sessions, %v", len(users), refused, len(r.api.sessions.known), err)
	}
}

func changeName(name string) pbx.UserChange { return pbx.UserChange{Name: &name} }
