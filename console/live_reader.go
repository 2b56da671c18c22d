package console

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// Why a feed ends, as its last event says. A reader who was cut off is told nothing: he would not read it.
const (
	byeStop    = "stop"
	byeSession = "session"
)

// reader is one feed.
type reader struct {
	fresh bool                   // has no snapshot yet; guarded by live.mu
	cut   func(in time.Duration) // ends a write that is stuck
	owner string                 // whom it counts against

	mu    sync.Mutex // guards all below
	queue [][]byte
	bytes int
	over  bool
	bye   string
	wake  chan struct{}
}

// put adds a frame; false when the reader has fallen behind and is cut off.
func (r *reader) put(text []byte, p *pace) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) > 0 && (r.bytes+len(text) > p.unsent || len(r.queue) >= p.frames) {
		r.queue, r.over = nil, true
		r.poke()
		r.cut(0)
		return false
	}
	r.queue = append(r.queue, text)
	r.bytes += len(text)
	r.poke()
	return true
}

// end lets the feed end behind a word of farewell.
func (r *reader) end(bye string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue, r.over, r.bye = nil, true, bye
	r.cut(time.Second)
	r.poke()
}

func (r *reader) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// next waits for frames. over: there will be none any more, but for a farewell where bye says why.
func (r *reader) next(ctx context.Context) (frames [][]byte, over bool, bye string) {
	for {
		r.mu.Lock()
		frames, over, bye = r.queue, r.over, r.bye
		r.queue, r.bytes = nil, 0
		r.mu.Unlock()
		if over || len(frames) > 0 {
			return frames, over, bye
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return nil, true, ""
		}
	}
}

// roleLive is who may read.
const roleLive = pbx.RoleSupervisor

// recheck is how often a feed asks whether its reader may still read.
const recheck = 2 * time.Second

// liveFeed streams what goes on until the reader leaves, may not read any more, or falls behind.
func (a *API) liveFeed(c echo.Context) error {
	if _, err := httpd.ReadParams(c); err != nil {
		return err
	}
	control := http.NewResponseController(c.Response())
	r := &reader{fresh: true, owner: callerOf(c).owner(), wake: make(chan struct{}, 1)}
	r.cut = func(in time.Duration) { _ = control.SetWriteDeadline(time.Now().Add(in)) } // where it cannot be set, the server's own limit holds
	if err := a.live.enter(r); err != nil {
		return err
	}
	defer a.live.leave(r)
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // a proxy in between is not to collect
	c.Response().WriteHeader(http.StatusOK)
	checked := time.Now()
	for {
		frames, over, bye := r.next(c.Request().Context())
		if errors.Is(context.Cause(c.Request().Context()), errSessionEnded) {
			over, bye = true, byeSession
		}
		if !over && time.Since(checked) > recheck {
			if checked = time.Now(); !a.mayStill(c) {
				over, bye = true, byeSession
			}
		}
		if over {
			frames = nil
			if bye != "" {
				frames = [][]byte{frame("bye", map[string]any{"reason": bye})}
			}
		}
		for _, f := range frames {
			if _, err := c.Response().Write(f); err != nil {
				return nil //nolint:nilerr // the reader has gone
			}
		}
		if len(frames) > 0 {
			if err := control.Flush(); err != nil {
				return nil //nolint:nilerr // the same
			}
		}
		if over {
			return nil
		}
	}
}

// mayStill asks anew who reads: his token may be of yesterday, or a key may have been set. A session that is over ends the request by itself.
func (a *API) mayStill(c echo.Context) bool {
	access := *a.access.Load()
	switch callerOf(c).kind {
	case kindKey:
		return access != nil && access(c.Request().Header)
	case kindLocal:
		return access == nil
	}
	return true
}
