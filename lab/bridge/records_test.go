package bridge_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// A company's calls and what each leaves in the call centre's log. Each scene has queues, numbers and phones of its own, so
// that all run at once. Lengths are those which the phones saw.

// recordsQueues are queues by the extensions that are members of them. {T} is the channel technology.
var recordsQueues = []struct{ name, members, more string }{
	{"640", "{T}/801", ""},
	{"641", "{T}/802", ""},
	{"642", "{T}/803 {T}/804", ""},
	{"643", "", ""},
	{"644", "{T}/820", ""}, // a phone that nobody has registered
	{"645", "{T}/805", "timeout = 2\n"},
	{"646", "{T}/806", ""},
	{"647", "Local/807@from-internal", ""},
	{"648", "{T}/808", ""},
	{"649", "{T}/809", ""},
	{"650", "{T}/810", ""},
	{"651", "Local/811@from-internal/n", ""}, // as FreePBX has them
	{"652", "{T}/813", "context = queue-ways\n"},
}

// recordsDialplan: the provider's numbers 0219900QQQ ring queue QQQ, 0219901QQQ go through the menu to it.
const recordsDialplan = `
[from-trunk](+)
exten => _0219900XXX,1,Goto(ext-scenes,${EXTEN:7},1)
exten => _0219901XXX,1,Set(__SCENE=${EXTEN:7})
 same => n,Goto(ivr-scenes,s,1)
exten => _0219902XXX,1,Dial({T}/${EXTEN:7},20,t)
 same => n,Hangup(${HANGUPCAUSE})
exten => _0219903XXX,1,Dial({T}/${EXTEN:7},2,t)
 same => n,VoiceMail(${EXTEN:7}@default,u)
 same => n,Hangup()
exten => 0219904000,1,Dial({T}/801&{T}/802,20,t)
 same => n,Hangup(${HANGUPCAUSE})
exten => 0219905803,1,Dial({T}/803,2,t)
 same => n,Goto(from-internal,804,1)

[from-internal](+)
include => ext-scenes

[ext-scenes]
exten => _6[45]X,1,Answer()
 same => n,MixMonitor(${UNIQUEID}.wav,b)
 same => n,Queue(${EXTEN},ct,,,${IF($["${EXTEN}" = "645"]?3:300)})
 same => n,GotoIf($["${QUEUESTATUS}" = "CONTINUE"]?survey,s,1)
 same => n,GotoIf($["${EXTEN}" = "645"]?ext-scenes,646,1)
 same => n,Hangup()
exten => 750,1,Park(quick)
exten => _5XXX,1,Dial({T}/${EXTEN:1},3)
 same => n,Hangup()
exten => _4XXX,1,Dial(Local/${EXTEN:1}@from-internal,20)
 same => n,Hangup()

[queue-ways]
exten => 1,1,Dial({T}/814,20,t)
 same => n,Hangup()

[ivr-scenes]
exten => s,1,Answer()
 same => n,Background(vm-enter-num-to-call)
 same => n,WaitExten(4)
exten => 1,1,Goto(ext-scenes,${SCENE},1)
exten => 2,1,Goto(ivr-scenes2,s,1)
exten => i,1,Playback(beeperr)
 same => n,Goto(ext-scenes,${SCENE},1)
exten => t,1,Goto(ext-scenes,${SCENE},1)

[ivr-scenes2]
exten => s,1,Background(vm-enter-num-to-call)
 same => n,WaitExten(4)
exten => 1,1,Goto(ext-scenes,${SCENE},1)
`

// recordsParking is a lot that soon gives back who is parked there.
const recordsParking = `
[quick]
parkpos = 731-735
context = parked-quick
parkingtime = 2
comebacktoorigin = yes
`

// furnish gives a lab the queues and numbers of the scenes.
func furnish(b *bench) {
	b.Helper()
	tech := strings.NewReplacer("{T}", b.lab.Tech)
	var queues strings.Builder
	for _, q := range recordsQueues {
		fmt.Fprintf(&queues, "\n[%s]\nstrategy = ringall\ntimeout = 20\nretry = 1\njoinempty = yes\nringinuse = no\n%s", q.name, q.more)
		for _, m := range strings.Fields(q.members) {
			fmt.Fprintf(&queues, "member => %s,0\n", tech.Replace(m))
		}
	}
	for file, text := range map[string]string{
		"extensions.conf": tech.Replace(recordsDialplan), "queues.conf": queues.String(), "res_parking.conf": recordsParking,
	} {
		path := filepath.Join(b.lab.EtcDir, file)
		old, err := os.ReadFile(path)
		b.must(err)
		b.must(os.WriteFile(path, append(old, text...), 0o600))
	}
	b.cli("dialplan reload")
	b.cli("module reload res_parking.so")
	b.cli("module reload app_queue.so") // unlike "queue reload" it tells the manager
	b.eventually("the daemon to know the new queues", func() bool { return len(b.queueInfo()["650"]) == 1 })
}

// TestRecords plays the scenes on both versions and compares the records with what was done.
func TestRecords(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, version, lab.Options{}, bridge.Options{Extra: "[ivr]\nivr-scenes = 610, working time\nivr-scenes2 = 611, night\n"})
			b.out = b.trunk()
			furnish(b)
			for i, round := range slices.Concat(scenes, scenesOf[version]) {
				t.Run(fmt.Sprintf("round %d", i+1), func(t *testing.T) {
					for _, s := range round {
						t.Run(s.name, func(t *testing.T) {
							t.Parallel()
							here := *b
							here.T, here.since = t, time.Now()
							s.do(&here)
						})
					}
				})
			}
		})
	}
}

// stopwatch measures what the phones see.
type stopwatch struct{ at time.Time }

func watch() *stopwatch { return &stopwatch{time.Now()} }

// lap is how long it took since the last lap.
func (w *stopwatch) lap() time.Duration {
	now := time.Now()
	d := now.Sub(w.at)
	w.at = now
	return d
}

// accountOf waits for the cc_cdr of the call that a number has made in this scene.
func (b *bench) accountOf(caller string) map[string]string {
	b.Helper()
	var found map[string]string
	_, err := b.rec.Until(b.within(30*time.Second), "the record of a call by "+caller, func(all []bridge.Event) bool {
		found = nil
		for _, e := range all {
			if e.Kind == "cc_cdr" && e.Fields["caller"] == caller && e.At.After(b.since) {
				found = e.Fields
			}
		}
		return found != nil
	})
	b.must(err)
	return found
}

// record compares the record of a call with text values, "key=value", and with lengths. A record has whole seconds, what is begun cut off,
// and what a busy machine is late by, the phones count too: up to a second and a half less is right.
func (b *bench) record(caller string, values string, lengths map[string]time.Duration) map[string]string {
	b.Helper()
	got := b.accountOf(caller)
	bad := false
	for _, v := range strings.Fields(values) {
		key, want, _ := strings.Cut(v, "=")
		if got[key] != want {
			bad = true
			b.Errorf("%s = %q, want %q", key, got[key], want)
		}
	}
	for key, want := range lengths {
		n, err := strconv.Atoi(got[key])
		if off := float64(n) - want.Seconds(); err != nil || off < -1.5 || off > 1 {
			bad = true
			b.Errorf("%s = %q, want %.1f, at most 1.5 less and 1 more", key, got[key], want.Seconds())
		}
	}
	if bad {
		b.Logf("the record: %v", got)
	}
	return got
}

// fromOutside calls one of the provider's numbers under a number of the scene's own.
func (b *bench) fromOutside(caller, did string) *phone.Call {
	b.Helper()
	c, err := b.out.DialWith(b.ctx, did, phone.DialOptions{Number: caller})
	b.must(err)
	return c
}

// press waits until the menu is heard and presses keys.
func (b *bench) press(c *phone.Call, keys string) {
	b.Helper()
	b.must(c.Answered(b.within(10 * time.Second)))
	b.must(c.Received(b.within(5*time.Second), 10))
	if keys != "" {
		b.must(c.SendDTMF(b.ctx, keys, phone.RFC2833))
	}
}

// wait lets time pass, which is what these scenes measure.
func (b *bench) wait(d time.Duration) {
	b.Helper()
	select {
	case <-time.After(d):
	case <-b.ctx.Done():
		b.Fatal(b.ctx.Err())
	}
}

func (b *bench) over(c *phone.Call) {
	b.Helper()
	_, err := c.Ended(b.within(15 * time.Second))
	b.must(err)
}

// rings waits until a phone rings.
func (b *bench) rings(p *phone.Phone) *phone.Call {
	b.Helper()
	c, err := p.Accept(b.within(10 * time.Second))
	b.must(err)
	return c
}

// waits reports whether a caller waits in a queue, as Asterisk sees it.
func (b *bench) waits(queue, caller string) bool {
	b.Helper()
	for _, ch := range strings.Split(b.cli("core show channels concise"), "\n") {
		if f := strings.Split(ch, "!"); len(f) > 7 && f[5] == "Queue" && strings.HasPrefix(f[6], queue) && f[7] == caller {
			return true
		}
	}
	return false
}

// entry is one line of a call's time line.
type entry struct{ Type, Extension, Place string }

// timeline is that of the live call of a number.
func (b *bench) timeline(caller string) []entry {
	b.Helper()
	for _, e := range b.rec.Events() {
		if e.Kind == "dialbegin" && e.Fields["calleridnum"] == caller && e.At.After(b.since) {
			return b.story(e.Call()).Timeline
		}
	}
	return nil
}

// parked waits until the live call of a number is parked, and returns the space.
func (b *bench) parked(caller string) (space string) {
	b.Helper()
	b.eventually("the call to be parked", func() bool {
		for _, sp := range b.timeline(caller) {
			if sp.Type == "park" {
				space = sp.Place
			}
		}
		return space != ""
	})
	return space
}

// story is a call as calls/{uniqueid} tells it.
func (b *bench) story(id string) (call struct {
	Ended    bool
	Agents   []struct{ Extension string }
	Timeline []entry
},
) {
	b.Helper()
	reply := struct{ Data any }{&call}
	b.get("calls/"+id, &reply)
	return call
}

// shares checks which extensions had a part in a call, in the order of their coming.
func (b *bench) shares(id string, want ...string) {
	b.Helper()
	var got []string
	for _, a := range b.story(id).Agents {
		got = append(got, a.Extension)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		b.Errorf("extensions in the call: %v, want %v", got, want)
	}
}

// recordsOf counts the cc_cdr of a caller that were told under different ids.
func (b *bench) recordsOf(caller string) int {
	ids := map[string]bool{}
	for _, e := range b.rec.Events() {
		if e.Kind == "cc_cdr" && e.Fields["caller"] == caller {
			ids[e.ID] = true
		}
	}
	return len(ids)
}
