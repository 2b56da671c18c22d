package ola

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dialbridge/dialbridge/internal/httpd"
)

// frame is one command of a client.
type frame struct {
	Cmd  string
	UUID json.RawMessage // echoed as it came
	args map[string]json.RawMessage
}

// maxWord bounds a command's name and its uuid, which are echoed.
const maxWord = 256

// parseFrame reads a command. What of it is sound is returned with the error too, so that the answer can name it.
func parseFrame(text []byte) (f frame, err error) {
	var outer struct {
		Cmd  json.RawMessage `json:"cmd"`
		Args json.RawMessage `json:"args"`
		UUID json.RawMessage `json:"uuid"`
	}
	if !utf8.Valid(text) {
		return f, unusable("the frame is not UTF-8")
	}
	if trimmed := bytes.TrimSpace(text); len(trimmed) == 0 || trimmed[0] != '{' || json.Unmarshal(text, &outer) != nil {
		return f, unusable("the frame is not a JSON object")
	}
	if len(outer.UUID) > 0 {
		if _, err := scalar(outer.UUID); err != nil || len(outer.UUID) > maxWord {
			return f, unusable("uuid: not a short string")
		}
		f.UUID = outer.UUID
	}
	name, err := scalar(outer.Cmd)
	switch {
	case err != nil || len(name) > maxWord || !utf8.ValidString(name):
		return f, unusable("cmd: not a short string")
	case name == "":
		return f, unusable("missing parameter: cmd")
	}
	f.Cmd = name
	if isNull(outer.Args) {
		return f, nil
	}
	if err := json.Unmarshal(outer.Args, &f.args); err != nil {
		return f, unusable("args: not a JSON object")
	}
	return f, nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

var errScalar = errors.New("not a string, a number or a truth value")

// scalar reads a value as text, whatever type a client gave it; "" for null and for what is not there.
func scalar(raw json.RawMessage) (string, error) {
	if isNull(raw) {
		return "", nil
	}
	switch raw[0] {
	case '{', '[':
		return "", errScalar
	case '"':
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err
	}
	return string(raw), nil
}

// value reads an argument, the first of the names that is given; "" when none is. Blanks around it are cut off.
func (f *frame) value(names ...string) (string, error) {
	for _, name := range names {
		text, err := scalar(f.args[name])
		if err != nil {
			return "", unusable(name + ": " + err.Error())
		}
		if strings.ContainsFunc(text, isControl) {
			return "", unusable(name + " holds a control character")
		}
		if text = strings.TrimSpace(text); text != "" {
			return text, nil
		}
	}
	return "", nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// need is value for one that a command cannot do without.
func (f *frame) need(names ...string) (string, error) {
	text, err := f.value(names...)
	if err == nil && text == "" {
		err = unusable("missing parameter: " + names[0])
	}
	return text, err
}

// list reads an argument that is one value, several with commas, or a JSON list of them.
func (f *frame) list(names ...string) (list []string, err error) {
	for _, name := range names {
		var parts []json.RawMessage
		if raw := f.args[name]; len(raw) > 0 && raw[0] == '[' && json.Unmarshal(raw, &parts) == nil {
			for _, part := range parts {
				text, err := (&frame{args: map[string]json.RawMessage{name: part}}).value(name)
				if err != nil {
					return nil, err
				}
				list = append(list, text)
			}
		} else {
			text, err := f.value(name)
			if err != nil {
				return nil, err
			}
			if text != "" {
				list = strings.Split(text, ",")
			}
		}
		if len(list) > 0 {
			break
		}
	}
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	if len(list) == 0 {
		return nil, unusable("missing parameter: " + names[0])
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// commandReply answers a command; both names of its kind are in use by clients.
type commandReply struct {
	EventName string          `json:"event_name"`
	EventType string          `json:"event_type"`
	Cmd       string          `json:"cmd"`
	UUID      json.RawMessage `json:"uuid"`
	Code      int             `json:"code"`
	Result    string          `json:"result"`
}

// statusOf is the status of the outcome of a command.
func statusOf(err error) int {
	var e *httpd.Error
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &e):
		return e.Status
	}
	return http.StatusInternalServerError
}

// answer renders the outcome of a command.
func (f *frame) answer(result string, err error) []byte {
	r := commandReply{EventName: "command/reply", EventType: "command/reply", Cmd: f.Cmd, UUID: f.UUID, Code: http.StatusOK, Result: result}
	if r.UUID == nil {
		r.UUID = json.RawMessage(`""`)
	}
	if err != nil {
		var e *httpd.Error
		if !errors.As(err, &e) {
			e = &httpd.Error{Status: http.StatusInternalServerError, Message: "internal error"}
		}
		r.Code, r.Result = e.Status, e.Message
	}
	text, err := json.Marshal(r)
	if err != nil { // of an echoed uuid alone, which has been parsed
		return []byte(`{"event_name":"command/reply","event_type":"command/reply","cmd":"","uuid":"","code":500,"result":"internal error"}`)
	}
	return text
}
