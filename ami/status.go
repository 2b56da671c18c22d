package ami

import (
	"sync/atomic"
	"time"
)

// A Phase is what the client is doing about its connection.
type Phase uint8

// The phases, in the order in which they are passed.
const (
	Idle       Phase = iota // Run has not begun or has ended
	Connecting              // TCP and TLS
	LoggingIn               // banner, challenge, login
	Up                      // events and actions pass
	Waiting                 // back-off before the next try
)

// String returns the phase in words.
func (p Phase) String() string {
	switch p {
	case Connecting:
		return "connecting"
	case LoggingIn:
		return "logging in"
	case Up:
		return "up"
	case Waiting:
		return "waiting"
	}
	return "idle"
}

// A Status is where the client stands.
type Status struct {
	Phase   Phase
	Since   time.Time // of the phase
	Version string    // AMI version of the last banner
	Err     error     // why the link is not up, nil when it is

	Filtered bool // Asterisk keeps back what Options.Exclude names
}

// Status returns where the client stands now.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// setStatus enters a phase; the version is kept.
func (c *Client) setStatus(s Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Since = time.Now()
	if s.Version == "" {
		s.Version = c.status.Version
	}
	c.status = s
}

// enter goes on to a phase for the same reason as before.
func (c *Client) enter(p Phase) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.Phase, c.status.Since = p, time.Now()
}

// Stats are counts since the client was made. Every event that came is in one of Events, Unwanted, Refused and Oversized,
// or in the list that somebody asked for.
type Stats struct {
	Logins    uint64 // connections that came up
	Bytes     uint64 // read from the socket after the login
	Events    uint64 // put into the stream
	Unwanted  uint64 // events that Want refused
	Refused   uint64 // events for which there was no room, and which ended their connection with ErrStuck
	Untaken   uint64 // of Events, those that nobody had taken when Run ended
	Torn      uint64 // messages that are neither event nor response at their first line
	Oversized uint64 // messages that were skipped for their size
	Late      uint64 // answers that nobody waited for, keepalives not among them
	Waiting   int    // bytes in the stream now
}

type counters struct {
	logins, bytes, unwanted, refused, torn, oversized, late atomic.Uint64
}

// Stats returns the counts now.
func (c *Client) Stats() Stats {
	n := &c.stats
	events, untaken := c.stream.counts()
	return Stats{
		Logins: n.logins.Load(), Bytes: n.bytes.Load(), Events: events, Unwanted: n.unwanted.Load(),
		Refused: n.refused.Load(), Untaken: untaken, Torn: n.torn.Load(), Oversized: n.oversized.Load(), Late: n.late.Load(), Waiting: c.stream.size(),
	}
}
