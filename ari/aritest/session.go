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
	ws  *websocket.Conn
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
func (s *Server) socket(w http.ResponseWriter, h *http.Request) {
	s.judge(Request{Method: h.Method, Path: "/events", Query: h.URL.Query(), parts: []string{"events"}}, "", "")
	app := h.URL.Query().Get("app")
	if app == "" {
		reply(w, Refuse(http.StatusBadRequest, "HTTP request is missing param: [app]"))
		return
	}
	ws, err := websocket.Accept(w, h, nil)
	if err != nil {
		return
	}
	n := &session{ws: ws, app: app, changed: make(chan struct{}, 1), done: make(chan struct{})}
	s.mu.Lock()
	if before := s.holders[app]; before != nil {
		before.send(frame{kind: websocket.MessageText, text: event("ApplicationReplaced", app)})
	}
	s.sessions[n], s.holders[app] = struct{}{}, n
	s.sockets++
	s.change()
	s.mu.Unlock()
	defer s.left(n)
	var writing sync.WaitGroup
	writing.Go(n.write)
	defer writing.Wait()
	defer close(n.done)
	for {
		if _, _, err := ws.Read(context.Background()); err != nil {
			return
		}
	}
}

// left forgets a session.
func (s *Server) left(n *session) {
	_ = n.ws.CloseNow()
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
func (n *session) write() {
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
				_ = n.ws.Close(f.end, "")
			} else if n.ws.Write(context.Background(), f.kind, []byte(f.text)) != nil {
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
