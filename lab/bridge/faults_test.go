package bridge_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// forBoth runs a test on both versions of Asterisk.
func forBoth(t *testing.T, do func(t *testing.T, version string)) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			do(t, version)
		})
	}
}

// talk sets up a call that lasts until it is ended.
func (b *bench) talk(from, to *phone.Phone) *phone.Call {
	b.Helper()
	to.Behave(phone.Behaviour{RingFor: 100 * time.Millisecond})
	c := b.dial(from, to.Number())
	b.must(c.Answered(b.within(10 * time.Second)))
	return c
}

func (b *bench) liveCalls() (rows []struct{ CallerIDNum, ConnectedLineNum string }) {
	b.Helper()
	code, body, err := b.d.Post(b.ctx, "/coocenter-api/extensions/current-calls")
	b.must(err)
	var reply struct {
		Data []struct{ CallerIDNum, ConnectedLineNum string }
	}
	if err := json.Unmarshal([]byte(body), &reply); err != nil || code != http.StatusOK {
		b.Fatalf("current-calls: %d %s %v", code, body, err)
	}
	return reply.Data
}

// kinds lists the events of a call in the order in which they first came.
func kinds(events []bridge.Event, call string) (list []string) {
	seen := map[string]bool{}
	for _, e := range events {
		if e.Call() == call && !seen[e.ID] && e.Status == http.StatusOK {
			seen[e.ID] = true
			list = append(list, e.Kind)
		}
	}
	return list
}

func count(list []string, what string) (n int) {
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

// ended waits for the hangup of a call.
func (b *bench) ended(call string) []string {
	b.Helper()
	events, err := b.rec.Until(b.within(15*time.Second), "the hangup of "+call, func(all []bridge.Event) bool {
		return slices.Contains(kinds(all, call), "hangup")
	})
	b.must(err)
	return kinds(events, call)
}

// answeredCall waits until the receiver knows that a call was answered, and returns its id.
func (b *bench) answeredCall(from, to string) (id string) {
	b.Helper()
	_, err := b.rec.Until(b.within(10*time.Second), "the answer", func(all []bridge.Event) bool {
		for _, e := range all {
			if e.Kind == "dialend" && e.Fields["calleridnum"] == from && e.Fields["destcalleridnum"] == to && e.Fields["dialstatus"] == "answer" {
				id = e.Call()
			}
		}
		return id != ""
	})
	b.must(err)
	return id
}

// TestKilledDaemon ends the daemon with SIGKILL in the middle of calls: no ghost is listed, no call has two ends or none.
func TestKilledDaemon(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		p := map[string]*phone.Phone{}
		for _, n := range []string{"801", "802", "803", "804", "805", "806"} {
			p[n] = b.phone(n)
		}
		stays, goes := b.talk(p["801"], p["802"]), b.talk(p["803"], p["804"])
		stayID, goID := b.answeredCall("801", "802"), b.answeredCall("803", "804")
		b.must(b.d.Kill())
		b.must(goes.Hangup(b.ctx))
		fresh := b.talk(p["805"], p["806"])
		b.must(b.d.Run(b.within(10 * time.Second)))
		b.must(b.d.Ready(b.within(10 * time.Second)))

		_, events := b.callEvents(1, func(e bridge.Event) bool { return e.Call() == goID })
		if got := kinds(events, goID); count(got, "hangup") != 1 || count(got, "cdr") != 1 {
			t.Errorf("the call that ended meanwhile: %v", got)
		}
		rows := b.liveCalls()
		if len(rows) != 2 {
			t.Errorf("live calls = %+v, want that of 801 and that of 805", rows)
		}
		b.must(stays.Hangup(b.ctx))
		got := b.ended(stayID)
		if count(got, "hangup") != 1 || count(got, "dialbegin") != 1 || got[0] != "dialbegin" {
			t.Errorf("the call that went on: %v", got)
		}
		b.must(fresh.Hangup(b.ctx))
		_, err := b.rec.Until(b.within(10*time.Second), "the hangup of the call begun meanwhile", func(all []bridge.Event) bool {
			return slices.ContainsFunc(all, func(e bridge.Event) bool { return e.Kind == "hangup" && e.Fields["calleridnum"] == "805" })
		})
		b.must(err)
		if rows := b.liveCalls(); len(rows) != 0 {
			t.Errorf("ghosts: %+v", rows)
		}
	})
}

// TestKilledOften kills the daemon at random moments under traffic; every call that the receiver has heard of ends once,
// and the events of each come in their order.
func TestKilledOften(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		callers := []*phone.Phone{b.phone("801"), b.phone("803"), b.phone("805")}
		for _, n := range []string{"802", "804", "806"} {
			b.phone(n).Behave(phone.Behaviour{RingFor: 50 * time.Millisecond, HangupAfter: 150 * time.Millisecond})
		}
		done := make(chan error, len(callers))
		ctx, stop := context.WithCancel(b.ctx)
		defer stop()
		for i, c := range callers {
			go func() { done <- keepCalling(ctx, c, []string{"802", "804", "806"}[i]) }()
		}
		for range 8 {
			wait := time.NewTimer(350 * time.Millisecond)
			<-wait.C
			b.must(b.d.Kill())
			b.must(b.d.Run(b.within(10 * time.Second)))
			b.must(b.d.Ready(b.within(10 * time.Second)))
		}
		stop()
		for range callers {
			b.must(<-done)
		}
		events, err := b.rec.Until(b.within(20*time.Second), "an end of every call", func(all []bridge.Event) bool {
			return len(open(all)) == 0 && len(unrecorded(all)) == 0
		})
		if err != nil {
			for _, e := range events {
				if slices.Contains(open(events), e.Call()) || slices.Contains(unrecorded(events), e.Call()) {
					t.Log(e.Body)
				}
			}
			t.Fatalf("%v: without an end: %v, without a record: %v", err, open(events), unrecorded(events))
		}
		checkOrder(t, events)
		checkRecords(t, events)
	})
}

func keepCalling(ctx context.Context, p *phone.Phone, number string) error {
	for ctx.Err() == nil {
		c, err := p.Dial(context.WithoutCancel(ctx), number)
		if err != nil {
			return err
		}
		if _, err := c.Ended(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// open lists the calls that have an event and no hangup, or no record of the call centre's.
func open(events []bridge.Event) (list []string) {
	ended := map[string]bool{}
	for _, e := range events {
		if id := e.Call(); id != "" && !ended[id] {
			have := kinds(events, id)
			ended[id] = slices.Contains(have, "hangup") && slices.Contains(have, "cc_cdr")
			if !ended[id] {
				list = append(list, id)
			}
		}
	}
	return list
}

// unrecorded lists the calls that were answered and have no record.
func unrecorded(events []bridge.Event) (list []string) {
	recorded := map[string]bool{}
	for _, e := range events {
		if e.Kind == "cdr" {
			recorded[e.Call()] = true
		}
	}
	for _, e := range events {
		if e.Kind == "dialend" && e.Fields["dialstatus"] == "answer" && !recorded[e.Call()] {
			list = append(list, e.Call())
		}
	}
	return list
}

// checkOrder holds that each call has one hangup and no dial event after it, and that no dialend overtakes its dialbegin.
func checkOrder(t *testing.T, events []bridge.Event) {
	t.Helper()
	calls := map[string]bool{}
	for _, e := range events {
		if id := e.Call(); id != "" && e.Kind != "cdr" && !calls[id] {
			calls[id] = true
			list := kinds(events, id)
			if count(list, "hangup") != 1 {
				t.Errorf("call %s has %d hangups: %v", id, count(list, "hangup"), list)
			}
			end, begin, dialEnd := slices.Index(list, "hangup"), slices.Index(list, "dialbegin"), slices.Index(list, "dialend")
			if begin > end || dialEnd > end || dialEnd >= 0 && begin > dialEnd {
				t.Errorf("call %s is out of order: %v", id, list)
			}
		}
	}
	if len(calls) < 10 {
		t.Errorf("only %d calls were made", len(calls))
	}
}

// checkRecords holds that no record of a call comes as two: one that was told may be read again from Asterisk's file.
func checkRecords(t *testing.T, events []bridge.Event) {
	t.Helper()
	told := map[string]int{}
	for _, e := range events {
		told[e.Call()] = 0
	}
	for id := range told {
		list := kinds(events, id)
		if n := len(distinct(events, id)); id != "" && n != count(list, "cdr") {
			t.Errorf("call %s has %d records, %d of them different: %v", id, count(list, "cdr"), n, list)
		}
	}
}

// distinct collects the bodies of a call's records: one that was told and read again must not come as two.
func distinct(events []bridge.Event, id string) map[string]bool {
	bodies := map[string]bool{}
	for _, e := range events {
		if e.Kind == "cdr" && e.Call() == id {
			bodies[e.Body] = true
		}
	}
	return bodies
}

// TestAsteriskRestart stops and kills Asterisk under the daemon with a call on.
func TestAsteriskRestart(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		for _, how := range []struct {
			name string
			end  func(context.Context) error
		}{{"stop", b.lab.Stop}, {"kill", b.lab.Kill}} {
			a, z := b.phone("801"), b.phone("802")
			b.idle("801", "802")
			b.talk(a, z)
			id := b.answeredCall("801", "802")
			b.must(how.end(b.ctx))
			if code, body, err := b.d.Get(b.ctx, "/readyz"); err != nil || code != http.StatusServiceUnavailable {
				t.Errorf("%s: readyz without Asterisk: %d %s %v", how.name, code, body, err)
			}
			if code, _, err := b.d.Post(b.ctx, "/coocenter-api/extensions/current-calls"); err != nil || code != http.StatusServiceUnavailable {
				t.Errorf("%s: current-calls without Asterisk: %d %v", how.name, code, err)
			}
			b.must(b.lab.Boot(b.ctx))
			began := time.Now()
			b.must(b.d.Ready(b.within(5 * time.Second)))
			t.Logf("%s: ready %.2f s after Asterisk", how.name, time.Since(began).Seconds())
			if got := b.ended(id); count(got, "hangup") != 1 {
				t.Errorf("%s: the call that was on: %v", how.name, got)
			}
			if rows := b.liveCalls(); len(rows) != 0 {
				t.Errorf("%s: ghosts: %+v", how.name, rows)
			}
			b.must(a.Close())
			b.must(z.Close())
		}
	})
}

// TestFailingReceiver holds back nothing but what the receiver does not take, and loses nothing.
func TestFailingReceiver(t *testing.T) {
	b := setUp(t, "22", lab.Options{}, bridge.Options{Extra: "[webhook]\ntimeout = 1s\nretry_max = 1s\n"})
	a, z := b.phone("801"), b.phone("802")
	b.idle("801", "802")
	var refused atomic.Int32
	b.rec.Behave(func(w http.ResponseWriter, _ *http.Request) {
		switch refused.Add(1) % 4 {
		case 0:
			http.Error(w, "no", http.StatusInternalServerError)
		case 1:
			w.Header().Set("Location", b.rec.URL)
			w.WriteHeader(http.StatusFound)
		case 2:
			panic(http.ErrAbortHandler) // reset
		case 3:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	c := b.talk(a, z)
	b.must(c.Hangup(b.ctx))
	b.eventually("eight refused attempts", func() bool { return refused.Load() >= 8 })
	b.rec.Behave(nil)
	_, events := b.callEvents(1, func(e bridge.Event) bool { return e.Status == http.StatusOK && dials("801", "802")(e) })
	list := kinds(b.rec.Events(), events[0].Call())
	if len(list) != 5 || list[0] != "dialbegin" || list[1] != "dialend" {
		t.Errorf("events in order of delivery: %v", list)
	}
}

// TestWithoutHelpFromAsterisk runs on an Asterisk that neither tells call records nor the time of its events.
func TestWithoutHelpFromAsterisk(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{NoCDRManager: true, NoTimestamps: true}, bridge.Options{})
		a, z := b.phone("801"), b.phone("802")
		c := b.talk(a, z)
		b.must(c.Heard(b.within(5*time.Second), 60))
		b.must(c.Hangup(b.ctx))
		_, events := b.callEvents(1, dials("801", "802"))
		b.expect(events,
			"dialbegin SIP/801 801>802 SIP/802 by SIP/802",
			"dialend SIP/801 801>802 SIP/802 answer",
			"cdr 801>802 ANSWERED ",
			"hangup 801 802")
		for _, e := range events {
			if e.Kind == "cdr" && (e.Fields["billableseconds"] != "1" || e.Fields["answertime"] == "" || e.Fields["callerid"] != `"Phone 801" <801>`) {
				t.Errorf("composed record: %s", e.Body)
			}
			if ts := e.Fields["timestamp"]; e.Kind == "dialbegin" && len(ts) != len("1534993059.785012") {
				t.Errorf("timestamp %q", ts)
			}
		}
	})
}

// TestAsteriskThatDropsRecords runs on an Asterisk that makes no record of a call that rang nobody, which is its default.
func TestAsteriskThatDropsRecords(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{NoUnanswered: true}, bridge.Options{})
		here := *b
		unregistered(&here)
		a, z := b.phone("803"), b.phone("804")
		z.Behave(phone.Behaviour{Status: 486})
		c := b.dial(a, "804")
		_, err := c.Ended(b.within(10 * time.Second))
		b.must(err)
		_, events := b.callEvents(1, dials("803", "804"))
		b.expect(events,
			"dialbegin SIP/803 803>804 SIP/804 by SIP/804",
			"dialend SIP/803 803>804 SIP/804 busy",
			"cdr 803>804 BUSY ",
			"hangup 803 804")
	})
}

// TestUnusableManagerUser says why it does not work, once, and stays up.
func TestUnusableManagerUser(t *testing.T) {
	for _, tc := range []struct{ name, user, secret, reason string }{
		{"wrong secret", "dialbridge", "not-the-secret", "authentication failed"},
		{"missing privileges", "limited", "limited-secret", "needs read = system"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := lab.ForTest(t, "22", lab.Options{})
			d, err := bridge.Prepare(l, bridge.Options{Binary: binary, Dir: t.TempDir(), Username: tc.user, Secret: tc.secret})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := d.Stop(); err != nil {
					t.Error(err)
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for {
				code, body, err := d.Get(ctx, "/readyz")
				if err != nil {
					t.Fatal(err)
				}
				if code == http.StatusServiceUnavailable && strings.Contains(body, tc.reason) {
					break
				}
			}
			wait := time.NewTimer(4 * time.Second) // several tries
			<-wait.C
			if n := strings.Count(d.Log(), tc.reason); n == 0 || n > 2 {
				t.Errorf("the reason is in the log %d times:\n%s", n, d.Log())
			}
			if strings.Contains(d.Log(), tc.secret) {
				t.Errorf("the log shows a secret:\n%s", d.Log())
			}
		})
	}
}
