package ami

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultPing     = 5 * time.Second
	defaultDead     = 15 * time.Second
	defaultQueue    = 64 << 20
	defaultDeadline = 30 * time.Second // of an action whose ctx has none
	goodbye         = time.Second      // how long the end waits for Asterisk, and for who takes the events
)

// Options are what a Client needs. Address, Username and Secret have no default.
type Options struct {
	Address  string // host:port
	Username string
	Secret   string
	TLS      *tls.Config // nil is plain TCP

	Ping      time.Duration // a Ping is sent after this long without a byte; default 5 s
	DeadAfter time.Duration // the connection is given up after this long without a byte; default 15 s

	// Want says by its name alone whether an event goes into the stream; nil is all. It is called from the reader for
	// every event, so it must be quick. A torn message without a name is asked for as "". The events of a List are
	// not asked for.
	Want func(event string) bool

	// Exclude is what Asterisk is asked after each login not to send at all. It is a saving: a manager user who may not
	// filter gets everything, and Want decides. Events of lists, and answers, are not concerned.
	Exclude []Exclusion

	Queue int // bytes that may wait in the stream before the connection is given up; default 64 MiB

	// Dial connects; nil is a net.Dialer with TCP keepalive. TLS is put on top of it.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Logger *slog.Logger // nil discards
}

// A Client keeps one connection to Asterisk. All methods but Run may be called at any time from any goroutine.
type Client struct {
	o        Options
	stream   *stream
	reader   *Reader // of the current connection; its buffer is used again by the next
	names    names
	expect   int      // events of the last read, for the size of the next batch
	gap      bool     // the next event follows something torn
	answered bool     // the last read had an answer in it
	filters  []string // that are asked for after each login

	unfiltered string               // why Asterisk does not filter, as it was told last
	link       atomic.Pointer[link] // nil while nobody is logged in
	counter    atomic.Uint64        // of actions, for their ActionIDs
	started    atomic.Bool
	stats      counters
	times      actionTimes

	mu     sync.Mutex
	status Status
}

// New makes a Client. Nothing is dialled before Run.
func New(o Options) *Client {
	if o.Ping <= 0 {
		o.Ping = defaultPing
	}
	if o.DeadAfter <= 0 {
		o.DeadAfter = defaultDead
	}
	if o.Queue <= 0 {
		o.Queue = defaultQueue
	}
	if o.Dial == nil {
		o.Dial = dialTCP
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Client{
		o:       o,
		stream:  newStream(o.Queue),
		names:   names{known: map[string]string{}},
		filters: Filters(o.Exclude),
		status:  Status{Phase: Idle, Since: time.Now(), Err: ErrOffline},
	}
}

// Stream returns the channel of all that happens on the link, in batches and in the order of the wire. It has one
// reader. It is closed when Run returns.
func (c *Client) Stream() <-chan []Item { return c.stream.out }

// Run connects, logs in, reads, and does so again with back-off whenever the link is lost, until ctx ends. It then
// logs off, and returns nil when all its goroutines have ended. It returns an error at once when the credentials
// cannot be sent, and when it is called a second time.
func (c *Client) Run(ctx context.Context) error {
	if c.started.Swap(true) {
		return errors.New("ami: Run was called before")
	}
	if _, err := c.plainLogin().encode("ami"); err != nil {
		close(c.stream.out)
		return err
	}
	var hand sync.WaitGroup
	hand.Go(c.stream.hand)
	c.reconnect(ctx)
	c.stream.close()
	hand.Wait()
	c.setStatus(Status{Phase: Idle, Err: ErrOffline})
	return nil
}

// Do sends an action and waits for its answer. It fails with a *FieldError (refused by us), ErrOffline (not sent),
// ErrUnknown (sent, outcome unknown) or a *ResponseError (refused by Asterisk); the reason of ctx is in the error when
// ctx ended. Without a deadline in ctx it waits 30 s. Events that an action causes, OriginateResponse too, come out of
// the stream.
func (c *Client) Do(ctx context.Context, a Action) (Message, error) {
	k, err := c.call(ctx, a, false, 0)
	return k.response, err
}

// Sync puts an ItemSync with the mark, which is not 0, into the stream, behind everything that Asterisk had sent when it
// answered: the answers of Do and List overtake events that wait in the stream, and who compares the two needs to know
// when it has read them. Errors are those of Do.
func (c *Client) Sync(ctx context.Context, mark uint64) error {
	_, err := c.call(ctx, NewAction("Ping"), false, mark)
	return err
}

// List sends an action that is answered by a list and returns the events of it, without the one that completes it.
// They do not come out of the stream. An action that Asterisk answers without a list gives none. Errors are those of
// Do; "there is nothing" is a *ResponseError for some actions (PJSIPShow..., ConfbridgeList).
func (c *Client) List(ctx context.Context, a Action) ([]Message, error) {
	k, err := c.call(ctx, a, true, 0)
	if err != nil {
		return nil, err
	}
	return k.items, nil
}

// call sends an action, waits, and notes how long it took. The call it returns is only to be read, and empty when there is an error.
func (c *Client) call(ctx context.Context, a Action, list bool, mark uint64) (*call, error) {
	began := time.Now()
	k, err := c.carry(ctx, a, list, mark)
	c.times.note(a.Name, err, time.Since(began))
	return k, err
}

func (c *Client) carry(ctx context.Context, a Action, list bool, mark uint64) (*call, error) {
	id := traceOf(ctx) + "-" + strconv.FormatUint(c.counter.Add(1), 10)
	wire, err := a.encode(id)
	if err != nil {
		return &call{}, err
	}
	if err := ctx.Err(); err != nil {
		return &call{}, fmt.Errorf("%s: %w: %w", a.Name, ErrOffline, context.Cause(ctx))
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultDeadline)
		defer cancel()
	}
	k := &call{id: id, action: a.Name, wire: wire, list: list, mark: mark, done: make(chan struct{})}
	l := c.link.Load()
	if l == nil || !l.submit(k) {
		return &call{}, fmt.Errorf("%s: %w", a.Name, ErrOffline)
	}
	select {
	case <-k.done:
	case <-ctx.Done():
		l.abandon(k, context.Cause(ctx))
	}
	return k, k.err
}
