package pbx

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestTakeCallAtOnce holds that of two who take the same caller one has him, and that a refusal lets the next one try.
func TestTakeCallAtOnce(t *testing.T) {
	f := newFake(t)
	f.channels = []ami.Message{row("CoreShowChannel", "PJSIP/trunk-00000001", "9.9", "9.9", "6", "Application", "Queue")}
	f.queues = []ami.Message{
		amitest.NewEvent("QueueParams", "Queue", "630"),
		amitest.NewEvent("QueueEntry", "Queue", "630", "Uniqueid", "9.9", "CallerIDNum", "0211234567"),
	}
	f.Handle("Getvar", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "Value", "1") })
	f.Handle("Redirect", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Error", "Message", "Redirect failed, channel not up.")
	})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	ctx := context.Background()
	if err := r.sw.TakeCall(ctx, "801", "9.9"); !errors.Is(err, ErrNoCall) {
		t.Errorf("a caller who hangs up: %v", err)
	}
	f.Wait("Redirect")
	f.Handle("Redirect", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "Message", "Redirect successful") })
	first := make(chan error, 1)
	go func() { first <- r.sw.TakeCall(ctx, "801", "9.9") }()
	f.Wait("Redirect")
	if err := r.sw.TakeCall(ctx, "802", "9.9"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the second: %v", err)
	}
	f.say(row("QueueCallerLeave", "PJSIP/trunk-00000001", "9.9", "9.9", "6", "Queue", "630"))
	if err := <-first; err != nil {
		t.Errorf("the first: %v", err)
	}
	if n := len(f.Received("Redirect")); n != 2 {
		t.Errorf("%d were sent, want the refused one and another", n)
	}
}

// listenRig is 802 in a call with 0217654321, in an Asterisk in which who is ordered to listen does so at once.
func listenRig(t *testing.T) (*rig, *fake) {
	t.Helper()
	f := newFake(t)
	party := func(name, id, number, other string) ami.Message {
		return amitest.NewEvent("CoreShowChannel", "Channel", name, "ChannelState", "6", "CallerIDNum", number, "ConnectedLineNum", other,
			"Context", "from-internal", "Exten", "802", "Uniqueid", id, "Linkedid", "1.1", "BridgeId", "b1")
	}
	f.channels = []ami.Message{
		party("PJSIP/trunk-00000001", "1.1", "0217654321", "802"), party("PJSIP/802-00000002", "1.2", "802", "0217654321"),
	}
	f.Handle("Getvar", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "Value", "1") })
	f.Handle("PlayDTMF", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success") })
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Originate successfully queued")
		name, id := strings.TrimSuffix(a.Get("Channel"), "/n")+"-00000009", a.Get("ChannelId")
		s.Message(row("Newchannel", name, id, id, "6"))
		s.Message(amitest.NewEvent("ChanSpyStart", "SpyerChannel", name, "SpyerUniqueid", id, "SpyeeChannel", "PJSIP/802-00000002", "SpyeeUniqueid", "1.2"))
	})
	f.Handle("Hangup", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Channel Hungup")
		s.Message(row("Hangup", "Local/x-00000009", a.Get("Channel"), a.Get("Channel"), "6", "Cause", "16"))
	})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	return r, f
}

// hears waits until somebody listens.
func (r *rig) hears(by Exten) {
	r.t.Helper()
	r.await(func(st *state) bool {
		return len(st.listening(func(p *spy) bool { return p.By == by && p.Started })) > 0
	})
}

// TestListenerStaysSecret holds that the one listened to neither makes a listener heard nor ends him, and that a third party is no
// listener.
func TestListenerStaysSecret(t *testing.T) {
	r, f := listenRig(t)
	ctx, listen := context.Background(), SpyRequest{By: "801", On: "802", Mode: Listen}
	if err := r.sw.Spy(ctx, listen); err != nil {
		t.Fatal(err)
	}
	r.hears("801")
	if err := r.sw.ThreeWay(ctx, "801", "802"); !errors.Is(err, ErrState) {
		t.Errorf("the listener as a third party: %v", err)
	}
	if err := r.sw.EndThreeWay(ctx, "801", "802"); !errors.Is(err, ErrNoCall) {
		t.Errorf("the listener is ended: %v", err)
	}
	if err := r.sw.StopSpying(ctx, "801"); err != nil {
		t.Errorf("by who may: %v", err)
	}
	if err := r.sw.ThreeWay(ctx, "0211234567", "802"); err != nil {
		t.Fatal(err)
	}
	r.hears("0211234567")
	if err := r.sw.EndThreeWay(ctx, "0211234567", "801"); !errors.Is(err, ErrNoCall) {
		t.Errorf("out of another's call: %v", err)
	}
	if err := r.sw.EndThreeWay(ctx, "0211234567", "802"); err != nil {
		t.Error(err)
	}
	if err := r.sw.ThreeWay(ctx, "801", "802"); err != nil {
		t.Fatal(err)
	}
	r.hears("801")
	if err := r.sw.ThreeWay(ctx, "801", "802"); err != nil {
		t.Errorf("once more: %v", err)
	}
	if err := r.sw.Spy(ctx, listen); !errors.Is(err, ErrState) {
		t.Errorf("the third party as a listener: %v", err)
	}
	if n := len(f.Received("PlayDTMF")); n != 0 {
		t.Errorf("%d keys were pressed", n)
	}
}

// TestThreeWayThatCannotBe holds that nobody is rung whom the extension talks to, and nobody during a hold.
func TestThreeWayThatCannotBe(t *testing.T) {
	r, f := listenRig(t)
	ctx := context.Background()
	var invalid *InvalidError
	if err := r.sw.ThreeWay(ctx, "802", "802"); !errors.As(err, &invalid) || invalid.Field != "dst" {
		t.Errorf("himself: %v", err)
	}
	if err := r.sw.ThreeWay(ctx, "0217654321", "802"); !errors.Is(err, ErrState) {
		t.Errorf("whom he talks to: %v", err)
	}
	if err := r.sw.Transfer(ctx, "802", "802"); !errors.As(err, &invalid) || invalid.Field != "dst" {
		t.Errorf("a transfer to himself: %v", err)
	}
	f.say(row("Hold", "PJSIP/802-00000002", "1.2", "1.1", "6"))
	r.await(func(st *state) bool { return st.channels["1.2"].OnHold() })
	if err := r.sw.ThreeWay(ctx, "801", "802"); !errors.Is(err, ErrState) {
		t.Errorf("on hold: %v", err)
	}
	if n := len(f.Received("Originate")); n != 0 {
		t.Errorf("%d were rung", n)
	}
}

// TestThreeWayWithAPartner holds that one extension is not rung by the other with which it talks.
func TestThreeWayWithAPartner(t *testing.T) {
	f := newFake(t)
	talking(f)
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	if err := r.sw.ThreeWay(context.Background(), "801", "802"); !errors.Is(err, ErrState) {
		t.Error(err)
	}
}
