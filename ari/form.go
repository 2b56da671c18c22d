package ari

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of Asterisk's HTTP server (main/http.c): a line, and a body.
const (
	maxTarget = 4096 - 100
	maxBody   = 40 << 10
)

// A form is the arguments of a call by name. What is zero is left out.
type form map[string]any

// check refuses what Asterisk, or who reads an event of it later, would take for something else.
func (f form) check(op string) error {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if reason := wrong(f[name]); reason != "" {
			return &ArgumentError{Op: op, Name: name, Reason: reason}
		}
	}
	return nil
}

// wrong says what is wrong with an argument, "" if nothing is.
func wrong(value any) string {
	switch v := value.(type) {
	case string:
		return unfit(v)
	case []string:
		for _, s := range v {
			if reason := unfit(s); reason != "" {
				return reason
			}
		}
	case map[string]string:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if reason := unfit(name + v[name]); reason != "" {
				return reason
			}
		}
	case []Attribute:
		for _, a := range v {
			if reason := unfit(a.Name + a.Value); reason != "" {
				return reason
			}
		}
	}
	return ""
}

// unfit says why a string must not go over the wire, "" if it may.
func unfit(s string) string {
	switch {
	case strings.ContainsAny(s, "\r\n\x00"):
		return "has a line end or a NUL in it"
	case !utf8.ValidString(s):
		return "is not UTF-8"
	}
	return ""
}

// zero reports whether an argument is left out.
func zero(value any) bool {
	switch v := value.(type) {
	case string:
		return v == ""
	case int:
		return v == 0
	case bool:
		return !v
	case []string:
		return len(v) == 0
	case map[string]string:
		return len(v) == 0
	}
	return false
}

// query returns the arguments with their question mark, "" if there are none.
func (f form) query() string {
	values := url.Values{}
	for name, value := range f {
		if !zero(value) {
			values.Set(name, fmt.Sprint(value))
		}
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + strings.ReplaceAll(values.Encode(), "+", "%20")
}

// body returns the arguments as JSON, nil if there are none.
func (f form) body(op string) ([]byte, error) {
	kept := map[string]any{}
	for name, value := range f {
		if !zero(value) {
			kept[name] = value
		}
	}
	if len(kept) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return nil, &ArgumentError{Op: op, Name: "body", Reason: "cannot be written as JSON"}
	}
	if len(text) > maxBody {
		return nil, &ArgumentError{Op: op, Name: "body", Reason: "is longer than asterisk takes"}
	}
	return text, nil
}

// target joins the segments of a path below the base, each escaped by itself: a segment may be any text, such as the
// name of a device with a slash in it.
func (c *Client) target(method string, path []string) (op, target string, err error) {
	op = method + " "
	var joined strings.Builder
	for _, segment := range path {
		if reason := unfitSegment(segment); reason != "" {
			return "", "", &ArgumentError{Op: op + joined.String() + "/...", Name: "path", Reason: reason}
		}
		// Asterisk takes a plus sign for a blank.
		joined.WriteString("/" + strings.ReplaceAll(url.PathEscape(segment), "+", "%2B"))
	}
	if c.base == nil {
		return "", "", &Error{Op: op + joined.String(), Outcome: ErrOffline, Cause: errURL}
	}
	return op + joined.String(), c.base.EscapedPath() + joined.String(), nil
}

// unfitSegment says why a segment cannot be part of a path, "" if it can. What climbs out of a folder is nobody's name.
func unfitSegment(segment string) string {
	if segment == "" {
		return "has an empty part"
	}
	for element := range strings.SplitSeq(segment, "/") {
		if element == "." || element == ".." {
			return "has a part that climbs"
		}
	}
	return unfit(segment)
}
