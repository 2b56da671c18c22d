package pbx

import (
	"slices"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami/amitest"
)

// played is a picture that events are told to, a second apart.
type played struct {
	*state
	at time.Time
}

func begun() *played {
	rules := testRules()
	return &played{newState(&rules), time.Unix(1795286400, 0)}
}

func (p *played) tell(event string, nameValue ...string) {
	p.at = p.at.Add(time.Second)
	p.apply(amitest.NewEvent(event, nameValue...), p.at)
}

func (p *played) channel(event, name, id, linked string, more ...string) {
	p.tell(event, append([]string{"Channel", name, "Uniqueid", id, "Linkedid", linked, "ChannelState", "6"}, more...)...)
}

func (p *played) account(t *testing.T, id CallID) Account {
	t.Helper()
	for _, o := range p.out {
		if e, is := o.Event.(CallClosed); is && e.Account.ID == id {
			return e.Account
		}
	}
	t.Fatalf("no account of call %s", id)
	return Account{}
}

// asking begins what both tests begin with: 02155550001 talks to 801, who has put him on hold and calls somewhere else.
func (p *played) asking() {
	p.channel("Newchannel", "PJSIP/trunk-1", "1.0", "1.0", "Context", "from-trunk", "CallerIDNum", "02155550001")
	p.channel("Newchannel", "PJSIP/801-2", "1.1", "1.0")
	p.channel("BridgeEnter", "PJSIP/801-2", "1.1", "1.0", "BridgeUniqueid", "b1", "BridgeType", "basic")
	p.channel("BridgeEnter", "PJSIP/trunk-1", "1.0", "1.0", "BridgeUniqueid", "b1", "BridgeType", "basic", "CallerIDNum", "02155550001")
	p.channel("Newchannel", "PJSIP/801-3", "1.2", "1.2")
}

func (p *played) transferred() {
	p.tell("AttendedTransfer", "Result", "Success", "OrigTransfererUniqueid", "1.1", "SecondTransfererUniqueid", "1.2", "TransfereeUniqueid", "1.0", "DestType", "App")
}

func (p *played) goes(name, id, linked, bridge string) {
	p.channel("BridgeLeave", name, id, linked, "BridgeUniqueid", bridge, "BridgeType", "basic")
	p.channel("Hangup", name, id, linked, "Cause", "16")
}

// TestPlaceInAQueue: 801 waits in a queue and gives the caller his place. Asterisk does not tell that one came and the other went; the caller
// waits, nobody was lost, and the agent who then answers is of the caller's call.
func TestPlaceInAQueue(t *testing.T) {
	p := begun()
	p.asking()
	p.channel("QueueCallerJoin", "PJSIP/801-3", "1.2", "1.2", "Queue", "630", "Position", "1", "CallerIDNum", "801")
	p.channel("Newchannel", "PJSIP/803-4", "1.3", "1.2")
	p.transferred()
	p.channel("BridgeLeave", "PJSIP/trunk-1", "1.0", "1.0", "BridgeUniqueid", "b1", "BridgeType", "basic")
	p.goes("PJSIP/801-2", "1.1", "1.0", "b1")
	p.channel("Hangup", "PJSIP/801-3", "1.2", "1.2")
	if waiting := p.queues["630"].callers; len(waiting) != 1 || waiting[0].ID != "1.0" {
		t.Errorf("waiting: %+v", waiting)
	}
	p.channel("QueueCallerLeave", "PJSIP/trunk-1", "1.0", "1.0", "Queue", "630")
	p.channel("AgentConnect", "PJSIP/trunk-1", "1.0", "1.0", "Queue", "630", "Interface", "PJSIP/803", "DestUniqueid", "1.3", "DestChannel", "PJSIP/803-4")
	p.channel("BridgeEnter", "PJSIP/803-4", "1.3", "1.2", "BridgeUniqueid", "b2", "BridgeType", "basic")
	p.channel("BridgeEnter", "PJSIP/trunk-1", "1.0", "1.0", "BridgeUniqueid", "b2", "BridgeType", "basic")
	if c := p.calls["1.0"]; len(p.calls) != 1 || len(c.channels) != 2 {
		t.Errorf("while they talk: %d calls, %d channels", len(p.calls), len(c.channels))
	}
	p.channel("AgentComplete", "PJSIP/trunk-1", "1.0", "1.0", "Queue", "630", "Interface", "PJSIP/803", "DestUniqueid", "1.3", "DestChannel", "PJSIP/803-4", "Reason", "agent")
	p.goes("PJSIP/803-4", "1.3", "1.0", "b2")
	p.goes("PJSIP/trunk-1", "1.0", "1.0", "b2")
	a := p.account(t, "1.0")
	i := slices.IndexFunc(a.Spans, func(sp Span) bool { return sp.Kind == SpanQueue })
	if a.Queue != "630" || i < 0 || a.Spans[i].Length() < 3*time.Second || Miss(a.Spans[i].Outcome) != queueConnected {
		t.Errorf("the account: queue %q, %+v", a.Queue, a.Spans)
	}
	if n := p.counted(p.at)["630"]; n.answered != 1 || n.abandoned != 0 {
		t.Errorf("the queue's day: %+v", n)
	}
	var told []string
	for _, o := range p.out {
		switch e := o.Event.(type) {
		case CallerQueued:
			told = append(told, "+"+e.Waiting.ID)
		case CallerUnqueued:
			told = append(told, "-"+e.Waiting.ID)
		}
	}
	if want := []string{"+1.2", "-1.2", "+1.0", "-1.0"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// TestPlaceInAConference: 801 is in a conference and gives the caller his place; the caller talks there.
func TestPlaceInAConference(t *testing.T) {
	for name, late := range map[string]func(*played){
		"nothing more is told": func(*played) {},
		"what he leaves is told late": func(p *played) {
			p.channel("BridgeLeave", "PJSIP/trunk-1", "1.0", "1.0", "BridgeUniqueid", "b1", "BridgeType", "basic")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := begun()
			p.channel("Newchannel", "PJSIP/802-0", "0.1", "0.1")
			p.channel("BridgeEnter", "PJSIP/802-0", "0.1", "0.1", "BridgeUniqueid", "room", "BridgeType", "base")
			p.asking()
			p.channel("BridgeEnter", "PJSIP/801-3", "1.2", "1.2", "BridgeUniqueid", "room", "BridgeType", "base")
			p.transferred()
			late(p)
			p.channel("Hangup", "PJSIP/801-3", "1.2", "1.2")
			p.goes("PJSIP/801-2", "1.1", "1.0", "b1")
			began := p.at
			p.at = p.at.Add(time.Minute)
			p.goes("PJSIP/trunk-1", "1.0", "1.0", "room")
			a := p.account(t, "1.0")
			if !slices.ContainsFunc(a.Spans, func(sp Span) bool {
				return sp.Kind == SpanTalk && sp.Channel == "1.0" && sp.End.Sub(began) >= time.Minute
			}) {
				t.Errorf("spans: %+v", a.Spans)
			}
		})
	}
}

// TestPlaceInAParkingSpace: 801 has parked himself and gives the caller his place.
func TestPlaceInAParkingSpace(t *testing.T) {
	p := begun()
	p.asking()
	p.tell("ParkedCall", "ParkeeUniqueid", "1.2", "ParkingSpace", "701")
	p.tell("ParkedCallSwap", "ParkeeUniqueid", "1.0", "ParkingSpace", "701")
	p.channel("Hangup", "PJSIP/801-3", "1.2", "1.2", "Cause", "16")
	if sp := p.calls["1.0"].openSpan(SpanPark, "1.0"); sp == nil || sp.Place != "701" {
		t.Errorf("parked: %+v", sp)
	}
	p.tell("UnParkedCall", "ParkeeUniqueid", "1.0", "ParkingSpace", "701")
	if sp := p.calls["1.0"].openSpan(SpanPark, "1.0"); sp != nil {
		t.Errorf("parked still: %+v", sp)
	}
}

// TestServedInTwoCalls: 801 has a caller on hold and one out of a queue, and puts the two together. His after-call work begins when he has gone, and he
// is not ready in between.
func TestServedInTwoCalls(t *testing.T) {
	p := begun()
	p.rules.AfterWork, p.posted = 30*time.Second, true
	p.tell("QueueMemberAdded", "Queue", "630", "MemberName", "Agent", "Interface", "PJSIP/801", "Status", "1", "Paused", "0")
	p.channel("Newchannel", "PJSIP/trunk-1", "1.0", "1.0", "Context", "from-trunk")
	p.channel("Newchannel", "PJSIP/801-2", "1.1", "1.0")
	p.channel("BridgeEnter", "PJSIP/801-2", "1.1", "1.0", "BridgeUniqueid", "b1", "BridgeType", "basic")
	p.channel("BridgeEnter", "PJSIP/trunk-1", "1.0", "1.0", "BridgeUniqueid", "b1", "BridgeType", "basic")
	p.channel("Newchannel", "PJSIP/trunk-3", "1.2", "1.2", "Context", "from-trunk")
	p.channel("QueueCallerJoin", "PJSIP/trunk-3", "1.2", "1.2", "Queue", "630")
	p.channel("Newchannel", "PJSIP/801-4", "1.3", "1.2")
	p.channel("QueueCallerLeave", "PJSIP/trunk-3", "1.2", "1.2", "Queue", "630")
	served := []string{"Queue", "630", "Interface", "PJSIP/801", "DestUniqueid", "1.3", "DestChannel", "PJSIP/801-4", "Reason", "transfer"}
	p.channel("AgentConnect", "PJSIP/trunk-3", "1.2", "1.2", served...)
	p.channel("BridgeEnter", "PJSIP/801-4", "1.3", "1.2", "BridgeUniqueid", "b2", "BridgeType", "basic")
	p.channel("BridgeEnter", "PJSIP/trunk-3", "1.2", "1.2", "BridgeUniqueid", "b2", "BridgeType", "basic")
	p.channel("BridgeEnter", "PJSIP/trunk-1", "1.0", "1.0", "BridgeUniqueid", "b2", "BridgeType", "basic", "SwapUniqueid", "1.3")
	p.goes("PJSIP/801-4", "1.3", "1.0", "b2")
	p.goes("PJSIP/801-2", "1.1", "1.0", "b1")
	p.channel("AgentComplete", "PJSIP/trunk-3", "1.2", "1.0", served...)
	var states []AgentState
	for _, o := range p.out {
		if e, is := o.Event.(AgentChanged); is && (len(states) == 0 || states[len(states)-1] != e.Agent.State) {
			states = append(states, e.Agent.State)
		}
	}
	if want := []AgentState{AgentReady, AgentBusy, AgentAfterWork}; !slices.Equal(states, want) {
		t.Errorf("801 was %q, want %q", states, want)
	}
}

// TestOldestOfTwo: of two calls that an agent has, and that began in the same read of the socket, the older one is his, in whatever order they are known.
func TestOldestOfTwo(t *testing.T) {
	for _, ids := range [][]string{{"0000000f", "00000010"}, {"00000010", "0000000f"}} {
		p := begun()
		for _, id := range ids {
			p.apply(amitest.NewEvent("Newchannel", "Channel", "PJSIP/805-"+id, "Uniqueid", id, "Linkedid", id, "ChannelState", "6"), p.at)
		}
		if call := p.callOf(&agent{Agent: Agent{Exten: "805"}}); call.Channel != "0000000f" {
			t.Errorf("known as %v: his call is %s", ids, call.Channel)
		}
	}
}

// TestTheOlderCallGoesOn: when two calls meet, the one that began first goes on, whatever their ids look like.
func TestTheOlderCallGoesOn(t *testing.T) {
	for name, ids := range map[string]struct{ older, younger string }{
		"Asterisk's ids":                         {"1795286495.9", "1795286495.10"},
		"one of ours, by a clock that is behind": {"1795286495.9", "1795286000.c393c81f08328dc"},
		"one of ours, by a clock that is ahead":  {"1795287000.c393c81f08328dc", "1795286495.9"},
		"one of a client of ARI":                 {"1795286495.9", "7a1e3bd2-93c5-4f0e-8d5b-a5d2c9c1f6b0"},
	} {
		for _, enters := range []string{"the older enters", "the younger enters"} {
			t.Run(name+", "+enters, func(t *testing.T) {
				p := begun()
				p.channel("Newchannel", "PJSIP/trunk-1", ids.older, ids.older, "Context", "from-trunk")
				p.channel("Newchannel", "PJSIP/803-2", ids.younger, ids.younger)
				order := []string{ids.younger, ids.older}
				if enters == "the younger enters" {
					order = []string{ids.older, ids.younger}
				}
				for _, id := range order { // as they were called when they left where they were
					p.channel("BridgeEnter", p.channels[id].Name, id, id, "BridgeUniqueid", "b1", "BridgeType", "basic")
				}
				if c := p.calls[CallID(ids.older)]; len(p.calls) != 1 || c == nil || len(c.channels) != 2 || c.first.ID != ids.older {
					t.Errorf("%d calls, the older is %+v", len(p.calls), c)
				}
			})
		}
	}
}
