package ari

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Back-off between two tries, with full jitter.
const (
	backoffMin  = 50 * time.Millisecond
	backoffBase = 250 * time.Millisecond
	backoffMax  = 5 * time.Second
)

// replacedWait is how long we leave the application's name to another program. Taking it back at once would throw the
// other one out, which would do the same to us.
const replacedWait = 30 * time.Second

// neverUp is how long a connection lasted that was never up.
const neverUp = time.Duration(-1)

// errClosed is the end of a connection that we have ended.
var errClosed = errors.New("ari: closed by us")

// Stream returns the channel of all that happens on the connection, in batches and in the order of the wire. It has one
// reader. It is closed when Run returns.
func (c *Client) Stream() <-chan []Item { return c.stream.out }

// Run connects for events, reads, and does so again with back-off whenever the connection is lost, until ctx ends. It
// then says goodbye, and returns nil when all its goroutines have ended. It returns an error at once when there is no
// way to connect with these Options, and when it is called a second time.
func (c *Client) Run(ctx context.Context) error {
	if c.started.Swap(true) {
		return errors.New("ari: Run was called before")
	}
	target, err := c.eventsURL()
	if err != nil {
		close(c.stream.out)
		return err
	}
	var hand sync.WaitGroup
	hand.Go(c.stream.hand)
	c.reconnect(ctx, target)
	c.stream.close()
	hand.Wait()
	c.Close()
	c.setStatus(Idle, ErrOffline)
	return nil
}

// eventsURL is where the WebSocket is.
func (c *Client) eventsURL() (string, error) {
	op, target, err := c.target("GET", []string{"events"})
	if err != nil {
		return "", err
	}
	args := form{"app": c.o.Application, "subscribeAll": c.o.SubscribeAll}
	if err := args.check(op); err != nil {
		return "", err
	}
	if c.o.Application == "" {
		return "", &ArgumentError{Op: op, Name: "app", Reason: "is empty"}
	}
	return c.base.Scheme + "://" + c.base.Host + target + args.query(), nil
}

// A mood is what the last connections teach about the next one.
type mood struct {
	window time.Duration // longest wait before it
	said   string        // the reason that was logged last
	quiet  time.Duration // it is not told of before it has lasted so long
}

// reconnect holds one connection after the other until ctx ends.
func (c *Client) reconnect(ctx context.Context, target string) {
	m := mood{window: backoffBase}
	for ctx.Err() == nil {
		lasted, err := c.session(ctx, target, m.quiet)
		if ctx.Err() != nil {
			return
		}
		wait := m.learn(lasted, err)
		if reason := err.Error(); reason != m.said {
			m.said = reason
			c.o.Logger.LogAttrs(ctx, slog.LevelWarn, "the events of asterisk's rest interface do not come",
				slog.String("host", c.base.Host), slog.String("application", c.o.Application), slog.String("error", reason),
				slog.Duration("retry_within", max(wait, m.window)))
		}
		c.pause(ctx, wait)
	}
}

// learn takes in how a connection went and returns how long to wait.
func (m *mood) learn(lasted time.Duration, err error) time.Duration {
	if errors.Is(err, ErrReplaced) {
		// Two programs that take the name from each other each half minute are one long failure.
		if lasted >= 2*replacedWait {
			m.said = ""
		}
		m.quiet, m.window = 2*replacedWait, backoffBase
		return replacedWait
	}
	// So is a peer that takes connections and drops them at once.
	switch {
	case lasted >= backoffMax:
		m.window, m.said, m.quiet = backoffBase, "", 0
	case lasted >= 0:
		m.quiet = max(m.quiet, backoffMax)
	}
	wait := max(backoffMin, rand.N(m.window))
	m.window = min(2*m.window, backoffMax)
	return wait
}

// pause waits for d, and then until half of the stream has been taken: a connection whose events would not fit is
// of no use.
func (c *Client) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
	}
	for c.stream.size() > c.o.Queue/2 {
		select {
		case <-ctx.Done():
			return
		case <-c.stream.room:
		}
	}
}

// session is the life of one connection. It returns how long it was up, or neverUp, and why it ended.
func (c *Client) session(ctx context.Context, target string, quiet time.Duration) (time.Duration, error) {
	c.enter(Connecting)
	s, err := c.open(ctx, target)
	if err != nil {
		c.setStatus(Waiting, err)
		return neverUp, err
	}
	c.stats.connections.Add(1)
	c.setStatus(Up, nil)
	c.stream.mark(Item{Kind: ItemConnected, At: s.born})
	if quiet == 0 {
		c.tell(ctx)
	}
	err = c.serve(ctx, s, quiet)
	c.setStatus(Waiting, err)
	c.stream.mark(Item{Kind: ItemDisconnected, At: time.Now(), Err: err})
	return time.Since(s.born), err
}

// tell logs that events come.
func (c *Client) tell(ctx context.Context) {
	c.o.Logger.LogAttrs(ctx, slog.LevelInfo, "the events of asterisk's rest interface come",
		slog.String("host", c.base.Host), slog.String("application", c.o.Application))
}

// serve runs a connection that is up until it ends or ctx does, and returns why when nothing of it runs any more.
func (c *Client) serve(ctx context.Context, s *socket, quiet time.Duration) error {
	s.parts.Go(func() { s.fail(c.read(s)) })
	c.watch(ctx, s, quiet)
	if ctx.Err() != nil {
		s.settle(errClosed)
		s.bye()
	}
	s.fail(errClosed)
	s.parts.Wait()
	return s.reason()
}

// watch sends a ping when nothing was heard for a while, and gives the connection up when nothing was heard for long.
func (c *Client) watch(ctx context.Context, s *socket, quiet time.Duration) {
	timer := time.NewTimer(c.o.Ping)
	defer timer.Stop()
	var lasted <-chan time.Time
	if quiet > 0 {
		lasted = time.After(quiet)
	}
	pinged := time.Duration(-1) // what was heard last when the last ping was sent
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.done:
			return
		case <-lasted:
			c.tell(ctx)
			continue
		case <-timer.C:
		}
		heard := s.heard()
		silent := time.Since(s.born) - heard
		switch {
		case silent >= c.o.DeadAfter:
			s.fail(ErrSilent)
			return
		case silent < c.o.Ping:
			timer.Reset(c.o.Ping - silent)
			continue
		case heard != pinged:
			pinged = heard
			s.ping()
		}
		timer.Reset(min(c.o.Ping, c.o.DeadAfter-silent))
	}
}
