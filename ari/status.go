package ari

import (
	"sync/atomic"
	"time"
)

// A Phase is what the client is doing about its connection for events.
type Phase uint8

// The phases, in the order in which they are passed.
const (
	Idle       Phase = iota // Run has not begun or has ended
	Connecting              // TCP, TLS and the WebSocket's handshake
	Up                      // events come
	Waiting                 // back-off before the next try
)

// String returns the phase in words.
func (p Phase) String() string {
	switch p {
	case Connecting:
		return "connecting"
	case Up:
		return "up"
	case Waiting:
		return "waiting"
	}
	return "idle"
}

// A Status is where the client stands.
type Status struct {
	Phase Phase
	Since time.Time // of the phase
	Err   error     // why events do not come, nil when they do
}

// Status returns where the client stands now.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// setStatus enters a phase for a reason.
func (c *Client) setStatus(p Phase, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = Status{Phase: p, Since: time.Now(), Err: err}
}

// enter goes on to a phase for the same reason as before.
func (c *Client) enter(p Phase) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.Phase, c.status.Since = p, time.Now()
}

// Stats are counts since the client was made. Every message that came is in one of Replaced, Events, Unwanted, Garbled,
// Oversized and Refused.
type Stats struct {
	Connections uint64 // that came up
	Replaced    uint64 // times that another program took our name
	Bytes       uint64 // read from the socket
	Events      uint64 // put into the stream
	Unwanted    uint64 // events that Want refused
	Garbled     uint64 // messages that are no event
	Oversized   uint64 // messages that were skipped for their size
	Refused     uint64 // events for which there was no room, and which ended their connection with ErrStuck
	Untaken     uint64 // of Events, those that nobody had taken when Run ended
	Waiting     int    // bytes in the stream now
}

type counters struct {
	connections, replaced, bytes, unwanted, garbled, oversized, refused atomic.Uint64
}

// Stats returns the counts now.
func (c *Client) Stats() Stats {
	n := &c.stats
	events, untaken, waiting := c.stream.counts()
	return Stats{
		Connections: n.connections.Load(), Replaced: n.replaced.Load(), Bytes: n.bytes.Load(), Events: events,
		Unwanted: n.unwanted.Load(), Garbled: n.garbled.Load(), Oversized: n.oversized.Load(),
		Refused: n.refused.Load(), Untaken: untaken, Waiting: waiting,
	}
}
