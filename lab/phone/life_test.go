package phone

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

func TestCloseHangsUp(t *testing.T) {
	ctx, caller, callee := pair(t, Behaviour{})
	out, in := connect(ctx, t, caller, callee)
	callee.Behave(Behaviour{Never: true})
	second, err := caller.Dial(ctx, callee.URI())
	must(t, err)
	must(t, second.Ringing(ctx))
	waiting, err := callee.Accept(ctx)
	must(t, err)
	must(t, caller.Close())
	ended(ctx, t, out, End{By: Local, Method: "BYE", Cause: 16})
	ended(ctx, t, second, End{By: Local, Method: "CANCEL", Code: 487, Reason: "Request Terminated"})
	ended(ctx, t, in, End{By: Remote, Method: "BYE", Cause: 16, Header: normalClearing})
	ended(ctx, t, waiting, End{By: Remote, Method: "CANCEL", Code: 487, Reason: "Request Terminated"})
	if _, err := caller.Dial(ctx, callee.URI()); !errors.Is(err, ErrClosed) {
		t.Errorf("dial: %v, want ErrClosed", err)
	}
	if _, err := caller.Accept(ctx); !errors.Is(err, ErrClosed) {
		t.Errorf("accept: %v, want ErrClosed", err)
	}
	if err := caller.Close(); err != nil {
		t.Errorf("a second close: %v", err)
	}
}

func TestVanishSaysNothing(t *testing.T) {
	ctx, caller, callee := pair(t, Behaviour{})
	out, in := connect(ctx, t, caller, callee)
	must(t, out.Received(ctx, 2))
	accepted := make(chan error, 1)
	go func() { _, err := callee.Accept(ctx); accepted <- err }()
	must(t, callee.Vanish())
	if err := <-accepted; !errors.Is(err, ErrClosed) {
		t.Errorf("accept: %v, want ErrClosed", err)
	}
	ended(ctx, t, in, End{By: Local, Method: "vanished"})
	if state := out.State(); state != Answered {
		t.Errorf("the other side's call is %s, want answered", state)
	}
	if err := in.Hold(ctx); err == nil {
		t.Error("a vanished phone holds a call")
	}
	late, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	var gone *WaitError
	if err := out.Hangup(late); !errors.As(err, &gone) || gone.For != "the answer to BYE" {
		t.Errorf("hangup: %v, want it to wait for the answer to BYE", err)
	}
}

func TestAnswerAndRejectByHand(t *testing.T) {
	ctx, caller, callee := pair(t, Behaviour{Manual: true})
	out, err := caller.Dial(ctx, callee.URI())
	must(t, err)
	in, err := callee.Accept(ctx)
	must(t, err)
	must(t, out.Ringing(ctx))
	must(t, in.Answer(ctx))
	must(t, out.Answered(ctx))
	for name, err := range map[string]error{"answer": in.Answer(ctx), "reject": in.Reject(ctx, 486), "answer of an outgoing call": out.Answer(ctx), "cancel": out.Cancel(ctx)} {
		if !errors.Is(err, ErrState) {
			t.Errorf("%s: %v, want ErrState", name, err)
		}
	}
	for _, refuse := range []struct {
		how  func(c *Call) error
		code int
	}{
		{func(c *Call) error { return c.Reject(ctx, 480) }, 480},
		{func(c *Call) error { return c.Hangup(ctx) }, 603},
	} {
		out, err := caller.Dial(ctx, callee.URI())
		must(t, err)
		in, err := callee.Accept(ctx)
		must(t, err)
		must(t, refuse.how(in))
		ended(ctx, t, out, End{By: Remote, Method: "INVITE", Code: refuse.code, Reason: phrase(refuse.code)})
	}
}

func TestBehaviourByNumber(t *testing.T) {
	ctx, caller, callee := pair(t, Behaviour{})
	callee.BehaveFor("5551", Behaviour{Status: 404})
	callee.BehaveFor("5552", Behaviour{EarlyMedia: true, RingFor: 100 * time.Millisecond})
	host := callee.Addr().String()
	refused, err := caller.Dial(ctx, "5551@"+host)
	must(t, err)
	ended(ctx, t, refused, End{By: Remote, Method: "INVITE", Code: 404, Reason: "Not Found"})

	early, err := caller.DialWith(ctx, "5552@"+host, DialOptions{Number: "02112345", Name: "Customer", Headers: []Header{{"X-Test", "yes"}}})
	must(t, err)
	must(t, early.Received(ctx, 2))
	if early.State() != Trying || early.Info().Progress.IsZero() {
		t.Errorf("early media: %+v", early.Info())
	}
	must(t, early.Answered(ctx))
	if _, err := callee.Accept(ctx); err != nil {
		t.Fatal(err)
	}
	in, err := callee.Accept(ctx)
	must(t, err)
	info := in.Info()
	if info.Dialled != "5552" || info.Remote.Number != "02112345" || info.Remote.Name != "Customer" || in.Headers("x-test")[0] != "yes" {
		t.Errorf("incoming call: %+v, X-Test %q", info, in.Headers("x-test"))
	}
	normal, err := caller.Dial(ctx, "5553@"+host)
	must(t, err)
	must(t, normal.Answered(ctx))
}

// referring makes an answered call to a peer, and a REFER that has been accepted.
func referring(ctx context.Context, t *testing.T) (p *Phone, c *Call, other *peer, tag string, outcome chan error) {
	t.Helper()
	other = newPeer(t)
	p, _ = start(t, Config{User: "801"})
	p.Behave(Behaviour{})
	other.call(p, sip.INVITE, 1, "", other.sdp())
	tag = tagOf(other.response(ctx, 200).To().Params)
	other.call(p, sip.ACK, 1, tag, "")
	c, err := p.Accept(ctx)
	must(t, err)
	outcome = make(chan error)
	go func() { outcome <- c.Refer(ctx, "sip:950@127.0.0.1:9") }()
	refer := other.request(ctx, sip.REFER)
	if got := headerValue(refer, "Refer-To"); got != "<sip:950@127.0.0.1:9>" {
		t.Errorf("Refer-To is %q", got)
	}
	other.reply(refer, 202, "")
	return p, c, other, tag, outcome
}

func (p *peer) notify(ctx context.Context, phone *Phone, cseq int, tag, state, fragment string) {
	p.t.Helper()
	p.call(phone, sip.NOTIFY, cseq, tag, fragment, "Event: refer", "Subscription-State: "+state, "Content-Type: message/sipfrag;version=2.0")
	p.response(ctx, 200)
}

func TestTransferIsFollowedToItsEnd(t *testing.T) {
	ctx := deadline(t)
	p, c, other, tag, outcome := referring(ctx, t)
	other.notify(ctx, p, 2, tag, "active;expires=60", "SIP/2.0 100 Trying\r\n")
	other.notify(ctx, p, 3, tag, "active;expires=60", "SIP/2.0 180 Ringing\r\n")
	if err := c.Refer(ctx, "sip:1@127.0.0.1:9"); !errors.Is(err, ErrState) {
		t.Errorf("a second transfer: %v, want ErrState", err)
	}
	other.notify(ctx, p, 4, tag, "terminated;reason=noresource", "SIP/2.0 200 OK\r\n")
	other.reply(other.request(ctx, sip.BYE), 200, "")
	must(t, <-outcome)
	ended(ctx, t, c, End{By: Local, Method: "BYE", Cause: 16})
}

func TestTransferFails(t *testing.T) {
	ctx := deadline(t)
	p, c, other, tag, outcome := referring(ctx, t)
	other.notify(ctx, p, 2, tag, "terminated", "SIP/2.0 486 Busy Here")
	var refused *StatusError
	if err := <-outcome; !errors.As(err, &refused) || *refused != (StatusError{"NOTIFY", 486, "Busy Here"}) {
		t.Errorf("refer: %v, want 486", err)
	}
	if c.State() != Answered {
		t.Errorf("the call is %s, want it to go on", c.State())
	}
	other.call(p, sip.BYE, 3, tag, "")
	other.response(ctx, 200)
}

func TestTransferOutlivesItsCall(t *testing.T) {
	ctx := deadline(t)
	p, c, other, tag, outcome := referring(ctx, t)
	other.call(p, sip.BYE, 2, tag, "")
	other.response(ctx, 200)
	ended(ctx, t, c, End{By: Remote, Method: "BYE"})
	other.notify(ctx, p, 3, tag, "terminated", "SIP/2.0 200 OK")
	must(t, <-outcome)
}

func TestReplacesNamesTheOtherDialog(t *testing.T) {
	ctx := deadline(t)
	caller, tr := start(t, Config{User: "801"})
	callee, _ := start(t, Config{User: "802"})
	callee.Behave(Behaviour{})
	first, _ := connect(ctx, t, caller, callee)
	second, in := connect(ctx, t, caller, callee)
	var refused *StatusError
	if err := first.ReferReplaces(ctx, second); !errors.As(err, &refused) || refused.Code != 603 {
		t.Errorf("refer: %v, want 603: phones do not let themselves be referred", err)
	}
	if err := first.ReferReplaces(ctx, in); !errors.Is(err, ErrState) {
		t.Errorf("refer with another phone's call: %v, want ErrState", err)
	}
	caller.mu.Lock()
	remote, local := tagOf(second.remote.Params), tagOf(second.local.Params)
	caller.mu.Unlock()
	want := "Refer-To: <" + callee.URI() + "?Replaces=" + strings.ReplaceAll(second.ID(), "@", "%40") +
		"%3Bto-tag%3D" + remote + "%3Bfrom-tag%3D" + local + ">\r\n"
	if !strings.Contains(tr.String(), want) {
		t.Errorf("no message has %s", want)
	}
}
