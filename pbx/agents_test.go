package pbx

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

func memberEvent(event, queue, iface, membership, paused string) ami.Message {
	return amitest.NewEvent(event, "Queue", queue, "MemberName", iface, "Interface", iface, "StateInterface", iface, "Membership", membership, "Penalty", "2", "Status", "1", "Paused", paused)
}

func queueRig(t *testing.T) (*rig, *fake) {
	t.Helper()
	f := newFake(t)
	f.queues = []ami.Message{
		amitest.NewEvent("QueueParams", "Queue", "630"),
		amitest.NewEvent("QueueMember", "Queue", "630", "Name", "Ann", "Location", "PJSIP/801", "StateInterface", "PJSIP/801", "Membership", "static", "Penalty", "1", "Status", "1", "Paused", "0"),
		amitest.NewEvent("QueueMember", "Queue", "630", "Name", "Bob", "Location", "Local/802@from-queue/n", "StateInterface", "hint:802@ext-local", "Membership", "dynamic", "Penalty", "0", "Status", "1", "Paused", "0"),
		amitest.NewEvent("QueueEntry", "Queue", "630", "Uniqueid", "9.9", "CallerIDNum", "0211234567"),
		amitest.NewEvent("QueueParams", "Queue", "631"),
	}
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	return r, f
}

func TestQueuesAreInThePicture(t *testing.T) {
	r, f := queueRig(t)
	got, err := r.sw.Queues()
	if err != nil || len(got) != 2 || got[0].Name != "630" || len(got[0].Members) != 2 || len(got[0].Callers) != 1 {
		t.Fatalf("queues = %+v, %v", got, err)
	}
	if m := got[0].Members[1]; m.Exten != "802" || m.Static || m.Interface != "Local/802@from-queue/n" {
		t.Errorf("member = %+v", m)
	}
	if m := got[0].Members[0]; m.Exten != "801" || !m.Static || m.Penalty != 1 {
		t.Errorf("member = %+v", m)
	}
	f.set(func() { f.queues = f.queues[:2] }) // Bob, the caller and queue 631 are gone when the link is back
	f.Drop()
	f.WaitLogins(2)
	r.until(func(e Event) bool { c, ok := e.(QueueMemberChanged); return ok && c.Removed && c.Member.Exten == "802" })
	r.complete()
	if got, err := r.sw.Queues(); err != nil || len(got) != 1 || len(got[0].Members) != 1 || len(got[0].Callers) != 0 {
		t.Errorf("queues = %+v, %v", got, err)
	}
}

func TestPause(t *testing.T) {
	r, f := queueRig(t)
	f.Handle("QueuePause", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Interface paused successfully")
		s.Message(memberEvent("QueueMemberPause", a.Get("Queue"), a.Get("Interface"), "static", map[string]string{"true": "1", "false": "0"}[a.Get("Paused")]))
	})
	ctx := context.Background()
	if err := r.sw.Pause(ctx, "802", "630", true, "lunch"); err != nil {
		t.Fatal(err)
	}
	a := f.Wait("QueuePause")
	if a.Get("Interface") != "Local/802@from-queue/n" || a.Get("Reason") != "lunch" || a.Get("Paused") != "true" {
		t.Errorf("action = %+v", a)
	}
	if got, _ := r.sw.Queues(); !got[0].Members[1].Paused {
		t.Error("the pause is not in the picture when the verb returns")
	}
	for _, tc := range []struct {
		exten Exten
		queue QueueName
		want  error
	}{{"801", "631", ErrNotFound}, {"803", "", ErrNotFound}, {"801", "639", ErrNoQueue}} {
		if err := r.sw.Pause(ctx, tc.exten, tc.queue, true, ""); !errors.Is(err, tc.want) {
			t.Errorf("Pause(%s, %s) = %v, want %v", tc.exten, tc.queue, err, tc.want)
		}
	}
	var invalid *InvalidError
	if err := r.sw.Pause(ctx, "80/1", "630", true, ""); !errors.As(err, &invalid) {
		t.Errorf("hostile extension: %v", err)
	}
	if n := len(f.Received("QueuePause")); n != 1 {
		t.Errorf("%d actions reached asterisk", n)
	}
}

func TestJoinAndLeave(t *testing.T) {
	r, f := queueRig(t)
	ctx := context.Background()
	f.Handle("QueueAdd", func(s *amitest.Session, a ami.Action) {
		s.Message(memberEvent("QueueMemberAdded", a.Get("Queue"), a.Get("Interface"), "dynamic", "0"))
		s.Respond(a, "Success", "Message", "Added interface to queue")
	})
	f.Handle("QueueRemove", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Removed interface from queue")
		s.Message(memberEvent("QueueMemberRemoved", a.Get("Queue"), a.Get("Interface"), "dynamic", "0"))
	})
	f.Handle("QueuePause", func(s *amitest.Session, a ami.Action) {
		s.Message(memberEvent("QueueMemberPause", a.Get("Queue"), a.Get("Interface"), "static", "1"))
		s.Respond(a, "Success", "Message", "Interface paused successfully")
	})
	if err := r.sw.Join(ctx, "802", "631"); err != nil {
		t.Fatal(err)
	}
	if a := f.Wait("QueueAdd"); a.Get("Interface") != "PJSIP/802" || a.Get("StateInterface") != "PJSIP/802" || a.Get("Queue") != "631" {
		t.Errorf("action = %+v", a)
	}
	if err := r.sw.Join(ctx, "802", "631"); err != nil || len(f.Received("QueueAdd")) != 1 {
		t.Errorf("joining twice: %v, %d actions", err, len(f.Received("QueueAdd")))
	}
	if err := r.sw.Join(ctx, "899", "631"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown extension: %v", err)
	}
	if static, err := r.sw.Leave(ctx, "802", ""); static || err != nil {
		t.Errorf("leave = %v, %v", static, err)
	}
	if n := len(f.Received("QueueRemove")); n != 2 {
		t.Errorf("%d memberships were removed, want that of both queues", n)
	}
	if _, err := r.sw.Leave(ctx, "802", "631"); !errors.Is(err, ErrNotFound) {
		t.Errorf("leaving twice: %v", err)
	}
	if static, err := r.sw.Leave(ctx, "801", "630"); !static || err != nil {
		t.Errorf("static member: %v, %v", static, err)
	}
	f.Handle("QueueAdd", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Error", "Message", "Unable to add interface: Already there")
	})
	if err := r.sw.Join(ctx, "802", "630"); err != nil {
		t.Errorf("already there by another way: %v", err)
	}
}

// talking puts 801 and 802 into one bridge.
func talking(f *fake) {
	f.channels = []ami.Message{
		row("CoreShowChannel", "PJSIP/801-00000001", "1.1", "1.1", "6", "BridgeId", "b1"),
		row("CoreShowChannel", "PJSIP/802-00000002", "1.2", "1.1", "6", "BridgeId", "b1", "Application", "AppDial"),
	}
}

func TestTransferLooksFirst(t *testing.T) {
	f := newFake(t)
	talking(f)
	exists := "0"
	f.Handle("Getvar", func(s *amitest.Session, a ami.Action) {
		if a.Get("Variable") != "DIALPLAN_EXISTS(internal,803,1)" {
			t.Errorf("Variable = %q", a.Get("Variable"))
		}
		s.Respond(a, "Success", "Variable", a.Get("Variable"), "Value", exists)
	})
	f.Handle("BlindTransfer", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Transfer succeeded")
		s.Message(row("Hangup", "PJSIP/802-00000002", "1.2", "1.1", "6", "Cause", "16"))
	})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	ctx := context.Background()
	if err := r.sw.Transfer(ctx, "802", "803"); !errors.Is(err, ErrNotFound) {
		t.Errorf("to a number that is not there: %v", err)
	}
	var invalid *InvalidError
	if err := r.sw.Transfer(ctx, "802", "803,1)"); !errors.As(err, &invalid) {
		t.Errorf("hostile number: %v", err)
	}
	if err := r.sw.Transfer(ctx, "803", "803"); !errors.Is(err, ErrNoCall) {
		t.Errorf("without a call: %v", err)
	}
	if n := len(f.Received("BlindTransfer")); n != 0 {
		t.Fatalf("asterisk was told to transfer %d times", n)
	}
	exists = "1"
	if err := r.sw.Transfer(ctx, "802", "803"); err != nil {
		t.Fatal(err)
	}
	if a := f.Wait("BlindTransfer"); a.Get("Channel") != "PJSIP/802-00000002" || a.Get("Exten") != "803" || a.Get("Context") != "internal" {
		t.Errorf("action = %+v", a)
	}
}

func TestExistsWithoutTheFunction(t *testing.T) {
	f := newFake(t)
	f.Handle("Getvar", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Variable", a.Get("Variable"), "Value", "")
	})
	f.Handle("ShowDialPlan", func(s *amitest.Session, a ami.Action) {
		if a.Get("Extension") == "803" {
			s.List(a, "DialPlan list will follow", []ami.Message{amitest.NewEvent("ListDialplan", "Context", "internal")}, "ShowDialPlanComplete")
			return
		}
		s.Respond(a, "Error", "Message", "Did not find extension "+a.Get("Extension")+"@internal")
	})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	for number, want := range map[string]bool{"803": true, "899": false} {
		if got, err := r.sw.Exists(context.Background(), "internal", number); got != want || err != nil {
			t.Errorf("Exists(%s) = %v, %v", number, got, err)
		}
	}
}

func TestOrderWithoutAChannel(t *testing.T) {
	f := newFake(t)
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Originate successfully queued")
		s.Event("OriginateResponse", "ActionID", a.Get("ActionID"), "Response", "Failure", "Channel", "PJSIP/801", "Uniqueid", "<unknown>", "Reason", "0")
	})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	id, err := r.sw.Dial(WithTrace(context.Background(), "req-1"), DialRequest{From: "801", To: "802"})
	if err != nil {
		t.Fatal(err)
	}
	events := r.until(isEnd)
	if got := ends(events); len(got) != 1 || got[0].Call.ID != id {
		t.Errorf("ends = %+v", got)
	}
	for _, o := range events {
		if e, ok := o.Event.(CallRecorded); ok {
			if e.Call != id || e.CDR.Source != "801" || e.CDR.Destination != "802" || e.CDR.Disposition != "FAILED" {
				t.Errorf("record = %+v", e)
			}
			return
		}
	}
	t.Error("no record")
}

// TestOrderFailsBeforeItsEvents holds that Asterisk's word of a failed order, which overtakes the events of its channel on a busy
// machine, makes no second call.
func TestOrderFailsBeforeItsEvents(t *testing.T) {
	f := newFake(t)
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Originate successfully queued")
		id, name := a.Get("ChannelId"), "PJSIP/801-0000000a"
		s.Event("OriginateResponse", "ActionID", a.Get("ActionID"), "Response", "Failure", "Channel", "PJSIP/801", "Uniqueid", "<unknown>", "Reason", "5")
		s.Event("Newchannel", "Channel", name, "Uniqueid", id, "Linkedid", id, "ChannelState", "0", "CallerIDNum", "801", "Context", "internal")
		s.Event("DialBegin", "DestChannel", name, "DestUniqueid", id, "DestLinkedid", id, "DestCallerIDNum", "801", "DialString", "801")
		s.Event("DialEnd", "DestChannel", name, "DestUniqueid", id, "DestLinkedid", id, "DestCallerIDNum", "801", "DialStatus", "BUSY")
		s.Event("Hangup", "Channel", name, "Uniqueid", id, "Linkedid", id, "ChannelState", "0", "Cause", "17", "Cause-txt", "User busy")
	})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	id, err := r.sw.Dial(WithTrace(context.Background(), "req-1"), DialRequest{From: "801", To: "802"})
	if err != nil {
		t.Fatal(err)
	}
	events := r.until(isEnd)
	r.sw.mu.Lock()
	r.sw.state.tickOrders(time.Now().Add(time.Hour))
	more := len(r.sw.state.out)
	r.sw.mu.Unlock()
	if got := ends(events); len(got) != 1 || got[0].Call.ID != id || got[0].Cause != "17" || more != 0 {
		t.Errorf("ends = %+v, and %d events more", got, more)
	}
	if !slices.ContainsFunc(events, func(o Occurrence) bool { e, is := o.Event.(DialEnded); return is && e.Leg.Status == "BUSY" }) {
		t.Error("the ringing has no end")
	}
}

// TestRecordOvertakesRinging holds the direction of a campaign's call whose record comes before its DialBegin, as it does on a busy machine.
func TestRecordOvertakesRinging(t *testing.T) {
	r := newRig(t, newFake(t), filepath.Join(t.TempDir(), "a.db"))
	for device, want := range map[string]Direction{"PJSIP/trunk": Outbound, "PJSIP/801": Internal} {
		c := &call{errand: errand{Alone: true}, first: &channel{Channel: Channel{ID: "9.1", Name: device + "-00000001"}}}
		if got := r.sw.state.directionOf(c); got != want {
			t.Errorf("%s: direction %v, want %v", device, got, want)
		}
	}
}

func TestGapMakesTheChannelsCompared(t *testing.T) {
	f := newFake(t)
	f.channels = []ami.Message{row("CoreShowChannel", "PJSIP/801-00000001", "1.1", "1.1", "6")}
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.until(isStart)
	r.complete()
	f.set(func() { f.channels = nil })
	f.Send("Event: Hangup\r\nChannel: PJSIP/801-00000001\r\nUniqEvent: Newexten\r\nPrivilege: dialplan,all\r\nChannel: x\r\n\r\n") // torn: the Hangup is lost
	got := ends(r.until(isEnd))
	if len(got) != 1 || got[0].Call.ID != "1.1" || !got[0].Synthetic {
		t.Errorf("ends = %+v", got)
	}
}

// TestStaticMemberComesBack holds that a static member that has left, which is a pause, is a member again when it joins.
func TestStaticMemberComesBack(t *testing.T) {
	r, f := queueRig(t)
	f.Handle("QueuePause", func(s *amitest.Session, a ami.Action) {
		paused := map[string]string{"true": "1", "false": "0"}[a.Get("Paused")]
		m := memberEvent("QueueMemberPause", a.Get("Queue"), a.Get("Interface"), "static", paused)
		s.Message(amitest.NewEvent("QueueMemberPause", "Queue", m.Get("Queue"), "Interface", m.Get("Interface"), "StateInterface", m.Get("Interface"),
			"Membership", "static", "Paused", paused, "PausedReason", a.Get("Reason")))
		s.Respond(a, "Success", "Message", "Interface paused successfully")
	})
	ctx := context.Background()
	paused := func() bool { got, _ := r.sw.Queues(); return got[0].Members[0].Paused }
	if static, err := r.sw.Leave(ctx, "801", "630"); err != nil || !static || !paused() {
		t.Fatalf("Leave = %v, %v, paused %v", static, err, paused())
	}
	if err := r.sw.Join(ctx, "801", "630"); err != nil || paused() {
		t.Errorf("Join = %v, paused %v", err, paused())
	}
	if err := r.sw.Pause(ctx, "801", "630", true, "lunch"); err != nil {
		t.Fatal(err)
	}
	if err := r.sw.Join(ctx, "801", "630"); err != nil || !paused() {
		t.Errorf("to join twice ends no pause of another reason: %v, paused %v", err, paused())
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]int{"": 0, "7": 7, "10485770": 10_485_770, "1342177289": 1_342_177_289, "-1": 0, "1x": 0, "99999999999": 0} {
		if got := number(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
