package bridge_test

import (
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// TestRecordsOfAGap kills the daemon in the middle of calls and compares the records of those that went on, ended, began, and
// began and ended meanwhile.
func TestRecordsOfAGap(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		p := map[string]*phone.Phone{}
		for _, n := range []string{"801", "802", "803", "804", "805", "806", "807", "808", "809", "810"} {
			p[n] = b.phone(n)
		}
		stays := b.talk(p["801"], p["802"])
		w := watch()
		goes := b.talk(p["803"], p["804"])
		p["810"].Behave(phone.Behaviour{Manual: true})
		rings := b.dial(p["809"], "810")
		rung := b.rings(p["810"])
		stayID, goID := b.answeredCall("801", "802"), b.answeredCall("803", "804")
		b.wait(time.Second)
		b.must(b.d.Kill())
		b.wait(2 * time.Second)
		b.must(goes.Hangup(b.ctx))
		went := w.lap()
		b.must(rung.Answer(b.ctx))
		fresh := b.talk(p["805"], p["806"])
		brief := b.talk(p["807"], p["808"])
		b.wait(1500 * time.Millisecond)
		b.must(brief.Hangup(b.ctx))
		b.wait(time.Second)
		b.must(b.d.Run(b.within(10 * time.Second)))
		b.must(b.d.Ready(b.within(10 * time.Second)))

		const cut = 500 * time.Millisecond // Asterisk's records are cut to whole seconds
		got := b.record("803", "called=804 callType=internal cdrState=bridged hangupSide=system hangupCause=LINK_LOST", lengths{"talkingTime": went - cut})
		if got["uuid"] != goID {
			t.Errorf("the record of %s is of %s", goID, got["uuid"])
		}
		got = b.record("807", "called=808 callType=internal cdrState=bridged hangupCause=LINK_LOST", lengths{"talkingTime": 1500*time.Millisecond - cut})
		if kinds := kinds(b.rec.Events(), got["uuid"]); count(kinds, "hangup") != 1 || count(kinds, "cc_cdr") != 1 || count(kinds, "cdr") != 1 {
			t.Errorf("the call that began and ended meanwhile: %v", kinds)
		}
		b.must(stays.Hangup(b.ctx))
		b.must(fresh.Hangup(b.ctx))
		b.must(rings.Hangup(b.ctx))
		got = b.record("801", "called=802 cdrState=bridged hangupSide=caller", lengths{"talkingTime": went + w.lap()})
		if got["uuid"] != stayID || got["hangupCause"] == "LINK_LOST" {
			t.Errorf("the call that went on: %v", got)
		}
		b.record("809", "called=810 cdrState=bridged hangupSide=caller", nil)
		b.record("805", "called=806 cdrState=bridged hangupSide=caller", nil)
		for _, caller := range []string{"801", "803", "805", "807", "809"} {
			b.accountOf(caller)
			if n := b.recordsOf(caller); n != 1 {
				t.Errorf("%d records of the call by %s", n, caller)
			}
		}
		hangups := map[string]int{}
		for _, e := range b.rec.Events() {
			if e.Kind == "hangup" {
				hangups[e.Call()]++
			}
		}
		if len(hangups) != 5 {
			t.Errorf("hangups of %d calls, want 5: %v", len(hangups), hangups)
		}
	})
}
