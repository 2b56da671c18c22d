package console

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/audit"
	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/internal/sqlite"
	probe "github.com/dialbridge/dialbridge/internal/trial" // the room has a trial of its own
	"github.com/dialbridge/dialbridge/lab/browser"
	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

// floor is a fake Asterisk with the extensions 801 and 802, of which 801 is a member of queue 600, a daemon's core beside it, and the
// console on a real listener.
type floor struct {
	t     *testing.T
	fake  *amitest.Server
	sw    *pbx.Switch
	api   *API
	url   string
	log   probe.Log
	stop  func() // of the console alone
	limit httpd.Limits

	mu     sync.Mutex
	queues []ami.Message // as QueueStatus tells them
	phones int           // so many from 801 on
}

// channelEvent is an event about one channel of a call that has come over the trunk, or of the agent who is rung for it.
func channelEvent(event, name, id, state string, more ...string) ami.Message {
	number, context := "02155551234", "from-trunk"
	if strings.HasPrefix(name, "PJSIP/801") {
		number, context = "801", "from-internal"
	}
	return amitest.NewEvent(event, append([]string{
		"Channel", name, "ChannelState", state, "ChannelStateDesc", "x", "CallerIDNum", number, "CallerIDName", "Zhang <San>", "ConnectedLineNum", "",
		"Context", context, "Exten", "600", "Uniqueid", id, "Linkedid", "1.1",
	}, more...)...)
}

func newFloor(t *testing.T, limits httpd.Limits, prepare func(*floor)) *floor {
	t.Helper()
	f := &floor{t: t, fake: amitest.Start(t), limit: limits, phones: 2}
	if prepare == nil {
		prepare = func(*floor) {}
	}
	log := slog.New(slog.NewTextHandler(&f.log, nil))
	list := func(action string, items ...ami.Message) {
		f.fake.Handle(action, func(s *amitest.Session, a ami.Action) { s.List(a, "will follow", items, action+"Complete") })
	}
	f.fake.Handle("PJSIPShowEndpoints", func(s *amitest.Session, a ami.Action) {
		var items []ami.Message
		for n := range f.phones {
			items = append(items, amitest.NewEvent("EndpointList", "ObjectName", fmt.Sprint(801+n)))
		}
		s.List(a, "will follow", items, "EndpointListComplete")
	})
	list("ExtensionStateList")
	list("DeviceStateList", amitest.NewEvent("DeviceStateChange", "Device", "PJSIP/801", "State", "NOT_INUSE"),
		amitest.NewEvent("DeviceStateChange", "Device", "PJSIP/802", "State", "NOT_INUSE"))
	list("CoreShowChannels")
	f.queues = []ami.Message{
		amitest.NewEvent("QueueParams", "Queue", "600"),
		amitest.NewEvent("QueueMember", "Queue", "600", "Name", "Ann", "Location", "PJSIP/801", "Membership", "static", "Penalty", "0", "Paused", "0", "Status", "1"),
	}
	f.fake.Handle("QueueStatus", func(s *amitest.Session, a ami.Action) {
		f.mu.Lock()
		defer f.mu.Unlock()
		s.List(a, "will follow", f.queues, "QueueStatusComplete")
	})
	f.fake.Handle("CoreSettings", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "AsteriskVersion", "22.0.0") })
	f.fake.Handle("Command", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Command output follows", "Output", "    cdr_manager")
	})
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(t.TempDir(), "test.db"), Logger: log})
	must(err)
	o := f.fake.Options()
	o.Want = pbx.Wanted
	client := ami.New(o)
	f.sw, err = pbx.New(ctx, pbx.Options{Client: client, Store: db, Logger: log, Rules: pbx.Rules{
		Extensions: regexp.MustCompile(`^[0-9]{3,4}$`), InboundContexts: regexp.MustCompile(`^from-trunk`), Allow: regexp.MustCompile(`^[0-9]+$`), Location: time.UTC,
	}})
	must(err)
	outbox, err := webhook.NewOutbox(ctx, db, webhook.OutboxOptions{Logger: log})
	must(err)
	users, _, err := pbx.NewUsers(ctx, pbx.UsersOptions{Store: db, AdminPassword: adminPassword, Cost: 8, Failure: time.Millisecond})
	must(err)
	notes, err := audit.New(ctx, audit.Options{Store: db, Logger: log})
	must(err)
	f.api = New(Options{
		Users: users, Audit: notes,
		Switch: f.sw, Outbox: outbox, Senders: webhook.NewSenders(outbox, webhook.SenderOptions{Logger: log}), Failures: httpd.NewLimiter(20, time.Minute), Logger: log,
		Recordings: Recordings{Directory: t.TempDir(), AsteriskDirectory: "/monitor"},
	})
	f.api.live.pace.round, f.api.live.pace.receivers = 20*time.Millisecond, 20*time.Millisecond
	prepare(f)
	server, err := httpd.New(httpd.Options{
		Address: "127.0.0.1:0", Settings: httpd.Settings{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, Limits: limits, Logger: log,
	})
	must(err)
	f.api.Mount(server)
	must(server.Listen(ctx))
	f.url = "http://" + server.Addr().String() + Prefix
	var ends []func()
	for _, run := range []func(context.Context) error{f.api.Run, server.Run, client.Run, f.sw.Run, db.Run} {
		ctx, cancel := context.WithCancel(context.Background())
		var part sync.WaitGroup
		part.Go(func() { _ = run(ctx) })
		ends = append(ends, func() { cancel(); part.Wait() })
	}
	f.stop = ends[0]
	t.Cleanup(func() {
		for _, end := range ends {
			end()
		}
		must(db.Close())
	})
	probe.Until(t, &f.log, "the picture", func() bool { return f.sw.Status().Complete })
	return f
}

// watcher reads a feed.
type watcher struct {
	t      *testing.T
	f      *floor
	body   io.Closer
	events chan told
}

// told is one event of a feed.
type told struct {
	Event  string
	Now    int64
	Head   *liveHead
	Reason string
	Rows   map[string]map[string]map[string]any // by section and id; what is gone is nil
}

// open begins to read a feed, with headers by name and value.
func (f *floor) open(header ...string) *watcher {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+"/live", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := transport.RoundTrip(req) //nolint:bodyclose // closed by the clean-up
	if err != nil {
		cancel()
		f.t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" || answer.Header.Get("Cache-Control") != "no-store" {
		f.t.Errorf("%s %v", answer.Status, answer.Header)
	}
	w := &watcher{t: f.t, f: f, body: answer.Body, events: make(chan told)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(w.events)
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, 8<<20)
		event := ""
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				event = name
			} else if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				select {
				case w.events <- decode(event, data):
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	f.t.Cleanup(func() {
		cancel()
		_ = answer.Body.Close()
		<-done
	})
	return w
}

func decode(event, data string) told {
	e := told{Event: event, Rows: map[string]map[string]map[string]any{}}
	var body map[string]json.RawMessage
	if err := json.Unmarshal([]byte(data), &body); err != nil {
		e.Reason = err.Error()
		return e
	}
	into := map[string]any{"now": &e.Now, "head": &e.Head, "reason": &e.Reason}
	for name, text := range body {
		if v := into[name]; v != nil {
			_ = json.Unmarshal(text, v)
			continue
		}
		e.Rows[name] = map[string]map[string]any{}
		var part struct {
			Set  []map[string]any
			Gone []string
		}
		if event == "snapshot" {
			_ = json.Unmarshal(text, &part.Set)
		} else {
			_ = json.Unmarshal(text, &part)
		}
		for _, row := range part.Set {
			e.Rows[name][fmt.Sprint(row["id"])] = row
		}
		for _, id := range part.Gone {
			e.Rows[name][id] = nil
		}
	}
	return e
}

// until reads events until one is wanted, and returns it.
func (w *watcher) until(what string, wanted func(told) bool) told {
	w.t.Helper()
	limit := time.After(20 * time.Second)
	var last told
	for {
		select {
		case e, ok := <-w.events:
			if !ok {
				w.t.Fatalf("the feed ended before it told %s; the last was %+v", what, last)
			}
			if last = e; wanted(e) {
				return e
			}
		case <-limit:
			w.t.Fatalf("the feed does not tell %s; the last was %+v\n%s", what, last, &w.f.log)
		}
	}
}

// row reads until a row has values, "waiting=1"; what is empty or not there is "".
func (w *watcher) row(section, id, values string) {
	w.t.Helper()
	w.until(section+" "+id+" "+values, func(e told) bool {
		row := e.Rows[section][id]
		for v := range strings.FieldsSeq(values) {
			key, want, _ := strings.Cut(v, "=")
			have := row[key]
			if agents, ok := row["agents"].(map[string]any); ok && agents[key] != nil {
				have = agents[key]
			}
			if have == nil {
				have = ""
			}
			if fmt.Sprint(have) != want {
				return false
			}
		}
		return row != nil
	})
}

func (w *watcher) snapshot() told {
	w.t.Helper()
	return w.until("a snapshot", func(e told) bool {
		if e.Event != "snapshot" {
			w.t.Errorf("%s comes first", e.Event)
		}
		return true
	})
}

// comes lets a caller come into the queue.
func (f *floor) comes() {
	f.fake.Send(channelEvent("Newchannel", "PJSIP/trunk-00000001", "1.1", "4").String() + "\r\n" +
		channelEvent("Newstate", "PJSIP/trunk-00000001", "1.1", "6").String() + "\r\n" +
		channelEvent("QueueCallerJoin", "PJSIP/trunk-00000001", "1.1", "6", "Queue", "600", "Position", "1", "Count", "1").String() + "\r\n")
}

// answered lets 801 take the caller.
func (f *floor) answered() {
	agent := "PJSIP/801-00000002"
	member := []string{"Queue", "600", "Interface", "PJSIP/801", "MemberName", "Ann"}
	f.fake.Send(channelEvent("Newchannel", agent, "1.2", "0").String() + "\r\n" + channelEvent("Newstate", agent, "1.2", "5").String() + "\r\n" +
		channelEvent("Newstate", agent, "1.2", "6").String() + "\r\n" +
		channelEvent("QueueCallerLeave", "PJSIP/trunk-00000001", "1.1", "6", "Queue", "600", "Count", "0").String() + "\r\n" +
		channelEvent("AgentConnect", "PJSIP/trunk-00000001", "1.1", "6", append(member, "DestUniqueid", "1.2")...).String() + "\r\n" +
		channelEvent("BridgeEnter", "PJSIP/trunk-00000001", "1.1", "6", "BridgeUniqueid", "b1").String() + "\r\n" +
		channelEvent("BridgeEnter", agent, "1.2", "6", "BridgeUniqueid", "b1").String() + "\r\n")
}

// over ends all.
func (f *floor) over() {
	f.fake.Send(channelEvent("AgentComplete", "PJSIP/trunk-00000001", "1.1", "6", "Queue", "600", "Interface", "PJSIP/801", "MemberName", "Ann", "Reason", "caller",
		"DestUniqueid", "1.2").String() + "\r\n" +
		channelEvent("Hangup", "PJSIP/801-00000002", "1.2", "6", "Cause", "16").String() + "\r\n" +
		channelEvent("Hangup", "PJSIP/trunk-00000001", "1.1", "6", "Cause", "16").String() + "\r\n")
}

// TestLiveFeed: a snapshot first, then each step of a call as rows; the second reader begins with what the first one was told.
func TestLiveFeed(t *testing.T) {
	f := newFloor(t, httpd.Limits{}, nil)
	w := f.open()
	first := w.snapshot()
	if first.Head == nil || !first.Head.Live || first.Head.Within != 20 || first.Head.Day.IsZero() || first.Now == 0 || len(first.Rows["calls"]) != 0 {
		t.Errorf("%+v", first)
	}
	var ids []string
	for id := range first.Rows["extensions"] {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if q := first.Rows["queues"]["600"]; strings.Join(ids, " ") != "801 802" || q == nil || q["level"] != nil || first.Rows["extensions"]["801"]["name"] != "Ann" {
		t.Errorf("%+v", first.Rows)
	}
	if !first.Head.ReceiversKnown {
		w.until("the receivers", func(e told) bool {
			return e.Head != nil && e.Head.ReceiversKnown && e.Rows["receivers"]["default"] != nil
		})
	}
	f.comes()
	w.row("queues", "600", "waiting=1 ready=1 answered=0")
	f.answered()
	w.row("queues", "600", "waiting=0 busy=1 answered=1 abandoned=0 in_time=1 level=1 oldest=")
	second := f.open().snapshot()
	call := second.Rows["calls"]["1.1"]
	if call["state"] != "talk" || call["caller"] != "02155551234" || call["caller_name"] != "Zhang <San>" || call["queue"] != "600" || len(call["legs"].([]any)) != 2 {
		t.Errorf("%v", call)
	}
	if x := second.Rows["extensions"]["801"]; x["call"] != "1.1" || x["agent"] != "busy" {
		t.Errorf("%v", x)
	}
	f.over()
	w.until("the end of the call", func(e told) bool {
		row, told := e.Rows["calls"]["1.1"]
		return told && row == nil
	})
	w.until("a beat", func(e told) bool { return e.Event == "beat" && e.Now >= first.Now })
	if s := f.open().snapshot(); len(s.Rows["calls"]) != 0 || s.Rows["queues"]["600"]["answered"] != 1.0 {
		t.Errorf("after the end: %v", s.Rows)
	}
}

// TestLiveFeedWithoutAsterisk: the loss of the link is told with what is no more true marked, and its return with what has changed.
func TestLiveFeedWithoutAsterisk(t *testing.T) {
	f := newFloor(t, httpd.Limits{}, nil)
	w := f.open()
	w.snapshot()
	f.fake.Refuse()
	f.fake.Drop()
	lost := w.until("the loss", func(e told) bool { return e.Head != nil && !e.Head.Live })
	if lost.Head.Reason == "" || lost.Head.Since.IsZero() {
		t.Errorf("%+v", lost.Head)
	}
	if s := f.open().snapshot(); s.Head.Live || s.Rows["queues"]["600"] == nil {
		t.Errorf("who comes meanwhile is told %+v", s)
	}
	w.until("a beat", func(e told) bool { return e.Event == "beat" })
	f.mu.Lock()
	f.queues = append(f.queues, amitest.NewEvent("QueueParams", "Queue", "700"))
	f.mu.Unlock()
	f.fake.Restart()
	found := false
	w.until("the return", func(e told) bool {
		found = found || e.Rows["queues"]["700"] != nil
		return e.Head != nil && e.Head.Live && found
	})
}

// TestSlowReaderIsCutOff: one who does not read costs no more than his limit, and the others nothing.
func TestSlowReaderIsCutOff(t *testing.T) {
	f := newFloor(t, httpd.Limits{}, func(f *floor) { f.api.live.pace.unsent, f.api.live.pace.frames = 64<<10, 1<<20 })
	address := strings.TrimPrefix(strings.TrimSuffix(f.url, Prefix), "http://")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET "+Prefix+"/live HTTP/1.1\r\nHost: "+address+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	w := f.open()
	w.snapshot()
	probe.Until(t, &f.log, "both readers", func() bool { return f.api.live.count() == 2 })
	big := strings.Repeat("x", 16<<10)
	for n := 0; f.api.live.count() > 1; n++ { // each change is of a size that no buffer swallows for long
		f.fake.Event("QueueMemberPause", "Queue", "600", "MemberName", "Ann", "Interface", "PJSIP/801", "Membership", "static", "Penalty", "0",
			"Paused", "1", "Status", "1", "PausedReason", fmt.Sprint(n, big))
		w.until("the change", func(e told) bool {
			return strings.HasPrefix(fmt.Sprint(e.Rows["extensions"]["801"]["reason"]), fmt.Sprint(n, "x"))
		})
		if n > 5000 {
			t.Fatal("a reader who does not read is kept")
		}
	}
	f.comes()
	w.row("queues", "600", "waiting=1")
}

// TestLiveFeedOutlivesTheLimits: neither the time that a request may take, nor that for its header, ends a feed.
func TestLiveFeedOutlivesTheLimits(t *testing.T) {
	f := newFloor(t, httpd.Limits{Request: 200 * time.Millisecond, Read: 200 * time.Millisecond, Write: 500 * time.Millisecond}, func(f *floor) {
		f.api.live.pace.beat = 100 * time.Millisecond
	})
	w := f.open()
	w.snapshot()
	for n := range 12 {
		w.until(fmt.Sprintf("beat %d", n), func(e told) bool { return e.Event == "beat" })
	}
}

// ask makes one request to the console, and returns the answer with its body.
func (f *floor) ask(method, path, body string, header ...string) (reply, string) {
	f.t.Helper()
	return f.askAt(f.url, method, path, body, header...)
}

func (f *floor) askAt(base, method, path, body string, header ...string) (reply, string) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return reply{answer.Status, answer.StatusCode, answer.Header, answer.Cookies()}, string(text)
}

// reply is an answer without its body.
type reply struct {
	Status     string
	StatusCode int
	Header     http.Header
	Cookies    []*http.Cookie
}

func (w *watcher) bye(reason string) {
	w.t.Helper()
	if e := w.until("the farewell", func(e told) bool { return e.Event == "bye" }); e.Reason != reason {
		w.t.Errorf("%+v, want %s", e, reason)
	}
	if e, more := <-w.events; more {
		w.t.Errorf("behind the farewell comes %+v", e)
	}
}

// TestLiveFeedEnds: with the right to read, whatever that comes from, and with the daemon; what is one too many is refused.
func TestLiveFeedEnds(t *testing.T) {
	f := newFloor(t, httpd.Limits{}, func(f *floor) { f.api.live.pace.readers = 2 })
	here := f.open()
	here.snapshot()
	login, _ := f.ask(http.MethodPost, "/session", `{"login":"admin","password":"`+adminPassword+`"}`)
	if login.StatusCode != http.StatusOK || len(login.Cookies) != 1 {
		t.Fatalf("%s", login.Status)
	}
	cookie := login.Cookies[0].Name + "=" + login.Cookies[0].Value
	page := f.open("Cookie", cookie)
	page.snapshot()
	if refused, text := f.ask(http.MethodGet, "/live", ""); refused.StatusCode != http.StatusServiceUnavailable || refused.Header.Get("Retry-After") == "" {
		t.Errorf("one reader too many: %s %s", refused.Status, text)
	}
	f.api.Configure(func(h http.Header) bool { return h.Get("Authorization") == "of today" })
	here.bye(byeSession)
	program := f.open("Authorization", "of today")
	program.snapshot()
	f.api.Configure(func(h http.Header) bool { return h.Get("Authorization") == "of tomorrow" })
	program.bye(byeSession)
	page.until("a beat: its session is not over", func(e told) bool { return e.Event == "beat" })
	f.api.sessions.expel(pbx.Identity{User: pbx.User{ID: 1}})
	page.bye(byeSession)
	last := f.open("Authorization", "of tomorrow")
	last.snapshot()
	f.stop()
	last.bye(byeStop)
}

// TestWhoMayNotRead: an agent sees no wallboard and no call of others, and faulty requests change nothing.
func TestWhoMayNotRead(t *testing.T) {
	f := newFloor(t, httpd.Limits{}, nil)
	f.api.Configure(func(http.Header) bool { return false })
	for _, path := range []string{"/live", "/calls/1.1", "/calls/1.1/recording"} {
		if answer, text := f.ask(http.MethodGet, path, ""); answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %s %s", path, answer.Status, text)
		}
	}
	token, _ := f.api.sessions.begin(pbx.Identity{Exten: "801"}, "801", pbx.RoleAgent)
	for _, path := range []string{"/live", "/calls/1.1", "/calls/1.1/recording"} {
		if answer, text := f.ask(http.MethodGet, path, "", "Cookie", cookieName+"="+token); answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s as an agent: %s %s", path, answer.Status, text)
		}
	}
}

// TestFeedsOfOneUser: nobody takes all feeds, however many he opens; others are served, and a page that is refused says why until it is let in.
func TestFeedsOfOneUser(t *testing.T) {
	f := newFloor(t, httpd.Limits{}, func(f *floor) { f.api.live.pace.each = 2 })
	f.open().snapshot()
	mine := f.open()
	mine.snapshot()
	if refused, text := f.ask(http.MethodGet, "/live", ""); refused.StatusCode != http.StatusTooManyRequests || refused.Header.Get("Retry-After") == "" ||
		!strings.Contains(text, "as many live feeds open as one may") {
		t.Errorf("%s %s", refused.Status, text)
	}
	for range 2 { // two sessions of one user are one user
		login, _ := f.ask(http.MethodPost, "/session", `{"login":"admin","password":"`+adminPassword+`"}`)
		f.open("Cookie", login.Cookies[0].Name+"="+login.Cookies[0].Value).snapshot()
	}
	token, _ := f.api.sessions.begin(pbx.Identity{User: pbx.User{ID: 1, Login: "admin"}}, "admin", pbx.RoleAdmin)
	if refused, text := f.ask(http.MethodGet, "/live", "", "Cookie", cookieName+"="+token); refused.StatusCode != http.StatusTooManyRequests {
		t.Errorf("%s %s", refused.Status, text)
	}
	p := browser.ForTest(t, browser.Options{}).Open(strings.TrimSuffix(f.url, "/api") + "/#/wall")
	p.Expect("429")
	p.WaitText("[role=alert]", "you have as many live feeds open as one may")
	p.Accessible()
	p.Select("header select", "zh")
	p.WaitText("[role=alert]", "实时")
	p.Select("header select", "en")
	if err := mine.body.Close(); err != nil {
		t.Fatal(err)
	}
	p.Wait(".notice.good")
}
