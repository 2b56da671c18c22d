package ami

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// read takes all that comes over a link and hands it on, until the link ends. It never waits for anybody but the
// socket.
func (c *Client) read(l *link) error {
	for {
		if err := c.take(l, time.Now()); err != nil {
			return err
		}
		before := c.reader.end - c.reader.start
		if err := c.reader.fill(); err != nil {
			return fmt.Errorf("read: %w", bare(err))
		}
		l.heard.Store(int64(time.Since(l.born)))
		c.stats.bytes.Add(uint64(c.reader.end - c.reader.start - before))
	}
}

// take hands on all whole messages of the buffer, the events among them as one batch.
func (c *Client) take(l *link, at time.Time) error {
	var items []Item
	size := 0
	for {
		frame, err := c.reader.buffered()
		var long *SizeError
		if errors.As(err, &long) {
			c.oversized(l, long)
			continue
		}
		if err == nil && frame == nil {
			break
		}
		var wanted bool
		if err == nil {
			wanted, err = c.sort(l, frame)
		}
		if err != nil {
			c.put(items, size)
			return err
		}
		if wanted {
			items = append(items, Item{Kind: ItemEvent, Message: Message{text: string(frame)}, At: at})
			size += len(frame) + itemSize
		}
	}
	if !c.put(items, size) {
		return fmt.Errorf("%w: more than %d bytes wait", ErrStuck, c.o.Queue)
	}
	return nil
}

// put adds a batch to the stream; false if there is no room.
func (c *Client) put(items []Item, size int) bool {
	if len(items) == 0 {
		return true
	}
	if !c.stream.put(items, size) {
		return false
	}
	c.stats.events.Add(uint64(len(items)))
	return true
}

// sort looks at the beginning of a message. Answers and events of lists go to who waits for them; it reports whether
// the message is an event for the stream. An error is the end of the link.
func (c *Client) sort(l *link, frame []byte) (bool, error) {
	if isResponse(frame) {
		return false, c.response(l, Message{text: string(frame)})
	}
	if l.lists.Load() > 0 {
		if id := lookupBytes(frame, "ActionID"); len(id) > 0 && l.item(id, frame) {
			return false, nil
		}
	}
	var name []byte
	if isEvent(frame) {
		name = frame[len(eventPrefix):]
		name = name[:bytes.Index(name, lineEnd)]
	} else {
		c.stats.torn.Add(1)
		name = lookupBytes(frame, "Event")
	}
	if c.o.Want != nil && !c.o.Want(c.names.of(name)) {
		c.stats.unwanted.Add(1)
		return false, nil
	}
	return true, nil
}

var lineEnd = []byte("\r\n")

// response gives an answer to who waits for it. Asterisk that is about to end must be left at once: it may wait for
// us to go.
func (c *Client) response(l *link, m Message) error {
	id := m.Get("ActionID")
	if !l.answer(id, m) && id != pingID {
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
	if isResponse(long.Head.text) {
		l.tooLong(long.Head.Get("ActionID"), long)
	}
	name := long.Head.Event()
	c.o.Logger.Warn("a message was too long and is skipped",
		slog.String("event", name), slog.Int("bytes", long.Size))
}

// lookupBytes is lookup in the read buffer: it copies nothing.
func lookupBytes(frame []byte, name string) []byte {
	for len(frame) > 0 {
		end := bytes.Index(frame, lineEnd)
		if end < 0 {
			end = len(frame)
		}
		if end > len(name) && frame[len(name)] == ':' && equalFoldBytes(frame[:len(name)], name) {
			return bytes.TrimPrefix(frame[len(name)+1:end], []byte(" "))
		}
		frame = frame[min(end+2, len(frame)):]
	}
	return nil
}

func equalFoldBytes(a []byte, b string) bool {
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}
