package webhook

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers every question with the address that is set, or that there is no such name.
type nameServer struct {
	conn    net.PacketConn
	address atomic.Pointer[netip.Addr]
}

func newNameServer(t *testing.T) *nameServer {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, ended := &nameServer{conn: conn}, make(chan struct{})
	go func() {
		defer close(ended)
		s.serve()
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-ended
	})
	return s
}

func (s *nameServer) serve() {
	packet := make([]byte, 4096)
	for {
		n, from, err := s.conn.ReadFrom(packet)
		if err != nil {
			return // closed
		}
		var m dnsmessage.Message
		if m.Unpack(packet[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		address := s.address.Load()
		m.Response, m.Authoritative, m.Additionals = true, true, nil
		switch q := m.Questions[0]; {
		case address == nil:
			m.RCode = dnsmessage.RCodeNameError
		case q.Type == dnsmessage.TypeA:
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
				Body:   &dnsmessage.AResource{A: address.As4()},
			}}
		}
		if answer, err := m.Pack(); err == nil {
			_, _ = s.conn.WriteTo(answer, from) // who asked may be gone
		}
	}
}

// point sets the answer, "" = there is no such name.
func (s *nameServer) point(address string) {
	if address == "" {
		s.address.Store(nil)
		return
	}
	a := netip.MustParseAddr(address)
	s.address.Store(&a)
}

func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
}

// The name of the receiver is gone, comes back, and moves to another machine while connections to the old one are kept.
func TestNameGoneAndMoved(t *testing.T) {
	names := newNameServer(t)
	usual := net.DefaultResolver
	net.DefaultResolver = names.resolver()
	t.Cleanup(func() { net.DefaultResolver = usual })
	one, two := newReceiver(nil), newReceiver(nil)
	first := serve(t, one)
	_, port, err := net.SplitHostPort(first.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.2:"+port)
	if err != nil {
		t.Fatal(err)
	}
	second := &httptest.Server{Listener: l, Config: &http.Server{Handler: two, ReadHeaderTimeout: time.Minute}}
	second.Start()
	t.Cleanup(second.Close)

	r := newRig(t, rigOptions{sender: SenderOptions{renew: 100 * time.Millisecond}})
	r.send(Target{URL: "http://crm.test:" + port + "/", RetryMax: 50 * time.Millisecond})
	r.put(event("a", 0))
	r.waitFor("failure", func() bool { return r.sender.Counters().Attempts["dns"] > 0 })
	if s := r.status(); s.Total.Pending != 1 || s.Total.Dead != 0 {
		t.Errorf("%+v", s.Total)
	}
	names.point("127.0.0.1")
	r.waitFor("delivery", func() bool { return r.status().Total.Delivered == 1 })
	names.point("127.0.0.2")
	n := 0
	r.waitFor("delivery to the new machine", func() bool {
		n++
		r.put(event("b", n))
		return len(two.delivered()) > 0
	})
	names.point("") // a kept connection is renewed and fails; then the name is back
	r.waitFor("failure", func() bool {
		n++
		r.put(event("b", n))
		return !r.sender.State().Up || r.status().Total.Pending > 5
	})
	names.point("127.0.0.2")
	r.waitFor("the rest", func() bool { return r.status().Total.Pending == 0 })
	if got := len(one.delivered()) + len(two.delivered()); got != n+1 {
		t.Errorf("%d delivered, want %d", got, n+1)
	}
}
