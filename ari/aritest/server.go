package aritest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ari"
)

// patience is how long a wait may take before the test fails.
const patience = 10 * time.Second

// Options are what a Server is asked for; the zero value is a healthy Asterisk 22.
type Options struct {
	Username string // default "bridge"
	Password string // default "secret"
	TLS      bool   // https, with a certificate of its own; of Start only
}

// A Server is the fake. All methods may be called from any goroutine, but those that can fail the test only from the
// test's own.
type Server struct {
	t        testing.TB
	o        Options
	http     *http.Server
	listener net.Listener
	trusted  *x509.CertPool // of TLS
	pipes    chan net.Conn  // what Dial connects
	parts    sync.WaitGroup
	gone     chan struct{} // closed by Close
	ending   sync.Once

	mu       sync.Mutex
	sessions map[*session]struct{}
	holders  map[string]*session // of applications
	conns    map[*conn]struct{}
	handlers []route
	received []Request
	waited   map[string]int // requests of a route that Wait has returned
	sockets  int
	active   int // handlers that run
	dials    int
	shutting bool
	refusing bool
	hushed   bool
	refusal  *Answer       // of sockets
	changed  chan struct{} // closed and made anew when any of the above has changed
}

// New makes a Server that is reached by Dial only. It is closed at the end of the test.
func New(t testing.TB, options ...Options) *Server {
	t.Helper()
	s := prepare(t, options)
	s.listener = pipes{s}
	s.serve()
	return s
}

// Start makes a Server that listens on a free port of 127.0.0.1.
func Start(t testing.TB, options ...Options) *Server {
	t.Helper()
	s := prepare(t, options)
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	s.listener = listener
	if s.o.TLS {
		s.secure()
	}
	s.serve()
	return s
}

func prepare(t testing.TB, options []Options) *Server {
	var o Options
	if len(options) > 0 {
		o = options[0]
	}
	if o.Username == "" {
		o.Username = "bridge"
	}
	if o.Password == "" {
		o.Password = "secret"
	}
	s := &Server{
		t: t, o: o, pipes: make(chan net.Conn), gone: make(chan struct{}),
		sessions: map[*session]struct{}{}, holders: map[string]*session{}, conns: map[*conn]struct{}{},
		waited: map[string]int{}, changed: make(chan struct{}),
	}
	s.Handle("GET /asterisk/info", always(OK(info)))
	s.http = &http.Server{Handler: handler{s}, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	t.Cleanup(s.Close)
	return s
}

// info is how Asterisk 22 tells of itself.
const info = `{"build":{"os":"Linux"},"system":{"version":"22.10.1","entity_id":"02:fc:00:00:00:01"},` +
	`"config":{"name":""},"status":{"startup_time":"2026-11-21T18:43:39.500+0000","last_reload_time":"2026-11-21T18:43:39.500+0000"}}`

// serve accepts connections.
func (s *Server) serve() {
	listener := net.Listener(faulty{s.listener, s})
	if s.http.TLSConfig != nil {
		listener = tls.NewListener(listener, s.http.TLSConfig)
	}
	s.parts.Go(func() { _ = s.http.Serve(listener) })
}

// Options returns what a client needs to reach and enter this server, as the application dialbridge.
func (s *Server) Options() ari.Options {
	o := ari.Options{URL: "http://asterisk.test:8088/ari", Username: s.o.Username, Password: s.o.Password, Application: "dialbridge"}
	if _, piped := s.listener.(pipes); piped {
		o.Dial = s.Dial
		return o
	}
	o.URL = "http://" + s.listener.Addr().String() + "/ari"
	if s.trusted != nil {
		o.URL = "https" + strings.TrimPrefix(o.URL, "http")
		o.TLS = &tls.Config{RootCAs: s.trusted, MinVersion: tls.VersionTLS12}
	}
	return o
}

// errRefused is what a client sees of a server that refuses connections.
var errRefused = errors.New("connection refused")

// Dial connects to a server of New; it fits ari.Options.Dial.
func (s *Server) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case <-s.gone:
	case <-ctx.Done():
	case s.pipes <- far:
		if !s.Refusing() {
			return near, nil
		}
	}
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errRefused}
}

// Close ends all connections and waits for them.
func (s *Server) Close() {
	s.ending.Do(func() { close(s.gone) })
	_ = s.http.Close()
	s.Drop()
	s.parts.Wait()
	for {
		s.mu.Lock()
		active, changed := s.active, s.changed
		s.mu.Unlock()
		if active == 0 {
			return
		}
		<-changed
	}
}

// ServeHTTP answers one request, or listens as long as a socket lives.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.s.count(1)
	defer h.s.count(-1)
	h.s.answer(w, r)
}

// A handler is the HTTP side of a server.
type handler struct{ s *Server }

func (s *Server) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active += n
	s.change()
}

// change wakes everyone who waits. The caller holds mu.
func (s *Server) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// await waits until done says so under mu, and fails the test when it takes too long.
func (s *Server) await(what string, done func() bool) {
	s.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		s.mu.Lock()
		ok, changed := done(), s.changed
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			s.t.Fatalf("waited %s for %s", patience, what)
		}
	}
}
