package phone

import (
	"cmp"
	"fmt"
	"net/netip"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// exchange is a request that answers digest challenges (RFC 3261 22) by itself: what its owner sees are the responses to the
// last attempt.
type exchange struct {
	p        *Phone
	tx       *clientTx // of the last attempt
	peer     netip.AddrPort
	nextCSeq func() uint32
	attempts int
	on       func(res *sip.Response)
}

// request starts an exchange; on is called as by start.
func (p *Phone) request(req *sip.Request, peer netip.AddrPort, nextCSeq func() uint32, on func(res *sip.Response)) *exchange {
	x := &exchange{p: p, peer: peer, nextCSeq: nextCSeq, on: on}
	x.tx = p.start(req, peer, x.receive)
	return x
}

func (x *exchange) receive(res *sip.Response) {
	if res == nil || res.StatusCode != sip.StatusUnauthorized && res.StatusCode != sip.StatusProxyAuthRequired {
		x.on(res)
		return
	}
	again, err := x.authorised(res)
	if err != nil {
		x.p.log.Debug("a digest challenge is not answered", "method", string(x.tx.req.Method), "error", err)
		x.on(res)
		return
	}
	x.attempts++
	x.tx = x.p.start(again, x.peer, x.receive)
}

// authorised makes the next attempt: same request, new branch, higher CSeq, with credentials.
func (x *exchange) authorised(res *sip.Response) (*sip.Request, error) {
	if x.p.cfg.Password == "" {
		return nil, fmt.Errorf("digest: no password")
	}
	challengeName, credentialsName := "WWW-Authenticate", "Authorization"
	if res.StatusCode == sip.StatusProxyAuthRequired {
		challengeName, credentialsName = "Proxy-Authenticate", "Proxy-Authorization"
	}
	challenge, err := findChallenge(res.GetHeaders(challengeName))
	if err != nil {
		return nil, err
	}
	if x.attempts > 0 && (!challenge.Stale || x.attempts > 2) {
		return nil, fmt.Errorf("digest: credentials refused")
	}
	credentials, err := digest.Digest(challenge, digest.Options{
		Method: string(x.tx.req.Method), URI: x.tx.req.Recipient.String(),
		Username: cmp.Or(x.p.cfg.AuthUser, x.p.cfg.User), Password: x.p.cfg.Password, Count: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("digest: %w", err)
	}
	req := x.tx.req.Clone()
	req.ReplaceHeader(x.p.via())
	req.ReplaceHeader(&sip.CSeqHeader{SeqNo: x.nextCSeq(), MethodName: req.Method})
	req.RemoveHeader(credentialsName)
	req.AppendHeader(sip.NewHeader(credentialsName, credentials.String()))
	return req, nil
}

func findChallenge(headers []sip.Header) (*digest.Challenge, error) {
	for _, h := range headers {
		challenge, err := digest.ParseChallenge(h.Value())
		if err == nil && digest.CanDigest(challenge) {
			return challenge, nil
		}
	}
	return nil, fmt.Errorf("digest: no challenge that can be answered")
}
