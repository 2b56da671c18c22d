package bridge_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// absent is a bench whose daemon misses what happens: its link is cut, or it is killed.
type absent struct {
	*bench
	tap  *tap
	dies bool
}

// forAbsences tries with both versions what a daemon misses in both ways.
func forAbsences(t *testing.T, o bridge.Options, do func(*absent)) {
	t.Helper()
	forBoth(t, func(t *testing.T, version string) {
		for name, dies := range map[string]bool{"cut": false, "killed": true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b, p := severable(t, version, o)
				do(&absent{bench: b, tap: p, dies: dies})
			})
		}
	})
}

// misses lets the daemon be away while something happens.
func (b *absent) misses(do func()) {
	b.Helper()
	if b.dies {
		b.must(b.d.Kill())
		do()
		b.must(b.d.Run(b.within(startTime)))
	} else {
		b.tap.part()
		b.eventually("the loss of the link", func() bool {
			code, _, err := b.d.Get(b.ctx, "/readyz")
			b.must(err)
			return code != http.StatusOK
		})
		do()
		b.tap.join()
	}
	b.must(b.d.Ready(b.within(startTime)))
}

// shows wants the daemon to say this of an extension as soon as it knows Asterisk again.
func (b *absent) shows(what, exten, state string) {
	b.Helper()
	if got := b.stateOf(exten); got != state {
		b.Errorf("%s: %s shows %s, want %s", what, exten, got, state)
	}
}

// TestHoldByThePhoneUnseen: a phone's own hold that began, or ended, while nobody listened is known when the daemon is back.
func TestHoldByThePhoneUnseen(t *testing.T) {
	forAbsences(t, bridge.Options{}, func(b *absent) {
		const talking, held = "1", "16"
		agent, customer := b.calledAt805("02155550107")
		do := func(what, want string, act func() error) {
			b.Helper()
			b.misses(func() { b.must(act()) })
			b.shows(what, "805", want)
		}
		do("a hold that began", held, func() error { return agent.Hold(b.ctx) })
		do("a hold that goes on", held, func() error { return customer.Hold(b.ctx) })
		do("a hold that ended under another", talking, func() error { return agent.Unhold(b.ctx) })
		b.must(customer.Unhold(b.ctx))
		b.must(agent.Hold(b.ctx))
		b.eventually("the hold", func() bool { return b.stateOf("805") == held })
		do("a hold that ended", talking, func() error { return agent.Unhold(b.ctx) })
		b.talks(agent, customer)

		// The agent asks 803 by his phone's second line, and connects the two.
		other := b.phone("803")
		other.Behave(phone.Behaviour{})
		b.idle("803")
		b.must(agent.Hold(b.ctx))
		asks := b.dial(agent.Phone(), "803")
		b.must(asks.Answered(b.within(10 * time.Second)))
		at803 := b.incoming(other)
		b.eventually("the hold of the first line", func() bool { return b.stateOf("805") == held })
		do("a call that was passed on", "0", func() error {
			if err := agent.ReferReplaces(b.ctx, asks); err != nil {
				return err
			}
			b.gone(agent)
			return nil
		})
		b.shows("who was given the call", "803", talking)
		b.must(customer.Heard(b.within(10*time.Second), 20))
		do("who has pressed hold then", "0", func() error { return at803.Hold(b.ctx) })
		b.shows("who has pressed hold then", "803", held)
		b.must(customer.Hangup(b.ctx))
		b.gone(at803)
	})
}
