package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/dialbridge/dialbridge/internal/conf"
	"github.com/dialbridge/dialbridge/webhook"
)

const (
	receiverPatience = 5 * time.Second
	// clockSlack is how far two clocks may be apart before it is told: a Date has whole seconds, and an answer takes its time.
	clockSlack = 5 * time.Second
	// signatureSlack is the age beyond which receivers refuse a signature (Standard Webhooks).
	signatureSlack = 5 * time.Minute
)

// receiverName is what the lines of a receiver are called, and the key of its address.
func receiverName(t webhook.Target) (name, key string) {
	if t.Receiver != "" {
		return "receiver " + t.Receiver, "[webhook " + t.Receiver + "] url"
	}
	return "receiver", "[general] URL"
}

// receiver sends one signed test event and wants a 2xx.
func (c *checkup) receiver(ctx context.Context, t webhook.Target, name, key string) {
	if t.URL == "" {
		c.note(name, key+" is empty: events are not pushed", "set it to the address of your CRM in "+c.o.file+", then: systemctl reload dialbridge")
		return
	}
	shown := conf.URL(t.URL) // without its secrets
	patience := min(t.Timeout, receiverPatience)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := webhook.Probe(ctx, t, nil, webhook.TestEvent())
	if err != nil {
		if ctx.Err() != nil && p.Status == 0 && p.Cause != nil && errors.Is(p.Cause, context.DeadlineExceeded) {
			p.Class, err = "timeout", fmt.Errorf("no answer within %s", patience)
		}
		c.bad(name, fmt.Sprintf("%s: %v", shown, err), mendReceiver(t, p, key)...)
	} else {
		c.good(name, fmt.Sprintf("%s took a test event (status %d)", shown, p.Status))
	}
	c.receiverClock(name, p)
	if err == nil && len(t.Secrets) == 0 {
		c.note(name, "what is pushed is not signed: whoever knows the URL can send the CRM false events", "set [webhook] secret, and the same one in the CRM")
	}
}

// receiverClock compares the receiver's clock with ours.
func (c *checkup) receiverClock(name string, p webhook.Probed) {
	if p.Date.IsZero() {
		return
	}
	// The answer was made between the request and its end, and a Date is cut to its second.
	least, most := p.Date.Sub(p.Asked.Add(p.Took)), p.Date.Add(time.Second).Sub(p.Asked)
	apart := max(0, least, -most).Round(time.Second)
	mend := []string{"timedatectl set-ntp true     # here, and the same on the receiver's machine: the clock of one of them is wrong"}
	switch {
	case apart > signatureSlack:
		c.bad(name, fmt.Sprintf("its clock is %s apart from this one: it will refuse signatures as too old", apart), mend...)
	case apart > clockSlack:
		c.note(name, fmt.Sprintf("its clock is %s apart from this one", apart), mend...)
	}
}

// mendReceiver says what to do, by what went wrong.
func mendReceiver(t webhook.Target, p webhook.Probed, key string) []string {
	u, err := url.Parse(t.URL)
	if err != nil {
		return nil
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	at := net.JoinHostPort(host, port)
	switch {
	case p.Class == "dns":
		return []string{"the name " + host + " is not known to this machine: correct " + key + ", or see /etc/resolv.conf and /etc/hosts;", "getent hosts " + host + "     # must print an address"}
	case p.Class == "refused":
		return []string{"nothing listens at " + at + ": start the receiver there, or correct the port in " + key}
	case p.Class == "timeout":
		return []string{"the receiver must answer at once, and do its work afterwards; when nothing comes at all a firewall is in between:", "nc -vz " + host + " " + port}
	case p.Class == "tls", errors.Is(p.Cause, http.ErrSchemeMismatch):
		return mendTLS(p.Cause, host, at, key)
	case p.Status >= 300 && p.Status < 400:
		return []string{"write the address that it has moved to into " + key}
	case p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden:
		return []string{"the receiver wants other credentials: [webhook] secret must be the one it verifies with; its log says more"}
	case p.Status == http.StatusNotFound || p.Status == http.StatusMethodNotAllowed:
		return []string{"the path in " + key + " must be the one that takes a POST"}
	case p.Status >= 500:
		return []string{"the receiver itself fails: see its log. It must answer a POST with a 2xx status, also an event that it does not know"}
	case p.Status > 0:
		return []string{"the receiver must answer a POST with a 2xx status, also an event that it does not know"}
	}
	return []string{key + " must name a server that runs, and answers POST with a 2xx status"}
}

// mendTLS tells the faults of certificates apart.
func mendTLS(cause error, host, at, key string) []string {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
	)
	look := "openssl s_client -connect " + at + " -servername " + host + " </dev/null | openssl x509 -noout -subject -issuer -dates"
	switch {
	case errors.As(cause, &record), errors.Is(cause, http.ErrSchemeMismatch):
		return []string{"the server at " + at + " does not speak TLS: write http:// instead of https:// in " + key + ", or the port of its TLS"}
	case errors.As(cause, &unknown):
		return []string{"its certificate is signed by somebody this machine does not trust. The server must send its intermediate certificates (fullchain);",
			"a CA of your own: put it into /usr/local/share/ca-certificates/NAME.crt, then: update-ca-certificates && systemctl restart dialbridge", look}
	case errors.As(cause, &name):
		return []string{"its certificate is for another name: use that name in " + key + ", or get one for " + host, look}
	case errors.As(cause, &invalid) && invalid.Reason == x509.Expired:
		return []string{"its certificate is not valid today: renew it on the server, or set the clock of this machine right", look}
	}
	return []string{"see what the server presents:", look}
}
