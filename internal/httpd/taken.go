package httpd

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// Bounds of what is one taking.
const (
	oneTaking     = 10 * time.Minute // longest between two pieces of it: a player asks for another one with each jump, a CRM for the next page
	longestTaking = 24 * time.Hour   // so that who asks all the time is in the log of each day
	mostTakings   = 4096             // remembered; beyond it one may be told of twice
)

const (
	takenKey  = "dialbridge.taken"
	brokenKey = "dialbridge.broken"
)

// take is what a handler says of what it hands out.
type take struct {
	what  string
	piece bool
}

// Taken says that a request hands out what is worth a note though nothing is changed by it: a recording, an export. `what` is the name of it below the
// route. Of pieces, which are asked for one after another, the first one alone is noted; what comes whole always is.
func Taken(c echo.Context, what string, piece bool) { c.Set(takenKey, take{what, piece}) }

// Why an answer broke off.
const (
	BrokenByClient  = "client"  // it went away, or did not take what was sent
	BrokenBySession = "session" // whoever asked may not read any more
	BrokenByStop    = "stop"    // the daemon stops
	BrokenByError   = "error"   // a fault of ours, which the log tells
)

// BreakOff ends an answer of which a part may be out already, so that no client takes it for the whole. It does not return. Why is noted.
func BreakOff(c echo.Context, why string) {
	c.Set(brokenKey, why)
	panic(http.ErrAbortHandler)
}

// WhyBroken is why a request that has failed on its way has: its context ends when its client goes away, also where a write to it fails.
func WhyBroken(ctx context.Context) string {
	switch {
	case ctx.Err() == nil:
		return BrokenByError
	case errors.Is(context.Cause(ctx), errStopped):
		return BrokenByStop
	}
	return BrokenByClient
}

// errStopped is the cause of a context that ended because the daemon stops.
var errStopped = errors.New("http: the daemon stops")

// brokeOff is why an answer has broken off, "" where it is whole.
func brokeOff(c echo.Context, whole bool) string {
	if whole {
		return ""
	}
	why, _ := c.Get(brokenKey).(string)
	return cmp.Or(why, BrokenByError)
}

// takings are who has lately taken what, so that each taking is told of once. Its methods are safe for concurrent use.
type takings struct {
	now func() time.Time

	mu    sync.Mutex
	known map[taking]times
}

// taking is one thing that goes to one place.
type taking struct{ who, remote, route, what string }

type times struct{ told, last time.Time }

func newTakings() *takings { return &takings{now: time.Now, known: map[taking]times{}} }

// begins reports whether a request begins a taking. No piece escapes: which one comes first is for him to choose who takes it.
func (t *takings) begins(x taking, piece bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if len(t.known) >= mostTakings {
		t.forget(now)
	}
	before, known := t.known[x]
	begins := !piece || !known || now.Sub(before.last) > oneTaking || now.Sub(before.told) >= longestTaking
	if begins {
		before.told = now
	}
	before.last = now
	t.known[x] = before
	return begins
}

// forget drops what is over, and everything where that is nothing. The caller holds mu.
func (t *takings) forget(now time.Time) {
	for x, at := range t.known {
		if now.Sub(at.last) > oneTaking {
			delete(t.known, x)
		}
	}
	if len(t.known) >= mostTakings {
		clear(t.known)
	}
}

// takes reports whether a request has taken something that nothing was told of yet. 412 says that it is another one than was wanted; of an answer that broke off
// before it began, nothing has gone out.
func (s *Server) takes(c echo.Context, who string) bool {
	x, ok := c.Get(takenKey).(take)
	r := c.Request()
	return ok && c.Response().Committed && c.Response().Status < http.StatusBadRequest && r.Method != http.MethodHead &&
		s.takings.begins(taking{who, Remote(r).String(), c.Path(), x.what}, x.piece)
}
