package ari

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const password = "hunter2-and-more"

// serve starts a web server and returns a client of it.
func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c := New(Options{URL: server.URL + "/ari/", Username: "bridge", Password: password, Application: "dialbridge"})
	t.Cleanup(c.Close)
	return c
}

func TestInfo(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, pass, _ := r.BasicAuth()
		if r.Method+" "+r.URL.Path != "GET /ari/asterisk/info" || user != "bridge" || pass != password {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		_, _ = fmt.Fprint(w, `{"build":{"os":"Linux"},"system":{"version":"22.10.1","entity_id":"aa:bb:cc:00:11:22"},
			"config":{"name":""},"status":{"startup_time":"2026-11-21T19:59:00.123+0100","last_reload_time":"2026-11-21T20:00:00.000+0000"}}`)
	})
	got, err := c.Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := Info{
		Version:  "22.10.1",
		EntityID: "aa:bb:cc:00:11:22",
		Started:  time.Date(2026, 11, 21, 18, 59, 0, 123e6, time.UTC),
		Reloaded: time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC),
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Errorf("info (-want +got):\n%s", diff)
	}
	if c.Application() != "dialbridge" {
		t.Errorf("application %q", c.Application())
	}
}

func TestErrorsAreToldApart(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   error
		text   string
	}{
		{"wrong password", 401, `{"message":"Authentication required"}`, ErrUnauthorized,
			"ari: GET /asterisk/info: status 401 (Authentication required): user or password refused"},
		{"read only", 403, `{"message":"Write access denied"}`, ErrForbidden, ""},
		{"ARI off", 404, "<html><title>404 Not Found</title></html>", ErrDisabled,
			"ari: GET /asterisk/info: status 404: not enabled at this address"},
		{"shutting down", 503, "", ErrShuttingDown, ""},
		{"a web page", 200, "<html></html>", ErrForeign, ""},
		{"other JSON", 200, `{"hello":1}`, ErrForeign, ""},
		{"a list", 200, `[]`, ErrForeign, ""},
		{"a redirect", 302, "", ErrForeign, ""},
		{"another error", 500, `{"message":"Internal Server Error"}`, nil,
			"ari: GET /asterisk/info: status 500 (Internal Server Error)"},
		{"no endpoint", 500, `{"error":"Allocation failed"}`, ErrAllocation, ""},
		{"not there", 404, `{"message":"Channel not found"}`, ErrNotFound, ""},
		{"not there, said otherwise", 400, `{"message":"Channel not found"}`, ErrNotFound, ""},
		{"an argument", 400, `{"message":"Endpoint must be specified"}`, ErrInvalid, ""},
		{"in use", 409, `{"message":"Channel with given unique ID already exists"}`, ErrConflict, ""},
		{"not in Stasis", 409, `{"message":"Channel not in Stasis application"}`, ErrNotInStasis, ""},
		{"not in Stasis, said otherwise", 422, `{"message":"Channel not in Stasis application"}`, ErrNotInStasis, ""},
		{"not up", 412, `{"message":"Channel in invalid state"}`, ErrState, ""},
		{"in a file", 403, `{"message":"Cannot update sorcery objects of type 'endpoint'"}`, ErrReadOnly, ""},
		{"in a file too", 403, `{"message":"Could not delete object with id '801'"}`, ErrReadOnly, ""},
		{"hostile text", 500, `{"message":"a\r\nb"}`, nil, `ari: GET /asterisk/info: status 500 ("a\r\nb")`},
		{"long text", 500, `{"message":"` + strings.Repeat("x", 1000) + `"}`, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(test.status)
				_, _ = fmt.Fprint(w, test.body)
			})
			_, err := c.Info(context.Background())
			var own *Error
			if !errors.As(err, &own) || own.Status != test.status {
				t.Fatalf("error %v, want an *Error of status %d", err, test.status)
			}
			if test.want != nil && !errors.Is(err, test.want) || test.want == nil && own.Err != nil {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if test.text != "" && err.Error() != test.text {
				t.Errorf("error %q, want %q", err, test.text)
			}
			if len(err.Error()) > 400 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestRefused(t *testing.T) {
	var config net.ListenConfig
	l, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c := New(Options{URL: "http://someone:" + password + "@" + address + "/ari?key=" + password, Username: "bridge", Password: password})
	_, err = c.Info(context.Background())
	if !errors.Is(err, ErrUnreachable) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v, want refused", err)
	}
	if strings.Contains(err.Error(), password) {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestSilence(t *testing.T) {
	hold := make(chan struct{})
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(hold) })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := c.Info(ctx)
	if !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want a time-out", err)
	}
}

func TestBadURLHidesItself(t *testing.T) {
	_, err := New(Options{URL: "http://u:" + password + "@bad host/"}).Info(context.Background())
	if err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("error %v", err)
	}
}

// TestEndlessAnswer proves that an answer without end is given up.
func TestEndlessAnswer(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		chunk := []byte(strings.Repeat(" ", 64<<10))
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	if _, err := c.Info(context.Background()); !errors.Is(err, ErrForeign) {
		t.Errorf("error %v, want ErrForeign", err)
	}
}
