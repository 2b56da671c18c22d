package phone

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Recorder keeps a phone's SIP messages, to be shown when a test fails. Its See is a Config.Trace.
type Recorder struct {
	mu       sync.Mutex
	messages []recorded
}

type recorded struct {
	at   time.Time
	sent bool
	peer netip.AddrPort
	text string
}

// See keeps one message.
func (r *Recorder) See(sent bool, peer netip.AddrPort, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, recorded{time.Now(), sent, peer, text})
}

// Count says how many messages whose text starts so were sent, or received.
func (r *Recorder) Count(sent bool, start string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, m := range r.messages {
		if m.sent == sent && strings.HasPrefix(m.text, start) {
			n++
		}
	}
	return n
}

// String is everything in order. The credentials in it are digests, never the password.
func (r *Recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, m := range r.messages {
		way := "received from"
		if m.sent {
			way = "sent to"
		}
		fmt.Fprintf(&b, "%s %s %s\n%s\n", m.at.Format("15:04:05.000"), way, m.peer, m.text)
	}
	return b.String()
}
