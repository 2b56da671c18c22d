package phone

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"
)

// registration is the phone's binding at its server (RFC 3261 10).
type registration struct {
	callID string
	tag    string
	cseq   uint32
	active bool
	until  time.Time
	next   *timer
}

// Register binds the phone's address at its server and keeps the binding alive until Unregister, Close or Vanish. A refusal is
// a *StatusError, 401 or 403 for a wrong password. It may be called again at any time.
func (p *Phone) Register(ctx context.Context) error {
	return p.register(ctx, p.cfg.Expires)
}

// Unregister takes the binding back.
func (p *Phone) Unregister(ctx context.Context) error {
	return p.register(ctx, 0)
}

// Registered says whether the server has accepted the phone's last REGISTER and its time has not run out.
func (p *Phone) Registered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reg.active && time.Now().Before(p.reg.until)
}

func (p *Phone) register(ctx context.Context, expires time.Duration) error {
	if !p.server.IsValid() {
		return fmt.Errorf("phone: register: no server")
	}
	var done bool
	var result error
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return fmt.Errorf("phone: register: %w", ErrClosed)
	}
	p.sendRegister(expires, func(err error) { done, result = true, err })
	p.mu.Unlock()
	return p.wait(ctx, "the answer to REGISTER", func() string { return "no final response" }, func() (bool, error) { return done, result })
}

// sendRegister sends one REGISTER and calls finished with the lock held when it was answered.
func (p *Phone) sendRegister(expires time.Duration, finished func(error)) {
	r := &p.reg
	r.next.stop()
	domain := sip.Uri{Scheme: "sip", Host: p.server.Addr().String(), Port: int(p.server.Port())}
	self := sip.Uri{Scheme: "sip", User: p.cfg.User, Host: p.domain()}
	from := &sip.FromHeader{DisplayName: quoted(p.cfg.Name), Address: self, Params: sip.HeaderParams{{K: "tag", V: r.tag}}}
	r.cseq++
	req := p.newRequest(sip.REGISTER, domain, from, &sip.ToHeader{Address: self}, r.callID, r.cseq)
	wanted := strconv.Itoa(int(expires / time.Second))
	req.AppendHeader(&sip.ContactHeader{Address: p.contact(), Params: sip.HeaderParams{{K: "expires", V: wanted}}})
	req.AppendHeader(sip.NewHeader("Expires", wanted))
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	nextCSeq := func() uint32 { r.cseq++; return r.cseq }
	p.request(req, p.server, nextCSeq, func(res *sip.Response) { p.registered(res, expires, finished) })
}

func (p *Phone) registered(res *sip.Response, expires time.Duration, finished func(error)) {
	defer p.broadcast()
	r := &p.reg
	switch {
	case res == nil:
		finished(fmt.Errorf("phone: REGISTER: %w", p.noAnswer()))
	case res.IsProvisional():
	case res.StatusCode == sip.StatusIntervalToBrief:
		least, ok := seconds(headerValue(res, "Min-Expires"))
		if !ok || time.Duration(least)*time.Second <= expires {
			finished(statusError(sip.REGISTER, res))
			return
		}
		p.sendRegister(time.Duration(least)*time.Second, finished)
	case !res.IsSuccess():
		r.active = false
		finished(statusError(sip.REGISTER, res))
	case expires == 0:
		r.next.stop() // a renewal may have been answered meanwhile
		r.active = false
		finished(nil)
	default:
		granted := p.granted(res, expires)
		r.active, r.until = true, time.Now().Add(granted)
		r.next = p.after(granted/2, p.renew)
		finished(nil)
	}
}

// renew repeats the registration; when it fails it is tried again before the binding runs out, and then every few seconds.
func (p *Phone) renew() {
	p.sendRegister(p.cfg.Expires, func(err error) {
		if err == nil || p.closed {
			return
		}
		p.log.Warn("the registration was not renewed", "user", p.cfg.User, "error", err)
		p.reg.next = p.after(max(time.Second, p.cfg.Expires/10), p.renew)
	})
}

// granted is how long the server keeps this phone's contact.
func (p *Phone) granted(res *sip.Response, asked time.Duration) time.Duration {
	self := p.contact()
	for _, h := range res.GetHeaders("Contact") {
		contact, ok := h.(*sip.ContactHeader)
		if !ok || contact.Address.HostPort() != self.HostPort() {
			continue
		}
		if text, ok := contact.Params.Get("expires"); ok {
			if n, ok := seconds(text); ok && n > 0 {
				return time.Duration(n) * time.Second
			}
		}
	}
	if n, ok := seconds(headerValue(res, "Expires")); ok && n > 0 {
		return time.Duration(n) * time.Second
	}
	return asked
}

// noAnswer says why a request got no answer.
func (p *Phone) noAnswer() error {
	if p.closed {
		return ErrClosed
	}
	return ErrTimeout
}

func statusError(method sip.RequestMethod, res *sip.Response) error {
	return &StatusError{Method: string(method), Code: res.StatusCode, Reason: res.Reason}
}
