package pbx

import (
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestPickup plays what Asterisk tells when 803 takes a call of 801 that rings at 802: from then on it is one call, with one
// end under one id, and no leg is left ringing.
func TestPickup(t *testing.T) {
	rules := testRules()
	st := newState(&rules)
	event := func(name, channel, id, linked string, more ...string) {
		st.apply(amitest.NewEvent(name, append([]string{"Channel", channel, "Uniqueid", id, "Linkedid", linked}, more...)...), time.Now())
	}
	event("Newchannel", "PJSIP/801-0", "1.0", "1.0", "ChannelState", "4")
	event("Newchannel", "PJSIP/802-1", "1.1", "1.0", "ChannelState", "5")
	event("DialBegin", "PJSIP/801-0", "1.0", "1.0", "DestChannel", "PJSIP/802-1", "DestUniqueid", "1.1", "DestLinkedid", "1.0")
	event("Newchannel", "PJSIP/803-2", "1.2", "1.2", "ChannelState", "6")
	event("Pickup", "PJSIP/803-2", "1.2", "1.2", "TargetChannel", "PJSIP/802-1", "TargetUniqueid", "1.1", "TargetLinkedid", "1.0")
	event("DialEnd", "PJSIP/801-0", "1.0", "1.0", "DestChannel", "PJSIP/803-2", "DestUniqueid", "1.2", "DestLinkedid", "1.2", "DialStatus", "ANSWER")
	event("Hangup", "PJSIP/802-1", "1.1", "1.0")
	event("BridgeEnter", "PJSIP/803-2", "1.2", "1.2", "BridgeUniqueid", "b")
	if len(st.calls) != 1 || len(st.calls["1.0"].channels) != 2 {
		t.Errorf("while they talk: %d calls", len(st.calls))
	}
	event("BridgeLeave", "PJSIP/803-2", "1.2", "1.0", "BridgeUniqueid", "b")
	event("Hangup", "PJSIP/803-2", "1.2", "1.0")
	event("Hangup", "PJSIP/801-0", "1.0", "1.0")

	legs, ended := map[string]string{}, map[CallID]int{}
	for _, o := range st.out {
		switch e := o.Event.(type) {
		case DialEnded:
			legs[e.Leg.ToName] = e.Leg.Status
			if e.Call != "1.0" {
				t.Errorf("the leg to %s belongs to %s", e.Leg.ToName, e.Call)
			}
		case CallEnded:
			ended[e.Call.ID]++
		}
	}
	if legs["PJSIP/802-1"] != "CANCEL" || legs["PJSIP/803-2"] != "ANSWER" {
		t.Errorf("legs ended: %v", legs)
	}
	if ended["1.0"] != 1 || ended["1.2"] != 1 || len(st.calls) != 0 {
		t.Errorf("calls ended: %v, left: %d", ended, len(st.calls))
	}
}

// TestPickupOfAnOrder plays what Asterisk tells when 803 takes a call that was ordered for 801 and is dialled at once: the number that is rung comes under
// the Linkedid of 803, whose own call was over when it joined.
func TestPickupOfAnOrder(t *testing.T) {
	rules := testRules()
	st := newState(&rules)
	event := func(name, channel, id, linked string, more ...string) {
		st.apply(amitest.NewEvent(name, append([]string{"Channel", channel, "Uniqueid", id, "Linkedid", linked}, more...)...), time.Now())
	}
	event("Newchannel", "PJSIP/801-0", "1.c1", "1.c1", "ChannelState", "5")
	event("Newchannel", "PJSIP/803-1", "1.1", "1.1", "ChannelState", "6")
	event("Newexten", "PJSIP/803-1", "1.1", "1.1", "Exten", "13800138000", "Application", "Dial")
	event("Pickup", "PJSIP/803-1", "1.1", "1.1", "TargetChannel", "PJSIP/801-0", "TargetUniqueid", "1.c1", "TargetLinkedid", "1.c1")
	event("Hangup", "PJSIP/801-0", "1.c1", "1.c1")
	event("Newchannel", "PJSIP/trunk-2", "1.2", "1.1", "ChannelState", "0")
	event("DialBegin", "PJSIP/803-1", "1.1", "1.1", "DestChannel", "PJSIP/trunk-2", "DestUniqueid", "1.2", "DestLinkedid", "1.1")
	if c := st.calls["1.c1"]; len(st.calls) != 1 || c == nil || len(c.channels) != 2 || len(c.legs) != 1 {
		t.Errorf("while it rings: %d calls, %+v", len(st.calls), c)
	}
	event("HangupRequest", "PJSIP/803-1", "1.1", "1.1", "Cause", "16")
	if side := st.calls["1.c1"].Side; side != SideCaller {
		t.Errorf("ended by %q", side)
	}
	event("Hangup", "PJSIP/trunk-2", "1.2", "1.1")
	event("Hangup", "PJSIP/803-1", "1.1", "1.1")
	ended := map[CallID]int{}
	for _, o := range st.out {
		if e, is := o.Event.(CallEnded); is {
			ended[e.Call.ID]++
		}
	}
	if ended["1.c1"] != 1 || ended["1.1"] != 1 || len(ended) != 2 || len(st.calls) != 0 || len(st.linked) != 0 {
		t.Errorf("calls ended: %v, left: %d, names left: %d", ended, len(st.calls), len(st.linked))
	}
}

// TestPickupOfWhoHasAnswered plays what Asterisk tells when 802 answers in the moment in which 803 takes the call: nothing tells that 803 is in the bridge and
// 802 is not. Who has taken a call was called by who began it, also while he asks somebody else.
func TestPickupOfWhoHasAnswered(t *testing.T) {
	p := begun()
	p.channel("Newchannel", "PJSIP/801-0", "1.0", "1.0", "Exten", "802")
	p.channel("Newchannel", "PJSIP/802-1", "1.1", "1.0")
	p.channel("DialBegin", "PJSIP/801-0", "1.0", "1.0", "DestChannel", "PJSIP/802-1", "DestUniqueid", "1.1", "DestLinkedid", "1.0")
	p.channel("Newchannel", "PJSIP/803-2", "1.2", "1.2", "Exten", "*8")
	p.channel("BridgeEnter", "PJSIP/802-1", "1.1", "1.0", "BridgeUniqueid", "b", "BridgeType", "basic")
	p.channel("BridgeEnter", "PJSIP/801-0", "1.0", "1.0", "BridgeUniqueid", "b", "BridgeType", "basic")
	p.channel("Pickup", "PJSIP/803-2", "1.2", "1.2", "TargetChannel", "PJSIP/802-1", "TargetUniqueid", "1.1", "TargetLinkedid", "1.0", "ConnectedLineNum", "801")
	p.channel("Hangup", "PJSIP/802-1", "1.1", "1.0")
	taker := p.channels["1.2"]
	if other := p.heard(taker); other == nil || other.ID != "1.0" {
		t.Errorf("803 hears %+v", other)
	}
	for _, what := range []string{"while he talks", "while he asks 804"} {
		if call := p.callOf(&agent{Agent: Agent{Exten: "803"}}); call.Outbound || call.Number != "801" {
			t.Errorf("%s: %+v", what, call)
		}
		p.channel("BridgeLeave", "PJSIP/803-2", "1.2", "1.0", "BridgeUniqueid", "b", "BridgeType", "basic", "ConnectedLineNum", "801")
		p.channel("Newchannel", "PJSIP/804-3", "1.3", "1.0")
		p.channel("BridgeEnter", "PJSIP/803-2", "1.2", "1.0", "BridgeUniqueid", "b2", "BridgeType", "basic", "ConnectedLineNum", "801")
		p.channel("BridgeEnter", "PJSIP/804-3", "1.3", "1.0", "BridgeUniqueid", "b2", "BridgeType", "basic")
	}
}
