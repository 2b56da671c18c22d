package pbx

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// consultRig is 802 in a call, in an Asterisk that moves it through bridges when it is told to consult.
func consultRig(t *testing.T, bridges ...string) (*rig, *fake) {
	t.Helper()
	f := newFake(t)
	talking(f)
	f.Handle("Getvar", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "Value", "1") })
	state := ringing
	if len(bridges) > 1 {
		state = "0" // nothing rings
	}
	f.Handle("Atxfer", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Atxfer successfully queued")
		for _, b := range bridges {
			s.Message(row("Newchannel", "Local/801@from-internal-1;1", "1.9", "1.1", state))
			s.Message(row("BridgeEnter", "Local/801@from-internal-1;1", "1.9", "1.1", state, "BridgeUniqueid", "b3"))
			s.Message(row("BridgeEnter", a.Get("Channel"), "1.2", "1.1", "6", "BridgeUniqueid", b))
		}
	})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	return r, f
}

// TestConsultationThatFailed holds that the end of a consultation is not taken for a transfer: to complete would hang up
// the call that it was to hand over.
func TestConsultationThatFailed(t *testing.T) {
	r, f := consultRig(t, "b3", "b1") // the one asked is busy: 802 is back with its peer
	ctx := context.Background()
	if err := r.sw.Consult(ctx, "802", "801"); !errors.Is(err, ErrUnreached) {
		t.Errorf("Consult = %v", err)
	}
	if err := r.sw.Complete(ctx, "802", ""); !errors.Is(err, ErrState) {
		t.Errorf("Complete = %v", err)
	}
	if err := r.sw.Cancel(ctx, "802"); !errors.Is(err, ErrState) {
		t.Errorf("Cancel = %v", err)
	}
	if n := len(f.Received("Hangup")) + len(f.Received("CancelAtxfer")); n != 0 {
		t.Errorf("%d actions reached asterisk", n)
	}
}

// TestConsultationThatEndsLater holds the same for a consultation that begins well.
func TestConsultationThatEndsLater(t *testing.T) {
	r, f := consultRig(t, "b3")
	ctx := context.Background()
	if err := r.sw.Consult(ctx, "802", "801"); err != nil {
		t.Fatal(err)
	}
	if err := r.sw.Consult(ctx, "802", "804"); !errors.Is(err, ErrState) {
		t.Errorf("a second Consult = %v", err)
	}
	f.Send(row("BridgeEnter", "PJSIP/802-00000002", "1.2", "1.1", "6", "BridgeUniqueid", "b1").String() + "\r\n")
	f.Send(hint("802", "1").String() + "\r\n")
	r.until(func(e Event) bool { c, ok := e.(ExtensionChanged); return ok && c.Exten == "802" && c.State == InUse })
	if err := r.sw.Complete(ctx, "802", ""); !errors.Is(err, ErrState) {
		t.Errorf("Complete = %v", err)
	}
	if n := len(f.Received("Hangup")); n != 0 {
		t.Errorf("%d Hangups reached asterisk", n)
	}
}

// TestConsultationThatNeverBegins is a phone that the dialplan does not let transfer: Asterisk says that it will.
func TestConsultationThatNeverBegins(t *testing.T) {
	r, _ := consultRig(t)
	if err := r.sw.Consult(context.Background(), "802", "801"); !errors.Is(err, ErrState) {
		t.Errorf("Consult = %v", err)
	}
	if err := r.sw.Complete(context.Background(), "802", ""); !errors.Is(err, ErrState) {
		t.Errorf("Complete = %v", err)
	}
}

// TestConsultationOfNobody is an extension without a phone: nothing is done to the call.
func TestConsultationOfNobody(t *testing.T) {
	r, f := consultRig(t, "b3")
	if err := r.sw.Consult(context.Background(), "802", "803"); !errors.Is(err, ErrNotRegistered) {
		t.Errorf("Consult = %v", err)
	}
	if n := len(f.Received("Atxfer")) + len(f.Received("Getvar")); n != 0 {
		t.Errorf("%d actions reached asterisk", n)
	}
}

// again loses the link, and waits until the picture is complete once more.
func (r *rig) again(f *fake) {
	r.t.Helper()
	want := r.sw.Status().Resyncs + 1
	f.Drop()
	r.until(func(e Event) bool { c, ok := e.(PictureCompleted); return ok && c.Resyncs == want })
}

// TestConsultationThatEndsUnseen: the one asked hung up while the link was lost. To complete what was told before would hang up on the caller.
func TestConsultationThatEndsUnseen(t *testing.T) {
	r, f := consultRig(t, "b3")
	ctx := context.Background()
	if err := r.sw.Consult(ctx, "802", "801"); err != nil {
		t.Fatal(err)
	}
	r.sw.mu.RLock()
	question := r.sw.state.channels["1.2"].Question
	r.sw.mu.RUnlock()
	if question != "b3" {
		t.Fatalf("the consultation is %q", question)
	}
	r.again(f) // 802 is back in b1 when the daemon looks
	for _, named := range []string{question, ""} {
		if err := r.sw.Complete(ctx, "802", named); !errors.Is(err, ErrState) {
			t.Errorf("Complete(%q) = %v", named, err)
		}
	}
	if n := len(f.Received("Hangup")); n != 0 {
		t.Errorf("%d Hangups reached asterisk", n)
	}
	if err := r.sw.Consult(ctx, "802", "801"); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

// TestConsultationThatGoesOnUnseen holds that a consultation outlives the link, under its name, also where it is on its way between bridges.
func TestConsultationThatGoesOnUnseen(t *testing.T) {
	r, f := consultRig(t, "b3")
	ctx := context.Background()
	if err := r.sw.Consult(ctx, "802", "801"); err != nil {
		t.Fatal(err)
	}
	for _, bridge := range []string{"", "b3"} {
		f.set(func() {
			f.channels = []ami.Message{
				row("CoreShowChannel", "PJSIP/801-00000001", "1.1", "1.1", "6", "BridgeId", "b1"),
				row("CoreShowChannel", "PJSIP/802-00000002", "1.2", "1.1", "6", "BridgeId", bridge, "Application", "AppDial"),
				row("CoreShowChannel", "Local/801@from-internal-1;1", "1.9", "1.1", "6", "BridgeId", "b3"),
			}
		})
		r.again(f)
		r.sw.mu.RLock()
		ch := r.sw.state.channels["1.2"]
		if !ch.Consulting || ch.Question != "b3" {
			t.Errorf("in the bridge %q it is %v %q", bridge, ch.Consulting, ch.Question)
		}
		r.sw.mu.RUnlock()
	}
}

// TestConsultationWithoutACaller: who was to be connected hangs up, seen or not. The other two go on; to complete would part them.
func TestConsultationWithoutACaller(t *testing.T) {
	for name, goes := range map[string]func(*rig, *fake){
		"seen": func(_ *rig, f *fake) {
			f.say(row("BridgeLeave", "PJSIP/801-00000001", "1.1", "1.1", "6", "BridgeUniqueid", "b1"))
			f.say(row("Hangup", "PJSIP/801-00000001", "1.1", "1.1", "6", "Cause", "16"))
		},
		"unseen": func(r *rig, f *fake) {
			f.set(func() {
				f.channels = []ami.Message{
					row("CoreShowChannel", "PJSIP/802-00000002", "1.2", "1.1", "6", "BridgeId", "b3", "Application", "AppDial"),
					row("CoreShowChannel", "Local/801@from-internal-1;1", "1.9", "1.1", "6", "BridgeId", "b3"),
				}
			})
			r.again(f)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, f := consultRig(t, "b3")
			if err := r.sw.Consult(context.Background(), "802", "801"); err != nil {
				t.Fatal(err)
			}
			f.say(row("Hold", "PJSIP/802-00000002", "1.2", "1.1", "6"))
			r.await(func(st *state) bool { return st.channels["1.2"].Parted })
			goes(r, f)
			r.await(func(st *state) bool {
				ch := st.channels["1.2"]
				return st.channels["1.1"] == nil && !ch.Consulting && ch.Aside == "" && !ch.OnHold()
			})
			if err := r.sw.Complete(context.Background(), "802", "b3"); !errors.Is(err, ErrState) {
				t.Errorf("Complete = %v", err)
			}
			if n := len(f.Received("Hangup")); n != 0 {
				t.Errorf("%d Hangups reached asterisk", n)
			}
		})
	}
}

// TestConsultationWhoseAnswerIsLost: Asterisk has taken the order, and the link is lost before it says so. Whether the consultation has begun is
// seen afterwards, and the call is not taken for one that is about to be left for ever.
func TestConsultationWhoseAnswerIsLost(t *testing.T) {
	for name, begins := range map[string]bool{"begins": true, "never begins": false} {
		t.Run(name, func(t *testing.T) {
			r, f := consultRig(t)
			f.Handle("Atxfer", func(*amitest.Session, ami.Action) {
				if begins {
					f.seats(chair{"PJSIP/801-00000001", "1.1", "b1", "Dial", "1"}, chair{"PJSIP/802-00000002", "1.2", "b3", "AppDial", "0"},
						chair{"Local/801@from-internal-1;1", "1.9", "b3", "", "0"})
				}
				f.Drop()
			})
			if err := r.sw.Consult(t.Context(), "802", "801"); !errors.Is(err, ErrUnknown) {
				t.Errorf("Consult = %v", err)
			}
			f.WaitLogins(2)
			r.complete()
			r.await(func(st *state) bool { return st.channels["1.2"].Consulting == begins })
			if err := r.sw.Hold(t.Context(), "802"); !errors.Is(err, ErrState) {
				t.Errorf("Hold = %v", err)
			}
			r.sw.mu.Lock()
			defer r.sw.mu.Unlock()
			r.sw.state.tickLeaving(time.Now().Add(leavePatience + time.Second))
			if ch := r.sw.state.channels["1.2"]; ch.Consulting != begins || (ch.Aside != "") != begins {
				t.Errorf("afterwards it is %v %q", ch.Consulting, ch.Aside)
			}
		})
	}
}

// TestConsultationOrderedByAnother: a daemon that was killed between its order and the effect has left a call that is about to be left.
func TestConsultationOrderedByAnother(t *testing.T) {
	r, _ := consultRig(t)
	r.sw.mu.RLock()
	st := r.sw.state.calls["1.1"].stored()
	r.sw.mu.RUnlock()
	for i := range st.Channels {
		st.Channels[i].Aside = st.Channels[i].Bridge
	}
	st.level(now())
	body, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	rules := testRules()
	next := newState(&rules)
	if err := next.restore(body); err != nil {
		t.Fatal(err)
	}
	if _, err := next.beginHold("1.2"); !errors.Is(err, ErrState) {
		t.Errorf("a hold while it may begin: %v", err)
	}
	next.tickLeaving(time.Now().Add(leavePatience + time.Second))
	if _, err := next.beginHold("1.2"); err != nil {
		t.Errorf("a hold when it has not begun: %v", err)
	}
}
