package bridge_test

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/browser"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// TestToolbarShowsALostLink: what is shown while nothing is known is said to be old, and buttons that would do nothing cannot be pressed.
// Then all is as it is: a call that rings, one on hold, after-call work, and one that Asterisk has lost.
func TestToolbarShowsALostLink(t *testing.T) {
	t.Parallel()
	b, _ := toolbarBench(t, "22", "[ami]\nping = 1s\ndead_after = 3s\n[enable]\npausetime = yes\npausetime_max = 600\n")
	web := browser.ForTest(t, browser.Options{})
	d := &desk{bench: b, p: web.Open(b.d.URL + "/console/toolbar/"), phone: b.phone("805")}
	d.phone.Behave(phone.Behaviour{Manual: true})
	b.idle("805")
	d.signIn("805", lab.Secret("805"), "631")
	d.p.Expect("ERR_")      // what the browser says of connections that were cut
	d.p.Expect("WebSocket") // and of those that were not made
	d.p.Expect("503")
	d.p.Click("#ready")
	d.state("ready")
	d.staysAt()

	customer := b.fromOutside("02150000091", "02188880031")
	own := b.rings(d.phone)
	d.p.WaitText("#call-state", "Incoming call")
	d.cut("a daemon that hangs while it rings", func() { b.must(b.d.Signal(syscall.SIGSTOP)) })
	b.must(own.Answer(b.ctx))
	earliest := time.Now()
	b.must(b.d.Signal(syscall.SIGCONT))
	d.p.WaitGone("#lost")
	d.p.WaitText("#call-state", "Talking")
	latest := time.Now()
	d.p.Click("#hold")
	d.p.WaitText("#call-state", "On hold")
	d.cut("a daemon that died during a hold", func() { b.must(b.d.Kill()) })
	d.back()
	d.p.WaitText("#call-state", "On hold")
	d.lasts(earliest, latest)
	d.p.Click("#unhold")
	b.hearsOf("the customer after the hold", customer, agentTone)
	d.p.WaitText("#call-state", "Talking")

	d.sleeps()
	d.lasts(earliest, latest)
	earliest = time.Now()
	b.must(customer.Hangup(b.ctx))
	b.over(own)
	d.p.Freeze(false)
	d.state("acw")
	d.p.WaitGone("#call")
	d.worksAfter(earliest, time.Now())
	d.losesAsterisk()
}

// staysAt lets the daemon listen at the same port when it is started again.
func (d *desk) staysAt() {
	d.Helper()
	_, port, _ := strings.Cut(strings.TrimPrefix(d.d.URL, "http://"), ":")
	d.configure("BINDPORT = 0", "BINDPORT = "+port)
}

func (d *desk) configure(before, after string) {
	d.Helper()
	text, err := os.ReadFile(d.d.Config)
	d.must(err)
	d.must(os.WriteFile(d.d.Config, []byte(strings.Replace(string(text), before, after, 1)), 0o600))
}

// back starts a daemon that died, and waits until the page has it again.
func (d *desk) back() {
	d.Helper()
	d.must(d.d.Run(d.within(30 * time.Second)))
	d.must(d.d.Ready(d.within(30 * time.Second)))
	d.p.WaitGone("#lost")
}

// watch notes when the page says that it does not know any more; lostAt is zero until then.
func (d *desk) watch() {
	d.Helper()
	d.p.Eval(`window.lostAt = 0; new MutationObserver((_, o) => {
		if (document.querySelector('#lost, #away')) { window.lostAt = performance.now(); o.disconnect(); }
	}).observe(document.body, {subtree: true, childList: true}); window.cutAt = performance.now()`, nil)
}

// cut does something to the link, and holds that it is shown.
func (d *desk) cut(what string, how func()) {
	d.Helper()
	d.watch()
	how()
	d.p.Until(what+" to be shown", "window.lostAt > 0")
	d.p.Until("buttons to be off", "Array.from(document.querySelectorAll('main button')).every(b => b.disabled)")
	var took float64
	d.p.Eval("window.lostAt - window.cutAt", &took)
	d.Logf("%s was shown after %.1f s", what, took/1000)
}

// lasts holds that the call is shown to last for as long as it does. It was answered between two times.
func (d *desk) lasts(earliest, latest time.Time) {
	d.Helper()
	d.p.WaitText("#call-time", ":")
	least := time.Since(latest)
	minutes, seconds, _ := strings.Cut(d.p.Text("#call-time"), ":")
	most := time.Since(earliest)
	m, err := strconv.Atoi(minutes)
	d.must(err)
	s, err := strconv.Atoi(seconds)
	d.must(err)
	if shown := time.Duration(m)*time.Minute + time.Duration(s)*time.Second; shown < least-2*time.Second || shown > most+time.Second {
		d.Errorf("the call lasts %v, it is %v to %v", shown, least, most)
	}
}

// sleeps: a page that was asleep does not take what it knew for news, whether its clock went on or not. It is left asleep.
func (d *desk) sleeps() {
	d.Helper()
	d.watch()
	d.p.Eval("Date.now = (now => () => now() + 600000)(Date.now)", nil) // the machine slept, and performance.now() with it
	d.p.Until("the sleep to be noticed", "window.lostAt > 0")
	d.p.WaitGone("#lost")
	d.p.Freeze(true)
}

// worksAfter: after-call work that began between two times goes on with what is left of its ten minutes, whatever is loaded or started anew.
func (d *desk) worksAfter(earliest, latest time.Time) {
	d.Helper()
	left := func(what string) {
		d.Helper()
		d.p.WaitText("#countdown", "s left")
		most := 600*time.Second - time.Since(latest)
		word, _, _ := strings.Cut(d.p.Text("#countdown"), " ")
		least := 600*time.Second - time.Since(earliest)
		n, err := strconv.Atoi(word)
		d.must(err)
		if shown := time.Duration(n) * time.Second; shown > most+2*time.Second || shown < least-time.Second {
			d.Errorf("%s: %v are left, it is %v to %v", what, shown, least, most)
		}
	}
	left("after-call work")
	d.anew()
	left("after a reload")
	d.cut("a daemon that died during after-call work", func() { d.must(d.d.Kill()) })
	d.configure("pausetime_max = 600", "pausetime_max = 2")
	d.back()
	left("after a restart")
	d.p.Click("#ready")
	d.state("ready")

	d.number("#number", "02155551111", "#dial")
	own := d.rings(d.phone)
	d.must(own.Answer(d.ctx))
	earliest = time.Now()
	dialled := d.incoming(d.out)
	d.p.WaitText("#call-time", ":")
	latest = time.Now()
	d.cut("a daemon that died during a call that was dialled", func() { d.must(d.d.Kill()) })
	d.wait(3 * time.Second) // what a clock that begins anew would lack
	d.back()
	d.lasts(earliest, latest)
	d.must(dialled.Hangup(d.ctx))
	d.over(own)
	d.anew()
	d.state("ready") // by itself
	d.p.WaitGone("#countdown")
}

// anew loads the page again.
func (d *desk) anew() {
	d.Helper()
	d.p.Eval("window.before = true; location.reload()", nil)
	d.p.Until("the page to be loaded anew", "!window.before")
	d.p.Wait("#signout")
}

// losesAsterisk: Asterisk is started again during a call.
func (d *desk) losesAsterisk() {
	d.Helper()
	customer := d.fromOutside("02150000093", "02188880031")
	own := d.rings(d.phone)
	d.must(own.Answer(d.ctx))
	d.must(customer.Answered(d.within(10 * time.Second)))
	d.p.WaitText("#call-state", "Talking")
	d.cut("an Asterisk that died during a call", func() { d.must(d.lab.Kill(d.ctx)) })
	d.must(d.lab.Boot(d.within(60 * time.Second)))
	d.must(d.d.Ready(d.within(60 * time.Second)))
	d.p.WaitGone("#away")
	d.p.WaitGone("#call")
	d.p.Until("a state that is not of a call", "!['busy'].includes(document.querySelector('#state').dataset.state)")
}
