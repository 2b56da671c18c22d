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
		d.p.WaitText("#caller", "02150000081")
		b.must(at801.Hangup(b.ctx))
		d.p.WaitText("#call-state", "Talking")
		d.p.WaitGone("#complete")
		d.p.WaitText("#caller", "02150000081")

		b.must(own.Hold(b.ctx))
		d.p.WaitText("#at-phone", "Your phone holds the call")
		d.p.WaitGone("#hold")
		d.p.WaitGone("#unhold")
		b.must(own.Unhold(b.ctx))
		d.p.Wait("#hold")
		b.must(customer.Hold(b.ctx))
		b.tells("the agent whom the customer holds", own, music)
		d.p.WaitText("#call-state", "Talking")
		b.must(customer.Unhold(b.ctx))

		b.must(agent.Unregister(b.ctx))
		d.p.WaitText("#phone-away", "not registered")
		b.must(agent.Register(b.ctx))
		d.p.WaitGone("#phone-away")

		d.number("#target", "801", "#three")
		at801 = b.incoming(colleague)
		d.p.WaitText(".leave", "801")
		b.must(at801.Hangup(b.ctx))
		d.p.WaitGone(".leave")

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

		d.number("#target", "7654321", "#consult") // which nobody has
		d.p.Wait("#error")
		colleague.Behave(phone.Behaviour{Manual: true})
		other.number("#target", "801", "#consult") // in one browser,
		at801 = b.rings(colleague)
		d.p.WaitText("#call-state", "Asking …")
		b.must(at801.Answer(b.ctx))
		colleague.Behave(phone.Behaviour{})
		d.p.WaitText("#call-state", "Asking 801")
		d.p.Click("#complete") // and connected in another
		b.over(own)
		d.p.WaitGone("#call")
		other.p.WaitGone("#call")
		b.must(customer.Hangup(b.ctx))
		b.over(at801)

		b.must(agent.Unregister(b.ctx))
		d.p.Wait("#phone-away")
		d.number("#number", "801", "#dial")
		d.p.WaitText("#error", "extension is not registered")
		b.must(agent.Register(b.ctx))
		d.p.WaitGone("#phone-away")

		d.number("#number", "801", "#dial")
		own, at801 = b.incoming(agent), b.incoming(colleague)
		d.p.WaitText("#call-state", "Talking")
		other.p.WaitText("#call-state", "Talking")
		d.p.Click("#signout")
		d.p.Wait("#signin")
		other.p.WaitGone("#call") // without a queue he is no agent: nothing is shown of a call
		other.state("logout")
		b.hearsOf("who is talked to by one who has signed out", at801, agentTone)
		other.number("#join", "631", "#do-join")
		other.p.WaitText("#call-time", ":") // the last that comes, and moves the buttons
		other.p.Click("#hangup")
		b.over(own)
		other.p.WaitGone("#call")
	})
}
