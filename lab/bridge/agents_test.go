package bridge_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
)

// manager is a link of the test's own to Asterisk, which says what Asterisk itself holds, in less than a millisecond.
func (b *bench) manager() *ami.Client {
	b.Helper()
	c := ami.New(ami.Options{
		Address: b.lab.AMIAddress, Username: b.lab.AMIUser, Secret: b.lab.AMISecret,
		Want: func(string) bool { return false }, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.ctx))
	var wg sync.WaitGroup
	wg.Go(func() { _ = c.Run(ctx) })
	wg.Go(func() {
		for range c.Stream() {
			continue
		}
	})
	b.Cleanup(func() { cancel(); wg.Wait() })
	b.eventually("a manager link", func() bool { _, err := c.Do(b.ctx, ami.NewAction("Ping")); return err == nil })
	return c
}

// memberIn is what Asterisk holds of an agent in queue 631: "" for no member, else whether it is paused and the state of
// its phone (1 free, 2 in use, 5 or 4 none there).
func (b *bench) memberIn(m *ami.Client, device string) string {
	b.Helper()
	list, err := m.List(b.ctx, ami.NewAction("QueueStatus", "Queue", "631", "Member", device))
	b.must(err)
	for _, e := range list {
		if e.Event() == "QueueMember" && e.Get("Location") == device {
			return "paused " + e.Get("Paused") + ", phone " + e.Get("Status")
		}
	}
	return ""
}

// told is what queue-info says of an agent in queue 631, in the same words but without the phone.
func (b *bench) told(exten string) string {
	b.Helper()
	for _, m := range b.queueInfo()["631"] {
		if m.Name == "sip/"+exten {
			return "paused " + m.Paused
		}
	}
	return ""
}

// TestAgentsAreSeenAtOnce holds that what agent-login, agent-pause and agent-logout have answered is in the very first look
// at Asterisk, at queue-info and at the states of extensions. How long that took is reported.
func TestAgentsAreSeenAtOnce(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		device := b.lab.Tech + "/805"
		b.pauseLamp("9805", device)
		b.phone("805")
		b.idle("805")
		m := b.manager()
		lamp := func() string {
			answer, err := m.Do(b.ctx, ami.NewAction("ExtensionState", "Exten", "9805", "Context", "ext-local"))
			b.must(err)
			return answer.Get("Status")
		}
		before := b.statesTold("805")
		took := map[string][]time.Duration{}
		for round := range 20 {
			for _, step := range []struct {
				path, message string
				params        []string
				member, lamp  string
			}{
				{"queues/agent-login", "login extension success", []string{"extension", "805", "queue", "631"}, "paused 0", "0"},
				{"queues/agent-pause", "Interface paused successfully", []string{"member", "805", "queue", "631", "state", "on"}, "paused 1", "1"},
				{"queues/agent-pause", "Interface unpaused successfully", []string{"member", "805", "state", "off"}, "paused 0", "0"},
				{"queues/agent-logout", "logout extension success", []string{"extension", "805"}, "", ""},
			} {
				b.does(step.path, step.message, step.params...)
				answered := time.Now()
				note := func(by string) { took[by] = append(took[by], time.Since(answered)) }
				looks := []func(){
					func() {
						want := step.member
						if want != "" {
							want += ", phone 1"
						}
						if got := b.memberIn(m, device); got != want {
							t.Errorf("%s: Asterisk has %q, want %q", step.message, got, want)
						}
						note("Asterisk")
					},
					func() {
						if got := b.told("805"); got != step.member {
							t.Errorf("%s: queue-info has %q, want %q", step.message, got, step.member)
						}
						note("queue-info")
					},
					func() {
						if got := b.stateOf("805"); got != "0" {
							t.Errorf("%s: extension-hints-status has %q for a phone that is free", step.message, got)
						}
						if got := lamp(); step.lamp != "" && got != step.lamp {
							t.Errorf("%s: the lamp of the pause is %q, want %q", step.message, got, step.lamp)
						}
						note("extension state")
					},
				}
				for i := range looks {
					looks[(i+round)%len(looks)]() // each is the first one in its turn
				}
			}
		}
		for by, list := range took {
			slices.Sort(list)
			t.Logf("after the answer seen by %s: median %v, at most %v, of %d", by, list[len(list)/2], list[len(list)-1], len(list))
		}
		if after := b.statesTold("805"); after != before {
			t.Errorf("%d states of the phone were told, and nobody has touched it", after-before)
		}
	})
}

// pauseLamp adds the hint of a lamp that shows whether an agent is paused.
func (b *bench) pauseLamp(exten, device string) {
	b.Helper()
	file := filepath.Join(b.lab.EtcDir, "extensions.conf")
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	b.must(err)
	_, err = fmt.Fprintf(f, "\n[ext-local](+)\nexten => %s,hint,Queue:631_pause_%s\n", exten, device)
	b.must(err)
	b.must(f.Close())
	b.cli("dialplan reload")
	if out := b.cli("core show hints"); !strings.Contains(out, exten) {
		b.Fatal(out)
	}
}

// statesTold counts the states of an extension that were pushed.
func (b *bench) statesTold(exten string) (n int) {
	for _, e := range b.rec.Events() {
		if e.Kind == "extensionstatus" && e.Fields["exten"] == exten {
			n++
		}
	}
	return n
}

// TestAgentLogsInWhileTalking holds that a queue knows the state of an agent's phone from the log-in on: the extension's own.
func TestAgentLogsInWhileTalking(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		a, z := b.phone("801"), b.phone("802")
		b.idle("801", "802")
		m := b.manager()
		c := b.talk(a, z)
		b.eventually("802 to talk", func() bool { return b.stateOf("802") == "1" })
		for exten, want := range map[string]string{"802": "phone 2", "806": "phone 5"} {
			b.does("queues/agent-login", "login extension success", "extension", exten, "queue", "631")
			if got := b.memberIn(m, b.lab.Tech+"/"+exten); !strings.HasSuffix(got, want) {
				t.Errorf("%s: Asterisk has %q, want %s", exten, got, want)
			}
			if got, want := b.stateOf(exten), map[string]string{"802": "1", "806": "4"}[exten]; got != want {
				t.Errorf("%s: extension-hints-status has %s, want %s", exten, got, want)
			}
		}
		b.must(c.Hangup(b.ctx))
		b.eventually("the queue to see that 802 is free", func() bool { return strings.HasSuffix(b.memberIn(m, b.lab.Tech+"/802"), "phone 1") })
	})
}
