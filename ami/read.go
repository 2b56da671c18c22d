package ami

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Asterisk writes every event by itself, and at 15,000 events a second waking up for each costs several times what the
// events cost. When a read has waited for less than busyWait on the average of the last ones, the reader pauses before
// the next, so that events gather in the kernel. It does not when they gather by themselves, nor while actions are
// answered or wait for it.
const (
	busyWait  = time.Millisecond
	busyBytes = 32 << 10
	busyPause = 2 * time.Millisecond
	longWait  = 20 * time.Millisecond
)

const privilegePrefix = "Privilege: "

// read takes all that comes over a link and hands it on, until the link ends. It never waits for anybody but the
// socket.
func (c *Client) read(l *link) error {
	at, wait, n := time.Now(), longWait, 0
	for {
		c.answered = false
		if err := c.take(l, at); err != nil {
			return err
		}
		if c.answered {
			wait = longWait
		}
		if wait < busyWait && n < busyBytes && l.waiting.Load() == 0 {
			time.Sleep(busyPause)
		}
		asked := time.Now()
		before := c.reader.unread()
		if err := c.reader.fill(); err != nil {
			return fmt.Errorf("read: %w", bare(err))
		}
		at = time.Now()
		wait = (7*wait + min(at.Sub(asked), longWait)) / 8
		n = c.reader.unread() - before
		l.heard.Store(int64(at.Sub(l.born)))
		c.stats.bytes.Add(uint64(n))
	}
}

// take hands on all whole messages of the buffer, the events among them as one batch.
func (c *Client) take(l *link, at time.Time) error {
	b := batch{items: make([]Item, 0, c.expect)}
	end := c.sortAll(l, at, &b)
	c.expect = len(b.items)
	if len(b.items) == 0 {
		return end
	}
	if !c.stream.put(b) {
		c.stats.refused.Add(uint64(b.events))
		return fmt.Errorf("%w: more than %d bytes wait", ErrStuck, c.o.Queue)
	}
	return end
}

// sortAll puts the events among the whole messages of the buffer into b. An error is the end of the link.
func (c *Client) sortAll(l *link, at time.Time, b *batch) error {
	for {
		frame, err := c.reader.buffered()
		if err == nil {
			if frame == nil {
				return nil
			}
			err = c.mend(l, at, frame, b)
		} else if long := asSizeError(err); long != nil {
			c.oversized(l, long)
			continue
		}
		if err != nil {
			return err
		}
	}
}

// asSizeError returns err as a *SizeError, or nil.
func asSizeError(err error) *SizeError {
	var long *SizeError
	if errors.As(err, &long) {
		return long
	}
	return nil
}

// mend sorts the messages of a frame, which is one message but where Asterisk has left one unfinished and begun the
// next in the middle of it.
func (c *Client) mend(l *link, at time.Time, frame []byte, b *batch) error {
	for {
		cut := l.restart(frame)
		if cut == 0 {
			return c.sort(l, at, frame, b)
		}
		// A line without an end may be cut anywhere: half a channel's name is worse than none.
		c.torn()
		if end := bytes.LastIndex(frame[:cut], lineEnd); end > 0 {
			if err := c.sort(l, at, frame[:end+len(lineEnd)], b); err != nil {
				return err
			}
		}
		c.gap = true
		frame = frame[cut:]
	}
}

// sort looks at the beginning of a message: answers and events of lists go to who waits for them, wanted events
// into b. An error is the end of the link.
func (c *Client) sort(l *link, at time.Time, message []byte, b *batch) error {
	if isResponse(message) {
		return c.response(l, Message{text: string(message)}, at, b)
	}
	if l.lists.Load() > 0 {
		if id := find(message, "ActionID"); len(id) > 0 && l.item(id, message) {
			return nil
		}
	}
	var name []byte
	if isEvent(message) {
		name = message[len(eventPrefix):]
		name = name[:lineLen(name)]
	} else {
		c.torn()
		name = find(message, "Event")
	}
	if c.o.Want != nil && !c.o.Want(c.names.of(name)) {
		c.stats.unwanted.Add(1)
		return nil
	}
	b.items = append(b.items, Item{Kind: ItemEvent, Message: Message{text: string(message)}, At: at, Gap: c.gap})
	c.gap = false
	b.events++
	b.bytes += len(message) + itemSize
	return nil
}

// torn counts a message of which something is missing.
func (c *Client) torn() {
	c.stats.torn.Add(1)
	c.gap = true
}

// response gives an answer to who waits for it. Asterisk that is about to end must be left at once: it may wait for
// us to go.
func (c *Client) response(l *link, m Message, at time.Time, b *batch) error {
	id := m.Get("ActionID")
	known, mark := l.answer(id, m)
	if mark > 0 {
		b.items = append(b.items, Item{Kind: ItemSync, At: at, Mark: mark})
		b.bytes += itemSize
	}
	if known {
		c.answered = true
	} else if id != pingID && id != logoffID {
		c.stats.late.Add(1)
	}
	switch m.Get("Response") {
	case "Error":
		if m.Get("Message") == textShuttingDown {
			return ErrShuttingDown
		}
	case "Goodbye":
		return errLogoff
	}
	return nil
}

// oversized counts a message that was skipped, and ends the call whose answer it was.
func (c *Client) oversized(l *link, long *SizeError) {
	c.stats.oversized.Add(1)
	c.gap = true
	if isResponse(long.Head.text) {
		l.tooLong(long.Head.Get("ActionID"), long)
	}
	name := long.Head.Event()
	c.o.Logger.Warn("a message was too long and is skipped",
		slog.String("event", name), slog.Int("bytes", long.Size))
}

// restart returns the index at which another message begins inside of a frame, 0 if there is none: an event has its
// Privilege on its second line, an answer the ActionID of a call that waits. Real exchanges do that when events have
// channel variables with functions in them, and what is begun so is not sent again. The lines of a UserEvent are
// whatever its sender likes, so nothing is looked for in it.
func (l *link) restart(frame []byte) int {
	if hasPrefix(frame, "Event: UserEvent\r\n") {
		return 0
	}
	cut := 0
	if !isOne(frame) {
		cut = begins(frame, eventPrefix, privilegePrefix, nil)
	}
	if l.waiting.Load() == 0 {
		return cut
	}
	if answer := begins(frame, responsePrefix, "ActionID: ", l.waits); answer > 0 && (cut == 0 || answer < cut) {
		return answer
	}
	return cut
}

// isOne reports that no other event begins inside of a frame; false says nothing. An event whose name has no colon and
// whose second line is its Privilege would need another Privilege, and the letter v is rare enough behind the first: a
// whole pass of begins costs five times as much.
func isOne(frame []byte) bool {
	if !isEvent(frame) {
		return false
	}
	name := frame[len(eventPrefix):]
	name = name[:lineLen(name)]
	second := frame[min(len(eventPrefix)+len(name)+len(lineEnd), len(frame)):]
	if !hasPrefix(second, privilegePrefix) || bytes.IndexByte(name, ':') >= 0 {
		return false
	}
	for rest := second[len(privilegePrefix):]; ; {
		i := bytes.IndexByte(rest, 'v')
		if i < 0 {
			return true
		}
		if hasPrefix(rest[i:], "vilege: ") {
			return false
		}
		rest = rest[i+1:]
	}
}

// begins returns the first index but 0 of a line's rest that starts with first and is followed by a line that starts
// with second, whose value is good; 0 if there is none.
func begins(frame []byte, first, second string, good func([]byte) bool) int {
	for at := 1; ; at++ {
		i := bytes.IndexByte(frame[min(at, len(frame)):], first[0])
		if i < 0 {
			return 0
		}
		at += i
		if !hasPrefix(frame[at:], first) {
			continue
		}
		end := bytes.Index(frame[at:], lineEnd)
		if end < 0 {
			return 0
		}
		next := frame[at+end+len(lineEnd):]
		if !hasPrefix(next, second) {
			continue
		}
		value, _, _ := bytes.Cut(next[len(second):], lineEnd)
		if good == nil || good(value) {
			return at
		}
	}
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}
