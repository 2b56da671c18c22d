package conf

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// blanks is what may stand around a name, a value and a comment sign.
const blanks = " \t"

const byteOrderMark = "\uFEFF"

// entry is one "name = value" of the file, or of the environment.
type entry struct {
	section  string // lower case
	name     string // as written
	value    string
	line     int
	variable string
}

// scanner walks over the lines of one file and collects entries and faults.
type scanner struct {
	file      string
	section   string // the open one, "" before the first
	skip      bool   // inside a section that is not known
	known     []string
	opened    bool
	receivers []string       // names of [webhook NAME], in order
	heads     map[string]int // and the line in which each begins
	entries   []entry
	faults    []*Error
}

func (s *scanner) fail(line int, key, format string, args ...any) {
	section := s.section
	if s.skip {
		section = ""
	}
	s.faults = append(s.faults, &Error{File: s.file, Line: line, Section: section, Key: key, Reason: fmt.Sprintf(format, args...)})
}

// scan reads the whole text. A line with a fault is reported and left out.
func (s *scanner) scan(text string) {
	text = strings.TrimPrefix(text, byteOrderMark)
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if fault := unclean(line); fault != "" {
			s.fail(number, "", "the line %s; write plain UTF-8 text", fault)
			continue
		}
		line = strings.Trim(uncomment(line), blanks)
		switch {
		case line == "":
		case line[0] == '[':
			s.open(line, number)
		default:
			s.pair(line, number)
		}
	}
}

// unclean says what makes a line no text, "" for a good line.
func unclean(line string) string {
	if !utf8.ValidString(line) {
		return "is not UTF-8"
	}
	for _, r := range line {
		switch {
		case r == 0:
			return "holds a NUL byte"
		case r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0:
			return fmt.Sprintf("holds the control character U+%04X", r)
		}
	}
	return ""
}

// uncomment cuts a comment: a sign at the start of the line or after a blank.
func uncomment(line string) string {
	for i := range len(line) {
		if (line[i] == '#' || line[i] == ';') && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return line[:i]
		}
	}
	return line
}

func (s *scanner) open(line string, number int) {
	s.opened, s.skip, s.section = true, true, ""
	name, rest, closed := strings.Cut(line[1:], "]")
	if !closed || rest != "" {
		s.fail(number, "", "the section is not closed; write [NAME] alone on the line")
		return
	}
	name = strings.ToLower(strings.Trim(name, blanks))
	if first, second, named := strings.Cut(name, " "); named && first == webhookSection {
		s.openReceiver(strings.Trim(second, blanks), number)
		return
	}
	for _, known := range s.known {
		if name == known {
			s.section, s.skip = name, false
			return
		}
	}
	s.fail(number, "", "unknown section [%s]; the nearest is [%s]", shorten(name), nearest(name, s.known))
}

// nameForm keeps a line that lacks its "=" in the right place, and may hold a
// secret, from being shown as if it were a name.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

func (s *scanner) pair(line string, number int) {
	name, value, found := strings.Cut(line, "=")
	name, value = strings.Trim(name, blanks), strings.Trim(value, blanks)
	switch {
	case s.skip:
	case !found:
		s.fail(number, "", "the line has no =; write KEY = VALUE, [SECTION] or # COMMENT")
	case len(name) > 79 || !nameForm.MatchString(name):
		s.fail(number, "", "what stands before the = is no name; write KEY = VALUE")
	case !s.opened:
		s.fail(number, shorten(name), "stands before the first section; write [general] above it")
	case quoted(value):
		s.fail(number, shorten(name), "the quotes would be part of the value; leave them out")
	default:
		s.entries = append(s.entries, entry{section: s.section, name: name, value: value, line: number})
	}
}

func quoted(v string) bool {
	return len(v) >= 2 && (v[0] == '"' || v[0] == '\'') && v[len(v)-1] == v[0]
}

func shorten(name string) string {
	if len(name) <= 60 {
		return name
	}
	return strings.ToValidUTF8(name[:60], "") + "..."
}
