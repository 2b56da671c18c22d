package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	dialTimeout     = 5 * time.Second
	tlsTimeout      = 10 * time.Second
	idleTimeout     = 30 * time.Second
	maxHeader       = 64 << 10
	renewAfter      = time.Minute // connections are made anew, so that a change in the DNS is seen
	minHiddenLength = 4
)

var errLinkLocal = errors.New("address is link-local")

// endpoint is a target made ready: URL parsed, keys decoded, connections pooled. It does not change; a new
// configuration makes a new one.
type endpoint struct {
	target Target
	url    *url.URL
	keys   [][]byte
	client *retryablehttp.Client
	made   time.Time
	hide   *strings.Replacer
}

// newEndpoint returns nil for a target without URL. transport is nil but in tests.
func newEndpoint(t Target, conf *tls.Config, transport http.RoundTripper) (*endpoint, error) {
	t = t.complete()
	keys, err := t.keys()
	if err != nil || t.URL == "" {
		return nil, err
	}
	u, err := parseURL(t.URL)
	if err != nil {
		return nil, err
	}
	if transport == nil {
		transport = newTransport(t, conf)
	}
	return &endpoint{target: t, url: u, keys: keys, client: newClient(t, transport), made: time.Now(), hide: hider(t, u)}, nil
}

// renewed returns the same endpoint with new connections.
func (e *endpoint) renewed(conf *tls.Config, transport http.RoundTripper) *endpoint {
	fresh := *e
	if transport == nil {
		transport = newTransport(e.target, conf)
	}
	fresh.client, fresh.made = newClient(e.target, transport), time.Now()
	return &fresh
}

// newClient makes go-retryablehttp do exactly one attempt and hand back whatever came: the outbox is the only retry layer.
// Two layers would multiply their attempts, and with RetryMax = 0 alone status and Retry-After would be lost. Redirects are
// not followed: net/http would turn the POST into a GET and report its 200.
func newClient(t Target, transport http.RoundTripper) *retryablehttp.Client {
	c := retryablehttp.NewClient()
	c.Logger = nil // it would log the query of the URL
	c.RetryMax = 0
	c.CheckRetry = func(context.Context, *http.Response, error) (bool, error) { return false, nil }
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler
	c.HTTPClient = &http.Client{
		Transport:     transport,
		Timeout:       t.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// newTransport pools as many connections as there are requests in flight. No proxy is used, whatever the environment says:
// the administrator has named the receiver, and a proxy meant for something else must not see call records.
func newTransport(t Target, conf *tls.Config) *http.Transport {
	dialer := &net.Dialer{Timeout: min(dialTimeout, t.Timeout), KeepAlive: 15 * time.Second, ControlContext: refuseLinkLocal}
	if conf != nil {
		conf = conf.Clone()
	}
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  t.Timeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           t.Concurrency,
		MaxIdleConnsPerHost:    t.Concurrency,
		MaxConnsPerHost:        t.Concurrency,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}
}

// refuseLinkLocal keeps requests away from link-local addresses (169.254/16, fe80::/10), where clouds keep their metadata.
// Private networks are where most receivers are.
func refuseLinkLocal(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err == nil && ap.Addr().Unmap().IsLinkLocalUnicast() {
		return errLinkLocal
	}
	return nil
}

// hider makes what replaces secrets in texts that come back from the receiver or the network: an error page may repeat the
// whole URL.
func hider(t Target, u *url.URL) *strings.Replacer {
	var pairs []string
	add := func(s string) {
		if len(s) >= minHiddenLength {
			pairs = append(pairs, s, "***")
		}
	}
	add(u.RawQuery)
	for _, values := range u.Query() {
		for _, v := range values {
			add(v)
			add(url.QueryEscape(v))
		}
	}
	if u.User != nil {
		password, _ := u.User.Password()
		add(u.User.String())
		add(password)
	}
	for _, s := range t.Secrets {
		add(s)
	}
	return strings.NewReplacer(pairs...)
}

// explain returns the text of a transport error without URL and secrets, and its class for the metrics.
func (e *endpoint) explain(err error) (text, class string) {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	text = e.hide.Replace(err.Error())
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return text, "dns"
	case isTLS(err):
		return text, "tls"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("no answer in time: %s", text), "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return text, "refused"
	}
	return text, "network"
}

func isTLS(err error) bool {
	var verification *tls.CertificateVerificationError
	var alert tls.AlertError
	var header tls.RecordHeaderError
	return errors.As(err, &verification) || errors.As(err, &alert) || errors.As(err, &header)
}
