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

// messageEnd returns the index of the first CR LF CR LF in b, or -1. Nothing but the end of a message has three control
// characters in a row, so those are looked for, eight bytes at a time. Steps of seven bytes are enough: of four in a row
// three lie in one of them. It takes about half the time of bytes.Index here.
func messageEnd(b []byte) int {
	const step = 4 * 7
	i := 0
	for ; i+step+1 <= len(b); i += step {
		w := b[i : i+step+1 : i+step+1]
		found := threeControls(binary.LittleEndian.Uint64(w)) | threeControls(binary.LittleEndian.Uint64(w[7:])) |
			threeControls(binary.LittleEndian.Uint64(w[14:])) | threeControls(binary.LittleEndian.Uint64(w[21:]))
		if found == 0 {
			continue
		}
		// Four that begin before i may have their three at i, and the last three may be followed by the fourth.
		from := max(i-1, 0)
		if at := bytes.Index(b[from:min(i+step+2, len(b))], messageTail); at >= 0 {
			return from + at
		}
	}
	from := max(i-1, 0)
	if at := bytes.Index(b[from:], messageTail); at >= 0 {
		return from + at
	}
	return -1
}

var messageTail = []byte("\r\n\r\n")

// threeControls is not zero when three bytes in a row of x are below 0x20.
func threeControls(x uint64) uint64 {
	const (
		low  = 0x7F7F7F7F_7F7F7F7F
		fill = 0x60606060_60606060 // makes 0x20 and more have the highest bit
		high = 0x80808080_80808080
	)
	v := ^(x&low + fill | x) & high
	return v & (v >> 8) & (v >> 16)
}
