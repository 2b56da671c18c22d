package bridge_test

import (
	"testing"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/browser"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// TestToolbarKeepsUp: what others end, and what another tab or an earlier page began, is shown as it is: a button that would connect the
// caller with nobody hangs up on him.
func TestToolbarKeepsUp(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b, _ := toolbarBench(t, version, "")
		open := func() *desk {
			d := &desk{bench: b, p: browser.ForTest(t, browser.Options{}).Open(b.d.URL + "/console/toolbar/")}
			d.p.Type("#username", "805")
			d.p.Type("#password", lab.Secret("805"))
			d.p.Type("#queues", "631")
			d.p.Click("#signin")
			return d
		}
		agent, colleague := b.phone("805"), b.third("801")
		agent.Behave(phone.Behaviour{})
		colleague.Behave(phone.Behaviour{})
		b.idle("805", "801")
		d := open()
		d.state("login")
		d.p.Click("#ready")
		d.state("ready")
		customer := b.fromOutside("02150000081", "02188880031")
		own := b.incoming(agent)
		d.p.WaitText("#call-state", "Talking")

		d.number("#target", "801", "#consult")
		at801 := b.incoming(colleague)
		d.p.WaitText("#call-state", "Asking 801")
		b.must(at801.Hangup(b.ctx))
		d.p.WaitText("#call-state", "Talking")
		d.p.WaitGone("#complete")

		d.number("#target", "801", "#three")
		at801 = b.incoming(colleague)
		d.p.WaitText("#leave", "801")
		b.must(at801.Hangup(b.ctx))
		d.p.WaitGone("#leave")

		d.p.Click("#hold")
		d.p.WaitText("#call-state", "On hold")
		other := open()
		other.p.WaitText("#call-state", "On hold")
		other.p.WaitGone("#hold")
		d.p.Eval("window.before = true; location.reload()", nil)
		d.p.Until("the page to be loaded anew", "!window.before")
		d.p.WaitText("#call-state", "On hold")
		other.p.Click("#unhold")
		other.p.WaitText("#call-state", "Talking")
		d.p.WaitText("#call-state", "Talking")

		b.must(customer.Hangup(b.ctx))
		b.over(own)
		d.p.WaitGone("#call")
		other.p.WaitGone("#call")
	})
}
