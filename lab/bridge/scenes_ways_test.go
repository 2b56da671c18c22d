package bridge_test

import (
	"time"

	"github.com/dialbridge/dialbridge/lab/phone"
)

// The scenes in which the dialplan leads a call on: to voicemail, out of a queue, to several phones, to a parking space and back.

// scenesOf are more rounds, of one version: the archive of Debian 11 has no app_voicemail any more that fits its Asterisk 16.
var scenesOf = map[string][][]scene{"22": {{
	{"voicemail", sceneVoicemail},
	{"voicemail, nothing said", sceneVoicemailEmpty},
}}}

// sceneVoicemail: nobody answers, and the caller leaves a message.
func sceneVoicemail(b *bench) {
	away := b.phone("812")
	away.Behave(phone.Behaviour{Never: true})
	b.idle("812")
	c := b.fromOutside("02150000040", "0219903812")
	b.must(c.Answered(b.within(15 * time.Second)))
	b.must(c.Received(b.within(5*time.Second), 25))
	b.must(c.SendDTMF(b.ctx, "#", phone.RFC2833)) // the greeting is long
	b.wait(2500 * time.Millisecond)
	b.must(c.Hangup(b.ctx))
	b.record("02150000040", "called=812 callType=incoming cdrState= voicemailState=1 hangupSide=caller agentCode= missCause= talkingTime=0", nil)
}

// sceneVoicemailEmpty: a caller who hangs up in the greeting has left nothing.
func sceneVoicemailEmpty(b *bench) {
	c := b.fromOutside("02150000041", "0219903820")
	b.must(c.Answered(b.within(15 * time.Second)))
	b.must(c.Received(b.within(5*time.Second), 25))
	b.must(c.Hangup(b.ctx))
	b.record("02150000041", "callType=incoming cdrState= voicemailState=0 hangupSide=caller talkingTime=0", nil)
}

// sceneQueueLeftByKey: the caller has enough of waiting and takes the way out that the queue offers.
func sceneQueueLeftByKey(b *bench) {
	agent, other := b.phone("813"), b.phone("814")
	agent.Behave(phone.Behaviour{Never: true})
	other.Behave(ring(500 * time.Millisecond))
	b.idle("813", "814")
	w := watch()
	c := b.fromOutside("02150000042", "0219900652")
	b.rings(agent)
	b.wait(1500 * time.Millisecond)
	b.must(c.SendDTMF(b.ctx, "1", phone.RFC2833))
	in := b.incoming(other)
	waited := w.lap()
	b.must(in.Heard(b.within(5*time.Second), 75))
	b.must(c.Hangup(b.ctx))
	got := b.record("02150000042", "called=814 queueCode=652 agentCode=814 callType=incoming cdrState=bridged hangupSide=caller missCause=",
		lengths{"queueTime": waited, "talkingTime": w.lap()})
	b.shares(got["uuid"], "813", "814")
}

// sceneOneTouchPark: the called party parks the caller with keys, and a third phone takes him.
func sceneOneTouchPark(b *bench) {
	a, z, taker := b.phone("815"), b.phone("816"), b.phone("817")
	z.Behave(ring(200 * time.Millisecond))
	b.idle("815", "816", "817")
	c := b.dial(a, "816")
	b.must(c.Answered(b.within(10 * time.Second)))
	in := b.incoming(z)
	b.must(in.Heard(b.within(5*time.Second), 75))
	b.must(in.SendDTMF(b.ctx, "#72", phone.RFC2833))
	space := b.parked("815")
	b.over(in)
	take := b.dial(taker, space)
	b.must(take.Answered(b.within(10 * time.Second)))
	b.must(take.Heard(b.within(5*time.Second), 75))
	b.must(c.Hangup(b.ctx))
	got := b.record("815", "called=816 callType=internal cdrState=bridged hangupSide=caller", nil)
	b.shares(got["uuid"], "815", "816", "817")
}

// sceneParkedTooLong: nobody takes the parked caller, who comes back to the phone that has parked him.
func sceneParkedTooLong(b *bench) {
	first := b.phone("818")
	first.Behave(ring(200 * time.Millisecond))
	b.idle("818")
	_, in := b.talksFromOutside("02150000043", "0219902818", first)
	b.must(in.Refer(b.ctx, "750"))
	again := b.incoming(first)
	b.must(again.Heard(b.within(5*time.Second), 75))
	b.must(again.Hangup(b.ctx))
	got := b.record("02150000043", "called=818 callType=incoming cdrState=bridged hangupSide=agent", nil)
	b.shares(got["uuid"], "818")
}

// sceneRingGroup: two phones ring at once, without a queue.
func sceneRingGroup(b *bench) {
	slow, quick := b.phone("801"), b.phone("802")
	slow.Behave(phone.Behaviour{Never: true})
	quick.Behave(ring(time.Second))
	b.idle("801", "802")
	w := watch()
	c := b.fromOutside("02150000044", "0219904000")
	b.must(c.Answered(b.within(10 * time.Second)))
	rang := w.lap()
	b.wait(1500 * time.Millisecond)
	b.must(c.Hangup(b.ctx))
	got := b.record("02150000044", "called=802 callType=incoming cdrState=bridged hangupSide=caller missCause=",
		lengths{"ringTime": rang, "talkingTime": w.lap()})
	b.shares(got["uuid"], "801", "802")
}

// sceneForwardedUnanswered: the dialplan calls another phone when the first does not answer.
func sceneForwardedUnanswered(b *bench) {
	away, z := b.phone("803"), b.phone("804")
	away.Behave(phone.Behaviour{Never: true})
	z.Behave(ring(500 * time.Millisecond))
	b.idle("803", "804")
	c := b.fromOutside("02150000045", "0219905803")
	b.must(c.Answered(b.within(15 * time.Second)))
	in := b.incoming(z)
	b.must(in.Heard(b.within(5*time.Second), 75))
	b.must(in.Hangup(b.ctx))
	got := b.record("02150000045", "called=804 callType=incoming cdrState=bridged hangupSide=agent", nil)
	b.shares(got["uuid"], "803", "804")
}
