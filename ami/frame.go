package ami

import (
	"bytes"
	"iter"
)

// A Frame is a message where it lies in the buffer of a Reader: nothing of it is copied or allocated. A Frame, and
// every slice that it returns, is valid until the next call of a method of its Reader and must not be written to. What
// is needed for longer is kept by Message. The grammar is that of a Message, method for method.
type Frame struct {
	text []byte
}

// View returns the next message without copying it. Its errors are those of Next; the two may be called in turns.
func (r *Reader) View() (Frame, error) {
	text, err := r.next()
	return Frame{text: text}, err
}

// Message returns a copy that stays valid.
func (f Frame) Message() Message { return Message{text: string(f.text)} }

// Bytes returns the text as received: every line with its CR LF, without the empty line that ended the message.
func (f Frame) Bytes() []byte { return f.text }

// Event returns the name of the event, nothing for a response. Of an event that is whole only the first line is looked
// at, so that an unwanted one costs no more than that.
func (f Frame) Event() []byte {
	switch {
	case isEvent(f.text):
		name := f.text[len(eventPrefix):]
		return name[:lineLen(name)]
	case isResponse(f.text):
		return nil
	}
	return find(f.text, "Event")
}

// Get returns the value of the first header called name in any case, or nothing.
func (f Frame) Get(name string) []byte {
	value, _ := f.Lookup(name)
	return value
}

// Lookup returns the value of the first header called name in any case, and whether there is one.
func (f Frame) Lookup(name string) ([]byte, bool) {
	if name != "" {
		value := find(f.text, name)
		return value, value != nil
	}
	for n, value := range f.All() {
		if len(n) == 0 {
			return value, true
		}
	}
	return nil, false
}

// All returns the headers in their order as name and value. A line without a colon has no name and is the value.
func (f Frame) All() iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		for rest := f.text; len(rest) > 0; {
			n := lineLen(rest)
			line := rest[:n:n]
			rest = rest[min(n+len("\r\n"), len(rest)):]
			colon := bytes.IndexByte(line, ':')
			name, value := line[:0], line
			if colon > 0 {
				name, value = line[:colon:colon], line[colon+1:]
				if len(value) > 0 && value[0] == ' ' {
					value = value[1:]
				}
			}
			if !yield(name, value) {
				return
			}
		}
	}
}

// lineLen returns the length of the first line of b without its CR LF. A lone CR or LF is part of the line.
func lineLen(b []byte) int {
	for from := 0; ; {
		i := bytes.IndexByte(b[from:], '\r')
		if i < 0 {
			return len(b)
		}
		from += i + 1
		if from < len(b) && b[from] == '\n' {
			return from - 1
		}
	}
}
