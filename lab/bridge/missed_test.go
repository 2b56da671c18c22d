package bridge_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// TestMissedIsAsSeen holds what a daemon tells that was away against what another one tells that was not: both have one Asterisk, and show the
// same of it as soon as the first one is back.
func TestMissedIsAsSeen(t *testing.T) {
	forAbsences(t, bridge.Options{}, func(b *absent) {
		seer, err := bridge.Start(b.within(startTime), b.lab, bridge.Options{Binary: binary, Dir: b.TempDir()})
		b.must(err)
		b.Cleanup(func() { b.must(seer.Stop()) })
		b.out = b.trunk()
		p := map[string]*phone.Phone{}
		for _, n := range []string{"801", "802", "805"} {
			p[n] = b.phone(n)
			p[n].Behave(phone.Behaviour{Manual: true})
		}
		b.idle("801", "802", "805")
		for line, context := range map[string]string{
			"02188880031,1,Queue(631,t)": "from-trunk", "02188880032,1,Goto(ivr-620,s,1)": "from-trunk",
			"s,1,Answer": "ivr-620", "s,2,WaitExten(120)": "ivr-620", "2,1,Queue(631)": "ivr-620",
		} {
			b.cli("dialplan add extension " + line + " into " + context)
		}
		b.does("queues/agent-login", "login extension success", "extension", "805", "queue", "631")
		same := func(what string, do func()) {
			b.Helper()
			b.misses(do)
			var saw, missed []string
			for end := time.Now().Add(10 * time.Second); ; b.wait(50 * time.Millisecond) {
				if saw, missed = b.looksAt(seer), b.looksAt(b.d); slices.Equal(saw, missed) {
					return
				}
				if time.Now().After(end) {
					b.Fatalf("%s: (-seen +missed)\n%s", what, cmp.Diff(saw, missed))
				}
			}
		}
		b.inAndOut(p, same)
		b.throughAMenu(p, same)
	})
}

// inAndOut: a caller is answered, recorded, parked, retrieved and sent on.
func (b *absent) inAndOut(p map[string]*phone.Phone, same func(string, func())) {
	b.Helper()
	var own *phone.Call
	customer := b.fromOutside("02150000051", "02188880031")
	own = b.rings(p["805"])
	same("an answer", func() { b.must(own.Answer(b.ctx)) })
	same("a recording", func() { b.cli("mixmonitor start " + b.channelOf("805") + " missed.wav") })
	same("a parking", func() {
		b.must(own.Refer(b.ctx, "700"))
		b.over(own)
	})
	same("a retrieval", func() {
		own = b.dial(p["802"], "701")
		b.must(own.Answered(b.within(10 * time.Second)))
	})
	same("a transfer", func() {
		b.must(own.Refer(b.ctx, "801"))
		own = b.rings(p["801"])
	})
	same("the answer to it", func() { b.must(own.Answer(b.ctx)) })
	b.must(customer.Hangup(b.ctx))
	b.over(own)
	got := b.record("02150000051", "queueCode=631", nil)
	if file := got["filePath"]; file != "missed.wav" {
		b.Errorf("the recording is %q", file)
	}
}

// throughAMenu: a caller comes into a menu, and from there to an agent who is rung. Then the agent calls somebody himself.
func (b *absent) throughAMenu(p map[string]*phone.Phone, same func(string, func())) {
	b.Helper()
	var customer, own *phone.Call
	same("a menu", func() {
		customer = b.fromOutside("02150000052", "02188880032")
		b.must(customer.Answered(b.within(10 * time.Second)))
	})
	same("a phone that rings", func() {
		b.must(customer.SendDTMF(b.ctx, "2", phone.RFC2833))
		own = b.rings(p["805"])
	})
	b.must(customer.Hangup(b.ctx))
	b.over(own)
	same("a call of the agent's", func() {
		own = b.dial(p["805"], "801")
		b.must(b.rings(p["801"]).Answer(b.ctx))
		b.must(own.Answered(b.within(10 * time.Second)))
	})
	b.must(own.Hangup(b.ctx))
}

// channelOf is the name of the channel of an extension.
func (b *bench) channelOf(exten string) string {
	b.Helper()
	for line := range strings.Lines(b.cli("core show channels concise")) {
		if name, _, _ := strings.Cut(line, "!"); strings.HasPrefix(name, b.lab.Tech+"/"+exten+"-") {
			return name
		}
	}
	b.Fatalf("%s has no channel", exten)
	return ""
}

// looksAt is what a daemon tells of calls, extensions and 805 on all its interfaces, but for times.
func (b *bench) looksAt(d *bridge.Daemon) (lines []string) {
	b.Helper()
	at := &bench{T: b.T, ctx: b.ctx, lab: b.lab, d: d}
	var extensions []any
	at.get("extensions/extension-hints-status", &extensions)
	parts := map[string]any{"current-calls": []any{at.liveCalls()}, "extension-hints-status": extensions}
	wall := at.wall()
	for _, section := range []string{"calls", "extensions", "queues"} {
		parts["wall "+section] = wall[section]
	}
	s := at.connect("805", lab.Secret("805"))
	s.does("subscribe", "key", "ola.agent.805")
	s.until("what the agent does", func() bool { return len(s.events) > 0 })
	s.cut()
	parts["socket"] = []any{s.events[0]}
	for name, list := range parts {
		for _, row := range list.([]any) {
			text, err := json.Marshal(timeless(row))
			b.must(err)
			lines = append(lines, name+" "+string(text))
		}
	}
	slices.Sort(lines)
	return lines
}

// wall is what the wallboard shows when it is opened.
func (b *bench) wall() (picture map[string]any) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.ctx, http.MethodGet, b.d.URL+"/console/api/live", nil)
	b.must(err)
	answer, err := http.DefaultClient.Do(req)
	b.must(err)
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			b.must(json.Unmarshal([]byte(data), &picture))
			return picture
		}
	}
	b.Fatalf("the feed: %s %v", answer.Status, lines.Err())
	return nil
}

// timeless takes out what says when something happened, how long it lasts and how much there was of it, which who was away cannot know.
func timeless(row any) any {
	switch x := row.(type) {
	case map[string]any:
		for key, value := range x {
			times := []string{"since", "state_since", "agent_since", "oldest", "timestamp", "old_state", "duration", "max_queued_time", "answered", "abandoned", "in_time", "level"}
			if slices.Contains(times, strings.ToLower(key)) {
				delete(x, key)
				continue
			}
			x[key] = timeless(value)
		}
	case []any:
		for i := range x {
			x[i] = timeless(x[i])
		}
	}
	return row
}
