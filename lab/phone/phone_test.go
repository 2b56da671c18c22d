package phone

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadline bounds every test; nothing in a test takes nearly as long when all is well.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, cfg Config) (*Phone, *Recorder) {
	t.Helper()
	if cfg.BindIP == "" {
		cfg.BindIP = "127.0.0.1"
	}
	tr := &Recorder{}
	cfg.Trace = tr.See
	p, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if t.Failed() {
			t.Logf("messages of %s:\n%s", cfg.User, tr)
		}
	})
	return p, tr
}

// pair starts a caller and a callee who know each other's address.
func pair(t *testing.T, b Behaviour) (ctx context.Context, caller, callee *Phone) {
	t.Helper()
	caller, _ = start(t, Config{User: "801", Name: `Anna "Ann" Ö`, Tone: 400})
	callee, _ = start(t, Config{User: "802", Name: "Bert"})
	callee.Behave(b)
	return deadline(t), caller, callee
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// connect makes an answered call and returns both ends of it.
func connect(ctx context.Context, t *testing.T, caller, callee *Phone) (out, in *Call) {
	t.Helper()
	out, err := caller.Dial(ctx, callee.URI())
	must(t, err)
	in, err = callee.Accept(ctx)
	must(t, err)
	must(t, out.Answered(ctx))
	must(t, in.Answered(ctx))
	return out, in
}

func ended(ctx context.Context, t *testing.T, c *Call, want End) {
	t.Helper()
	end, err := c.Ended(ctx)
	must(t, err)
	if diff := cmp.Diff(want, end, cmpopts.IgnoreFields(End{}, "At")); diff != "" {
		t.Errorf("end of the %s call (-want +got):\n%s", c.Info().Direction, diff)
	}
	if end.At.IsZero() {
		t.Error("the end has no time")
	}
}

var normalClearing = `Q.850;cause=16;text="Normal call clearing"`

func TestCallIsAnsweredAndHungUp(t *testing.T) {
	ctx, caller, callee := pair(t, Behaviour{})
	out, in := connect(ctx, t, caller, callee)
	must(t, in.Heard(ctx, 5))
	must(t, out.Received(ctx, 5))
	must(t, out.Hangup(ctx))
	ended(ctx, t, out, End{By: Local, Method: "BYE", Cause: 16})
	ended(ctx, t, in, End{By: Remote, Method: "BYE", Cause: 16, Header: normalClearing})

	info := in.Info()
	want := Info{
		ID: out.ID(), Direction: Incoming, State: Ended, Dialled: "802", Codec: "PCMU",
		From: Party{Number: "801", Name: `Anna "Ann" Ö`, URI: "sip:801@127.0.0.1"},
		To:   Party{Number: "802", URI: callee.URI()},
	}
	want.Remote = want.From
	if diff := cmp.Diff(want, info, cmpopts.IgnoreTypes(time.Time{}, End{})); diff != "" {
		t.Errorf("info of the incoming call (-want +got):\n%s", diff)
	}
	if info.Created.After(info.Ringing) || info.Ringing.After(info.Answered) || info.Answered.After(info.End.At) {
		t.Errorf("times are out of order: %+v", info)
	}
	if s := out.Stats(); s.SoundIn != 0 || s.PacketsOut < 5 {
		t.Errorf("caller's stats: %+v, want silence received and packets sent", s)
	}
}

func TestCalleeHangsUp(t *testing.T) {
	ctx, caller, callee := pair(t, Behaviour{RingFor: 30 * time.Millisecond, HangupAfter: 60 * time.Millisecond})
	out, in := connect(ctx, t, caller, callee)
	ended(ctx, t, in, End{By: Local, Method: "BYE", Cause: 16})
	ended(ctx, t, out, End{By: Remote, Method: "BYE", Cause: 16, Header: normalClearing})
	info := in.Info()
	if rang := info.Answered.Sub(info.Ringing); rang < 30*time.Millisecond {
		t.Errorf("rang for %v, want at least 30ms", rang)
	}
}

func TestCallIsRefused(t *testing.T) {
	for _, test := range []struct {
		behaviour Behaviour
		want      End
		rings     bool
	}{
		{Behaviour{Status: 486}, End{By: Remote, Method: "INVITE", Code: 486, Reason: "Busy Here"}, false},
		{Behaviour{Status: 603, RingFor: 20 * time.Millisecond}, End{By: Remote, Method: "INVITE", Code: 603, Reason: "Decline"}, true},
		{Behaviour{Status: 404}, End{By: Remote, Method: "INVITE", Code: 404, Reason: "Not Found"}, false},
	} {
		t.Run(test.want.Reason, func(t *testing.T) {
			ctx, caller, callee := pair(t, test.behaviour)
			out, err := caller.Dial(ctx, callee.URI())
			must(t, err)
			var gone *EndedError
			if err := out.Answered(ctx); !errors.As(err, &gone) || gone.End.Code != test.want.Code {
				t.Errorf("waiting for the answer: %v, want the end with %d", err, test.want.Code)
			}
			ended(ctx, t, out, test.want)
			if rang := !out.Info().Ringing.IsZero(); rang != test.rings {
				t.Errorf("rang: %v, want %v", rang, test.rings)
			}
		})
	}
}

func TestCallerGivesUp(t *testing.T) {
	ctx, caller, callee := pair(t, Behaviour{Never: true})
	out, err := caller.Dial(ctx, callee.URI())
	must(t, err)
	must(t, out.Ringing(ctx))
	in, err := callee.Accept(ctx)
	must(t, err)
	must(t, out.Cancel(ctx))
	ended(ctx, t, out, End{By: Local, Method: "CANCEL", Code: 487, Reason: "Request Terminated"})
	ended(ctx, t, in, End{By: Remote, Method: "CANCEL", Code: 487, Reason: "Request Terminated"})
}

func TestWaitSaysWhatItWaitedFor(t *testing.T) {
	_, caller, callee := pair(t, Behaviour{Never: true})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	out, err := caller.Dial(ctx, callee.URI())
	must(t, err)
	err = out.Answered(ctx)
	var late *WaitError
	if !errors.As(err, &late) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error is %v, want a WaitError of the deadline", err)
	}
	want := "phone: waiting for the answer: context deadline exceeded; last state: ringing, 180 Ringing received"
	if err.Error() != want {
		t.Errorf("error is %q, want %q", err, want)
	}
}

func TestDigits(t *testing.T) {
	ctx, caller, callee := pair(t, Behaviour{})
	out, in := connect(ctx, t, caller, callee)
	must(t, out.SendDTMF(ctx, "1122*#AD", RFC2833))
	must(t, in.Digits(ctx, "1122*#AD", RFC2833))
	must(t, in.SendDTMF(ctx, "90#", INFO))
	must(t, out.Digits(ctx, "90#", INFO))
}

func TestHold(t *testing.T) {
	ctx, caller, callee := pair(t, Behaviour{})
	out, in := connect(ctx, t, caller, callee)
	must(t, out.Hold(ctx))
	must(t, in.Held(ctx, true))
	if got := in.Stats().ReInvites; got != 1 {
		t.Errorf("re-INVITEs: %d, want 1", got)
	}
	must(t, in.Hold(ctx)) // both hold: inactive
	must(t, out.Held(ctx, true))
	must(t, out.Unhold(ctx))
	must(t, in.Unhold(ctx))
	must(t, in.Held(ctx, false))
	must(t, out.Held(ctx, false))
	must(t, in.Received(ctx, 5))
	must(t, out.Received(ctx, 5))
}
