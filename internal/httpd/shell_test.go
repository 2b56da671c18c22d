package httpd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
)

func TestRequestID(t *testing.T) {
	s := newServer(t, nil)
	s.Mount(shape("/api")).GET("/id", func(c echo.Context) error {
		return c.String(http.StatusOK, RequestID(c.Request().Context()))
	})
	made := regexp.MustCompile(`^[A-Z2-7]{26}$`)
	for _, test := range []struct {
		sent string
		kept bool
	}{
		{"abc-1.2_X", true}, {strings.Repeat("a", 64), true},
		{"", false}, {strings.Repeat("a", 65), false}, {"a b", false}, {"a\r\nb", false}, {"ä", false}, {"a\n", false},
	} {
		w := ask(s, "GET", "/api/id", http.Header{"X-Request-Id": {test.sent}}, nil)
		id := w.Header().Get("X-Request-Id")
		if w.Body.String() != id || test.kept && id != test.sent || !test.kept && !made.MatchString(id) {
			t.Errorf("sent %q, answered %q, in the context %q", test.sent, id, w.Body)
		}
	}
	for _, target := range []string{"/healthz", "/none", "/api/%ff", "/metrics"} {
		if id := ask(s, "GET", target, nil, nil).Header().Get("X-Request-Id"); id == "" {
			t.Errorf("%s has no id", target)
		}
	}
	if id := RequestID(context.Background()); id != "" {
		t.Errorf("an id outside of a request: %q", id)
	}
}

func TestAccessLogHoldsNoSecret(t *testing.T) {
	var log bytes.Buffer
	s := newServer(t, func(o *Options) { o.Logger = slog.New(slog.NewJSONHandler(&log, nil)) })
	s.Mount(shape("/api")).GET("/calls/:id", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
	header := http.Header{"Authorization": {"hunter2"}, "Cookie": {"hunter2"}, "X-Request-Id": {"r1"}}
	ask(s, "GET", "/api/calls/hunter2?token=hunter2", header, strings.NewReader("password=hunter2"))
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, log.String())
	}
	for key, want := range map[string]any{"msg": "http request served", "method": "GET", "route": "/api/calls/:id", "status": 204.0, "request_id": "r1", "remote": "192.0.2.1"} {
		if line[key] != want {
			t.Errorf("%s = %v, want %v", key, line[key], want)
		}
	}
	if _, ok := line["duration"]; !ok || strings.Contains(log.String(), "hunter2") {
		t.Errorf("log line %s", log.String())
	}
	log.Reset()
	ask(s, "GET", "/healthz", nil, nil)
	if log.Len() != 0 {
		t.Errorf("a monitor's question is logged: %s", log.String())
	}
}

func TestInternalErrorsAreLoggedAndNotShown(t *testing.T) {
	var log bytes.Buffer
	s := newServer(t, func(o *Options) {
		o.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	api := s.Mount(shape("/api"))
	api.GET("/fails", func(echo.Context) error { return errors.New("disk on fire") })
	api.GET("/panics", func(echo.Context) error { panic("at the disco") })
	api.GET("/cause", func(echo.Context) error {
		return &Error{Status: http.StatusServiceUnavailable, Message: "try again", RetryAfter: 1500 * time.Millisecond, Err: errors.New("link is down")}
	})
	api.GET("/echo", func(echo.Context) error { return echo.NewHTTPError(http.StatusConflict, map[string]int{"a": 1}) })
	for _, test := range []struct {
		target, body, logged, retry string
		status                      int
	}{
		{"/api/fails", "/api|internal error", "disk on fire", "", 500},
		{"/api/panics", "/api|internal error", "at the disco", "", 500},
		{"/api/cause", "/api|try again", `"level":"DEBUG","msg":"http request failed","route":"/api/cause","status":503`, "2", 503}, // said once elsewhere
		{"/api/echo", "/api|Conflict", "", "", 409},
	} {
		log.Reset()
		w := ask(s, "GET", test.target, nil, nil)
		if w.Code != test.status || w.Body.String() != test.body || !strings.Contains(log.String(), test.logged) || w.Header().Get("Retry-After") != test.retry {
			t.Errorf("%s: %d %q, Retry-After %q, log %s", test.target, w.Code, w.Body, w.Header().Get("Retry-After"), log.String())
		}
	}
}

func TestRenderThatFailsIsLogged(t *testing.T) {
	var log bytes.Buffer
	s := newServer(t, func(o *Options) { o.Logger = slog.New(slog.NewJSONHandler(&log, nil)) })
	s.Mount(Dialect{Prefix: "/api", Render: func(echo.Context, int, string) error { return errors.New("no template") }})
	ask(s, "GET", "/api/x", nil, nil)
	if !strings.Contains(log.String(), "no template") {
		t.Errorf("log %s", log.String())
	}
}

func TestMiddlewareOfADialectRunsBeforeItsNotFound(t *testing.T) {
	s := newServer(t, nil)
	guard := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if c.Request().Header.Get("Authorization") == "" {
				return &Error{Status: http.StatusUnauthorized, Message: "Unauthorized"}
			}
			return next(c)
		}
	}
	s.Mount(shape("/api"), guard).POST("/x", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	in := http.Header{"Authorization": {"x"}}
	for _, test := range []struct {
		method, target string
		header         http.Header
		status         int
	}{
		{"POST", "/api/x", nil, 401}, {"GET", "/api/x", nil, 401}, {"GET", "/api/y", nil, 401},
		{"POST", "/api/x", in, 200}, {"GET", "/api/x", in, 405}, {"GET", "/api/y", in, 404}, {"GET", "/api", in, 404},
	} {
		if w := ask(s, test.method, test.target, test.header, nil); w.Code != test.status {
			t.Errorf("%s %s = %d, want %d", test.method, test.target, w.Code, test.status)
		}
	}
}

func TestTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		api := s.Mount(shape("/api"))
		api.GET("/slow", func(c echo.Context) error {
			ctx := c.Request().Context()
			<-ctx.Done()
			return fmt.Errorf("action: %w", ctx.Err())
		})
		api.GET("/own", func(c echo.Context) error {
			<-c.Request().Context().Done()
			return &Error{Status: http.StatusBadGateway, Message: "own words"}
		})
		api.GET("/lasting", func(c echo.Context) error {
			time.Sleep(time.Hour)
			if err := c.Request().Context().Err(); err != nil {
				return err
			}
			return c.NoContent(http.StatusOK)
		})
		s.Lasting("/api/lasting")
		start := time.Now()
		w := ask(s, "GET", "/api/slow", nil, nil)
		if w.Code != 504 || time.Since(start) != 30*time.Second || !strings.HasPrefix(w.Body.String(), "/api|the request took too long") {
			t.Errorf("after %v: %d %q", time.Since(start), w.Code, w.Body)
		}
		if w := ask(s, "GET", "/api/own", nil, nil); w.Code != 502 {
			t.Errorf("own answer: %d", w.Code)
		}
		if w := ask(s, "GET", "/api/lasting", nil, nil); w.Code != 200 {
			t.Errorf("lasting: %d", w.Code)
		}
	})
}

func TestReadyAsksNoLongerThanFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, func(o *Options) {
			o.Parts = []Part{{Name: "ami", Check: func(ctx context.Context) (bool, string, string) {
				<-ctx.Done()
				return false, "silent", ctx.Err().Error()
			}}}
		})
		start := time.Now()
		if w := ask(s, "GET", "/readyz", nil, nil); w.Code != 503 || time.Since(start) != 5*time.Second {
			t.Errorf("%d after %v", w.Code, time.Since(start))
		}
	})
}

func TestNetworks(t *testing.T) {
	s := newServer(t, func(o *Options) {
		o.Settings = Settings{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, MetricsAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	})
	s.Mount(shape("/api"))
	check := func(target string, status int) {
		t.Helper()
		if w := ask(s, "GET", target, nil, nil); w.Code != status {
			t.Errorf("%s = %d, want %d", target, w.Code, status)
		}
	}
	check("/healthz", 200)
	check("/metrics", 403)
	if err := s.Configure(Settings{MetricsAllow: everywhere, Allow: everywhere}); err != nil {
		t.Fatal(err)
	}
	check("/metrics", 200)
	if err := s.Configure(Settings{}); err != nil {
		t.Fatal(err)
	}
	check("/healthz", 403)
	check("/api/x", 403)
	if body := ask(s, "GET", "/api/x", nil, nil).Body.String(); body != "/api|this address is not allowed to connect" {
		t.Errorf("body %q", body)
	}
}

func TestRemote(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:5": "192.0.2.1", "[::ffff:192.0.2.1]:5": "192.0.2.1", "[fe80::1%eth0]:5": "fe80::1", "@": "invalid IP", "": "invalid IP",
	} {
		r := &http.Request{RemoteAddr: address, Header: http.Header{"X-Forwarded-For": {"10.0.0.1"}}}
		if got := Remote(r).String(); got != want {
			t.Errorf("%q = %s, want %s", address, got, want)
		}
	}
}

func TestMetricsHaveBoundedLabels(t *testing.T) {
	s := newServer(t, nil)
	s.Mount(shape("/api")).GET("/calls/:id", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	for i := range 200 {
		ask(s, "GET", fmt.Sprintf("/api/calls/%d", i), nil, nil)
		ask(s, "GET", fmt.Sprintf("/api/none/%d", i), nil, nil)
		ask(s, "GET", fmt.Sprintf("/none/%d", i), nil, nil)
		ask(s, fmt.Sprintf("M%d", i), fmt.Sprintf("/api/calls/%d", i), nil, nil)
	}
	text := ask(s, "GET", "/metrics", nil, nil).Body.String()
	if n := strings.Count(text, "\ndialbridge_http_requests_total{"); n != 4 {
		t.Errorf("%d series, want 4", n)
	}
	for _, want := range []string{
		`dialbridge_http_requests_total{method="GET",route="/api/calls/:id",status="200"} 200`,
		`dialbridge_http_requests_total{method="GET",route="/api/*",status="404"} 200`,
		`dialbridge_http_requests_total{method="GET",route="/*",status="404"} 200`,
		`dialbridge_http_requests_total{method="other",route="/api/*",status="405"} 200`,
		`dialbridge_http_request_duration_seconds_count{route="/api/calls/:id"} 200`,
		`dialbridge_http_requests_in_flight 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestBodyLimitInTheHandlersOwnReading(t *testing.T) {
	s := newServer(t, nil)
	s.Mount(shape("/api")).POST("/raw", func(c echo.Context) error {
		var v any
		if err := c.Bind(&v); err != nil {
			return err
		}
		return c.NoContent(http.StatusOK)
	})
	header := http.Header{"Content-Type": {"application/json"}}
	for _, test := range []struct {
		body   io.Reader
		status int
	}{
		{strings.NewReader(`{"a":1}`), 200},
		{strings.NewReader(`{"a":`), 400},
		{strings.NewReader(`"` + strings.Repeat("a", 1<<20) + `"`), 413},
		{io.MultiReader(strings.NewReader(`"`), strings.NewReader(strings.Repeat("a", 2<<20))), 413},
		{strings.NewReader(`"` + strings.Repeat("a", 1<<20-2) + `"`), 200},
	} {
		if w := ask(s, "POST", "/api/raw", header, test.body); w.Code != test.status {
			t.Errorf("status %d, want %d: %s", w.Code, test.status, w.Body)
		}
	}
}
