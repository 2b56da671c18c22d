package phone

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// challenge refuses a request until it has credentials, checks them, and returns the request that has them.
func (p *peer) challenge(t *testing.T, req *sip.Request, code int) *sip.Request {
	t.Helper()
	ctx := deadline(t)
	ask, answer := "WWW-Authenticate", "Authorization"
	if code == 407 {
		ask, answer = "Proxy-Authenticate", "Proxy-Authorization"
	}
	p.reply(req, code, "", ask+`: Digest realm="test",nonce="abc",algorithm=MD5,qop="auth"`)
	again := p.request(ctx, req.Method)
	got, err := digest.ParseCredentials(headerValue(again, answer))
	must(t, err)
	want, err := digest.Digest(&digest.Challenge{Realm: "test", Nonce: "abc", Algorithm: "MD5", QOP: []string{"auth"}}, digest.Options{
		Method: string(req.Method), URI: again.Recipient.String(), Username: "801", Password: "secret", Cnonce: got.Cnonce, Count: 1,
	})
	must(t, err)
	if got.Response != want.Response || again.CSeq().SeqNo != req.CSeq().SeqNo+1 || clientKey(again) == clientKey(req) {
		t.Errorf("%s with credentials: response right: %v, CSeq %d after %d, new branch: %v", req.Method,
			got.Response == want.Response, again.CSeq().SeqNo, req.CSeq().SeqNo, clientKey(again) != clientKey(req))
	}
	return again
}

func TestEveryRequestAnswersItsChallenge(t *testing.T) {
	ctx := deadline(t)
	p, _ := start(t, Config{User: "801", Password: "secret"})
	other := newPeer(t)
	c, err := p.Dial(ctx, other.uri())
	must(t, err)
	invite := other.challenge(t, other.request(ctx, sip.INVITE), 407)
	other.reply(invite, 180, "")
	other.reply(invite, 200, other.sdp())
	ack := other.request(ctx, sip.ACK)
	if ack.CSeq().SeqNo != invite.CSeq().SeqNo || headerValue(ack, "Proxy-Authorization") == "" {
		t.Errorf("ACK has CSeq %d and credentials %q, want those of the INVITE", ack.CSeq().SeqNo, headerValue(ack, "Proxy-Authorization"))
	}
	must(t, c.Answered(ctx))

	done := make(chan error)
	go func() { done <- c.Hold(ctx) }()
	reinvite := other.challenge(t, other.request(ctx, sip.INVITE), 401)
	if !strings.Contains(string(reinvite.Body()), "a=sendonly") {
		t.Errorf("re-INVITE of a hold has %q", reinvite.Body())
	}
	other.reply(reinvite, 200, other.sdp("m=audio 9 RTP/AVP 0", "a=recvonly"))
	other.request(ctx, sip.ACK)
	must(t, <-done)

	go func() { done <- c.Refer(ctx, "sip:950@127.0.0.1:9") }()
	refer := other.challenge(t, other.request(ctx, sip.REFER), 401)
	other.reply(refer, 603, "")
	var refused *StatusError
	if err := <-done; !errors.As(err, &refused) || refused.Code != 603 {
		t.Errorf("refer: %v, want 603", err)
	}

	go func() { done <- c.Hangup(ctx) }()
	other.reply(other.challenge(t, other.request(ctx, sip.BYE), 407), 200, "")
	must(t, <-done)
}

func TestRegistration(t *testing.T) {
	ctx := deadline(t)
	server := newPeer(t)
	p, _ := start(t, Config{User: "801", Password: "secret", Server: server.addr(), Expires: 30 * time.Second})
	done := make(chan error)

	go func() { done <- p.Register(ctx) }()
	server.reply(server.challenge(t, server.request(ctx, sip.REGISTER), 401), 403, "")
	var refused *StatusError
	if err := <-done; !errors.As(err, &refused) || refused.Code != 403 || p.Registered() {
		t.Errorf("register: %v, registered %v, want 403", err, p.Registered())
	}

	go func() { done <- p.Register(ctx) }()
	server.reply(server.request(ctx, sip.REGISTER), 423, "", "Min-Expires: 60")
	again := server.request(ctx, sip.REGISTER)
	if got := headerValue(again, "Expires"); got != "60" {
		t.Errorf("after 423 it asks for %q seconds, want 60", got)
	}
	server.reply(again, 200, "", "Expires: 2") // renewed after 1 s
	must(t, <-done)
	if !p.Registered() {
		t.Error("not registered")
	}
	renewal := server.request(ctx, sip.REGISTER)
	if renewal.CSeq().SeqNo <= again.CSeq().SeqNo || renewal.CallID().Value() != again.CallID().Value() {
		t.Errorf("the renewal has CSeq %d after %d and Call-ID %s", renewal.CSeq().SeqNo, again.CSeq().SeqNo, renewal.CallID().Value())
	}
	server.reply(renewal, 200, "", "Expires: 60")

	go func() { done <- p.Unregister(ctx) }()
	last := server.request(ctx, sip.REGISTER)
	if got := headerValue(last, "Expires"); got != "0" {
		t.Errorf("unregister asks for %q seconds", got)
	}
	server.reply(last, 200, "")
	must(t, <-done)
	if p.Registered() {
		t.Error("still registered")
	}
}

func TestNobodyAnswers(t *testing.T) {
	ctx := deadline(t)
	other := newPeer(t)
	p, tr := start(t, Config{User: "801", Server: other.addr(), T1: quick})
	if err := p.Register(ctx); !errors.Is(err, ErrTimeout) {
		t.Errorf("register: %v, want ErrTimeout", err)
	}
	c, err := p.Dial(ctx, "900")
	must(t, err)
	ended(ctx, t, c, End{By: Nobody, Method: "INVITE", Code: 408, Reason: "Request Timeout"})
	// At 0, 1, 3, 7, 15, 31 and 63 T1 (RFC 3261 17.1.1.2), or a little later on a busy machine.
	if n := tr.Count(true, "INVITE"); n < 5 || n > 7 {
		t.Errorf("INVITE was sent %d times, want 7", n)
	}
}

func TestCancelWaitsForAProvisionalResponse(t *testing.T) {
	ctx := deadline(t)
	other := newPeer(t)
	p, tr := start(t, Config{User: "801"})
	c, err := p.Dial(ctx, other.uri())
	must(t, err)
	invite := other.request(ctx, sip.INVITE)
	done := make(chan error)
	go func() { done <- c.Cancel(ctx) }()
	must(t, p.wait(ctx, "the wish to cancel", c.describe, func() (bool, error) { return c.cancelling || tr.Count(true, "CANCEL") > 0, nil }))
	if tr.Count(true, "CANCEL") > 0 {
		t.Error("CANCEL was sent before a provisional response")
	}
	other.reply(invite, 100, "")
	cancel := other.request(ctx, sip.CANCEL)
	if clientKey(cancel) != strings.Replace(clientKey(invite), "INVITE", "CANCEL", 1) || cancel.CSeq().SeqNo != invite.CSeq().SeqNo {
		t.Errorf("CANCEL does not match its INVITE:\n%s", cancel)
	}
	other.reply(cancel, 200, "")
	other.reply(invite, 487, "")
	other.request(ctx, sip.ACK)
	must(t, <-done)
	ended(ctx, t, c, End{By: Local, Method: "CANCEL", Code: 487, Reason: "Request Terminated"})
}

func TestAnswerOvertakesCancel(t *testing.T) {
	ctx := deadline(t)
	other := newPeer(t)
	p, _ := start(t, Config{User: "801"})
	c, err := p.Dial(ctx, other.uri())
	must(t, err)
	invite := other.request(ctx, sip.INVITE)
	other.reply(invite, 180, "")
	must(t, c.Ringing(ctx))
	done := make(chan error)
	go func() { done <- c.Cancel(ctx) }()
	other.reply(other.request(ctx, sip.CANCEL), 200, "")
	other.reply(invite, 200, other.sdp())
	other.request(ctx, sip.ACK)
	other.reply(other.request(ctx, sip.BYE), 200, "")
	must(t, <-done)
	ended(ctx, t, c, End{By: Local, Method: "BYE", Cause: 16})
}

func TestLostAckIsRepeated(t *testing.T) {
	ctx := deadline(t)
	other := newPeer(t)
	p, _ := start(t, Config{User: "801"})
	c, err := p.Dial(ctx, other.uri())
	must(t, err)
	invite := other.request(ctx, sip.INVITE)
	other.reply(invite, 200, other.sdp())
	first := other.request(ctx, sip.ACK)
	other.reply(invite, 200, other.sdp())
	if second := other.request(ctx, sip.ACK); second.String() != first.String() {
		t.Errorf("the ACK of the repeated answer is another one:\n%s\n%s", first, second)
	}
	must(t, c.Answered(ctx))
	done := make(chan error)
	go func() { done <- c.Hangup(ctx) }()
	other.reply(other.request(ctx, sip.BYE), 481, "") // gone already: nothing to complain about
	must(t, <-done)
}

func TestAnswerIsRepeatedUntilAck(t *testing.T) {
	ctx := deadline(t)
	other := newPeer(t)
	p, tr := start(t, Config{User: "801", T1: quick})
	p.Behave(Behaviour{})
	other.call(p, sip.INVITE, 1, "", other.sdp())
	other.response(ctx, 200)
	other.response(ctx, 200) // the ACK never comes
	other.reply(other.request(ctx, sip.BYE), 200, "")
	c, err := p.Accept(ctx)
	must(t, err)
	ended(ctx, t, c, End{By: Nobody, Method: "BYE", Cause: 16})
	if n := tr.Count(true, "SIP/2.0 200"); n < 4 {
		t.Errorf("the answer was sent %d times", n)
	}
}

func TestByeWaitsForAck(t *testing.T) {
	ctx := deadline(t)
	other := newPeer(t)
	p, tr := start(t, Config{User: "801"})
	p.Behave(Behaviour{HangupAfter: time.Nanosecond})
	other.call(p, sip.INVITE, 1, "", other.sdp())
	ok := other.response(ctx, 200)
	c, err := p.Accept(ctx)
	must(t, err)
	must(t, p.wait(ctx, "the wish to hang up", c.describe, func() (bool, error) { return c.byeWanted || c.byeDone, nil }))
	if tr.Count(true, "BYE") > 0 {
		t.Error("BYE was sent before the ACK")
	}
	other.call(p, sip.ACK, 1, tagOf(ok.To().Params), "")
	other.reply(other.request(ctx, sip.BYE), 200, "")
	ended(ctx, t, c, End{By: Local, Method: "BYE", Cause: 16})
}

func TestOfferInTheAnswer(t *testing.T) {
	ctx := deadline(t)
	other := newPeer(t)
	p, _ := start(t, Config{User: "801"})
	p.Behave(Behaviour{})
	other.call(p, sip.INVITE, 1, "", "")
	ok := other.response(ctx, 200)
	if d, err := parseSDP(ok.Body()); err != nil || !slices.Equal(d.codecs, []uint8{0, 8}) || !d.hasEvent {
		t.Errorf("the offer in the answer is %q (%v)", ok.Body(), err)
	}
	other.call(p, sip.ACK, 1, tagOf(ok.To().Params), other.sdp("m=audio 9 RTP/AVP 8"))
	c, err := p.Accept(ctx)
	must(t, err)
	must(t, p.wait(ctx, "the codec", c.describe, func() (bool, error) { return c.info.Codec == "PCMA", nil }))
	other.call(p, sip.BYE, 2, tagOf(ok.To().Params), "", `Reason: SIP;cause=200;text="elsewhere", Q.850 ; cause=26`)
	other.response(ctx, 200)
	ended(ctx, t, c, End{By: Remote, Method: "BYE", Cause: 26, Header: `SIP;cause=200;text="elsewhere", Q.850 ; cause=26`})
}

func TestRequestsInsideACall(t *testing.T) {
	ctx := deadline(t)
	other := newPeer(t)
	p, _ := start(t, Config{User: "801"})
	p.Behave(Behaviour{})
	other.call(p, sip.INVITE, 10, "", other.sdp(), "Session-Expires: 1800;refresher=uac", "Require: timer",
		`P-Asserted-Identity: "Boss" <sip:100@pbx>`, "Diversion: <sip:805@pbx>;reason=unconditional")
	ok := other.response(ctx, 200)
	tag := tagOf(ok.To().Params)
	if got := headerValue(ok, "Session-Expires"); got != "1800;refresher=uac" || headerValue(ok, "Require") != "timer" {
		t.Errorf("session timer is answered with %q", got)
	}
	other.call(p, sip.ACK, 10, tag, "")
	c, err := p.Accept(ctx)
	must(t, err)
	info := c.Info()
	if info.Remote.Name != "Boss" || info.Remote.Number != "100" || len(info.Diversion) != 1 || info.Diversion[0].Number != "805" {
		t.Errorf("display shows %+v, diverted by %+v", info.Remote, info.Diversion)
	}
	if got := c.Headers("p-asserted-identity"); len(got) != 1 || got[0] != `"Boss" <sip:100@pbx>` {
		t.Errorf("header is %q", got)
	}

	other.call(p, sip.UPDATE, 11, tag, other.sdp("m=audio 9 RTP/AVP 0", "a=sendonly"), `Remote-Party-ID: "Secretary" <sip:101@pbx>;party=calling`)
	updated := other.response(ctx, 200)
	if !strings.Contains(string(updated.Body()), "a=recvonly") {
		t.Errorf("hold by UPDATE is answered with %q", updated.Body())
	}
	must(t, c.Held(ctx, true))
	if info := c.Info(); info.Remote.Name != "Secretary" || info.Remote.Number != "101" {
		t.Errorf("display shows %+v", info.Remote)
	}
	other.call(p, sip.UPDATE, 12, tag, "")
	if res := other.response(ctx, 200); len(res.Body()) > 0 {
		t.Errorf("UPDATE without SDP is answered with %q", res.Body())
	}
	other.call(p, sip.INFO, 13, tag, "Signal= 5\r\nDuration= 100\r\n", "Content-Type: application/dtmf-relay")
	other.response(ctx, 200)
	other.call(p, sip.INFO, 14, tag, "#", "Content-Type: application/dtmf")
	other.response(ctx, 200)
	must(t, c.Digits(ctx, "5#", INFO))
	other.call(p, sip.MESSAGE, 14, "another", "")
	other.response(ctx, 481)
	other.call(p, sip.OPTIONS, 3, tag, "") // a CSeq of the past
	other.response(ctx, 500)
	other.call(p, sip.REFER, 15, tag, "", "Refer-To: <sip:1@2>")
	other.response(ctx, 603)
	other.call(p, sip.PRACK, 16, tag, "")
	other.response(ctx, 405)
	other.call(p, sip.BYE, 17, tag, "")
	other.response(ctx, 200)
	ended(ctx, t, c, End{By: Remote, Method: "BYE"})
	if s := c.Stats(); s.Updates != 2 || s.ReInvites != 0 {
		t.Errorf("stats: %+v", s)
	}
}

func TestWhatAPhoneRefuses(t *testing.T) {
	ctx := deadline(t)
	other := newPeer(t)
	p, _ := start(t, Config{User: "801", Lines: 1})
	other.call(p, sip.OPTIONS, 1, "", "")
	if got := headerValue(other.response(ctx, 200), "Allow"); !strings.Contains(got, "UPDATE") {
		t.Errorf("Allow is %q", got)
	}
	other.call(p, sip.SUBSCRIBE, 1, "", "")
	other.response(ctx, 405)
	other.call(p, sip.NOTIFY, 1, "", "")
	other.response(ctx, 200)
	other.call(p, sip.CANCEL, 1, "", "")
	other.response(ctx, 481)
	other.call(p, sip.BYE, 1, "nobody", "")
	other.response(ctx, 481)
	other.call(p, sip.INVITE, 2, "", other.sdp(), "Require: 100rel, timer")
	if got := headerValue(other.response(ctx, 420), "Unsupported"); got != "100rel" {
		t.Errorf("Unsupported is %q", got)
	}
	other.call(p, sip.INVITE, 3, "", other.sdp("m=audio 9 RTP/AVP 18"))
	other.response(ctx, 488)
	other.call(p, sip.INVITE, 4, "", other.sdp())
	other.response(ctx, 180)
	other.call(p, sip.INVITE, 5, "", other.sdp()) // the only line rings
	other.response(ctx, 486)
}

func TestBothSidesReinvite(t *testing.T) {
	ctx := deadline(t)
	other := newPeer(t)
	p, _ := start(t, Config{User: "801"})
	p.Behave(Behaviour{})
	other.call(p, sip.INVITE, 1, "", other.sdp())
	ok := other.response(ctx, 200)
	tag := tagOf(ok.To().Params)
	other.call(p, sip.ACK, 1, tag, "")
	c, err := p.Accept(ctx)
	must(t, err)
	done := make(chan error)
	go func() { done <- c.Hold(ctx) }()
	mine := other.request(ctx, sip.INVITE)
	other.call(p, sip.INVITE, 2, tag, other.sdp())
	other.response(ctx, 491)
	other.call(p, sip.ACK, 2, tag, "")
	other.reply(mine, 491, "")
	other.request(ctx, sip.ACK)
	again := other.request(ctx, sip.INVITE)
	other.reply(again, 200, other.sdp("m=audio 9 RTP/AVP 0", "a=recvonly"))
	other.request(ctx, sip.ACK)
	must(t, <-done)
	if !c.Info().LocalHold {
		t.Error("not on hold")
	}
}

func TestMalformedDatagramsAreIgnored(t *testing.T) {
	ctx := deadline(t)
	other := newPeer(t)
	p, _ := start(t, Config{User: "801"})
	other.from = p.Addr()
	for _, text := range []string{"\r\n\r\n", "\x00\x00", "hello", "INVITE sip:801@x SIP/2.0\r\n\r\n", "SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n",
		"OPTIONS sip:801@x SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nCSeq: nonsense\r\n\r\n"} {
		other.send(text)
	}
	other.call(p, sip.OPTIONS, 1, "", "")
	other.response(ctx, 200)
}
