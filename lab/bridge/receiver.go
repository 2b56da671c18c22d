package bridge

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Event is one request that the receiver got.
type Event struct {
	ID     string            // webhook-id
	Kind   string            // "event" of the body
	Fields map[string]string // the body
	Body   string
	Header http.Header
	At     time.Time // when it was read
	Status int       // how it was answered
}

// Call returns the id of the call that the event belongs to, "" for an extension's.
func (e Event) Call() string { return cmp.Or(e.Fields["uniqueid"], e.Fields["uuid"]) }

// Receiver is the customer's URL. It counts everything that comes, and answers 200 unless told otherwise.
type Receiver struct {
	URL string

	server   *http.Server
	listener net.Listener
	served   chan struct{}

	mu      sync.Mutex
	events  []Event
	changed chan struct{}
	answer  http.HandlerFunc
}

// fields reads the values of a flat object as text; nil for anything else.
func fields(body []byte) map[string]string {
	var values map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&values) != nil {
		return nil
	}
	out := make(map[string]string, len(values))
	for k, v := range values {
		out[k] = fmt.Sprint(v)
	}
	return out
}

// NewReceiver listens on a free port of a loopback address.
func NewReceiver(ctx context.Context, ip string) (*Receiver, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		return nil, fmt.Errorf("receiver: %w", err)
	}
	r := &Receiver{URL: "http://" + l.Addr().String() + "/events", listener: l, changed: make(chan struct{}), served: make(chan struct{})}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(r.served)
		_ = r.server.Serve(l) // ends with Close
	}()
	return r, nil
}

// Close ends the receiver.
func (r *Receiver) Close() error {
	err := r.server.Close()
	<-r.served
	return err
}

// Behave makes the receiver answer with h from now on; nil is 200. The event is noted with the status of h either way.
func (r *Receiver) Behave(h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = h
}

// status notes what a handler answers.
type status struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements http.ResponseWriter.
func (s *status) WriteHeader(code int) { s.code = code; s.ResponseWriter.WriteHeader(code) }

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	e := Event{ID: req.Header.Get("Webhook-Id"), Header: req.Header.Clone(), At: time.Now()}
	body, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	if err != nil {
		return // the sender went away: nothing was received
	}
	e.Body = string(body)
	if e.Fields = fields(body); e.Fields != nil {
		e.Kind = e.Fields["event"]
	}
	r.mu.Lock()
	answer := r.answer
	r.mu.Unlock()
	st := &status{ResponseWriter: w, code: http.StatusOK}
	if answer != nil {
		answer(st, req)
	}
	e.Status = st.code
	r.mu.Lock()
	r.events = append(r.events, e)
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
}

// Events returns what came so far, in order of arrival.
func (r *Receiver) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Until waits until the events so far satisfy ok and returns them; what names the condition in the error.
func (r *Receiver) Until(ctx context.Context, what string, ok func([]Event) bool) ([]Event, error) {
	for {
		r.mu.Lock()
		events, changed := slices.Clone(r.events), r.changed
		r.mu.Unlock()
		if ok(events) {
			return events, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return events, fmt.Errorf("waiting for %s: %w; %d events came", what, ctx.Err(), len(events))
		}
	}
}
