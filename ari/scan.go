package ari

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// The functions of this file look at JSON without decoding it. Of text that is not JSON they may say anything, but they
// end, and allocate nothing.

// chars is the text that is looked at: the buffer of the reader, or a string.
type chars interface{ ~string | ~[]byte }

// blank returns the index of the first byte from i on that is no white space.
func blank[T chars](s T, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index behind the string that begins at i, -1 if it does not end.
func skipString[T chars](s T, i int) int {
	for i++; i < len(s); i++ {
		if c := s[i]; c == '"' {
			return i + 1
		} else if c == '\\' {
			i++
		}
	}
	return -1
}

// skipValue returns the index behind the value that begins at i, -1 if it does not end.
func skipValue[T chars](s T, i int) int {
	depth := 0
	for i < len(s) {
		switch s[i] {
		case '"':
			if i = skipString(s, i); i < 0 {
				return -1
			}
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		default:
			if i++; depth == 0 {
				return skipBare(s, i)
			}
			continue
		}
		if depth <= 0 {
			return i
		}
	}
	return -1
}

// skipBare returns the index behind a number, true, false or null that has begun before i.
func skipBare[T chars](s T, i int) int {
	for i < len(s) {
		switch s[i] {
		case ',', '}', ']', ' ', '\n', '\t', '\r':
			return i
		}
		i++
	}
	return i
}

// next finds the member of an object from i on, i being behind its brace or behind the member before. It returns the
// limits of the name, with quotes, and of the value; end is -1 at the object's end and -2 where it is broken.
func next[T chars](s T, i int) (name, nameEnd, value, end int) {
	if i = blank(s, i); i < len(s) && s[i] == ',' {
		i = blank(s, i+1)
	}
	if i >= len(s) || s[i] != '"' {
		if i < len(s) && s[i] == '}' {
			return 0, 0, 0, -1
		}
		return 0, 0, 0, -2
	}
	name = i
	if nameEnd = skipString(s, i); nameEnd < 0 {
		return 0, 0, 0, -2
	}
	if i = blank(s, nameEnd); i >= len(s) || s[i] != ':' {
		return 0, 0, 0, -2
	}
	value = blank(s, i+1)
	if end = skipValue(s, value); end < 0 || !begins(s[value]) {
		return 0, 0, 0, -2
	}
	return name, nameEnd, value, end
}

// begins reports whether a value can begin with c.
func begins(c byte) bool {
	switch c {
	case '"', '{', '[', '-', 't', 'f', 'n':
		return true
	}
	return '0' <= c && c <= '9'
}

// member returns the value of the first member of an object that is called name, as it is written; nothing when there
// is none. A name with an escape in it is not found: Asterisk writes none.
func member[T chars](object T, name string) T {
	var none T
	i := blank(object, 0)
	if i >= len(object) || object[i] != '{' {
		return none
	}
	for end := i + 1; ; {
		from, to, value, stop := next(object, end)
		if stop < 0 {
			return none
		}
		if to-from == len(name)+2 && string(object[from+1:to-1]) == name {
			return object[value:stop]
		}
		end = stop
	}
}

// walk shows the members of an object, values as they are written, and reports whether it was one to its end.
func walk(object string, see func(name, value string)) bool {
	i := blank(object, 0)
	if i >= len(object) || object[i] != '{' {
		return false
	}
	for end := i + 1; ; {
		from, to, value, stop := next(object, end)
		if stop < 0 {
			return stop == -1
		}
		see(plain(object[from:to]), object[value:stop])
		end = stop
	}
}

// elements shows the values of an array as they are written, and reports whether it was one.
func elements(array string, see func(value string)) bool {
	i := blank(array, 0)
	if i >= len(array) || array[i] != '[' {
		return false
	}
	for i++; ; {
		if i = blank(array, i); i < len(array) && array[i] == ',' {
			i = blank(array, i+1)
		}
		if i >= len(array) || array[i] == ']' {
			return i < len(array)
		}
		end := skipValue(array, i)
		if end < 0 || !begins(array[i]) {
			return false
		}
		see(array[i:end])
		i = end
	}
}

// inner returns what stands between the quotes of a string, nothing for any other value.
func inner[T chars](value T) T {
	if len(value) < 2 || value[0] != '"' {
		return value[:0]
	}
	return value[1 : len(value)-1]
}

// plain returns the text of a string, "" for any other value. It shares memory with the value where it can.
func plain(value string) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	if text := value[1 : len(value)-1]; !needsWork(text) {
		return text
	}
	var text string
	if json.Unmarshal([]byte(value), &text) != nil {
		return ""
	}
	return text
}

// needsWork reports whether a string has escapes in it, or is not ASCII and not UTF-8.
func needsWork(text string) bool {
	high := byte(0)
	for i := range len(text) {
		if text[i] == '\\' {
			return true
		}
		high |= text[i]
	}
	return high >= utf8.RuneSelf && !utf8.ValidString(text)
}

// number returns a whole number, 0 for any other value.
func number(value string) int {
	n, digits, sign := 0, value, 1
	if strings.HasPrefix(value, "-") {
		digits, sign = value[1:], -1
	}
	if len(digits) > 18 {
		return 0
	}
	for i := range len(digits) {
		d := digits[i] - '0'
		if d > 9 {
			return 0
		}
		n = 10*n + int(d)
	}
	return sign * n
}

// parseTime reads Asterisk's form, such as 2026-11-21T19:59:00.123+0000, into UTC. What is another form is the zero time.
func parseTime[T chars](s T) time.Time {
	const form = "0000-00-00T00:00:00.000+0000"
	if len(s) != len(form) {
		return time.Time{}
	}
	for i := range len(form) {
		digit := s[i]-'0' <= 9
		if form[i] == '0' && !digit || form[i] != '0' && s[i] != form[i] && (form[i] != '+' || s[i] != '-') {
			return time.Time{}
		}
	}
	two := func(i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }
	t := time.Date(two(0)*100+two(2), time.Month(two(5)), two(8), two(11), two(14), two(17),
		(two(20)*10+int(s[22]-'0'))*int(time.Millisecond), time.UTC)
	zone := time.Duration(two(24))*time.Hour + time.Duration(two(26))*time.Minute
	if s[23] == '-' {
		zone = -zone
	}
	return t.Add(-zone)
}
