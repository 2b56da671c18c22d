package ola

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// client is one socket of a test.
type client struct {
	r    *rig
	conn *websocket.Conn
	seen []map[string]any // events that came while an answer was awaited
}

// serve puts the rig behind a real listener.
func (r *rig) serve() (url string) {
	s := httptest.NewServer(r.web)
	r.t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http") + pathSocket
}

func (r *rig) connect(url string) *client {
	r.t.Helper()
	conn, _, err := websocket.Dial(r.t.Context(), url, nil) //nolint:bodyclose // the socket is what there is to close
	r.must(err)
	conn.SetReadLimit(1 << 20)
	r.t.Cleanup(func() { _ = conn.CloseNow() })
	return &client{r: r, conn: conn}
}

func (c *client) write(text string) {
	c.r.t.Helper()
	c.r.must(c.conn.Write(c.r.t.Context(), websocket.MessageText, []byte(text)))
}

// read returns the next frame.
func (c *client) read() map[string]any {
	c.r.t.Helper()
	ctx, cancel := context.WithTimeout(c.r.t.Context(), 20*time.Second)
	defer cancel()
	_, text, err := c.conn.Read(ctx)
	if err != nil {
		c.r.t.Fatalf("%v\n%s", err, c.r.log)
	}
	var m map[string]any
	decode(c.r.t, text, &m)
	return m
}

// reply reads up to the next answer.
func (c *client) reply() (code int, result, cmd string) {
	c.r.t.Helper()
	for {
		m := c.read()
		if m["event_type"] != "command/reply" {
			c.seen = append(c.seen, m)
			continue
		}
		if m["event_name"] != "command/reply" {
			c.r.t.Errorf("event_name of %v", m)
		}
		number, _ := m["code"].(float64)
		result, _ = m["result"].(string)
		cmd, _ = m["cmd"].(string)
		return int(number), result, cmd
	}
}

// wants sends a frame and compares the answer.
func (c *client) wants(code int, result, frame string) {
	c.r.t.Helper()
	c.write(frame)
	if gotCode, got, _ := c.reply(); gotCode != code || got != result {
		c.r.t.Errorf("%.300s: %d %s, want %d %s", frame, gotCode, got, code, result)
	}
}

func (c *client) as(exten string) *client {
	c.r.t.Helper()
	args, err := json.Marshal(map[string]string{"username": exten, "password": secretOf(exten), "accept": "application/json"})
	c.r.must(err)
	c.wants(200, "ok", `{"cmd":"auth","args":`+string(args)+`,"uuid":"1"}`)
	return c
}

// event returns the next event, one that has been read already first.
func (c *client) event() map[string]any {
	c.r.t.Helper()
	if len(c.seen) > 0 {
		m := c.seen[0]
		c.seen = c.seen[1:]
		return m
	}
	return c.read()
}

// does reads as many events as there are words, and compares what the agent does in each.
func (c *client) does(want ...string) {
	c.r.t.Helper()
	var got []string
	for range want {
		got = append(got, wordOf(c.event()))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		c.r.t.Errorf("(-want +got):\n%s", diff)
	}
}

// wordOf is all that matters of an event in one line.
func wordOf(m map[string]any) string {
	text := func(key string) string { s, _ := m[key].(string); return s }
	if text("event_type") == "agent_caller_state" {
		caller, _ := m["caller"].(map[string]any)
		number, _ := caller["cid_number"].(string)
		return "caller " + text("action") + " " + number
	}
	return strings.Join(strings.Fields(text("agent_extn")+" "+text("old_state")+" > "+text("state")+" "+text("private_data")+" "+text("call_type")+" "+text("other_dn")), " ")
}

// sentBySockets lists what sockets have caused at Asterisk.
func (r *rig) sentBySockets() (list []string) {
	for _, a := range r.fake.Received("") {
		if slices.Contains([]string{"Originate", "Hangup", "Redirect", "QueueAdd", "QueueRemove", "QueuePause", "BlindTransfer", "Atxfer", "Setvar"}, a.Name) {
			list = append(list, amitest.Text(a))
		}
	}
	return list
}

// TestFrames holds the answer to every bad frame, and that none of them does anything.
func TestFrames(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{limit: 1000}).complete()
	url := r.serve()
	stranger := r.connect(url)
	for _, tc := range []struct {
		code          int
		result, frame string
	}{
		{400, "the frame is not a JSON object", `hello`},
		{400, "the frame is not a JSON object", ``},
		{400, "the frame is not a JSON object", `[]`},
		{400, "the frame is not a JSON object", `{"cmd":"ping"`},
		{400, "the frame is not UTF-8", "{\"cmd\":\"\xff\xfe\"}"},
		{400, "cmd: not a short string", `{"cmd":{}}`},
		{400, "cmd: not a short string", `{"cmd":["auth"]}`},
		{400, "cmd: not a short string", `{"cmd":"` + strings.Repeat("x", 300) + `"}`},
		{400, "missing parameter: cmd", `{}`},
		{400, "missing parameter: cmd", `{"cmd":null}`},
		{400, "uuid: not a short string", `{"cmd":"ping","uuid":{}}`},
		{400, "uuid: not a short string", `{"cmd":"ping","uuid":"` + strings.Repeat("x", 300) + `"}`},
		{400, "args: not a JSON object", `{"cmd":"ping","args":"x"}`},
		{400, "args: not a JSON object", `{"cmd":"ping","args":[1]}`},
		{200, "pong", `{"cmd":"ping"}`},
		{200, "pong", `{"cmd":"ping","args":{},"uuid":7}`},
		{401, "Authorization Required!", `{"cmd":"auth"}`},
		{401, "Authorization Required!", `{"cmd":"auth","args":{"username":"808"}}`},
		{401, "Authorization Required!", `{"cmd":"auth","args":{"username":"808","password":""}}`},
		{400, "password: not a string, a number or a truth value", `{"cmd":"auth","args":{"username":"808","password":["x"]}}`},
		{400, "username: not a string, a number or a truth value", `{"cmd":"auth","args":{"username":{},"password":"x"}}`},
		{400, "username holds a control character", `{"cmd":"auth","args":{"username":"808\r\nAction: Originate","password":"x"}}`},
		{401, "auth failed!", `{"cmd":"auth","args":{"username":"808","password":"wrong"}}`},
		{401, "auth failed!", `{"cmd":"auth","args":{"username":"899","password":"wrong"}}`},
		{401, "auth failed!", `{"cmd":"auth","args":{"username":"admin","password":"wrong"}}`},
		{401, "Authorization Required!", `{"cmd":"go_ready","args":{}}`},
		{401, "Authorization Required!", `{"cmd":"subscribe","args":{"key":"#"}}`},
		{401, "Authorization Required!", `{"cmd":"nonsense","args":{}}`},
	} {
		stranger.wants(tc.code, tc.result, tc.frame)
	}
	agent := r.connect(url).as("808")
	for _, tc := range []struct {
		code          int
		result, frame string
	}{
		{400, "cmd: not a command", `{"cmd":"nonsense"}`},
		{501, "not implemented", `{"cmd":"broadcast"}`},
		{403, "not your extension", `{"cmd":"go_ready","args":{"extn":"809"}}`},
		{403, "not your extension", `{"cmd":"get_agent_state","args":{"extn":"809"}}`},
		{403, "not your extension", `{"cmd":"subscribe","args":{"key":"ola.agent.809"}}`},
		{403, "not your extension", `{"cmd":"subscribe","args":{"key":"ola.agent.*"}}`},
		{403, "not your extension", `{"cmd":"subscribe","args":{"key":"#"}}`},
		{403, "not your extension", `{"cmd":"subscribe","args":{"key":"ola.queue.#.808"}}`},
		{403, "not your extension", `{"cmd":"subscribe","args":{"key":"#.808"}}`},
		{400, "key: not a routing key", `{"cmd":"subscribe","args":{"key":"ola..808"}}`},
		{400, "key: not a routing key", `{"cmd":"subscribe","args":{"key":"#.#.#.#.#.#.#.#.#"}}`},
		{400, "missing parameter: key", `{"cmd":"subscribe"}`},
		{404, "not subscribed", `{"cmd":"unsubscribe","args":{"key":"ola.agent.808"}}`},
		{400, "extn: not a string, a number or a truth value", `{"cmd":"go_ready","args":{"extn":["808"]}}`},
		{400, "missing parameter: queue", `{"cmd":"login"}`},
		{400, "missing parameter: queue", `{"cmd":"login","args":{"queue":[]}}`},
		{400, "queue: not a string, a number or a truth value", `{"cmd":"login","args":{"queue":[["630"]]}}`},
		{400, "queue holds a control character", `{"cmd":"login","args":{"queue":["630\nAction: Originate"]}}`},
		{400, "type: onhook is the only one", `{"cmd":"login","args":{"queue":"630","type":"offhook"}}`},
		{404, "queue not found", `{"cmd":"login","args":{"queue":["10010","nope"]}}`},
		{400, "reason: acw is kept for the switch", `{"cmd":"go_break","args":{"reason":"acw"}}`},
		{400, "reason: longer than 79 bytes", `{"cmd":"go_break","args":{"reason":"` + strings.Repeat("休", 26) + `xx"}}`},
		{400, "reason holds a control character", `{"cmd":"go_break","args":{"reason":"a\u0000b"}}`},
		{400, "missing parameter: dest", `{"cmd":"dial"}`},
		{400, "dest: number may not be dialled", `{"cmd":"dial","args":{"dest":"80 1"}}`},
		{400, "otherStr: longer than 400 bytes", `{"cmd":"dial","args":{"dest":"812","otherStr":"` + strings.Repeat("x", 401) + `"}}`},
		{404, "no call", `{"cmd":"hold"}`},
		{404, "no call", `{"cmd":"unhold","args":{"extn":808}}`},
		{404, "no call", `{"cmd":"transfer","args":{"dest":"812"}}`},
		{404, "no call", `{"cmd":"unconsult"}`},
		{404, "no call", `{"cmd":"complete"}`},
		{400, "consult_id: not a string, a number or a truth value", `{"cmd":"complete","args":{"consult_id":["1"]}}`},
		{404, "no call", `{"cmd":"collect_dtmf","args":{"soundfile":"welcome"}}`},
		{400, "soundfile: not the name of a sound below Asterisk's own folders", `{"cmd":"collect_dtmf","args":{"soundfile":"/etc/passwd"}}`},
		{400, "soundfile: not the name of a sound below Asterisk's own folders", `{"cmd":"collect_dtmf","args":{"soundfile":"custom/../../x"}}`},
		{400, "soundfile: not the name of a sound below Asterisk's own folders", `{"cmd":"collect_dtmf","args":{"soundfile":"a&b"}}`},
		{400, "missing parameter: soundfile", `{"cmd":"collect_dtmf"}`},
		{403, "only a user may do this", `{"cmd":"monitor","args":{"extn":"808","dest":"810"}}`},
		{403, "only a user may do this", `{"cmd":"intercept","args":{"extn":"808","dest":"810"}}`},
		{403, "only a user may do this", `{"cmd":"whisper","args":{"extn":"808","dest":"810"}}`},
		{403, "not your extension", `{"cmd":"monitor","args":{"extn":"810","dest":"808","three_way":"true"}}`},
		{404, "no call", `{"cmd":"monitor","args":{"extn":"808","dest":"812","three_way":"true"}}`},
		{404, "no such caller in your queues", `{"cmd":"take_call","args":{"channel_uuid":"33333131"}}`}, // waits in 10010
		{400, "missing parameter: channel_uuid", `{"cmd":"take_call"}`},
		{400, "missing parameter: channel_uuid or extn", `{"cmd":"kill"}`},
		{404, "no call", `{"cmd":"kill","args":{"channel_uuid":"1795286308.2"}}`},
		{403, "not your extension", `{"cmd":"kill","args":{"extn":"810"}}`},
		{403, "not your extension", `{"cmd":"kill","args":{"cause":"810"}}`},
	} {
		agent.wants(tc.code, tc.result, tc.frame)
	}
	user := r.connect(url)
	user.wants(200, "ok", `{"cmd":"auth","args":{"username":"admin","password":"`+adminPassword+`"}}`)
	for _, tc := range []struct {
		code          int
		result, frame string
	}{
		{400, "missing parameter: extn", `{"cmd":"go_ready"}`},
		{404, "agent not login", `{"cmd":"go_ready","args":{"extn":"812"}}`},
		{404, "not found", `{"cmd":"get_agent_state","args":{"extn":"899"}}`},
		{400, "extn: not an extension number", `{"cmd":"go_ready","args":{"extn":"12345"}}`},
		{404, "agent not login", `{"cmd":"hold","args":{"extn":"812"}}`},
		{409, "agent is busy", `{"cmd":"take_call","args":{"extn":"810","uuid":"33333131"}}`},
		{404, "not found", `{"cmd":"take_call","args":{"extn":"808","uuid":"99"}}`},
		{400, "channel_uuid: not a channel's id", `{"cmd":"take_call","args":{"extn":"808","uuid":"/.*/"}}`},
		{409, "extension is not registered", `{"cmd":"intercept","args":{"extn":"811","dest":"810"}}`},
		{404, "no call", `{"cmd":"intercept","args":{"extn":"808","dest":"809"}}`},
		{404, "no call", `{"cmd":"monitor","args":{"extn":"808","dest":"809"}}`},
		{404, "no call", `{"cmd":"unmonitor","args":{"extn":"808"}}`},
		{400, "channel: not a channel's id", `{"cmd":"kill","args":{"channel_uuid":"/.*/"}}`},
	} {
		user.wants(tc.code, tc.result, tc.frame)
	}
	if sent := r.sentBySockets(); len(sent) != 0 {
		t.Errorf("sent to Asterisk:\n%s", strings.Join(sent, ""))
	}
	stranger.wants(401, "Authorization Required!", `{"cmd":"go_ready"}`) // it has been kept open all the while
	for _, secret := range []string{secretOf("808")[3:40], adminPassword} {
		if strings.Contains(r.log.String(), secret) {
			t.Error("a password is in the log")
		}
	}
}

// TestFrameTooBig holds that a frame over the limit ends its socket alone, and says why.
func TestFrameTooBig(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	url := r.serve()
	other, c := r.connect(url), r.connect(url)
	frame := `{"cmd":"ping","x":"` + strings.Repeat("x", maxFrame) + `"}`
	go func() { _ = c.conn.Write(t.Context(), websocket.MessageText, []byte(frame)) }() // it may be cut off before its end
	_, _, err := c.conn.Read(t.Context())
	if websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("ended with %v", err)
	}
	other.wants(200, "pong", `{"cmd":"ping"}`)
}

// TestAgentOnASocket goes through a day of an agent, on two sockets at once: both are told the same.
func TestAgentOnASocket(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	url := r.serve()
	a, b := r.connect(url).as("812"), r.connect(url).as("812")
	for _, c := range []*client{a, b} {
		c.wants(200, "ok", `{"cmd":"subscribe","args":{"key":"ola.agent.812"}}`)
		c.does("812 > logout")
	}
	a.wants(200, "ok", `{"action":"api","cmd":"login","args":{"queue":["10010"],"extn":"812","type":"onhook"},"uuid":"x"}`)
	a.wants(200, "ok", `{"cmd":"login","args":{"queues":"10010"}}`) // once more changes nothing
	a.wants(200, "ok", `{"cmd":"go_ready"}`)
	a.wants(200, "ok", `{"cmd":"go_break","args":{"reason":"lunch"}}`)
	a.wants(200, "ok", `{"cmd":"toggle_ready"}`)
	a.wants(200, "ok", `{"cmd":"logout"}`)
	a.wants(404, "agent not login", `{"cmd":"logout"}`)
	for _, c := range []*client{a, b} {
		c.does("812 logout > login", "812 login > ready", "812 ready > unready", "812 unready > ready", "812 ready > logout")
	}
	a.wants(200, "ok", `{"cmd":"get_agent_state"}`)
	a.does("812 ready > logout")
	b.wants(200, "ok", `{"cmd":"unsubscribe","args":{"key":"ola.agent.812"}}`)
	a.wants(200, "ok", `{"cmd":"login","args":{"queue":"10010"}}`)
	a.does("812 logout > login")
	b.wants(200, "pong", `{"cmd":"ping"}`)
	if len(b.seen) != 0 {
		t.Errorf("told after the end of the subscription: %v", b.seen)
	}
}

// TestWatching holds what a user sees of all agents and of those who wait, and what an agent sees of his queues.
func TestWatching(t *testing.T) {
	f := newAsterisk(t)
	r := newRig(t, f, rigOptions{}).complete()
	url := r.serve()
	user := r.connect(url)
	user.wants(200, "ok", `{"cmd":"auth","args":{"username":"admin","password":"`+adminPassword+`"}}`)
	user.wants(200, "ok", `{"cmd":"subscribe","args":{"key":"ola.agent.*"}}`)
	var got []string
	for range 3 {
		got = append(got, wordOf(user.event()))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"808 > ready", "809 > unready", "810 > busy answer inbound 13812345678"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	agent := r.connect(url).as("809") // of 630 and 10010
	agent.wants(200, "ok", `{"cmd":"subscribe","args":{"key":"ola.caller.809"}}`)
	agent.does("caller in 13012345678")
	f.Send("Event: QueueCallerJoin\r\nQueue: 630\r\nUniqueid: 5.1\r\nCallerIDNum: 13000000001\r\n\r\n" +
		"Event: QueueCallerJoin\r\nQueue: sales\r\nUniqueid: 5.2\r\nCallerIDNum: 13000000002\r\n\r\n" +
		"Event: QueueCallerLeave\r\nQueue: 630\r\nUniqueid: 5.1\r\nCallerIDNum: 13000000001\r\n\r\n")
	agent.does("caller in 13000000001", "caller out 13000000001")
	agent.wants(200, "ok", `{"cmd":"subscribe","args":{"key":"ola.queue.10010.809"}}`)
	m := agent.event()
	if wordOf(m) != "809 > unready" || m["calls_queued"] != 1.0 {
		t.Errorf("agent of a queue: %v", m)
	}
	user.wants(200, "ok", `{"cmd":"go_ready","args":{"extn":"809"}}`)
	user.does("809 unready > ready")
	agent.does("809 unready > ready")

	late := r.connect(url).as("812") // who sees the queue's callers only while he is in it
	late.wants(200, "ok", `{"cmd":"subscribe","args":{"key":"ola.caller.812"}}`)
	late.wants(200, "ok", `{"cmd":"login","args":{"queue":"10010"}}`)
	late.does("caller in 13012345678")
	late.wants(200, "ok", `{"cmd":"logout"}`)
	late.does("caller out 13012345678")

	late.wants(200, "ok", `{"cmd":"subscribe","args":{"key":"ola.queue.10010.812"}}`)
	late.wants(200, "ok", `{"cmd":"login","args":{"queue":["630","10010"]}}`) // one event, with both
	late.does("caller in 13012345678")
	m = late.event()
	if queues, _ := m["queue_id"].([]any); wordOf(m) != "812 logout > login" || len(queues) != 2 {
		t.Errorf("signed in to two queues: %v", m)
	}
	late.wants(200, "ok", `{"cmd":"go_ready"}`)
	late.does("812 login > ready")
	late.wants(200, "ok", `{"cmd":"login","args":{"queue":"sales"}}`) // who takes calls takes these too
	late.does("caller in 13000000002")
	m = late.event()
	if queues, _ := m["queue_id"].([]any); wordOf(m) != "812 login > ready" || len(queues) != 3 {
		t.Errorf("signed in to one more: %v", m)
	}
	late.wants(200, "ok", `{"cmd":"logout"}`)
	late.does("caller out 13012345678", "caller out 13000000002", "812 ready > logout")
}

// TestEventObject compares the event of a busy and of an idle agent with the document's sample, key by key and in their order.
func TestEventObject(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	url := r.serve()
	for exten, want := range map[string]string{
		"812": `{"event_type":"agent_state","state":"logout","old_state":"","call_accept":"","other_accept":"","agent_id":"812","agent_extn":"812","agent_name":"812","queue_id":[],"skill":0,"calls_queued":0,"max_queued_time":0,"call_id":"","call_type":"","ani":"","dnis":"","this_type":"agent","this_dn":"812","other_type":"","other_dn":"","third_type":"","third_dn":"","timestamp":0,"private_data":"","call_direction":"undefined","other_answered":false,"dtmf":"undefined","dtmf_his":"undefined","gateway":"undefined","app_data":{}}`,
		"810": `{"event_type":"agent_state","state":"busy","old_state":"","call_accept":"1795286308.2","other_accept":"1795286308.1","agent_id":"810","agent_extn":"810","agent_name":"810","queue_id":["10010"],"skill":0,"calls_queued":1,"max_queued_time":0,"call_id":"13812345678","call_type":"inbound","ani":"13812345678","dnis":"10010","this_type":"agent","this_dn":"810","other_type":"","other_dn":"13812345678","third_type":"","third_dn":"","timestamp":0,"private_data":"answer","call_direction":"inbound","other_answered":true,"dtmf":"undefined","dtmf_his":"undefined","gateway":"trunk","app_data":{}}`,
	} {
		c := r.connect(url).as(exten)
		c.wants(200, "ok", `{"cmd":"get_agent_state"}`)
		_, text, err := c.conn.Read(t.Context())
		r.must(err)
		got := string(text)
		for _, key := range []string{`"timestamp":`, `"max_queued_time":`} {
			i := strings.Index(got, key) + len(key)
			j := i + strings.IndexByte(got[i:], ',')
			if key == `"timestamp":` && j-i != 13 {
				t.Errorf("timestamp %s", got[i:j])
			}
			got = got[:i] + "0" + got[j:]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestSocketsOverAnOutage holds that sockets outlive Asterisk: what changed meanwhile is told when it is back, and commands are refused
// until then.
func TestSocketsOverAnOutage(t *testing.T) {
	f := newAsterisk(t)
	r := newRig(t, f, rigOptions{}).complete()
	c := r.connect(r.serve()).as("809")
	c.wants(200, "ok", `{"cmd":"subscribe","args":{"key":"ola.agent.809"}}`)
	c.does("809 > unready")
	f.mu.Lock()
	clear(f.paused)
	f.mu.Unlock()
	f.Drop()
	c.does("809 unready > ready")
	r.complete()
	c.wants(200, "ok", `{"cmd":"go_break"}`)
	c.does("809 ready > unready")
	c.wants(404, "no call", `{"cmd":"hangup_other"}`)
}

// TestSecretListener holds that an agent neither ends nor makes heard who listens to him.
func TestSecretListener(t *testing.T) {
	f := newAsterisk(t)
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Originate successfully queued")
		name, id := a.Get("Channel")+"-00000009", a.Get("ChannelId")
		s.Event("Newchannel", "Channel", name, "ChannelState", "6", "Uniqueid", id, "Linkedid", id)
		s.Event("ChanSpyStart", "SpyerChannel", name, "SpyerUniqueid", id, "SpyeeChannel", "PJSIP/810-00000002", "SpyeeUniqueid", "1795286308.2")
	})
	f.Handle("Hangup", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Channel Hungup")
		s.Event("Hangup", "Channel", "PJSIP/808-00000009", "Uniqueid", a.Get("Channel"), "Linkedid", a.Get("Channel"), "ChannelState", "6", "Cause", "16")
	})
	r := newRig(t, f, rigOptions{}).complete()
	url := r.serve()
	user, agent := r.connect(url), r.connect(url).as("810")
	user.wants(200, "ok", `{"cmd":"auth","args":{"username":"admin","password":"`+adminPassword+`"}}`)
	user.wants(200, "ok", `{"cmd":"monitor","args":{"extn":"808","dest":"810"}}`)
	agent.wants(409, "the call is not in a state for this", `{"cmd":"monitor","args":{"dest":"808","three_way":"true"}}`)
	agent.wants(404, "no call", `{"cmd":"unmonitor","args":{"extn":"808"}}`)
	user.wants(200, "ok", `{"cmd":"unmonitor","args":{"extn":"808"}}`)
	agent.wants(200, "ok", `{"cmd":"monitor","args":{"dest":"808","three_way":"true"}}`)
	agent.wants(200, "ok", `{"cmd":"unmonitor","args":{"extn":"808","three_way":"true"}}`)
}

// TestListedNumberOnASocket holds that a refusal names the argument as the command calls it.
func TestListedNumberOnASocket(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	r.expect(200, "ok", "POST", "/api/special_phone/insert", "phone=13678267674&special_flag=3")
	c := r.connect(r.serve()).as("808")
	c.wants(403, "dest: number is on the black list", `{"cmd":"dial","args":{"dest":"13678267674"}}`)
}
