package aritest

import (
	"net"
	"sync/atomic"
)

// pipes listens for Dial.
type pipes struct{ s *Server }

// Accept returns the server's end of the next pipe.
func (p pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.s.pipes:
		return conn, nil
	case <-p.s.gone:
		return nil, net.ErrClosed
	}
}

// Close does nothing: the server's own Close ends it.
func (p pipes) Close() error { return nil }

// Addr is the address of a pipe.
func (p pipes) Addr() net.Addr {
	near, far := net.Pipe()
	_, _ = near.Close(), far.Close()
	return near.LocalAddr()
}

// faulty is a listener whose connections can fail.
type faulty struct {
	net.Listener
	s *Server
}

// Accept returns the next connection that is not refused.
func (f faulty) Accept() (net.Conn, error) {
	for {
		below, err := f.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := f.s.accept(below); c != nil {
			return c, nil
		}
	}
}

// accept takes a connection in, or refuses it.
func (s *Server) accept(below net.Conn) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials++
	s.change()
	if s.refusing {
		_ = below.Close()
		return nil
	}
	c := &conn{Conn: below, s: s}
	s.conns[c] = struct{}{}
	return c
}

// A conn is the server's end of a connection.
type conn struct {
	net.Conn
	s      *Server
	frozen atomic.Bool
}

// Write pretends to send when the connection is frozen: the network has lost it.
func (c *conn) Write(p []byte) (int, error) {
	if c.frozen.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// Close closes the connection.
func (c *conn) Close() error {
	c.s.mu.Lock()
	delete(c.s.conns, c)
	c.s.change()
	c.s.mu.Unlock()
	return c.Conn.Close()
}
