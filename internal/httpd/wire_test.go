package httpd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
)

// run starts a server and returns its address and a function that ends it and
// gives what Run has returned.
func run(t *testing.T, s *Server) (address string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	done := false
	stop = func() error {
		if done {
			return nil
		}
		done = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { _ = stop() })
	return s.Addr().String(), stop
}

// dial opens a raw connection that gives up after five seconds.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// talk sends raw bytes and returns the status of the answer, 0 when the
// connection was closed without one, and its body.
func talk(t *testing.T, address, request string) (status int, body string) {
	t.Helper()
	conn := dial(t, address)
	// The server may hang up on a hostile request before it has read it all.
	_, _ = io.WriteString(conn, request)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body) // what came is what is judged
	return response.StatusCode, string(text)
}

// echoParams answers with the parameters "a" and the number of all.
func echoParams(c echo.Context) error {
	p, err := ReadParams(c)
	if err != nil {
		return err
	}
	return c.String(http.StatusOK, fmt.Sprintf("%s %d", p.Get("a"), p.Len()))
}

func TestHostileRequests(t *testing.T) {
	s := newServer(t, func(o *Options) {
		o.Limits = Limits{ReadHeader: 50 * time.Millisecond, Read: 100 * time.Millisecond, Body: 1000, Header: 4096}
	})
	api := s.Mount(shape("/api"))
	api.POST("/p", echoParams)
	address, _ := run(t, s)
	const head = "POST /api/p HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	for _, test := range []struct {
		name, request string
		status        int
		body          string
	}{
		{"a good one", head + "Content-Length: 3\r\n\r\na=1", 200, "1 1"},
		{"a good chunked one", head + "Transfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n", 200, "1 1"},
		{"a header that never ends", "GET / HTTP/1.1\r\nHost: x\r\nX-A: ", 0, ""},
		{"not a byte", "", 0, ""},
		{"a body that never comes", head + "Content-Length: 900\r\n\r\na=", 408, "/api|the request arrived too slowly"},
		{"a header too large", "GET / HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 20000) + "\r\n\r\n", 431, ""},
		{"a body too large by its length", head + "Content-Length: 99999999\r\n\r\na=", 413, "/api|the body is larger than 1000 bytes"},
		{"a body too large in chunks", head + "Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + strings.Repeat("a", 2000) + "\r\n0\r\n\r\n", 413, "/api|the body is larger than 1000 bytes"},
		{"chunks that are none", head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "/api|the body cannot be read"},
		{"a body cut short in chunks", head + "Transfer-Encoding: chunked\r\n\r\n5\r\na=1\r\n0\r\n\r\n", 400, "/api|the body cannot be read"},
		{"two lengths", head + "Content-Length: 3\r\nContent-Length: 4\r\n\r\na=1", 400, ""},
		{"a length below zero", head + "Content-Length: -3\r\n\r\na=1", 400, ""},
		{"a length and chunks", head + "Transfer-Encoding: chunked, identity\r\nContent-Length: 3\r\n\r\na=1", 501, ""},
		{"a line end in a header", "GET / HTTP/1.1\r\nHost: x\r\nX-A: a\rb\r\n\r\n", 400, ""},
		{"a NUL in the path", "GET /api/\x00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, ""},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400, ""},
		{"another protocol", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, ""},
		{"a path that is no UTF-8", "GET /api/\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := talk(t, address, test.request)
			if status != test.status || test.body != "" && body != test.body {
				t.Errorf("answer %d %q, want %d %q", status, body, test.status, test.body)
			}
		})
	}
}

// TestSlowBodyIsNotASlowRequest: when the time for a body is over, that for the request may be too; nothing was done yet.
func TestSlowBodyIsNotASlowRequest(t *testing.T) {
	s := newServer(t, func(o *Options) { o.Limits = Limits{Read: 100 * time.Millisecond, Request: 20 * time.Millisecond} })
	s.Mount(shape("/api")).POST("/p", echoParams)
	address, _ := run(t, s)
	status, body := talk(t, address, "POST /api/p HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\na=")
	if status != http.StatusRequestTimeout || body != "/api|the request arrived too slowly" {
		t.Errorf("%d %q", status, body)
	}
}

// TestReadLimitDoesNotCancel: the limit on reading a request must not end one
// that has arrived and is at work for longer.
func TestReadLimitDoesNotCancel(t *testing.T) {
	s := newServer(t, func(o *Options) { o.Limits = Limits{Read: 50 * time.Millisecond} })
	work := func(c echo.Context) error {
		if _, err := io.ReadAll(c.Request().Body); err != nil {
			return err
		}
		select {
		case <-c.Request().Context().Done():
			return c.String(http.StatusOK, "cancelled")
		case <-time.After(200 * time.Millisecond):
			return c.String(http.StatusOK, "worked")
		}
	}
	s.Mount(shape("/api")).Match([]string{"GET", "POST"}, "/work", work)
	address, _ := run(t, s)
	for _, request := range []string{
		"GET /api/work HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /api/work HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
		"POST /api/work HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
	} {
		if status, body := talk(t, address, request); status != 200 || body != "worked" {
			t.Errorf("%.20q: %d %q", request, status, body)
		}
	}
}

func TestStopLetsRequestsFinish(t *testing.T) {
	s := newServer(t, nil)
	entered, leave := make(chan struct{}), make(chan struct{})
	s.Mount(shape("/api")).GET("/slow", func(c echo.Context) error {
		close(entered)
		<-leave
		if err := c.Request().Context().Err(); err != nil {
			return err
		}
		return c.String(http.StatusOK, "done")
	})
	address, stop := run(t, s)
	answer := make(chan string, 1)
	go func() {
		status, body := talk(t, address, "GET /api/slow HTTP/1.1\r\nHost: x\r\n\r\n")
		answer <- fmt.Sprint(status, body)
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	waitRefused(t, address)
	close(leave)
	if got := <-answer; got != "200done" {
		t.Errorf("the request in flight: %s", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// waitRefused returns when nobody listens at the address any more.
func waitRefused(t *testing.T, address string) {
	t.Helper()
	var d net.Dialer
	for {
		conn, err := d.DialContext(context.Background(), "tcp", address)
		if err != nil {
			return
		}
		_ = conn.Close()
	}
}

func TestStopCutsWhatDoesNotEnd(t *testing.T) {
	s := newServer(t, func(o *Options) { o.Limits.Stop = 50 * time.Millisecond })
	entered, cut := make(chan struct{}), make(chan struct{})
	s.Mount(shape("/api")).GET("/stuck", func(c echo.Context) error {
		close(entered)
		<-c.Request().Context().Done()
		close(cut)
		return c.Request().Context().Err()
	})
	address, stop := run(t, s)
	conn := dial(t, address)
	if _, err := io.WriteString(conn, "GET /api/stuck HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	<-cut
}

func TestPortInUse(t *testing.T) {
	first := newServer(t, nil)
	address, _ := run(t, first)
	second := newServer(t, func(o *Options) { o.Address = address })
	err := second.Run(context.Background())
	var operation *net.OpError
	if !errors.As(err, &operation) || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error %v", err)
	}
	twin := newServer(t, func(o *Options) { o.TLSAddress, o.Settings.CertFile = "127.0.0.1:0", "/none" })
	if err := twin.Listen(context.Background()); err == nil || twin.Addr() != nil || twin.TLSAddr() != nil {
		t.Errorf("without a certificate: error %v, address %v", err, twin.Addr())
	}
}

func TestPanicAfterTheFirstByteCutsTheConnection(t *testing.T) {
	s := newServer(t, nil)
	s.Mount(shape("/api")).GET("/half", func(c echo.Context) error {
		c.Response().Header().Set("Content-Length", "1000")
		if _, err := c.Response().Write([]byte("half")); err != nil {
			return err
		}
		c.Response().Flush()
		panic("after the first byte")
	})
	address, _ := run(t, s)
	conn := dial(t, address)
	if _, err := io.WriteString(conn, "GET /api/half HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("body %q, error %v: a half answer must not look whole", body, err)
	}
}

// TestStuckReader: a client that asks and does not read is given up.
func TestStuckReader(t *testing.T) {
	s := newServer(t, func(o *Options) { o.Limits = Limits{Write: 50 * time.Millisecond} })
	ended := make(chan error, 1)
	s.Mount(shape("/api")).GET("/large", func(c echo.Context) error {
		var err error
		for piece := make([]byte, 64<<10); err == nil; {
			_, err = c.Response().Write(piece)
		}
		ended <- err
		return nil
	})
	address, _ := run(t, s)
	conn := dial(t, address)
	if _, err := io.WriteString(conn, "GET /api/large HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if err := <-ended; !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("error %v, want a time-out", err)
	}
}

// TestHijack proves that a socket can be taken over through our writers, and
// outlives the limits on reading and writing.
func TestHijack(t *testing.T) {
	s := newServer(t, func(o *Options) { o.Limits = Limits{Read: 20 * time.Millisecond, Request: 20 * time.Millisecond} })
	s.Mount(shape("/api")).GET("/socket", func(c echo.Context) error {
		conn, _, err := http.NewResponseController(c.Response()).Hijack()
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		select {
		case <-c.Request().Context().Done():
			_, err = io.WriteString(conn, "cancelled")
		case <-time.After(100 * time.Millisecond):
			_, err = io.WriteString(conn, "alive")
		}
		return err
	})
	s.Lasting("/api/socket")
	address, _ := run(t, s)
	conn := dial(t, address)
	if _, err := io.WriteString(conn, "GET /api/socket HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || string(got) != "alive" {
		t.Errorf("socket said %q, error %v", got, err)
	}
}

func TestHead(t *testing.T) {
	s := newServer(t, nil)
	content := bytes.Repeat([]byte("x"), 1<<20)
	s.Mount(shape("/api")).GET("/file", func(c echo.Context) error {
		http.ServeContent(c.Response(), c.Request(), "file.wav", time.Time{}, bytes.NewReader(content))
		return nil
	})
	address, _ := run(t, s)
	conn := dial(t, address)
	reader := bufio.NewReader(conn)
	for _, target := range []string{"/api/file", "/healthz", "/api/none"} {
		if _, err := io.WriteString(conn, "HEAD "+target+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		// One connection for all: a body after HEAD would break the next answer.
		response, err := http.ReadResponse(reader, &http.Request{Method: http.MethodHead})
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		_ = response.Body.Close()
		if target == "/api/file" && response.ContentLength != int64(len(content)) {
			t.Errorf("length %d", response.ContentLength)
		}
		if want := map[bool]int{true: 404, false: 200}[target == "/api/none"]; response.StatusCode != want {
			t.Errorf("HEAD %s = %d, want %d", target, response.StatusCode, want)
		}
	}
}
