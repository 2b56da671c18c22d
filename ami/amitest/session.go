package amitest

import (
	"errors"
	"net"
	"strings"
	"sync"

	"github.com/dialbridge/dialbridge/ami"
)

// A Session is one connection of a client.
type Session struct {
	server   *Server
	conn     net.Conn
	loggedIn bool // guarded by the server's mu

	mu      sync.Mutex
	out     []byte
	closing bool // close when out is written
	frozen  bool
	stalled bool
	split   int
	changed chan struct{} // capacity 1
	gone    chan struct{} // closed by Close
	resume  chan struct{} // closed when a stall ends
}

func newSession(s *Server, conn net.Conn) *Session {
	session := &Session{
		server: s, conn: conn, split: s.o.Split,
		changed: make(chan struct{}, 1), gone: make(chan struct{}), resume: make(chan struct{}),
	}
	greeting := s.o.Greeting
	if greeting == "" {
		greeting = "Asterisk Call Manager/" + s.o.Version + "\r\n"
	}
	session.out = []byte(greeting)
	signal(session.changed)
	return session
}

// Server returns the server of the session.
func (s *Session) Server() *Server { return s.server }

// Send queues bytes for the client as they are.
func (s *Session) Send(raw string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = append(s.out, raw...)
	signal(s.changed)
}

// Message queues a message with its empty line.
func (s *Session) Message(m ami.Message) { s.Send(m.String() + "\r\n") }

// Respond queues the answer to an action: "Success", "Error" ..., the ActionID of a, and pairs of header name and value.
func (s *Session) Respond(a ami.Action, response string, nameValue ...string) {
	fields := []ami.Field{{Name: "Response", Value: response}}
	if id := a.Get("ActionID"); id != "" {
		fields = append(fields, ami.Field{Name: "ActionID", Value: id})
	}
	s.Message(ami.NewMessage(append(fields, ami.NewAction("", nameValue...).Fields...)...))
}

// Event queues an event with pairs of header name and value.
func (s *Session) Event(name string, nameValue ...string) { s.Message(NewEvent(name, nameValue...)) }

// List queues a whole list as the answer to a: its response, the items with the ActionID put into them, and the event
// called complete.
func (s *Session) List(a ami.Action, message string, items []ami.Message, complete string) {
	s.Respond(a, "Success", "EventList", "start", "Message", message)
	for _, item := range items {
		s.Message(WithActionID(item, a.Get("ActionID")))
	}
	s.Complete(a, complete, len(items))
}

// Complete queues the end of a list of n items.
func (s *Session) Complete(a ami.Action, event string, n int) {
	s.Event(event, "ActionID", a.Get("ActionID"), "EventList", "Complete", "ListItems", itoa(n))
}

// Close ends the connection at once.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.gone:
	default:
		close(s.gone)
	}
	_ = s.conn.Close()
	signal(s.changed)
}

// Hangup ends the connection when all that is queued was written.
func (s *Session) Hangup() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	signal(s.changed)
}

// write sends what is queued until the session ends.
func (s *Session) write() {
	for {
		select {
		case <-s.gone:
			return
		case <-s.changed:
		}
		for {
			out, last := s.next()
			if len(out) == 0 {
				if last {
					s.Close()
				}
				break
			}
			if _, err := s.conn.Write(out); err != nil {
				s.Close()
				return
			}
		}
	}
}

// next takes what one write sends, and says whether the session ends when nothing is left.
func (s *Session) next() (out []byte, closing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frozen {
		return nil, false
	}
	n := len(s.out)
	if s.split > 0 {
		n = min(n, s.split)
	}
	out, s.out = s.out[:n:n], s.out[n:]
	return out, s.closing
}

// read takes actions until the session ends.
func (s *Session) read() {
	defer s.server.left(s)
	defer s.Close()
	r := ami.NewReader(stallable{s})
	for {
		m, err := r.Next()
		var long *ami.SizeError
		if errors.As(err, &long) {
			continue
		}
		if err != nil {
			return
		}
		s.act(ami.ParseAction(m))
	}
}

// act records and answers one action.
func (s *Session) act(a ami.Action) {
	s.server.record(a)
	s.mu.Lock()
	frozen := s.frozen
	s.mu.Unlock()
	if frozen {
		return
	}
	entering := strings.EqualFold(a.Name, "Login") || strings.EqualFold(a.Name, "Challenge") || strings.EqualFold(a.Name, "Logoff")
	switch h := s.server.handler(a.Name); {
	case s.server.isShutting():
		s.Respond(a, "Error", "Message", "Asterisk is shutting down")
	case !entering && !s.server.isLoggedIn(s):
		s.Respond(a, "Error", "Message", "Permission denied")
	case h == nil:
		s.Respond(a, "Error", "Message",
			"Invalid/unknown command: "+a.Name+". Use Action: ListCommands to show available commands.")
	default:
		h(s, a)
	}
}

// stallable reads from the connection unless the session is stalled.
type stallable struct{ s *Session }

func (r stallable) Read(p []byte) (int, error) {
	r.s.mu.Lock()
	stalled, resume := r.s.stalled, r.s.resume
	r.s.mu.Unlock()
	if stalled {
		select {
		case <-resume:
		case <-r.s.gone:
		}
	}
	return r.s.conn.Read(p)
}

// signal wakes who waits on a channel of capacity 1.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
