package bridge_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// afterWorkBench is an Asterisk whose agent 806 sits in the queues 646, where he is a static member, and 631.
func afterWorkBench(t *testing.T, version, longest string) (b *bench, agent *phone.Phone) {
	t.Helper()
	b = setUp(t, version, lab.Options{}, bridge.Options{Extra: "[enable]\npausetime = yes\npausetime_max = " + longest + "\n"})
	b.out = b.trunk()
	furnish(b)
	agent = b.phone("806")
	agent.Behave(ring(200 * time.Millisecond))
	b.idle("806")
	b.does("queues/agent-login", "login extension success", "extension", "806", "queue", "631")
	return b, agent
}

// paused lists the queues in which 806 is paused, as Asterisk itself says.
func (b *bench) paused() (list []string) {
	b.Helper()
	for _, q := range []string{"631", "646"} {
		if slices.ContainsFunc(b.membersOf(q), func(line string) bool { return line == "paused" }) {
			list = append(list, q)
		}
	}
	return list
}

// served lets 806 take a call out of its queue; the caller hangs up.
func (b *bench) served(agent *phone.Phone, caller string, during func()) {
	b.Helper()
	b.since = time.Now()
	c := b.fromOutside(caller, "0219900646")
	in := b.incoming(agent)
	b.must(in.Heard(b.within(5*time.Second), 20))
	during()
	b.must(c.Hangup(b.ctx))
	b.over(in)
}

// pausedSoon waits until 806 is paused in just these queues.
func (b *bench) pausedSoon(queues ...string) {
	b.Helper()
	ctx := b.within(10 * time.Second)
	for !slices.Equal(b.paused(), queues) {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			b.Fatalf("paused in %v, want %v:\n%s\n%s\nqueue-info: %v", b.paused(), queues, b.cli("queue show 631"), b.cli("queue show 646"), b.queueInfo())
		}
	}
}

// TestAfterCallWork pauses an agent after each call out of a queue, in all his queues, and lets him go again.
func TestAfterCallWork(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b, agent := afterWorkBench(t, version, "3")
		nothing := func() {}

		b.served(agent, "02150000040", nothing)
		b.pausedSoon("631", "646")
		b.record("02150000040", "agentCode=806 missCause=", lengths{"pauseTime": 3 * time.Second})
		b.pausedSoon()

		b.served(agent, "02150000041", nothing)
		b.pausedSoon("631", "646")
		w := watch()
		b.does("queues/agent-pause", "Interface unpaused successfully", "member", "806", "state", "off")
		b.record("02150000041", "agentCode=806", lengths{"pauseTime": w.lap()})
		b.pausedSoon()

		b.served(agent, "02150000042", nothing)
		b.pausedSoon("631", "646")
		b.does("queues/agent-pause", "Interface unpaused successfully", "member", "806", "state", "off", "queue", "631")
		b.record("02150000042", "agentCode=806", lengths{"pauseTime": 0})
		b.pausedSoon()

		// A pause that was asked for during the call stays, and is nobody's after-call work.
		b.served(agent, "02150000043", func() {
			b.does("queues/agent-pause", "Interface paused successfully", "member", "806", "state", "on", "reason", "lunch")
		})
		b.record("02150000043", "agentCode=806 pauseTime=0", nil)
		b.wait(3500 * time.Millisecond)
		if got := b.paused(); len(got) != 2 {
			t.Errorf("the agent's own pause was taken away: paused in %v", got)
		}
		b.does("queues/agent-pause", "Interface unpaused successfully", "member", "806", "state", "off")

		// A pause that is asked for during after-call work takes its place.
		b.served(agent, "02150000044", nothing)
		b.pausedSoon("631", "646")
		b.does("queues/agent-pause", "Interface paused successfully", "member", "806", "state", "on", "reason", "lunch")
		b.record("02150000044", "agentCode=806", lengths{"pauseTime": 0})
		b.wait(3500 * time.Millisecond)
		if got := b.paused(); len(got) != 2 {
			t.Errorf("the agent's own pause was taken away: paused in %v", got)
		}
	})
}

// TestAfterCallWorkOutlives kills the daemon, and Asterisk, while an agent works on a call: he does not stay paused, and the
// record of the call comes once.
func TestAfterCallWorkOutlives(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b, agent := afterWorkBench(t, version, "4")
		b.served(agent, "02150000045", func() {})
		b.pausedSoon("631", "646")
		b.must(b.d.Kill())
		b.must(b.d.Run(b.within(10 * time.Second)))
		b.must(b.d.Ready(b.within(10 * time.Second)))
		b.record("02150000045", "agentCode=806 hangupSide=caller", lengths{"pauseTime": 4 * time.Second})
		b.pausedSoon()

		// Down for longer than the pause: it ends as soon as somebody can end it.
		b.served(agent, "02150000046", func() {})
		b.pausedSoon("631", "646")
		b.must(b.d.Kill())
		b.wait(5 * time.Second)
		if got := b.paused(); len(got) != 2 {
			t.Fatalf("paused in %v without the daemon", got)
		}
		b.must(b.d.Run(b.within(10 * time.Second)))
		b.must(b.d.Ready(b.within(10 * time.Second)))
		b.pausedSoon()
		b.record("02150000046", "agentCode=806", nil)

		for i, end := range []func(context.Context) error{b.lab.Stop, b.lab.Kill} {
			caller := fmt.Sprintf("0215000005%d", i)
			b.served(agent, caller, func() {})
			b.pausedSoon("631", "646")
			b.must(end(b.ctx))
			b.must(b.lab.Boot(b.ctx))
			b.must(b.d.Ready(b.within(10 * time.Second)))
			b.record(caller, "agentCode=806", nil)
			b.pausedSoon()
			b.must(agent.Close())
			agent = b.phone("806") // a contact that Asterisk has never thought unreachable
			agent.Behave(ring(200 * time.Millisecond))
			b.idle("806")
		}
		for _, caller := range []string{"02150000045", "02150000046"} {
			if n := b.recordsOf(caller); n != 1 {
				t.Errorf("%d records of the call by %s", n, caller)
			}
		}
	})
}

// membersOf tells of each member of a queue "paused" or "free", as Asterisk's console lists it.
func (b *bench) membersOf(queue string) (list []string) {
	b.Helper()
	for _, line := range strings.Split(b.cli("queue show "+queue), "\n") {
		switch {
		case !strings.Contains(line, "/8"):
		case strings.Contains(line, "paused"):
			list = append(list, "paused")
		default:
			list = append(list, "free")
		}
	}
	return list
}
