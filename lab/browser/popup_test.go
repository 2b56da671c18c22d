package browser_test

import (
	"testing"

	"github.com/dialbridge/dialbridge/lab/browser"
)

// TestPopups: a page opens windows without a click only where it may.
func TestPopups(t *testing.T) {
	url := site(t)
	for _, may := range []bool{false, true} {
		b := browser.ForTest(t, browser.Options{Popups: may})
		p := b.Open(url + "/")
		var opened bool
		p.Eval("new Promise(r => setTimeout(() => r(window.open('/other', 'x') !== null), 100))", &opened)
		if opened != may {
			t.Errorf("a window was opened: %v, want %v", opened, may)
		}
		if may {
			b.Popup("/other").WaitText("p", "I am /other")
		}
	}
}
