package pbx

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// Cases that no capture holds, each from what Asterisk would tell.

// leg is a channel as events carry it.
func leg(name, id, linked, context, exten, number, state string, more ...string) []string {
	return append([]string{
		"Channel", name, "Uniqueid", id, "Linkedid", linked, "Context", context, "Exten", exten, "CallerIDNum", number, "ChannelState", state,
	}, more...)
}

// rung is a dial as DialBegin and DialEnd carry it.
func rung(from, fromID, to, toID, linked, number string, more ...string) []string {
	return append([]string{
		"Channel", from, "Uniqueid", fromID, "Linkedid", linked, "ChannelState", "6", "DestChannel", to, "DestUniqueid", toID, "DestLinkedid", linked,
		"DestCallerIDNum", number, "DialString", to,
	}, more...)
}

// TestLongWaiting: a queue that rings its agents for hours does not push the conversation out of the account, nor let the stored
// call grow without a bound.
func TestLongWaiting(t *testing.T) {
	d := newDesk(t)
	c := leg("PJSIP/trunk-1", "1.1", "1.1", "from-trunk", "0211", "0215", "6")
	d.apply("Newchannel", c...)
	d.apply("QueueCallerJoin", append(c, "Queue", "630")...)
	for n := 2; n < 3000; n++ {
		id, name := fmt.Sprintf("1.%d", n), fmt.Sprintf("PJSIP/802-%d", n)
		d.apply("Newchannel", leg(name, id, "1.1", "internal", "", "802", "5")...)
		d.apply("DialBegin", rung("PJSIP/trunk-1", "1.1", name, id, "1.1", "802")...)
		d.pass(10)
		d.apply("DialEnd", rung("PJSIP/trunk-1", "1.1", name, id, "1.1", "802", "DialStatus", "NOANSWER")...)
		d.apply("Hangup", leg(name, id, "1.1", "internal", "", "802", "5", "Cause", "16")...)
		d.pass(1)
	}
	st := d.st.calls["1.1"].stored()
	if body, err := json.Marshal(st); err != nil || len(body) > 400_000 {
		t.Errorf("%d bytes to be stored at each change, %v", len(body), err)
	}
	agent := leg("PJSIP/801-1", "1.5000", "1.1", "internal", "", "801", "6")
	d.apply("Newchannel", agent...)
	d.apply("DialBegin", rung("PJSIP/trunk-1", "1.1", "PJSIP/801-1", "1.5000", "1.1", "801")...)
	d.apply("DialEnd", rung("PJSIP/trunk-1", "1.1", "PJSIP/801-1", "1.5000", "1.1", "801", "DialStatus", "ANSWER")...)
	d.apply("QueueCallerLeave", append(c, "Queue", "630")...)
	d.apply("AgentConnect", append(c, "Queue", "630", "Interface", "PJSIP/801")...)
	d.apply("BridgeEnter", append(c, "BridgeUniqueid", "b")...)
	d.apply("BridgeEnter", append(agent, "BridgeUniqueid", "b")...)
	d.pass(300)
	d.apply("Hangup", append(agent, "Cause", "16")...)
	d.apply("Hangup", append(c, "Cause", "16")...)
	d.pass(2)
	if a := d.closed(); !a.Answered || a.Talk != 5*time.Minute || a.Agent != "801" || a.Miss != "" || !a.Truncated {
		t.Errorf("answered %v, talk %v, agent %q, miss %q, truncated %v", a.Answered, a.Talk, a.Agent, a.Miss, a.Truncated)
	}
}

// TestFoundOnArrival: calls that were on when the daemon came, whatever order Asterisk lists them in.
func TestFoundOnArrival(t *testing.T) {
	for _, c := range []struct {
		name        string
		first, peer []string
		want        string // direction, called, DID
	}{
		{
			"inbound", leg("PJSIP/trunk-1", "1.1", "1.1", "from-trunk", "0211", "0215", "6", "Application", "Dial"),
			leg("PJSIP/801-2", "1.2", "1.1", "internal", "", "801", "6", "Application", "AppDial"), "inbound 801 0211",
		},
		{
			"inbound, deep in the dialplan", leg("PJSIP/trunk-1", "1.1", "1.1", "ext-queues", "630", "0215", "6", "Application", "Queue"),
			leg("PJSIP/801-2", "1.2", "1.1", "internal", "", "801", "6", "Application", "AppQueue"), "inbound 801 630",
		},
		{
			"outbound", leg("PJSIP/801-2", "1.1", "1.1", "macro-dialout-trunk", "s", "801", "6", "Application", "Dial"),
			leg("PJSIP/trunk-1", "1.2", "1.1", "from-trunk", "", "02155550003", "6", "Application", "AppDial"), "outbound 02155550003 ",
		},
	} {
		d := newDesk(t)
		d.st.reconcile(&snapshot{cdrs: cdrManager, hasChannels: true, channels: []ami.Message{
			amitest.NewEvent("CoreShowChannel", append(c.peer, "BridgeId", "b", "Duration", "00:00:10")...),
			amitest.NewEvent("CoreShowChannel", append(c.first, "BridgeId", "b", "Duration", "00:10:00")...),
		}}, fates{}, d.at)
		d.pass(10)
		d.apply("Hangup", append(c.peer, "Cause", "16")...)
		d.apply("Hangup", append(c.first, "Cause", "16")...)
		a := d.closed()
		d.want(c.name, fmt.Sprintf("%s %s %s", a.Direction, a.Called, a.DID), c.want)
		if a.Duration != 10*time.Minute+10*time.Second || a.Talk != 10*time.Second {
			t.Errorf("%s: duration %v, talk %v", c.name, a.Duration, a.Talk)
		}
	}
}

// TestGaveUpInAGap: why nobody answered is judged as well when nobody listened.
func TestGaveUpInAGap(t *testing.T) {
	d := newDesk(t)
	c := leg("PJSIP/trunk-1", "1.1", "1.1", "from-trunk", "0211", "0215", "6")
	d.apply("Newchannel", c...)
	d.apply("QueueCallerJoin", append(c, "Queue", "630")...)
	d.apply("AgentCalled", append(c, "Queue", "630", "Interface", "PJSIP/801")...)
	d.pass(30)
	d.st.seen = d.at
	d.pass(10)
	d.st.reconcile(&snapshot{cdrs: cdrManager, hasChannels: true}, fates{}, d.at)
	if a := d.closed(); a.Miss != MissUnanswered || !a.LinkLost || a.Duration != 30*time.Second {
		t.Errorf("miss %q, link lost %v, duration %v", a.Miss, a.LinkLost, a.Duration)
	}
}

// TestTalkedInAGap: a phone that rang before the gap, was answered in it and has hung up: its record tells the conversation.
func TestTalkedInAGap(t *testing.T) {
	d := newDesk(t)
	c := leg("PJSIP/802-1", "1.1", "1.1", "internal", "801", "802", "4")
	d.apply("Newchannel", c...)
	d.apply("Newchannel", leg("PJSIP/801-2", "1.2", "1.1", "internal", "", "801", "5")...)
	d.apply("DialBegin", rung("PJSIP/802-1", "1.1", "PJSIP/801-2", "1.2", "1.1", "801")...)
	d.pass(5)
	d.st.seen = d.at
	d.pass(100)
	stamp := func(ago time.Duration) string { return d.at.Add(-ago).UTC().Format(cdrTime) }
	d.st.reconcile(&snapshot{cdrs: cdrManager, hasChannels: true, records: []CDR{{
		UniqueID: "1.1", Source: "802", Destination: "801", Channel: "PJSIP/802-1", DestinationChannel: "PJSIP/801-2", LastApplication: "Dial",
		Start: stamp(105 * time.Second), Answer: stamp(90 * time.Second), End: stamp(30 * time.Second), Disposition: "ANSWERED",
	}}}, fates{}, d.at)
	a := d.closed()
	if a.Stage != StageTalk || a.Talk != time.Minute || a.Ring != 15*time.Second || a.Duration != 75*time.Second {
		t.Errorf("stage %q, talk %v, ring %v, duration %v", a.Stage, a.Talk, a.Ring, a.Duration)
	}
	if sh := a.of("801"); sh.Talk != time.Minute || !sh.Answered || sh.Ring != 15*time.Second {
		t.Errorf("share of 801: %+v", *sh)
	}
}

// TestRecordBeforeTheEvents: where the machine is busy the record of a call may be found in the file before its events come. It has one
// end and one account, and nothing is told behind them.
func TestRecordBeforeTheEvents(t *testing.T) {
	d := newDesk(t)
	d.st.seen = d.at
	d.pass(10)
	stamp := d.at.UTC().Format(cdrTime)
	d.st.reconcile(&snapshot{cdrs: cdrManager, hasChannels: true, records: []CDR{{
		UniqueID: "1.1", Source: "802", Destination: "801", Channel: "PJSIP/802-1", DestinationChannel: "PJSIP/801-2", LastApplication: "Dial",
		Start: stamp, End: stamp, Disposition: "BUSY",
	}}}, fates{}, d.at)
	told := func() (kinds []string) {
		for _, o := range d.st.out {
			kinds = append(kinds, fmt.Sprintf("%T", o.Event))
		}
		return kinds
	}
	before := told()
	c, g := leg("PJSIP/802-1", "1.1", "1.1", "internal", "801", "802", "4"), leg("PJSIP/801-2", "1.2", "1.1", "internal", "", "801", "5")
	d.apply("Newchannel", c...)
	d.apply("Newchannel", g...)
	d.apply("DialBegin", rung("PJSIP/802-1", "1.1", "PJSIP/801-2", "1.2", "1.1", "801")...)
	d.apply("DialEnd", rung("PJSIP/802-1", "1.1", "PJSIP/801-2", "1.2", "1.1", "801", "DialStatus", "BUSY")...)
	d.apply("Hangup", append(g, "Cause", "17")...)
	d.apply("Hangup", append(c, "Cause", "17")...)
	d.want("told", fmt.Sprint(told()), fmt.Sprint(before))
	if a := d.closed(); a.ID != "1.1" || len(d.st.calls)+len(d.st.channels)+len(d.st.owners) != 0 {
		t.Errorf("account of %q; %d calls, %d channels left", a.ID, len(d.st.calls), len(d.st.channels))
	}
}

// TestRecordOfACallThatGoesOn: a call that began in a gap, has a record and is still on is not over.
func TestRecordOfACallThatGoesOn(t *testing.T) {
	d := newDesk(t)
	d.st.seen = d.at
	d.pass(10)
	stamp := d.at.UTC().Format(cdrTime)
	c := leg("PJSIP/802-1", "1.1", "1.1", "internal", "801", "802", "6")
	d.st.reconcile(&snapshot{
		cdrs: cdrManager, hasChannels: true,
		channels: []ami.Message{amitest.NewEvent("CoreShowChannel", append(c, "Application", "Dial", "Duration", "00:00:05")...)},
		records:  []CDR{{UniqueID: "1.1", Source: "802", Destination: "801", Channel: "PJSIP/802-1", LastApplication: "Dial", Start: stamp, End: stamp}},
	}, fates{}, d.at)
	for _, o := range d.st.out {
		switch o.Event.(type) {
		case CallEnded, CallClosed:
			t.Errorf("told: %T", o.Event)
		}
	}
	d.apply("Hangup", append(c, "Cause", "16")...)
	if a := d.closed(); a.ID != "1.1" {
		t.Errorf("account of %q", a.ID)
	}
}

// TestParkedDoNotTalk: the parked share one bridge and do not hear each other, also in the picture of a new process.
func TestParkedDoNotTalk(t *testing.T) {
	d := newDesk(t)
	rules := testRules()
	again := newState(&rules)
	snap := &snapshot{cdrs: cdrManager, hasChannels: true, holding: map[string]bool{"lot": true}}
	for i := range 4 {
		id := fmt.Sprintf("%d.1", i+1)
		c := leg("PJSIP/trunk-"+id, id, id, "from-trunk", "0211", fmt.Sprintf("021%d", i), "6")
		snap.channels = append(snap.channels, amitest.NewEvent("CoreShowChannel", append(c, "Application", "Dial", "BridgeId", "lot", "Duration", "00:00:10")...))
		if i == 3 {
			continue // this one was parked while nobody listened
		}
		d.apply("Newchannel", c...)
		d.apply("BridgeEnter", append(c, "BridgeUniqueid", "lot", "BridgeTechnology", holdingBridge)...)
	}
	for _, c := range d.st.calls {
		st := c.stored()
		st.level(now())
		body, err := json.Marshal(st)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.restore(body); err != nil {
			t.Fatal(err)
		}
	}
	again.reconcile(snap, fates{}, time.Now())
	again.apply(amitest.NewEvent("Hangup", leg("PJSIP/trunk-3.1", "3.1", "3.1", "from-trunk", "0211", "0212", "6", "Cause", "16")...), time.Now())
	for id, c := range again.calls {
		if c.talks() || c.Stage == StageTalk {
			t.Errorf("call %s talks with the other parked ones", id)
		}
	}
}

// TestTwoPhonesOfOneExtension ring at once: it is one ring.
func TestTwoPhonesOfOneExtension(t *testing.T) {
	d := newDesk(t)
	c := leg("PJSIP/802-1", "1.1", "1.1", "internal", "801", "802", "4")
	d.apply("Newchannel", c...)
	for range 2 { // the second time at the very end of the first
		for _, x := range []string{"2", "3"} {
			d.apply("Newchannel", leg("PJSIP/801-"+x, "1."+x, "1.1", "internal", "", "801", "5")...)
			d.apply("DialBegin", rung("PJSIP/802-1", "1.1", "PJSIP/801-"+x, "1."+x, "1.1", "801")...)
		}
		d.pass(20)
		for _, x := range []string{"2", "3"} {
			d.apply("DialEnd", rung("PJSIP/802-1", "1.1", "PJSIP/801-"+x, "1."+x, "1.1", "801", "DialStatus", "CANCEL")...)
			d.apply("Hangup", leg("PJSIP/801-"+x, "1."+x, "1.1", "internal", "", "801", "5", "Cause", "16")...)
		}
		d.st.calls["1.1"].legs = nil // a leg is known by its channel, and Asterisk gives no id twice
	}
	d.apply("Hangup", append(c, "Cause", "16")...)
	a := d.closed()
	if sh := a.of("801"); sh.Rings != 2 || sh.Ring != 40*time.Second {
		t.Errorf("rings %d, %v; want 2, 40s", sh.Rings, sh.Ring)
	}
}

// TestFullQueue lets nobody in, and says so.
func TestFullQueue(t *testing.T) {
	for status, want := range map[string]Miss{"FULL": MissUnassigned, "JOINEMPTY": MissNobody, "JOINUNAVAIL": MissUnassigned, "TIMEOUT": ""} {
		d := newDesk(t)
		d.of("Newchannel")
		d.of("Newexten", "Extension", "s", "Application", "Queue", "AppData", "630,t,,,60")
		d.of("VarSet", "Variable", "QUEUESTATUS", "Value", status)
		d.of("Hangup", "Cause", "16")
		if a := d.closed(); a.Queue != "630" || a.Miss != want {
			t.Errorf("%s: queue %q, miss %q, want %q", status, a.Queue, a.Miss, want)
		}
	}
}

// TestConsultedThroughAQueue: a colleague asks a queue and joins its agent with his caller. The agent's work comes after that
// conversation.
func TestConsultedThroughAQueue(t *testing.T) {
	d := newDesk(t)
	b, g := leg("PJSIP/802-2", "1.2", "1.2", "internal", "630", "802", "6"), leg("PJSIP/801-3", "1.3", "1.2", "internal", "", "801", "6")
	d.apply("Newchannel", b...)
	d.apply("QueueCallerJoin", append(b, "Queue", "630")...)
	d.apply("Newchannel", g...)
	d.apply("DialBegin", rung("PJSIP/802-2", "1.2", "PJSIP/801-3", "1.3", "1.2", "801")...)
	d.apply("AgentConnect", append(b, "Queue", "630", "Interface", "PJSIP/801", "DestUniqueid", "1.3")...)
	d.apply("BridgeEnter", append(b, "BridgeUniqueid", "q")...)
	d.apply("BridgeEnter", append(g, "BridgeUniqueid", "q")...)
	d.pass(10)
	d.apply("AgentComplete", append(b, "Queue", "630", "Interface", "PJSIP/801", "Reason", "transfer", "DestUniqueid", "1.3")...)
	d.want("asked while the agent talks", d.obeys(), "")
	d.pass(60)
	d.apply("Hangup", append(g, "Cause", "16")...)
	d.want("asked at the end", d.obeys(), "630=true 631=true")
}

// TestLateComplete: Asterisk may tell the end of a queue's conversation behind the ends of its channels, or between them. Then
// it may know no more of the caller than that there was one.
func TestLateComplete(t *testing.T) {
	named := []string{"Uniqueid", "1.1", "Linkedid", "1.1", "DestUniqueid", "1.2", "DestLinkedid", "1.1"}
	for name, complete := range map[string][]string{"named": named[:4], "both": named, "nameless caller": named[4:], "nameless": nil} {
		for between, order := range map[string][]string{"behind": {"caller", "agent", "complete"}, "between": {"caller", "complete", "agent"}} {
			t.Run(between+" "+name, func(t *testing.T) {
				d := newDesk(t)
				c, g := leg("PJSIP/trunk-1", "1.1", "1.1", "from-trunk", "0211", "0215", "6"), leg("PJSIP/801-2", "1.2", "1.1", "internal", "", "801", "6")
				d.apply("Newchannel", c...)
				d.apply("QueueCallerJoin", append(c, "Queue", "630")...)
				d.apply("Newchannel", g...)
				d.apply("AgentConnect", append(c, "Queue", "630", "Interface", "PJSIP/801")...)
				d.pass(10)
				for _, step := range order {
					switch step {
					case "caller":
						d.apply("Hangup", append(c, "Cause", "16")...)
					case "agent":
						d.apply("Hangup", append(g, "Cause", "16")...)
					case "complete":
						d.apply("AgentComplete", slices.Concat(complete, []string{"Queue", "630", "Interface", "PJSIP/801", "Reason", "caller"})...)
					}
				}
				d.want("asked", d.obeys(), "630=true 631=true")
				d.pass(30)
				if a := d.closed(); a.Side != SideCaller || a.AfterWork != 30*time.Second {
					t.Errorf("side %q, after-call work %v", a.Side, a.AfterWork)
				}
			})
		}
	}
}

// TestLateCompleteOfACampaign: the caller of a queue is who was called. That holds for a queue that tells the end late as well.
func TestLateCompleteOfACampaign(t *testing.T) {
	for reason, want := range map[string]Side{"agent": SideCaller, "caller": SideCalled} {
		for name, late := range map[string]bool{"in time": false, "late": true} {
			d := newDesk(t)
			c := leg("PJSIP/trunk-1", "1.1", "1.1", "from-trunk", "0211", "0215", "6")
			complete := append(slices.Clone(c), "Queue", "630", "Interface", "PJSIP/801", "Reason", reason)
			d.apply("Newchannel", c...)
			d.st.calls["1.1"].Alone = true
			d.apply("QueueCallerJoin", append(c, "Queue", "630")...)
			d.apply("AgentConnect", append(c, "Queue", "630", "Interface", "PJSIP/801")...)
			d.pass(10)
			if !late {
				d.apply("AgentComplete", complete...)
			}
			d.apply("Hangup", append(c, "Cause", "16")...)
			if late {
				d.apply("AgentComplete", complete...)
			}
			d.pass(30)
			if a := d.closed(); a.Side != want {
				t.Errorf("%s, by the %s: side %q, want %q", name, reason, a.Side, want)
			}
		}
	}
}

// TestNeverComplete: a queue that says nothing holds the account back for a moment only.
func TestNeverComplete(t *testing.T) {
	d := newDesk(t)
	c := leg("PJSIP/trunk-1", "1.1", "1.1", "from-trunk", "0211", "0215", "6")
	d.apply("Newchannel", c...)
	d.apply("QueueCallerJoin", append(c, "Queue", "630")...)
	d.apply("AgentConnect", append(c, "Queue", "630", "Interface", "PJSIP/801")...)
	d.apply("Hangup", append(c, "Cause", "16")...)
	d.want("told at once", fmt.Sprint(d.told()), "[]")
	d.pass(2)
	d.want("told then", fmt.Sprint(d.told()), "[1.1 0s]")
}

// TestHungUpBeforeTheBridge: who hangs up while Asterisk is still joining the two has hung up all the same.
func TestHungUpBeforeTheBridge(t *testing.T) {
	d := newDesk(t)
	c, g := leg("PJSIP/trunk-1", "1.1", "1.1", "from-trunk", "0211", "0215", "6"), leg("PJSIP/801-2", "1.2", "1.1", "internal", "", "801", "6")
	d.apply("Newchannel", c...)
	d.apply("Newchannel", g...)
	d.apply("DialBegin", rung("PJSIP/trunk-1", "1.1", "PJSIP/801-2", "1.2", "1.1", "801")...)
	d.apply("HangupRequest", c...)
	d.apply("BridgeEnter", append(g, "BridgeUniqueid", "b")...)
	d.apply("BridgeEnter", append(c, "BridgeUniqueid", "b")...)
	d.apply("Hangup", append(g, "Cause", "16")...)
	d.apply("Hangup", append(c, "Cause", "16")...)
	if a := d.closed(); a.Side != SideCaller || a.Stage != StageTalk {
		t.Errorf("side %q, stage %q", a.Side, a.Stage)
	}
}
