// Package httpd is the HTTP shell that all dialects share: listeners, request
// ids, the access log, limits on what a client may cost, errors in the shape of
// the dialect that a path belongs to, and the routes outside of the dialects
// (/healthz, /readyz, /metrics). It knows nothing of telephony.
package httpd

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"
)

// Options is what a Server is made of.
type Options struct {
	Address    string     // host:port to listen on; port 0 takes a free one
	TLSAddress string     // the same routes over TLS, "" = no TLS
	Settings   Settings   // what may change later, see Server.Configure
	Parts      []Part     // what /readyz asks, in this order
	Metrics    []Expose   // what /metrics tells beside the server's own
	Audit      func(Note) // is told of each command after its answer and must not block; nil = nobody is
	Limits     Limits
	Logger     *slog.Logger
}

// Expose adds metrics to a page. It may be called by several requests at once, and returns when ctx ends.
type Expose func(ctx context.Context, e *Exposition)

// Settings is what may be changed while the server runs.
type Settings struct {
	Allow        []netip.Prefix // networks that are served, nil = none
	MetricsAllow []netip.Prefix // networks that may read /metrics, nil = none
	CertFile     string         // PEM; with TLSAddress only
	KeyFile      string         // PEM; with TLSAddress only
}

// Limits bounds what one client can cost. A zero field takes its default.
type Limits struct {
	Body       int64         // bytes of a request body, beyond it 413; default 1 MiB
	Header     int           // bytes of a request header, beyond it 431; default 64 KiB
	Request    time.Duration // a request that runs longer gets 504; default 30 s
	ReadHeader time.Duration // for the header to arrive; default 10 s
	Read       time.Duration // for header and body to arrive, beyond it 408; default 30 s
	Write      time.Duration // between two pieces of an answer that the client takes; default 60 s
	Idle       time.Duration // a connection kept open without a request; default 120 s
	Stop       time.Duration // for requests in flight when the server ends; default 4 s
}

func (l Limits) withDefaults() Limits {
	set := func(d *time.Duration, preset time.Duration) {
		if *d == 0 {
			*d = preset
		}
	}
	set(&l.Request, 30*time.Second)
	set(&l.ReadHeader, 10*time.Second)
	set(&l.Read, 30*time.Second)
	set(&l.Write, 60*time.Second)
	set(&l.Idle, 120*time.Second)
	set(&l.Stop, 4*time.Second)
	if l.Body == 0 {
		l.Body = 1 << 20
	}
	if l.Header == 0 {
		l.Header = 64 << 10
	}
	return l
}

// Part is one thing that must work before the daemon is ready.
type Part struct {
	Name string
	// Check tells whether the part works, its state in one word, and in a
	// sentence why it does not. It returns when ctx ends.
	Check func(ctx context.Context) (ok bool, state, reason string)
}

// Dialect is a prefix of paths with its own shape of errors.
type Dialect struct {
	Prefix string // such as "/coocenter-api", without a slash at its end
	// Render writes an error in the dialect's shape. It is called for whatever
	// goes wrong below the prefix: unknown routes, limits, panics, returned errors.
	Render func(c echo.Context, status int, message string) error
}
