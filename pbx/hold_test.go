package pbx

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

const helperName = "Local/held1.2@dialbridge-hold-00000001;1"

// holdRig is 802 in a call with 801, in an Asterisk in which a helper begins to play as soon as it is ordered.
func holdRig(t *testing.T) (*rig, *fake) {
	t.Helper()
	f := newFake(t)
	talking(f)
	f.Handle("DialplanExtensionAdd", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success") })
	f.Handle("Setvar", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "Message", "Variable Set") })
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Originate successfully queued")
		s.Message(row("Newchannel", helperName, a.Get("ChannelId"), a.Get("ChannelId"), "0"))
		s.Message(amitest.NewEvent("ChanSpyStart", "SpyerChannel", helperName, "SpyerUniqueid", a.Get("ChannelId"),
			"SpyeeChannel", "PJSIP/802-00000002", "SpyeeUniqueid", "1.2"))
	})
	f.Handle("Hangup", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Channel Hungup")
		s.Message(amitest.NewEvent("ChanSpyStop", "SpyerChannel", helperName, "SpyerUniqueid", a.Get("Channel")))
	})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	return r, f
}

// say sends an event to all that listen.
func (f *fake) say(m ami.Message) { f.Send(m.String() + "\r\n") }

// volumes lists what the volume of a channel was set to.
func (f *fake) volumes() (list []string) {
	for _, a := range f.Received("Setvar") {
		list = append(list, a.Get("Channel")+" "+a.Get("Variable")+" "+a.Get("Value"))
	}
	return list
}

var (
	muted = []string{"PJSIP/802-00000002 VOLUME(RX) -32767", "PJSIP/802-00000002 VOLUME(TX) -32767"}
	plain = []string{"PJSIP/802-00000002 VOLUME(RX) 0", "PJSIP/802-00000002 VOLUME(TX) 0"}
)

func (r *rig) stateIs(n Exten, want ExtenState) {
	r.t.Helper()
	list, err := r.sw.Extensions()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, x := range list {
		if x.Number == n && x.State != want {
			r.t.Errorf("%s is %s, want %s", n, x.State, want)
		}
	}
}

func TestHoldAndUnhold(t *testing.T) {
	r, f := holdRig(t)
	ctx := context.Background()
	for range 2 { // the second changes nothing
		if err := r.sw.Hold(ctx, "802"); err != nil {
			t.Fatal(err)
		}
		r.stateIs("802", OnHold)
	}
	if n := len(f.Received("Originate")); n != 1 {
		t.Errorf("%d helpers", n)
	}
	if err := r.sw.Consult(ctx, "802", "801"); err == nil {
		t.Error("a call on hold consults")
	}
	if err := r.sw.Unhold(ctx, "802"); err != nil {
		t.Fatal(err)
	}
	r.stateIs("802", Idle) // as its hint says
	if got, want := f.volumes(), slices.Concat(muted, muted, plain); !slices.Equal(got, want) {
		t.Errorf("volumes %q, want %q", got, want)
	}
	a, open, err := r.sw.Account(ctx, "1.1")
	if err != nil || !open || len(a.Agents) == 0 {
		t.Fatalf("account %+v %v", a, err)
	}
	holds, calls := 0, r.sw.Status().Calls
	for _, sp := range a.Spans {
		if sp.Kind == SpanHold && sp.Exten == "802" && !sp.open() {
			holds++
		}
	}
	if holds != 1 || calls != 1 {
		t.Errorf("%d holds of 802 in %d calls, want 1 in 1: %+v", holds, calls, a.Spans)
	}
}

func TestHoldsAtOnce(t *testing.T) {
	r, f := holdRig(t)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if err := r.sw.Hold(context.Background(), "802"); err != nil { // the later ones find it done
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(f.Received("Originate")); n != 1 {
		t.Errorf("%d helpers", n)
	}
}

// TestHoldThatCannotBe holds that a refused hold leaves nothing behind.
func TestHoldThatCannotBe(t *testing.T) {
	for name, test := range map[string]struct {
		set  func(*fake)
		why  error
		ends int // helpers that were begun and ended
	}{
		"no privilege": {func(f *fake) {
			f.Handle("DialplanExtensionAdd", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", "Permission denied") })
		}, ErrForbidden, 0},
		"music that never begins": {func(f *fake) {
			f.Handle("Originate", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success") })
		}, ErrUnknown, 0},
		"no volume": {func(f *fake) {
			f.Handle("Setvar", func(s *amitest.Session, a ami.Action) {
				if a.Get("Value") == noVolume {
					s.Respond(a, "Error", "Message", "No such channel")
					return
				}
				s.Respond(a, "Success")
			})
		}, ErrNoCall, 1},
		"a third party": {func(f *fake) {
			f.say(row("Newchannel", "PJSIP/803-00000003", "1.3", "1.1", "6"))
			f.say(row("BridgeEnter", "PJSIP/803-00000003", "1.3", "1.1", "6", "BridgeUniqueid", "b1"))
		}, ErrState, 0},
		"a conference": {func(f *fake) {
			f.say(row("Newexten", "PJSIP/801-00000001", "1.1", "1.1", "6", "Application", "ConfBridge", "Extension", "900"))
		}, ErrState, 0},
		"the phone holds": {func(f *fake) { f.say(row("Hold", "PJSIP/802-00000002", "1.2", "1.1", "6")) }, ErrState, 0},
		"nobody is there": {func(f *fake) { f.say(row("Hangup", "PJSIP/802-00000002", "1.2", "1.1", "6", "Cause", "16")) }, ErrNoCall, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r, f := holdRig(t)
			test.set(f)
			f.say(row("Newchannel", "PJSIP/804-00000004", "8.1", "8.1", "6"))
			r.await(func(st *state) bool { return st.channels["8.1"] != nil })
			if err := r.sw.Hold(context.Background(), "802"); !errors.Is(err, test.why) {
				t.Errorf("Hold = %v, want %v", err, test.why)
			}
			if n := len(f.Received("Hangup")); n != test.ends {
				t.Errorf("%d helpers ended, want %d", n, test.ends)
			}
			if err := r.sw.Unhold(context.Background(), "802"); !errors.Is(err, ErrState) && !errors.Is(err, ErrNoCall) {
				t.Errorf("Unhold = %v", err)
			}
		})
	}
}

// await waits until the picture is so.
func (r *rig) await(ok func(*state) bool) {
	r.t.Helper()
	if !r.sw.awaitFor(context.Background(), 10*time.Second, ok) {
		r.t.Fatal("the picture never came to be so")
	}
}

// TestHoldThatEndsByItself gives the extension its voice back: when the music has come to its limit, and when the helper has gone.
func TestHoldThatEndsByItself(t *testing.T) {
	for name, end := range map[string]ami.Message{
		"limit": row("Newexten", strings.TrimSuffix(helperName, "1")+"2", "9.2", "9.1", "6", "Application", "Wait", "AppData", "10"),
		"gone":  {},
	} {
		t.Run(name, func(t *testing.T) {
			r, f := holdRig(t)
			if err := r.sw.Hold(context.Background(), "802"); err != nil {
				t.Fatal(err)
			}
			helper := f.Received("Originate")[0].Get("ChannelId")
			if name == "gone" {
				end = amitest.NewEvent("ChanSpyStop", "SpyerChannel", helperName, "SpyerUniqueid", helper)
			}
			f.say(end)
			r.await(func(st *state) bool { return st.channels["1.2"].Held == "" })
			want := slices.Concat(muted, plain)
			for deadline := time.Now().Add(10 * time.Second); len(f.volumes()) < len(want) && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			if got := f.volumes(); len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
				t.Errorf("volumes %q, want %q", got, want)
			}
			r.stateIs("802", Idle)
		})
	}
}

// TestHoldIsFoundAfterARestart learns a hold from the list of channels alone, and ends it.
func TestHoldIsFoundAfterARestart(t *testing.T) {
	r, f := holdRig(t)
	r.stop()
	f.set(func() {
		f.channels = append(f.channels, row("CoreShowChannel", helperName, "9.1", "9.1", "6", "Application", "ChanSpy"))
	})
	r = newRig(t, f, filepath.Join(t.TempDir(), "b.db"))
	r.complete()
	r.stateIs("802", OnHold)
	if n := r.sw.Status().Channels; n != 2 {
		t.Errorf("%d channels: the helper is none of a call", n)
	}
	if err := r.sw.Unhold(context.Background(), "802"); err != nil {
		t.Fatal(err)
	}
	if ended := f.Received("Hangup"); len(ended) != 1 || ended[0].Get("Channel") != "9.1" {
		t.Errorf("ended %v", ended)
	}
}

// TestUnholdHalfWay: the link is lost between the two steps of an end. The call is on hold as before, and its other party does not hear music
// and the extension at once.
func TestUnholdHalfWay(t *testing.T) {
	r, f := holdRig(t)
	if err := r.sw.Hold(t.Context(), "802"); err != nil {
		t.Fatal(err)
	}
	helper := f.Received("Originate")[0].Get("ChannelId")
	f.set(func() {
		f.channels = append(f.channels, row("CoreShowChannel", helperName, helper, helper, "6", "Application", "ChanSpy"))
	})
	f.Handle("Hangup", func(*amitest.Session, ami.Action) { f.Drop() })
	if err := r.sw.Unhold(t.Context(), "802"); !errors.Is(err, ErrUnknown) {
		t.Errorf("Unhold = %v", err)
	}
	f.WaitLogins(2)
	r.complete()
	r.stateIs("802", OnHold)
	want := slices.Concat(muted, plain, muted)
	r.await(func(*state) bool { return len(f.volumes()) >= len(want) })
	if got := f.volumes(); !slices.Equal(got, want) {
		t.Errorf("volumes %q, want %q", got, want)
	}
}
