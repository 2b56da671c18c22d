package httpd

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

type requestIDKey struct{}

type headKey struct{}

var soundID = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// RequestID is the id of the request that ctx belongs to, "" outside of one. It
// is the X-Request-Id of the answer.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// Remote is the address of the client as the connection has it; forwarding
// headers are not believed. It is the zero Addr where there is no connection.
func Remote(r *http.Request) netip.Addr {
	pair, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return pair.Addr().Unmap().WithZone("")
}

// Handler is the server's routes as a handler, for tests without a listener.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			// HEAD finds the routes of GET; identify puts the method back, and
			// net/http, which holds the first request, drops the body.
			r = r.WithContext(context.WithValue(r.Context(), headKey{}, true))
			r.Method = http.MethodGet
		}
		s.echo.ServeHTTP(w, r)
	})
}

// identify gives the request its id, on the answer and in the context.
func (s *Server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		id := r.Header.Get(echo.HeaderXRequestID)
		if len(id) > 64 || !soundID.MatchString(id) {
			id = rand.Text()
		}
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		c.Response().Header().Set(echo.HeaderXContentTypeOptions, "nosniff")
		head := r.Context().Value(headKey{}) != nil
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
		if head {
			r.Method = http.MethodHead
		}
		c.SetRequest(r)
		return next(c)
	}
}

// admit refuses clients outside the allowed networks and paths that are no text.
func (s *Server) admit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !within(s.settings.Load().Allow, Remote(c.Request())) {
			return &Error{Status: http.StatusForbidden, Message: "this address is not allowed to connect"}
		}
		path := c.Request().URL.Path
		if !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) {
			return &Error{Status: http.StatusBadRequest, Message: "the path is not plain UTF-8 text"}
		}
		return next(c)
	}
}

func within(networks []netip.Prefix, a netip.Addr) bool {
	for _, network := range networks {
		if network.Contains(a) {
			return true
		}
	}
	return false
}
