package console

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/dialbridge/dialbridge/lab/browser"
	"github.com/dialbridge/dialbridge/pbx"
)

// site serves the console for a browser, to which a key is needed: it must log in.
func (r *rig) site() string {
	r.t.Helper()
	r.api.Configure(func(h http.Header) bool { return h.Get("Authorization") == "good" })
	server := httptest.NewServer(r.web)
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
	var over int
	if p.Eval("document.documentElement.scrollWidth - innerWidth", &over); over > 0 {
		t.Errorf("the page is %d pixels wider than a screen of 360", over)
	}
	p.Select("header label:nth-of-type(1) select", "en")
	p.Select("header label:nth-of-type(2) select", "auto")
	p.Size(1280, 800)
}

// TestPagesInABrowser: a person logs in, makes a user, who logs in, loses his place when he is changed, and all is in the audit log.
func TestPagesInABrowser(t *testing.T) {
	r := newRig(t, 100)
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
	p.WaitText("h1", "Users")
	p.WaitText("tbody th", "admin")
	looks(t, p)

	p.Click("main .bar button")
	p.Wait("dialog input[name=login]")
	p.Accessible()
	p.Type("dialog input[name=login]", "ann")
	p.Type("dialog input[name=name]", `Ann <b>"王"</b>`)
	p.Type("dialog input[name=password]", "in the morning")
	p.Select("dialog select", "supervisor")
	p.Click("dialog .primary")
	p.WaitGone("dialog")
	p.WaitText("tbody td", `Ann <b>"王"</b>`)
	p.Click("button[aria-label='Delete admin']")
	p.Click("dialog .danger")
	p.WaitText("dialog [role=alert]", "last administrator")
	p.Click("dialog button[type=button]")
	p.WaitGone("dialog")

	p.Eval("location.hash = '#/audit'", nil)
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

func changeName(name string) pbx.UserChange { return pbx.UserChange{Name: &name} }
