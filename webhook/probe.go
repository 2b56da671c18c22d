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

// Probe sends one event to a target as a sender would, outside of any outbox, and returns the status of the answer. The
// error says, without secrets, why there was no 2xx.
func Probe(ctx context.Context, t Target, conf *tls.Config, e Event) (status int, err error) {
	p, err := newEndpoint(t, conf, nil)
	if err != nil {
		return 0, err
	}
	if p == nil {
		return 0, ErrURL
	}
	defer func() {
		if transport, ok := p.client.HTTPClient.Transport.(*http.Transport); ok {
			transport.CloseIdleConnections()
		}
	}()
	return p.probe(ctx, e)
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
