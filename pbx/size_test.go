package pbx

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestSizes: what is counted is what there is, each state is there also when nobody is in it, and nothing is told while the picture is not complete.
func TestSizes(t *testing.T) {
	f := newFake(t)
	f.channels = []ami.Message{
		row("CoreShowChannel", "PJSIP/801-00000001", "1.1", "1.1", "6"),
		row("CoreShowChannel", "PJSIP/802-00000002", "1.2", "1.1", "6"),
		row("CoreShowChannel", "PJSIP/trunk-00000003", "2.1", "2.1", "6"),
	}
	f.hints = []ami.Message{hint("801", "1"), hint("802", "1")}
	member := func(exten, paused string) ami.Message {
		return amitest.NewEvent("QueueMember", "Queue", "630", "Name", exten, "Location", "PJSIP/"+exten, "StateInterface", "PJSIP/"+exten, "Paused", paused, "Status", "1")
	}
	f.queues = []ami.Message{
		amitest.NewEvent("QueueParams", "Queue", "630"), member("801", "0"), member("803", "1"),
		amitest.NewEvent("QueueEntry", "Queue", "630", "Position", "1", "Channel", "PJSIP/trunk-00000003", "Uniqueid", "2.1", "CallerIDNum", "5550001", "Wait", "70"),
		amitest.NewEvent("QueueParams", "Queue", "631"),
	}
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	if _, err := r.sw.Sizes(); err != nil && !errors.Is(err, ErrOffline) {
		t.Fatal(err)
	}
	r.complete()
	z, err := r.sw.Sizes()
	if err != nil {
		t.Fatal(err)
	}
	if age := time.Since(z.Longest); age < 70*time.Second || age > 100*time.Second {
		t.Errorf("the first caller has waited for %v", age)
	}
	z.Longest = time.Time{}
	want := Sizes{
		Calls: 2, Channels: 3, Queues: 2, Callers: 1,
		Extensions: map[ExtenState]int{Idle: 0, InUse: 2, Busy: 0, Unavailable: 1, Ringing: 0, OnHold: 0},
		Agents:     map[AgentState]int{AgentLogin: 0, AgentReady: 0, AgentUnready: 1, AgentBusy: 1, AgentAfterWork: 0},
	}
	if diff := cmp.Diff(want, z); diff != "" {
		t.Error(diff)
	}
	f.Refuse()
	f.Drop()
	if !r.sw.await(t.Context(), func(*state) bool { return !r.sw.synced }) {
		t.Fatal("the lost link is not noticed")
	}
	if _, err := r.sw.Sizes(); !errors.Is(err, ErrOffline) {
		t.Errorf("sizes of a lost picture are told: %v", err)
	}
}

// TestAppliedAndSyntheticAreCounted: events by their names, and ends that Asterisk did not tell.
func TestAppliedAndSyntheticAreCounted(t *testing.T) {
	f := newFake(t)
	f.channels = []ami.Message{
		row("CoreShowChannel", "PJSIP/801-00000001", "1.1", "1.1", "6"),
		row("CoreShowChannel", "PJSIP/802-00000002", "2.1", "2.1", "6"),
	}
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	if n, known := r.sw.Applied()["Hangup"]; !known || n != 0 {
		t.Errorf("before the first: %d, %v", n, known)
	}
	f.Send(row("Hangup", "PJSIP/801-00000001", "1.1", "1.1", "6", "Cause", "16").String() + "\r\n")
	r.until(isEnd)
	if n, made := r.sw.Applied()["Hangup"], r.sw.SyntheticEnds(); n != 1 || made != 0 {
		t.Errorf("%d Hangup, %d synthetic ends; want 1 and none", n, made)
	}
	f.set(func() { f.channels = nil })
	f.Drop()
	r.until(isEnd)
	if n, made := r.sw.Applied()["Hangup"], r.sw.SyntheticEnds(); n != 1 || made != 1 {
		t.Errorf("%d Hangup, %d synthetic ends; want 1 and 1", n, made)
	}
	if _, known := r.sw.Applied()["FullyBooted"]; known {
		t.Error("FullyBooted changes no picture")
	}
}
