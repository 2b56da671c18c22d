package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/internal/httpd"
	probe "github.com/dialbridge/dialbridge/internal/trial" // the room has a trial of its own
	"github.com/dialbridge/dialbridge/lab/browser"
)

// TestWallboardOfAHouse: 500 extensions on a screen of any size, found by keyboard, marked as old when Asterisk is lost and live again when it is back.
func TestWallboardOfAHouse(t *testing.T) {
	f := newFloor(t, httpd.Limits{}, func(f *floor) {
		f.phones = 500
		for _, name := range []string{"support", "q-10", "q-9", "客服"} {
			f.queues = append(f.queues, amitest.NewEvent("QueueParams", "Queue", name))
		}
	})
	p := browser.ForTest(t, browser.Options{}).Open(strings.TrimSuffix(f.url, "/api") + "/#/wall")
	p.Until("all extensions", "document.querySelectorAll('.exten').length === 500")
	p.Wait(".notice.good")
	var order string
	if p.Eval("Array.from(document.querySelectorAll('.desk h3'), (e) => e.textContent).join(' ')", &order); order != "600 q-9 q-10 support 客服" {
		t.Errorf("the queues are %s", order)
	}
	f.comes()
	p.WaitText("[aria-labelledby=queue-600] .alarm", "1")
	p.WaitText("li.call", "Zhang <San>")
	f.answered()
	p.WaitText("[aria-labelledby=queue-600]", "100 %")
	p.Accessible()
	p.Size(360, 640)
	var over int
	if p.Eval("document.documentElement.scrollWidth - innerWidth", &over); over > 0 {
		t.Errorf("the page is %d pixels wider than a screen of 360", over)
	}
	p.Type("input[type=search]", "ann")
	p.Until("the one who talks", "document.querySelectorAll('.exten').length === 1")
	p.Type("input[type=search]", "nobody")
	p.WaitText("p", "No extension fits.")
	p.Type("input[type=search]", "")
	p.Until("all extensions", "document.querySelectorAll('.exten').length === 500")

	f.fake.Refuse()
	f.fake.Drop()
	p.WaitText("[role=alert]", "Asterisk cannot be followed")
	p.Wait(".wall.stale")
	p.WaitText("h2", "as of")
	p.Accessible()
	f.fake.Restart()
	p.Wait(".notice.good")
	p.WaitGone(".stale")
	f.stop()
	p.Expect("/console/api/")
	p.WaitText("[role=alert]", "The link to the daemon is lost")
	p.Wait(".wall.stale")
}

// TestLivePagesAreAccessible: the wallboard, fresh and old, and the page of a call that goes on, in both colours, both languages and on a telephone's screen.
func TestLivePagesAreAccessible(t *testing.T) {
	f := newFloor(t, httpd.Limits{}, nil)
	f.comes()
	p := browser.ForTest(t, browser.Options{}).Open(strings.TrimSuffix(f.url, "/api") + "/#/wall")
	p.WaitText("li.call", "Zhang <San>")
	f.answered()
	p.WaitText("[aria-labelledby=queue-600]", "100 %")
	looks(t, p)
	p.Click("li.call a")
	p.Wait(".timeline .stretch.talk")
	looks(t, p)
	p.Eval("location.hash = '#/call/none'", nil)
	p.Expect("404")
	p.WaitText("[role=alert]", "There is no such call.")
	looks(t, p)
	p.Eval("location.hash = '#/wall'", nil)
	p.Wait(".notice.good")
	f.fake.Refuse()
	f.fake.Drop()
	p.WaitText("[role=alert]", "Asterisk cannot be followed")
	looks(t, p)
}

// TestHiddenPageKeepsItsSession: a wallboard behind another tab is not logged out for having no feed, whether it was looked at before or not.
func TestHiddenPageKeepsItsSession(t *testing.T) {
	for first, there := range map[string]string{"wall": ".notice.good", "account": "input[name=new]"} {
		t.Run(first, func(t *testing.T) {
			f := newFloor(t, httpd.Limits{}, nil)
			f.api.Configure(func(http.Header) bool { return false })
			b := browser.ForTest(t, browser.Options{})
			p := b.Tab(strings.TrimSuffix(f.url, "/api") + "/#/" + first)
			p.Expect("401")
			p.WaitText("h1", "Log in")
			logInAs(p, "admin", adminPassword)
			p.Wait(there)
			p.Eval(`import(new URL("./live.js", location.href)).then((live) => { live.pace.awake = 50; })`, nil)
			b.Tab("about:blank")
			p.Until("the page to be hidden", "document.hidden")
			p.Eval("location.hash = '#/wall'", nil)
			p.WaitText("[role=status]", "Connecting")
			f.sessionLasts()
			p.Front()
			p.Wait(".notice.good")
		})
	}
}

// sessionLasts lets so much time go by, as the only session sees it, that it would be over twice, and waits for requests of it meanwhile.
func (f *floor) sessionLasts() {
	f.t.Helper()
	began := time.Now()
	for n := range 3 {
		later := began.Add(time.Duration(n+1) * 2 * sessionIdle / 3)
		f.api.sessions.mu.Lock()
		f.api.sessions.now = func() time.Time { return later }
		f.api.sessions.mu.Unlock()
		probe.Until(f.t, &f.log, "a request of the hidden page", func() bool {
			f.api.sessions.mu.Lock()
			defer f.api.sessions.mu.Unlock()
			e := f.api.sessions.order.Front()
			return e != nil && e.Value.(*session).used.Equal(later)
		})
	}
}

// TestManyTabs: eight wallboards in one browser leave a page in a ninth tab its connections, and each is live when it is looked at.
func TestManyTabs(t *testing.T) {
	f := newFloor(t, httpd.Limits{}, nil)
	b := browser.ForTest(t, browser.Options{})
	url := strings.TrimSuffix(f.url, "/api") + "/#/wall"
	var tabs []*browser.Page
	for range 8 {
		p := b.Tab(url)
		p.Wait(".notice.good")
		tabs = append(tabs, p)
	}
	ninth := b.Tab(strings.TrimSuffix(f.url, "/api") + "/#/history")
	ninth.WaitText("[role=status]", "There is nothing here.")
	f.comes()
	for i, p := range tabs {
		var hidden bool
		if p.Eval("document.hidden", &hidden); !hidden {
			t.Fatalf("tab %d is seen while another one is", i)
		}
		var text string
		if p.Eval("document.querySelector('main').innerText", &text); !strings.Contains(text, "as of") || strings.Contains(text, "Live") {
			t.Errorf("tab %d, which nobody sees, says %s", i, text)
		}
	}
	for _, p := range tabs {
		p.Front()
		p.Wait(".notice.good")
		p.WaitText("li.call", "Zhang <San>")
		p.WaitGone(".stale")
	}
	probe.Until(t, &f.log, "one feed", func() bool { return f.api.live.count() == 1 })
}
