package bridge_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/lab"
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

// TestConsultationOrderedUnseen: a consultation begins seconds after it was ordered, when Asterisk knows that no more digits come. The daemon is
// away by then, and its order may come to nothing as well.
func TestConsultationOrderedUnseen(t *testing.T) {
	forAbsences(t, bridge.Options{}, func(b *absent) {
		const talk = "busy answer inbound 02150000043 answered"
		agent := b.phone("805")
		agent.Behave(phone.Behaviour{Manual: true})
		b.out = b.trunk()
		b.idle("805")
		s, m := b.sits(b.watches("805", "logout")), b.manager()
		ordered := func() {
			b.Helper()
			before := strings.Count(strings.Join(b.tap.actions(), "\n"), "Action: Atxfer")
			text, err := json.Marshal(map[string]any{"cmd": "consult", "args": map[string]string{"dest": "02155551111"}, "uuid": "1"})
			b.must(err)
			b.must(s.conn.Write(b.ctx, websocket.MessageText, text))
			b.eventually("the order", func() bool { return strings.Count(strings.Join(b.tap.actions(), "\n"), "Action: Atxfer") > before })
			b.eventually("the order to be stored", func() bool { return b.stores(`"aside":"` + b.bridgeOf(m, "805")) })
		}
		again := func(now string) {
			b.Helper()
			s.cut()
			s = b.connect("805", lab.Secret("805"))
			s.does("subscribe", "key", "ola.agent.805")
			s.until(now, func() bool { return len(s.events) > 0 && s.words()[len(s.events)-1] == now })
		}
		b.cli("dialplan add extension 02188880031,1,Queue(631,t) into from-trunk")
		own, customer := b.answeredBy(s, agent, "02150000043")
		ordered()
		var asked *phone.Call
		b.misses(func() { asked = b.incoming(b.out) })
		again(talk + " consult 02155551111")
		s.does("unconsult")
		b.over(asked)
		b.hearsOf("the customer after the question", customer, agentTone)
		s.does("hold")
		s.does("unhold")
		b.must(customer.Hangup(b.ctx))
		b.over(own)
		if !b.dies { // with the daemon alive it takes no less
			return
		}
		b.cli("dialplan add extension 02188880032,1,Queue(631) into from-trunk") // whose agents cannot transfer
		customer = b.fromOutside("02150000043", "02188880032")
		own = b.rings(agent)
		b.must(own.Answer(b.ctx))
		again(talk)
		ordered()
		b.misses(func() {})
		again(talk)
		b.eventuallyWithin(time.Minute, "a hold", func() bool { return s.command("hold").Code == http.StatusOK })
		b.must(customer.Hangup(b.ctx))
		b.over(own)
	})
}

// sits signs an agent in who may take calls.
func (b *bench) sits(s *socket) *socket {
	b.Helper()
	s.does("subscribe", "key", "ola.caller."+s.name)
	s.does("login", "queue", "631", "type", "onhook")
	s.does("go_ready")
	s.told("login", "ready")
	return s
}

// bridgeOf is the bridge in which the phone of an extension is.
func (b *bench) bridgeOf(m *ami.Client, exten string) string {
	b.Helper()
	list, err := m.List(b.ctx, ami.NewAction("CoreShowChannels"))
	b.must(err)
	for _, ch := range list {
		if strings.HasPrefix(ch.Get("Channel"), b.lab.Tech+"/"+exten+"-") {
			return ch.Get("BridgeId")
		}
	}
	return ""
}

// stores reports whether the database holds a text, were the daemon killed now.
func (b *bench) stores(text string) bool {
	b.Helper()
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(filepath.Join(b.opts.Dir, "dialbridge.db"+suffix))
		b.must(err)
		if bytes.Contains(content, []byte(text)) {
			return true
		}
	}
	return false
}

// TestPhoneOfOneInNoQueue: who has signed in and is in no queue is told all the same that his phone came or went, also what the daemon missed.
func TestPhoneOfOneInNoQueue(t *testing.T) {
	forAbsences(t, bridge.Options{}, func(b *absent) {
		p := b.phone("805")
		b.idle("805")
		s := b.watches("805", "logout")
		b.must(p.Unregister(b.ctx))
		s.told("logout away")
		b.eventually("all of its loss to be told", func() bool { return b.stateOf("805") == "4" }) // by other threads of Asterisk
		s.cut()
		s = b.watches("805", "logout away")
		b.must(p.Register(b.ctx))
		s.told("logout")
		b.misses(func() { b.must(p.Unregister(b.ctx)) })
		if b.dies {
			s = b.watches("805", "logout away")
		} else {
			s.told("logout away")
		}
		b.must(p.Register(b.ctx))
		s.told("logout")
		s.nothing()
	})
}

// TestThirdsUnseen: who takes part in a call besides, and who listens to it, is known to a daemon that was away, and can be let go.
func TestThirdsUnseen(t *testing.T) {
	forAbsences(t, bridge.Options{}, func(b *absent) {
		const talk = "busy answer inbound 02150000044 answered"
		ola := &olaBench{bench: b.bench}
		password := ola.login()
		s, agent, other := ola.seated()
		own, customer := b.answeredBy(s, agent, "02150000044")
		listener := b.phone("803")
		b.idle("803")
		b.does("extensions/extenSpy", "spy extension success", "dst", "805", "src", "803", "mode", "whisper")
		at803 := b.incoming(listener)
		b.must(at803.Heard(b.within(10*time.Second), 20))
		s.does("monitor", "dest", "801", "three_way", "true")
		at801 := b.incoming(other)
		b.must(at801.Heard(b.within(10*time.Second), 20))
		s.does("monitor", "dest", "02155551111", "three_way", "true")
		outside := b.incoming(b.out)
		b.must(outside.Heard(b.within(10*time.Second), 20))
		s.told(talk+" third 801", talk+" third 02155551111 of 801,02155551111")
		back := func(now string) {
			b.Helper()
			s.cut()
			s = b.watches("805", now)
		}
		b.misses(func() {})
		back(talk + " third 02155551111 of 801,02155551111")
		b.misses(func() {
			b.must(outside.Hangup(b.ctx))
			b.over(outside)
		})
		back(talk + " third 801")
		s.refused(404, "no call", "unmonitor", "extn", "803")
		s.does("unmonitor", "extn", "801", "three_way", "true")
		b.over(at801)
		s.told(talk)
		b.does("extensions/extenSpy", "spy extension success", "dst", "805", "src", "803", "mode", "whisper") // as it is
		b.connect("admin", password).does("unmonitor", "extn", "803")
		b.over(at803)
		b.must(customer.Hangup(b.ctx))
		b.over(own)
	})
}
