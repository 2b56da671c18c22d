package webhook

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// ErrURL says that the receiver's URL is not usable. The URL itself is not repeated: it may hold a token.
var ErrURL = errors.New("webhook: URL must be http or https, with a host")

// Target is the receiver and how it is to be treated. Zero values are the defaults named.
type Target struct {
	Receiver       string        // name, "" = Default
	Kinds          []string      // of Senders: the events that it gets, none = all
	URL            string        // where events go; "" = they are held
	Secrets        []string      // each signs every request; none = no signature. whsec_... is base64
	Timeout        time.Duration // of one attempt, 20 s
	Concurrency    int           // requests in flight at once, 8
	RetryMax       time.Duration // longest wait between two tries of an event and between two probes, 60 s
	TTL            time.Duration // age beyond which events with Event.TTL are given up, 0 = never
	PoisonAttempts int           // refusals after which an event is a dead letter, 5
	PoisonSpan     time.Duration // and how long after the first refusal at the earliest, 15 min
	UserAgent      string        // "dialbridge"
}

func (t *Target) name() string {
	if t.Receiver == "" {
		return Default
	}
	return t.Receiver
}

// complete fills in the defaults.
func (t Target) complete() Target {
	def := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	def(&t.Timeout, 20*time.Second)
	def(&t.RetryMax, time.Minute)
	def(&t.PoisonSpan, 15*time.Minute)
	if t.Concurrency <= 0 {
		t.Concurrency = 8
	}
	t.Concurrency = min(t.Concurrency, maxConcurrency)
	if t.PoisonAttempts <= 0 {
		t.PoisonAttempts = 5
	}
	if t.UserAgent == "" {
		t.UserAgent = "dialbridge"
	}
	t.Secrets = slices.Clone(t.Secrets)
	return t
}

// Check reports why the target cannot be used: an error wrapping [ErrURL] or [ErrSecret].
func (t Target) Check() error {
	if t.URL != "" {
		if _, err := parseURL(t.URL); err != nil {
			return err
		}
	}
	_, err := t.keys()
	return err
}

func (t Target) keys() ([][]byte, error) {
	var keys [][]byte
	for i, secret := range t.Secrets {
		if secret == "" {
			continue
		}
		key, err := signingKey(secret)
		if err != nil {
			return nil, fmt.Errorf("%w (secret %d)", err, i+1)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, ErrURL
	}
	return u, nil
}

// safeURL is all of a URL that may be shown: scheme, host and path.
func safeURL(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
