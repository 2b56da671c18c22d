package coocenter

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/blacklist"
	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/internal/trial"
	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// forEver is how long ended calls are kept: the vendor's samples are of 2018.
const forEver = 100 * 365 * 24 * time.Hour

// sampleRules are the defaults of api.conf, with a receiver.
func sampleRules() Rules {
	return Rules{
		Push: true, MAC: "68:69:2e:05:0f:9a", DialBeginEvent: "dialbegin", AsteriskDirectory: "/var/spool/asterisk/monitor",
		Location: time.UTC,
	}
}

func coreRules() pbx.Rules {
	return pbx.Rules{
		Context:         "from-internal",
		Timeout:         30 * time.Second,
		Allow:           regexp.MustCompile(`^[0-9*#+]{1,32}$`),
		Extensions:      regexp.MustCompile(`^8[0-9]{2}$`),
		InboundContexts: regexp.MustCompile(`^(from-trunk|from-pstn|from-did).*`),
		Menus:           map[string]pbx.Menu{"ivr": {ID: "610", Name: "working time"}},
		Location:        time.UTC,
	}
}

// asterisk is a fake with the extensions 808 (idle), 809 (ringing), 810 (in use) and 811 (not registered), whose live
// channels a test may set.
type asterisk struct {
	*amitest.Server
	mu       sync.Mutex
	channels []ami.Message
}

func newAsterisk(t *testing.T, o ...amitest.Options) *asterisk {
	t.Helper()
	f := &asterisk{Server: amitest.Start(t, o...)}
	list := func(action, complete string, items func() []ami.Message) {
		f.Handle(action, func(s *amitest.Session, a ami.Action) { s.List(a, "will follow", items(), complete) })
	}
	endpoints, devices := []ami.Message{amitest.NewEvent("EndpointList", "ObjectName", "trunk")}, []ami.Message(nil)
	for _, x := range [][2]string{{"808", "NOT_INUSE"}, {"809", "RINGING"}, {"810", "INUSE"}, {"811", "UNAVAILABLE"}} {
		endpoints = append(endpoints, amitest.NewEvent("EndpointList", "ObjectName", x[0]))
		devices = append(devices, amitest.NewEvent("DeviceStateChange", "Device", "PJSIP/"+x[0], "State", x[1]))
	}
	list("PJSIPShowEndpoints", "EndpointListComplete", func() []ami.Message { return endpoints })
	list("ExtensionStateList", "ExtensionStateListComplete", func() []ami.Message { return nil })
	list("DeviceStateList", "DeviceStateListComplete", func() []ami.Message { return devices })
	list("CoreShowChannels", "CoreShowChannelsComplete", func() []ami.Message {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.channels
	})
	f.Handle("CoreSettings", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "AsteriskVersion", "22.0.0") })
	f.Handle("Command", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Command output follows", "Output", "  Log unanswered calls:       Yes", "Output", "    cdr_manager")
	})
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Originate successfully queued")
	})
	f.Handle("Hangup", func(s *amitest.Session, a ami.Action) {
		var ended []ami.Message
		if strings.Contains(a.Get("Channel"), "810") {
			ended = []ami.Message{amitest.NewEvent("ChannelHungup", "Channel", "PJSIP/810-00000001")}
		}
		s.List(a, "Channels hung up will follow", ended, "ChannelsHungupListComplete")
	})
	f.handleQueues()
	f.handleCalls()
	f.handleAstDB()
	return f
}

// handleQueues gives the fake a queue 630, of which 808 is a static member and 809 a paused dynamic one, and an empty 631.
func (f *asterisk) handleQueues() {
	member := func(event, queue, iface, name, membership, penalty, paused string) ami.Message {
		return amitest.NewEvent(event, "Queue", queue, "Name", name, "Location", iface, "MemberName", name, "Interface", iface,
			"StateInterface", iface, "Membership", membership, "Penalty", penalty, "Paused", paused, "Status", "1")
	}
	f.Handle("QueueStatus", func(s *amitest.Session, a ami.Action) {
		s.List(a, "Queue status will follow", []ami.Message{
			amitest.NewEvent("QueueParams", "Queue", "630"),
			member("QueueMember", "630", "PJSIP/808", "808", "static", "0", "0"),
			member("QueueMember", "630", "Local/809@from-queue/n", "809", "dynamic", "1", "1"),
			member("QueueMember", "630", "DAHDI/4", "analog", "dynamic", "0", "0"),
			amitest.NewEvent("QueueParams", "Queue", "631"),
		}, "QueueStatusComplete")
	})
	f.Handle("QueueAdd", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Added interface to queue")
		s.Message(member("QueueMemberAdded", a.Get("Queue"), a.Get("Interface"), a.Get("MemberName"), "dynamic", a.Get("Penalty"), "0"))
	})
	f.Handle("QueueRemove", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Removed interface from queue")
		s.Message(member("QueueMemberRemoved", a.Get("Queue"), a.Get("Interface"), "", "dynamic", "0", "0"))
	})
	f.Handle("QueuePause", func(s *amitest.Session, a ami.Action) {
		paused := map[string]string{"true": "1", "false": "0"}[a.Get("Paused")]
		s.Respond(a, "Success", "Message", "Interface paused successfully")
		membership := "dynamic"
		if a.Get("Interface") == "PJSIP/808" {
			membership = "static"
		}
		s.Message(member("QueueMemberPause", a.Get("Queue"), a.Get("Interface"), "", membership, "0", paused))
	})
}

// handleCalls lets the fake transfer to every number but 899, listen, and tell where its phones are.
func (f *asterisk) handleCalls() {
	f.Handle("Getvar", func(s *amitest.Session, a ami.Action) {
		value := "1"
		if strings.Contains(a.Get("Variable"), ",899,") {
			value = "0"
		}
		s.Respond(a, "Success", "Variable", a.Get("Variable"), "Value", value)
	})
	done := func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "Message", "Done") }
	f.Handle("PlayDTMF", done)
	for action, bridge := range map[string]string{"Atxfer": "b3", "CancelAtxfer": "b1"} { // 808 goes to consult and comes back
		f.Handle(action, func(s *amitest.Session, a ami.Action) {
			done(s, a)
			half := []string{"Channel", "Local/810@from-internal-00000002;1", "Uniqueid", "1795286308.9", "Linkedid", "1795286308.1", "ChannelState", "5"}
			if bridge == "b3" {
				s.Event("Newchannel", half...)
				s.Event("BridgeEnter", append(half, "BridgeUniqueid", bridge)...)
			} else {
				s.Event("Hangup", half...)
			}
			s.Event("BridgeEnter", "Channel", a.Get("Channel"), "Uniqueid", "1795286308.1", "Linkedid", "1795286308.1", "BridgeUniqueid", bridge)
		})
	}
	f.Handle("BlindTransfer", func(s *amitest.Session, a ami.Action) {
		done(s, a)
		s.Event("BridgeLeave", "Channel", a.Get("Channel"), "Uniqueid", "1795286308.4", "Linkedid", "1795286308.1", "BridgeUniqueid", "b2")
	})
	contact := func(number, uri, via, status, usec string) ami.Message {
		return amitest.NewEvent("ContactList", "ObjectName", number+";@x", "Endpoint", number, "Uri", uri, "ViaAddr", via, "Status", status, "RoundtripUsec", usec)
	}
	f.Handle("PJSIPShowContacts", func(s *amitest.Session, a ami.Action) {
		s.List(a, "A listing of Contacts follows", []ami.Message{
			contact("808", "sip:808@10.0.0.7:5060;ob", "192.168.12.4", "Reachable", "45123"),
			contact("809", "sip:809@192.168.12.5", "", "Unreachable", "N/A"),
			contact("810", "sip:810@[2001:db8::5]:5060", "", "NonQualified", "N/A"),
			contact("trunk", "sip:192.168.12.1", "", "Reachable", "1"),
		}, "ContactListComplete")
	})
}

// rig is the chain from the manager's socket to the outbox, and the dialect's HTTP interface.
type rig struct {
	t       *testing.T
	fake    *asterisk
	path    string // of the database
	db      *sqlite.DB
	sw      *pbx.Switch
	events  *Events
	numbers *blacklist.Numbers
	api     *API
	outbox  *webhook.Outbox
	sender  *webhook.Sender
	web     http.Handler
	log     *trial.Log
	close   func() // ends everything in the daemon's order
}

type rigOptions struct {
	path  string
	rules *Rules
	limit int // failed authentications a minute, 0 = 20
	now   func() time.Time
	audit func(httpd.Note)
}

func newRig(t *testing.T, f *asterisk, o rigOptions) *rig {
	t.Helper()
	if o.path == "" {
		o.path = filepath.Join(t.TempDir(), "test.db")
	}
	rules := sampleRules()
	if o.rules != nil {
		rules = *o.rules
	}
	if o.limit == 0 {
		o.limit = 20
	}
	if o.now == nil {
		o.now = time.Now
	}
	r := &rig{t: t, fake: f, path: o.path, log: &trial.Log{}}
	log := slog.New(slog.NewTextHandler(r.log, nil))
	ctx := context.Background()
	db, err := sqlite.Open(ctx, sqlite.Options{Path: o.path, Logger: log})
	r.must(err)
	r.db = db
	options := f.Options()
	options.Want, options.Logger = pbx.Wanted, log
	client := ami.New(options)
	r.sw, err = pbx.New(ctx, pbx.Options{Client: client, Store: db, Rules: coreRules(), Keep: forEver, Barred: blacklist.Barred(db), Logger: log})
	r.must(err)
	r.outbox, err = webhook.NewOutbox(ctx, db, webhook.OutboxOptions{Logger: log})
	r.must(err)
	r.sender = webhook.NewSender(r.outbox, webhook.SenderOptions{Logger: log})
	r.events = NewEvents(r.sw, r.outbox, rules, log)
	r.numbers, err = blacklist.New(ctx, blacklist.Options{Switch: r.sw, Store: db, Logger: log})
	r.must(err)
	r.api = NewAPI(APIOptions{
		Switch: r.sw, Numbers: r.numbers, Outbox: r.outbox, Failures: httpd.NewLimiter(o.limit, time.Minute), Rules: rules, Now: o.now, Logger: log,
	})
	server, err := httpd.New(httpd.Options{
		Settings: httpd.Settings{Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}},
		Logger:   log,
		Audit:    o.audit,
	})
	r.must(err)
	r.api.Mount(server)
	r.web = server.Handler()
	r.start(ctx, client, db)
	return r
}

// start runs the parts and prepares their end.
func (r *rig) start(ctx context.Context, client *ami.Client, db *sqlite.DB) {
	background := func(run func(context.Context) error) (stop func()) {
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- run(ctx) }()
		return func() {
			cancel()
			if err := <-done; err != nil {
				r.t.Error(err)
			}
		}
	}
	drained := func(run func(context.Context) error) (wait func()) {
		done := make(chan error, 1)
		go func() { done <- run(ctx) }()
		return func() {
			if err := <-done; err != nil {
				r.t.Error(err)
			}
		}
	}
	stopDB, stopSender := background(db.Run), background(r.sender.Run)
	waitEvents, waitSwitch := drained(r.events.Run), drained(r.sw.Run)
	stopLink, stopNumbers := background(client.Run), background(r.numbers.Run)
	r.close = sync.OnceFunc(func() {
		stopNumbers()
		stopLink()
		waitSwitch()
		waitEvents()
		r.sw.Settle()
		stopSender()
		stopDB()
		if err := db.Close(); err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(r.close)
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// complete waits until the picture of Asterisk is complete.
func (r *rig) complete() *rig {
	r.t.Helper()
	r.until("the picture", func() bool { return r.sw.Status().Complete })
	return r
}

// until waits for a condition that nothing can be awaited for.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	trial.Until(r.t, r.log, what, ok)
}

// play sends a capture and waits until all that it caused is stored.
func (r *rig) play(capture string) {
	r.t.Helper()
	r.fake.Play(capture)
	r.fake.Event("ExtensionStatus", "Exten", "899", "Context", "hints", "Hint", "PJSIP/899", "Status", "0", "StatusText", "Idle")
	r.until("the last event of "+capture, func() bool {
		list, err := r.outbox.List(r.t.Context(), webhook.Filter{Kind: "extensionstatus", Key: "ext:899", Limit: 1})
		r.must(err)
		return len(list) == 1
	})
}

// stored returns all events in the outbox in the order in which they were put, with their bodies. Those of the
// extensions that the fake has by itself, and of the sign at the end of a capture, are left out.
func (r *rig) stored() []webhook.Record {
	r.t.Helper()
	list, err := r.outbox.List(r.t.Context(), webhook.Filter{Limit: 100_000})
	r.must(err)
	var out []webhook.Record
	for i := len(list) - 1; i >= 0; i-- {
		switch list[i].Key {
		case "ext:808", "ext:809", "ext:810", "ext:811", "ext:899":
			continue
		}
		rec, err := r.outbox.Show(r.t.Context(), "", list[i].ID)
		r.must(err)
		out = append(out, rec)
	}
	return out
}

// request is one call of the HTTP interface; header holds names and values by turns.
func (r *rig) request(method, target, body string, header ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	var reader io.Reader = http.NoBody
	if body != "" {
		reader = strings.NewReader(body)
	}
	req := httptest.NewRequestWithContext(r.t.Context(), method, target, reader)
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	r.web.ServeHTTP(rec, req)
	return rec
}
