package phone_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// TestAsterisk proves the phone against the real thing: 22 speaks with chan_pjsip, 16 with chan_sip.
func TestAsterisk(t *testing.T) {
	for _, version := range []string{"22", "16"} {
		t.Run(version, func(t *testing.T) {
			b := bench{Lab: lab.ForTest(t, version, lab.Options{})}
			t.Run("wrong password", b.wrongPassword)
			t.Run("register again and unregister", b.registration)
			t.Run("answered call", b.answered)
			t.Run("callee hangs up", b.calleeHangsUp)
			t.Run("busy", b.busy)
			t.Run("declined", b.declined)
			t.Run("no such number", b.noSuchNumber)
			t.Run("no answer and cancel", b.cancelled)
			t.Run("answer by hand", b.byHand)
			t.Run("digits", b.digits)
			t.Run("digits through a call", b.digitsThrough)
			t.Run("hold", b.hold)
			t.Run("blind transfer", b.blindTransfer)
			t.Run("blind transfer to nobody", b.blindTransferFails)
			t.Run("attended transfer", b.attendedTransfer)
			t.Run("call waiting", b.callWaiting)
			t.Run("vanish", b.vanish)
		})
	}
}

// bench is one Asterisk that the tests of a version share.
type bench struct{ *lab.Lab }

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open makes a phone that has not registered.
func (b bench) open(t *testing.T, number, password string) *phone.Phone {
	t.Helper()
	tr := &phone.Recorder{}
	p, err := phone.New(t.Context(), phone.Config{
		Server: b.SIPAddress, BindIP: strings.TrimSuffix(b.IP, ".1") + ".1" + number[1:], User: number, Password: password,
		Name: "Phone " + number, Tone: 400, Trace: tr.See,
	})
	must(t, err)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close %s: %v", number, err)
		}
		if t.Failed() {
			t.Logf("messages of %s:\n%s", number, tr)
		}
	})
	return p
}

// phone makes a registered phone with a behaviour.
func (b bench) phone(ctx context.Context, t *testing.T, number string, behaviour phone.Behaviour) *phone.Phone {
	t.Helper()
	p := b.open(t, number, lab.Secret(number))
	p.Behave(behaviour)
	must(t, p.Register(ctx))
	return p
}

// connect makes an answered call of two phones.
func connect(ctx context.Context, t *testing.T, from, to *phone.Phone) (out, in *phone.Call) {
	t.Helper()
	out, err := from.Dial(ctx, to.Number())
	must(t, err)
	must(t, out.Ringing(ctx)) // says so when Asterisk refuses the call
	in, err = to.Accept(ctx)
	must(t, err)
	must(t, out.Answered(ctx))
	must(t, in.Answered(ctx))
	return out, in
}

// talk waits until both sides hear each other.
func talk(ctx context.Context, t *testing.T, calls ...*phone.Call) {
	t.Helper()
	for _, c := range calls {
		must(t, c.Heard(ctx, 10))
	}
}

func ended(ctx context.Context, t *testing.T, c *phone.Call, by phone.Side, method string, code int) phone.End {
	t.Helper()
	end, err := c.Ended(ctx)
	must(t, err)
	if end.By != by || end.Method != method || end.Code != code {
		t.Errorf("%s call ended with %s, want %s by %s, %d", c.Info().Direction, end, method, by, code)
	}
	return end
}

// transferred waits for the end of a call that was transferred away: Asterisk or the phone hangs up, who is first.
func transferred(ctx context.Context, t *testing.T, c *phone.Call) {
	t.Helper()
	end, err := c.Ended(ctx)
	must(t, err)
	if end.Method != "BYE" {
		t.Errorf("the transferred call ended with %s, want BYE", end)
	}
}

func (b bench) wrongPassword(t *testing.T) {
	ctx := deadline(t)
	p := b.open(t, "801", "not the password")
	var refused *phone.StatusError
	if err := p.Register(ctx); !errors.As(err, &refused) || refused.Code != 401 && refused.Code != 403 {
		t.Errorf("register: %v, want it refused with 401 or 403", err)
	}
	if p.Registered() {
		t.Error("the phone takes itself for registered")
	}
}

func (b bench) registration(t *testing.T) {
	ctx := deadline(t)
	p := b.phone(ctx, t, "801", phone.Behaviour{})
	if !p.Registered() {
		t.Error("not registered")
	}
	must(t, p.Register(ctx))
	must(t, p.Unregister(ctx))
	if p.Registered() {
		t.Error("still registered")
	}
	other := b.phone(ctx, t, "802", phone.Behaviour{})
	call, err := other.Dial(ctx, "801")
	must(t, err)
	var gone *phone.EndedError
	if err := call.Answered(ctx); !errors.As(err, &gone) || gone.End.Code < 400 {
		t.Errorf("a call to the unregistered phone: %v, want it refused", err)
	}
}

func (b bench) answered(t *testing.T) {
	ctx := deadline(t)
	from := b.phone(ctx, t, "801", phone.Behaviour{})
	to := b.phone(ctx, t, "802", phone.Behaviour{RingFor: 200 * time.Millisecond})
	out, err := from.Dial(ctx, "802")
	must(t, err)
	must(t, out.Ringing(ctx))
	in, err := to.Accept(ctx)
	must(t, err)
	must(t, out.Answered(ctx))
	talk(ctx, t, out, in)
	info := in.Info()
	if info.Remote.Number != "801" || info.Remote.Name != "Phone 801" {
		t.Errorf("the callee's display shows %+v, want Phone 801 <801>", info.Remote)
	}
	if rang := info.Answered.Sub(info.Ringing); rang < 200*time.Millisecond {
		t.Errorf("rang for %v, want at least 200ms", rang)
	}
	must(t, out.Hangup(ctx))
	ended(ctx, t, out, phone.Local, "BYE", 0)
	if end := ended(ctx, t, in, phone.Remote, "BYE", 0); end.Cause != 16 {
		t.Errorf("cause is %d (%q), want 16", end.Cause, end.Header)
	}
}

func (b bench) calleeHangsUp(t *testing.T) {
	ctx := deadline(t)
	from := b.phone(ctx, t, "801", phone.Behaviour{})
	to := b.phone(ctx, t, "802", phone.Behaviour{HangupAfter: 300 * time.Millisecond})
	out, in := connect(ctx, t, from, to)
	ended(ctx, t, in, phone.Local, "BYE", 0)
	ended(ctx, t, out, phone.Remote, "BYE", 0)
}

// refused calls a phone that refuses with a status.
func (b bench) refused(t *testing.T, status int) (outcome phone.End) {
	t.Helper()
	ctx := deadline(t)
	from := b.phone(ctx, t, "801", phone.Behaviour{})
	to := b.phone(ctx, t, "802", phone.Behaviour{Status: status})
	out, err := from.Dial(ctx, "802")
	must(t, err)
	in, err := to.Accept(ctx)
	must(t, err)
	ended(ctx, t, in, phone.Local, "INVITE", status)
	outcome, err = out.Ended(ctx)
	must(t, err)
	if outcome.By != phone.Remote || outcome.Method != "INVITE" {
		t.Errorf("the caller's call ended with %s, want it refused", outcome)
	}
	return outcome
}

func (b bench) busy(t *testing.T) {
	end := b.refused(t, 486)
	if end.Code != 486 {
		t.Errorf("ended with %s, want 486", end)
	}
	b.cause(t, end, 17)
}

func (b bench) declined(t *testing.T) {
	end := b.refused(t, 603)
	if end.Code != 403 {
		t.Errorf("ended with %s, want 403, which is what Asterisk makes of cause 21", end)
	}
	b.cause(t, end, 21)
}

// cause checks the Reason header of a refusal, which chan_sip does not send unless it is told to (use_q850_reason).
func (b bench) cause(t *testing.T, end phone.End, want int) {
	t.Helper()
	if b.Tech == "SIP" {
		want = 0
	}
	if end.Cause != want {
		t.Errorf("cause is %d (%q), want %d", end.Cause, end.Header, want)
	}
}

func (b bench) noSuchNumber(t *testing.T) {
	ctx := deadline(t)
	from := b.phone(ctx, t, "801", phone.Behaviour{})
	out, err := from.Dial(ctx, "777")
	must(t, err)
	ended(ctx, t, out, phone.Remote, "INVITE", 404)
}

func (b bench) cancelled(t *testing.T) {
	ctx := deadline(t)
	from := b.phone(ctx, t, "801", phone.Behaviour{})
	to := b.phone(ctx, t, "802", phone.Behaviour{Never: true})
	out, err := from.Dial(ctx, "802")
	must(t, err)
	must(t, out.Ringing(ctx))
	in, err := to.Accept(ctx)
	must(t, err)
	must(t, out.Cancel(ctx))
	ended(ctx, t, out, phone.Local, "CANCEL", 487)
	ended(ctx, t, in, phone.Remote, "CANCEL", 487)
}

func (b bench) byHand(t *testing.T) {
	ctx := deadline(t)
	from := b.phone(ctx, t, "801", phone.Behaviour{})
	to := b.phone(ctx, t, "802", phone.Behaviour{Manual: true})
	out, err := from.Dial(ctx, "802")
	must(t, err)
	in, err := to.Accept(ctx)
	must(t, err)
	must(t, out.Ringing(ctx))
	must(t, in.Answer(ctx))
	must(t, out.Answered(ctx))
	talk(ctx, t, out, in)

	second, err := from.Dial(ctx, "802")
	must(t, err)
	in, err = to.Accept(ctx)
	must(t, err)
	must(t, second.Ringing(ctx))
	must(t, in.Reject(ctx, 486))
	ended(ctx, t, second, phone.Remote, "INVITE", 486)
}

// digits calls the echo: what comes back in RTP was recognised by Asterisk and made anew.
func (b bench) digits(t *testing.T) {
	ctx := deadline(t)
	from := b.phone(ctx, t, "801", phone.Behaviour{})
	out, err := from.Dial(ctx, "*43")
	must(t, err)
	must(t, out.Answered(ctx))
	talk(ctx, t, out)
	must(t, out.SendDTMF(ctx, "1599*", phone.RFC2833))
	must(t, out.Digits(ctx, "1599*", phone.RFC2833))
	must(t, out.SendDTMF(ctx, "7", phone.INFO))
	must(t, out.Digits(ctx, "1599*7", phone.RFC2833))
	must(t, out.Hangup(ctx))
}

func (b bench) digitsThrough(t *testing.T) {
	ctx := deadline(t)
	from := b.phone(ctx, t, "801", phone.Behaviour{})
	to := b.phone(ctx, t, "802", phone.Behaviour{})
	out, in := connect(ctx, t, from, to)
	talk(ctx, t, out, in)
	must(t, out.SendDTMF(ctx, "4455", phone.RFC2833))
	must(t, in.Digits(ctx, "4455", phone.RFC2833))
	must(t, in.SendDTMF(ctx, "8", phone.INFO))
	must(t, out.Digits(ctx, "8", phone.RFC2833))
}

func (b bench) hold(t *testing.T) {
	ctx := deadline(t)
	from := b.phone(ctx, t, "801", phone.Behaviour{})
	to := b.phone(ctx, t, "802", phone.Behaviour{})
	out, in := connect(ctx, t, from, to)
	talk(ctx, t, out, in)
	must(t, in.Hold(ctx))
	if !in.Info().LocalHold {
		t.Error("the call is not on hold")
	}
	must(t, in.Unhold(ctx))
	talk(ctx, t, out, in)
	must(t, out.Hold(ctx))
	must(t, out.Unhold(ctx))
	talk(ctx, t, out, in)
	must(t, in.Hangup(ctx))
	ended(ctx, t, out, phone.Remote, "BYE", 0)
}

func (b bench) blindTransfer(t *testing.T) {
	ctx := deadline(t)
	from := b.phone(ctx, t, "801", phone.Behaviour{})
	to := b.phone(ctx, t, "802", phone.Behaviour{})
	third := b.phone(ctx, t, "803", phone.Behaviour{RingFor: 100 * time.Millisecond})
	out, in := connect(ctx, t, from, to)
	talk(ctx, t, out, in) // REFER before the calls are bridged is refused by chan_sip
	must(t, in.Refer(ctx, "803"))
	transferred(ctx, t, in)
	last, err := third.Accept(ctx)
	must(t, err)
	must(t, last.Answered(ctx))
	talk(ctx, t, out, last)
	must(t, out.Hangup(ctx))
	ended(ctx, t, last, phone.Remote, "BYE", 0)
}

func (b bench) blindTransferFails(t *testing.T) {
	ctx := deadline(t)
	from := b.phone(ctx, t, "801", phone.Behaviour{})
	to := b.phone(ctx, t, "802", phone.Behaviour{})
	out, in := connect(ctx, t, from, to)
	talk(ctx, t, out, in)
	var refused *phone.StatusError
	if err := in.Refer(ctx, "777"); !errors.As(err, &refused) || refused.Code < 400 {
		t.Errorf("transfer to nobody: %v, want it refused", err)
	}
}

func (b bench) attendedTransfer(t *testing.T) {
	ctx := deadline(t)
	from := b.phone(ctx, t, "801", phone.Behaviour{})
	to := b.phone(ctx, t, "802", phone.Behaviour{})
	third := b.phone(ctx, t, "803", phone.Behaviour{})
	out, in := connect(ctx, t, from, to)
	talk(ctx, t, out, in)
	must(t, in.Hold(ctx))
	consult, last := connect(ctx, t, to, third)
	talk(ctx, t, consult, last)
	must(t, in.ReferReplaces(ctx, consult))
	transferred(ctx, t, in)
	transferred(ctx, t, consult)
	talk(ctx, t, out, last)
	must(t, last.Hangup(ctx))
	ended(ctx, t, out, phone.Remote, "BYE", 0)
}

func (b bench) callWaiting(t *testing.T) {
	ctx := deadline(t)
	to := b.phone(ctx, t, "801", phone.Behaviour{})
	second := b.phone(ctx, t, "802", phone.Behaviour{})
	third := b.phone(ctx, t, "803", phone.Behaviour{})
	first, in := connect(ctx, t, second, to)
	must(t, in.Hold(ctx))
	other, in2 := connect(ctx, t, third, to)
	talk(ctx, t, other, in2)
	must(t, other.Hangup(ctx))
	must(t, in.Unhold(ctx))
	talk(ctx, t, first, in)
	if n := len(to.Calls()); n != 1 {
		t.Errorf("the phone has %d calls, want 1", n)
	}
}

// vanish takes a phone's power away in a call: Asterisk still believes in it, and the caller goes on alone.
func (b bench) vanish(t *testing.T) {
	ctx := deadline(t)
	from := b.phone(ctx, t, "801", phone.Behaviour{})
	to := b.phone(ctx, t, "802", phone.Behaviour{})
	out, in := connect(ctx, t, from, to)
	talk(ctx, t, out, in)
	must(t, to.Vanish())
	end, err := in.Ended(ctx)
	must(t, err)
	if end.Method != "vanished" {
		t.Errorf("the vanished phone's call ended with %s", end)
	}
	if state := out.State(); state != phone.Answered {
		t.Errorf("the caller's call is %s, want answered", state)
	}
	must(t, out.Hangup(ctx))
}
