package ami

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	bufferSize  = 256 << 10 // one read; half the CPU of reads of 8 KiB
	maxMessage  = 4 << 20   // the longest message that is kept whole
	maxSkip     = 64 << 20  // a message longer than this has no end
	maxBanner   = 1 << 10
	headSize    = 4 << 10 // how much of a message that is too long is kept
	emptyReads  = 100     // reads in a row without a byte or an error, as in bufio
	bannerStart = "Asterisk Call Manager"
)

// A Reader takes messages off a stream of bytes. It reads through one buffer, which grows for the time of one long
// message only. It is not safe for concurrent use.
type Reader struct {
	src        io.Reader
	buf        []byte
	start, end int // what is read and not yet taken
	scanned    int // no message ends before here, but for the last three bytes
	limit      int // longest message, bytes
	skipped    int // bytes of the message being skipped, 0 if none is
	head       string
}

// NewReader returns a Reader of src.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: src, buf: make([]byte, bufferSize), limit: maxMessage}
}

// reset makes r read src from its beginning.
func (r *Reader) reset(src io.Reader) {
	*r = Reader{src: src, buf: r.buf, limit: r.limit}
	r.shrink()
}

// Banner reads the line with which Asterisk greets and returns the version in it, such as "11.0.0". It must be called
// before Next, and only on a stream that begins with it.
func (r *Reader) Banner() (version string, err error) {
	for {
		line, _, found := strings.Cut(string(r.buf[r.start:min(r.end, r.start+maxBanner)]), "\n")
		line = strings.TrimSuffix(line, "\r")
		if found || len(line) >= maxBanner {
			if !found || !strings.HasPrefix(line, bannerStart) {
				return "", fmt.Errorf("banner: %.64q is not asterisk's", line)
			}
			break
		}
		if err := r.fill(); err != nil {
			return "", fmt.Errorf("banner: %w", err)
		}
	}
	for r.start < r.end {
		r.start++
		if r.buf[r.start-1] == '\n' {
			break
		}
		version += string(r.buf[r.start-1])
	}
	r.scanned = r.start
	_, version, _ = strings.Cut(version, "/")
	return strings.TrimSpace(version), nil
}

// Next returns the next message. A *SizeError stands for a message that was skipped, and reading can go on; any other
// error is the end. What is left of a message at the end of the stream is io.ErrUnexpectedEOF.
func (r *Reader) Next() (Message, error) {
	frame, err := r.next()
	return Message{text: string(frame)}, err
}

// next is Next in the buffer.
func (r *Reader) next() ([]byte, error) {
	for {
		frame, err := r.buffered()
		if err != nil || frame != nil {
			return frame, err
		}
		if err := r.fill(); err != nil {
			if errors.Is(err, io.EOF) && (r.start < r.end || r.skipped > 0) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// buffered returns the next whole message of the buffer, without its empty line, or nil when more must be read. It
// is valid until the next call of fill.
func (r *Reader) buffered() ([]byte, error) {
	if r.skipped > 0 {
		return nil, r.skip()
	}
	r.dropBlank()
	from := max(r.start, r.scanned-3)
	at := messageEnd(r.buf[from:r.end])
	if at < 0 {
		r.scanned = r.end
		if r.end-r.start > r.limit+len("\r\n\r\n") {
			return nil, r.skip()
		}
		return nil, nil
	}
	frame := r.buf[r.start : from+at+2 : from+at+2]
	r.start = from + at + 4
	r.scanned = r.start
	if len(frame) > r.limit {
		return nil, &SizeError{Size: len(frame), Head: headOf(frame)}
	}
	return frame, nil
}

// dropBlank passes over the empty lines that some actions leave between messages.
func (r *Reader) dropBlank() {
	for r.start < r.end {
		switch {
		case r.buf[r.start] == '\n':
			r.start++
		case r.buf[r.start] == '\r' && r.start+1 < r.end && r.buf[r.start+1] == '\n':
			r.start += 2
		default:
			return
		}
	}
}

// skip passes over a message that is too long. At its end it returns a *SizeError, before that nil.
func (r *Reader) skip() error {
	if r.skipped == 0 {
		r.head = headOf(r.buf[r.start:r.end]).text
	}
	at := messageEnd(r.buf[r.start:r.end])
	if at < 0 {
		// The last three bytes may be the beginning of the end.
		n := max(r.end-r.start-3, 0)
		r.skipped += n
		r.start += n
		r.scanned = r.start
		if r.skipped > maxSkip {
			return fmt.Errorf("message of more than %d bytes has no end", maxSkip)
		}
		return nil
	}
	err := &SizeError{Size: r.skipped + at + 2, Head: Message{text: r.head}}
	r.start += at + 4
	r.scanned, r.skipped, r.head = r.start, 0, ""
	return err
}

// headOf keeps the first whole lines of a message that is too long to be kept.
func headOf(frame []byte) Message {
	head := string(frame[:min(len(frame), headSize)])
	if !strings.Contains(head, "\r\n") {
		return Message{}
	}
	return Message{text: head[:strings.LastIndex(head, "\r\n")+len("\r\n")]}
}

// fill reads once from the source.
func (r *Reader) fill() error {
	if r.start == r.end {
		r.start, r.end, r.scanned = 0, 0, 0
		r.shrink()
	}
	if r.end == len(r.buf) {
		r.makeRoom()
	}
	for range emptyReads {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// unread returns how many bytes are read and not yet taken.
func (r *Reader) unread() int { return r.end - r.start }

// makeRoom moves the begun message to the front, and doubles the buffer if it fills more than half of it.
func (r *Reader) makeRoom() {
	buf := r.buf
	if r.end-r.start > len(buf)/2 {
		buf = make([]byte, min(2*len(buf), r.limit+bufferSize))
	}
	n := copy(buf, r.buf[r.start:r.end])
	r.scanned -= r.start
	r.buf, r.start, r.end = buf, 0, n
}

// shrink gives back what a long message has taken.
func (r *Reader) shrink() {
	if len(r.buf) > bufferSize {
		r.buf = make([]byte, bufferSize)
	}
}
