package httpd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// document is the OpenAPI document: the server's own part and those of the dialects, merged when it is first asked for.
type document struct {
	parts [][]byte
	once  sync.Once
	text  []byte
	err   error
}

func (d *document) merged() ([]byte, error) {
	d.once.Do(func() { d.text, d.err = merge(d.parts) })
	return d.text, d.err
}

// merge puts the parts into the first one, in their order.
func merge(parts [][]byte) ([]byte, error) {
	var whole object
	if err := json.Unmarshal(parts[0], &whole); err != nil {
		return nil, err
	}
	for i, part := range parts[1:] {
		var next object
		if err := json.Unmarshal(part, &next); err != nil {
			return nil, fmt.Errorf("part %d: %w", i+2, err)
		}
		for _, m := range next {
			if err := whole.take(m); err != nil {
				return nil, fmt.Errorf("part %d: %w", i+2, err)
			}
		}
	}
	return json.Marshal(whole)
}

// member is a name and a value of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// object is a JSON object that keeps the order of its members, in which the page shows them.
type object []member

// UnmarshalJSON implements [json.Unmarshaler].
func (o *object) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return errors.Join(errors.New("no JSON object"), err)
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		m := member{name: fmt.Sprint(token)}
		if err := d.Decode(&m.value); err != nil {
			return err
		}
		*o = append(*o, m)
	}
	return nil
}

// MarshalJSON implements [json.Marshaler].
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// find returns the member of a name, nil without one.
func (o object) find(name string) *member {
	for i := range o {
		if o[i].name == name {
			return &o[i]
		}
	}
	return nil
}

// take puts one member of a part into the document: lists are joined, and so are objects, whose members must have
// names of their own.
func (o *object) take(m member) error {
	old := o.find(m.name)
	switch {
	case old == nil:
		*o = append(*o, m)
		return nil
	case m.name == "tags":
		return old.join(m)
	case m.name == "paths", m.name == "webhooks":
		return old.unite(m, false)
	case m.name == "components":
		return old.unite(m, true)
	}
	return fmt.Errorf("%s is not for a dialect to say", m.name)
}

func (old *member) join(m member) error {
	var list, more []json.RawMessage
	if err := errors.Join(json.Unmarshal(old.value, &list), json.Unmarshal(m.value, &more)); err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	value, err := json.Marshal(append(list, more...))
	old.value = value
	return err
}

// unite adds the members of an object; deep does the same one level further down.
func (old *member) unite(m member, deep bool) error {
	var have, more object
	if err := errors.Join(json.Unmarshal(old.value, &have), json.Unmarshal(m.value, &more)); err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	for _, sub := range more {
		twin := have.find(sub.name)
		switch {
		case twin == nil:
			have = append(have, sub)
		case !deep:
			return fmt.Errorf("%s: %s is there already", m.name, sub.name)
		default:
			if err := twin.unite(sub, false); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
		}
	}
	value, err := json.Marshal(have)
	old.value = value
	return err
}
