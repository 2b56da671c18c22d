package bridge_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// TestCalls makes the plain calls of a company on a real Asterisk and compares what the receiver gets.
func TestCalls(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, version, lab.Options{}, bridge.Options{})
			b.out = b.trunk()
			for _, c := range plainCalls {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					here := *b
					here.T = t
					c.do(&here)
				})
			}
		})
	}
}

var plainCalls = []struct {
	name string
	do   func(*bench)
}{
	{"answered", answered},
	{"busy", busy},
	{"rejected", rejected},
	{"unanswered", unanswered},
	{"cancelled", cancelled},
	{"unregistered", unregistered},
	{"click-to-dial", clickToDial},
	{"inbound", inbound},
	{"outbound", outbound},
}

func answered(b *bench) {
	a, z := b.phone("816"), b.phone("817")
	z.Behave(phone.Behaviour{RingFor: 300 * time.Millisecond})
	c := b.dial(a, "817")
	b.must(c.Answered(b.within(5 * time.Second)))
	b.must(c.Heard(b.within(5*time.Second), 10))
	b.must(c.Hangup(b.ctx))
	_, events := b.callEvents(1, dials("816", "817"))
	b.expect(events,
		"dialbegin SIP/816 816>817 SIP/817 by SIP/817",
		"dialend SIP/816 816>817 SIP/817 answer",
		"cdr 816>817 ANSWERED ",
		"hangup 816 817")
	for _, e := range events {
		if e.Header.Get("Content-Type") != "application/json; charset=utf-8" || e.ID == "" {
			b.Errorf("headers of %s: %v", e.Kind, e.Header)
		}
		if ts := e.Fields["timestamp"]; e.Kind == "dialbegin" && !strings.Contains(ts, ".") {
			b.Errorf("timestamp %q", ts)
		}
	}
}

func busy(b *bench) {
	a, z := b.phone("803"), b.phone("804")
	z.Behave(phone.Behaviour{Status: 486})
	c := b.dial(a, "804")
	_, err := c.Ended(b.within(10 * time.Second))
	b.must(err)
	_, events := b.callEvents(2, dials("803", "804")) // the second is of the dialplan that goes on
	b.expect(events,
		"dialbegin SIP/803 803>804 SIP/804 by SIP/804",
		"dialend SIP/803 803>804 SIP/804 busy",
		"cdr 803>804 BUSY ",
		"cdr 803>804 BUSY ",
		"hangup 803 804")
}

func rejected(b *bench) {
	a, z := b.phone("805"), b.phone("806")
	z.Behave(phone.Behaviour{Status: 603})
	c := b.dial(a, "806")
	_, err := c.Ended(b.within(10 * time.Second))
	b.must(err)
	_, events := b.callEvents(2, dials("805", "806"))
	status, disposition := "noanswer", "NO ANSWER" // the drivers disagree about a 603
	if b.lab.Version == "16" {
		status, disposition = "busy", "BUSY"
	}
	b.expect(events,
		"dialbegin SIP/805 805>806 SIP/806 by SIP/806",
		"dialend SIP/805 805>806 SIP/806 "+status,
		"cdr 805>806 "+disposition+" ",
		"cdr 805>806 NO ANSWER ",
		"hangup 805 806")
}

func unanswered(b *bench) {
	a, z := b.phone("807"), b.phone("808")
	z.Behave(phone.Behaviour{Never: true})
	c := b.dial(a, "808")
	_, err := c.Ended(b.within(40 * time.Second)) // the dialplan rings for 30 s
	b.must(err)
	_, events := b.callEvents(2, dials("807", "808"))
	b.expect(events,
		"dialbegin SIP/807 807>808 SIP/808 by SIP/808",
		"dialend SIP/807 807>808 SIP/808 noanswer",
		"cdr 807>808 NO ANSWER ",
		"cdr 807>808 NO ANSWER ",
		"hangup 807 808")
}

func cancelled(b *bench) {
	a, z := b.phone("809"), b.phone("810")
	z.Behave(phone.Behaviour{Never: true})
	c := b.dial(a, "810")
	b.must(c.Ringing(b.within(5 * time.Second)))
	b.must(c.Cancel(b.ctx))
	_, events := b.callEvents(1, dials("809", "810"))
	b.expect(events,
		"dialbegin SIP/809 809>810 SIP/810 by SIP/810",
		"dialend SIP/809 809>810 SIP/810 hangup",
		"cdr 809>810 NO ANSWER ",
		"hangup 809 810")
}

func unregistered(b *bench) {
	a := b.phone("811")
	c := b.dial(a, "820")
	_, err := c.Ended(b.within(10 * time.Second))
	b.must(err)
	_, events := b.callEvents(1, func(e bridge.Event) bool { return e.Kind == "cdr" && e.Fields["source"] == "811" })
	b.expect(events, "cdr 811>820 FAILED ", "hangup 811 ")
}

func clickToDial(b *bench) {
	a, z := b.phone("812"), b.phone("813")
	a.Behave(phone.Behaviour{RingFor: 200 * time.Millisecond})
	z.Behave(phone.Behaviour{RingFor: 200 * time.Millisecond, HangupAfter: time.Second})
	b.idle("812", "813")
	code, body, err := b.d.Post(b.ctx, "/coocenter-api/extensions/click-number", "src", "812", "dst", "813")
	if err != nil || code != 200 || !strings.HasPrefix(body, `{"status":"success","message":"Originate successfully queued","data":{"uniqueid":"`) {
		b.Fatalf("click-number: %d %q %v", code, body, err)
	}
	ringing, err := a.Accept(b.within(5 * time.Second))
	b.must(err)
	if got := ringing.Info().Remote.Number; got != "813" {
		b.Errorf("the caller's phone shows %q, want the number that is about to be called", got)
	}
	_, events := b.callEvents(1, dials("812", "813"))
	b.expect(events,
		"dialbegin  >812 SIP/812 by SIP/812",
		"dialend  >812 SIP/812 answer",
		"dialbegin SIP/812 812>813 SIP/813 by SIP/813",
		"dialend SIP/812 812>813 SIP/813 answer",
		"cdr 812>813 ANSWERED ",
		"hangup 812 813")
}

func inbound(b *bench) {
	a := b.phone("801")
	a.Behave(phone.Behaviour{RingFor: 200 * time.Millisecond})
	c, err := b.out.DialWith(b.ctx, "02188880001", phone.DialOptions{Number: "02112345678", Name: "李四"})
	b.must(err)
	b.must(c.Answered(b.within(5 * time.Second)))
	b.must(c.Heard(b.within(5*time.Second), 10))
	b.must(c.Hangup(b.ctx))
	_, events := b.callEvents(1, dials("02112345678", "801"))
	b.expect(events,
		"dialbegin SIP/trunk 02112345678>801 SIP/801 by SIP/801",
		"dialend SIP/trunk 02112345678>801 SIP/801 answer",
		"cdr 02112345678>02188880001 ANSWERED inbound",
		"hangup 02112345678 801")
	for _, e := range events {
		if e.Kind == "hangup" && e.Fields["calleridname"] != "李四" {
			b.Errorf("calleridname = %q", e.Fields["calleridname"])
		}
	}
}

func outbound(b *bench) {
	a := b.phone("815")
	c := b.dial(a, "02155556666")
	b.must(c.Answered(b.within(5 * time.Second)))
	b.must(c.Hangup(b.ctx))
	_, events := b.callEvents(1, func(e bridge.Event) bool { return e.Kind == "dialbegin" && e.Fields["calleridnum"] == "815" })
	connected := "02155556666"
	if b.lab.Version == "16" {
		connected = "" // chan_sip does not take over the number of a trunk
	}
	b.expect(events,
		"dialbegin SIP/815 815>02155556666 SIP/trunk by SIP/02155556666@trunk",
		"dialend SIP/815 815>02155556666 SIP/trunk answer",
		"cdr 815>02155556666 ANSWERED outbound",
		"hangup 815 "+connected)
}
