package bridge_test

import (
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
		{"member behind a Local channel that stays", sceneLocalStays},
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
		{"queue left by key", sceneQueueLeftByKey},
		{"parked by keys", sceneOneTouchPark},
		{"parked too long", sceneParkedTooLong},
		{"two phones at once", sceneRingGroup},
		{"forwarded by the dialplan", sceneForwardedUnanswered},
		{"REFER with Replaces into a conference", sceneReferIntoConference},
		{"REFER with Replaces into a queue", sceneReferIntoQueue},
	},
	{
		{"pickup", scenePickup}, // alone, for it takes whatever rings
	},
	{
		{"pickup of a click-to-dial", sceneClickToDialPickedUp},
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

func sceneLocalStays(b *bench) {
	agent := b.phone("811")
	agent.Behave(ring(time.Second))
	b.idle("811")
	w := watch()
	c := b.fromOutside("02150000014", "0219900651")
	in := b.incoming(agent)
	b.must(in.Answered(b.within(10 * time.Second)))
	waited := w.lap()
	b.wait(2 * time.Second)
	b.must(in.Hangup(b.ctx))
	talked := w.lap()
	b.must(c.Heard(b.within(10*time.Second), 5)) // the survey
	b.must(c.Hangup(b.ctx))
	got := b.record("02150000014", "called=811 queueCode=651 agentCode=811 cdrState=feedback hangupSide=agent missCause=",
		lengths{"queueTime": waited, "ringTime": waited, "talkingTime": talked})
	b.shares(got["uuid"], "811")
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
