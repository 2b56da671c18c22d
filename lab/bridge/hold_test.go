package bridge_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
	"github.com/dialbridge/dialbridge/pbx"
)

// What is heard: the phones of extensions, the provider, and music on hold.
const agentTone, outsideTone, music = 400, 600, 440

var tones = []int{agentTone, outsideTone, music}

// core is a second dialbridge core beside the daemon's, with an empty database, so that two hold the same calls. What the
// daemon tells of it, it has learnt from Asterisk.
func (b *bench) core(limit time.Duration) (sw *pbx.Switch, stop func()) {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	store, err := sqlite.Open(b.ctx, sqlite.Options{Path: filepath.Join(b.TempDir(), "core.db"), Logger: log})
	b.must(err)
	client := ami.New(ami.Options{
		Address: b.lab.AMIAddress, Username: b.lab.AMIUser, Secret: b.lab.AMISecret, Want: pbx.Wanted, Exclude: pbx.Excluded(),
	})
	sw, err = pbx.New(b.ctx, pbx.Options{Client: client, Store: store, Logger: log, Rules: pbx.Rules{
		Context: "from-internal", Timeout: 20 * time.Second, Allow: regexp.MustCompile(`^[0-9*]+$`), Extensions: regexp.MustCompile(`^8[0-9]{2}$`),
		InboundContexts: regexp.MustCompile(`^from-trunk$`), Location: time.Local, HoldLimit: limit,
	}})
	b.must(err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.ctx))
	dbCtx, closeDB := context.WithCancel(context.WithoutCancel(b.ctx))
	var parts, db sync.WaitGroup
	db.Go(func() { _ = store.Run(dbCtx) })
	parts.Go(func() { _ = client.Run(ctx) })
	parts.Go(func() { _ = sw.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		parts.Wait()
		closeDB()
		db.Wait()
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	})
	b.Cleanup(stop)
	b.eventually("the core to know Asterisk", func() bool { return sw.Status().Complete })
	return sw, stop
}

func (b *bench) tells(what string, c *phone.Call, wanted ...int) {
	b.Helper()
	if err := c.Hears(b.within(15*time.Second), tones, wanted...); err != nil {
		b.Fatalf("%s: %v", what, err)
	}
}

// talks wants two to hear each other, and held one to hear music and the other nothing.
func (b *bench) talks(agent, customer *phone.Call) {
	b.Helper()
	b.tells("the agent in talk", agent, outsideTone)
	b.tells("the customer in talk", customer, agentTone)
}

func (b *bench) held(agent, customer *phone.Call) {
	b.Helper()
	b.tells("the customer on hold", customer, music)
	b.tells("the agent whose customer is on hold", agent)
}

// calledAt makes a call from outside to 805, who answers.
func (b *bench) calledAt805(caller string) (agent, customer *phone.Call) {
	b.Helper()
	b.out = b.trunk()
	p := b.phone("805")
	b.idle("805")
	customer = b.fromOutside(caller, "02188880006")
	agent = b.incoming(p)
	b.talks(agent, customer)
	return agent, customer
}

func (b *bench) gone(c *phone.Call) {
	b.Helper()
	_, err := c.Ended(b.within(30 * time.Second))
	b.must(err)
}

// TestHold puts a customer on hold and takes him back, twice, with a reload of the dialplan in between.
func TestHold(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		sw, _ := b.core(0)
		agent, customer := b.calledAt805("02155550101")
		var onHold time.Duration
		for range 2 {
			w := watch()
			b.must(sw.Hold(b.ctx, "805"))
			b.held(agent, customer)
			b.eventually("805 to show Hold", func() bool { return b.stateOf("805") == "16" })
			b.must(sw.Hold(b.ctx, "805")) // which it is
			b.cli("dialplan reload")
			b.held(agent, customer)
			b.must(sw.Unhold(b.ctx, "805"))
			onHold += w.lap()
			b.talks(agent, customer)
			b.eventually("805 to show InUse", func() bool { return b.stateOf("805") == "1" })
		}
		if err := sw.Unhold(b.ctx, "805"); !errors.Is(err, pbx.ErrState) {
			t.Errorf("Unhold of a talk = %v", err)
		}
		b.must(customer.Hangup(b.ctx))
		b.gone(agent)
		_, events := b.callEvents(1, dials("02155550101", "805"))
		b.expect(events, "dialbegin SIP/trunk 02155550101>805 SIP/805 by SIP/805", "dialend SIP/trunk 02155550101>805 SIP/805 answer",
			"cdr 02155550101>02188880006 ANSWERED inbound", "hangup 02155550101 805")
		b.record("02155550101", "called=805", map[string]time.Duration{"holdTime": onHold})
	})
}

// TestHoldThatIsHungUp ends held calls from either side: the other one is not left alone.
func TestHoldThatIsHungUp(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		sw, _ := b.core(0)
		for _, byAgent := range []bool{true, false} {
			agent, customer := b.calledAt805("02155550102")
			b.must(sw.Hold(b.ctx, "805"))
			b.held(agent, customer)
			first, second := customer, agent
			if byAgent {
				first, second = agent, customer
			}
			b.must(first.Hangup(b.ctx))
			b.gone(second)
			b.eventually("805 to be free", func() bool { return b.stateOf("805") == "0" })
			b.eventually("the helper to be gone", func() bool { return b.cli("core show channels concise") == "" })
			b.must(b.out.Close())
		}
	})
}

// TestHoldInAQueue holds that a call out of a queue stays the queue's: its end is told, and the caller goes on to the survey.
func TestHoldInAQueue(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		for _, queue := range []struct{ did, number, agent string }{{"02188880003", "630", "803"}, {"02188880031", "631", "805"}} {
			t.Run(queue.number, func(t *testing.T) {
				// The member of 631 is behind a Local channel.
				b := setUp(t, version, lab.Options{}, bridge.Options{Extra: "[calls]\nqueue_member = Local/{exten}@from-internal/n\n"})
				sw, _ := b.core(0)
				b.out = b.trunk()
				p := b.phone(queue.agent)
				b.idle(queue.agent)
				b.cli("dialplan add extension 02188880031,1,Goto,ext-queues,631,1 into from-trunk")
				b.does("queues/agent-login", "login extension success", "extension", "805", "queue", "631")
				customer := b.fromOutside("02155550103", queue.did)
				agent := b.incoming(p)
				w := watch()
				b.talks(agent, customer)
				h := watch()
				b.must(sw.Hold(b.ctx, pbx.Exten(queue.agent)))
				b.held(agent, customer)
				b.must(sw.Unhold(b.ctx, pbx.Exten(queue.agent)))
				onHold := h.lap()
				b.talks(agent, customer)
				b.must(agent.Hangup(b.ctx))
				talked := w.lap()
				b.wait(time.Second)
				if customer.State() != phone.Answered {
					t.Error("the caller has not come to the survey")
				}
				b.must(customer.Hangup(b.ctx))
				b.record("02155550103", "queueCode="+queue.number+" agentCode="+queue.agent+" cdrState=feedback hangupSide=agent",
					map[string]time.Duration{"holdTime": onHold, "talkingTime": talked})
			})
		}
	})
}

// TestHoldOfACallListenedTo holds a call to which somebody listens, and which a click has begun.
func TestHoldOfACallListenedTo(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		sw, _ := b.core(0)
		out, p801, p805 := b.trunk(), b.phone("801"), b.phone("805")
		b.idle("801", "805")
		b.does("extensions/click-number", "Originate successfully queued", "src", "805", "dst", "02155550106")
		agent, customer := b.incoming(p805), b.incoming(out)
		b.talks(agent, customer)
		b.does("extensions/extenSpy", "spy extension success", "dst", "805", "src", "801")
		listener := b.incoming(p801)
		b.tells("the listener", listener, agentTone, outsideTone)
		b.must(sw.Hold(b.ctx, "805"))
		b.held(agent, customer)
		b.must(sw.Unhold(b.ctx, "805"))
		b.talks(agent, customer)
		b.tells("the listener", listener, agentTone, outsideTone)
		b.must(agent.Hangup(b.ctx))
		b.gone(customer)
		b.gone(listener)
	})
}

// TestHoldSurvives kills the daemon while a customer is on hold: another process, which knows nothing, takes him back.
func TestHoldSurvives(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		sw, stop := b.core(0)
		agent, customer := b.calledAt805("02155550104")
		w := watch()
		b.must(sw.Hold(b.ctx, "805"))
		b.eventually("805 to show Hold", func() bool { return b.stateOf("805") == "16" })
		stop()
		b.must(b.d.Kill())
		b.held(agent, customer)
		b.must(b.d.Run(b.within(30 * time.Second)))
		b.must(b.d.Ready(b.within(30 * time.Second)))
		if got := b.stateOf("805"); got != "16" {
			t.Errorf("after the restart 805 shows %s", got)
		}
		sw, _ = b.core(0)
		b.held(agent, customer)
		b.must(sw.Unhold(b.ctx, "805"))
		onHold := w.lap()
		b.talks(agent, customer)
		b.must(customer.Hangup(b.ctx))
		b.gone(agent)
		b.record("02155550104", "called=805", map[string]time.Duration{"holdTime": onHold})
	})
}

// TestHoldThatNobodyEnds lets the music end by its limit: who listens joins the two again, and when nobody does Asterisk ends the call.
func TestHoldThatNobodyEnds(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		sw, stop := b.core(3 * time.Second)
		agent, customer := b.calledAt805("02155550105")
		b.must(sw.Hold(b.ctx, "805"))
		b.talks(agent, customer)
		b.must(sw.Hold(b.ctx, "805"))
		stop()
		b.must(b.d.Kill())
		b.gone(customer)
		b.gone(agent)
		b.must(b.d.Run(b.within(30 * time.Second)))
	})
}

// TestHoldRefused asks for what cannot be done: nothing of the call changes.
func TestHoldRefused(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		sw, _ := b.core(0)
		p := map[string]*phone.Phone{}
		for _, n := range []string{"801", "802", "803"} {
			p[n] = b.phone(n)
		}
		b.idle("801", "802", "803")
		refused := func(why error, n pbx.Exten) {
			t.Helper()
			if err := sw.Hold(b.ctx, n); !errors.Is(err, why) {
				t.Errorf("Hold of %s = %v, want %v", n, err, why)
			}
			if err := sw.Unhold(b.ctx, n); !errors.Is(err, why) {
				t.Errorf("Unhold of %s = %v, want %v", n, err, why)
			}
		}
		refused(pbx.ErrNoCall, "801")
		p["802"].Behave(phone.Behaviour{Never: true})
		c := b.dial(p["801"], "802")
		b.rings(p["802"])
		b.eventually("the core to know both phones", func() bool { return sw.Status().Channels == 2 })
		refused(pbx.ErrState, "801")
		refused(pbx.ErrState, "802")
		b.must(c.Cancel(b.ctx))
		b.idle("801", "802")
		c = b.talk(p["801"], p["802"])
		at802 := b.incoming(p["802"])
		b.must(at802.Hold(b.ctx))
		b.eventually("the phone's own hold", func() bool { return stateIn(b, sw, "802") == pbx.OnHold })
		refused(pbx.ErrState, "802")
		b.must(at802.Unhold(b.ctx))
		b.must(c.Hangup(b.ctx))
		b.idle("801", "802")
		for i, n := range []string{"801", "802", "803"} { // alone, with one other, with two
			b.must(b.dial(p[n], "900").Answered(b.within(10 * time.Second)))
			b.eventually("the core to know the members", func() bool { return len(inBridge(sw)) == i+1 })
			refused(pbx.ErrState, pbx.Exten(n))
		}
	})
}

func stateIn(b *bench, sw *pbx.Switch, n pbx.Exten) pbx.ExtenState {
	b.Helper()
	list, err := sw.Extensions()
	b.must(err)
	for _, x := range list {
		if x.Number == n {
			return x.State
		}
	}
	return pbx.Unavailable
}

// inBridge lists the channels that a core knows in bridges.
func inBridge(sw *pbx.Switch) (names []string) {
	calls, _ := sw.Calls() // none before it knows Asterisk
	for _, c := range calls {
		for _, ch := range c.Channels {
			if ch.Bridge != "" {
				names = append(names, ch.Name)
			}
		}
	}
	return names
}
