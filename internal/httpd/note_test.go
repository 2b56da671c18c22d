package httpd

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"
)

// TestCommandsAreNoted: by their method, or by what was said of the route; with who and what, whatever became of them.
func TestCommandsAreNoted(t *testing.T) {
	var told []string
	limiter := NewLimiter(100, time.Minute)
	s := newServer(t, func(o *Options) {
		o.Audit = func(n Note) {
			var params []string
			for name, value := range n.Params {
				params = append(params, name+"="+value)
			}
			slices.Sort(params)
			if n.RequestID == "" || n.At.IsZero() || !n.Remote.IsValid() {
				t.Errorf("%+v", n)
			}
			told = append(told, fmt.Sprintf("%s|%s|%d|%s", n.Who, n.Action, n.Status, strings.Join(params, " ")))
		}
	})
	g := s.Mount(shape("/api"), func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if c.Request().Header.Get("Authorization") == "wrong" {
				limiter.FailLogIn(c)
				return &Error{Status: http.StatusUnauthorized}
			}
			Actor(c, "ann")
			return next(c)
		}
	})
	read := func(c echo.Context) error {
		_, err := ReadParams(c)
		if err != nil {
			return err
		}
		return c.NoContent(http.StatusNoContent)
	}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		g.Add(method, "/x/:id", read)
	}
	g.POST("/look", read)
	g.GET("/log-in", read)
	g.POST("/boom", func(echo.Context) error { panic("boom") })
	s.Reads("/api/look")
	s.Changes("/api/log-in")
	wrong := http.Header{"Authorization": {"wrong"}}
	for _, x := range []struct {
		method, target string
		header         http.Header
		want           string // "" = nothing is noted
	}{
		{"GET", "/api/x/7?a=b", nil, ""},
		{"HEAD", "/api/x/7", nil, ""},
		{"OPTIONS", "/api/x/7", nil, ""},
		{"POST", "/api/x/7?a=b&a_password=c&Token=&authCode=d", nil, "ann|POST /api/x/:id|204|Token= a=b a_password=*** authCode=*** id=7"},
		{"PUT", "/api/x/7", nil, "ann|PUT /api/x/:id|204|id=7"},
		{"DELETE", "/api/x/%E7%8E%8B", nil, "ann|DELETE /api/x/:id|204|id=王"},
		{"POST", "/api/x/7?a=%ff", nil, "ann|POST /api/x/:id|400|id=7"},
		{"POST", "/api/look", nil, ""},
		{"GET", "/api/log-in", nil, "ann|GET /api/log-in|204|"},
		{"POST", "/api/boom", nil, "ann|POST /api/boom|500|"},
		{"POST", "/api/none", nil, ""},
		{"PATCH", "/api/look", nil, ""},
		{"GET", "/healthz", nil, ""},
		{"GET", "/api/x/7", wrong, "|GET /api/x/:id|401|id=7"},
		{"POST", "/api/x/7?password=z", wrong, "|POST /api/x/:id|401|id=7"},
		{"POST", "/api/look", wrong, "|POST /api/look|401|"},
	} {
		told = nil
		ask(s, x.method, x.target, x.header, nil)
		if diff := cmp.Diff(x.want, strings.Join(told, "\n")); diff != "" {
			t.Errorf("%s %s:\n%s", x.method, x.target, diff)
		}
	}
}

func TestAsset(t *testing.T) {
	a := NewAsset(ownDocs, "docs/docs.js", "text/javascript")
	s := newServer(t, nil)
	s.Echo().GET("/a", a.Serve)
	s.Echo().GET("/none", NewAsset(ownDocs, "docs/none.js", "text/javascript").Serve)
	plain := ask(s, "GET", "/a", nil, nil)
	packed := ask(s, "GET", "/a", http.Header{"Accept-Encoding": {"gzip"}}, nil)
	if plain.Code != 200 || packed.Code != 200 || packed.Body.Len() >= plain.Body.Len() || packed.Header().Get("Content-Encoding") != "gzip" ||
		plain.Header().Get("ETag") != packed.Header().Get("ETag") || plain.Header().Get("Content-Type") != "text/javascript" {
		t.Errorf("%d bytes %v, %d bytes %v", plain.Body.Len(), plain.Header(), packed.Body.Len(), packed.Header())
	}
	if w := ask(s, "GET", "/a", http.Header{"If-None-Match": {`"x", W/` + plain.Header().Get("ETag")}}, nil); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("%d", w.Code)
	}
	if w := ask(s, "GET", "/none", nil, nil); w.Code != http.StatusInternalServerError {
		t.Errorf("a file that is not there: %d", w.Code)
	}
}
