package ari

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/coder/websocket"
)

const (
	maxMessage = 1 << 20  // bytes of one event; the largest that were seen have 3 kB
	maxSkip    = 16 << 20 // bytes of one message that are passed over before the connection is given up
)

// read takes all that comes over a socket and hands it on, until the socket ends. It never waits for anybody but the
// network.
func (c *Client) read(s *socket) error {
	r := reader{c: c, s: s, buffer: make([]byte, 0, 8<<10)}
	for {
		if err := r.message(); err != nil {
			return err
		}
	}
}

// A reader reads the messages of one socket.
type reader struct {
	c      *Client
	s      *socket
	buffer []byte
	gap    bool // the next event follows something that was none
	told   bool // of something that was none
}

// message reads one message. An error is the end of the socket.
func (r *reader) message() error {
	kind, from, err := r.s.conn.Reader(context.Background())
	if err != nil {
		return ending(err)
	}
	size, err := r.fill(from)
	if err != nil {
		if errors.Is(err, websocket.ErrMessageTooBig) {
			r.c.stats.oversized.Add(1)
		}
		return ending(err)
	}
	switch {
	case size > maxMessage:
		r.c.stats.oversized.Add(1)
		r.strange("a message was too long and is skipped", size)
		return nil
	case kind != websocket.MessageText:
		r.c.stats.garbled.Add(1)
		r.strange("a message is not text and is skipped", size)
		return nil
	}
	return r.event(time.Now())
}

// fill reads a whole message into the buffer, and passes over what is too long for it.
func (r *reader) fill(from io.Reader) (size int, err error) {
	b := r.buffer[:0]
	defer func() { r.buffer = b }()
	for len(b) <= maxMessage {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := from.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return len(b), nil
		}
		if err != nil {
			return 0, err
		}
	}
	rest, err := io.Copy(io.Discard, from)
	size = len(b) + int(rest)
	b = make([]byte, 0, 8<<10)
	return size, err
}

// strange logs the first message of a connection that is no event; the others are only counted.
func (r *reader) strange(what string, size int) {
	if !r.told {
		r.c.o.Logger.LogAttrs(context.Background(), slog.LevelWarn, "asterisk's rest interface has sent no event",
			slog.String("problem", what), slog.Int("bytes", size))
	}
	r.gap, r.told = true, true
}

// event looks at the message in the buffer, and puts it into the stream if it is wanted.
func (r *reader) event(at time.Time) error {
	c := r.c
	kind := inner(member(r.buffer, "type"))
	if len(kind) == 0 {
		c.stats.garbled.Add(1)
		r.strange("a message has no type and is skipped", len(r.buffer))
		return nil
	}
	name := c.types.of(kind)
	if name == "ApplicationReplaced" {
		c.stats.replaced.Add(1)
		return ErrReplaced
	}
	if c.o.Want != nil && !c.o.Want(name) {
		c.stats.unwanted.Add(1)
		return nil
	}
	e := Event{Type: name, Timestamp: parseTime(inner(member(r.buffer, "timestamp"))), Raw: string(r.buffer)}
	if !c.stream.put(Item{Kind: ItemEvent, Event: e, At: at, Gap: r.gap}) {
		c.stats.refused.Add(1)
		return fmt.Errorf("%w: more than %d bytes wait", ErrStuck, c.o.Queue)
	}
	r.gap = false
	return nil
}
