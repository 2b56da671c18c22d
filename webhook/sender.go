package webhook

import (
	"context"
	"crypto/tls"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"time"
)

const maxConcurrency = 256

// SenderOptions says how a sender works beside its target.
type SenderOptions struct {
	TLS    *tls.Config  // nil = the system's roots; verification is never switched off here
	Logger *slog.Logger // nil = slog.Default()

	transport http.RoundTripper // tests only: instead of the network
	renew     time.Duration     // tests only: instead of renewAfter
}

// Sender delivers what an outbox holds for one receiver. One sender works for a receiver at a time.
type Sender struct {
	outbox *Outbox
	to     *recipient
	opts   SenderOptions
	log    *slog.Logger
	marks  *marker
	wake   chan struct{} // one token: the target has changed

	mu       sync.Mutex
	endpoint *endpoint // nil = hold
	changes  int       // how often it was configured
	attempts map[string]uint64
	inFlight int

	latency histogram // seconds from Event.At to the 2xx
}

// NewSender returns the sender of [Default], which holds everything until Configure names a target. It starts nothing.
func NewSender(o *Outbox, opts SenderOptions) *Sender { return newSender(o, o.recipients()[0], opts) }

func newSender(o *Outbox, to *recipient, opts SenderOptions) *Sender {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.renew == 0 {
		opts.renew = renewAfter
	}
	return &Sender{
		outbox: o, to: to, opts: opts, log: opts.Logger.With("receiver", to.name), marks: newMarker(o, to), wake: make(chan struct{}, 1),
		attempts: map[string]uint64{}, latency: newHistogram(deliverBounds),
	}
}

// Configure sets the target, at any time; requests in flight end as they began. A target that cannot be used changes nothing
// and gives an error wrapping [ErrURL] or [ErrSecret]. An empty URL holds all events.
func (s *Sender) Configure(t Target) error {
	e, err := newEndpoint(t, s.opts.TLS, s.opts.transport)
	if err != nil {
		return err
	}
	s.mu.Lock()
	old := s.endpoint
	s.endpoint = e
	s.changes++
	s.mu.Unlock()
	if old != nil {
		old.client.HTTPClient.CloseIdleConnections()
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// current returns the endpoint, with fresh connections once a minute: a kept connection would otherwise stay with an address
// that the DNS has left behind.
func (s *Sender) current(now time.Time) (e *endpoint, changes int) {
	s.mu.Lock()
	e, changes = s.endpoint, s.changes
	if e == nil || now.Sub(e.made) < s.opts.renew {
		s.mu.Unlock()
		return e, changes
	}
	fresh := e.renewed(s.opts.TLS, s.opts.transport)
	s.endpoint = fresh
	s.mu.Unlock()
	e.client.HTTPClient.CloseIdleConnections()
	return fresh, changes
}

// Run delivers until ctx ends, then waits up to five seconds for the requests in flight, records what became of them and
// returns nil. The database's Run must outlive it.
func (s *Sender) Run(ctx context.Context) error {
	attempts, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	l := newLoop(attempts, s)
	defer l.stop()
	for ctx.Err() == nil {
		l.hear()
		l.fill()
		l.sleep(ctx, l.launch(time.Now()))
	}
	return l.finish(cancel)
}

// outcomes are those of attempts; refused is a connection that was.
var outcomes = [...]string{"2xx", "3xx", "4xx", "5xx", "refused", "timeout", "tls", "dns", "network", "abandoned"}

// Counters is what a sender has done since it was made.
type Counters struct {
	Attempts map[string]uint64 // by outcome, those of none too: 2xx 3xx 4xx 5xx refused(connection) timeout tls dns network abandoned
	InFlight int
	Latency  Histogram // seconds from Event.At to the 2xx answer
	Commit   Histogram // seconds from Event.At to the durable commit
}

// Counters returns them.
func (s *Sender) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	attempts := maps.Clone(s.attempts)
	for _, o := range outcomes {
		attempts[o] += 0
	}
	return Counters{
		Attempts: attempts, InFlight: s.inFlight,
		Latency: s.latency.snapshot(), Commit: s.outbox.commit.snapshot(),
	}
}

func (s *Sender) count(class string, inFlight int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if class != "" {
		s.attempts[class]++
	}
	s.inFlight = inFlight
}

// Receiver returns the receiver's name.
func (s *Sender) Receiver() string { return s.to.name }

// Configured reports whether it has a target.
func (s *Sender) Configured() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endpoint != nil
}

// State returns what is known of the receiver.
func (s *Sender) State() ReceiverState {
	s.to.mu.Lock()
	defer s.to.mu.Unlock()
	return s.to.state
}
