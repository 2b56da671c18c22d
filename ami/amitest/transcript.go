package amitest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/dialbridge/dialbridge/ami"
)

// NewEvent makes an event of its name and pairs of header name and value.
func NewEvent(name string, nameValue ...string) ami.Message {
	fields := []ami.Field{{Name: "Event", Value: name}}
	return ami.NewMessage(append(fields, ami.NewAction("", nameValue...).Fields...)...)
}

// WithActionID returns m with id as its ActionID: in the place of the one that it has, or behind its first line.
func WithActionID(m ami.Message, id string) ami.Message {
	_, has := m.Lookup("ActionID")
	var fields []ami.Field
	for name, value := range m.All() {
		if strings.EqualFold(name, "ActionID") {
			value = id
		}
		fields = append(fields, ami.Field{Name: name, Value: value})
		if !has {
			fields, has = append(fields, ami.Field{Name: "ActionID", Value: id}), true
		}
	}
	return ami.NewMessage(fields...)
}

// Transcript reads all messages of a recorded stream, the file at path, with or without the banner at its start.
func Transcript(t testing.TB, path string) []ami.Message {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("transcript: %v", err)
	}
	if i := bytes.Index(data, []byte("\r\n")); i >= 0 && bytes.HasPrefix(data, []byte("Asterisk Call Manager")) {
		data = data[i+2:]
	}
	var messages []ami.Message
	r := ami.NewReader(bytes.NewReader(data))
	for {
		m, err := r.Next()
		switch {
		case err == nil:
			messages = append(messages, m)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return messages
		default:
			t.Fatalf("transcript %s: %v", path, err)
		}
	}
}

// Play sends the events of a transcript to every session that is logged in, without the answers and the lists in it.
func (s *Server) Play(path string) {
	s.t.Helper()
	var raw strings.Builder
	lists := map[string]bool{}
	for _, m := range Transcript(s.t, path) {
		id := m.Get("ActionID")
		if isResponse(m) {
			lists[id] = lists[id] || strings.EqualFold(m.Get("EventList"), "start")
			continue
		}
		if id != "" && lists[id] {
			continue
		}
		raw.WriteString(m.String())
		raw.WriteString("\r\n")
	}
	s.Send(raw.String())
}

func isResponse(m ami.Message) bool { return strings.HasPrefix(m.String(), "Response: ") }

// Answers makes the server answer each action as the transcript at path does: with the last answer, list items
// included, that an action of that name got there. sent is the recording of what was sent, from which the names come.
func (s *Server) Answers(path, sent string) {
	s.t.Helper()
	names := map[string]string{}
	for _, m := range Transcript(s.t, sent) {
		a := ami.ParseAction(m)
		names[a.Get("ActionID")] = a.Name
	}
	answers := map[string][]ami.Message{}
	for _, m := range Transcript(s.t, path) {
		id := m.Get("ActionID")
		switch name := names[id]; {
		case id == "" || name == "":
		case isResponse(m):
			answers[id] = []ami.Message{m}
		case len(answers[id]) > 0 && strings.EqualFold(answers[id][0].Get("EventList"), "start"):
			answers[id] = append(answers[id], m)
		}
	}
	for _, m := range Transcript(s.t, path) {
		id := m.Get("ActionID")
		if answer := answers[id]; isResponse(m) && len(answer) > 0 && !isEntry(names[id]) {
			s.Handle(names[id], func(session *Session, a ami.Action) {
				for _, m := range answer {
					session.Message(WithActionID(m, a.Get("ActionID")))
				}
			})
		}
	}
}

// isEntry reports whether an action is the server's own business.
func isEntry(name string) bool {
	switch strings.ToLower(name) {
	case "login", "challenge", "logoff", "ping", "events", "filter":
		return true
	}
	return false
}
