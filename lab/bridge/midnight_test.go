package bridge_test

import (
	bits "encoding/binary" // the room has a binary of its own
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/browser"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// TestWallboardThroughTheNight: what happens while the link of a page is silent, which nobody has closed, is on it when the link is back; and at midnight of the
// PBX's zone the counts of the day begin anew, on a page that is not loaded again.
func TestWallboardThroughTheNight(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		b.out = b.trunk()
		furnish(b)
		agent := b.phone("801")
		agent.Behave(ring(100 * time.Millisecond))
		b.idle("801")
		chromium := browser.ForTest(t, browser.Options{})
		page := chromium.Open(b.d.URL + "/console/#/wall")
		b.counts(page, 0, 0)
		c := b.fromOutside("02150000041", "0219900640")
		in := b.incoming(agent)
		b.must(in.Heard(b.within(10*time.Second), 10))
		b.counts(page, 1, 0)

		page.Expect("/console/api/") // which is lost
		agent.Behave(phone.Behaviour{Never: true})
		b.must(b.d.Signal(syscall.SIGSTOP))
		w := watch()
		page.WaitText(".notice.bad", "The numbers are as of")
		page.Wait(".wall.stale")
		b.Logf("the silent link was seen after %v", w.lap())
		b.must(c.Hangup(b.ctx))
		impatient := b.fromOutside("02150000042", "0219900640")
		b.must(impatient.Received(b.within(10*time.Second), 20)) // music
		b.must(impatient.Hangup(b.ctx))
		b.must(b.d.Signal(syscall.SIGCONT))
		page.Wait(".notice.good")
		page.WaitGone(".stale")
		page.WaitGone("li.call")
		b.counts(page, 1, 1)
		page.Close()

		for lead := 6 * time.Second; ; lead *= 2 {
			if page = b.beforeMidnight(chromium, lead); page != nil {
				break
			}
			if lead > time.Minute {
				t.Fatal("midnight has always come before the page was there")
			}
		}
		b.counts(page, 0, 0)
		page.Wait(".notice.good")
		page.Until("the page that was there before midnight", "window.evening === true")
	})
}

// counts waits until a wallboard shows how many were answered and have given up today in the queue 640.
func (b *bench) counts(page *browser.Page, answered, abandoned int) {
	b.Helper()
	page.Until(fmt.Sprintf("%d answered and %d abandoned", answered, abandoned), fmt.Sprintf(`(() => {
		const of = (i) => document.querySelectorAll("[aria-labelledby=queue-640] dd")[i]?.textContent;
		return of(2) === "%d" && of(3) === "%d";
	})()`, answered, abandoned))
}

// beforeMidnight runs the daemon in a zone in which it is midnight in a while, and opens a wallboard; nil when midnight has come first.
func (b *bench) beforeMidnight(chromium *browser.Browser, lead time.Duration) *browser.Page {
	b.Helper()
	b.must(b.d.Stop())
	midnight := time.Now().Add(lead).Truncate(time.Second)
	o := b.opts
	dir := b.TempDir()
	o.Env = []string{"ZONEINFO=" + dir, "DIALBRIDGE_GENERAL_TIMEZONE=Near/Midnight"}
	b.must(os.MkdirAll(filepath.Join(dir, "Near"), 0o755))
	b.must(os.WriteFile(filepath.Join(dir, "Near", "Midnight"), zoneOf(midnight), 0o600))
	d, err := bridge.Start(b.within(30*time.Second), b.lab, o)
	b.must(err)
	b.d = d
	page := chromium.Open(b.d.URL + "/console/#/wall")
	page.Wait(".notice.good")
	page.Eval("window.evening = true", nil)
	var shown string
	page.Eval(`Array.from(document.querySelectorAll("[aria-labelledby=queue-640] dd"), e => e.textContent).slice(2, 4).join(" ")`, &shown)
	if time.Now().Before(midnight) {
		if shown != "1 1" {
			b.Errorf("before midnight the page shows %s", shown)
		}
		return page
	}
	page.Close()
	return nil
}

// zoneOf is a zone without changes (RFC 8536, version 1), in which a moment is midnight.
func zoneOf(midnight time.Time) []byte {
	const day = 24 * 60 * 60
	offset := -(midnight.Unix() % day)
	if offset < -day/2 {
		offset += day
	}
	const name = "NIG\x00"
	file := append([]byte("TZif"), make([]byte, 16)...)
	for _, count := range []uint32{0, 0, 0, 0, 1, uint32(len(name))} {
		file = bits.BigEndian.AppendUint32(file, count)
	}
	file = bits.BigEndian.AppendUint32(file, uint32(offset)) //nolint:gosec // as the format has it
	return append(append(file, 0, 0), name...)
}
