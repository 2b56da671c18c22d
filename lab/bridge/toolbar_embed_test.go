package bridge_test

import (
	"strings"
	"testing"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/browser"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// TestToolbarInACRM embeds the toolbar in a page of another address, which hears what happens and gives commands.
func TestToolbarInACRM(t *testing.T) {
	t.Parallel()
	b, site := toolbarBench(t, "22", "[general]\npop_url = CRM/customer?n={caller}&d={called}&u={uniqueid}\n[toolbar]\norigins = CRM\n")
	web := browser.ForTest(t, browser.Options{}) // pop-ups are blocked, as browsers do until somebody allows them
	top := web.Open(site + "/desk")
	d := &desk{bench: b, p: web.Frame("/console/toolbar/"), phone: b.phone("805")}
	d.phone.Behave(phone.Behaviour{Manual: true})
	b.idle("805")
	command := func(script, want string) {
		t.Helper()
		var got string
		top.Eval("dialbridge."+script+".then(() => 'done', e => e.message)", &got)
		if got != want {
			t.Errorf("%s: %q, want %q", script, got, want)
		}
	}
	command("ready()", "ready: not signed in")
	d.signIn("805", lab.Secret("805"), "631")
	top.WaitText("#log", "state login")
	command("ready()", "done")
	d.state("ready")
	top.WaitText("#log", "state ready")
	command("break('tea')", "done")
	d.state("unready")
	command("ready()", "done")

	d.p.Until("the last key to be so long ago that it allows no pop-up", "!navigator.userActivation.isActive")
	customer := b.fromOutside("02150000072", "02188880031")
	own := b.rings(d.phone)
	top.WaitText("#log", "ringing 02150000072")
	top.WaitText("#log", "pop 02150000072")
	command("answer()", "answer: the phone does not pick up when it is asked to") // most do not
	b.must(own.Answer(b.ctx))
	top.WaitText("#log", "answered 02150000072")
	d.p.WaitText("#caller", "02150000072")
	d.blocked(web, site)
	command("hold()", "done")
	b.tells("the customer on hold", customer, music)
	command("unhold()", "done")
	command("dial('812')", "dial: agent is busy")
	command("hangup()", "done")
	b.over(own)
	b.over(customer)
	top.WaitText("#log", "ended 02150000072")

	top.Eval("location.reload()", nil) // another page of the CRM: the agent need not sign in again
	again := &desk{bench: b, p: web.Frame("/console/toolbar/"), phone: d.phone}
	again.state("ready")

	stranger := web.Open(strings.Replace(site, "127.0.0.1", "localhost", 1) + "/desk")
	stranger.Expect("frame-ancestors")
	command = func(script, want string) {
		t.Helper()
		var got string
		stranger.Eval("dialbridge."+script+".then(() => 'done', e => e.message)", &got)
		if got != want {
			t.Errorf("%s of a stranger: %q, want %q", script, got, want)
		}
	}
	command("ready()", "ready: the toolbar is not loaded")
}

// blocked: a pop-up that the browser did not let through is said to be, and can be opened by hand.
func (d *desk) blocked(web *browser.Browser, site string) {
	d.Helper()
	d.p.WaitText(".notice", "blocked the caller's page")
	var href string
	d.p.Eval("document.querySelector('#pop').href", &href)
	if !strings.HasPrefix(href, site+"/customer?n=02150000072&d=02188880031&u=") || strings.HasSuffix(href, "u=") {
		d.Errorf("the link is %s", href)
	}
	page := web.Open(href)
	page.WaitText("#who", "02150000072 called 02188880031")
	page.Close()
}

// TestToolbarPopsUpInAFrame: the caller's page is below the toolbar, and a user may listen to an agent.
func TestToolbarPopsUpInAFrame(t *testing.T) {
	t.Parallel()
	b, _ := toolbarBench(t, "22", "[general]\npop_url = CRM/customer?n={caller}&d={called}\nadmin_password = for-the-admin\n[toolbar]\npop = frame\n")
	web := browser.ForTest(t, browser.Options{})
	d := &desk{bench: b, p: web.Open(b.d.URL + "/console/toolbar/"), phone: b.phone("805")}
	supervisor := b.third("801")
	d.phone.Behave(phone.Behaviour{Manual: true})
	supervisor.Behave(phone.Behaviour{})
	b.idle("805", "801")
	d.signIn("805", lab.Secret("805"), "631")
	d.p.Click("#ready")
	customer := b.fromOutside("02150000073", "02188880031")
	own := b.rings(d.phone)
	d.p.Wait("#hangup")
	d.p.WaitGone("#answer") // nobody has said that the phones can
	b.must(own.Answer(b.ctx))
	d.p.Wait("#popframe")
	web.Frame("/customer").WaitText("#who", "02150000073 called 02188880031")
	d.p.Accessible()

	boss := web.Open(b.d.URL + "/console/toolbar/")
	boss.Eval("sessionStorage.clear()", nil)
	boss.Type("#username", "admin")
	boss.Type("#password", "for-the-admin")
	boss.Click("#signin")
	boss.Type("#extn", "801")
	boss.Click("#signin")
	boss.Type("#colleague", "805")
	boss.Click("#listen")
	at801 := b.incoming(supervisor)
	b.hearsOf("who listens", at801, agentTone, outsideTone)
	boss.Click("#unlisten")
	b.over(at801)
	b.must(customer.Hangup(b.ctx))
	b.over(own)
	d.p.WaitGone("#call")
}
