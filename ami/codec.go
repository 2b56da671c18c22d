package ami

import (
	"bytes"
	"encoding/binary"
	"strings"
)

const (
	eventPrefix    = "Event: "
	responsePrefix = "Response: "
)

// text is what a header can be looked up in: a message that is owned, or one that is still in the read buffer.
type text interface{ ~string | ~[]byte }

// cutLine returns the first line of s without its CR LF, and what follows. A lone CR or LF is part of the line.
func cutLine(s string) (line, rest string) {
	for from := 0; ; {
		i := strings.IndexByte(s[from:], '\r')
		if i < 0 {
			return s, ""
		}
		from += i + 1
		if from < len(s) && s[from] == '\n' {
			return s[:from-1], s[from+1:]
		}
	}
}

// splitLine returns the name and the value of a line; a line without a colon, or with nothing before it, has no name.
func splitLine(line string) (name, value string) {
	i := strings.IndexByte(line, ':')
	if i <= 0 {
		return "", line
	}
	return line[:i], strings.TrimPrefix(line[i+1:], " ")
}

// lookup returns the value of the first line of s whose name is name in any case. name must not be empty.
func lookup(s, name string) (string, bool) {
	for begin := 0; ; {
		if colon := begin + len(name); colon < len(s) && s[colon] == ':' && equalFold(s[begin:colon], name) {
			line, _ := cutLine(s[colon+1:])
			return strings.TrimPrefix(line, " "), true
		}
		// To the beginning of the next line: behind a LF that has a CR before it.
		for {
			i := strings.IndexByte(s[begin:], '\n')
			if i < 0 {
				return "", false
			}
			if begin += i + 1; begin > 1 && s[begin-2] == '\r' {
				break
			}
		}
	}
}

// find is lookup in the read buffer; it copies nothing. The value of a header that is there is never nil.
func find(message []byte, name string) []byte {
	for len(message) > 0 {
		n := lineLen(message)
		if isNamed(message[:n], name) {
			return bytes.TrimPrefix(message[len(name)+1:n:n], []byte(" "))
		}
		message = message[min(n+len(lineEnd), len(message)):]
	}
	return nil
}

var lineEnd = []byte("\r\n")

// isNamed reports whether name, in any case, stands before the first colon of a line.
func isNamed[T text](line T, name string) bool {
	return len(line) > len(name) && line[len(name)] == ':' && equalFold(line[:len(name)], name)
}

// equalFold reports whether a and b are equal but for the case of ASCII letters: header names are bytes, not text.
func equalFold[T text](a T, b string) bool {
	if len(a) != len(b) {
		return false
	}
	if string(a) == b {
		return true
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// isResponse reports whether a message starts as the answer to an action.
func isResponse[T text](s T) bool {
	return len(s) >= len(responsePrefix) && string(s[:len(responsePrefix)]) == responsePrefix
}

// isEvent reports whether a message starts as an event.
func isEvent[T text](s T) bool {
	return len(s) >= len(eventPrefix) && string(s[:len(eventPrefix)]) == eventPrefix
}

// messageEnd returns the index of the first CR LF CR LF in b, or -1. Any four bytes in a row hold one byte whose
// index is 3 modulo 4, so only those are looked at, two in a word: 2 to 3 times faster than bytes.Index here.
func messageEnd(b []byte) int {
	const (
		high = 0xE0_000000_E0_000000 // bits that no control character has, in bytes 3 and 7
		one  = 0x20_000000_20_000000
		sign = 0x80_000000_80_000000
	)
	i := 0
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		// A byte whose high bits are 000 is a control character: clear lanes are found by borrowing from them.
		v := x & high
		if ((v-one)&^v)&sign == 0 {
			continue
		}
		if at := endAround(b, i+3); at >= 0 {
			return at
		}
		if at := endAround(b, i+7); at >= 0 {
			return at
		}
	}
	for i += 3; i < len(b); i += 4 {
		if at := endAround(b, i); at >= 0 {
			return at
		}
	}
	return -1
}

// endAround returns the index of the CR LF CR LF that has the byte at p, the lower one if there are two, or -1.
func endAround(b []byte, p int) int {
	var at int
	switch b[p] {
	case '\n':
		at = p - 3
	case '\r':
		at = p - 2
	default:
		return -1
	}
	for ; at <= p; at += 2 {
		if at >= 0 && at+4 <= len(b) && string(b[at:at+4]) == "\r\n\r\n" {
			return at
		}
	}
	return -1
}
