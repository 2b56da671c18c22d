package bridge_test

import (
	"flag"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/browser"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// pictures is where the day leaves pictures of the toolbar and of the console for the documents; make pictures.
var pictures = flag.String("pictures", "", "folder for pictures of the agent toolbar and of the console")

// crm is the customer's web application: a page about a caller, and one that embeds the toolbar.
func crm(t *testing.T, toolbar func() string) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		const head = `<!doctype html><html lang="en"><meta charset="utf-8"><title>CRM</title><link rel="icon" href="data:,"><h1>CRM</h1>`
		switch r.URL.Path {
		case "/customer":
			q := r.URL.Query()
			_, _ = fmt.Fprintf(w, head+`<p id="who">%s called %s</p><p id="id">%s</p>`, html.EscapeString(q.Get("n")), html.EscapeString(q.Get("d")), html.EscapeString(q.Get("u")))
		case "/desk":
			_, _ = fmt.Fprintf(w, head+`<div id="phone"></div><ol id="log"></ol><script src="%s/console/toolbar.js" data-target="#phone"></script>
				<script>for (const e of ["state", "ringing", "answered", "ended", "pop"]) dialbridge.on(e, m => {
					const li = document.createElement("li");
					li.textContent = e + " " + (m.number || m.state || "");
					document.querySelector("#log").append(li);
				});</script>`, toolbar())
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// toolbarBench is a bench with a provider, queue 631 at 02188880031, and a CRM.
func toolbarBench(t *testing.T, version, settings string) (b *bench, site string) {
	t.Helper()
	site = crm(t, func() string { return b.d.URL })
	b = setUp(t, version, lab.Options{}, bridge.Options{Extra: strings.ReplaceAll(settings, "CRM", site)})
	b.out = b.trunk()
	b.cli("dialplan add extension 02188880031,1,Queue(631,t) into from-trunk")
	return b, site
}

// desk is the toolbar of one agent, and his phone.
type desk struct {
	*bench
	p     *browser.Page
	phone *phone.Phone
}

// state waits for what the toolbar says that the agent does.
func (d *desk) state(want string) {
	d.Helper()
	d.p.Wait(`#state[data-state="` + want + `"]`)
}

// signIn signs an agent in to a queue by the form.
func (d *desk) signIn(exten, password, queues string) {
	d.Helper()
	d.p.Type("#username", exten)
	d.p.Type("#password", password)
	d.p.Type("#queues", queues)
	d.p.Click("#signin")
	d.state("login")
}

// looks holds that axe-core finds no fault in what is shown, light and dark; with a name there are pictures of it.
func (d *desk) looks(name string) {
	d.Helper()
	for _, scheme := range []string{"dark", "light"} {
		d.p.Prefer(scheme)
		d.p.Accessible()
		if name != "" {
			d.picture(name + "-" + scheme)
		}
	}
}

// picture leaves a picture of what is shown, where one is wanted.
func (d *desk) picture(name string) {
	d.Helper()
	if *pictures != "" {
		d.p.Screenshot(filepath.Join(*pictures, "toolbar-"+name+".png"))
	}
}

// shot leaves a picture of a page of the console.
func (d *desk) shot(p *browser.Page, height int64, name string) {
	d.Helper()
	p.Prefer("light")
	p.Size(1120, height)
	p.Screenshot(filepath.Join(*pictures, name+".png"))
}

// wallboard leaves a picture of the wallboard while the agent talks and somebody waits in another queue, where one is wanted.
func (d *desk) wallboard(web *browser.Browser) {
	d.Helper()
	if *pictures == "" {
		return
	}
	waits := d.fromOutside("02155551234", "02188880003")
	p := web.Open(d.d.URL + "/console/#/wall")
	p.WaitText("li.call", "02155551234")
	p.Wait(".figures .alarm")
	d.shot(p, 820, "wallboard")
	d.must(waits.Hangup(d.ctx))
	p.Close()
}

// past leaves a picture of the call of a caller, where one is wanted.
func (d *desk) past(web *browser.Browser, caller string) {
	d.Helper()
	if *pictures == "" {
		return
	}
	p := web.Open(d.d.URL + "/console/#/history")
	p.WaitText("tbody", caller)
	p.Eval("[...document.querySelectorAll('tbody tr')].find(r => r.innerText.includes('"+caller+"')).querySelector('a').click()", nil)
	p.Wait(".timeline .stretch.talk")
	d.shot(p, 406, "call")
	p.Close()
}

// number types a number into a form and presses one of its buttons.
func (d *desk) number(field, number, button string) {
	d.Helper()
	d.p.Type(field, number)
	d.p.Click(button)
}

// TestTheAgentsDayInABrowser is a day at the toolbar with real telephones, in a real browser.
func TestTheAgentsDayInABrowser(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b, site := toolbarBench(t, version, "[general]\npop_url = CRM/customer?n={caller}&d={called}&u={uniqueid}\n[enable]\npausetime = yes\npausetime_max = 30\n[toolbar]\nanswer = yes\n")
		web := browser.ForTest(t, browser.Options{Popups: true})
		d := &desk{bench: b, p: web.Open(b.d.URL + "/console/toolbar/"), phone: b.phone("805")}
		colleague := b.third("801")
		d.phone.Behave(phone.Behaviour{Manual: true, Talk: true})
		colleague.Behave(phone.Behaviour{})
		b.idle("805", "801")
		d.p.Expect("401") // of the wrong password
		d.p.Size(760, 340)
		see := func(name string) {
			if version == "22" { // it looks the same on all
				d.looks(name)
			}
		}
		see("")

		d.p.Type("#username", "805")
		d.p.Type("#password", "wrong")
		d.p.Click("#signin")
		d.p.WaitText("#error", "wrong name or password")
		d.signIn("805", lab.Secret("805"), "631")
		d.p.Click("#ready")
		d.state("ready")
		if got := b.queueInfo()["631"]; len(got) != 1 || got[0].Name != "sip/805" || got[0].Paused != "0" {
			t.Errorf("Asterisk has %v", got)
		}

		customer := b.fromOutside("02150000071", "02188880031")
		own := b.rings(d.phone)
		d.state("busy")
		d.p.WaitText("#call-state", "Incoming call")
		d.p.WaitText("#caller", "02150000071")
		d.picture("ringing") // and no more: the queue does not wait
		page := web.Popup(site + "/customer")
		page.WaitText("#who", "02150000071 called 02188880031")
		d.p.Click("#answer")
		b.must(own.Answered(b.within(10 * time.Second)))
		d.p.WaitText("#call-state", "Talking")
		d.p.WaitText("#call-time", "0:0")
		d.p.WaitText("#call-queue", "631")
		d.p.WaitText("#call-called", "02188880031")
		see("talking")
		b.hearsOf("the customer", customer, agentTone)
		d.wallboard(web)

		d.p.Click("#hold")
		d.p.WaitText("#call-state", "On hold")
		b.tells("the customer on hold", customer, music)
		d.p.Click("#unhold")
		d.p.WaitText("#call-state", "Talking")
		b.hearsOf("the customer after the hold", customer, agentTone)

		d.joins(colleague, own, customer)
		d.asks(colleague, own, customer)

		d.state("acw")
		d.p.WaitText("#countdown", "s left")
		see("")
		d.p.Type("#reason", "lunch")
		d.p.Click("#break")
		d.state("unready")
		if out := b.cli("queue show 631"); !strings.Contains(out, "paused:lunch") && !strings.Contains(out, "paused") {
			t.Errorf("Asterisk has\n%s", out)
		}
		d.p.Click("#ready")
		d.state("ready")
		d.passes(colleague)

		d.p.Type("#number", "801")
		d.p.Press("\r")
		d.p.WaitText("#call-state", "Outgoing call")
		own = b.rings(d.phone)
		b.must(own.Answer(b.ctx))
		at801 := b.incoming(colleague)
		d.p.WaitText("#call-state", "Talking")
		b.hearsOf("who was dialled", at801, agentTone)
		d.p.Click("#hangup")
		b.over(own)
		b.over(at801)
		d.p.WaitGone("#call")
		d.past(web, "02150000071")

		d.p.Size(360, 640)
		see("narrow")
		d.p.Until("a page that is no wider than its window", "document.documentElement.scrollWidth <= innerWidth")
		d.p.Click("#language")
		d.p.WaitText("#ready", "示闲")
		see("")
		d.p.Click("#language")
		d.p.Click("#signout")
		d.p.Wait("#signin")
		if got := b.queueInfo()["631"]; len(got) != 0 {
			t.Errorf("Asterisk has %v", got)
		}
	})
}

// passes: a caller is passed on without a word. Where Asterisk cannot ask the phone to pick up, the page says why.
func (d *desk) passes(colleague *phone.Phone) {
	d.Helper()
	const module = "res_pjsip_notify.so"
	lacks := d.lab.Tech == "PJSIP"
	if lacks {
		d.cli("module unload " + module)
		if said := d.checkup(); !strings.Contains(said, "FAIL  answering") || !strings.Contains(said, "asterisk has not loaded "+module) {
			d.Errorf("check without %s:\n%s", module, said)
		}
	}
	customer := d.fromOutside("02150000072", "02188880031")
	own := d.rings(d.phone)
	d.p.WaitText("#call-state", "Incoming call")
	if lacks {
		d.p.Click("#answer")
		d.p.WaitText("#error", "its module "+module+" is not loaded")
		d.cli("module load " + module)
	}
	if said := d.checkup(); !strings.Contains(said, "ok    answering") {
		d.Errorf("check:\n%s", said)
	}
	d.p.Click("#answer")
	d.must(own.Answered(d.within(10 * time.Second)))
	d.p.WaitText("#call-time", ":")
	d.number("#target", "801", "#transfer")
	d.over(own)
	at801 := d.incoming(colleague)
	d.hearsOf("the customer who was passed on without a word", customer, thirdTone)
	d.hearsOf("the colleague to whom he was passed on", at801, outsideTone)
	d.state("acw")
	d.p.WaitGone("#call")
	d.must(customer.Hangup(d.ctx))
	d.over(at801)
	d.p.Click("#ready")
	d.state("ready")
}

// joins: a colleague is brought into the call, and let go.
func (d *desk) joins(colleague *phone.Phone, own, customer *phone.Call) {
	d.number("#target", "801", "#three")
	at801 := d.incoming(colleague)
	d.p.WaitText(".leave", "801")
	d.hearsOf("the third party", at801, agentTone, outsideTone)
	d.hearsOf("the agent with a third party", own, outsideTone, thirdTone)
	d.p.Click(".leave")
	d.over(at801)
	d.hearsOf("the customer without a third party", customer, agentTone)
}

// asks: a colleague is asked first; the agent goes back, asks again, and leaves the two alone.
func (d *desk) asks(colleague *phone.Phone, own, customer *phone.Call) {
	d.number("#target", "801", "#consult")
	at801 := d.incoming(colleague)
	d.p.WaitText("#call-state", "Asking 801")
	d.hearsOf("the colleague who is asked", at801, agentTone)
	d.p.Click("#cancel")
	d.over(at801)
	d.p.WaitText("#call-state", "Talking")
	d.hearsOf("the customer after the question", customer, agentTone)
	d.number("#target", "801", "#consult")
	at801 = d.incoming(colleague)
	d.p.WaitText("#call-state", "Asking 801")
	d.p.Click("#complete")
	d.over(own)
	d.hearsOf("the customer who was passed on", customer, thirdTone)
	d.must(customer.Hangup(d.ctx))
	d.over(at801)
}
