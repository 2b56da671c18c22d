package ola

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/blacklist"
	"github.com/dialbridge/dialbridge/coocenter"
	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/internal/trial"
	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const adminPassword = "correct horse"

func coreRules() pbx.Rules {
	return pbx.Rules{
		Context: "from-internal", Timeout: 30 * time.Second, Allow: regexp.MustCompile(`^[0-9*#+]{1,32}$`),
		Extensions: regexp.MustCompile(`^8[0-9]{2}$`), InboundContexts: regexp.MustCompile(`^from-trunk`), Location: time.UTC,
		Groups: []pbx.TrunkGroup{{Name: "222", Endpoints: []string{"PJSIP/trunk"}, Count: 2}, {Name: "default", Count: 9999999}},
		Menus:  map[string]pbx.Menu{"ivr-29": {ID: "29", Name: "呼入语音导航"}, "ivr-7": {ID: "7", Name: "night"}, "ivr-x": {ID: "x"}},
		Sounds: []string{"/var/lib/asterisk/sounds"},
	}
}

// byHand are the extensions that are in Asterisk without us.
var byHand = []string{"808", "809", "810", "811", "812"}

// asterisk is a fake with the extensions 808 to 812: 808 is a static member of queue 630, 809 a paused dynamic one of 630 and 10010,
// 810 is a member of 10010 and has a call, 811 has no phone and 812 is in no queue. One caller waits in 10010.
type asterisk struct {
	*amitest.Server
	mu     sync.Mutex
	paused map[string]string            // by queue and interface: why
	inRoom map[string]map[string]string // by conference: names of channels by Uniqueid

	files  *amitest.Files
	plan   *amitest.Dialplan
	phones *amitest.Phones
}

func newAsterisk(t *testing.T, o ...amitest.Options) *asterisk {
	t.Helper()
	f := &asterisk{Server: amitest.Start(t, o...), paused: map[string]string{"630 PJSIP/809": "lunch", "10010 PJSIP/809": "lunch"}}
	list := func(action string, items func() []ami.Message) {
		f.Handle(action, func(s *amitest.Session, a ami.Action) { s.List(a, "will follow", items(), action+"Complete") })
	}
	f.files, f.plan = f.ServeFiles(amitest.WizardFile), f.ServeDialplan("from-internal", "out")
	f.phones = f.ServePhones(f.files, byHand...)
	f.plan.Put("from-internal", "808", "1", "Dial", "PJSIP/808")
	f.plan.Put("from-internal", "13800138000", "1", "Dial", "PJSIP/13800138000@trunk")
	f.plan.Put("ivr-29", "s", "1", "Answer", "")
	var devices []ami.Message
	for _, x := range [][2]string{{"808", "NOT_INUSE"}, {"809", "NOT_INUSE"}, {"810", "INUSE"}, {"811", "UNAVAILABLE"}, {"812", "NOT_INUSE"}} {
		devices = append(devices, amitest.NewEvent("DeviceStateChange", "Device", "PJSIP/"+x[0], "State", x[1]))
	}
	list("PJSIPShowEndpoints", func() (endpoints []ami.Message) {
		for _, n := range f.phones.Loaded() {
			endpoints = append(endpoints, amitest.NewEvent("EndpointList", "ObjectName", n))
		}
		return endpoints
	})
	list("ExtensionStateList", func() []ami.Message { return nil })
	list("DeviceStateList", func() []ami.Message { return devices })
	list("CoreShowChannels", func() []ami.Message {
		return []ami.Message{
			channel("PJSIP/trunk-00000001", "1795286308.1", "13812345678", "810", "from-trunk"),
			channel("PJSIP/810-00000002", "1795286308.2", "810", "13812345678", "from-internal", "Application", "AppQueue"),
		}
	})
	list("PJSIPShowContacts", func() []ami.Message {
		return []ami.Message{
			amitest.NewEvent("ContactList", "Endpoint", "808", "ViaAddr", "192.168.12.4", "Status", "Reachable"),
			amitest.NewEvent("ContactList", "Endpoint", "810", "ViaAddr", "192.168.12.5", "Status", "NonQualified"),
		}
	})
	f.Handle("CoreSettings", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "AsteriskVersion", "22.0.0") })
	f.Handle("Command", func(s *amitest.Session, a ami.Action) {
		if f.plan.Command(s, a) {
			return
		}
		s.Respond(a, "Success", "Message", "Command output follows", "Output", "    cdr_manager")
	})
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Originate successfully queued")
		if a.Get("Application") == "ChanSpy" {
			s.Event("ChanSpyStart", "SpyerChannel", strings.TrimSuffix(a.Get("Channel"), "/n")+"-00000001;1", "SpyerUniqueid", a.Get("ChannelId"),
				"SpyeeChannel", "PJSIP/810-00000002", "SpyeeUniqueid", "1795286308.2")
		}
	})
	f.Handle("Setvar", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success") })
	f.Handle("Hangup", func(s *amitest.Session, a ami.Action) {
		if strings.Contains(a.Get("Channel"), ".c") { // a helper
			s.Respond(a, "Success", "Message", "Channel Hungup")
			s.Event("ChanSpyStop", "SpyerUniqueid", a.Get("Channel"))
			return
		}
		var ended []ami.Message
		if strings.Contains(a.Get("Channel"), "/810-") { // no id that has these digits by chance
			ended = []ami.Message{amitest.NewEvent("ChannelHungup", "Channel", "PJSIP/810-00000002")}
		}
		s.List(a, "Channels hung up will follow", ended, "ChannelsHungupListComplete")
		for range ended {
			s.Event("Hangup", "Channel", "PJSIP/810-00000002", "Uniqueid", "1795286308.2", "Linkedid", "1795286308.1", "ChannelState", "6", "Cause", "16")
		}
	})
	f.handleQueues()
	f.handleConferences()
	return f
}

// secretOf is the password of an extension's phone: all that can be printed is in it.
func secretOf(exten string) string {
	all := make([]byte, 0, 128)
	for c := byte(' ') + 1; c < 0x7f; c++ {
		all = append(all, c)
	}
	return exten + string(all)
}

func channel(name, id, number, other, context string, more ...string) ami.Message {
	return amitest.NewEvent("CoreShowChannel", append([]string{
		"BridgeId", "b1", "Channel", name, "ChannelState", "6", "ChannelStateDesc", "Up", "CallerIDNum", number, "ConnectedLineNum", other, "Context", context,
		"Exten", "10010", "Uniqueid", id, "Linkedid", "1795286308.1", "Duration", "00:00:30",
	}, more...)...)
}

func (f *asterisk) member(event, queue, iface string) ami.Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	membership, paused := "dynamic", "0"
	if iface == "PJSIP/808" {
		membership = "static"
	}
	reason, on := f.paused[queue+" "+iface]
	if on {
		paused = "1"
	}
	return amitest.NewEvent(event, "Queue", queue, "Name", iface, "Location", iface, "MemberName", iface, "Interface", iface, "StateInterface", iface,
		"Membership", membership, "Penalty", "0", "Paused", paused, "PausedReason", reason, "Status", "1")
}

func (f *asterisk) handleQueues() {
	f.Handle("QueueStatus", func(s *amitest.Session, a ami.Action) {
		s.List(a, "Queue status will follow", []ami.Message{
			amitest.NewEvent("QueueParams", "Queue", "630"), f.member("QueueMember", "630", "PJSIP/808"), f.member("QueueMember", "630", "PJSIP/809"),
			amitest.NewEvent("QueueParams", "Queue", "10010"), f.member("QueueMember", "10010", "PJSIP/809"), f.member("QueueMember", "10010", "PJSIP/810"),
			amitest.NewEvent("QueueEntry", "Queue", "10010", "Uniqueid", "33333131", "CallerIDNum", "13012345678", "Wait", "20"),
			amitest.NewEvent("QueueParams", "Queue", "sales"),
		}, "QueueStatusComplete")
	})
	f.Handle("QueueAdd", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Added interface to queue")
		f.mu.Lock()
		if a.Get("Paused") == "true" {
			f.paused[a.Get("Queue")+" "+a.Get("Interface")] = ""
		}
		f.mu.Unlock()
		s.Message(f.member("QueueMemberAdded", a.Get("Queue"), a.Get("Interface")))
	})
	f.Handle("QueueRemove", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Removed interface from queue")
		s.Message(f.member("QueueMemberRemoved", a.Get("Queue"), a.Get("Interface")))
	})
	made := f.HandlerOf("PJSIPShowEndpoint")
	f.Handle("PJSIPShowEndpoint", func(s *amitest.Session, a ami.Action) {
		n := a.Get("Endpoint")
		if !slices.Contains(byHand, n) {
			made(s, a)
			return
		}
		s.List(a, "Following are Events for each object associated with the Endpoint", []ami.Message{
			amitest.NewEvent("AuthDetail", "ObjectName", n, "Username", n, "AuthType", "userpass", "Password", secretOf(n)),
		}, "EndpointDetailComplete")
	})
	f.Handle("QueuePause", func(s *amitest.Session, a ami.Action) {
		f.mu.Lock()
		key := a.Get("Queue") + " " + a.Get("Interface")
		if delete(f.paused, key); a.Get("Paused") == "true" {
			f.paused[key] = a.Get("Reason")
		}
		f.mu.Unlock()
		s.Respond(a, "Success", "Message", "Interface paused successfully")
		s.Message(f.member("QueueMemberPause", a.Get("Queue"), a.Get("Interface")))
	})
}

// rig is the chain from the manager's socket to the HTTP interfaces: this dialect's and, for what both see, that of coocenter.
type rig struct {
	users   *pbx.Users
	notes   notes
	t       *testing.T
	fake    *asterisk
	path    string // of the database
	db      *sqlite.DB
	sw      *pbx.Switch
	api     *API
	web     http.Handler
	token   string
	numbers *blacklist.Numbers
	dir     *pbx.Directory
	list    *pbx.Campaigns
	log     *trial.Log
	close   func()
}

type rigOptions struct {
	path  string
	rules Rules
	limit int // failed log-ins a minute, 0 = 20

	patience *patience // of sockets, nil = as usual
}

func newRig(t *testing.T, f *asterisk, o rigOptions) *rig {
	t.Helper()
	if o.path == "" {
		o.path = filepath.Join(t.TempDir(), "test.db")
	}
	if o.limit == 0 {
		o.limit = 20
	}
	if o.rules.Location == nil {
		o.rules = Rules{PrivateAnswer: "answer", Location: time.UTC}
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
	r.sw, err = pbx.New(ctx, pbx.Options{Client: client, Store: db, Rules: coreRules(), Barred: blacklist.Barred(db), Logger: log})
	r.must(err)
	r.dir, err = pbx.NewDirectory(ctx, pbx.DirectoryOptions{Switch: r.sw, Store: db, Logger: log})
	r.must(err)
	r.list, err = pbx.NewCampaigns(ctx, pbx.CampaignsOptions{Switch: r.sw, Store: db, Logger: log})
	r.must(err)
	users, _, err := pbx.NewUsers(ctx, pbx.UsersOptions{Store: db, AdminPassword: adminPassword, Cost: 8, Failure: time.Millisecond})
	r.must(err)
	outbox, err := webhook.NewOutbox(ctx, db, webhook.OutboxOptions{Logger: log})
	r.must(err)
	numbers, err := blacklist.New(ctx, blacklist.Options{Switch: r.sw, Store: db, Logger: log})
	r.must(err)
	failures := httpd.NewLimiter(o.limit, time.Minute)
	r.api = NewAPI(APIOptions{Switch: r.sw, Directory: r.dir, Campaigns: r.list, Users: users, Numbers: numbers, Failures: failures, Rules: o.rules, Logger: log})
	if o.patience != nil {
		r.api.sockets.limit = *o.patience
	}
	r.users = users
	server, err := httpd.New(httpd.Options{Settings: httpd.Settings{Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}, Logger: log, Audit: r.notes.add})
	r.must(err)
	r.api.Mount(server)
	coocenter.NewAPI(coocenter.APIOptions{
		Switch: r.sw, Numbers: numbers, Outbox: outbox, Failures: failures, Rules: coocenter.Rules{Location: time.UTC}, Now: time.Now, Logger: log,
	}).Mount(server)
	r.numbers = numbers
	r.web, r.token = server.Handler(), r.api.tokens.issue(pbx.User{ID: 1, Login: "admin"})
	r.start(ctx, client, numbers)
	return r
}

// start runs the parts and prepares their end.
func (r *rig) start(ctx context.Context, client *ami.Client, numbers *blacklist.Numbers) {
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
	stopDB := background(r.db.Run)
	ended := make(chan error, 1)
	go func() { ended <- r.sw.Run(ctx) }()
	stopLink, stopNumbers := background(client.Run), background(numbers.Run)
	stopDirectory, stopSockets := background(r.dir.Run), background(r.api.Run)
	stopCampaigns := background(r.list.Run)
	r.close = sync.OnceFunc(func() {
		stopSockets()
		stopCampaigns()
		stopNumbers()
		stopDirectory()
		stopLink()
		r.must(<-ended)
		r.sw.Settle()
		stopDB()
		r.must(r.db.Close())
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

// request is one call of the HTTP interface with the rig's token; header holds names and values by turns.
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
	req.Header.Set(headerToken, r.token)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	r.web.ServeHTTP(rec, req)
	return rec
}

// expect sends a request and compares the answer with one of the dialect's.
func (r *rig) expect(status int, result, method, path, body string, header ...string) http.Header {
	r.t.Helper()
	w := r.request(method, path, body, header...)
	want := `{"code":` + strconv.Itoa(status) + `,"result":"` + result + `"}` + "\n"
	if w.Code != status || w.Body.String() != want {
		r.t.Errorf("%s %s %.60q: %d %s, want %d %s", method, path, body, w.Code, w.Body, status, want)
	}
	return w.Header()
}

// caused lists the actions that Asterisk has got because of requests, without those by which the picture is kept and phones are listed.
func (r *rig) caused() (list []ami.Action) {
	for _, a := range r.fake.Received("") {
		if strings.HasPrefix(a.Get("ActionID"), "request-") && a.Name != "PJSIPShowContacts" {
			list = append(list, a)
		}
	}
	return list
}
