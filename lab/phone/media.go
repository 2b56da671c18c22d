package phone

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/rtp"
)

const (
	frameTime    = 20 * time.Millisecond
	frameSamples = 160 // of 20 ms at 8 kHz
	socketTries  = 50  // to find an even port
	maxPacket    = 2048
)

// settings are what the negotiation says about a stream.
type settings struct {
	remote       netip.AddrPort
	codec        uint8
	send         bool
	sendEvent    uint8
	hasEvent     bool
	receiveEvent uint8
}

// media is the RTP stream of a call: one socket, one goroutine that reads and, from start on, one that sends.
type media struct {
	conn *net.UDPConn
	port uint16
	done chan struct{} // closed when both goroutines have ended

	// Guarded by the phone's mutex.
	started, closed bool

	stop   chan struct{}
	sender sync.WaitGroup
	frames [2][]byte // what is sent: PCMU, PCMA

	mu      sync.Mutex
	now     settings
	changed chan struct{}
	waiting int
	in      received
	ear     ear
	out     transmitter
	counted uint64 // packets sent
}

// received is what has come in.
type received struct {
	packets, sound uint64
	last           time.Time
	digits         string
	event          eventKey // of the newest digit
	hasEvent       bool
}

// newMedia opens the socket of a call on an even port, so that the RTCP of one call, which goes to its port + 1, does not reach
// the RTP socket of another. The phone's lock must be held.
func (p *Phone) newMedia() (*media, error) {
	conn, err := listenEven(p.addr.Addr())
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	m := &media{
		conn: conn, port: localAddr(conn).Port(), done: make(chan struct{}), stop: make(chan struct{}),
		changed: make(chan struct{}), frames: [2][]byte{toneFrame(p.cfg.Tone, encodePCMU), toneFrame(p.cfg.Tone, encodePCMA)},
	}
	m.out = transmitter{ssrc: rand.Uint32(), sequence: uint16(rand.Uint32()), timestamp: rand.Uint32()}
	p.running.Go(m.read)
	return m, nil
}

func listenEven(ip netip.Addr) (*net.UDPConn, error) {
	var err error
	for range socketTries {
		var conn *net.UDPConn
		conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, 0)))
		if err != nil {
			return nil, err
		}
		if localAddr(conn).Port()%2 == 0 {
			return conn, nil
		}
		err = errors.Join(errors.New("no even port"), conn.Close())
	}
	return nil, err
}

// start begins to send; the phone's lock must be held.
func (m *media) start() {
	if m.started || m.closed {
		return
	}
	m.started = true
	m.sender.Go(m.send)
}

// close ends the stream without waiting for its goroutines; the phone's lock must be held.
func (m *media) close() {
	if m.closed {
		return
	}
	m.closed = true
	close(m.stop)
	_ = m.conn.Close() // a UDP socket that is in use closes
}

func (m *media) set(s settings) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = s
}

func (m *media) settings() settings {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// notify wakes those who wait for packets; the media lock is held.
func (m *media) notify() {
	if m.waiting > 0 {
		close(m.changed)
		m.changed = make(chan struct{})
	}
}

func (m *media) read() {
	defer close(m.done)
	defer m.sender.Wait()
	buffer := make([]byte, maxPacket)
	for {
		n, err := m.conn.Read(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			m.receive(buffer[:n])
		}
	}
}

// receive counts one datagram, unless it is RTCP (RFC 5761 4) or nothing that was agreed on.
func (m *media) receive(data []byte) {
	var packet rtp.Packet
	if len(data) < 12 || data[1] >= 192 && data[1] <= 223 || packet.Unmarshal(data) != nil || packet.Version != 2 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch packet.PayloadType {
	case payloadPCMU, payloadPCMA:
		if loud(packet.PayloadType, packet.Payload) {
			m.in.sound++
		}
		m.ear.hear(packet.PayloadType, packet.Payload)
	case m.now.receiveEvent:
		m.in.receiveEvent(&packet)
	default:
		return
	}
	m.in.packets++
	m.in.last = time.Now()
	m.notify()
}

// send paces the stream: one packet every 20 ms as long as the negotiation lets this side send.
func (m *media) send() {
	ticker := time.NewTicker(frameTime)
	defer ticker.Stop()
	buffer := make([]byte, 12+frameSamples)
	for {
		select {
		case <-m.stop:
			return
		case <-ticker.C:
		}
		m.mu.Lock()
		size := m.out.next(m.now, m.frames, buffer)
		remote := m.now.remote
		m.mu.Unlock()
		if size == 0 {
			continue
		}
		if _, err := m.conn.WriteToUDPAddrPort(buffer[:size], remote); err != nil {
			continue // the call's end, or an address that nobody has any more
		}
		m.mu.Lock()
		m.counted++
		m.mu.Unlock()
	}
}
