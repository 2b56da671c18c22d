package bridge_test

import (
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/lab/phone"
)

// The scenes in which a call changes hands, or has more than two parties.

// talksFromOutside calls one of the provider's numbers, and waits until the phone that it rings hears the caller.
func (b *bench) talksFromOutside(caller, did string, p *phone.Phone) (c, in *phone.Call) {
	b.Helper()
	c = b.fromOutside(caller, did)
	b.must(c.Answered(b.within(10 * time.Second)))
	in = b.incoming(p)
	b.must(in.Heard(b.within(5*time.Second), 50))
	return c, in
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
	talked := w.lap() // Asterisk transfers at once; the phone is told later
	b.must(in.Refer(b.ctx, "811"))
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
	c, in := b.talksFromOutside("02150000024", "0219902812", first)
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
	c, in := b.talksFromOutside("02150000025", "0219902814", agent)
	b.must(in.Refer(b.ctx, "02155550003"))
	b.must(c.Heard(b.within(10*time.Second), 100))
	b.must(c.Hangup(b.ctx))
	b.record("02150000025", "called=02155550003 callType=incoming cdrState=bridged hangupSide=caller trunkNumber=0219902814", nil)
}

func sceneTransferToQueue(b *bench) {
	first, agent := b.phone("811"), b.phone("801")
	first.Behave(ring(200 * time.Millisecond))
	agent.Behave(ring(time.Second))
	b.idle("811", "801")
	c, _ := b.talksFromOutside("02150000030", "0219902811", first)
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
	c, in := b.talksFromOutside("02150000031", "0219902802", first)
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
	talked := w.lap()
	b.must(in.Refer(b.ctx, "700"))
	b.wait(1500 * time.Millisecond)
	take := b.dial(second, b.parked("02150000032"))
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

// sceneClickToDialPickedUp: a colleague takes the call that was ordered for another phone, and talks to the number that was asked for.
func sceneClickToDialPickedUp(b *bench) {
	ringing, taker, z := b.phone("806"), b.phone("807"), b.phone("809")
	ringing.Behave(phone.Behaviour{Never: true})
	z.Behave(ring(time.Second))
	b.idle("806", "807", "809")
	b.does("extensions/click-number", "Originate successfully queued", "src", "806", "dst", "5809")
	b.rings(ringing)
	take := b.dial(taker, "*8")
	b.must(take.Answered(b.within(10 * time.Second)))
	in := b.incoming(z)
	w := watch()
	b.must(in.Heard(b.within(5*time.Second), 75))
	b.must(take.Hangup(b.ctx))
	got := b.record("806", "called=5809 callType=internal cdrState=bridged hangupSide=caller", lengths{"talkingTime": w.lap()})
	b.shares(got["uuid"], "806", "807", "809")
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

// sceneReferIntoConference asks a conference first, and gives his own place in it to the caller.
func sceneReferIntoConference(b *bench) {
	host := b.dial(b.phone("807"), "900")
	b.must(host.Answered(b.within(10 * time.Second)))
	first := b.phone("808")
	first.Behave(ring(200 * time.Millisecond))
	b.idle("808")
	c, in := b.talksFromOutside("02150000061", "0219902808", first)
	w := watch()
	b.must(in.Hold(b.ctx))
	ask := b.dial(first, "900")
	b.must(ask.Answered(b.within(10 * time.Second)))
	b.must(ask.Heard(b.within(20*time.Second), 50))
	b.must(in.ReferReplaces(b.ctx, ask))
	b.eventually("the caller to be in the room", func() bool { return strings.Contains(b.cli("confbridge list 900"), b.lab.Tech+"/trunk") })
	b.wait(3500 * time.Millisecond)
	b.must(c.Hangup(b.ctx))
	b.record("02150000061", "callType=incoming cdrState=bridged hangupSide=caller", lengths{"talkingTime": time.Second + w.lap()})
	b.must(host.Hangup(b.ctx))
}

// sceneReferIntoQueue waits in a queue and gives his own place in it to the caller.
func sceneReferIntoQueue(b *bench) {
	first, agent := b.phone("809"), b.phone("810")
	first.Behave(ring(200 * time.Millisecond))
	agent.Behave(ring(4 * time.Second))
	b.idle("809", "810")
	c, in := b.talksFromOutside("02150000062", "0219902809", first)
	b.must(in.Hold(b.ctx))
	ask := b.dial(first, "650")
	b.must(ask.Answered(b.within(10 * time.Second)))
	at := b.rings(agent)
	b.must(in.ReferReplaces(b.ctx, ask))
	b.eventually("the caller to wait", func() bool { return b.waits("650", "02150000062") })
	w := watch()
	b.must(at.Answered(b.within(10 * time.Second)))
	waited := w.lap()
	b.must(at.Heard(b.within(5*time.Second), 50))
	b.must(c.Hangup(b.ctx))
	got := b.record("02150000062", "called=810 queueCode=650 agentCode=810 callType=incoming cdrState=bridged hangupSide=caller missCause=", lengths{"queueTime": waited})
	b.shares(got["uuid"], "809", "810")
	b.record("809", "queueCode=650 callType=internal missCause=", nil)
	b.followed().queue("650", "abandoned=0 waiting=0")
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
