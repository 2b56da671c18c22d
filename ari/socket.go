package ari

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// A socket is one connection for events.
type socket struct {
	conn  *websocket.Conn
	wire  *wire // below conn
	born  time.Time
	done  chan struct{}  // closed by fail
	parts sync.WaitGroup // its goroutines

	closing sync.Once
	mu      sync.Mutex
	err     error // why it ended
}

// A wire is the network below a socket, which remembers when it was heard last.
type wire struct {
	net.Conn
	born  time.Time
	heard atomic.Int64 // when the last byte came, nanoseconds since born
	bytes *atomic.Uint64
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.heard.Store(int64(time.Since(w.born)))
		w.bytes.Add(uint64(n))
	}
	return n, err
}

// open connects and makes the handshake. Errors are those of a request.
func (c *Client) open(ctx context.Context, target string) (*socket, error) {
	ctx, cancel := context.WithTimeout(ctx, max(dialTimeout, c.o.DeadAfter))
	defer cancel()
	var w *wire
	transport := c.transport(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := c.o.Dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		w = &wire{Conn: conn, born: time.Now(), bytes: &c.stats.bytes}
		return w, nil
	})
	transport.DisableKeepAlives = true
	header := http.Header{}
	request := http.Request{Header: header}
	request.SetBasicAuth(c.o.Username, c.o.Password)
	conn, response, err := websocket.Dial(ctx, target, &websocket.DialOptions{ //nolint:bodyclose // Dial closes it
		HTTPClient: &http.Client{Transport: transport, CheckRedirect: noRedirect},
		HTTPHeader: header,
	})
	transport.CloseIdleConnections()
	if err != nil {
		return nil, refused(response, err)
	}
	conn.SetReadLimit(maxSkip)
	return &socket{conn: conn, wire: w, born: w.born, done: make(chan struct{})}, nil
}

// refused says why there is no connection.
func refused(response *http.Response, err error) error {
	const op = "GET /events"
	if response == nil {
		return &Error{Op: op, Err: ErrUnreachable, Cause: bare(err)}
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		return &Error{Op: op, Status: response.StatusCode, Err: ErrForeign}
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return &Error{Op: op, Status: response.StatusCode, Err: ErrUnreachable, Cause: bare(err)}
	}
	return refusal(op, response.StatusCode, body)
}

// heard returns when the last byte came, since the socket was born.
func (s *socket) heard() time.Duration { return time.Duration(s.wire.heard.Load()) }

// ping sends a ping; that its answer comes is seen by the bytes that come.
func (s *socket) ping() {
	s.parts.Go(func() { _ = s.conn.Ping(context.Background()) })
}

// settle keeps the reason for the end; only the first counts.
func (s *socket) settle(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// fail ends the socket.
func (s *socket) fail(err error) {
	s.settle(err)
	s.closing.Do(func() {
		close(s.done)
		_ = s.wire.Close() // conn waits for readers and writers, who wait for the wire
		_ = s.conn.CloseNow()
	})
}

// bye tells Asterisk that we go, and gives it a second to say so too: it then forgets the application at once.
func (s *socket) bye() {
	limit := time.AfterFunc(goodbye, func() { _ = s.wire.Close() })
	defer limit.Stop()
	_ = s.conn.Close(websocket.StatusNormalClosure, "")
}

// reason returns why the socket has ended.
func (s *socket) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// ending is why reading has ended, without what changes from one time to the next: a reason that is the same must read
// the same.
func ending(err error) error {
	if code := websocket.CloseStatus(err); code != -1 {
		return fmt.Errorf("ari: asterisk has closed the socket with code %d", int(code))
	}
	var op *net.OpError
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		return fmt.Errorf("%w: a message of more than %d bytes", ErrTooLong, maxSkip)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
		return errLost
	case errors.As(err, &op):
		return fmt.Errorf("ari: read: %w", op.Err)
	}
	return fmt.Errorf("ari: read: %w", err)
}

// errLost is the end of a connection without a word.
var errLost = errors.New("ari: connection lost")
