package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
)

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
	out := p.attempt(ctx, item{eventID: e.ID, body: e.Body})
	if transport, ok := p.client.HTTPClient.Transport.(*http.Transport); ok {
		transport.CloseIdleConnections()
	}
	if out.verdict != delivered {
		return out.status, errors.New(out.err)
	}
	return out.status, nil
}
