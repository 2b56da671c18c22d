package pbx

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/internal/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is an Asterisk whose channels and hints a test sets.
type fake struct {
	*amitest.Server
	mu       sync.Mutex
	channels []ami.Message
	hints    []ami.Message
	queues   []ami.Message
	csv      string // Asterisk's file of call detail records
	deny     map[string]bool
}

func newFake(t *testing.T, o ...amitest.Options) *fake {
	f := &fake{Server: amitest.Start(t, o...), deny: map[string]bool{}}
	list := func(action, complete string, items func() []ami.Message) {
		f.Handle(action, func(s *amitest.Session, a ami.Action) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.deny[action] {
				s.Respond(a, "Error", "Message", "Permission denied")
				return
			}
			s.List(a, "will follow", items(), complete)
		})
	}
	list("PJSIPShowEndpoints", "EndpointListComplete", func() []ami.Message {
		return []ami.Message{
			amitest.NewEvent("EndpointList", "ObjectName", "801", "DeviceState", "Not in use"),
			amitest.NewEvent("EndpointList", "ObjectName", "802", "DeviceState", "Not in use"),
			amitest.NewEvent("EndpointList", "ObjectName", "803", "DeviceState", "Unavailable"),
			amitest.NewEvent("EndpointList", "ObjectName", "trunk", "DeviceState", "Not in use"),
		}
	})
	f.Handle("SIPpeers", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Error", "Message", "Invalid/unknown command: SIPpeers. Use Action: ListCommands to show available commands.")
	})
	list("ExtensionStateList", "ExtensionStateListComplete", func() []ami.Message { return f.hints })
	list("DeviceStateList", "DeviceStateListComplete", func() []ami.Message {
		return []ami.Message{
			amitest.NewEvent("DeviceStateChange", "Device", "PJSIP/801", "State", "NOT_INUSE"),
			amitest.NewEvent("DeviceStateChange", "Device", "PJSIP/802", "State", "NOT_INUSE"),
			amitest.NewEvent("DeviceStateChange", "Device", "PJSIP/803", "State", "UNAVAILABLE"),
		}
	})
	list("QueueStatus", "QueueStatusComplete", func() []ami.Message { return f.queues })
	list("CoreShowChannels", "CoreShowChannelsComplete", func() []ami.Message { return f.channels })
	f.Handle("CoreSettings", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "AsteriskVersion", "22.0.0") })
	f.Handle("Command", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Command output follows", "Output", "Call Detail Record (CDR) settings", "Output", "    cdr_manager")
	})
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Originate successfully queued")
	})
	f.hints = []ami.Message{hint("801", "0"), hint("802", "0")}
	return f
}

func hint(exten, status string) ami.Message {
	return amitest.NewEvent("ExtensionStatus", "Exten", exten, "Context", "ext-local", "Hint", "PJSIP/"+exten, "Status", status, "StatusText", "x")
}

// row is one CoreShowChannel, and with another name the snapshot part of any channel event.
func row(event, name, id, linked, state string, more ...string) ami.Message {
	all := []string{"Channel", name, "ChannelState", state, "ChannelStateDesc", "x", "CallerIDNum", "801", "CallerIDName", "Ann",
		"ConnectedLineNum", "802", "ConnectedLineName", "<unknown>", "Context", "from-internal", "Exten", "802", "Uniqueid", id, "Linkedid", linked}
	return amitest.NewEvent(event, append(all, more...)...)
}

func (f *fake) set(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// rig is a switch on a fake, with a durable subscriber.
type rig struct {
	t      *testing.T
	fake   *fake
	sw     *Switch
	sub    *Subscription
	store  *sqlite.DB
	stop   func()
	logged *strings.Builder
}

func newRig(t *testing.T, f *fake, path string) *rig {
	t.Helper()
	return newRigWith(t, f, path, func(*Switch, *sqlite.DB) {})
}

// newRigWith is newRig with something to be done before it runs.
func newRigWith(t *testing.T, f *fake, path string, before func(*Switch, *sqlite.DB)) *rig {
	t.Helper()
	return newRigIn(t, f, sqlite.Options{Path: path}, before)
}

// newRigIn is newRigWith with a file of its own kind.
func newRigIn(t *testing.T, f *fake, file sqlite.Options, before func(*Switch, *sqlite.DB)) *rig {
	t.Helper()
	var logged strings.Builder
	var mu sync.Mutex
	log := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return logged.Write(p)
	}), nil))
	ctx := context.Background()
	file.Logger = log
	store, err := sqlite.Open(ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	o := f.Options()
	o.Want = Wanted
	client := ami.New(o)
	rules := testRules()
	sw, err := New(ctx, Options{Client: client, Store: store, Rules: rules, CDRCSV: f.csv, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	before(sw, store)
	sub, _ := sw.Subscribe(SubscribeOptions{Durable: true})
	r := &rig{t: t, fake: f, sw: sw, sub: sub, store: store, logged: &logged}
	linkCtx, unlink := context.WithCancel(ctx)
	dbCtx, closeDB := context.WithCancel(ctx)
	var link, db sync.WaitGroup
	db.Go(func() { _ = store.Run(dbCtx) })
	link.Go(func() { _ = client.Run(linkCtx) })
	link.Go(func() { _ = sw.Run(ctx) })
	r.stop = sync.OnceFunc(func() {
		unlink()
		link.Wait()
		closeDB()
		db.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// until reads events until one makes ok true, and returns all that were read.
func (r *rig) until(ok func(Event) bool) []Occurrence {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var all []Occurrence
	for {
		batch, err := r.sub.Next(ctx)
		if err != nil {
			r.t.Fatalf("waiting for an event: %v; had:\n%s", err, story(all))
		}
		all = append(all, batch...)
		for _, o := range batch {
			if ok(o.Event) {
				return all
			}
		}
	}
}

func (r *rig) complete() {
	r.t.Helper()
	deadline := time.After(10 * time.Second)
	for !r.sw.Status().Complete {
		select {
		case <-deadline:
			r.t.Fatalf("never complete: %+v", r.sw.Status())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func isEnd(e Event) bool   { _, ok := e.(CallEnded); return ok }
func isStart(e Event) bool { _, ok := e.(CallStarted); return ok }

func ends(events []Occurrence) (list []CallEnded) {
	for _, o := range events {
		if e, ok := o.Event.(CallEnded); ok {
			list = append(list, e)
		}
	}
	return list
}

func TestPictureAfterLogin(t *testing.T) {
	f := newFake(t)
	f.channels = []ami.Message{
		row("CoreShowChannel", "PJSIP/801-00000001", "1.1", "1.1", "6", "Duration", "00:01:40", "BridgeId", "b1"),
		row("CoreShowChannel", "PJSIP/802-00000002", "1.2", "1.1", "6", "Duration", "00:01:39", "BridgeId", "b1", "Application", "AppDial"),
		row("CoreShowChannel", "CBAnn/900-00000003;1", "1.3", "1.3", "6"),
	}
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.until(isStart)
	r.complete()
	calls, err := r.sw.Calls()
	if err != nil || len(calls) != 1 || calls[0].ID != "1.1" || len(calls[0].Channels) != 2 {
		t.Fatalf("calls = %+v, %v", calls, err)
	}
	if age := calls[0].First.Age(time.Now()); age < 100*time.Second || age > 130*time.Second {
		t.Errorf("age of the call = %v, want that of its Duration", age)
	}
	list, err := r.sw.Extensions()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range list {
		got = append(got, string(x.Number)+" "+x.Device+" "+x.State.String())
	}
	want := []string{"801 PJSIP/801 Idle", "802 PJSIP/802 Idle", "803 PJSIP/803 Unavailable"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if st := r.sw.Status(); st.Asterisk != "22.0.0" || !st.Drivers.PJSIP || st.Drivers.SIP {
		t.Errorf("status = %+v", st)
	}
}

func TestLinkLostInACall(t *testing.T) {
	f := newFake(t)
	f.channels = []ami.Message{
		row("CoreShowChannel", "PJSIP/801-00000001", "1.1", "1.1", "6"),
		row("CoreShowChannel", "PJSIP/802-00000002", "2.1", "2.1", "6"),
	}
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	f.set(func() { f.channels = f.channels[1:] })
	f.Drop()
	f.WaitLogins(2)
	got := ends(r.until(isEnd))
	if len(got) != 1 || got[0].Call.ID != "1.1" || !got[0].Synthetic || got[0].Call.First.Caller.Name != "Ann" {
		t.Fatalf("ends = %+v", got)
	}
	r.complete()
	f.Send(row("Hangup", "PJSIP/802-00000002", "2.1", "2.1", "6", "Cause", "16").String() + "\r\n")
	got = ends(r.until(isEnd))
	if len(got) != 1 || got[0].Call.ID != "2.1" || got[0].Synthetic {
		t.Fatalf("the call that went on ended as %+v", got)
	}
}

func TestHangupReadDuringTheQueryIsNotSynthetic(t *testing.T) {
	f := newFake(t)
	live := row("CoreShowChannel", "PJSIP/801-00000001", "1.1", "1.1", "6")
	f.channels = []ami.Message{live}
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	f.Handle("CoreShowChannels", func(s *amitest.Session, a ami.Action) {
		s.Message(row("Newchannel", "PJSIP/802-00000002", "2.1", "2.1", "4"))
		s.Message(row("Hangup", "PJSIP/801-00000001", "1.1", "1.1", "6", "Cause", "17"))
		s.List(a, "Channels will follow", []ami.Message{row("CoreShowChannel", "PJSIP/802-00000002", "2.1", "2.1", "4")}, "CoreShowChannelsComplete")
	})
	f.Drop()
	f.WaitLogins(2)
	events := r.until(isEnd)
	if got := ends(events); len(got) != 1 || got[0].Synthetic || got[0].Cause != "17" {
		t.Fatalf("ends = %+v", got)
	}
	r.complete()
	calls, err := r.sw.Calls()
	if err != nil || len(calls) != 1 || calls[0].ID != "2.1" {
		t.Fatalf("calls = %+v, %v", calls, err)
	}
}

func TestOpenCallsSurviveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	f := newFake(t)
	f.channels = []ami.Message{
		row("CoreShowChannel", "PJSIP/801-00000001", "1.1", "1.1", "6"),
		row("CoreShowChannel", "PJSIP/802-00000002", "2.1", "2.1", "6"),
	}
	first := newRig(t, f, path)
	first.until(isStart)
	first.complete()
	first.stop() // nothing was acknowledged
	f.set(func() { f.channels = f.channels[1:] })

	second := newRig(t, f, path)
	events := second.until(isEnd)
	if got := ends(events); len(got) != 1 || got[0].Call.ID != "1.1" || !got[0].Synthetic {
		t.Fatalf("ends = %+v", got)
	}
	for _, o := range events {
		if _, ok := o.Event.(CallStarted); ok {
			t.Error("a call that goes on was told as new")
		}
		if e, ok := o.Event.(ExtensionChanged); ok {
			t.Errorf("extension %s told again although nothing changed", e.Exten)
		}
	}
	second.complete()
	second.stop() // the end was not acknowledged: it must be told again

	third := newRig(t, f, path)
	if got := ends(third.until(isEnd)); got[0].Call.ID != "1.1" {
		t.Fatalf("ends = %+v", got)
	}
	third.complete()
	third.sub.Ack(1 << 40)
	third.stop()

	fourth := newRig(t, f, path)
	fourth.complete()
	f.Send(hint("801", "1").String() + "\r\n")
	for _, o := range fourth.until(func(e Event) bool { _, ok := e.(ExtensionChanged); return ok }) {
		if _, ok := o.Event.(CallEnded); ok {
			t.Error("an acknowledged end was told again")
		}
	}
}

func TestMissingPrivileges(t *testing.T) {
	f := newFake(t)
	f.deny["CoreShowChannels"] = true
	f.deny["ExtensionStateList"] = true
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	st := r.sw.Status()
	for _, want := range []string{"CoreShowChannels: Permission denied", "ExtensionStateList: Permission denied"} {
		if !strings.Contains(st.Reason, want) {
			t.Errorf("reason %q does not name %q", st.Reason, want)
		}
	}
}

func TestNotReadyWhileBooting(t *testing.T) {
	f := newFake(t, amitest.Options{Booting: true})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	f.WaitLogins(1)
	if _, err := r.sw.Calls(); !errors.Is(err, ErrOffline) {
		t.Errorf("calls while booting: %v", err)
	}
	f.Boot()
	r.complete()
}

func TestDial(t *testing.T) {
	f := newFake(t)
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	ctx := WithTrace(context.Background(), "req-7")
	id, err := r.sw.Dial(ctx, DialRequest{From: "801", To: "802"})
	if err != nil {
		t.Fatal(err)
	}
	a := f.Wait("Originate")
	for name, want := range map[string]string{
		"Channel": "PJSIP/801", "Exten": "802", "Context": "internal", "Priority": "1", "Async": "true", "Timeout": "30000", "ChannelId": string(id),
	} {
		if got := a.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if !strings.HasPrefix(a.Get("ActionID"), "req-7/"+string(id)+"-") {
		t.Errorf("ActionID = %q", a.Get("ActionID"))
	}
	if len(id) > 32 {
		t.Errorf("id %q is longer than CDR tables take", id)
	}
}

func TestDialRefused(t *testing.T) {
	f := newFake(t)
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	var invalid *InvalidError
	for _, tc := range []struct {
		from, to string
		want     error
		invalid  bool
	}{
		{from: "899", to: "802", want: ErrNotFound},
		{from: "80", to: "802", want: ErrNotFound},
		{from: "803", to: "802", want: ErrNotRegistered},
		{from: "80\r\n1", to: "802", invalid: true},
		{from: "", to: "802", invalid: true},
		{from: "801", to: "", invalid: true},
		{from: "801", to: "802\r\nAction: Ping", invalid: true},
		{from: "801", to: "abc", invalid: true},
		{from: "801", to: strings.Repeat("1", 33), invalid: true},
		{from: "801", to: "80\x002", invalid: true},
		{from: "801", to: "8\xff02", invalid: true},
	} {
		_, err := r.sw.Dial(context.Background(), DialRequest{From: tc.from, To: tc.to})
		if tc.want != nil && !errors.Is(err, tc.want) || tc.invalid && !errors.As(err, &invalid) {
			t.Errorf("Dial(%q, %q) = %v", tc.from, tc.to, err)
		}
	}
	if got := f.Received("Originate"); len(got) != 0 {
		t.Errorf("asterisk was asked: %v", got)
	}
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", "Extension does not exist.") })
	if _, err := r.sw.Dial(context.Background(), DialRequest{From: "801", To: "777"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown number: %v", err)
	}
	f.Handle("Originate", func(*amitest.Session, ami.Action) { f.Drop() })
	if _, err := r.sw.Dial(context.Background(), DialRequest{From: "801", To: "802"}); !errors.Is(err, ErrUnknown) {
		t.Errorf("lost after writing: %v", err)
	}
}

func TestHangupExtension(t *testing.T) {
	f := newFake(t)
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	items := []ami.Message{amitest.NewEvent("ChannelHungup", "Channel", "PJSIP/801-00000001")}
	f.Handle("Hangup", func(s *amitest.Session, a ami.Action) {
		s.List(a, "Channels hung up will follow", items, "ChannelsHungupListComplete")
		items = nil
	})
	if n, err := r.sw.HangupExtension(context.Background(), "801"); n != 1 || err != nil {
		t.Fatalf("hangup = %d, %v", n, err)
	}
	if got := f.Wait("Hangup").Get("Channel"); got != `/^(PJSIP|SIP)\/801-/` {
		t.Errorf("Channel = %q", got)
	}
	if _, err := r.sw.HangupExtension(context.Background(), "801"); !errors.Is(err, ErrNotFound) {
		t.Errorf("second hangup: %v", err)
	}
	var invalid *InvalidError
	if _, err := r.sw.HangupExtension(context.Background(), "801/;.*"); !errors.As(err, &invalid) {
		t.Errorf("hostile extension: %v", err)
	}
}

func TestSlowSubscriberIsCutOff(t *testing.T) {
	f := newFake(t)
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	slow, _ := r.sw.Subscribe(SubscribeOptions{Limit: 3})
	state := []string{"0", "1"}
	for i := range 20 {
		f.Send(hint("801", state[i%2]).String() + "\r\n")
	}
	r.until(func(e Event) bool { x, ok := e.(ExtensionChanged); return ok && x.State == InUse })
	f.Send(hint("802", "2").String() + "\r\n")
	r.until(func(e Event) bool { x, ok := e.(ExtensionChanged); return ok && x.Exten == "802" && x.State == Busy })
	for {
		_, err := slow.Next(context.Background())
		if errors.Is(err, ErrSlow) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
