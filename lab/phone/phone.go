package phone

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Defaults of a Config.
const (
	defaultPort    = 5060
	defaultExpires = 2 * time.Minute
	defaultT1      = 500 * time.Millisecond
	timerT2        = 4 * time.Second // RFC 3261 17.1.2.2: the longest interval between two repeats
	farewell       = time.Second     // how long Close waits for the answers to its BYE and REGISTER
	arrivalsKept   = 1000            // incoming calls kept for Accept; older ones are forgotten
)

// userAgent is what the phone calls itself.
const userAgent = "dialbridge-lab-phone"

// allowed are the methods the phone understands.
const allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, NOTIFY, MESSAGE"

// Config says who the phone is and where it lives.
type Config struct {
	Server   string // registrar and proxy, "host:port" or "host" (port 5060); empty: full URIs only, no registration
	BindIP   string // address of the SIP and RTP sockets
	Port     int    // SIP port; 0 is any free one
	User     string // number; user part of From, To and Contact
	AuthUser string // for digest challenges; empty: User
	Password string // for digest challenges; empty: a challenge is an error
	Name     string // display name of the caller

	Expires time.Duration // asked for when registering, default 2 min; renewed at half of what was granted
	Tone    int           // Hz of the sine tone that is sent, rounded to a multiple of 50; 0 is silence
	Lines   int           // calls at once, more are refused with 486; 0 is unlimited
	T1      time.Duration // RFC 3261 17.1.1.1: first repeat after T1, given up after 64*T1; default 500 ms

	Logger *slog.Logger                                      // nil: nothing is logged
	Trace  func(sent bool, peer netip.AddrPort, text string) // sees every SIP message; called with the phone's lock held, must not call it
}

// Phone is one SIP telephone. Its methods are safe for concurrent use.
type Phone struct {
	cfg    Config
	server netip.AddrPort // zero when there is none
	addr   netip.AddrPort
	conn   *net.UDPConn
	log    *slog.Logger

	running sync.WaitGroup // reader, timers, media

	mu        sync.Mutex // all below, and the signalling state of all calls
	closed    bool
	leaving   bool // Close was called: no new calls
	changed   chan struct{}
	timers    map[*timer]struct{}
	clients   map[string]*clientTx
	servers   map[string]*serverTx
	calls     map[string]*Call // by Call-ID and local tag
	arrivals  []*Call
	behaviour Behaviour
	byNumber  map[string]Behaviour
	reg       registration
	subs      map[string]*referral // REFERs that wait for a NOTIFY, by call key
}

// New opens the phone's SIP socket and starts to listen; it answers calls and OPTIONS from then on and has not registered.
// The default Behaviour is Manual. Close must be called.
func New(ctx context.Context, cfg Config) (*Phone, error) {
	p := &Phone{
		cfg: withDefaults(cfg), log: cfg.Logger, changed: make(chan struct{}),
		timers: map[*timer]struct{}{}, clients: map[string]*clientTx{}, servers: map[string]*serverTx{},
		calls: map[string]*Call{}, byNumber: map[string]Behaviour{}, subs: map[string]*referral{},
		behaviour: Behaviour{Manual: true},
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Server != "" {
		server, err := parseHostPort(ctx, cfg.Server)
		if err != nil {
			return nil, fmt.Errorf("phone: server: %w", err)
		}
		p.server = server
	}
	ip, err := netip.ParseAddr(cfg.BindIP)
	if err != nil {
		return nil, fmt.Errorf("phone: bind address: %w", err)
	}
	p.conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(cfg.Port))))
	if err != nil {
		return nil, fmt.Errorf("phone: socket: %w", err)
	}
	p.addr = localAddr(p.conn)
	p.reg = registration{callID: newToken(20), tag: newToken(10)}
	p.running.Add(1)
	go p.read()
	return p, nil
}

func withDefaults(cfg Config) Config {
	if cfg.Expires == 0 {
		cfg.Expires = defaultExpires
	}
	if cfg.T1 == 0 {
		cfg.T1 = defaultT1
	}
	return cfg
}

// Addr is the address of the phone's SIP socket.
func (p *Phone) Addr() netip.AddrPort { return p.addr }

// URI is where the phone can be called directly, "sip:801@127.0.0.1:40000".
func (p *Phone) URI() string {
	uri := p.contact()
	return uri.String()
}

// Number is the user part of the phone's address, Config.User.
func (p *Phone) Number() string { return p.cfg.User }

// Calls returns the calls that have not ended, in no particular order.
func (p *Phone) Calls() []*Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live()
}

func (p *Phone) live() []*Call {
	var live []*Call
	for _, c := range p.calls {
		if c.info.State != Ended {
			live = append(live, c)
		}
	}
	return live
}

// Close hangs up the phone's calls, unregisters when it is registered (waiting at most a second for both), and closes the
// sockets. When it returns no goroutine of the phone is left.
func (p *Phone) Close() error {
	p.mu.Lock()
	if p.closed || p.leaving {
		p.mu.Unlock()
		p.running.Wait()
		return nil
	}
	p.leaving = true
	calls, registered := p.live(), p.reg.active
	p.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	var leaving sync.WaitGroup
	for _, c := range calls {
		leaving.Go(func() {
			if err := c.Hangup(ctx); err != nil {
				p.log.Debug("the call was not hung up in order", "call_id", c.ID(), "error", err)
			}
		})
	}
	if registered {
		leaving.Go(func() {
			if err := p.Unregister(ctx); err != nil {
				p.log.Debug("the phone was not unregistered in order", "user", p.cfg.User, "error", err)
			}
		})
	}
	leaving.Wait()
	return p.shut("closed")
}

// Vanish closes the sockets with no signalling, as a phone that loses its power: the other side keeps the calls and the
// registration until it finds out.
func (p *Phone) Vanish() error { return p.shut("vanished") }

func (p *Phone) shut(how string) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		p.running.Wait()
		return nil
	}
	for _, c := range p.live() {
		c.end(End{By: Local, Method: how})
	}
	p.closed = true
	p.reg.active = false
	for t := range p.timers {
		t.stop()
	}
	for _, tx := range p.clients {
		tx.abandon()
	}
	p.clients, p.servers, p.calls = nil, nil, nil
	p.broadcast()
	err := p.conn.Close()
	p.mu.Unlock()
	p.running.Wait()
	if err != nil {
		return fmt.Errorf("phone: %w", err)
	}
	return nil
}

// broadcast wakes everyone who waits for a change of the phone or of one of its calls.
func (p *Phone) broadcast() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// wait blocks until done says true, which is asked with the lock held after every change.
func (p *Phone) wait(ctx context.Context, what string, last func() string, done func() (bool, error)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		if p.closed {
			return fmt.Errorf("phone: waiting for %s: %w", what, ErrClosed)
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
			p.mu.Lock()
		case <-ctx.Done():
			p.mu.Lock()
			return &WaitError{For: what, Last: last(), Err: ctx.Err()}
		}
	}
}

func (p *Phone) contact() sip.Uri {
	return sip.Uri{Scheme: "sip", User: p.cfg.User, Host: p.addr.Addr().String(), Port: int(p.addr.Port())}
}

// domain is the host of the phone's own address in From and To.
func (p *Phone) domain() string {
	if p.server.IsValid() {
		return p.server.Addr().String()
	}
	return p.addr.Addr().String()
}

// targetURI makes a Request-URI of a number or a full URI.
func (p *Phone) targetURI(target string) (sip.Uri, error) {
	var uri sip.Uri
	switch {
	case strings.HasPrefix(target, "sip:"):
	case strings.Contains(target, "@"):
		target = "sip:" + target
	case !p.server.IsValid():
		return uri, fmt.Errorf("phone: target %q: a number needs a server", target)
	default:
		return sip.Uri{Scheme: "sip", User: target, Host: p.server.Addr().String(), Port: int(p.server.Port())}, nil
	}
	if err := sip.ParseUri(target, &uri); err != nil {
		return uri, fmt.Errorf("phone: target %q: %w", target, err)
	}
	return uri, nil
}

func parseHostPort(ctx context.Context, text string) (netip.AddrPort, error) {
	if addr, err := netip.ParseAddrPort(text); err == nil {
		return addr, nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = text, fmt.Sprint(defaultPort)
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "udp", port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), uint16(number)), nil
}

func localAddr(conn *net.UDPConn) netip.AddrPort {
	addr := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
}
