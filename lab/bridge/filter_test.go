package bridge_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
	"github.com/dialbridge/dialbridge/pbx"
)

// listener is a client of the manager that hears all that Asterisk sends it.
type listener struct {
	*ami.Client
	t *testing.T

	mu     sync.Mutex
	events []string
	heard  chan struct{} // capacity 1
}

// overhear logs in and waits for the outcome of its filters.
func (b *bench) overhear(user, secret string, exclude []ami.Exclusion) *listener {
	b.Helper()
	l := &listener{t: b.T, heard: make(chan struct{}, 1)}
	l.Client = ami.New(ami.Options{Address: b.lab.AMIAddress, Username: user, Secret: secret, Exclude: exclude})
	ctx, cancel := context.WithCancel(b.ctx)
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := l.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	parts.Go(l.hear)
	b.Cleanup(func() { cancel(); parts.Wait() })
	b.eventually(user+" to be logged in", func() bool { return l.Status().Phase == ami.Up && (exclude == nil || l.Status().Filtered) })
	return l
}

func (l *listener) hear() {
	for batch := range l.Stream() {
		l.mu.Lock()
		for _, item := range batch {
			if item.Kind == ami.ItemEvent {
				l.events = append(l.events, item.Message.String())
			}
		}
		l.mu.Unlock()
		select {
		case l.heard <- struct{}{}:
		default:
		}
	}
}

// between waits for two user events and returns what came between them: it is the same for all, in the same order.
func (l *listener) between(from, to string) []string {
	l.t.Helper()
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	index := func(mark string) int {
		return slices.IndexFunc(l.events, func(e string) bool { return strings.Contains(e, "UserEvent: "+mark+"\r\n") })
	}
	for {
		l.mu.Lock()
		i, j := index(from), index(to)
		if i >= 0 && j >= 0 {
			defer l.mu.Unlock()
			return slices.Clone(l.events[i+1 : j])
		}
		l.mu.Unlock()
		select {
		case <-l.heard:
		case <-late.C:
			l.t.Fatalf("%s and %s did not come", from, to)
		}
	}
}

func (b *bench) mark(l *listener, name string) {
	b.Helper()
	_, err := l.Do(b.ctx, ami.NewAction("UserEvent", "UserEvent", name))
	b.must(err)
}

// sifted returns the events that Asterisk should send to who has set the filters.
func sifted(t *testing.T, events []string) (sent []string) {
	t.Helper()
	var out []*regexp.Regexp
	for _, f := range ami.Filters(pbx.Excluded()) {
		out = append(out, regexp.MustCompile("(?s)"+strings.TrimPrefix(f, "!")))
	}
	for _, e := range events {
		if !slices.ContainsFunc(out, func(re *regexp.Regexp) bool { return re.MatchString(e) }) {
			sent = append(sent, e)
		}
	}
	return sent
}

// names are what is worth reading of events that differ.
func names(events []string) (list []string) {
	for _, e := range events {
		name, _, _ := strings.Cut(e, "\r\n")
		if _, rest, ok := strings.Cut(e, "\r\nVariable: "); ok {
			v, _, _ := strings.Cut(rest, "\r\n")
			name += " " + v
		}
		list = append(list, name)
	}
	return list
}

// allow adds a manager user, or lines to the one that was added last, and makes Asterisk read it.
func (b *bench) allow(lines string) {
	b.Helper()
	path := filepath.Join(b.lab.EtcDir, "manager.conf")
	text, err := os.ReadFile(path)
	b.must(err)
	b.must(os.WriteFile(path, append(text, "\n"+lines+"\n"...), 0o600)) //nolint:gosec // as it was
	b.cli("manager reload")
}

// oneRecorded comes in by the trunk, is recorded and ends.
func (b *bench) oneRecorded() {
	b.Helper()
	c, err := b.out.DialWith(b.ctx, "02188880004", phone.DialOptions{Number: "02155551234"})
	b.must(err)
	b.must(c.Answered(b.within(10 * time.Second)))
	b.must(c.Hangup(b.within(10 * time.Second)))
	b.eventually("the end of the channels", func() bool { return strings.Contains(b.cli("core show channels count"), "0 active channels") })
}

// modest is a manager user who may do all that the daemon needs but what needs write=system.
const modest = "[modest]\nsecret = modest-secret\nread = system,call,agent,user,dtmf,reporting,cdr,dialplan\n" +
	"write = call,agent,user,config,command,reporting,originate\n"

// TestFilters compares what Asterisk sends with filters to what it sends without: it keeps back what it is asked to and nothing
// else, for that login alone, also after its configuration was read again; answers and lists are not concerned.
func TestFilters(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := &bench{T: t, ctx: t.Context(), lab: lab.ForTest(t, version, lab.Options{})}
		b.out = b.trunk()
		b.phone("802").Behave(phone.Behaviour{})
		all := b.overhear(b.lab.AMIUser, b.lab.AMISecret, nil)
		some := b.overhear(b.lab.AMIUser, b.lab.AMISecret, pbx.Excluded())
		round := func(n string) {
			b.mark(all, "begin"+n)
			_, err := all.Do(b.ctx, ami.NewAction("Setvar", "Variable", "NOBODY_NEEDS", "Value", "1"))
			b.must(err)
			// A line end that a value has is no line of the event.
			_, err = all.Do(b.ctx, ami.NewAction("Originate", "Channel", "Local/s@odd-values", "Application", "Wait", "Data", "0", "Async", "true"))
			b.must(err)
			b.oneRecorded()
			b.mark(all, "end"+n)
			every, sent := all.between("begin"+n, "end"+n), some.between("begin"+n, "end"+n)
			t.Logf("%s: %d of %d events are sent, %d of %d bytes", n, len(sent), len(every), len(strings.Join(sent, "\r\n")), len(strings.Join(every, "\r\n")))
			if diff := cmp.Diff(names(sifted(t, every)), names(sent)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", n, diff)
			}
			if 3*len(sent) > 2*len(every) {
				t.Errorf("%s: %d of %d events are sent", n, len(sent), len(every))
			}
			kept := strings.Join(names(sent), "\n")
			for _, want := range []string{"Newchannel", "Newexten", "DialEnd"} {
				if !strings.Contains(kept, want) {
					t.Errorf("%s: %s did not come:\n%s", n, want, kept)
				}
			}
			if n := strings.Count(kept, "VarSet MIXMONITOR_FILENAME"); n != 2 {
				t.Errorf("the recording's name came %d times, with one of two lines among them", n)
			}
		}
		b.dialplan(oddValues)
		round("first")
		b.allow("; nothing new")
		round("reloaded")
		// The items of a list are not concerned, whatever they are called.
		if list, err := some.List(b.ctx, ami.NewAction("CoreShowChannels")); err != nil || len(list) != 0 {
			t.Errorf("CoreShowChannels: %v %v", list, err)
		}
	})
}

// oddValues sets a variable that matters to two lines, the second of which looks as if it set another.
const oddValues = "[odd-values]\nexten => s,1,Set(MIXMONITOR_FILENAME=${URIDECODE(a%0d%0aVariable: ABC)})\n same => n,Answer\n same => n,Hangup\n"

func (b *bench) dialplan(lines string) {
	b.Helper()
	path := filepath.Join(b.lab.EtcDir, "extensions.conf")
	text, err := os.ReadFile(path)
	b.must(err)
	b.must(os.WriteFile(path, append(text, "\n"+lines+"\n"...), 0o600)) //nolint:gosec // as it was
	b.cli("dialplan reload")
}

// TestWithoutFilters runs the daemon as a manager user who may not filter: it is ready, tells calls, and says once what could be
// spared. The lines that check proposes do what the daemon would have done.
func TestWithoutFilters(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		l := lab.ForTest(t, version, lab.Options{})
		b := &bench{T: t, ctx: t.Context(), lab: l}
		b.allow(modest)
		rec, err := bridge.NewReceiver(b.ctx, l.IP)
		b.must(err)
		t.Cleanup(func() { _ = rec.Close() })
		b.rec, b.opts = rec, bridge.Options{Binary: binary, Dir: t.TempDir(), Receiver: rec, Username: "modest", Secret: "modest-secret"}
		b.d, err = bridge.Start(b.within(startTime), l, b.opts)
		b.must(err)
		t.Cleanup(func() {
			if err := b.d.Stop(); err != nil {
				t.Errorf("the daemon ended with: %v", err)
			}
		})
		if n := strings.Count(b.d.Log(), "asterisk sends events that nobody needs"); n != 1 {
			t.Errorf("told %d times:\n%s", n, b.d.Log())
		}
		b.out = b.trunk()
		b.phone("802").Behave(phone.Behaviour{})
		b.idle("802")
		b.oneRecorded()
		_, events := b.callEvents(1, dials("02155551234", "802"))
		if !slices.ContainsFunc(events, func(e bridge.Event) bool { return e.Kind == "cdr" && e.Fields["recordfile"] != "" }) {
			t.Errorf("no record with its recording: %+v", events)
		}
		if n := b.metric("dialbridge_ami_filtered"); n != "0" {
			t.Errorf("filtered: %s", n)
		}
		if n := b.unwanted(); n < 5 {
			t.Errorf("%d unwanted events", n)
		}
		b.allow("eventfilter=" + strings.Join(b.proposed(), "\neventfilter=")) // the user is the last of the file
		all := b.overhear(l.AMIUser, l.AMISecret, nil)
		some := b.overhear("modest", "modest-secret", nil)
		b.mark(all, "begin")
		b.oneRecorded()
		b.mark(all, "end")
		every, sent := all.between("begin", "end"), some.between("begin", "end")
		readable := slices.DeleteFunc(sifted(t, every), func(e string) bool { // those of the classes that the user reads
			return strings.Contains(e, "Privilege: security,all")
		})
		if diff := cmp.Diff(names(readable), names(sent)); diff != "" {
			t.Errorf("with the lines in manager.conf (-want +got):\n%s", diff)
		}
	})
}

// metric reads a number of /metrics.
func (b *bench) metric(name string) string {
	b.Helper()
	_, text, err := b.d.Get(b.ctx, "/metrics")
	b.must(err)
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	b.Fatalf("no metric %s", name)
	return ""
}

// proposed runs check and returns the filters that it proposes.
func (b *bench) proposed() (filters []string) {
	b.Helper()
	out, _ := exec.CommandContext(b.ctx, binary, "check", "--config", b.d.Config).Output() // it fails: the user may not write AstDB
	for line := range strings.Lines(string(out)) {
		if _, f, ok := strings.Cut(line, "eventfilter="); ok {
			filters = append(filters, strings.TrimSpace(f))
		}
	}
	if diff := cmp.Diff(ami.Filters(pbx.Excluded()), filters); diff != "" {
		b.Fatalf("check proposes (-want +got):\n%s\n%s", diff, out)
	}
	return filters
}

// TestFilteredDaemon holds that the daemon hears little but what it wants, after a second login too.
func TestFilteredDaemon(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		b.out = b.trunk()
		b.phone("802").Behave(phone.Behaviour{})
		b.idle("802")
		before := b.unwanted()
		b.oneRecorded()
		b.callEvents(1, dials("02155551234", "802"))
		n := b.unwanted() - before
		t.Logf("%d unwanted events of a call", n)
		if n >= 5 { // without filters it is some 20
			t.Errorf("%d unwanted events of a call", n)
		}
		filtered := func(want string) {
			t.Helper()
			b.eventually("dialbridge_ami_filtered to be "+want, func() bool { return b.metric("dialbridge_ami_filtered") == want })
		}
		filtered("1")
		b.must(b.lab.Stop(b.ctx))
		filtered("0")
		b.must(b.lab.Boot(b.ctx))
		filtered("1")
	})
}

func (b *bench) unwanted() (n int) {
	b.Helper()
	_, err := fmt.Sscan(b.metric(`dialbridge_ami_messages_total{kind="unwanted"}`), &n)
	b.must(err)
	return n
}
