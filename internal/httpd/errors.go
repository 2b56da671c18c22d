package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Error is an answer that is no success. A handler returns it and the dialect's
// Render gives it its shape.
type Error struct {
	Status     int           // HTTP status, 400 and up
	Message    string        // for the client; no secret, no internals
	RetryAfter time.Duration // > 0: sent as Retry-After in whole seconds, rounded up
	Err        error         // the cause where there is one; logged with a status of 500 and up
}

// Error returns the message and the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause, nil where there is none.
func (e *Error) Unwrap() error { return e.Err }

// TooMany is the answer to an address that Limiter has blocked.
func TooMany(wait time.Duration) *Error {
	return &Error{Status: http.StatusTooManyRequests, Message: "too many failed attempts, try again later", RetryAfter: wait}
}

// errSlow is the cause of a context that ran into Limits.Request.
var errSlow = errors.New("http: request took too long")

// answer finds status and message for whatever a handler or echo returned.
func answer(ctx context.Context, err error) *Error {
	var own *Error
	var routed *echo.HTTPError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large): // first: whoever read the body took it for bad JSON
		return &Error{Status: http.StatusRequestEntityTooLarge, Message: "the body is larger than " + strconv.FormatInt(large.Limit, 10) + " bytes"}
	case errors.As(err, &own):
		return own
	case errors.As(err, &routed):
		return &Error{Status: routed.Code, Message: text(routed), Err: routed.Internal}
	case errors.Is(err, os.ErrDeadlineExceeded): // before errSlow, whose time is over at about the same moment
		return &Error{Status: http.StatusRequestTimeout, Message: "the request arrived too slowly"}
	case errors.Is(context.Cause(ctx), errSlow):
		return &Error{Status: http.StatusGatewayTimeout, Message: "the request took too long; whether it took effect is not known", Err: err}
	}
	return &Error{Status: http.StatusInternalServerError, Message: "internal error", Err: err}
}

func text(e *echo.HTTPError) string {
	if message, ok := e.Message.(string); ok {
		return message
	}
	return http.StatusText(e.Code)
}

// renderError is echo's central error handler.
func (s *Server) renderError(err error, c echo.Context) {
	e := answer(c.Request().Context(), err)
	ctx := c.Request().Context()
	if e.Status >= http.StatusInternalServerError && e.Err != nil && ctx.Err() != context.Canceled {
		level := slog.LevelError
		if e.Status == http.StatusServiceUnavailable {
			level = slog.LevelDebug // what is away is said once by who waits for it, not at every poll of a client
		}
		s.log.Log(ctx, level, "http request failed", "route", c.Path(), "status", e.Status, "request_id", RequestID(ctx), "error", e.Err)
	}
	if c.Response().Committed {
		return
	}
	if e.RetryAfter > 0 {
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if err := s.render(c)(c, e.Status, e.Message); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "could not write an error answer", "request_id", RequestID(ctx), "error", err)
	}
}

// render finds the shape for a path: that of the longest prefix it carries.
func (s *Server) render(c echo.Context) func(echo.Context, int, string) error {
	path, longest, found := c.Request().URL.Path, -1, renderPlain
	for _, d := range s.dialects {
		rest, ok := strings.CutPrefix(path, d.Prefix)
		if ok && (rest == "" || rest[0] == '/') && len(d.Prefix) > longest && d.Render != nil {
			longest, found = len(d.Prefix), d.Render
		}
	}
	return found
}

func renderPlain(c echo.Context, status int, message string) error {
	return c.JSON(status, struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}{"error", message})
}

// plainJSON writes JSON without escaping <, > and &: a caller id is
// "808" <808>, and no answer is ever embedded in HTML.
type plainJSON struct{}

// Serialize implements [echo.JSONSerializer].
func (plainJSON) Serialize(c echo.Context, v any, indent string) error {
	encoder := json.NewEncoder(c.Response())
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	return encoder.Encode(v)
}

// Deserialize implements [echo.JSONSerializer].
func (plainJSON) Deserialize(c echo.Context, v any) error {
	if err := json.NewDecoder(c.Request().Body).Decode(v); err != nil {
		return &Error{Status: http.StatusBadRequest, Message: "the body is not the JSON that is wanted here", Err: err}
	}
	return nil
}
