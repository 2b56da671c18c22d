package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dialbridge/dialbridge/lab/browser"
	"github.com/dialbridge/dialbridge/pbx"
)

// logOutButton is that of the head of each page.
const logOutButton = "header .tools button"

// TestTabsHaveOneSession: who logs in or out in one tab is another one in all tabs of the browser, and finds nothing of what the one before him had open.
func TestTabsHaveOneSession(t *testing.T) {
	r := newRig(t, 100)
	_, err := r.users.Create(t.Context(), "ann", "Ann", pbx.RoleSupervisor, "in the morning")
	r.must(err)
	url := r.site()
	b := browser.ForTest(t, browser.Options{})
	first := b.Open(url + "#/users")
	first.Expect("401")
	first.WaitText("h1", "Log in")
	logInAs(first, "admin", adminPassword)
	first.Click("main .bar button")
	first.Wait("dialog")
	second := b.Open(url + "#/history")
	second.Expect("401")
	second.WaitText(".who", "admin")
	second.Click(logOutButton)
	second.WaitText("h1", "Log in")
	first.WaitText("h1", "Log in")
	first.WaitGone("dialog, [role=status]")
	logInAs(second, "ann", "in the morning")
	second.WaitText(".who", "Ann")
	first.WaitText(".who", "Ann")
	first.WaitText("main", "Your role may not see this page.")
	first.Eval("location.hash = '#/blacklist'", nil)
	first.Type("[name=number]", "13800000001")
	first.Click("main .primary")
	first.WaitText("[role=status] .good", "13800000001 is on the list.")
}

// TestLateAnswersEndNoSession: what was asked under the session of before, and is answered when another one has logged in, says nothing of that one. Tabs that
// ask at the same moment showed the log-in, with the new session open.
func TestLateAnswersEndNoSession(t *testing.T) {
	r := newRig(t, 100)
	_, err := r.users.Create(t.Context(), "ann", "Ann", pbx.RoleSupervisor, "in the morning")
	r.must(err)
	held, release := make(chan string, 2), make(chan struct{})
	let := sync.OnceFunc(func() { close(release) })
	t.Cleanup(let)
	var hold atomic.Int32
	url := r.site(func(req *http.Request) {
		change := req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/blacklist")
		who := req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/session")
		if (change || who) && hold.Add(-1) >= 0 {
			held <- req.URL.Path
			<-release
		}
	})
	b := browser.ForTest(t, browser.Options{})
	first := b.Open(url + "#/blacklist")
	first.Expect("401")
	logInAs(first, "admin", adminPassword)
	first.WaitText(".who", "admin")
	hold.Store(2)
	first.Type("[name=number]", "1")
	first.Click("main .primary")
	first.Eval(`new BroadcastChannel("dialbridge.session").postMessage("")`, nil) // as another tab does
	<-held
	<-held
	second := b.Open(url + "#/login")
	second.WaitText(".who", "admin")
	logInAs(second, "ann", "in the morning")
	second.WaitText(".who", "Ann")
	first.WaitText(".who", "Ann")
	let()
	first.Until("both late answers", `performance.getEntriesByType("resource").filter((e) => e.responseStatus === 401).length === 3`) // with that of the start
	first.Eval("location.hash = '#/history'", nil)
	first.WaitText("h1", "Calls")
	first.WaitText(".who", "Ann")
}

// TestSessionEndsMeanwhile: a change that came too late is said to be undone, and logging out does what it says though the session has ended already, or
// tells that it cannot.
func TestSessionEndsMeanwhile(t *testing.T) {
	r := newRig(t, 100)
	r.api.Configure(func(h http.Header) bool { return h.Get("Authorization") == "good" })
	server := httptest.NewServer(r.web)
	t.Cleanup(server.Close)
	p := browser.ForTest(t, browser.Options{}).Open(server.URL + pathWeb + "/#/users")
	p.Expect("401")
	end := func() {
		list, err := r.users.List(t.Context())
		r.must(err)
		r.api.sessions.expel(pbx.Identity{User: list[0]})
	}
	logInAs(p, "admin", adminPassword)
	p.Click("main .bar button")
	p.Type("dialog input[name=login]", "bea")
	p.Type("dialog input[name=password]", "good enough")
	end()
	p.Click("dialog .primary")
	p.WaitText("[role=status]", "the last change was not made")
	p.WaitGone("dialog")
	p.Accessible()
	logInAs(p, "admin", adminPassword)
	p.WaitText("h1", "Users")
	p.WaitText("tbody", "admin")
	if list, err := r.users.List(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("%d users, %v", len(list), err)
	}
	end()
	p.Click(logOutButton)
	p.WaitText("h1", "Log in")
	p.WaitGone("[role=status]")
	logInAs(p, "admin", adminPassword)
	p.WaitText("tbody", "admin")
	server.Close()
	p.Expect("/console/api/session")
	p.Click(logOutButton)
	p.WaitText("[role=alert]", "The daemon does not answer.")
}

// TestAuditFilterIsInTheAddress: it can be gone back from, and survives that the page is loaded anew.
func TestAuditFilterIsInTheAddress(t *testing.T) {
	r := newRig(t, 100)
	p := browser.ForTest(t, browser.Options{}).Open(r.open() + "#/audit")
	r.request(http.MethodPost, Prefix+"/blacklist", body("number", "1", "direction", "both"))
	r.request(http.MethodPost, Prefix+"/blacklist", body("number", "x"))
	r.settled()
	p.Type("[name=action]", "blacklist")
	p.Click("main form button")
	p.WaitText("main [role=status]", "2 shown")
	p.Click("[name=failed]")
	p.Click("main form button")
	p.WaitText("main [role=status]", "1 shown")
	p.Eval("location.reload()", nil)
	p.WaitText("main [role=status]", "1 shown")
	p.Until("the filter in the form", `document.querySelector("[name=failed]").checked && document.querySelector("[name=action]").value === "blacklist"`)
	p.Eval("history.back()", nil)
	p.WaitText("main [role=status]", "2 shown")
	p.Until("the form as it was", `!document.querySelector("[name=failed]").checked`)
}
