package ola

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// session is one socket. It has no goroutine of its own but the one that reads: those that write, or do a command, live for as long as
// there is something to do, so that an agent who only waits costs little.
type session struct {
	api    *API
	conn   *websocket.Conn
	remote netip.Addr
	id     string // of the request that opened it
	log    *slog.Logger
	ctx    context.Context // ends with the socket; manager actions under it carry the id of the request
	cancel context.CancelFunc
	ping   *time.Timer

	keys  []routeKey   // guarded by Sockets.mu
	login pbx.Identity // who has logged in, guarded by Sockets.mu

	who who // of the goroutine that does commands alone

	mu       sync.Mutex // guards all below
	unsent   [][]byte
	frames   int // that are not written yet, those that are being written included
	bytes    int // of them
	waiting  int // bytes of commands
	writing  bool
	commands [][]byte
	working  bool
	known    bool // somebody has logged in
	gone     bool
}

// who is the one who has logged in on a socket.
type who struct {
	exten pbx.Exten // an agent, who steers and watches himself alone
	user  bool      // or a user, who may steer and watch all
	name  string    // of the user
}

// socket is GET /ola_socket. The request ends with the handshake: what it holds, and the stack on which it was served, would cost more
// than the socket.
func (a *API) socket(c echo.Context) error {
	if !websocketAsked(c.Request()) {
		c.Response().Header().Set(echo.HeaderUpgrade, "websocket")
		return &httpd.Error{Status: http.StatusUpgradeRequired, Message: "a WebSocket is expected"}
	}
	id := httpd.RequestID(c.Request().Context())
	s := &session{api: a, remote: httpd.Remote(c.Request()), id: id, log: a.log.With("request_id", id)}
	s.ctx, s.cancel = context.WithCancel(pbx.WithTrace(a.sockets.base, id))
	if err := a.sockets.enter(s); err != nil {
		s.cancel()
		return err
	}
	conn, err := websocket.Accept(c.Response(), c.Request(), &websocket.AcceptOptions{
		InsecureSkipVerify: true, // a page of any origin may ask: it has nothing but what its user types in
	})
	if err != nil {
		s.cancel()
		a.sockets.leave(s)
		return nil //nolint:nilerr // it has been answered
	}
	conn.SetReadLimit(maxLogin)
	s.mu.Lock()
	s.conn = conn
	over := s.gone
	s.mu.Unlock()
	if over {
		s.cancel()
		a.sockets.leave(s)
		return conn.CloseNow()
	}
	go s.serve()
	return nil
}

func websocketAsked(r *http.Request) bool {
	return hasToken(r.Header[echo.HeaderConnection], "upgrade") && hasToken(r.Header[echo.HeaderUpgrade], "websocket")
}

// hasToken reports whether a header that is a list with commas holds a word.
func hasToken(values []string, word string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), word) {
				return true
			}
		}
	}
	return false
}

// serve reads commands until the socket ends.
func (s *session) serve() {
	s.ping = time.AfterFunc(s.api.sockets.limit.ping, s.probe)
	doom := time.AfterFunc(s.api.sockets.limit.login, s.expire)
	defer func() {
		s.ping.Stop()
		doom.Stop()
		s.mu.Lock()
		s.end()
		s.mu.Unlock()
		_ = s.conn.CloseNow()
		s.api.sockets.leave(s)
	}()
	for {
		kind, text, err := s.conn.Read(s.ctx)
		if err != nil {
			s.ended(err)
			return
		}
		if kind != websocket.MessageText {
			text = nil // answered as what is no JSON
		}
		s.take(text)
	}
}

// ended logs why a socket ended, where that is worth a word.
func (s *session) ended(err error) {
	switch websocket.CloseStatus(err) {
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
		return
	}
	if s.ctx.Err() == nil {
		s.log.Debug("socket ended", "remote", s.remote.String(), "error", err)
	}
}

// run starts something that ends with the socket.
func (s *session) run(do func()) {
	s.api.sockets.done.Add(1) // one is held by the socket itself until it has been left
	go func() {
		defer s.api.sockets.done.Done()
		do()
	}()
}

// probe asks whether the client is still there.
func (s *session) probe() {
	ctx, cancel := context.WithTimeout(s.ctx, s.api.sockets.limit.pong)
	defer cancel()
	if err := s.conn.Ping(ctx); err != nil {
		s.cancel()
		_ = s.conn.CloseNow()
		return
	}
	s.ping.Reset(s.api.sockets.limit.ping)
}

// expire ends a socket on which nobody has logged in.
func (s *session) expire() {
	s.mu.Lock()
	known := s.known
	s.mu.Unlock()
	if !known {
		s.goAway(websocket.StatusPolicyViolation, "nobody has logged in")
	}
}

// take has a command done when those before it are.
func (s *session) take(text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := maxWaiting
	if !s.known {
		most = maxLogin
	}
	if len(s.commands) >= maxCommands || len(s.commands) > 0 && s.waiting+len(text) > most {
		f, _ := parseFrame(text)
		s.put(f.answer("", &httpd.Error{Status: http.StatusTooManyRequests, Message: "too many commands at once"}))
		return
	}
	s.commands = append(s.commands, text)
	s.waiting += len(text)
	if !s.working {
		s.working = true
		s.run(s.work)
	}
}

// work does the commands that wait.
func (s *session) work() {
	for {
		s.mu.Lock()
		if len(s.commands) == 0 || s.gone {
			s.working, s.commands = false, nil
			s.mu.Unlock()
			return
		}
		text := s.commands[0]
		s.commands = s.commands[1:]
		s.waiting -= len(text)
		s.mu.Unlock()
		s.do(text)
	}
}

// do does one command and answers it.
func (s *session) do(text []byte) {
	ctx, cancel := context.WithTimeout(s.ctx, commandLimit)
	defer cancel()
	f, err := parseFrame(text)
	if err != nil {
		s.send(f.answer("", err))
		return
	}
	began := time.Now()
	result, after, err := s.perform(ctx, &f)
	s.account(&f, began, err)
	if err == nil && result == "" {
		result = textOK
	}
	s.send(f.answer(result, err))
	if err == nil && after != nil {
		after()
	}
}

// looks are the commands that change nothing.
var looks = []string{"ping", "subscribe", "unsubscribe", "get_agent_state"}

// account has a command noted, and an attempt to log in.
func (s *session) account(f *frame, at time.Time, err error) {
	if commands[f.Cmd] == nil && f.Cmd != "auth" || slices.Contains(looks, f.Cmd) || s.who == (who{}) && f.Cmd != "auth" {
		return
	}
	given := map[string]string{}
	for name, raw := range f.args {
		given[name], _ = scalar(raw) // of what is no scalar nothing is noted but its name
	}
	if f.Cmd == "auth" && given["username"] == "" && err != nil {
		return // a client that logs in later
	}
	if name := given["username"]; f.Cmd == "auth" && err != nil && !s.api.users.Knows(s.ctx, s.api.sw, name) {
		given["username"] = httpd.UnknownName
	}
	s.api.note(httpd.Note{
		At: at, Who: cmp.Or(string(s.who.exten), s.who.name), Remote: s.remote, Action: "socket " + f.Cmd, Params: httpd.Redact(given),
		Status: statusOf(err), RequestID: s.id,
	})
}

// send has a frame written when those before it are. A client that has too many waiting is cut off.
func (s *session) send(text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(text)
}

// put does what send promises. The caller holds mu.
func (s *session) put(text []byte) {
	if s.gone || s.conn == nil {
		return
	}
	limit := &s.api.sockets.limit
	most := limit.bytes
	if !s.known {
		most = limit.early
	}
	if s.frames >= limit.unsent || s.bytes+len(text) > most {
		s.log.Warn("socket fell behind and is cut off", "remote", s.remote.String(), "frames", s.frames, "bytes", s.bytes)
		s.end()
		return
	}
	s.unsent = append(s.unsent, text)
	s.frames++
	s.bytes += len(text)
	if !s.writing {
		s.writing = true
		s.run(s.drain)
	}
}

// drain writes the frames that wait.
func (s *session) drain() {
	for {
		s.mu.Lock()
		batch := s.unsent
		s.unsent = nil
		if len(batch) == 0 || s.gone {
			s.writing = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		for _, text := range batch {
			ctx, cancel := context.WithTimeout(s.ctx, s.api.sockets.limit.write)
			err := s.conn.Write(ctx, websocket.MessageText, text)
			cancel()
			s.mu.Lock()
			s.frames--
			s.bytes -= len(text)
			s.mu.Unlock()
			if err != nil {
				if errors.Is(err, context.DeadlineExceeded) {
					s.log.Warn("socket takes nothing and is cut off", "remote", s.remote.String())
				}
				s.mu.Lock()
				s.end()
				s.mu.Unlock()
			}
		}
	}
}

// end lets go of a socket without a word. The caller holds mu.
func (s *session) end() {
	s.gone, s.unsent = true, nil
	s.cancel()
}

// goAway closes a socket and says why.
func (s *session) goAway(status websocket.StatusCode, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return
	}
	s.gone = true
	if s.conn != nil {
		s.run(func() {
			_ = s.conn.Close(status, reason)
			s.cancel()
		})
	}
}
