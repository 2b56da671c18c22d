package ami

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Back-off between two tries, with full jitter. The longest keeps us back within 5 s of Asterisk being ready,
// the login included.
const (
	backoffMin  = 50 * time.Millisecond
	backoffBase = 250 * time.Millisecond
	backoffMax  = 4500 * time.Millisecond
)

// neverUp is how long a connection lasted that was never logged in.
const neverUp = time.Duration(-1)

// errLogoff is the end of a connection that we have ended.
var errLogoff = errors.New("logged off")

// reconnect holds one connection after the other until ctx ends.
func (c *Client) reconnect(ctx context.Context) {
	window := backoffBase
	said := ""
	quiet := false
	for ctx.Err() == nil {
		lasted, err := c.session(ctx, quiet)
		if ctx.Err() != nil {
			return
		}
		// A peer that takes logins and drops them at once is one long failure, not many short successes.
		if quiet = lasted < backoffMax && (quiet || lasted >= 0); lasted >= backoffMax {
			window, said = backoffBase, ""
		}
		if reason := err.Error(); reason != said {
			said = reason
			c.o.Logger.LogAttrs(ctx, slog.LevelWarn, "asterisk is not connected",
				slog.String("address", c.o.Address), slog.String("error", reason))
		}
		c.setStatus(Status{Phase: Waiting, Err: err})
		c.pause(ctx, max(backoffMin, rand.N(window)))
		window = min(2*window, backoffMax)
	}
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

// session is the life of one connection. It returns how long it was up, or neverUp, and why it ended. A quiet one is
// not told of before it has lasted.
func (c *Client) session(ctx context.Context, quiet bool) (time.Duration, error) {
	c.enter(Connecting)
	conn, err := c.dial(ctx)
	if err != nil {
		return neverUp, bare(err)
	}
	defer func() { _ = conn.Close() }()
	c.enter(LoggingIn)
	if c.reader == nil {
		c.reader = NewReader(conn)
	}
	c.reader.reset(conn)
	c.gap = false
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	version, err := c.login(conn)
	if !stop() {
		return neverUp, ctx.Err()
	}
	if err != nil {
		return neverUp, fmt.Errorf("login: %w", bare(err))
	}
	l := newLink(conn, c.o)
	c.stats.logins.Add(1)
	filters := c.exclude(l)
	// Who is told of the connection can use it.
	c.link.Store(l)
	c.setStatus(Status{Phase: Up, Version: version})
	c.stream.mark(Item{Kind: ItemConnected, At: l.born, Version: version})
	if !quiet {
		c.tell(ctx)
	}
	err = c.serve(ctx, l, quiet, filters)
	c.setStatus(Status{Phase: Waiting, Err: err})
	c.stream.mark(Item{Kind: ItemDisconnected, At: time.Now(), Err: err})
	return time.Since(l.born), err
}

// tell logs that the link is up.
func (c *Client) tell(ctx context.Context) {
	c.o.Logger.LogAttrs(ctx, slog.LevelInfo, "asterisk is connected",
		slog.String("address", c.o.Address), slog.String("ami_version", c.Status().Version))
}

// serve runs a link that is up until it ends or ctx does, and returns why when nothing of it runs any more.
func (c *Client) serve(ctx context.Context, l *link, quiet bool, filters []*call) error {
	var parts sync.WaitGroup
	parts.Go(func() { l.fail(c.read(l)) })
	parts.Go(l.write)
	if len(filters) > 0 {
		parts.Go(func() { c.excluded(ctx, l, filters) })
	}
	c.watch(ctx, l, quiet)
	c.link.Store(nil)
	if ctx.Err() != nil {
		c.logoff(l)
	}
	l.fail(errLogoff)
	parts.Wait()
	return l.reason()
}

// watch sends a Ping when nothing was heard for a while, and gives the link up when nothing was heard for long.
func (c *Client) watch(ctx context.Context, l *link, quiet bool) {
	timer := time.NewTimer(c.o.Ping)
	defer timer.Stop()
	var lasted <-chan time.Time
	if quiet {
		lasted = time.After(backoffMax)
	}
	pinged := time.Duration(-1) // what was heard last when the last Ping was sent
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.done:
			return
		case <-lasted:
			c.tell(ctx)
			continue
		case <-timer.C:
		}
		l.forget(time.Now())
		heard := time.Duration(l.heard.Load())
		silent := time.Since(l.born) - heard
		switch {
		case silent >= c.o.DeadAfter:
			l.fail(fmt.Errorf("%w for %s", ErrSilent, c.o.DeadAfter))
			return
		case silent < c.o.Ping:
			timer.Reset(c.o.Ping - silent)
			continue
		case heard != pinged:
			pinged = heard
			l.send("Ping", pingID)
		}
		timer.Reset(min(c.o.Ping, c.o.DeadAfter-silent))
	}
}

// logoff tells Asterisk that we go, and gives it a second to say goodbye.
func (c *Client) logoff(l *link) {
	l.send("Logoff", logoffID)
	timer := time.NewTimer(goodbye)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
	}
}

// ActionIDs of what no caller waits for.
const (
	pingID   = "ami-ping"
	logoffID = "ami-logoff"
	filterID = "ami-filter-" // and a number
)
