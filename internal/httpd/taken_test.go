package httpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"
)

// TestTakingsAreNoted: who has taken which recording, once for each download and once for all the pieces that a player asks for, wherever he begins.
func TestTakingsAreNoted(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.wav", "b.wav"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 20_000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	s := newServer(t, func(o *Options) {
		o.Audit = func(n Note) {
			told = append(told, fmt.Sprintf("%s|%s|%d|%s|%v", n.Who, n.Action, n.Status, n.Params["*"], n.Taken))
		}
	})
	now := time.Now()
	s.takings.now = func() time.Time { return now }
	s.Mount(shape("/api"), func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			Actor(c, c.Request().Header.Get("Authorization"))
			return next(c)
		}
	}).GET("/sound/*", func(c echo.Context) error { return SendSound(c, dir, c.Param("*")) })
	hear := func(want int, name string, header ...string) {
		t.Helper()
		h := http.Header{"Authorization": {"ann"}}
		for i := 0; i+1 < len(header); i += 2 {
			h[header[i]] = []string{header[i+1]}
		}
		if w := ask(s, http.MethodGet, "/api/sound/"+name, h, nil); w.Code != want {
			t.Errorf("%s: %d, want %d", name, w.Code, want)
		}
	}
	var want []string
	same := func(more ...string) {
		t.Helper()
		want = append(want, more...)
		if diff := cmp.Diff(want, told); diff != "" {
			t.Error(diff)
		}
	}
	ask(s, http.MethodHead, "/api/sound/a.wav", nil, nil)
	hear(416, "a.wav", "Range", "bytes=999999-")
	hear(412, "a.wav", "If-Match", `"another"`)
	hear(404, "none.wav")
	same()
	hear(206, "a.wav", "Range", "bytes=1-") // all but the first byte is as good as all
	same("ann|GET /api/sound/*|206|a.wav|true")
	hear(206, "a.wav", "Range", "bytes=0-")
	hear(206, "a.wav", "Range", "bytes=8000-")
	now = now.Add(oneTaking)
	hear(206, "a.wav", "Range", "bytes=12000-")
	same()
	hear(206, "b.wav", "Range", "bytes=0-")
	hear(206, "a.wav", "Range", "bytes=0-", "Authorization", "bob")
	same("ann|GET /api/sound/*|206|b.wav|true", "bob|GET /api/sound/*|206|a.wav|true")
	hear(200, "a.wav")
	hear(200, "a.wav")
	same("ann|GET /api/sound/*|200|a.wav|true", "ann|GET /api/sound/*|200|a.wav|true")
	now = now.Add(oneTaking + time.Second)
	hear(206, "a.wav", "Range", "bytes=4-")
	same("ann|GET /api/sound/*|206|a.wav|true")
	for range 2 * longestTaking / oneTaking { // one who never ends is in the log of each day
		now = now.Add(oneTaking)
		hear(206, "a.wav", "Range", "bytes=4-")
	}
	same("ann|GET /api/sound/*|206|a.wav|true", "ann|GET /api/sound/*|206|a.wav|true")
	for n := range mostTakings + 10 { // which a stranger cannot make, and a program can
		s.takings.begins(taking{"x", "y", "z", fmt.Sprint(n)}, true)
	}
	if n := len(s.takings.known); n > mostTakings {
		t.Errorf("%d takings are remembered", n)
	}
}

// TestBrokenAnswersAreNoted: with why, and no answer that is whole is one.
func TestBrokenAnswersAreNoted(t *testing.T) {
	told := make(chan string, 10)
	s := newServer(t, func(o *Options) {
		o.Audit = func(n Note) { told <- fmt.Sprintf("%s|%d|%s", n.Action, n.Status, n.BrokeOff) }
		o.Limits = Limits{Stop: time.Nanosecond}
	})
	g := s.Mount(shape("/api"))
	begun := make(chan bool, 1)
	stream := func(c echo.Context) error {
		if _, err := io.WriteString(c.Response(), "a part"); err != nil {
			return err
		}
		c.Response().Flush()
		if c.QueryParam("end") == "" {
			begun <- true
			<-c.Request().Context().Done()
		}
		BreakOff(c, WhyBroken(c.Request().Context()))
		return nil
	}
	g.POST("/stream", stream)
	g.POST("/whole", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
	g.POST("/boom", func(c echo.Context) error {
		c.Response().WriteHeader(http.StatusOK)
		panic("boom")
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	expect := func(want string) {
		t.Helper()
		if have := <-told; have != want {
			t.Errorf("%s, want %s", have, want)
		}
	}
	send := func(path string) net.Conn {
		t.Helper()
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr().String())
		if err == nil {
			_, err = io.WriteString(conn, "POST /api/"+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	end := func(c net.Conn) {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	for path, want := range map[string]string{"whole": "204|", "stream?end=1": "200|error", "boom": "200|error"} {
		conn := send(path)
		name, _, _ := strings.Cut(path, "?")
		expect("POST /api/" + name + "|" + want)
		end(conn)
	}
	conn := send("stream")
	<-begun
	end(conn)
	expect("POST /api/stream|200|client")
	conn = send("stream")
	defer end(conn)
	<-begun
	cancel()
	expect("POST /api/stream|200|stop")
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
