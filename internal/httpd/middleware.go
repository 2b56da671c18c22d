package httpd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// observe counts and logs a request when its answer is known.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		s.metrics.under(1)
		defer s.metrics.under(-1)
		whole := false
		defer func() { s.served(c, start, whole) }() // of an answer that breaks off, too
		if err := next(c); err != nil {
			c.Error(err)
		}
		whole = true
		return nil
	}
}

// served tells of a request whose answer is over, or has broken off.
func (s *Server) served(c echo.Context, start time.Time, whole bool) {
	took := time.Since(start)
	s.metrics.count(c, took)
	broke := brokeOff(c, whole)
	s.note(c, start, broke)
	r := c.Request()
	attrs := []slog.Attr{
		slog.String("method", method(r)),
		slog.String("route", c.Path()),
		slog.Int("status", c.Response().Status),
		slog.Duration("duration", took),
		slog.Int64("bytes", c.Response().Size),
		slog.String("request_id", RequestID(r.Context())),
		slog.String("remote", Remote(r).String()),
	}
	if broke != "" {
		attrs = append(attrs, slog.String("broke_off", broke))
	}
	s.log.LogAttrs(r.Context(), level(c), "http request served", attrs...)
}

// level keeps what monitors ask every few seconds out of the log.
func level(c echo.Context) slog.Level {
	switch c.Path() {
	case pathHealth, pathReady, pathMetrics:
		if c.Response().Status < http.StatusInternalServerError {
			return slog.LevelDebug
		}
	}
	return slog.LevelInfo
}

// method is the method of a request from a closed set, fit for a label.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// recoverPanic makes a 500 of a panic, or cuts the connection when a part of the
// answer is out already.
func (s *Server) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if known, ok := cause.(error); ok && errors.Is(known, http.ErrAbortHandler) {
				panic(cause)
			}
			ctx := c.Request().Context()
			s.log.ErrorContext(ctx, "panic in an http handler", "route", c.Path(), "request_id", RequestID(ctx),
				"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			if c.Response().Committed {
				panic(http.ErrAbortHandler)
			}
			err = &Error{Status: http.StatusInternalServerError, Message: "internal error"}
		}()
		return next(c)
	}
}

// limitBody refuses a body that is too large, at once where its length is said.
func (s *Server) limitBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.ContentLength > s.limits.Body {
			c.Response().Header().Set(echo.HeaderConnection, "close")
			return &http.MaxBytesError{Limit: s.limits.Body}
		}
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = http.MaxBytesReader(c.Response().Writer, r.Body, s.limits.Body)
		}
		return next(c)
	}
}

// limitTime ends the context of a request that runs too long.
func (s *Server) limitTime(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.lasting[c.Path()] {
			return next(c)
		}
		ctx, cancel := context.WithTimeoutCause(c.Request().Context(), s.limits.Request, errSlow)
		defer cancel()
		c.SetRequest(c.Request().WithContext(ctx))
		if err := next(c); err != nil {
			c.Error(err) // while the context still tells why it ended
		}
		return nil
	}
}

// notFound answers where no route fits the path, or none its method.
func (s *Server) notFound(c echo.Context) error {
	allow := s.allowed(c)
	if len(allow) == 0 {
		return &Error{Status: http.StatusNotFound, Message: "Not Found"}
	}
	c.Response().Header().Set(echo.HeaderAllow, strings.Join(allow, ", "))
	if c.Request().Method == http.MethodOptions {
		return c.NoContent(http.StatusNoContent)
	}
	return &Error{Status: http.StatusMethodNotAllowed, Message: "Method Not Allowed"}
}

// allowed lists the methods that the path of a request has a route for. Echo
// prefers a group's catch-all to its own 405, so that it is found out here.
func (s *Server) allowed(c echo.Context) []string {
	known := map[string]bool{}
	for _, route := range s.echo.Routes() {
		known[route.Method+" "+route.Path] = true
	}
	probe := s.echo.AcquireContext()
	defer s.echo.ReleaseContext(probe)
	var allow []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe.Reset(c.Request(), nil)
		s.echo.Router().Find(m, echo.GetPath(c.Request()), probe)
		if known[m+" "+probe.Path()] {
			allow = append(allow, m)
		}
	}
	if slices.Contains(allow, http.MethodGet) {
		allow = append(allow, http.MethodHead)
	}
	if len(allow) > 0 {
		allow = append(allow, http.MethodOptions)
	}
	return allow
}
