package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"time"
)

// TestEvent is what is sent to see whether the receiver answers.
func TestEvent() Event { return Event{ID: "evt_test", Kind: "test", Body: []byte(`{"event":"test"}`)} }

// Probed is the outcome of a probe.
type Probed struct {
	Status int           // of the answer; 0 when none came
	Class  string        // as in the metrics: "2xx", "5xx", "dns", "refused", "timeout", "tls", "network"
	Date   time.Time     // the receiver's clock, by the answer's Date; zero when it told none
	Asked  time.Time     // when the request was sent, by this machine's clock
	Took   time.Duration // from the request to the status of its answer
	Cause  error         // why no answer came, for errors.As alone: its text may hold secrets
}

// Probe sends one event to a target as a sender would, outside of any outbox. The error says, without secrets, why there was no 2xx.
func Probe(ctx context.Context, t Target, conf *tls.Config, e Event) (Probed, error) {
	p, err := newEndpoint(t, conf, nil)
	if err != nil {
		return Probed{}, err
	}
	if p == nil {
		return Probed{}, ErrURL
	}
	defer func() {
		if transport, ok := p.client.HTTPClient.Transport.(*http.Transport); ok {
			transport.CloseIdleConnections()
		}
	}()
	out := p.attempt(ctx, item{eventID: e.ID, body: e.Body})
	probed := Probed{Status: out.status, Class: out.class, Date: out.date, Asked: out.at, Took: out.end.Sub(out.at), Cause: out.cause}
	if out.verdict != delivered {
		return probed, errors.New(out.err)
	}
	return probed, nil
}

// Test sends one event to the present target past the outbox: neither the queue nor what is known of the receiver changes. The
// error says, without secrets, why there was no 2xx; it wraps [ErrURL] when there is no target.
func (s *Sender) Test(ctx context.Context, e Event) (status int, err error) {
	p, _ := s.current(time.Now())
	if p == nil {
		return 0, ErrURL
	}
	return p.probe(ctx, e)
}

func (e *endpoint) probe(ctx context.Context, ev Event) (int, error) {
	out := e.attempt(ctx, item{eventID: ev.ID, body: ev.Body})
	if out.verdict != delivered {
		return out.status, errors.New(out.err)
	}
	return out.status, nil
}
