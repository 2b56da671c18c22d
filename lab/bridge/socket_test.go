package bridge_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// socket is an agent's or a user's connection by the second dialect.
type socket struct {
	b    *bench
	conn *websocket.Conn
	name string
	done chan struct{}

	mu      sync.Mutex
	moved   chan struct{}
	replies []socketReply
	events  []map[string]any
	latest  map[string]any // of those that were told
}

type socketReply struct {
	Code   int    `json:"code"`
	Result string `json:"result"`
}

// connect logs in on a socket: an extension with the password of its phone, or a user.
func (b *bench) connect(name, password string) *socket {
	b.Helper()
	conn, _, err := websocket.Dial(b.ctx, "ws"+strings.TrimPrefix(b.d.URL, "http")+"/ola_socket", nil) //nolint:bodyclose // the socket is what there is to close
	b.must(err)
	s := &socket{b: b, conn: conn, name: name, done: make(chan struct{}), moved: make(chan struct{})}
	go s.listen()
	b.Cleanup(s.cut)
	s.does("auth", "username", name, "password", password)
	return s
}

// cut ends the connection without a word.
func (s *socket) cut() {
	_ = s.conn.CloseNow()
	<-s.done
}

func (s *socket) listen() {
	defer close(s.done)
	for {
		_, text, err := s.conn.Read(context.Background())
		if err != nil {
			return
		}
		var m map[string]any
		var r socketReply
		if json.Unmarshal(text, &m) != nil || json.Unmarshal(text, &r) != nil {
			continue // a test will wait for it in vain
		}
		s.mu.Lock()
		if m["event_type"] == "command/reply" {
			s.replies = append(s.replies, r)
		} else {
			s.events = append(s.events, m)
		}
		close(s.moved)
		s.moved = make(chan struct{})
		s.mu.Unlock()
	}
}

// until waits for a condition on what has been read.
func (s *socket) until(what string, ok func() bool) {
	s.b.Helper()
	ctx := s.b.within(20 * time.Second)
	for {
		s.mu.Lock()
		is, moved := ok(), s.moved
		s.mu.Unlock()
		if is {
			return
		}
		select {
		case <-moved:
		case <-s.done:
			s.b.Fatalf("the socket of %s has ended while waiting for %s", s.name, what)
		case <-ctx.Done():
			s.b.Fatalf("%s: waiting for %s; so far %q", s.name, what, s.words())
		}
	}
}

// command sends one and returns its answer.
func (s *socket) command(cmd string, nameValue ...string) (r socketReply) {
	s.b.Helper()
	args := map[string]string{}
	for i := 0; i+1 < len(nameValue); i += 2 {
		args[nameValue[i]] = nameValue[i+1]
	}
	text, err := json.Marshal(map[string]any{"cmd": cmd, "args": args, "uuid": "1"})
	s.b.must(err)
	s.b.must(s.conn.Write(s.b.ctx, websocket.MessageText, text))
	s.until("the answer to "+cmd, func() bool {
		if len(s.replies) == 0 {
			return false
		}
		r, s.replies = s.replies[0], s.replies[1:]
		return true
	})
	return r
}

// does wants success.
func (s *socket) does(cmd string, nameValue ...string) {
	s.b.Helper()
	if r := s.command(cmd, nameValue...); r.Code != 200 {
		s.b.Fatalf("%s %q of %s: %d %s", cmd, nameValue, s.name, r.Code, r.Result)
	}
}

// refused wants an error.
func (s *socket) refused(code int, result, cmd string, nameValue ...string) {
	s.b.Helper()
	if r := s.command(cmd, nameValue...); r.Code != code || r.Result != result {
		s.b.Errorf("%s %q of %s: %d %s, want %d %s", cmd, nameValue, s.name, r.Code, r.Result, code, result)
	}
}

// words is all that was told, a line each.
func (s *socket) words() (list []string) {
	for _, m := range s.events {
		text := func(key string) string { v, _ := m[key].(string); return strings.TrimPrefix(v, "undefined") }
		if text("event_type") == "agent_caller_state" {
			list = append(list, "caller "+text("action"))
			continue
		}
		line := strings.Join(strings.Fields(text("state")+" "+text("private_data")+" "+text("call_type")+" "+text("other_dn")), " ")
		if m["other_answered"] == true {
			line += " answered"
		}
		if keys := text("dtmf"); keys != "" {
			line += " keys " + keys
		}
		if third := text("third_dn"); third != "" {
			line += " third " + third
		}
		line += besides(m["app_data"])
		list = append(list, line)
	}
	return list
}

// told waits for exactly these, in their order, and forgets them.
func (s *socket) told(want ...string) {
	s.b.Helper()
	s.until(strings.Join(want, ", "), func() bool { return len(s.events) >= len(want) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.words(); !slices.Equal(got[:len(want)], want) {
		s.b.Fatalf("%s was told\n%q, want\n%q", s.name, got, want)
	}
	s.latest = s.events[len(want)-1]
	s.events = slices.Delete(s.events, 0, len(want))
}

// maybe forgets what may be told next, if it is.
func (s *socket) maybe(word string) {
	s.b.Helper()
	s.until("more", func() bool { return len(s.events) > 0 })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.words()[0] == word {
		s.events = s.events[1:]
	}
}

// nothing wants that no more was told than was asked for.
func (s *socket) nothing() {
	s.b.Helper()
	s.does("ping")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) > 0 {
		s.b.Errorf("%s was told %q besides", s.name, s.words())
	}
}

// watch logs an agent in and subscribes to what he does, which is told at once.
func (b *bench) watches(exten, now string) *socket {
	b.Helper()
	s := b.connect(exten, lab.Secret(exten))
	s.does("subscribe", "key", "ola.agent."+exten)
	s.told(now)
	return s
}

// TestAgentsSeeTheirCalls holds the four sequences of states, with a connection that is cut in the middle of a call.
func TestAgentsSeeTheirCalls(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{Extra: "[enable]\npausetime = yes\npausetime_max = 1\n"})
		b.out = b.trunk()
		furnish(b)
		agent, other := b.phone("806"), b.phone("812") // 806 is a static member of 646
		agent.Behave(phone.Behaviour{Manual: true})
		other.Behave(phone.Behaviour{Manual: true})
		b.idle("806", "812")
		b.inboundToAgent(agent)
		b.outboundByAgent(agent, other)
		b.whileUnready(agent, other)
		b.transferredByAgent(agent, other)
	})
}

// inboundToAgent: a call out of a queue. While it rings the agent's page is loaded anew.
func (b *bench) inboundToAgent(agent *phone.Phone) {
	b.Helper()
	s := b.watches("806", "ready")
	s.refused(404, "queue not found", "login", "queue", "nope")
	s.refused(403, "not your extension", "go_break", "extn", "812")
	customer := b.fromOutside("02150000031", "0219900646")
	in := b.rings(agent)
	s.told("busy ring inbound 02150000031")
	s.nothing()
	s.cut()
	s = b.watches("806", "busy ring inbound 02150000031")
	b.must(in.Answer(b.ctx))
	s.told("busy answer inbound 02150000031 answered")
	s.refused(409, "agent is busy", "dial", "dest", "812")
	b.must(customer.Hangup(b.ctx))
	b.over(in)
	s.told("acw", "ready")
	s.nothing()
	s.cut()
}

// outboundByAgent: a call that the agent has ordered. The daemon is killed while they talk.
func (b *bench) outboundByAgent(agent, other *phone.Phone) {
	b.Helper()
	s := b.watches("806", "ready")
	s.does("dial", "dest", "812", "otherStr", "order 7")
	own := b.rings(agent)
	s.told("busy ring outbound 812")
	b.must(own.Answer(b.ctx))
	at812 := b.rings(other)
	s.told("busy ring outbound 812")
	b.must(at812.Answer(b.ctx))
	s.told("busy answer outbound 812 answered")
	s.nothing()
	_, err := b.rec.Until(b.within(10*time.Second), "the answer of 812, which is on disk before it is pushed", func(all []bridge.Event) bool {
		return slices.ContainsFunc(all, func(e bridge.Event) bool { return e.Kind == "dialend" && strings.Contains(e.Body, `"812"`) })
	})
	b.must(err)
	b.must(b.d.Kill())
	<-s.done
	b.must(b.d.Run(b.within(30 * time.Second)))
	b.must(b.d.Ready(b.within(30 * time.Second)))
	s = b.watches("806", "busy answer outbound 812 answered")
	s.does("hangup_other")
	b.over(own)
	b.over(at812)
	s.told("acw", "ready")
	s.nothing()
	s.cut()
}

// whileUnready: a call that comes during a break, which goes on after it.
func (b *bench) whileUnready(agent, other *phone.Phone) {
	b.Helper()
	s := b.watches("806", "ready")
	s.does("go_break", "reason", "lunch")
	s.told("unready")
	c := b.dial(other, "806")
	in := b.rings(agent)
	s.told("busy ring inbound 812")
	b.must(in.Answer(b.ctx))
	s.told("busy answer inbound 812 answered")
	b.must(c.Hangup(b.ctx))
	b.over(in)
	s.told("unready")
	s.does("go_ready")
	s.told("ready")
	s.nothing()
	s.cut()
}

// transferredByAgent: a call out of a queue that the agent passes on.
func (b *bench) transferredByAgent(agent, other *phone.Phone) {
	b.Helper()
	s := b.watches("806", "ready")
	customer := b.fromOutside("02150000032", "0219900646")
	in := b.rings(agent)
	b.must(in.Answer(b.ctx))
	s.told("busy ring inbound 02150000032", "busy answer inbound 02150000032 answered")
	s.refused(404, "not found", "transfer", "dest", "8999")
	s.does("transfer", "dest", "812")
	b.over(in)
	s.told("acw", "ready")
	at812 := b.rings(other)
	b.must(at812.Answer(b.ctx))
	b.must(customer.Heard(b.within(10*time.Second), 20))
	b.must(customer.Hangup(b.ctx))
	b.over(at812)
	s.nothing()
	s.cut()
}

// thirdTone is what a phone sends that is neither the agent's nor the provider's.
const thirdTone = 500

// third registers a phone with a tone of its own.
func (b *bench) third(number string) *phone.Phone {
	b.Helper()
	p, err := phone.New(b.ctx, phone.Config{
		Server: b.lab.SIPAddress, BindIP: b.lab.IP, User: number, Password: lab.Secret(number), Name: "Phone " + number, Tone: thirdTone,
	})
	b.must(err)
	p.Behave(phone.Behaviour{})
	b.must(p.Register(b.ctx))
	return b.kept(p, nil)
}

// hearsOf wants a party to hear these tones of the three, and no other.
func (b *bench) hearsOf(what string, c *phone.Call, wanted ...int) {
	b.Helper()
	if err := c.Hears(b.within(15*time.Second), []int{agentTone, outsideTone, thirdTone}, wanted...); err != nil {
		b.Fatalf("%s: %v", what, err)
	}
}

// seated signs 805 in by socket to queue 631, which the provider's number 02188880031 rings. 801 is the third phone.
func (b *olaBench) seated() (s *socket, agent, other *phone.Phone) {
	b.Helper()
	b.out = b.trunk()
	agent, other = b.phone("805"), b.third("801")
	agent.Behave(phone.Behaviour{Manual: true})
	b.idle("805", "801")
	b.cli("dialplan add extension 02188880031,1,Queue(631,t) into from-trunk")
	return b.sits(b.watches("805", "logout")), agent, other
}

// TestCommandsOfSockets does by socket what can be done to a call, and listens at the phones.
func TestCommandsOfSockets(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := &olaBench{bench: setUp(t, version, lab.Options{}, bridge.Options{})}
		user := b.connect("admin", b.login())
		s, agent, other := b.seated()
		own, customer := b.answeredBy(s, agent, "02150000041")
		b.listened(user, other, own, customer)
		b.joined(s, other, own, customer)
		b.collects(s, own, customer)
		b.holds(s, own, customer)
		b.asksByName(s, other, customer)
		b.losesPhone(s, agent)

		user.refused(409, "agent is busy", "intercept", "extn", "805", "dest", "801")
		user.does("intercept", "extn", "801", "dest", "805")
		taken := b.incoming(other)
		b.over(own)
		b.hearsOf("the customer who was taken over", customer, thirdTone)
		b.hearsOf("who has taken over", taken, outsideTone)
		b.must(taken.Hangup(b.ctx))
		b.over(customer)
		s.told("ready")

		own, customer = b.takesFromQueue(s, agent)
		x := s.last("other_accept")
		s.refused(404, "no call", "kill", "channel_uuid", "1.1")
		s.does("kill", "channel_uuid", x)
		b.over(customer)
		b.over(own)
		s.told("unready")
		b.eventually("all channels to be gone", func() bool { return b.cli("core show channels concise") == "" })
		s.nothing()
	})
}

// last is a value of the last event that was told, before it was forgotten.
func (s *socket) last(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, _ := s.latest[key].(string)
	return v
}

// answeredBy brings a caller to an agent by way of the queue.
func (b *bench) answeredBy(s *socket, agent *phone.Phone, caller string) (own, customer *phone.Call) {
	b.Helper()
	customer = b.fromOutside(caller, "02188880031")
	own = b.rings(agent)
	s.told("caller in", "busy ring inbound "+caller)
	b.must(own.Answer(b.ctx))
	s.until("the answer", func() bool { return len(s.events) == 2 })
	s.mu.Lock()
	got := s.words()
	s.events = nil
	s.mu.Unlock()
	slices.Sort(got) // which comes first is Asterisk's choice
	if !slices.Equal(got, []string{"busy answer inbound " + caller + " answered", "caller out"}) {
		b.Fatalf("at the answer: %q", got)
	}
	b.hearsOf("the customer", customer, agentTone)
	return own, customer
}

// listened: a user lets a phone listen to the agent's call, in either order of the two numbers, and ends it.
func (b *olaBench) listened(user *socket, other *phone.Phone, own, customer *phone.Call) {
	b.Helper()
	for _, order := range [][2]string{{"801", "805"}, {"805", "801"}} {
		user.does("monitor", "extn", order[0], "dest", order[1])
		at801 := b.incoming(other)
		b.hearsOf("the listener", at801, agentTone, outsideTone)
		b.hearsOf("the customer who is listened to", customer, agentTone)
		b.hearsOf("the agent who is listened to", own, outsideTone)
		user.does("unmonitor", "extn", "801")
		b.over(at801)
	}
	user.refused(404, "no call", "unmonitor", "extn", "801")
}

// joined: the agent brings a third party into his call, an extension and a number outside, and lets it go.
func (b *olaBench) joined(s *socket, other *phone.Phone, own, customer *phone.Call) {
	b.Helper()
	s.refused(404, "not found", "monitor", "extn", "805", "dest", "7654321", "three_way", "true")
	s.does("monitor", "extn", "805", "dest", "801", "three_way", "true")
	at801 := b.incoming(other)
	b.hearsOf("the third party", at801, agentTone, outsideTone)
	b.hearsOf("the customer with a third party", customer, agentTone, thirdTone)
	b.hearsOf("the agent with a third party", own, outsideTone, thirdTone)
	s.told(talks41 + " third 801")
	s.does("monitor", "dest", "02155551111", "three_way", "true")
	outside := b.incoming(b.out)
	b.must(outside.Heard(b.within(10*time.Second), 20))
	s.told(talks41 + " third 02155551111 of 801,02155551111")
	s.does("unmonitor", "extn", "02155551111", "three_way", "true")
	b.over(outside)
	s.told(talks41 + " third 801")
	s.does("monitor", "dest", "02155551111", "three_way", "true")
	outside = b.incoming(b.out)
	s.told(talks41 + " third 02155551111 of 801,02155551111")
	s.does("unmonitor", "extn", "801", "three_way", "true")
	b.over(at801)
	s.told(talks41 + " third 02155551111")
	s.does("unmonitor", "extn", "02155551111", "three_way", "true")
	b.over(outside)
	s.told(talks41)
	b.hearsOf("the customer without a third party", customer, agentTone)
}

// collects: the customer presses keys behind a prompt.
func (b *olaBench) collects(s *socket, own, customer *phone.Call) {
	b.Helper()
	s.refused(400, "soundfile: Asterisk cannot play no-such-sound", "collect_dtmf", "soundfile", "no-such-sound")
	for i, keys := range []string{"42", "7"} {
		s.does("collect_dtmf", "extn", "805", "soundfile", "vm-enter-num-to-call.wav")
		s.refused(409, "the call is not in a state for this", "collect_dtmf", "soundfile", "vm-enter-num-to-call")
		b.must(customer.SendDTMF(b.ctx, keys+"#", phone.RFC2833))
		s.told("busy answer inbound 02150000041 answered keys " + keys)
		if want := []string{"42", "42,7"}[i]; s.last("dtmf_his") != want {
			b.Errorf("history %q, want %q", s.last("dtmf_his"), want)
		}
	}
	b.hearsOf("the customer after the keys", customer, agentTone)
	b.hearsOf("the agent after the keys", own, outsideTone)
}

// takesFromQueue: an agent on a break takes one who waits.
func (b *olaBench) takesFromQueue(s *socket, agent *phone.Phone) (own, customer *phone.Call) {
	b.Helper()
	s.does("go_break")
	s.told("unready")
	customer = b.fromOutside("02150000042", "02188880031")
	s.told("caller in")
	caller, _ := s.latest["caller"].(map[string]any)
	id, _ := caller["uuid"].(string)
	s.refused(404, "no such caller in your queues", "take_call", "channel_uuid", "1.1")
	s.does("take_call", "channel_uuid", id)
	own = b.rings(agent)
	s.told("caller out", "busy ring inbound 02150000042")
	b.must(own.Answer(b.ctx))
	s.told("busy answer inbound 02150000042 answered")
	b.hearsOf("the customer who was taken", customer, agentTone)
	return own, customer
}

// TestTwoDialectsOneCore holds that what one dialect does the other one tells, at once and under the same id.
func TestTwoDialectsOneCore(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := &olaBench{bench: setUp(t, version, lab.Options{}, bridge.Options{})}
		b.login()
		b.phone("805").Behave(phone.Behaviour{})
		other := b.phone("802")
		b.idle("805", "802")
		s := b.watches("805", "logout")
		s.does("login", "queue", "631")
		s.told("login")
		if got := b.queueInfo()["631"]; len(got) != 1 || got[0].Name != "sip/805" || got[0].Paused != "1" {
			t.Errorf("queue-info after a log-in by socket: %v", got)
		}
		b.does("queues/agent-pause", "Interface unpaused successfully", "member", "805", "state", "off")
		s.told("ready")
		b.put("805/go_break", olaOK)
		s.told("unready")
		if got := b.queueInfo()["631"]; got[0].Paused != "1" {
			t.Errorf("queue-info after go_break: %v", got)
		}
		b.does("queues/agent-logout", "logout extension success", "extension", "805", "queue", "631")
		s.told("logout")
		b.does("queues/agent-login", "login extension success", "extension", "805", "queue", "631")
		s.told("ready")

		answer := b.does("extensions/click-number", "Originate successfully queued", "src", "805", "dst", "802")
		var order struct{ Data struct{ UniqueID string } }
		b.must(json.Unmarshal([]byte(answer), &order))
		at802 := b.incoming(other)
		s.told("busy ring outbound 802", "busy ring outbound 802", "busy answer outbound 802 answered")
		if own := s.last("call_accept"); own != order.Data.UniqueID {
			t.Errorf("the call is %s here, and %s there", own, order.Data.UniqueID)
		}
		b.does("extensions/hangup", "hangup extension success", "extension", "805")
		b.over(at802)
		s.told("ready")
		_, events := b.callEvents(1, func(e bridge.Event) bool { return e.Call() == order.Data.UniqueID })
		if !hasKind(events, "dialbegin") || !hasKind(events, "cdr") {
			t.Errorf("events of the call: %v", kindsOf(events))
		}

		s.does("dial", "dest", "802", "otherStr", "order 8")
		at802 = b.incoming(other)
		s.told("busy ring outbound 802", "busy ring outbound 802", "busy answer outbound 802 answered")
		id := s.last("call_accept")
		s.does("hangup")
		b.over(at802)
		s.told("ready")
		b.callEvents(1, func(e bridge.Event) bool { return e.Call() == id })
		b.eventually("the record with the remark", func() bool {
			_, body, err := b.d.Get(b.ctx, api+"calls/"+id)
			b.must(err)
			return strings.Contains(body, `"otherStr":"order 8"`)
		})
		s.nothing()
	})
}

// TestAutomaticSignIn holds that an extension whose line says so is ready when it has signed in, and is signed in again when its phone
// comes back.
func TestAutomaticSignIn(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := directoryBench(t, version, "")
		b.insert("871", "pass-871", "from-internal", "if_auto_login", "true", "if_auto_ready", "true")
		p := b.registers("871", "pass-871")
		b.idle("871")
		s := b.connect("871", "pass-871")
		s.does("subscribe", "key", "ola.agent.871")
		s.told("logout")
		s.does("login", "queue", "631")
		s.told("login", "ready")
		s.does("logout")
		s.told("logout")
		b.must(p.Unregister(b.ctx))
		b.eventually("871 to be away", func() bool { return b.stateOf("871") == "4" })
		b.must(p.Register(b.ctx))
		s.told("logout away")
		s.maybe("logout") // it may be signed in before it is told that the phone is back
		s.told("login", "ready")
		if out := b.cli("queue show 631"); !strings.Contains(out, b.lab.Tech+"/871") || strings.Contains(out, "paused") {
			t.Errorf("Asterisk has\n%s", out)
		}
		s.nothing()
		b.post("extensions/update", olaOK, "extn", "871", "extnPwd", "other-871")
		<-s.done // who has logged in with the old password
		s = b.connect("871", "other-871")
		b.post("extensions/delete", olaOK, "extn", "871")
		<-s.done
	})
}
