package bridge_test

import (
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/lab/phone"
)

// scenes are played in rounds: those of one round at once, each with phones of its own.
var scenes = [][]scene{
	{
		{"internal, the caller hangs up", sceneInternal},
		{"the called party hangs up", sceneCalledEnds},
		{"menu, queue, the agent hangs up, survey", sceneSurvey},
		{"queue, hold, the caller hangs up", sceneQueue},
		{"ring-all, one of two agents answers", sceneRingAll},
		{"nobody signed in", sceneNobody},
		{"given up early", sceneGaveUp},
		{"rung and not answered", sceneUnanswered},
		{"no phone of any agent is there", sceneUnassigned},
		{"overflow to a second queue", sceneOverflow},
		{"member behind a Local channel", sceneLocalMember},
		{"nested menus", sceneNestedMenus},
		{"straight hang-up in the menu", sceneMenuHangup},
		{"wrong key", sceneWrongKey},
		{"no key", sceneNoKey},
		{"busy", sceneBusy},
		{"rejected", sceneRejected},
	},
	{
		{"not answered", sceneNotAnswered},
		{"cancelled", sceneCancelled},
		{"not registered", sceneNotRegistered},
		{"no such number", sceneNoSuchNumber},
		{"from outside to a phone", sceneInbound},
		{"from outside, not answered", sceneInboundMissed},
		{"to the outside", sceneOutbound},
		{"to the outside, busy", sceneOutboundBusy},
		{"REFER", sceneRefer},
		{"REFER with Replaces", sceneReferReplaces},
		{"transfer to the outside", sceneTransferOut},
		{"through a Local channel", sceneLocal},
	},
	{
		{"transfer by command to a queue", sceneTransferToQueue},
		{"consultation by keys", sceneConsultation},
		{"park and retrieve", scenePark},
		{"click-to-dial", sceneClickToDial},
		{"forwarded by the phone", sceneForwarded},
		{"conference", sceneConference},
		{"call waiting", sceneCallWaiting},
	},
	{
		{"pickup", scenePickup}, // alone, for it takes whatever rings
	},
}

type scene struct {
	name string
	do   func(*bench)
}

type lengths = map[string]time.Duration

func ring(d time.Duration) phone.Behaviour { return phone.Behaviour{RingFor: d} }

func sceneInternal(b *bench) {
	a, z := b.phone("812"), b.phone("813")
	z.Behave(ring(1500 * time.Millisecond))
	w := watch()
	c := b.dial(a, "813")
	b.must(c.Answered(b.within(10 * time.Second)))
	rang := w.lap()
	b.wait(2 * time.Second)
	talked := w.lap()
	b.must(c.Hangup(b.ctx))
	b.record("812", "called=813 queueCode= agentCode= callType=internal cdrState=bridged hangupSide=caller missCause= ivrTime= ivrDtmf=0 voicemailState=0 trunkNumber= score=0 pauseTime=0",
		lengths{"ringTime": rang, "talkingTime": talked, "duration": rang + talked, "queueTime": 0, "holdTime": 0, "feedbackTime": 0})
}

func sceneCalledEnds(b *bench) {
	a, z := b.phone("814"), b.phone("815")
	z.Behave(ring(200 * time.Millisecond))
	c := b.dial(a, "815")
	b.must(c.Answered(b.within(10 * time.Second)))
	w := watch()
	in := b.incoming(z)
	b.wait(1500 * time.Millisecond)
	b.must(in.Hangup(b.ctx))
	b.record("814", "called=815 cdrState=bridged hangupSide=agent callType=internal", lengths{"talkingTime": w.lap()})
}

func sceneSurvey(b *bench) {
	agent := b.phone("801")
	agent.Behave(ring(1200 * time.Millisecond))
	b.idle("801")
	c := b.fromOutside("02150000001", "0219901640")
	b.must(c.Answered(b.within(10 * time.Second)))
	w := watch()
	b.press(c, "1")
	in := b.rings(agent)
	menu := w.lap()
	b.must(in.Answered(b.within(10 * time.Second)))
	waited := w.lap()
	b.wait(2 * time.Second)
	b.must(in.Hangup(b.ctx))
	talked := w.lap()
	b.must(c.Heard(b.within(10*time.Second), 10))
	b.must(c.SendDTMF(b.ctx, "4", phone.RFC2833))
	b.over(c)
	rated := w.lap()
	got := b.record("02150000001", "called=801 queueCode=640 agentCode=801 callType=incoming cdrState=feedback hangupSide=agent missCause= ivrId=610 ivrDtmf=1 score=4 trunkNumber=0219901640",
		lengths{"ivrTime": menu, "queueTime": waited, "ringTime": waited, "talkingTime": talked, "feedbackTime": rated, "duration": menu + waited + talked + rated})
	if got["ivrName"] != "working time" || got["filePath"] != got["uuid"]+".wav" {
		b.Errorf("ivrName %q, filePath %q", got["ivrName"], got["filePath"])
	}
}

func sceneQueue(b *bench) {
	agent := b.phone("802")
	agent.Behave(ring(2 * time.Second))
	b.idle("802")
	w := watch()
	c := b.fromOutside("02150000002", "0219900641")
	in := b.incoming(agent)
	b.must(in.Answered(b.within(10 * time.Second)))
	waited := w.lap()
	b.wait(1500 * time.Millisecond)
	b.must(in.Hold(b.ctx))
	talked := w.lap()
	b.wait(2 * time.Second)
	b.must(in.Unhold(b.ctx))
	held := w.lap()
	b.wait(500 * time.Millisecond)
	b.must(c.Hangup(b.ctx))
	b.record("02150000002", "called=802 queueCode=641 agentCode=802 cdrState=bridged hangupSide=caller missCause= ivrTime=",
		lengths{"queueTime": waited, "ringTime": waited, "holdTime": held, "talkingTime": talked + held + w.lap()})
}

func sceneRingAll(b *bench) {
	first, second := b.phone("803"), b.phone("804")
	first.Behave(ring(time.Second))
	second.Behave(phone.Behaviour{Never: true})
	b.idle("803", "804")
	w := watch()
	c := b.fromOutside("02150000003", "0219900642")
	in := b.incoming(first)
	b.must(in.Answered(b.within(10 * time.Second)))
	waited := w.lap()
	b.wait(time.Second)
	b.must(c.Hangup(b.ctx))
	b.record("02150000003", "called=803 queueCode=642 agentCode=803 missCause= hangupSide=caller",
		lengths{"queueTime": waited, "ringTime": waited, "talkingTime": w.lap()})
}

func sceneNobody(b *bench) {
	w := watch()
	c := b.fromOutside("02150000004", "0219900643")
	b.must(c.Answered(b.within(10 * time.Second)))
	b.wait(1500 * time.Millisecond)
	b.must(c.Hangup(b.ctx))
	b.record("02150000004", "queueCode=643 agentCode= cdrState=queue hangupSide=caller missCause=NO_AGENT_LOGIN",
		lengths{"queueTime": w.lap(), "ringTime": 0, "talkingTime": 0})
}

func sceneGaveUp(b *bench) {
	agent := b.phone("808")
	agent.Behave(phone.Behaviour{Never: true})
	b.idle("808")
	w := watch()
	c := b.fromOutside("02150000005", "0219900648")
	b.rings(agent)
	b.wait(2 * time.Second)
	b.must(c.Hangup(b.ctx))
	b.record("02150000005", "called=808 queueCode=648 agentCode=808 cdrState=queue hangupSide=caller missCause=MEMBER_CANCEL",
		lengths{"queueTime": w.lap(), "talkingTime": 0})
}

func sceneUnanswered(b *bench) {
	agent := b.phone("809")
	agent.Behave(phone.Behaviour{Never: true})
	b.idle("809")
	w := watch()
	c := b.fromOutside("02150000006", "0219900649")
	b.rings(agent)
	b.wait(11 * time.Second)
	b.must(c.Hangup(b.ctx))
	waited := w.lap()
	b.record("02150000006", "called=809 queueCode=649 agentCode=809 cdrState=queue missCause=NO_AGENT_ANSWER",
		lengths{"queueTime": waited, "ringTime": waited, "talkingTime": 0})
}

func sceneUnassigned(b *bench) {
	w := watch()
	c := b.fromOutside("02150000007", "0219900644")
	b.must(c.Answered(b.within(10 * time.Second)))
	b.wait(11 * time.Second)
	b.must(c.Hangup(b.ctx))
	b.record("02150000007", "queueCode=644 agentCode= cdrState=queue missCause=NO_ASSIGN", lengths{"queueTime": w.lap(), "ringTime": 0})
}

func sceneOverflow(b *bench) {
	slow, quick := b.phone("805"), b.phone("806")
	slow.Behave(phone.Behaviour{Never: true})
	quick.Behave(ring(time.Second))
	b.idle("805", "806")
	w := watch()
	c := b.fromOutside("02150000008", "0219900645")
	in := b.incoming(quick)
	b.must(in.Answered(b.within(20 * time.Second)))
	waited := w.lap()
	b.wait(time.Second)
	b.must(in.Hangup(b.ctx))
	talked := w.lap()
	b.must(c.Heard(b.within(10*time.Second), 5)) // the survey
	b.must(c.Hangup(b.ctx))
	b.record("02150000008", "called=806 queueCode=646 agentCode=806 cdrState=feedback hangupSide=agent missCause= score=0",
		lengths{"queueTime": waited, "talkingTime": talked, "feedbackTime": w.lap()})
}

func sceneLocalMember(b *bench) {
	agent := b.phone("807")
	agent.Behave(ring(time.Second))
	b.idle("807")
	w := watch()
	c := b.fromOutside("02150000009", "0219900647")
	in := b.incoming(agent)
	b.must(in.Answered(b.within(10 * time.Second)))
	waited := w.lap()
	b.wait(2 * time.Second)
	b.must(c.Hangup(b.ctx))
	b.record("02150000009", "called=807 queueCode=647 agentCode=807 cdrState=bridged hangupSide=caller missCause=",
		lengths{"queueTime": waited, "ringTime": waited, "talkingTime": w.lap()})
}

func sceneNestedMenus(b *bench) {
	agent := b.phone("810")
	agent.Behave(ring(500 * time.Millisecond))
	b.idle("810")
	c := b.fromOutside("02150000010", "0219901650")
	b.must(c.Answered(b.within(10 * time.Second)))
	w := watch()
	b.press(c, "2")
	b.must(c.Heard(b.within(5*time.Second), 20))
	b.press(c, "1")
	in := b.rings(agent)
	menus := w.lap()
	b.must(in.Answered(b.within(10 * time.Second)))
	b.must(c.Hangup(b.ctx))
	b.record("02150000010", "called=810 queueCode=650 agentCode=810 ivrId=611 ivrName=night ivrDtmf=1 hangupSide=caller", lengths{"ivrTime": menus})
}

func sceneMenuHangup(b *bench) {
	c := b.fromOutside("02150000011", "0219901643")
	b.must(c.Answered(b.within(10 * time.Second)))
	w := watch()
	b.wait(1500 * time.Millisecond)
	b.must(c.Hangup(b.ctx))
	b.record("02150000011", "called=0219901643 queueCode= agentCode= cdrState=ivr ivrId=610 ivrDtmf=0 missCause= hangupSide=caller talkingTime=0",
		lengths{"ivrTime": w.lap()})
}

func sceneWrongKey(b *bench) {
	c := b.fromOutside("02150000012", "0219901643")
	b.press(c, "9")
	b.must(c.Received(b.within(5*time.Second), 100))
	b.must(c.Hangup(b.ctx))
	b.record("02150000012", "queueCode=643 ivrId=610 ivrDtmf=9 cdrState=queue missCause=NO_AGENT_LOGIN hangupSide=caller", nil)
}

func sceneNoKey(b *bench) {
	w := watch()
	c := b.fromOutside("02150000013", "0219901643")
	b.must(c.Answered(b.within(10 * time.Second)))
	b.must(c.Received(b.within(5*time.Second), 10))
	b.eventually("the caller to wait in the queue", func() bool { return b.waits("643", "02150000013") })
	menu := w.lap()
	b.wait(time.Second)
	b.must(c.Hangup(b.ctx))
	b.record("02150000013", "queueCode=643 ivrId=610 ivrDtmf=0 cdrState=queue", lengths{"ivrTime": menu, "queueTime": w.lap()})
}

func sceneBusy(b *bench) {
	a, z := b.phone("816"), b.phone("817")
	z.Behave(phone.Behaviour{Status: 486})
	c := b.dial(a, "817")
	b.over(c)
	b.record("816", "called=817 callType=internal cdrState= hangupSide=system missCause= talkingTime=0", nil)
}

func sceneRejected(b *bench) {
	a, z := b.phone("818"), b.phone("819")
	z.Behave(phone.Behaviour{Status: 603})
	c := b.dial(a, "819")
	b.over(c)
	b.record("818", "called=819 callType=internal cdrState= hangupSide=system talkingTime=0", nil)
}

func sceneNotAnswered(b *bench) {
	a, z := b.phone("801"), b.phone("802")
	z.Behave(phone.Behaviour{Never: true})
	w := watch()
	c := b.dial(a, "5802") // which rings for 3 s
	b.over(c)
	b.record("801", "callType=internal cdrState= hangupSide=system missCause= talkingTime=0", lengths{"ringTime": w.lap()})
}

func sceneCancelled(b *bench) {
	a, z := b.phone("803"), b.phone("804")
	z.Behave(phone.Behaviour{Never: true})
	c := b.dial(a, "804")
	b.must(c.Ringing(b.within(10 * time.Second)))
	w := watch()
	b.wait(1500 * time.Millisecond)
	b.must(c.Cancel(b.ctx))
	b.record("803", "called=804 callType=internal cdrState= hangupSide=caller talkingTime=0", lengths{"ringTime": w.lap()})
}

func sceneNotRegistered(b *bench) {
	c := b.dial(b.phone("805"), "820")
	b.over(c)
	b.record("805", "called=820 callType=internal cdrState= hangupSide=system ringTime=0 talkingTime=0", nil)
}

func sceneNoSuchNumber(b *bench) {
	c := b.fromOutside("02150000020", "02188889999")
	b.over(c)
	b.record("02150000020", "called=02188889999 callType=incoming cdrState= hangupSide=system talkingTime=0 trunkNumber=02188889999", nil)
}

func sceneInbound(b *bench) {
	z := b.phone("806")
	z.Behave(ring(time.Second))
	b.idle("806")
	w := watch()
	c := b.fromOutside("02150000021", "0219902806")
	b.must(c.Answered(b.within(10 * time.Second)))
	rang := w.lap()
	b.wait(time.Second)
	in := b.incoming(z)
	b.must(in.Hangup(b.ctx))
	b.record("02150000021", "called=806 queueCode= agentCode= callType=incoming cdrState=bridged hangupSide=agent trunkNumber=0219902806",
		lengths{"ringTime": rang, "talkingTime": w.lap()})
}

func sceneInboundMissed(b *bench) {
	z := b.phone("807")
	z.Behave(phone.Behaviour{Never: true})
	b.idle("807")
	c := b.fromOutside("02150000022", "0219902807")
	b.rings(z)
	b.must(c.Cancel(b.ctx))
	b.record("02150000022", "called=807 callType=incoming cdrState= hangupSide=caller missCause= talkingTime=0", nil)
}

func sceneOutbound(b *bench) {
	b.out.BehaveFor("02155550001", ring(time.Second))
	w := watch()
	c := b.dial(b.phone("808"), "02155550001")
	b.must(c.Answered(b.within(10 * time.Second)))
	rang := w.lap()
	b.wait(1500 * time.Millisecond)
	b.must(c.Hangup(b.ctx))
	b.record("808", "called=02155550001 queueCode= agentCode= callType=outgoing cdrState=bridged hangupSide=caller trunkNumber=",
		lengths{"ringTime": rang, "talkingTime": w.lap()})
}

func sceneOutboundBusy(b *bench) {
	b.out.BehaveFor("02155550002", phone.Behaviour{Status: 486})
	c := b.dial(b.phone("809"), "02155550002")
	b.over(c)
	b.record("809", "called=02155550002 callType=outgoing cdrState= hangupSide=system talkingTime=0", nil)
}

// sceneRefer transfers a call from outside with the phone's own key. The call keeps its id; whoever talked last ends it.
func sceneRefer(b *bench) {
	first, second := b.phone("810"), b.phone("811")
	first.Behave(ring(200 * time.Millisecond))
	second.Behave(ring(time.Second))
	b.idle("810", "811")
	c := b.fromOutside("02150000023", "0219902810")
	b.must(c.Answered(b.within(10 * time.Second)))
	w := watch()
	in := b.incoming(first)
	b.must(in.Heard(b.within(5*time.Second), 75))
	b.must(in.Refer(b.ctx, "811"))
	talked := w.lap()
	at := b.incoming(second)
	w.lap()
	b.wait(1500 * time.Millisecond)
	b.must(at.Hangup(b.ctx))
	got := b.record("02150000023", "called=811 callType=incoming cdrState=bridged hangupSide=agent", lengths{"talkingTime": talked + w.lap()})
	b.shares(got["uuid"], "810", "811")
}

// sceneReferReplaces asks a colleague first. The consultation is a call of its own until the two are joined.
func sceneReferReplaces(b *bench) {
	first, second := b.phone("812"), b.phone("813")
	first.Behave(ring(200 * time.Millisecond))
	second.Behave(ring(200 * time.Millisecond))
	b.idle("812", "813")
	c := b.fromOutside("02150000024", "0219902812")
	b.must(c.Answered(b.within(10 * time.Second)))
	in := b.incoming(first)
	b.must(in.Heard(b.within(5*time.Second), 50))
	b.must(in.Hold(b.ctx))
	ask := b.dial(first, "813")
	b.must(ask.Answered(b.within(10 * time.Second)))
	at := b.incoming(second)
	b.must(ask.Heard(b.within(5*time.Second), 50))
	b.must(in.ReferReplaces(b.ctx, ask))
	b.must(at.Heard(b.within(5*time.Second), 50))
	b.must(c.Hangup(b.ctx))
	b.record("02150000024", "called=813 callType=incoming cdrState=bridged hangupSide=caller", nil)
	b.record("812", "called=813 callType=internal cdrState=bridged", nil)
}

func sceneTransferOut(b *bench) {
	agent := b.phone("814")
	agent.Behave(ring(200 * time.Millisecond))
	b.out.BehaveFor("02155550003", ring(time.Second))
	b.idle("814")
	c := b.fromOutside("02150000025", "0219902814")
	b.must(c.Answered(b.within(10 * time.Second)))
	in := b.incoming(agent)
	b.must(in.Heard(b.within(5*time.Second), 50))
	b.must(in.Refer(b.ctx, "02155550003"))
	b.must(c.Heard(b.within(10*time.Second), 100))
	b.must(c.Hangup(b.ctx))
	b.record("02150000025", "called=02155550003 callType=incoming cdrState=bridged hangupSide=caller trunkNumber=0219902814", nil)
}

func sceneLocal(b *bench) {
	z := b.phone("816")
	z.Behave(ring(500 * time.Millisecond))
	b.idle("816")
	c := b.dial(b.phone("815"), "4816") // Dial(Local/816@from-internal)
	b.must(c.Answered(b.within(10 * time.Second)))
	w := watch()
	b.wait(2 * time.Second)
	b.must(c.Hangup(b.ctx))
	got := b.record("815", "callType=internal cdrState=bridged hangupSide=caller", lengths{"talkingTime": w.lap()})
	b.shares(got["uuid"], "815", "816")
}

func sceneTransferToQueue(b *bench) {
	first, agent := b.phone("811"), b.phone("801")
	first.Behave(ring(200 * time.Millisecond))
	agent.Behave(ring(time.Second))
	b.idle("811", "801")
	c := b.fromOutside("02150000030", "0219902811")
	b.must(c.Answered(b.within(10 * time.Second)))
	in := b.incoming(first)
	b.must(in.Heard(b.within(5*time.Second), 50))
	b.does("extensions/transfer", "tansfer extension success", "dst", "640", "src", "811")
	w := watch()
	at := b.incoming(agent)
	waited := w.lap()
	b.must(at.Heard(b.within(5*time.Second), 50))
	b.must(c.Hangup(b.ctx))
	got := b.record("02150000030", "called=801 queueCode=640 agentCode=801 cdrState=bridged hangupSide=caller missCause=", lengths{"queueTime": waited})
	b.shares(got["uuid"], "811", "801")
}

// sceneConsultation transfers with the keys of features.conf.
func sceneConsultation(b *bench) {
	first, second := b.phone("802"), b.phone("803")
	first.Behave(ring(200 * time.Millisecond))
	second.Behave(ring(500 * time.Millisecond))
	b.idle("802", "803")
	c := b.fromOutside("02150000031", "0219902802")
	b.must(c.Answered(b.within(10 * time.Second)))
	in := b.incoming(first)
	b.must(in.Heard(b.within(5*time.Second), 50))
	b.must(in.SendDTMF(b.ctx, "*2", phone.RFC2833))
	b.must(in.Heard(b.within(5*time.Second), 20)) // "transfer"
	b.must(in.SendDTMF(b.ctx, "803", phone.RFC2833))
	at := b.incoming(second)
	b.must(at.Heard(b.within(5*time.Second), 50))
	b.must(in.Hangup(b.ctx))
	b.must(c.Heard(b.within(5*time.Second), 75))
	b.must(at.Hangup(b.ctx))
	got := b.record("02150000031", "called=803 callType=incoming cdrState=bridged hangupSide=agent", nil)
	b.shares(got["uuid"], "802", "803")
}

func scenePark(b *bench) {
	first, second := b.phone("804"), b.phone("805")
	first.Behave(ring(200 * time.Millisecond))
	b.idle("804", "805")
	c := b.fromOutside("02150000032", "0219902804")
	b.must(c.Answered(b.within(10 * time.Second)))
	in := b.incoming(first)
	w := watch()
	b.must(in.Heard(b.within(5*time.Second), 75))
	b.must(in.Refer(b.ctx, "700"))
	talked := w.lap()
	b.wait(1500 * time.Millisecond)
	space := ""
	b.eventually("the call to be parked", func() bool {
		for _, sp := range b.timeline("02150000032") {
			if sp.Type == "park" {
				space = sp.Place
			}
		}
		return space != ""
	})
	take := b.dial(second, space)
	b.must(take.Answered(b.within(10 * time.Second)))
	w.lap()
	b.wait(1500 * time.Millisecond)
	b.must(take.Hangup(b.ctx))
	got := b.record("02150000032", "called=805 callType=incoming cdrState=bridged hangupSide=agent", lengths{"talkingTime": talked + w.lap()})
	b.shares(got["uuid"], "804", "805")
	b.record("805", "callType=internal talkingTime=0", nil) // the call to the parking space, until it joins the parked one
}

func scenePickup(b *bench) {
	ringing, taker := b.phone("806"), b.phone("807")
	ringing.Behave(phone.Behaviour{Never: true})
	b.idle("806", "807")
	c := b.fromOutside("02150000033", "0219902806")
	b.rings(ringing)
	take := b.dial(taker, "*8")
	b.must(take.Answered(b.within(10 * time.Second)))
	w := watch()
	b.wait(1500 * time.Millisecond)
	b.must(c.Hangup(b.ctx))
	got := b.record("02150000033", "called=807 callType=incoming cdrState=bridged hangupSide=caller", lengths{"talkingTime": w.lap()})
	b.shares(got["uuid"], "806", "807")
}

func sceneClickToDial(b *bench) {
	a, z := b.phone("808"), b.phone("809")
	a.Behave(ring(time.Second))
	z.Behave(ring(1500 * time.Millisecond))
	b.idle("808", "809")
	b.does("extensions/click-number", "Originate successfully queued", "src", "808", "dst", "809")
	c := b.incoming(a)
	w := watch()
	in := b.incoming(z)
	rang := w.lap()
	b.wait(time.Second)
	b.must(in.Hangup(b.ctx))
	talked := w.lap()
	b.over(c)
	b.record("808", "called=809 callType=internal cdrState=bridged hangupSide=agent", lengths{"ringTime": rang, "talkingTime": talked})
}

func sceneForwarded(b *bench) {
	a, away, z := b.phone("810"), b.phone("812"), b.phone("813")
	away.Behave(phone.Behaviour{Redirect: "813"})
	z.Behave(ring(500 * time.Millisecond))
	b.idle("812", "813")
	c := b.dial(a, "812")
	b.must(c.Answered(b.within(10 * time.Second)))
	b.wait(time.Second)
	b.must(c.Hangup(b.ctx))
	b.record("810", "called=812 callType=internal cdrState=bridged hangupSide=caller fwType=phone forwardNumber=813", nil)
}

// sceneConference: each party's call is one of its own and talks while another one is in the room.
func sceneConference(b *bench) {
	var calls []*phone.Call
	w := watch()
	for _, n := range []string{"814", "815", "816"} {
		c := b.dial(b.phone(n), "900")
		b.must(c.Answered(b.within(10 * time.Second)))
		calls = append(calls, c)
	}
	b.eventually("three in the room, whatever each is told first", func() bool {
		return strings.Count(b.cli("confbridge list 900"), b.lab.Tech+"/81") == len(calls)
	})
	b.must(calls[0].Heard(b.within(20*time.Second), 300))
	for _, c := range calls {
		b.must(c.Hangup(b.ctx))
	}
	whole := w.lap()
	for _, n := range []string{"814", "815", "816"} {
		b.record(n, "called=900 callType=internal cdrState=bridged hangupSide=caller", nil)
	}
	if whole > time.Minute {
		b.Errorf("the conference took %v", whole)
	}
}

// sceneCallWaiting: one phone with two calls, the first held while it talks in the second.
func sceneCallWaiting(b *bench) {
	p := b.phone("817")
	p.Behave(ring(200 * time.Millisecond))
	b.idle("817")
	one := b.dial(b.phone("818"), "817")
	b.must(one.Answered(b.within(10 * time.Second)))
	first := b.incoming(p)
	b.must(first.Heard(b.within(5*time.Second), 20))
	b.must(first.Hold(b.ctx))
	w := watch()
	two := b.dial(b.phone("819"), "817")
	b.must(two.Answered(b.within(10 * time.Second)))
	second := b.incoming(p)
	b.must(second.Heard(b.within(5*time.Second), 75))
	b.must(two.Hangup(b.ctx))
	b.must(first.Unhold(b.ctx))
	held := w.lap()
	b.must(one.Hangup(b.ctx))
	b.record("818", "called=817 cdrState=bridged hangupSide=caller", lengths{"holdTime": held})
	b.record("819", "called=817 cdrState=bridged hangupSide=caller holdTime=0", nil)
}
