package ami

import (
	"context"
	"slices"
	"strings"
)

// Limits of Asterisk's own reader (main/manager.c): a line of 1023 bytes or more is refused, and so are more than
// 128 headers, Action and ActionID included.
const (
	maxLine   = 1022
	maxFields = 128
)

// A Field is one header: what stands before and behind the colon.
type Field struct {
	Name, Value string
}

// An Action is a command to Asterisk. The client adds the ActionID; Fields follow in their order, and names may
// repeat (Variable does).
type Action struct {
	Name   string
	Fields []Field
}

// NewAction makes an Action of a name and pairs of header name and value. An odd number of pairs is a mistake of the
// programmer and panics.
func NewAction(name string, nameValue ...string) Action {
	return Action{Name: name, Fields: pairs(nameValue)}
}

// pairs makes fields of names and values in turn.
func pairs(nameValue []string) []Field {
	if len(nameValue)%2 != 0 {
		panic("ami: a header name without a value")
	}
	fields := make([]Field, 0, len(nameValue)/2)
	for i := 0; i < len(nameValue); i += 2 {
		fields = append(fields, Field{nameValue[i], nameValue[i+1]})
	}
	return fields
}

// ParseAction reads an action as Asterisk would: of a message of the wire, its Action header as the name and all
// other headers, the ActionID too, as fields.
func ParseAction(m Message) Action {
	var a Action
	named := false
	for name, value := range m.All() {
		if !named && equalFold(name, "Action") {
			a.Name, named = value, true
			continue
		}
		a.Fields = append(a.Fields, Field{name, value})
	}
	return a
}

// With returns a copy of a with one more header at its end; a is not changed.
func (a Action) With(name, value string) Action {
	a.Fields = append(slices.Clip(a.Fields), Field{name, value}) // clipped, so that it is copied
	return a
}

// Get returns the value of the first header called name in any case, or "".
func (a Action) Get(name string) string {
	for _, f := range a.Fields {
		if equalFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Values returns the values of all headers called name in any case, in their order.
func (a Action) Values(name string) []string {
	var values []string
	for _, f := range a.Fields {
		if equalFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return values
}

// encode returns the action as it goes on the wire with id as its ActionID, or a *FieldError.
func (a Action) encode(id string) ([]byte, error) {
	if len(a.Fields)+2 > maxFields {
		return nil, &FieldError{Action: a.Name, Reason: "more than 128 headers"}
	}
	out := make([]byte, 0, 64+32*len(a.Fields))
	out, err := a.append(out, Field{"Action", a.Name})
	if err == nil {
		out, err = a.append(out, Field{"ActionID", id})
	}
	for _, f := range a.Fields {
		if err != nil {
			return nil, err
		}
		out, err = a.append(out, f)
	}
	if err != nil {
		return nil, err
	}
	return append(out, '\r', '\n'), nil
}

// append adds one line to out, unless Asterisk would read another line or more than one out of it.
func (a Action) append(out []byte, f Field) ([]byte, error) {
	reason := ""
	switch {
	case strings.ContainsAny(f.Name, "\r\n\x00"), strings.ContainsAny(f.Value, "\r\n\x00"):
		reason = "has a CR, LF or NUL"
	case f.Name == "", strings.IndexByte(f.Name, ':') >= 0:
		reason = "is no header name"
	case len(f.Name)+len(": ")+len(f.Value) > maxLine:
		reason = "is longer than 1022 bytes"
	}
	if reason != "" {
		return nil, &FieldError{Action: a.Name, Field: f.Name, Reason: reason}
	}
	out = append(out, f.Name...)
	out = append(out, ':', ' ')
	out = append(out, f.Value...)
	return append(out, '\r', '\n'), nil
}

type traceKey struct{}

// WithTrace returns a ctx under which every action gets the ActionID "id-N", where N counts all actions of the
// client, so that a request can be followed into Asterisk and back.
func WithTrace(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, traceKey{}, id)
}

// traceOf returns the id of WithTrace, or the client's own.
func traceOf(ctx context.Context) string {
	if id, ok := ctx.Value(traceKey{}).(string); ok && id != "" {
		return id
	}
	return "ami"
}
