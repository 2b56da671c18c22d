package amitest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// patience is how long a wait may take before the test fails.
const patience = 10 * time.Second

// Options are what a Server is asked for; the zero value is a healthy Asterisk 22.
type Options struct {
	Username string // default "bridge"
	Secret   string // default "secret"
	Version  string // AMI version of the banner, default "11.0.0"
	Greeting string // a whole other greeting instead of the banner, with its line end

	NoMD5    bool // the challenge is refused, only a plain login passes
	Booting  bool // FullyBooted is not sent after the login; see Server.Boot
	NoEvents bool // neither FullyBooted nor SuccessfulAuth follow a login
	Split    int  // bytes of one write, 0 is as much as there is

	TLS *tls.Config // of the listener, nil is plain TCP
}

// A Handler answers an action. It runs on the session's own goroutine, one action at a time, in their order.
type Handler func(s *Session, a ami.Action)

// A Server is the fake. All methods may be called from any goroutine, but those that can fail the test only from the
// test's own.
type Server struct {
	t        testing.TB
	o        Options
	listener net.Listener
	parts    sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	sessions map[*Session]struct{}
	handlers map[string]Handler
	received []ami.Action
	waited   map[string]int // actions of a name that Wait has returned
	logins   int
	dials    int
	shutting bool
	refusing bool
	changed  chan struct{} // closed and made anew when any of the above has changed
}

// New makes a Server that is reached by Dial only. It is closed at the end of the test.
func New(t testing.TB, options ...Options) *Server {
	t.Helper()
	var o Options
	if len(options) > 0 {
		o = options[0]
	}
	if o.Username == "" {
		o.Username = "bridge"
	}
	if o.Secret == "" {
		o.Secret = "secret"
	}
	if o.Version == "" {
		o.Version = "11.0.0"
	}
	s := &Server{
		t: t, o: o,
		sessions: map[*Session]struct{}{},
		handlers: map[string]Handler{},
		waited:   map[string]int{},
		changed:  make(chan struct{}),
	}
	s.handleDefaults()
	t.Cleanup(s.Close)
	return s
}

// Start makes a Server that listens on a free port of 127.0.0.1.
func Start(t testing.TB, options ...Options) *Server {
	t.Helper()
	s := New(t, options...)
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	if s.o.TLS != nil {
		listener = tls.NewListener(listener, s.o.TLS)
	}
	s.listener = listener
	s.parts.Go(func() { s.accept(listener) })
	return s
}

// Address returns host and port of a started server, and a name without one for others.
func (s *Server) Address() string {
	if s.listener == nil {
		return "asterisk.test:5038"
	}
	return s.listener.Addr().String()
}

// Options returns what a client needs to reach and enter this server.
func (s *Server) Options() ami.Options {
	o := ami.Options{Address: s.Address(), Username: s.o.Username, Secret: s.o.Secret}
	if s.listener == nil {
		o.Dial = s.Dial
	}
	return o
}

// errRefused is what a client sees of a server that refuses connections.
var errRefused = errors.New("connection refused")

// Dial connects to the server over net.Pipe; it fits ami.Options.Dial.
func (s *Server) Dial(_ context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	if !s.serve(far) {
		_ = near.Close()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errRefused}
	}
	return near, nil
}

// accept serves what connects to the listener.
func (s *Server) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		s.serve(conn)
	}
}

// serve begins a session on conn, unless the server is closed or refuses.
func (s *Server) serve(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials++
	s.change()
	if s.closed || s.refusing {
		_ = conn.Close()
		return false
	}
	session := newSession(s, conn)
	s.sessions[session] = struct{}{}
	s.parts.Go(session.read)
	s.parts.Go(session.write)
	return true
}

// Close ends all sessions and waits for them.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	if s.listener != nil {
		_ = s.listener.Close()
	}
	s.Drop()
	s.parts.Wait()
}

// Handle sets the answer to the action called name in any case; nil takes a handler away, and the action is unknown.
func (s *Server) Handle(name string, h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers[strings.ToLower(name)] = h
}

// HandlerOf returns the handler of an action, nil for none, to be put back after a while.
func (s *Server) HandlerOf(name string) Handler { return s.handler(name) }

// Silent makes the server never answer the action called name.
func (s *Server) Silent(name string) { s.Handle(name, func(*Session, ami.Action) {}) }

// handler returns the answer to an action, nil if the server does not know it.
func (s *Server) handler(name string) Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handlers[strings.ToLower(name)]
}

// all returns the sessions of now; with loggedIn only those that hear events.
func (s *Server) all(loggedIn bool) []*Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*Session
	for session := range s.sessions {
		if !loggedIn || session.loggedIn {
			all = append(all, session)
		}
	}
	return all
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
