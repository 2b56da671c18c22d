package aritest

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// Event sends an event of its type, with further members of its JSON object such as `"digit":"5"`, to every client. As in
// Asterisk, one whose application was taken over hears nothing.
func (s *Server) Event(kind string, members ...string) {
	for _, n := range s.holding() {
		n.send(frame{kind: websocket.MessageText, text: event(kind, n.app, members...)})
	}
}

// Send sends a text as one message to every client.
func (s *Server) Send(text string) { s.each(frame{kind: websocket.MessageText, text: text}) }

// SendBinary sends bytes as one binary message to every client.
func (s *Server) SendBinary(data []byte) {
	s.each(frame{kind: websocket.MessageBinary, text: string(data)})
}

// Hangup closes every client's socket with a code, after all that is queued.
func (s *Server) Hangup(code int) { s.each(frame{end: websocket.StatusCode(code)}) }

// Replace tells every client that another program has taken its application, as Asterisk does; it hears no more Events.
func (s *Server) Replace() {
	s.Event("ApplicationReplaced")
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.holders)
}

// Play sends the lines of a transcript as messages to every client.
func (s *Server) Play(path string) {
	s.t.Helper()
	for _, line := range Transcript(s.t, path) {
		s.Send(line)
	}
}

// Transcript reads the messages of a recorded socket, one a line.
func Transcript(t testing.TB, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("transcript: %v", err)
	}
	return slices.DeleteFunc(strings.Split(string(data), "\n"), func(line string) bool { return line == "" })
}

// Answers makes the server answer as the transcript of requests at path does: lines of "> METHOD /path BODY", each followed
// by "< STATUS BODY". Of several answers to one method and path the last counts.
func (s *Server) Answers(path string) {
	s.t.Helper()
	asked := ""
	for _, line := range Transcript(s.t, path) {
		if rest, ok := strings.CutPrefix(line, "> "); ok {
			method, rest, _ := strings.Cut(rest, " ")
			target, _, _ := strings.Cut(rest, " ")
			target, _, _ = strings.Cut(target, "?")
			asked = method + " " + target
			continue
		}
		rest, ok := strings.CutPrefix(line, "< ")
		if !ok || asked == "" {
			continue
		}
		status, body, _ := strings.Cut(rest, " ")
		code, err := strconv.Atoi(status)
		if err != nil {
			s.t.Fatalf("transcript %s: %q", path, line)
		}
		s.Answer(asked, Answer{code, body})
		asked = ""
	}
}

// each sends a frame to every client.
func (s *Server) each(f frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.sessions {
		n.send(f)
	}
}

// holding returns the clients that have their application.
func (s *Server) holding() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*session
	for _, n := range s.holders {
		all = append(all, n)
	}
	return all
}

// Drop cuts every connection.
func (s *Server) Drop() {
	s.mu.Lock()
	var all []*conn
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
}

// Freeze makes every connection of now half-open: what comes is read, and what is sent is lost.
func (s *Server) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.frozen.Store(true)
	}
}

// ShutDown makes every request answered by 503. Restart ends it.
func (s *Server) ShutDown() { s.set(&s.shutting, true) }

// RefuseSockets makes the server answer every handshake of a socket like this.
func (s *Server) RefuseSockets(a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = &a
}

// Hush makes the server never answer a request or a handshake.
func (s *Server) Hush() { s.set(&s.hushed, true) }

// Refuse makes the server close every new connection at once, as when no Asterisk runs. Restart ends it.
func (s *Server) Refuse() { s.set(&s.refusing, true) }

// Refusing reports whether the server refuses connections.
func (s *Server) Refusing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusing
}

// Restart ends what ShutDown and Refuse began.
func (s *Server) Restart() {
	s.set(&s.shutting, false)
	s.set(&s.refusing, false)
}

// SetPassword changes the password that is asked for.
func (s *Server) SetPassword(password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.o.Password = password
}

func (s *Server) set(flag *bool, to bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*flag = to
	s.change()
}

// Received returns the requests of a route, with * for any part, that have come so far, in their order; "" is all of them.
func (s *Server) Received(name string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.named(name)
}

// named is Received under mu.
func (s *Server) named(name string) []Request {
	if name == "" {
		return slices.Clone(s.received)
	}
	var named []Request
	route := newRoute(name, nil)
	for _, r := range s.received {
		if route.fits(r) {
			named = append(named, r)
		}
	}
	return named
}

// Wait returns the next request of a route that Wait has not returned yet, and waits for it; the test fails when it does
// not come.
func (s *Server) Wait(name string) Request {
	s.t.Helper()
	var got Request
	s.await("the request "+name, func() bool {
		named := s.named(name)
		if len(named) <= s.waited[name] {
			return false
		}
		got = named[s.waited[name]]
		s.waited[name]++
		return true
	})
	return got
}

// WaitSockets waits until n sockets in all were accepted.
func (s *Server) WaitSockets(n int) {
	s.t.Helper()
	s.await(strconv.Itoa(n)+" sockets", func() bool { return s.sockets >= n })
}

// WaitDials waits until n connections in all were tried.
func (s *Server) WaitDials(n int) {
	s.t.Helper()
	s.await(strconv.Itoa(n)+" connections", func() bool { return s.dials >= n })
}

// WaitGone waits until no client listens.
func (s *Server) WaitGone() {
	s.t.Helper()
	s.await("the clients to go", func() bool { return len(s.sessions) == 0 })
}

// Sockets returns how many sockets were accepted.
func (s *Server) Sockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sockets
}

// Dials returns how many connections were tried, refused ones too.
func (s *Server) Dials() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials
}
