package ami

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// listKept is how long the rest of a list for which nobody waits any longer is kept out of the stream.
const listKept = time.Minute

// A link is one connection that is logged in: the actions that wait to be written and those that wait for an answer.
type link struct {
	conn    net.Conn
	writes  time.Duration // how long one write may take
	limit   int           // bytes of one list
	waiting atomic.Int32  // calls for which somebody waits
	lists   atomic.Int32  // lists in calls, whose events must be looked for
	heard   atomic.Int64  // when the last byte came, nanoseconds since born
	born    time.Time
	wake    chan struct{} // capacity 1: something is to be written
	done    chan struct{} // closed by fail

	mu    sync.Mutex
	queue []*call          // not written yet
	calls map[string]*call // by ActionID: written or not, not answered
	err   error            // why it ended
}

// A call is an action on its way.
type call struct {
	id, action string
	wire       []byte
	list       bool
	mark       uint64 // > 0: an ItemSync with it goes into the stream where the answer stands
	done       chan struct{}

	// Guarded by the link's mu until done is closed.
	written   bool
	listing   bool      // the list was announced
	abandoned bool      // nobody waits, but the rest of the list must be kept out of the stream
	until     time.Time // of an abandoned one: when it is forgotten
	size      int
	response  Message
	items     []Message
	err       error
}

func newLink(conn net.Conn, o Options) *link {
	return &link{
		conn:   conn,
		writes: o.DeadAfter,
		limit:  o.Queue,
		born:   time.Now(),
		wake:   make(chan struct{}, 1),
		done:   make(chan struct{}),
		calls:  map[string]*call{},
	}
}

// submit queues a call to be written; false if the link is gone.
func (l *link) submit(k *call) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return false
	}
	l.queue = append(l.queue, k)
	if k.done != nil {
		l.calls[k.id] = k
		l.waiting.Add(1)
	}
	if k.list {
		l.lists.Add(1)
	}
	signal(l.wake)
	return true
}

// send queues an action whose answer is nobody's business.
func (l *link) send(name, id string) {
	l.submit(&call{wire: []byte("Action: " + name + "\r\nActionID: " + id + "\r\n\r\n")})
}

// abandon ends a call for which nobody waits any longer, unless it has just ended by itself.
func (l *link) abandon(k *call, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls[k.id] != k || k.abandoned {
		return
	}
	if k.written && k.list {
		l.leave(k, fmt.Errorf("%s: %w: %w", k.action, ErrUnknown, cause))
		return
	}
	l.end(k, fmt.Errorf("%s: %w: %w", k.action, k.outcome(), cause))
}

// leave ends the wait for a list that still comes. It is forgotten at its end, with the connection, or when it does not
// come for long. The caller holds mu.
func (l *link) leave(k *call, err error) {
	k.abandoned, k.items, k.until = true, nil, time.Now().Add(listKept)
	l.waiting.Add(-1)
	k.finish(err)
}

// forget takes off the lists that were abandoned long ago: each event must be asked whether it belongs to one.
func (l *link) forget(now time.Time) {
	if l.lists.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.calls {
		if k.abandoned && now.After(k.until) {
			l.end(k, nil)
		}
	}
}

// end takes a call off and tells its waiter, if there still is one. The caller holds mu.
func (l *link) end(k *call, err error) {
	delete(l.calls, k.id)
	if !k.abandoned {
		l.waiting.Add(-1)
	}
	if k.list {
		l.lists.Add(-1)
	}
	k.finish(err)
}

// finish wakes the waiter, once.
func (k *call) finish(err error) {
	select {
	case <-k.done:
	default:
		k.err = err
		close(k.done)
	}
}

// outcome is the error of a call that got no answer.
func (k *call) outcome() error {
	if k.written {
		return ErrUnknown
	}
	return ErrOffline
}

// fail ends the link and all its calls. Only the first reason counts.
func (l *link) fail(err error) {
	if l.close(err) {
		_ = l.conn.Close()
	}
}

// close is fail without the connection; false if the link has ended before.
func (l *link) close(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return false
	}
	l.err = err
	close(l.done)
	for _, k := range l.calls {
		l.end(k, fmt.Errorf("%s: %w: %w", k.action, k.outcome(), err))
	}
	l.queue = nil
	return true
}

// reason returns why the link has ended.
func (l *link) reason() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// write sends what is queued, all that waits in one write, until the link ends.
func (l *link) write() {
	for {
		select {
		case <-l.done:
			return
		case <-l.wake:
		}
		out := l.next()
		if len(out) == 0 {
			continue
		}
		err := l.conn.SetWriteDeadline(time.Now().Add(l.writes))
		if err == nil {
			_, err = l.conn.Write(out)
		}
		if err != nil {
			l.fail(fmt.Errorf("write: %w", bare(err)))
			return
		}
	}
}

// next takes the queue; calls that were abandoned in it are not sent.
func (l *link) next() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []byte
	for _, k := range l.queue {
		if k.done != nil && l.calls[k.id] != k {
			continue
		}
		k.written = true
		out = append(out, k.wire...)
		k.wire = nil
	}
	l.queue = nil
	return out
}

// answer gives a response to the call it belongs to; false if nobody waits for it. mark is that of the call.
func (l *link) answer(id string, m Message) (known bool, mark uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.calls[id]
	if k == nil {
		return false, 0
	}
	k.response = m
	response := m.Get("Response")
	switch {
	case response == "Error":
		l.end(k, newResponseError(k.action, m))
	case k.list && isListed(m):
		k.listing = true
	default:
		l.end(k, nil)
	}
	return true, k.mark
}

// waits reports whether a call waits for the answer with this ActionID.
func (l *link) waits(id []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls[string(id)] != nil
}

// isListed reports whether events follow a response. Old actions announce them in their Message only.
func isListed(m Message) bool {
	if list, ok := m.Lookup("EventList"); ok {
		return equalFold(list, "start")
	}
	return strings.Contains(m.Get("Message"), "follow")
}

// item gives an event to the list it belongs to; false if it belongs to none.
func (l *link) item(id, frame []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.calls[string(id)]
	if k == nil || !k.list || !k.listing {
		return false
	}
	m := Message{text: string(frame)}
	switch {
	case isComplete(m):
		l.end(k, nil)
	case k.abandoned:
		k.until = time.Now().Add(listKept)
	case k.size+len(frame)+itemSize > l.limit:
		l.leave(k, fmt.Errorf("%s: list of more than %d bytes is too long", k.action, l.limit))
	default:
		k.size += len(frame) + itemSize
		k.items = append(k.items, m)
	}
	return true
}

// isComplete reports whether an event of a list is the end of it.
func isComplete(m Message) bool {
	if list, ok := m.Lookup("EventList"); ok {
		return !equalFold(list, "start")
	}
	return strings.HasSuffix(m.Event(), "Complete")
}

// tooLong ends a call whose answer was too long to be kept.
func (l *link) tooLong(id string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := l.calls[id]; k != nil {
		l.end(k, fmt.Errorf("%s: %w", k.action, err))
	}
}
