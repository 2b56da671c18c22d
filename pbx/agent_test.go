package pbx

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/internal/golden"
)

// TestAgentsOfCaptures tells what the agents of real queues did, the same on Asterisk 16 and 22.
func TestAgentsOfCaptures(t *testing.T) {
	for _, name := range []string{"ivr-queue", "ivr-queue-agent-bye", "queue-ringnoanswer", "queue-local-wrapup", "queue-abandon", "queueadmin", "originate"} {
		t.Run(name, func(t *testing.T) {
			told := map[string]string{}
			for _, version := range []string{"16", "22"} {
				_, events := replay(t, filepath.Join(captures, version+"-"+name+".ami"), func(st *state) {
					st.posted, st.rules.AfterWork = true, 5*time.Second
				})
				var agents []Occurrence
				for _, o := range events {
					if _, is := o.Event.(AgentChanged); is {
						agents = append(agents, o)
					}
				}
				told[version] = story(agents)
			}
			if told["16"] != told["22"] {
				t.Errorf("Asterisk 16:\n%s\nAsterisk 22:\n%s", told["16"], told["22"])
			}
			golden.Compare(t, filepath.Join("testdata", "agents", name+".golden"), []byte(told["22"]))
		})
	}
}

// did lists what was told of agent 801 since the last call: each state, and what of a call.
func (d *desk) did() string {
	d.Helper()
	d.st.judgeAgents()
	var list []string
	for _, o := range d.st.out {
		if e, is := o.Event.(AgentChanged); is {
			s := string(e.Agent.State)
			if c := e.Agent.Call; c.Picked {
				s += " picked"
			} else if c.Channel != "" {
				s += " rung"
			}
			list = append(list, s)
		}
	}
	d.st.out = nil
	return strings.Join(list, ", ")
}

// member tells that 801 is a member of a queue, paused for a reason or not.
func (d *desk) member(queue, reason string) {
	d.Helper()
	paused := "1"
	if reason == "" {
		paused = "0"
	}
	d.apply("QueueMemberPause", "Queue", queue, "MemberName", "Agent", "Interface", "PJSIP/801", "Status", "1", "Paused", paused, "PausedReason", reason)
}

// TestAgentStates: what follows from memberships, pauses, calls and after-call work.
func TestAgentStates(t *testing.T) {
	d := newDesk(t)
	d.want("before the queues are known", d.did(), "")
	d.st.reconcile(&snapshot{cdrs: cdrManager}, fates{}, d.at)
	d.want("queues that could not be asked", d.did(), "")
	d.st.recount(true)
	d.want("signed in", d.did(), "ready")
	d.member("630", "lunch")
	d.want("paused in one of two queues", d.did(), "")
	d.member("631", "lunch")
	d.want("paused in both", d.did(), "unready")
	d.member("630", loginReason)
	d.want("just signed in to one, resting in the other", d.did(), "")
	d.member("631", loginReason)
	d.want("just signed in", d.did(), "login")
	d.member("631", "")
	d.want("let go in one", d.did(), "ready")
	d.member("630", "")
	ring := leg("PJSIP/801-1", "2.1", "1.1", "internal", "", "801", "5", "ConnectedLineNum", "0215")
	d.apply("Newchannel", leg("PJSIP/801-1", "2.1", "1.1", "internal", "", "801", "0")...)
	d.want("a channel that does not ring yet", d.did(), "")
	d.apply("Newstate", ring...)
	d.want("rung", d.did(), "busy rung")
	d.member("630", "lunch")
	d.member("631", "lunch")
	d.want("paused while it rings", d.did(), "")
	d.apply("Newstate", leg("PJSIP/801-1", "2.1", "1.1", "internal", "", "801", "6", "ConnectedLineNum", "0215")...)
	d.want("picked up", d.did(), "busy picked")
	d.apply("Hangup", append(ring, "Cause", "16")...)
	d.want("a call while unready returns to unready", d.did(), "unready")
	for _, queue := range []string{"630", "631"} {
		d.apply("QueueMemberRemoved", "Queue", queue, "MemberName", "Agent", "Interface", "PJSIP/801", "Paused", "1")
	}
	d.want("signed out", d.did(), "logout")
	a := d.st.agents["801"]
	if !a.SignedIn.IsZero() || a.Old != AgentUnready || len(a.Queues) != 0 {
		t.Errorf("signed out: %+v", a.Agent)
	}
}

// TestAgentAfterWork: whichever comes first, the end of his channel or what the queue says of the conversation, an agent goes from busy to
// after-call work, and never seems ready between them.
func TestAgentAfterWork(t *testing.T) {
	for _, queueFirst := range []bool{true, false} {
		d := newDesk(t)
		d.st.recount(true)
		caller := leg("PJSIP/trunk-1", "1.1", "1.1", "from-trunk", "0211", "0215", "6")
		agent := leg("PJSIP/801-1", "2.1", "1.1", "internal", "", "801", "6")
		d.apply("Newchannel", caller...)
		d.apply("QueueCallerJoin", append(caller, "Queue", "630")...)
		d.apply("Newchannel", agent...)
		d.apply("AgentConnect", append(caller, "Queue", "630", "Interface", "PJSIP/801")...)
		d.pass(10)
		end := []func(){
			func() {
				d.apply("AgentComplete", append(caller, "Queue", "630", "Interface", "PJSIP/801", "Reason", "agent")...)
			},
			func() { d.apply("Hangup", append(agent, "Cause", "16")...) },
		}
		if !queueFirst {
			slices.Reverse(end)
		}
		end[0]()
		end[1]()
		d.want("after the call", d.did(), "ready, busy picked, acw")
		d.obeys()
		d.want("paused", d.did(), "")
		d.apply("Hangup", append(caller, "Cause", "16")...)
		d.pass(30)
		d.want("the time is over, the pause is not", d.did(), "")
		d.obeys()
		d.want("let go", d.did(), "ready")
	}
	// A queue that never tells the end: he is waited for no longer than the account of the call is.
	d := newDesk(t)
	d.st.recount(true)
	caller, agent := leg("PJSIP/trunk-1", "1.1", "1.1", "from-trunk", "0211", "0215", "6"), leg("PJSIP/801-1", "2.1", "1.1", "internal", "", "801", "6")
	d.apply("Newchannel", caller...)
	d.apply("Newchannel", agent...)
	d.apply("AgentConnect", append(caller, "Queue", "630", "Interface", "PJSIP/801")...)
	d.apply("Hangup", append(agent, "Cause", "16")...)
	d.apply("Hangup", append(caller, "Cause", "16")...)
	d.want("after the call", d.did(), "ready, busy picked, acw")
	d.pass(3)
	d.want("after the queue's time", d.did(), "ready")
}

// TestRemarkStaysWithTheCall: what an order was to keep is in the stored call, outlives the daemon, and comes with the account.
func TestRemarkStaysWithTheCall(t *testing.T) {
	d := newDesk(t)
	d.st.asked["7.c1"] = order{from: "801", number: "802", remark: "order 4711", at: d.at}
	phone := leg("PJSIP/801-1", "7.c1", "7.c1", "internal", "", "801", "5")
	d.apply("Newchannel", phone...)
	body, err := json.Marshal(d.st.calls["7.c1"].stored())
	if err != nil {
		t.Fatal(err)
	}
	again := newDesk(t)
	if err := again.st.restore(body); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*desk{d, again} {
		d.apply("Hangup", append(phone, "Cause", "16")...)
		if a := d.closed(); a.Remark != "order 4711" {
			t.Errorf("account: %q", a.Remark)
		}
	}
}
