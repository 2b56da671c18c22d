package httpd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

var errNested = errors.New("value is an object or a list of lists")

// addJSON takes the members of a JSON object. It walks over the tokens itself,
// because a decoder into a map would let the last of two equal names win.
func (p Params) addJSON(body []byte) error {
	if !utf8.Valid(body) {
		return bad("the JSON body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\uFEFF"))))
	d.UseNumber()
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return bad("the body is no JSON object")
	}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return bad("the body is no JSON object")
		}
		if err := p.addMember(d, name); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return bad("the body is no JSON object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad("something follows the JSON object in the body")
	}
	return nil
}

func (p Params) addMember(d *json.Decoder, name string) error {
	token, err := d.Token()
	if err != nil {
		return bad("the body is no JSON object")
	}
	if token == nil {
		return nil
	}
	value, err := scalar(token)
	if token == json.Delim('[') {
		value, err = joined(d)
	}
	if errors.Is(err, errNested) {
		return bad("%s is a JSON value of a kind that is not understood here", show(name))
	}
	if err != nil {
		return bad("the body is no JSON object")
	}
	return p.add(name, value)
}

// scalar is the text of a string, number or boolean.
func scalar(token json.Token) (string, error) {
	switch v := token.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		if v {
			return "true", nil
		}
		return "false", nil
	}
	return "", errNested
}

// joined reads the rest of a list of scalars.
func joined(d *json.Decoder) (string, error) {
	var parts []string
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return "", err
		}
		part, err := scalar(token)
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	_, err := d.Token()
	return strings.Join(parts, ","), err
}
