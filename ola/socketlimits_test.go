package ola

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestSocketsEndWithTheDaemon holds that clients are told when the daemon stops.
func TestSocketsEndWithTheDaemon(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	c := r.connect(r.serve()).as("808")
	ended := make(chan error, 1)
	go func() {
		_, _, err := c.conn.Read(context.Background())
		ended <- err
	}()
	r.close()
	if err := <-ended; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("ended with %v", err)
	}
	if n := r.api.sockets.Count(); n != 0 {
		t.Errorf("%d sockets are left", n)
	}
}

// TestLoginsFailTogether holds that wrong passwords on sockets count with those of requests, and block the address, right password or not.
func TestLoginsFailTogether(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{limit: 3}).complete()
	c := r.connect(r.serve())
	for range 3 {
		c.wants(401, "auth failed!", `{"cmd":"auth","args":{"username":"808","password":"wrong"}}`)
	}
	args, err := json.Marshal(map[string]string{"username": "808", "password": secretOf("808")})
	r.must(err)
	c.wants(429, "too many failed attempts, try again later", `{"cmd":"auth","args":`+string(args)+`}`)
	c.wants(401, "Authorization Required!", `{"cmd":"go_ready"}`)
}

// TestTooManyCommands holds that a client which does not wait for its answers is refused more, and that order is kept.
func TestTooManyCommands(t *testing.T) {
	f := newAsterisk(t)
	hold := make(chan struct{})
	r := newRig(t, f, rigOptions{}).complete()
	c := r.connect(r.serve()).as("808")
	f.Handle("QueuePause", func(s *amitest.Session, a ami.Action) {
		<-hold
		s.Respond(a, "Success", "Message", "Interface paused successfully")
	})
	c.write(`{"cmd":"go_break"}`)
	for range maxCommands + 10 {
		c.write(`{"cmd":"ping"}`)
	}
	refused := 0
	code, _, _ := c.reply()
	for ; code == 429; code, _, _ = c.reply() {
		if refused++; refused == 9 {
			close(hold)
		}
	}
	if code != 200 || refused < 9 {
		t.Errorf("%d refused, then %d", refused, code)
	}
}

// TestSilentClients holds that a client which does not answer pings is given up, and one on which nobody logs in.
func TestSilentClients(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{patience: &patience{
		unsent: 10, bytes: 1 << 20, early: 1 << 16, strangers: 10, write: time.Second, ping: 100 * time.Millisecond, pong: 300 * time.Millisecond, login: 500 * time.Millisecond,
	}}).complete()
	url := r.serve()
	ended := func(c *client) error {
		for {
			if _, _, err := c.conn.Read(t.Context()); err != nil {
				return err
			}
		}
	}
	if err := ended(r.connect(url)); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("nobody logged in: %v", err)
	}
	c := r.connect(url).as("808")
	done := make(chan struct{})
	go func() { // who reads answers pings
		defer close(done)
		_ = ended(c)
	}()
	silent := r.connect(url).as("809")
	r.until("the silent client to be cut off", func() bool { return r.api.sockets.Count() == 1 })
	if err := ended(silent); err == nil {
		t.Error("the silent client is still connected")
	}
	r.must(c.conn.CloseNow())
	<-done
}

// TestStrangers holds that those who do not log in cost little and lock nobody out: the oldest makes room, one who does not read is cut
// off soon, and a long frame is for those who have logged in.
func TestStrangers(t *testing.T) {
	few := usual
	few.strangers, few.early = 2, 4<<10
	r := newRig(t, newAsterisk(t), rigOptions{patience: &few}).complete()
	url := r.serve()
	agent := r.connect(url).as("808")
	oldest, second := r.connect(url), r.connect(url)
	second.wants(200, "pong", `{"cmd":"ping"}`)
	third := r.connect(url)
	third.wants(200, "pong", `{"cmd":"ping"}`)
	if _, _, err := oldest.conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusTryAgainLater {
		t.Errorf("the oldest ended with %v", err)
	}
	third.write(`{"cmd":"ping","x":"` + strings.Repeat("x", maxLogin) + `"}`)
	if _, _, err := third.conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("a long frame ended with %v", err)
	}
	agent.wants(200, "pong", `{"cmd":"ping","x":"`+strings.Repeat("x", maxFrame/2)+`"}`)
	flood := `{"cmd":"x","uuid":"` + strings.Repeat("u", 200) + `"}`
	for range 1_000_000 { // answers nobody reads
		if second.conn.Write(t.Context(), websocket.MessageText, []byte(flood)) != nil {
			break
		}
	}
	r.until("only the agent to be left", func() bool { return r.api.sockets.Count() == 1 })
}

// TestSlowClient holds that a client which does not read is cut off, and that one beside it is told everything, in order.
func TestSlowClient(t *testing.T) {
	f := newAsterisk(t)
	few := usual
	few.unsent = 2000
	r := newRig(t, f, rigOptions{patience: &few}).complete()
	url := r.serve()
	good, slow := r.connect(url).as("808"), r.connect(url).as("808")
	for _, c := range []*client{good, slow} {
		c.wants(200, "ok", `{"cmd":"subscribe","args":{"key":"ola.agent.808"}}`)
	}
	good.does("808 > ready")
	for range 60 { // more than the buffers between the two take
		const turns = 500
		var text strings.Builder
		for i := range turns {
			text.WriteString("Event: QueueMemberPause\r\nQueue: 630\r\nInterface: PJSIP/808\r\nMemberName: PJSIP/808\r\nMembership: static\r\nPaused: " +
				strconv.Itoa(1-i%2) + "\r\n\r\n")
		}
		f.Send(text.String())
		for i := range turns {
			if got, want := wordOf(good.event()), []string{"808 ready > unready", "808 unready > ready"}[i%2]; got != want {
				t.Fatalf("event %d is %q, want %q", i, got, want)
			}
		}
	}
	r.until("the slow client to be cut off", func() bool { return r.api.sockets.Count() == 1 })
	if !strings.Contains(r.log.String(), "socket fell behind and is cut off") {
		t.Errorf("the log does not tell:\n%s", r.log)
	}
}

func TestRouteKeys(t *testing.T) {
	for _, tc := range []struct {
		key, words string
		want       bool
	}{
		{"ola.agent.808", "ola.agent.808", true}, {"ola.agent.808", "ola.agent.809", false}, {"ola.agent.*", "ola.agent.808", true},
		{"ola.*.808", "ola.caller.808", true}, {"#", "ola.agent.808", true}, {"ola.#", "ola.queue.10010.808", true}, {"*", "ola.agent.808", false},
		{"ola.queue.*.808", "ola.queue.10010.808", true}, {"ola.queue.#.808", "ola.queue.808", true}, {"ola.agent", "ola.agent.808", false},
		{"ola.agent.808.#", "ola.agent.808", true}, {"#.808", "ola.agent.808", true},
	} {
		k, err := parseKey(tc.key)
		if err != nil || k.matches(strings.Split(tc.words, ".")...) != tc.want {
			t.Errorf("%s and %s: %v, %v", tc.key, tc.words, !tc.want, err)
		}
	}
}

// FuzzFrame holds that whatever a client sends is read or refused, and that the answer is JSON which echoes what was sound of it.
func FuzzFrame(f *testing.F) {
	for _, seed := range []string{
		`{"cmd":"auth","args":{"username":"808","password":"x"},"uuid":"1"}`, `{"cmd":"login","args":{"queue":["630",10010,null]},"uuid":7}`, `[]`, ``,
		`{"cmd":"\ud800","uuid":"\u0000"}`, `{"cmd":"x","uuid":1e999}`, `{"args":null,"cmd":true}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseFrame(text)
		if err == nil {
			for name := range c.args {
				if v, err := c.value(name); err == nil && strings.ContainsFunc(v, isControl) {
					t.Errorf("%s is %q", name, v)
				}
				_, _ = c.list(name)
			}
		}
		var reply commandReply
		if wrong := json.Unmarshal(c.answer("ok", err), &reply); wrong != nil || reply.Code == 0 || reply.EventName == "" {
			t.Errorf("%s: %v", c.answer("ok", err), wrong)
		}
	})
}
