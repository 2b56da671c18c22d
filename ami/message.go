package ami

import (
	"iter"
	"strings"
)

// A Message is one message of the manager interface as it came off the wire. It is an immutable text; headers are
// looked up in it when they are asked for. The zero Message has no headers.
type Message struct {
	text string
}

// ParseMessage makes a Message of text: lines that end in CR LF, with or without the empty line that ends a message
// on the wire. It never fails; what is no header is kept as a line.
func ParseMessage(text string) Message {
	for strings.HasSuffix(text, "\r\n\r\n") {
		text = text[:len(text)-2]
	}
	if text == "\r\n" {
		text = ""
	}
	return Message{text: text}
}

// NewMessage makes a Message of headers in their order; a Field without a name is a line without a colon. It does not
// look at what is in them, so that a test can send what Asterisk would.
func NewMessage(fields ...Field) Message {
	var b strings.Builder
	for _, f := range fields {
		if f.Name != "" {
			b.WriteString(f.Name)
			b.WriteString(": ")
		}
		b.WriteString(f.Value)
		b.WriteString("\r\n")
	}
	return Message{text: b.String()}
}

// String returns the text as received: every line with its CR LF, without the empty line that ended the message.
func (m Message) String() string { return m.text }

// IsZero reports whether m has no text at all.
func (m Message) IsZero() bool { return m.text == "" }

// Event returns the name of the event, and "" for a response. A message that is torn at its start is an event when
// it has an Event header on any line; of two such headers the first counts.
func (m Message) Event() string {
	switch {
	case strings.HasPrefix(m.text, eventPrefix):
		line, _ := cutLine(m.text[len(eventPrefix):])
		return line
	case isResponse(m.text):
		return ""
	}
	return m.Get("Event")
}

// Get returns the value of the first header called name in any case, or "".
func (m Message) Get(name string) string {
	value, _ := m.Lookup(name)
	return value
}

// Lookup returns the value of the first header called name in any case, and whether there is one.
func (m Message) Lookup(name string) (string, bool) {
	if name == "" {
		return m.firstLine()
	}
	return lookup(m.text, name)
}

// Values returns the values of all headers called name in any case, in their order.
func (m Message) Values(name string) []string {
	var values []string
	for n, v := range m.All() {
		if equalFold(n, name) {
			values = append(values, v)
		}
	}
	return values
}

// All returns the headers in their order as name and value. A line without a colon has the name "" and is the value.
func (m Message) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for rest := m.text; rest != ""; {
			var line string
			line, rest = cutLine(rest)
			if !yield(splitLine(line)) {
				return
			}
		}
	}
}

// Output returns what an answer to the action Command printed, one line each without its line end: the Output
// headers of Asterisk 14 and later, or the text between the headers and "--END COMMAND--" of older ones.
func (m Message) Output() []string {
	if response, _ := m.Lookup("Response"); response != "Follows" {
		return m.Values("Output")
	}
	return m.followed()
}

// followed returns the text of a "Response: Follows": the lines behind Privilege and ActionID, in which LF ends a line.
func (m Message) followed() []string {
	rest := m.text
	for rest != "" {
		line, after := cutLine(rest)
		name, _ := splitLine(line)
		if !equalFold(name, "Response") && !equalFold(name, "Privilege") && !equalFold(name, "ActionID") {
			break
		}
		rest = after
	}
	if i := strings.LastIndex(rest, "--END COMMAND--"); i >= 0 {
		rest = rest[:i]
	}
	rest = strings.TrimSuffix(strings.TrimSuffix(rest, "\n"), "\r")
	if rest == "" {
		return nil
	}
	return strings.Split(rest, "\n")
}

// firstLine returns the first line that has no header name.
func (m Message) firstLine() (string, bool) {
	for name, value := range m.All() {
		if name == "" {
			return value, true
		}
	}
	return "", false
}
