package bridge_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "dialbridge-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if binary, err = bridge.Build(context.Background(), dir, true); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil { // calls mostly wait
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

var versions = []string{"16", "22"}

// bench is an Asterisk, a daemon beside it, and a receiver.
type bench struct {
	*testing.T
	ctx  context.Context
	lab  *lab.Lab
	rec  *bridge.Receiver
	d    *bridge.Daemon
	opts bridge.Options
	out  *phone.Phone // the provider's side of the trunk

	since time.Time // of the scene
}

func setUp(t *testing.T, version string, lo lab.Options, o bridge.Options) *bench {
	t.Helper()
	return setUpAt(t, version, lo, o, func(l *lab.Lab) string { return l.AMIAddress })
}

// setUpAt is setUp with a daemon that goes to another address for Asterisk's manager.
func setUpAt(t *testing.T, version string, lo lab.Options, o bridge.Options, address func(*lab.Lab) string) *bench {
	t.Helper()
	b := &bench{T: t, ctx: t.Context(), lab: lab.ForTest(t, version, lo)}
	rec, err := bridge.NewReceiver(b.ctx, b.lab.IP)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rec.Close(); err != nil {
			t.Error(err)
		}
	})
	if o.Binary == "" {
		o.Binary = binary
	}
	o.Dir, o.Receiver = t.TempDir(), rec
	b.rec, b.opts = rec, o
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	direct := b.lab.AMIAddress
	b.lab.AMIAddress = address(b.lab)
	b.d, err = bridge.Start(ctx, b.lab, o)
	if b.lab.AMIAddress = direct; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		log := b.d.Log()
		if err := b.d.Stop(); err != nil {
			t.Errorf("the daemon ended with: %v", err)
		}
		if t.Failed() || strings.Contains(log, "DATA RACE") {
			t.Errorf("the daemon's log:\n%s", b.d.Log())
		}
	})
	return b
}

func (b *bench) phone(number string) *phone.Phone {
	b.Helper()
	p, err := b.lab.Phone(b.ctx, number)
	return b.kept(p, err)
}

func (b *bench) trunk() *phone.Phone {
	b.Helper()
	p, err := b.lab.Trunk(b.ctx)
	return b.kept(p, err)
}

func (b *bench) kept(p *phone.Phone, err error) *phone.Phone {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.Close(); err != nil {
			b.Error(err)
		}
	})
	return p
}

// idle waits until the daemon knows that phones are registered and free.
func (b *bench) idle(numbers ...string) {
	b.Helper()
	ctx := b.within(10 * time.Second)
	for {
		code, body, err := b.d.Get(ctx, "/coocenter-api/extensions/extension-hints-status")
		b.must(err)
		var rows []struct{ Extension, Status string }
		if code != 200 {
			b.Fatalf("extension-hints-status: %d %s", code, body)
		}
		b.must(json.Unmarshal([]byte(body), &rows))
		free := 0
		for _, r := range rows {
			if slices.Contains(numbers, r.Extension) && r.Status == "0" {
				free++
			}
		}
		if free == len(numbers) {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			b.Fatalf("%v never became idle: %s", numbers, body)
		}
	}
}

func (b *bench) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(b.ctx, d)
	b.Cleanup(cancel)
	return ctx
}

func (b *bench) dial(p *phone.Phone, number string) *phone.Call {
	b.Helper()
	c, err := p.Dial(b.ctx, number)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// short renders an event of a call for comparison: what matters of it, without ids and times.
func short(e bridge.Event) string {
	f := e.Fields
	device := func(name string) string {
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			return name[:i]
		}
		return name
	}
	switch e.Kind {
	case "dialbegin":
		return fmt.Sprintf("dialbegin %s %s>%s %s by %s", device(f["channel"]), f["calleridnum"], f["destcalleridnum"], device(f["destchannel"]), f["dialstring"])
	case "dialend":
		return fmt.Sprintf("dialend %s %s>%s %s %s", device(f["channel"]), f["calleridnum"], f["destcalleridnum"], device(f["destchannel"]), f["dialstatus"])
	case "hangup":
		return fmt.Sprintf("hangup %s %s", f["calleridnum"], f["connectedlinenum"])
	case "cdr":
		return fmt.Sprintf("cdr %s>%s %s %s", f["source"], f["destination"], f["disposition"], f["calltype"])
	}
	return e.Kind
}

// callEvents waits until a call, the one that has an event which first accepts, has its hangup and so many cdrs, and
// returns all events of it. The hangup and the cdrs come in either order: it is put last.
func (b *bench) callEvents(cdrs int, first func(bridge.Event) bool) (id string, events []bridge.Event) {
	b.Helper()
	_, err := b.rec.Until(b.within(15*time.Second), fmt.Sprintf("the hangup and %d cdr of a call", cdrs), func(all []bridge.Event) bool {
		id, events = "", nil
		for _, e := range all {
			if id == "" && e.Call() != "" && first(e) {
				id = e.Call()
			}
		}
		n := 0
		for _, e := range all {
			if id != "" && e.Call() == id {
				events = append(events, e)
				if e.Kind == "cdr" {
					n++
				}
			}
		}
		return n >= cdrs && hasKind(events, "hangup") && hasKind(events, "cc_cdr")
	})
	if err != nil {
		var have []string
		for _, e := range b.rec.Events() {
			have = append(have, e.Body)
		}
		b.Fatalf("%v:\n%s", err, strings.Join(have, "\n"))
	}
	return id, events
}

func hasKind(events []bridge.Event, kind string) bool {
	return slices.ContainsFunc(events, func(e bridge.Event) bool { return e.Kind == kind })
}

// expect compares the events of a call with what they must be. Order is compared among those that have one: hangup and
// cdr come as Asterisk sends them. Each call has one cc_cdr besides, whose values have tests of their own.
func (b *bench) expect(events []bridge.Event, want ...string) {
	b.Helper()
	var got []string
	records := 0
	for _, e := range events {
		if e.Kind == "cc_cdr" {
			records++
			continue
		}
		got = append(got, short(e))
	}
	if records != 1 {
		b.Errorf("%d cc_cdr of one call", records)
	}
	rank := func(s string) int {
		switch {
		case strings.HasPrefix(s, "hangup"):
			return 2
		case strings.HasPrefix(s, "cdr"):
			return 1
		}
		return 0
	}
	slices.SortStableFunc(got, func(x, y string) int { return rank(x) - rank(y) })
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("events of the call (-want +got):\n%s", diff)
	}
}

func dials(from, to string) func(bridge.Event) bool {
	return func(e bridge.Event) bool {
		return e.Kind == "dialbegin" && e.Fields["calleridnum"] == from && e.Fields["destcalleridnum"] == to
	}
}
