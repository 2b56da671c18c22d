package ola

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestPageOfTheDocument goes through the document's steps as a page does that was written for the vendor's client: functions are set after
// connect, the log-in comes when the connection is there, and messages are events of the socket.
func TestPageOfTheDocument(t *testing.T) {
	r, url := online(t, newAsterisk(t), rigOptions{})
	p := r.open(url)
	r.must(p.vm.Set("PASSWORD", secretOf("812")))
	p.run(`
		ola.connect(URL);
		ola.onConnect = function () {
			log.push('connected');
			ola.auth('812', PASSWORD);
			ola._extn = '812';
			ola.subscribe('ola.agent.812');
			ola.get_agent_state('812');
			ola.login(['10010'], '812', {type: 'onhook'});
			ola.go_ready();
		};`)
	p.told("connected", "812 logout", "812 logout", "812 login", "812 ready")
	p.wrote(append(frames("812", secretOf("812"), "ola.agent.812"),
		`{"action":"api","cmd":"get_agent_state","args":{"extn":"812"}}`,
		`{"action":"api","cmd":"login","args":{"queue":["10010"],"extn":"812","type":"onhook"}}`,
		`{"action":"api","cmd":"go_ready","args":{"extn":"812"}}`)...)
	p.run(`ola.close()`)
	p.told("closed 1000")
}

// TestPageThatDoesNotWait holds that the first steps need not wait for the connection: nothing is dangerous about them. Others do.
func TestPageThatDoesNotWait(t *testing.T) {
	r, url := online(t, newAsterisk(t), rigOptions{})
	p := r.open(url)
	r.must(p.vm.Set("PASSWORD", secretOf("809")))
	p.run(`
		note('connect', ola.connect(URL));
		note('auth', ola.auth('809', PASSWORD));
		note('subscribe', ola.subscribe('ola.agent.809'));
		note('dial', ola.dial('812'));`)
	p.sorted("809 unready", "auth: 200 ok", "connect: 200 ok", "connected", "dial: 503 not connected, nothing was sent", "subscribe: 200 ok")
	p.wrote(frames("809", secretOf("809"), "ola.agent.809")...)
}

// TestMethods holds what each method sends, and what the server says to that.
func TestMethods(t *testing.T) {
	f := newAsterisk(t)
	r, url := online(t, f, rigOptions{})
	agent, user := r.open(url).as("812", secretOf("812")), r.open(url).as("admin", adminPassword)
	for _, tc := range []struct {
		p                       *page
		script, frame, answered string
	}{
		{agent, `ola.ping()`, `{"cmd":"ping"}`, "200 pong"},
		{agent, `ola.unsubscribe('ola.agent.812')`, `{"cmd":"unsubscribe","args":{"key":"ola.agent.812"}}`, "404 not subscribed"},
		{agent, `ola.go_ready()`, `{"action":"api","cmd":"go_ready","args":{}}`, "404 agent not login"},
		{agent, `ola.login(['630','10010'], '812', {type: 'onhook'})`, `{"action":"api","cmd":"login","args":{"queue":["630","10010"],"extn":"812","type":"onhook"}}`, "200 ok"},
		{agent, `ola.login('630', 812)`, `{"action":"api","cmd":"login","args":{"queue":"630","extn":812}}`, "200 ok"},
		{agent, `ola.go_ready()`, `{"action":"api","cmd":"go_ready","args":{"extn":812}}`, "200 ok"},
		{agent, `ola.go_break('lunch')`, `{"action":"api","cmd":"go_break","args":{"extn":812,"reason":"lunch"}}`, "200 ok"},
		{agent, `ola.go_break()`, `{"action":"api","cmd":"go_break","args":{"extn":812}}`, "200 ok"},
		{agent, `ola.toggle_ready()`, `{"action":"api","cmd":"toggle_ready","args":{"extn":812}}`, "200 ok"},
		{agent, `ola.get_agent_state()`, `{"action":"api","cmd":"get_agent_state","args":{"extn":812}}`, "200 ok"},
		{agent, `ola.take_call('33333132')`, `{"action":"api","cmd":"take_call","args":{"extn":812,"channel_uuid":"33333132"}}`, "404 no such caller in your queues"},
		{agent, `ola.hold()`, `{"action":"api","cmd":"hold","args":{"extn":812}}`, "404 no call"},
		{agent, `ola.unhold()`, `{"action":"api","cmd":"unhold","args":{"extn":812}}`, "404 no call"},
		{agent, `ola.hangup()`, `{"action":"api","cmd":"hangup_other","args":{"extn":812}}`, "404 no call"},
		{agent, `ola.transfer('13800000000')`, `{"action":"api","cmd":"transfer","args":{"extn":812,"dest":"13800000000"}}`, "404 no call"},
		{agent, `ola.consult('808')`, `{"action":"api","cmd":"consult","args":{"extn":812,"dest":"808"}}`, "404 no call"},
		{agent, `ola.unconsult()`, `{"action":"api","cmd":"unconsult","args":{"extn":812}}`, "404 no call"},
		{agent, `ola.complete('7f6bd195')`, `{"action":"api","cmd":"complete","args":{"extn":812,"consult_id":"7f6bd195"}}`, "404 no call"},
		{agent, `ola.collect_dtmf('812', 'custom/rate')`, `{"action":"api","cmd":"collect_dtmf","args":{"extn":"812","soundfile":"custom/rate"}}`, "404 no call"},
		{agent, `ola.three_way('808', '812')`, `{"action":"api","cmd":"monitor","args":{"extn":"812","dest":"808","three_way":"true"}}`, "404 no call"},
		{agent, `ola.three_way('808', '812', 'gw')`, `{"action":"api","cmd":"monitor","args":{"extn":"812","dest":"808","three_way":"true","goip_gateway":"gw"}}`, "404 no call"},
		{agent, `ola.exit_three_way('808')`, `{"action":"api","cmd":"unmonitor","args":{"extn":"808","three_way":"true"}}`, "404 no call"},
		{agent, `ola.kill()`, `{"action":"api","cmd":"kill","args":{}}`, "400 missing parameter: channel_uuid or extn"},
		{agent, `ola.kill('', '812')`, `{"action":"api","cmd":"kill","args":{"channel_uuid":"","extn":"812"}}`, "404 no call"},
		{agent, `ola.dial('8 1')`, `{"action":"api","cmd":"dial","args":{"extn":812,"dest":"8 1"}}`, "400 dest: number may not be dialled"},
		{agent, `ola.dial('808', 'order 7', 'gw')`, `{"action":"api","cmd":"dial","args":{"extn":812,"dest":"808","gateway":"gw","otherStr":"order 7"}}`, "200 ok"},
		{agent, `ola.logout()`, `{"action":"api","cmd":"logout","args":{"extn":812}}`, "200 ok"},
		{agent, `ola.send({action: 'api', cmd: 'broadcast', args: {numbers: '1'}})`, `{"action":"api","cmd":"broadcast","args":{"numbers":"1"}}`, "501 not implemented"},
		{user, `ola.intercept('809', '808')`, `{"action":"api","cmd":"intercept","args":{"extn":"808","dest":"809"}}`, "404 no call"},
		{user, `ola.monitor('812', '810')`, `{"action":"api","cmd":"monitor","args":{"extn":"812","dest":"810"}}`, "200 ok"},
		{user, `ola.unmonitor('812')`, `{"action":"api","cmd":"unmonitor","args":{"extn":"812"}}`, "404 no call"},
		{user, `(ola._extn = '808', ola.monitor('810'))`, `{"action":"api","cmd":"monitor","args":{"extn":"808","dest":"810"}}`, "200 ok"},
		{user, `ola.kill('1795286308.2', '')`, `{"action":"api","cmd":"kill","args":{"channel_uuid":"1795286308.2","extn":""}}`, "200 ok"},
	} {
		tc.p.run(`log = []; ola.onMessage = undefined; note('', ` + tc.script + `)`)
		tc.p.told(": " + tc.answered)
		if t.Failed() {
			t.Fatal(tc.script)
		}
		tc.p.wrote(tc.frame)
	}
	if spied := f.Received("Originate"); len(spied) == 0 || !strings.Contains(spied[len(spied)-1].Get("Data"), "810") {
		t.Errorf("the one who listens and the one listened to: %v", spied)
	}
}

// TestConnectionComesBack holds what becomes of a page whose connection breaks: what was under way has an unknown outcome, what comes
// meanwhile is refused and never sent, and then all is as before.
func TestConnectionComesBack(t *testing.T) {
	f := newAsterisk(t)
	r, url := online(t, f, rigOptions{})
	p := r.open(url).as("809", secretOf("809"))
	p.run(`ola.subscribe('ola.agent.809'); ola.subscribe('ola.caller.809'); ola.subscribe('ola.agent.809'); ola.unsubscribe('ola.caller.809');
		note('subscribe', ola.subscribe('ola.queue.630.809'))`)
	p.told("809 unready", "caller in 13012345678", "809 unready", "subscribe: 200 ok", "809 unready")
	p.run(`void ola.send({cmd: 'ping', args: 1}); note('ready', ola.go_ready())`) // the first fails, and nobody looks
	p.sorted("809 ready", "ready: 200 ok")
	p.sent = nil
	p.void = true
	p.run(`note('under way', ola.hangup())`)
	r.drop()
	p.until("!ola.connected")
	p.void = false
	p.run(`note('dial', ola.dial('812')); ola.dial('812'); ola.hangup(); note('late', ola.subscribe('ola.caller.809'))`)
	p.sorted("closed 1006", "dial: 503 not connected, nothing was sent",
		"under way: 504 the connection is lost, the outcome is unknown, do not repeat blindly")
	p.sent = nil
	p.advance(time.Second)
	p.sorted("809 ready", "809 ready", "caller in 13012345678", "connected", "late: 200 ok")
	p.wrote(frames("809", secretOf("809"), "ola.agent.809", "ola.queue.630.809", "ola.caller.809")...)
	p.run(`ola.onReconnect = function () { log.push('connected again'); }; note('break', ola.go_break())`)
	p.sorted("809 unready", "break: 200 ok")
	r.drop()
	p.told("closed 1006")
	p.advance(time.Second)
	p.until("log.indexOf('connected again') >= 0")
	p.run(`log = []; ola.close(); note('after', ola.ping())`)
	p.told("closed 1000", "after: 503 not connected, nothing was sent")
	p.sent = nil
	p.advance(time.Hour)
	if n := len(p.opened); n != 3 || len(p.timers) != 0 {
		t.Errorf("%d sockets, %d timers after close", n, len(p.timers))
	}
}

// TestWaitsGrow holds when a page tries again whose server is away.
func TestWaitsGrow(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	p := r.open("ws://127.0.0.1:1/ola_socket") // nobody listens there
	p.run(`ola.connect(URL, '808', 'x')`)
	want := []float64{0}
	for _, wait := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		p.told("closed 1006")
		p.advance(wait * time.Second)
		want = append(want, want[len(want)-1]+float64(wait*1000))
	}
	if diff := cmp.Diff(want, p.opened); diff != "" {
		t.Errorf("tried at, in milliseconds (-want +got):\n%s", diff)
	}
	p.vm.SetRandSource(func() float64 { return 0 })
	p.told("closed 1006")
	p.advance(15 * time.Second)
	if n := len(p.opened); n != 9 {
		t.Errorf("%d sockets, want one more after half of the time", n)
	}
	p.run(`ola.reconnect = false`)
	p.told("closed 1006")
	p.advance(time.Hour)
	if n := len(p.opened); n != 9 || len(p.timers) != 0 {
		t.Errorf("%d sockets, %d timers although it shall not connect again", n, len(p.timers))
	}
}

// TestHalfOpenConnection holds that a connection is given up on which nothing comes any more, though nothing says that it has ended.
func TestHalfOpenConnection(t *testing.T) {
	r, url := online(t, newAsterisk(t), rigOptions{})
	p := r.open(url).as("808", secretOf("808"))
	p.advance(25 * time.Second)
	p.wrote(`{"cmd":"ping"}`)
	p.until(`ola._waiting.size === 0`)
	p.void = true
	p.advance(35 * time.Second)
	p.told("closed 1006")
	p.void, p.sent = false, nil
	p.advance(time.Second)
	p.told("connected")
	p.wrote(frames("808", secretOf("808"))...)

	p.void = true
	p.run(`note('break', ola.go_break())`)
	p.sent = nil
	p.advance(34 * time.Second)
	p.wrote() // a ping would wait behind the command
	p.advance(time.Second)
	p.told("closed 1006", "break: 504 no answer, the outcome is unknown, do not repeat blindly")
}

// TestAnswersFindTheirCommands holds that answers are told apart when they overtake each other, and that one which does not come in time
// is given up without the connection.
func TestAnswersFindTheirCommands(t *testing.T) {
	f := newAsterisk(t)
	release := make(chan struct{})
	r, url := online(t, f, rigOptions{})
	p := r.open(url).as("809", secretOf("809"))
	f.Handle("QueuePause", func(s *amitest.Session, a ami.Action) {
		<-release
		s.Respond(a, "Success", "Message", "Interface paused successfully")
	})
	p.run(`var pongs = 0, refused = 0; note('ready', ola.go_ready());
		for (var i = 0; i < 80; i++) { ola.ping().then(function () { pongs++; }, function (err) { refused += err.code === 429 ? 1 : 0; }); }`)
	p.until(`refused >= 15`)
	if !p.run(`pongs === 0 && log.length === 0`).ToBoolean() {
		t.Error("one that waits was taken for answered")
	}
	p.advance(35 * time.Second)
	p.told("ready: 504 no answer, the outcome is unknown, do not repeat blindly")
	if !p.run(`ola.connected && ola._waiting.size === 0`).ToBoolean() {
		t.Error("the connection was given up, or an answer is still waited for")
	}
	close(release)
	p.until(`ola._heard === 82`) // all have been answered after all, which nobody is told
	p.run(`note('ping', ola.ping())`)
	p.told("ping: 200 pong")
}

// TestLoginOfPage holds that a wrong password is tried once, that a log-in which may work later is tried again, and what a page can do.
func TestLoginOfPage(t *testing.T) {
	r, url := online(t, newAsterisk(t), rigOptions{limit: 2})
	p := r.open(url)
	r.must(p.vm.Set("PASSWORD", secretOf("808")))
	p.run(`note('connect', ola.connect(URL, '808', 'wrong', function () { log.push('success'); }, function (err) { log.push('failed ' + err.code); }))`)
	p.told("error 401 auth failed!", "failed 401", "connect: 401 auth failed!")
	p.run(`note('auth', ola.auth('808', PASSWORD))`)
	p.told("connected", "auth: 200 ok")
	if text := p.run(`JSON.stringify(ola) + Object.keys(ola) + JSON.stringify(new ola.OlaError(1, 'x'))`).String(); strings.Contains(text, secretOf("808")[3:30]) {
		t.Errorf("the password can be read: %s", text)
	}
	p.run(`note('connect', ola.connect(URL, '808', 'wrong'))`)
	p.told("error 401 auth failed!", "connect: 401 auth failed!")
	r.drop()
	p.told("closed 1006")
	p.advance(time.Hour)
	if n := len(p.opened); n != 2 {
		t.Errorf("%d sockets, want none more with a wrong password", n)
	}
	p.sent = nil
	p.run(`ola.connect(URL, '808', PASSWORD)`) // the address is blocked now
	p.told("closed 1006")
	p.advance(time.Second)
	p.told("closed 1006")
	p.advance(2 * time.Second)
	p.told("closed 1006")
	p.wrote(slices.Repeat(frames("808", secretOf("808")), 3)...)
}

// TestAnotherLogin holds that what one agent has subscribed to is not subscribed to for the next one.
func TestAnotherLogin(t *testing.T) {
	r, url := online(t, newAsterisk(t), rigOptions{})
	p := r.open(url).as("808", secretOf("808"))
	p.run(`note('one', ola.subscribe('ola.agent.808'))`)
	p.told("one: 200 ok", "808 ready")
	p.sent = nil
	p.run(`note('same', ola.auth('808', PASSWORD))`)
	p.told("same: 200 ok", "808 ready")
	p.wrote(frames("808", secretOf("808"), "ola.agent.808")...)
	r.must(p.vm.Set("PASSWORD", secretOf("809")))
	p.run(`note('next', ola.auth('809', PASSWORD))`)
	p.told("next: 200 ok")
	p.wrote(frames("809", secretOf("809"))...)
	r.drop()
	p.told("closed 1006")
	p.advance(time.Second)
	p.told("connected")
	p.wrote(frames("809", secretOf("809"))...)
}

// TestAddresses holds where a page connects to.
func TestAddresses(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{})
	for _, tc := range []struct{ protocol, given, want string }{
		{"http:", `undefined`, "ws://box:8000/ola_socket"},
		{"https:", `undefined`, "wss://box:8000/ola_socket"},
		{"https:", `'/pbx/ola_socket'`, "wss://box:8000/pbx/ola_socket"},
		{"http:", `'ws://other:29003/ola_socket'`, "ws://other:29003/ola_socket"},
		{"http:", `'https://other/ola_socket'`, "wss://other/ola_socket"},
		{"https:", `'ws://other:29003/ola_socket'`, "wss://other:29003/ola_socket"},
	} {
		p := r.open("")
		p.run(`var location = {protocol: '` + tc.protocol + `', host: 'box:8000'}; var asked; ola.WebSocket = function (url) { asked = url; this.close = function () {}; };
			ola.connect(` + tc.given + `)`)
		if got := p.run(`asked`).String(); got != tc.want {
			t.Errorf("%s page, %s: %s, want %s", tc.protocol, tc.given, got, tc.want)
		}
	}
	p := r.open("")
	p.run(`note('connect', ola.connect('box'))`)
	p.told("connect: 503 cannot connect: not an address: box")
}

// TestPagesOwnFaults holds that a page's function that fails does not stop the client, and is heard of.
func TestPagesOwnFaults(t *testing.T) {
	r, url := online(t, newAsterisk(t), rigOptions{})
	p := r.open(url)
	r.must(p.vm.Set("PASSWORD", secretOf("808")))
	p.run(`var thrown = 0, timeout = setTimeout;
		setTimeout = function (f, ms) { return ms > 0 ? timeout(f, ms) : timeout(function () { try { f(); } catch (err) { thrown++; } }, 0); };
		ola.onMessage = ola.onConnect = function () { throw new Error('the page'); };
		note('connect', ola.connect(URL, '808', PASSWORD)); note('long', ola.send({cmd: 'dial', args: {dest: '1'.repeat(30000)}}));
		var round = {}; round.round = round;`)
	p.until(`log.length === 2`)
	p.run(`note('long', ola.dial('1'.repeat(30000))); note('ping', ola.ping()); ola.dial(round)`)
	p.told("long: 503 not connected, nothing was sent", "connect: 200 ok", "long: 413 too long, nothing was sent", "ping: 200 pong")
	p.advance(0)
	if n := p.run(`thrown`).ToInteger(); n != 3 { // onConnect, and the answers to auth and ping
		t.Errorf("%d faults were heard of", n)
	}
}
