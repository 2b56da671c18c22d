package bridge_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

const api = "/coocenter-api/"

// does posts a form and wants 200 with a message.
func (b *bench) does(path, message string, nameValue ...string) string {
	b.Helper()
	code, body, err := b.d.Post(b.ctx, api+path, nameValue...)
	b.must(err)
	if code != http.StatusOK || !strings.Contains(body, `"message":"`+message+`"`) {
		b.Fatalf("%s %v: %d %s", path, nameValue, code, body)
	}
	return body
}

// refuses posts a form and wants a status and a message in the error shape.
func (b *bench) refuses(code int, path, message string, nameValue ...string) {
	b.Helper()
	got, body, err := b.d.Post(b.ctx, api+path, nameValue...)
	b.must(err)
	want := `{"status":"error","message":"` + message + "\"}\n"
	if got != code || body != want {
		b.Errorf("%s %v: %d %s, want %d %s", path, nameValue, got, body, code, want)
	}
}

func (b *bench) get(path string, into any) {
	b.Helper()
	code, body, err := b.d.Get(b.ctx, api+path)
	b.must(err)
	if code != http.StatusOK {
		b.Fatalf("%s: %d %s", path, code, body)
	}
	b.must(json.Unmarshal([]byte(body), into))
}

func (b *bench) cli(command string) string {
	b.Helper()
	out, err := b.lab.CLI(b.ctx, command)
	b.must(err)
	return out
}

type members map[string][]struct{ Name, Paused, Penalty string }

func (b *bench) queueInfo() members {
	b.Helper()
	var reply struct{ Data members }
	b.get("queues/queue-info", &reply)
	return reply.Data
}

// TestAgents logs an agent in and out and pauses it, and looks at Asterisk's own queue.
func TestAgents(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		b.phone("805")
		b.idle("805")
		device := b.lab.Tech + "/805"
		if got := b.queueInfo(); len(got["630"]) != 2 || got["631"] == nil || len(got["631"]) != 0 {
			t.Fatalf("queue-info = %v", got)
		}
		b.does("queues/agent-login", "login extension success", "extension", "805", "queue", "631")
		if out := b.cli("queue show 631"); !strings.Contains(out, device) {
			t.Errorf("Asterisk does not know the member:\n%s", out)
		}
		if got := b.queueInfo()["631"]; len(got) != 1 || got[0].Name != "sip/805" || got[0].Paused != "0" {
			t.Errorf("queue-info after login = %v", got)
		}
		b.does("queues/agent-login", "login extension success", "extension", "SIP/805", "queue", "631") // twice is success
		b.does("queues/agent-pause", "Interface paused successfully", "queue", "631", "member", "805", "state", "on")
		if out := b.cli("queue show 631"); !strings.Contains(out, "paused") {
			t.Errorf("Asterisk does not know the pause:\n%s", out)
		}
		if got := b.queueInfo()["631"]; len(got) != 1 || got[0].Paused != "1" {
			t.Errorf("queue-info after pause = %v", got)
		}
		b.does("queues/agent-pause", "Interface unpaused successfully", "member", "PJSIP/805", "state", "off") // all queues
		if got := b.queueInfo()["631"]; got[0].Paused != "0" {
			t.Errorf("queue-info after unpause = %v", got)
		}
		b.does("queues/agent-logout", "logout extension success", "extension", "805")
		if out := b.cli("queue show 631"); strings.Contains(out, device) {
			t.Errorf("Asterisk still knows the member:\n%s", out)
		}
		b.refuses(404, "queues/agent-logout", "Unable to remove interface: Not there", "extension", "805", "queue", "631")
		b.refuses(404, "queues/agent-pause", "Interface not found", "queue", "631", "member", "805", "state", "on")
		b.refuses(404, "queues/agent-login", "Unable to add interface to queue: No such queue", "extension", "805", "queue", "639")
		b.refuses(404, "queues/agent-login", "Extension does not exist.", "extension", "899", "queue", "631")
		b.refuses(400, "queues/agent-pause", "state: on or off", "queue", "631", "member", "805", "state", "maybe")
		// A static member is paused instead of removed.
		b.does("queues/agent-logout", "logout extension success", "extension", "803", "queue", "630")
		i := slices.IndexFunc(b.queueInfo()["630"], func(m struct{ Name, Paused, Penalty string }) bool { return m.Name == "sip/803" })
		if got := b.queueInfo()["630"]; i < 0 || got[i].Paused != "1" {
			t.Errorf("static member after logout = %v", got)
		}
	})
}

// TestRegistrations compares extension-status with phones that come and go.
func TestRegistrations(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		p := b.phone("801")
		b.idle("801")
		row := func(exten string) (r struct{ Exten, Type, IPAddr, Status string }) {
			var reply struct {
				Data []struct{ Exten, Type, IPAddr, Status string }
			}
			b.get("extensions/extension-status", &reply)
			if len(reply.Data) != len(b.lab.Extensions) {
				t.Fatalf("%d rows, want %d", len(reply.Data), len(b.lab.Extensions))
			}
			for _, d := range reply.Data {
				if d.Exten == exten {
					r = d
				}
			}
			return r
		}
		b.eventually("801 to be OK", func() bool {
			r := row("801")
			return strings.HasPrefix(r.Status, "OK (") && r.IPAddr == p.Addr().Addr().String()
		})
		if r := row("802"); r.Type != "SIP" || r.IPAddr != "-none-" || r.Status != "UNKNOWN" {
			t.Errorf("unregistered: %+v", r)
		}
		b.must(p.Unregister(b.ctx))
		b.eventually("801 to be gone", func() bool { r := row("801"); return r.IPAddr == "-none-" && r.Status == "UNKNOWN" })
	})
}

func (b *bench) eventually(what string, ok func() bool) {
	b.Helper()
	b.eventuallyWithin(10*time.Second, what, ok)
}

func (b *bench) eventuallyWithin(patience time.Duration, what string, ok func() bool) {
	b.Helper()
	ctx := b.within(patience)
	for !ok() {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			b.Fatalf("waiting for %s", what)
		}
	}
}

// incoming waits for the next call at a phone that is answered.
func (b *bench) incoming(p *phone.Phone) *phone.Call {
	b.Helper()
	c, err := p.Accept(b.within(10 * time.Second))
	b.must(err)
	b.must(c.Answered(b.within(10 * time.Second)))
	return c
}

// TestTransfers moves real calls: blind, attended with both ends, and while it rings.
func TestTransfers(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		p := map[string]*phone.Phone{}
		for _, n := range []string{"801", "802", "803"} {
			p[n] = b.phone(n)
		}
		b.idle("801", "802", "803")
		b.refuses(404, "extensions/transfer", "No such channel", "dst", "803", "src", "802")

		// 801 talks to 802; 802's peer goes to 803.
		c := b.talk(p["801"], p["802"])
		at802 := b.incoming(p["802"])
		b.must(c.Heard(b.within(5*time.Second), 20))
		b.refuses(404, "extensions/transfer", "Extension does not exist.", "dst", "899", "src", "802")
		if c.State() != phone.Answered {
			t.Fatal("a refused transfer touched the call")
		}
		b.does("extensions/transfer", "tansfer extension success", "dst", " 803", "src", "802 ")
		at803 := b.incoming(p["803"])
		_, err := at802.Ended(b.within(5 * time.Second))
		b.must(err)
		b.must(c.Heard(b.within(5*time.Second), 20))
		b.must(at803.Hangup(b.ctx))
		_, err = c.Ended(b.within(5 * time.Second))
		b.must(err)

		// 801 rings 802, who does not answer: the caller goes to 803.
		p["802"].Behave(phone.Behaviour{Never: true})
		c = b.dial(p["801"], "802")
		b.must(c.Ringing(b.within(5 * time.Second)))
		b.eventually("802 to ring", func() bool { return b.stateOf("802") == "8" })
		b.does("extensions/transfer", "tansfer extension success", "dst", "803", "src", "802")
		at803 = b.incoming(p["803"])
		b.must(c.Heard(b.within(5*time.Second), 20))
		b.must(at803.Hangup(b.ctx))
		_, err = c.Ended(b.within(5 * time.Second))
		b.must(err)
	})
}

func (b *bench) stateOf(exten string) string {
	b.Helper()
	var rows []struct{ Extension, Status string }
	b.get("extensions/extension-hints-status", &rows)
	for _, r := range rows {
		if r.Extension == exten {
			return r.Status
		}
	}
	return ""
}

// TestAttendedTransfer consults, goes back, consults again and completes.
func TestAttendedTransfer(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		p := map[string]*phone.Phone{}
		for _, n := range []string{"801", "802", "803", "804"} {
			p[n] = b.phone(n)
		}
		out := b.trunk()
		b.idle("801", "802", "803", "804")
		c := b.talk(p["801"], p["802"])
		at802 := b.incoming(p["802"])
		b.must(c.Heard(b.within(5*time.Second), 20))
		b.refuses(409, "extensions/transfer", "the call is not in a state for this", "type", "complete", "src", "802")
		// Nobody is there to be asked: the call goes on as if nothing had been.
		unasked := func(message, dst string) {
			t.Helper()
			b.refuses(409, "extensions/transfer", message, "type", "attended", "dst", dst, "src", "802")
			b.refuses(409, "extensions/transfer", "the call is not in a state for this", "type", "complete", "src", "802")
			b.must(c.Heard(b.within(5*time.Second), 20))
			b.must(at802.Heard(b.within(5*time.Second), 20))
		}
		for range 5 { // by chance it would be one or the other
			p["804"].Behave(phone.Behaviour{Status: 486})
			unasked("dst is busy or cannot be reached", "804")
		}
		unasked("extension is not registered", "820")
		out.BehaveFor("02155551111", phone.Behaviour{Status: 486})
		unasked("dst is busy or cannot be reached", "02155551111")
		// It rings and is refused then: that is what the one who asks hears.
		p["804"].Behave(phone.Behaviour{RingFor: 500 * time.Millisecond, Status: 486})
		b.does("extensions/transfer", "tansfer extension success", "type", "attended", "dst", "804", "src", "802")
		b.eventually("802 to be back and ask once more", func() bool {
			code, _, err := b.d.Post(b.ctx, api+"extensions/transfer", "type", "attended", "dst", "803", "src", "802")
			b.must(err)
			return code == http.StatusOK
		})
		at803 := b.incoming(p["803"])
		b.must(at803.Heard(b.within(5*time.Second), 20))
		b.wait(200 * time.Millisecond) // for the store
		b.must(b.d.Kill())
		b.must(b.d.Run(b.within(30 * time.Second)))
		b.must(b.d.Ready(b.within(30 * time.Second)))
		b.does("extensions/transfer", "tansfer extension success", "type", "cancel", "src", "802")
		_, err := at803.Ended(b.within(5 * time.Second))
		b.must(err)
		b.must(c.Heard(b.within(5*time.Second), 20))

		b.does("extensions/transfer", "tansfer extension success", "type", "attended", "dst", "803", "src", "802")
		at803 = b.incoming(p["803"])
		b.must(at803.Heard(b.within(5*time.Second), 20))
		b.does("extensions/transfer", "tansfer extension success", "type", "complete", "src", "802")
		_, err = at802.Ended(b.within(5 * time.Second))
		b.must(err)
		b.must(at803.Heard(b.within(5*time.Second), 20))
		b.must(c.Heard(b.within(5*time.Second), 20))
		b.must(c.Hangup(b.ctx))
		_, err = at803.Ended(b.within(5 * time.Second))
		b.must(err)
	})
}

// silent registers a phone that sends no tone.
func (b *bench) silent(number string) *phone.Phone {
	b.Helper()
	p, err := phone.New(b.ctx, phone.Config{Server: b.lab.SIPAddress, BindIP: b.lab.IP, User: number, Password: lab.Secret(number), Name: "Phone " + number})
	b.must(err)
	b.must(p.Register(b.ctx))
	return b.kept(p, nil)
}

// hears reports whether sound comes to a phone while some packets do.
func (b *bench) hears(c *phone.Call) bool {
	b.Helper()
	before := c.Stats().SoundIn
	b.must(c.Received(b.within(5*time.Second), 15))
	return c.Stats().SoundIn > before+7
}

// TestSpy listens to a call, changes how, and stops.
func TestSpy(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		p := map[string]*phone.Phone{"801": b.silent("801"), "802": b.silent("802"), "803": b.phone("803")}
		b.idle("801", "802", "803")
		b.refuses(404, "extensions/extenSpy", "No such channel", "dst", "802", "src", "803")
		c := b.talk(p["801"], p["802"])
		at802 := b.incoming(p["802"])
		b.must(c.Received(b.within(5*time.Second), 20))
		b.does("extensions/extenSpy", "spy extension success", "dst", "802", "src", "803")
		spy := b.incoming(p["803"])
		if got := spy.Info().Remote.Name; got != "Spy-802" {
			t.Errorf("the listener's phone shows %q", got)
		}
		b.must(spy.Received(b.within(5*time.Second), 20))
		for _, m := range []struct {
			mode      string
			one, both bool // who hears the listener, whose phone alone sends a tone: 802, and 801 too
		}{{"listen", false, false}, {"whisper", true, false}, {"barge", true, true}, {"listen", false, false}} {
			b.does("extensions/extenSpy", "spy extension success", "dst", "802", "src", "803", "mode", m.mode)
			b.eventually(m.mode+" to have its effect", func() bool { return b.hears(at802) == m.one && b.hears(c) == m.both })
		}
		b.refuses(400, "extensions/extenSpy", "mode: not listen, whisper or barge", "dst", "802", "src", "803", "mode", "shout")
		b.does("extensions/extenSpy", "spy extension success", "dst", "802", "src", "803", "mode", "off")
		_, err := spy.Ended(b.within(5 * time.Second))
		b.must(err)
		if c.State() != phone.Answered {
			t.Error("the call listened to has ended")
		}
		b.must(c.Hangup(b.ctx))
	})
}

// TestSpyOnAnAgent listens to calls that a queue has brought: to a member that is a phone, and to one behind a Local channel.
func TestSpyOnAnAgent(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{Extra: "[calls]\nqueue_member = Local/{exten}@from-internal/n\n"})
		b.phone("801")
		b.phone("803")
		b.phone("805")
		out := b.trunk()
		b.idle("801", "803", "805")
		b.does("queues/agent-login", "login extension success", "extension", "805", "queue", "631")
		b.cli("dialplan add extension 02188880031,1,Queue,631 into from-trunk")
		for number, agent := range map[string]string{"02188880003": "803", "02188880031": "805"} {
			c, err := out.DialWith(b.ctx, number, phone.DialOptions{Number: "02155554444"})
			b.must(err)
			b.eventually(agent+" to talk", func() bool { return b.stateOf(agent) == "1" })
			b.must(c.Heard(b.within(5*time.Second), 20))
			b.does("extensions/extenSpy", "spy extension success", "dst", agent, "src", "801")
			b.eventually("801 to listen, and to whisper", func() bool { // 409 before it has answered
				code, _, err := b.d.Post(b.ctx, api+"extensions/extenSpy", "dst", agent, "src", "801", "mode", "whisper")
				b.must(err)
				return code == http.StatusOK
			})
			b.does("extensions/extenSpy", "spy extension success", "dst", agent, "src", "801", "mode", "off")
			b.eventually("801 to be free", func() bool { return b.stateOf("801") == "0" })
			if c.State() != phone.Answered {
				t.Error("the call listened to has ended")
			}
			b.must(c.Hangup(b.ctx))
			b.eventually(agent+" to be free", func() bool { return b.stateOf(agent) == "0" })
		}
	})
}

// TestClickToDialInFull tries what else an order may say, and orders that fail.
func TestClickToDialInFull(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		p := map[string]*phone.Phone{}
		for _, n := range []string{"801", "802", "803"} {
			p[n] = b.phone(n)
		}
		out := b.trunk()
		b.idle("801", "802", "803")
		order := func(nameValue ...string) string {
			t.Helper()
			var reply struct{ Data struct{ UniqueID string } }
			b.must(json.Unmarshal([]byte(b.does("extensions/click-number", "Originate successfully queued", nameValue...)), &reply))
			return reply.Data.UniqueID
		}
		ended := func(id string) (list []string) {
			_, events := b.callEvents(1, func(e bridge.Event) bool { return e.Call() == id })
			for _, e := range events {
				list = append(list, short(e))
			}
			return list
		}
		has := func(list []string, want ...string) {
			t.Helper()
			for _, w := range want {
				if !slices.Contains(list, w) {
					t.Errorf("no %q in %q", w, list)
				}
			}
		}
		b.refuses(409, "extensions/click-number", "extension is not registered", "src", "820", "dst", "802")
		b.refuses(404, "extensions/click-number", "Extension does not exist.", "src", "899", "dst", "802")
		b.refuses(404, "extensions/click-number", "Extension does not exist.", "src", "801", "dst", "999")
		b.refuses(400, "extensions/click-number", "dst: number may not be dialled", "src", "801", "dst", "80 2")

		// Another number is shown, and is the caller of the records.
		p["801"].Behave(phone.Behaviour{})
		p["802"].Behave(phone.Behaviour{HangupAfter: 300 * time.Millisecond})
		shown := order("src", "801", "dst", "802", "callerid", "02188880001")
		if got := b.incoming(p["802"]).Info().Remote.Number; got != "02188880001" {
			t.Errorf("the called phone shows %q", got)
		}
		has(ended(shown), "cdr 02188880001>802 ANSWERED ")
		// The limit ends the conversation.
		p["801"].Behave(phone.Behaviour{})
		p["802"].Behave(phone.Behaviour{})
		began := time.Now()
		id := order("src", "801", "dst", "802", "limitSec", "2")
		has(ended(id), "hangup 801 802", "cdr 801>802 ANSWERED ")
		if took := time.Since(began); took < 1500*time.Millisecond {
			t.Errorf("the limit of 2 s ended the call after %v", took)
		}
		// The caller's own phone is busy.
		p["803"].Behave(phone.Behaviour{Status: 486})
		has(ended(order("src", "803", "dst", "802")), "dialend  >803 SIP/803 busy", "cdr 803>802 BUSY ")
		// The called one is busy.
		p["802"].Behave(phone.Behaviour{Status: 486})
		has(ended(order("src", "801", "dst", "802")), "dialend SIP/801 801>802 SIP/802 busy", "cdr 801>802 BUSY ")
		// It rings only so long.
		p["803"].Behave(phone.Behaviour{Never: true})
		has(ended(order("src", "803", "dst", "802", "timeout", "1")), "cdr 803>802 NO ANSWER ")
		// An outside number first.
		out.BehaveFor("02155551111", phone.Behaviour{})
		p["802"].Behave(phone.Behaviour{HangupAfter: 500 * time.Millisecond})
		list := ended(order("src", "02155551111", "dst", "802"))
		has(list, "dialbegin  >02155551111 SIP/trunk by SIP/02155551111@trunk")
		has(list, "dialbegin SIP/trunk 02155551111>802 SIP/802 by SIP/802")
		if n := len(slices.DeleteFunc(slices.Clone(list), func(e string) bool { return !strings.HasPrefix(e, "hangup ") })); n != 1 {
			t.Errorf("%d hangups in %q", n, list)
		}
		p["802"].Behave(phone.Behaviour{})
		ended(order("src", "02155551111", "dst", "802", "limitSec", "1")) // or it never ends
		b.refuses(404, "extensions/click-number", "Extension does not exist.", "src", "7654321", "dst", "802")
	})
}

// TestBlacklist shuts a caller out and lets him in again.
func TestBlacklist(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		b.phone("801")
		out := b.trunk()
		b.idle("801")
		const caller = "02155557777"
		call := func() *phone.Call {
			t.Helper()
			c, err := out.DialWith(b.ctx, "02188880001", phone.DialOptions{Number: caller})
			b.must(err)
			return c
		}
		index := func() (numbers []string) {
			t.Helper()
			code, body, err := b.d.Get(b.ctx, api+"blacklist/index")
			b.must(err)
			var reply struct {
				Status string
				Data   []string
			}
			if b.must(json.Unmarshal([]byte(body), &reply)); code != http.StatusOK || strings.Contains(body, "message") {
				t.Fatalf("index: %d %s", code, body)
			}
			return reply.Data
		}
		if got := index(); len(got) != 0 {
			t.Errorf("empty list: %v", got)
		}
		b.does("blacklist/create", "Updated database successfully", "number", caller)
		b.does("blacklist/create", "Updated database successfully", "number", caller)
		if out := b.cli("database show blacklist"); !strings.Contains(out, caller) {
			t.Errorf("AstDB does not have it:\n%s", out)
		}
		if got := index(); !slices.Equal(got, []string{caller}) {
			t.Errorf("list: %v", got)
		}
		c := call()
		if err := c.Answered(b.within(5 * time.Second)); err == nil {
			t.Error("a listed caller got through")
		}
		b.refuses(404, "blacklist/delete", "Database entry could not be deleted", "number", "123456")
		b.refuses(400, "blacklist/create", "number is missing")
		b.does("blacklist/delete", "Key deleted successfully", "number", caller)
		if out := b.cli("database show blacklist"); strings.Contains(out, caller) {
			t.Errorf("AstDB still has it:\n%s", out)
		}
		c = call()
		b.must(c.Answered(b.within(5 * time.Second)))
		b.must(c.Hangup(b.ctx))
	})
}

// TestMenus lets callers choose in a menu, choose wrongly, wait and go away.
func TestMenus(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{Extra: "[ivr]\nivr-610 = 610, working time\n"})
		for _, n := range []string{"801", "803", "804"} {
			b.phone(n)
		}
		out := b.trunk()
		b.idle("801", "803", "804")
		for i, tc := range []struct{ keys, queue string }{{"1", "630"}, {"3", ""}, {"", ""}, {"9", "630"}, {"wait", "630"}} {
			number := "0215555000" + string(rune('0'+i))
			c, err := out.DialWith(b.ctx, "02188880002", phone.DialOptions{Number: number})
			b.must(err)
			b.must(c.Answered(b.within(5 * time.Second)))
			b.must(c.Received(b.within(5*time.Second), 10))
			keys := strings.TrimSuffix(tc.keys, "wait")
			if keys != "" {
				b.must(c.SendDTMF(b.ctx, keys, phone.RFC2833))
			}
			if tc.keys == "" {
				b.must(c.Hangup(b.ctx))
			}
			var got bridge.Event
			_, err = b.rec.Until(b.within(20*time.Second), "the menu of "+number, func(all []bridge.Event) bool {
				i := slices.IndexFunc(all, func(e bridge.Event) bool { return e.Kind == "ivr" && e.Fields["caller"] == number })
				if i >= 0 {
					got = all[i]
				}
				return i >= 0
			})
			b.must(err)
			f := got.Fields
			if f["ivrId"] != "610" || f["ivrName"] != "working time" || f["ivrDtmf"] != keys || f["queueCode"] != tc.queue || f["trunkNumber"] != "02188880002" || f["callType"] != "IN" {
				t.Errorf("keys %q: %s", tc.keys, got.Body)
			}
			if tc.keys == "wait" && f["duration"] < "4" {
				t.Errorf("waited in vain: %s", got.Body)
			}
			if tc.keys != "" {
				b.must(c.Hangup(b.ctx))
			}
			b.ended(f["uuid"])
		}
		if n := count(kindsOf(b.rec.Events()), "ivr"); n != 5 {
			t.Errorf("%d events for 5 stays", n)
		}
	})
}

func kindsOf(events []bridge.Event) (list []string) {
	for _, e := range events {
		list = append(list, e.Kind)
	}
	return list
}
