package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// newServer makes a server on a free port with one dialect of its own shape.
func newServer(t testing.TB, change func(*Options)) *Server {
	t.Helper()
	o := Options{
		Address:  "127.0.0.1:0",
		Settings: Settings{Allow: everywhere, MetricsAllow: everywhere},
		Logger:   slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shape is a dialect whose errors are "shape|status|message".
func shape(prefix string) Dialect {
	return Dialect{Prefix: prefix, Render: func(c echo.Context, status int, message string) error {
		return c.String(status, prefix+"|"+message)
	}}
}

// ask sends one request to the handler without a listener.
func ask(s *Server, method, target string, header http.Header, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, target, body)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func TestErrorsTakeTheShapeOfTheirPrefix(t *testing.T) {
	s := newServer(t, nil)
	api := s.Mount(shape("/api"))
	api.POST("/dial/:number", func(c echo.Context) error { return c.String(http.StatusOK, c.Param("number")) })
	api.GET("/boom", func(echo.Context) error { panic("boom") })
	api.GET("/fails", func(echo.Context) error { return errors.New("secret detail") })
	s.Mount(shape("/api/deep")).GET("/x", func(echo.Context) error { return &Error{Status: http.StatusConflict, Message: "busy"} })
	for _, test := range []struct {
		method, target string
		status         int
		body, allow    string
	}{
		{"POST", "/api/dial/7", 200, "7", ""},
		{"GET", "/api/dial/7", 405, "/api|Method Not Allowed", "POST, OPTIONS"},
		{"HEAD", "/api/dial/7", 405, "/api|Method Not Allowed", "POST, OPTIONS"},
		{"OPTIONS", "/api/dial/7", 204, "", "POST, OPTIONS"},
		{"OPTIONS", "/api/boom", 204, "", "GET, HEAD, OPTIONS"},
		{"BREW", "/api/boom", 405, "/api|Method Not Allowed", "GET, HEAD, OPTIONS"},
		{"GET", "/api/none", 404, "/api|Not Found", ""},
		{"GET", "/api", 404, "/api|Not Found", ""},
		{"GET", "/api/", 404, "/api|Not Found", ""},
		{"OPTIONS", "/api/none", 404, "/api|Not Found", ""},
		{"GET", "/api/boom", 500, "/api|internal error", ""},
		{"GET", "/api/fails", 500, "/api|internal error", ""},
		{"GET", "/api/deep/x", 409, "/api/deep|busy", ""},
		{"GET", "/api/deep/y", 404, "/api/deep|Not Found", ""},
		{"GET", "/api/deeper", 404, "/api|Not Found", ""},
		{"GET", "/apix", 404, `{"status":"error","message":"Not Found"}` + "\n", ""},
		{"POST", "/healthz", 405, `{"status":"error","message":"Method Not Allowed"}` + "\n", "GET, HEAD, OPTIONS"},
		{"GET", "/", 404, `{"status":"error","message":"Not Found"}` + "\n", ""},
		{"GET", "/api/%00", 400, "/api|the path is not plain UTF-8 text", ""},
		{"GET", "/api/%ff", 400, "/api|the path is not plain UTF-8 text", ""},
		{"GET", "/api/%0d%0ax", 400, "/api|the path is not plain UTF-8 text", ""},
	} {
		w := ask(s, test.method, test.target, nil, nil)
		if w.Code != test.status || w.Body.String() != test.body || w.Header().Get("Allow") != test.allow {
			t.Errorf("%s %s = %d %q, Allow %q; want %d %q, Allow %q", test.method, test.target,
				w.Code, w.Body.String(), w.Header().Get("Allow"), test.status, test.body, test.allow)
		}
	}
}

func TestReadyNamesEachPart(t *testing.T) {
	ok := true
	s := newServer(t, func(o *Options) {
		o.Parts = []Part{
			{Name: "database", Check: func(context.Context) (bool, string, string) { return true, "writable", "" }},
			{Name: "ami", Check: func(context.Context) (bool, string, string) { return ok, "waiting", "connection refused" }},
		}
	})
	for _, test := range []struct {
		ok     bool
		status int
		want   string
	}{
		{true, 200, `{"status":"ready","parts":{"database":{"ok":true,"state":"writable","reason":""},"ami":{"ok":true,"state":"waiting","reason":"connection refused"}}}`},
		{false, 503, `{"status":"not ready","parts":{"database":{"ok":true,"state":"writable","reason":""},"ami":{"ok":false,"state":"waiting","reason":"connection refused"}}}`},
	} {
		ok = test.ok
		w := ask(s, "GET", "/readyz", nil, nil)
		if got := strings.TrimSpace(w.Body.String()); w.Code != test.status || got != test.want {
			t.Errorf("/readyz = %d %s, want %d %s", w.Code, got, test.status, test.want)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("/readyz is no JSON: %s", w.Body)
		}
	}
}
