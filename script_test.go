package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// asterisk is the scripted Asterisk of a script: extensions 808 and 809 are free, 811 is not registered.
type asterisk struct{ *amitest.Server }

func newAsterisk(s *stage, o amitest.Options) *asterisk {
	f := &asterisk{amitest.Start(s.t, o)}
	list := func(action string, items ...ami.Message) {
		f.Handle(action, func(s *amitest.Session, a ami.Action) { s.List(a, "will follow", items, action+"Complete") })
	}
	var endpoints, devices []ami.Message
	for _, x := range [][2]string{{"808", "NOT_INUSE"}, {"809", "NOT_INUSE"}, {"811", "UNAVAILABLE"}} {
		endpoints = append(endpoints, amitest.NewEvent("EndpointList", "ObjectName", x[0]))
		devices = append(devices, amitest.NewEvent("DeviceStateChange", "Device", "PJSIP/"+x[0], "State", x[1]))
	}
	list("PJSIPShowEndpoints", endpoints...)
	list("ExtensionStateList")
	list("DeviceStateList", devices...)
	list("CoreShowChannels")
	list("QueueStatus", amitest.NewEvent("QueueParams", "Queue", "630"), amitest.NewEvent("QueueMember", "Queue", "630", "Location", "PJSIP/808"))
	say := func(action string, nameValue ...string) {
		f.Handle(action, func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", nameValue...) })
	}
	say("CoreSettings", "AsteriskVersion", "22.0.0")
	say("Originate", "Message", "Originate successfully queued")
	say("ListCommands", commands("")...)
	say("Getvar", "Value", "+0800")
	f.Handle("Ping", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Ping", "Pong", "Timestamp", fmt.Sprintf("%.6f", float64(time.Now().UnixMicro())/1e6))
	})
	f.Handle("ModuleCheck", func(s *amitest.Session, a ami.Action) {
		if a.Get("Module") == "chan_pjsip.so" {
			s.Respond(a, "Success")
			return
		}
		s.Respond(a, "Error", "Message", "Module not loaded")
	})
	f.Handle("Command", func(s *amitest.Session, a ami.Action) {
		output := map[string]string{
			"cdr show status":                          "    cdr_manager",
			"manager show settings":                    "  Timestamp events:          Yes",
			"manager show user bridge":                 "         read perm: system,call,agent,user,dtmf,reporting,cdr,dialplan",
			"core show settings":                       "  Spool directory:             /var/spool/asterisk",
			`_command matchesarray "dialplan show" ""`: "  from-internal from-trunk ivr-610 _EOF_",
		}
		s.Respond(a, "Success", "Message", "Command output follows", "Output", output[a.Get("Command")])
	})
	return f
}

// commands are what the manager user may do, all but one, as ListCommands tells it.
func commands(but string) (nameValue []string) {
	for _, a := range slices.Concat([]string{"Filter"}, neededActions, conferenceActions) {
		if a != but {
			nameValue = append(nameValue, a, "what it does")
		}
	}
	return nameValue
}

// forbid takes an action from the manager user.
func (f *asterisk) forbid(action string) {
	f.Handle(action, func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", "Permission denied") })
	f.Handle("ListCommands", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", commands(action)...) })
}

// asteriskVerb starts and steers the scripted Asterisk; $AMI is its address.
func asteriskVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) > 0, "asterisk start [SECRET] | secret SECRET | refuse | restart | silent ACTION | forbid ACTION | adopt FILE | play CAPTURE | wait ACTION | dials N | logins N | [!] got ACTION TEXT")
	s := stageOf(ts)
	if args[0] == "start" {
		o := amitest.Options{}
		if len(args) == 2 {
			o.Secret = args[1]
		}
		s.fake = newAsterisk(s, o)
		ts.Setenv("AMI", s.fake.Address())
		return
	}
	if s.fake == nil {
		ts.Fatalf("no asterisk was started")
	}
	switch args[0] {
	case "secret":
		s.fake.SetSecret(args[1])
	case "adopt": // the secret that check --fix has made
		found := regexp.MustCompile(`(?m)^secret = (.+)$`).FindStringSubmatch(ts.ReadFile(args[1]))
		if found == nil {
			ts.Fatalf("%s has no secret", args[1])
		}
		s.fake.SetSecret(found[1])
	case "refuse":
		s.fake.Refuse()
		s.fake.Drop()
	case "restart":
		s.fake.Restart()
	case "silent":
		s.fake.Silent(args[1])
	case "forbid":
		s.fake.forbid(args[1])
	case "play":
		s.fake.Play(filepath.Join("ami", "testdata", "captures", args[1]+".ami"))
	case "wait":
		s.fake.Wait(args[1])
	case "logins":
		s.fake.WaitLogins(number(ts, args[1]))
	case "dials":
		s.dials(ts, number(ts, args[1]))
	case "got":
		s.got(ts, neg, args[1], args[2])
	default:
		ts.Fatalf("asterisk cannot %s", args[0])
	}
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

// dials waits until a daemon has tried to connect so often.
func (s *stage) dials(ts *testscript.TestScript, n int) {
	deadline, look := time.Now().Add(patienceOfScripts), time.NewTicker(5*time.Millisecond)
	defer look.Stop()
	for s.fake.Dials() < n {
		if time.Now().After(deadline) {
			ts.Fatalf("%d connections were tried, want %d", s.fake.Dials(), n)
		}
		<-look.C
	}
}

// got looks for a text in the headers of the actions of a name.
func (s *stage) got(ts *testscript.TestScript, neg bool, action, text string) {
	var all strings.Builder
	for _, a := range s.fake.Received(action) {
		for _, f := range a.Fields {
			fmt.Fprintf(&all, "%s: %s\n", f.Name, f.Value)
		}
	}
	if strings.Contains(all.String(), text) == neg {
		ts.Fatalf("asterisk got:\n%s", all.String())
	}
}

// receiver is a customer's URL.
type receiver struct {
	server  *httptest.Server
	mu      sync.Mutex
	got     []string // header and body of each request
	hold    chan struct{}
	status  int
	changed chan struct{}
}

func newReceiver() *receiver {
	r := &receiver{changed: make(chan struct{}), status: http.StatusOK}
	r.server = httptest.NewServer(r)
	return r
}

func (r *receiver) close() {
	r.release()
	r.server.Close()
}

// release lets requests that are held go on.
func (r *receiver) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hold != nil {
		close(r.hold)
		r.hold = nil
	}
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the sender went away
	}
	r.mu.Lock()
	signed := "unsigned"
	if req.Header.Get("webhook-signature") != "" {
		signed = "signed"
	}
	r.got = append(r.got, req.Header.Get("webhook-id")+" "+signed+" "+string(body))
	close(r.changed)
	r.changed = make(chan struct{})
	hold, status := r.hold, r.status
	r.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-req.Context().Done():
		}
	}
	w.WriteHeader(status)
}

// receiverVerb starts and steers a receiver; $NAME is its URL.
func receiverVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) > 0, "receiver NAME [hold | release | status N | wait TEXT | [!] got TEXT]")
	s := stageOf(ts)
	r := s.receivers[args[0]]
	if r == nil {
		r = newReceiver()
		s.receivers[args[0]] = r
		ts.Setenv(args[0], r.server.URL)
		ts.Setenv(args[0]+"PORT", r.server.URL[strings.LastIndexByte(r.server.URL, ':')+1:])
	}
	if len(args) == 1 {
		return
	}
	switch args[1] {
	case "hold":
		r.mu.Lock()
		r.hold = make(chan struct{})
		r.mu.Unlock()
	case "release":
		r.release()
	case "status":
		r.mu.Lock()
		r.status = number(ts, args[2])
		r.mu.Unlock()
	case "wait":
		r.wait(ts, args[2])
	case "got":
		r.mu.Lock()
		defer r.mu.Unlock()
		if all := strings.Join(r.got, "\n"); strings.Contains(all, args[2]) == neg {
			ts.Fatalf("%s got:\n%s", args[0], all)
		}
	default:
		ts.Fatalf("a receiver cannot %s", args[1])
	}
}

// wait waits for a request that holds a text.
func (r *receiver) wait(ts *testscript.TestScript, text string) {
	limit := time.NewTimer(patienceOfScripts)
	defer limit.Stop()
	for {
		r.mu.Lock()
		all, changed := strings.Join(r.got, "\n"), r.changed
		r.mu.Unlock()
		if strings.Contains(all, text) {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			ts.Fatalf("no %s came; the receiver got:\n%s", text, all)
		}
	}
}
