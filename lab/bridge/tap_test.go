package bridge_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
)

// tap stands between the daemon and Asterisk's manager port and keeps all that the daemon sends.
type tap struct {
	listener net.Listener
	target   string
	done     sync.WaitGroup

	mu    sync.Mutex
	sent  bytes.Buffer
	conns []net.Conn
	deaf  *atomic.Bool // set for the connections of today: nothing comes through, and nothing ends
	heard ear          // what Asterisk tells
	apart bool         // nobody is let through
}

func newTap(t *testing.T, ip, target string) *tap {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{listener: l, target: target}
	p.done.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close() // what it reports is that it is closed
		p.cut()
		p.done.Wait()
	})
	return p
}

func (p *tap) accept() {
	for {
		daemon, err := p.listener.Accept()
		if err != nil {
			return
		}
		var d net.Dialer
		asterisk, err := d.DialContext(context.Background(), "tcp", p.target) // closed by the test's end
		if err != nil {
			_ = daemon.Close()
			continue
		}
		p.mu.Lock()
		if p.apart {
			_, _ = daemon.Close(), asterisk.Close()
			p.mu.Unlock()
			continue
		}
		p.conns = append(p.conns, daemon) // what it has sent goes on to Asterisk before that one is closed too
		if p.deaf == nil {
			p.deaf = new(atomic.Bool)
		}
		deaf := p.deaf
		p.mu.Unlock()
		pipe := func(to, from net.Conn, copied io.Writer) {
			_, _ = io.Copy(hearing{to, deaf}, io.TeeReader(from, copied)) // either end may close at any time
			_, _ = to.Close(), from.Close()
		}
		p.done.Go(func() { pipe(asterisk, daemon, p) })
		p.done.Go(func() { pipe(daemon, asterisk, &p.heard) })
	}
}

// ear counts what it is given, and keeps it where there is somewhere to keep it.
type ear struct {
	bytes atomic.Int64
	kept  io.Writer
}

// Write implements io.Writer.
func (e *ear) Write(b []byte) (int, error) {
	e.bytes.Add(int64(len(b)))
	if e.kept == nil {
		return len(b), nil
	}
	return e.kept.Write(b)
}

// hearing writes to a connection unless it has gone deaf.
type hearing struct {
	io.Writer
	deaf *atomic.Bool
}

// Write implements io.Writer.
func (h hearing) Write(b []byte) (int, error) {
	if h.deaf.Load() {
		return len(b), nil
	}
	return h.Writer.Write(b)
}

// goDeaf makes the connections half open: both ends think that the other one is there, and hear nothing more.
func (p *tap) goDeaf() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deaf != nil {
		p.deaf.Store(true)
	}
	p.deaf = nil
}

// cut closes all connections of the daemon, which must log in again.
func (p *tap) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// part closes all connections and lets nobody through until join.
func (p *tap) part() {
	p.mu.Lock()
	p.apart = true
	p.mu.Unlock()
	p.cut()
}

func (p *tap) join() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.apart = false
}

// Write implements io.Writer: it keeps what the daemon sends.
func (p *tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent.Write(b)
}

// actions returns all actions so far, as they were sent.
func (p *tap) actions() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := p.sent.String()
	return strings.Split(strings.TrimSuffix(text, "\r\n\r\n"), "\r\n\r\n")
}

// plain is the program without the race detector, built once.
var plain = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(filepath.Dir(binary), "plain") // removed with it
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	return bridge.Build(context.Background(), dir, false)
})

// tapped is setUp with a tap, and with a plain daemon whose memory can be measured.
func tapped(t *testing.T, o bridge.Options) (*bench, *tap) {
	t.Helper()
	b := &bench{T: t, ctx: t.Context(), lab: lab.ForTest(t, "22", lab.Options{})}
	p := newTap(t, b.lab.IP, b.lab.AMIAddress)
	direct := b.lab.AMIAddress
	b.lab.AMIAddress = p.listener.Addr().String()
	defer func() { b.lab.AMIAddress = direct }()
	o.Dir = t.TempDir()
	var err error
	if o.Binary, err = plain(); err != nil {
		t.Fatal(err)
	}
	if b.d, err = bridge.Start(b.within(startTime), b.lab, o); err != nil {
		t.Fatal(err)
	}
	b.opts = o
	t.Cleanup(func() {
		if err := b.d.Stop(); err != nil {
			t.Errorf("the daemon ended with: %v", err)
		}
		if t.Failed() {
			log := b.d.Log()
			t.Logf("the end of the daemon's log:\n%s", log[max(0, len(log)-20_000):])
		}
	})
	return b, p
}

// severable is setUp with a tap.
func severable(t *testing.T, version string, o bridge.Options) (b *bench, p *tap) {
	t.Helper()
	b = setUpAt(t, version, lab.Options{}, o, func(l *lab.Lab) string {
		p = newTap(t, l.IP, l.AMIAddress)
		return p.listener.Addr().String()
	})
	return b, p
}
