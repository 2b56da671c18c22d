package console

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dialbridge/dialbridge/lab/browser"
)

// TestListStaysWhileItIsReadAgain: after a change the rows are there until the new ones come, so that nothing on the page moves under a hand; those of
// another search are not.
func TestListStaysWhileItIsReadAgain(t *testing.T) {
	r := newRig(t, 100)
	for _, number := range []string{"1", "2", "3"} {
		r.request(http.MethodPost, Prefix+"/blacklist", body("number", number, "direction", "both"))
	}
	var gate atomic.Pointer[chan struct{}]
	hold := func() (release func()) {
		c := make(chan struct{})
		release = sync.OnceFunc(func() { gate.Store(nil); close(c) })
		t.Cleanup(release)
		gate.Store(&c)
		return release
	}
	p := browser.ForTest(t, browser.Options{}).Open(r.site(func(req *http.Request) {
		if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/blacklist") {
			if c := gate.Load(); c != nil {
				<-*c
			}
		}
	}) + "#/blacklist")
	p.Expect("401")
	p.WaitText("h1", "Log in")
	logInAs(p, "admin", adminPassword)
	p.WaitText("main > [role=status]", "3 shown")
	release := hold()
	p.Type("[name=number]", "4")
	p.Click("main .primary")
	p.WaitText("[role=status] .good", "4 is on the list.")
	p.WaitText("main > [role=status]", "Loading")
	p.Until("the rows of before", `document.querySelectorAll("tbody tr").length === 3`)
	release()
	p.WaitText("main > [role=status]", "4 shown")
	release = hold()
	p.Type("[name=text]", "2")
	p.Click("[role=search] [type=submit]")
	p.WaitText("main > [role=status]", "Loading")
	p.WaitGone("tbody tr")
	release()
	p.WaitText("main > [role=status]", "1 shown")
}
