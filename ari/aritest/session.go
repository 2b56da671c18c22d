package aritest

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/coder/websocket"
)

// A session is one client that listens for events.
type session struct {
	app string

	mu      sync.Mutex
	out     []frame
	changed chan struct{} // capacity 1
	done    chan struct{}
}

// A frame is one message, or the end.
type frame struct {
	kind websocket.MessageType
	text string
	end  websocket.StatusCode // 0 is a message
}

// socket takes a client in as an application, until it goes.
func (s *Server) socket(w http.ResponseWriter, r Request, h *http.Request) {
	s.record(r)
	s.mu.Lock()
	refusal := s.refusal
	s.mu.Unlock()
	app := r.Query.Get("app")
	switch {
	case refusal != nil:
		reply(w, *refusal)
		return
	case app == "":
		reply(w, Refuse(http.StatusBadRequest, "HTTP request is missing param: [app]"))
		return
	}
	n := &session{app: app, changed: make(chan struct{}, 1), done: make(chan struct{})}
	s.take(n) // before the client knows, so that no event is missed that a test sends when it does
	defer s.left(n)
	ws, err := websocket.Accept(w, h, nil)
	if err != nil {
		return
	}
	defer func() { _ = ws.CloseNow() }()
	var writing sync.WaitGroup
	writing.Go(func() { n.write(ws) })
	defer writing.Wait()
	defer close(n.done)
	for {
		if _, _, err := ws.Read(context.Background()); err != nil {
			return
		}
	}
}

// take gives a session its application.
func (s *Server) take(n *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.holders[n.app]; before != nil {
		before.send(frame{kind: websocket.MessageText, text: event("ApplicationReplaced", n.app)})
	}
	s.sessions[n], s.holders[n.app] = struct{}{}, n
	s.sockets++
	s.change()
}

// left forgets a session.
func (s *Server) left(n *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, n)
	if s.holders[n.app] == n {
		delete(s.holders, n.app)
	}
	s.change()
}

// send queues a frame.
func (n *session) send(f frame) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.out = append(n.out, f)
	select {
	case n.changed <- struct{}{}:
	default:
	}
}

// write sends what is queued until the session ends.
func (n *session) write(ws *websocket.Conn) {
	for {
		select {
		case <-n.done:
			return
		case <-n.changed:
		}
		n.mu.Lock()
		out := n.out
		n.out = nil
		n.mu.Unlock()
		for _, f := range out {
			if f.end != 0 {
				_ = ws.Close(f.end, "")
			} else if ws.Write(context.Background(), f.kind, []byte(f.text)) != nil {
				break
			}
		}
	}
}

// event makes an event of its type, the application, and further members.
func event(kind, app string, members ...string) string {
	all := append([]string{`"type":"` + kind + `"`, `"timestamp":"2026-11-21T18:43:42.446+0000"`}, members...)
	all = append(all, `"asterisk_id":"02:fc:00:00:00:01"`, `"application":"`+app+`"`)
	return "{" + strings.Join(all, ",") + "}"
}
