package pbx

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami/amitest"
)

// desk is a picture with agent 801 in the queues 630 and 631, and his clock.
type desk struct {
	*testing.T
	st *state
	at time.Time
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	rules := testRules()
	rules.AfterWork = 30 * time.Second
	d := &desk{T: t, st: newState(&rules), at: time.Unix(1795286000, 0)}
	for _, q := range []string{"630", "631"} {
		d.apply("QueueMemberAdded", "Queue", q, "MemberName", "Agent", "Interface", "PJSIP/801", "Status", "1", "Paused", "0")
	}
	return d
}

func (d *desk) apply(name string, nameValue ...string) {
	d.Helper()
	d.st.apply(amitest.NewEvent(name, nameValue...), d.at)
}

// pass lets time go by, and the core look at its clock.
func (d *desk) pass(s int) {
	d.at = d.at.Add(time.Duration(s) * time.Second)
	d.st.tickKept(d.at)
	d.st.tickWraps(d.at)
}

// works lets the agent take a call and then do after-call work for some seconds.
func (d *desk) works(id string, s int) {
	d.Helper()
	d.serves(id)
	d.obeys()
	d.pass(s)
}

// serves lets the agent take a call out of queue 630 that lasts 10 s.
func (d *desk) serves(id string) {
	d.Helper()
	caller := []string{"Channel", "PJSIP/trunk-" + id, "Uniqueid", id, "Linkedid", id, "Context", "from-trunk", "Exten", "0211", "ChannelState", "6", "CallerIDNum", "0215"}
	d.apply("Newchannel", caller...)
	d.apply("QueueCallerJoin", append(caller, "Queue", "630")...)
	d.apply("AgentConnect", append(caller, "Queue", "630", "Interface", "PJSIP/801")...)
	d.pass(10)
	d.apply("AgentComplete", append(caller, "Queue", "630", "Interface", "PJSIP/801", "Reason", "caller")...)
	d.apply("Hangup", append(caller, "Cause", "16")...)
}

// paused tells what Asterisk tells of a pause.
func (d *desk) paused(queue, on, reason string) {
	d.Helper()
	d.apply("QueueMemberPause", "Queue", queue, "MemberName", "Agent", "Interface", "PJSIP/801", "Status", "1", "Paused", on, "PausedReason", reason)
}

// obeys does what the daemon has asked of Asterisk and returns it.
func (d *desk) obeys() string {
	d.Helper()
	var did []string
	for _, p := range d.st.pauses {
		did = append(did, fmt.Sprintf("%s=%v", p.queue, p.paused))
		reason, on := "", "0"
		if p.paused {
			reason, on = afterWork, "1"
		}
		d.paused(string(p.queue), on, reason)
	}
	d.st.pauses = nil
	return strings.Join(did, " ")
}

// told lists the after-call work of the accounts that were told.
func (d *desk) told() (list []string) {
	for _, o := range d.st.out {
		if e, ok := o.Event.(CallClosed); ok {
			list = append(list, fmt.Sprintf("%s %v", e.Account.ID, e.Account.AfterWork))
		}
	}
	return list
}

func (d *desk) want(what, got, want string) {
	d.Helper()
	if got != want {
		d.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestAfterWork(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*desk)
		told string // accounts
		left string // what is asked of Asterisk last
	}{
		{"released when the time is over", func(d *desk) {
			d.serves("1.1")
			d.want("asked after the call", d.obeys(), "630=true 631=true")
			d.pass(29)
			d.want("asked before the time", d.obeys(), "")
			d.pass(1)
		}, "1.1 30s", "630=false 631=false"},
		{"released by hand in one queue", func(d *desk) {
			d.works("1.1", 12)
			d.paused("631", "0", "")
		}, "1.1 12s", "630=false"},
		{"paused by hand before the end of the call", func(d *desk) {
			d.paused("630", "1", "lunch")
			d.paused("631", "1", "")
			d.serves("1.1")
		}, "1.1 0s", ""},
		{"paused by hand in one queue only", func(d *desk) {
			d.paused("630", "1", "lunch")
			d.serves("1.1")
			d.want("asked after the call", d.obeys(), "631=true")
			d.pass(30)
		}, "1.1 30s", "631=false"},
		{"a pause by hand takes over, queue by queue", func(d *desk) {
			d.works("1.1", 5)
			d.paused("630", "1", "lunch")
			d.want("asked in the middle of it", d.obeys(), "")
			d.paused("631", "1", "lunch")
			d.pass(60)
		}, "1.1 5s", ""},
		{"the next call begins before the time is over", func(d *desk) {
			d.works("1.1", 5)
			d.serves("1.2")
			d.want("asked after the second", d.obeys(), "")
			d.pass(30)
		}, "1.1 15s,1.2 30s", "630=false 631=false"},
		{"signed out meanwhile", func(d *desk) {
			d.works("1.1", 7)
			for _, q := range []string{"630", "631"} {
				d.apply("QueueMemberRemoved", "Queue", q, "MemberName", "Agent", "Interface", "PJSIP/801", "Paused", "1", "PausedReason", afterWork)
			}
		}, "1.1 7s", ""},
		{"Asterisk never told the pause", func(d *desk) {
			d.serves("1.1")
			d.st.pauses = nil
			d.pass(30)
		}, "1.1 0s", ""},
		{"found paused by nobody after a restart", func(d *desk) {
			d.st.queues["630"].members[0].Paused, d.st.queues["630"].members[0].Reason = true, afterWork
			d.st.reconcileWraps(time.Time{})
		}, "", "630=false"},
		{"let go in one queue before the pause has come to the other", func(d *desk) {
			d.serves("1.1")
			d.st.pauses = nil
			d.paused("630", "1", afterWork)
			d.paused("630", "0", "")
			d.st.pauses = nil
			d.paused("631", "1", afterWork)
		}, "1.1 0s", "631=false"},
		{"Asterisk began anew: the rest of the time", func(d *desk) {
			d.works("1.1", 3)
			for _, q := range []QueueName{"630", "631"} {
				d.st.queues[q].members[0].Paused, d.st.queues[q].members[0].Reason = false, ""
			}
			d.st.at = d.at
			d.st.reconcileWraps(d.at)
		}, "", "630=true 631=true"},
		{"Asterisk was asked for everything while the pause was on its way", func(d *desk) {
			d.serves("1.1")
			d.st.at = d.at
			d.st.reconcileWraps(time.Unix(0, 0))
			d.obeys()
			d.pass(12)
			d.paused("630", "0", "")
		}, "1.1 12s", "631=false"},
		{"Asterisk was asked for everything and does not know of a pause", func(d *desk) {
			d.serves("1.1")
			d.pass(6)
			d.st.at = d.at
			d.st.reconcileWraps(time.Unix(0, 0))
			d.st.pauses = nil
		}, "1.1 0s", ""},
		{"released while nobody listened", func(d *desk) {
			d.works("1.1", 8)
			for _, q := range []QueueName{"630", "631"} {
				d.st.queues[q].members[0].Paused = false
			}
			d.st.at = d.at
			d.st.reconcileWraps(time.Unix(0, 0))
		}, "1.1 8s", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			c.do(d)
			d.want("told", strings.Join(d.told(), ","), c.told)
			d.want("asked last", d.obeys(), c.left)
		})
	}
}
