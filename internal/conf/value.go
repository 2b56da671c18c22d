package conf

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a small box or a bare container has no zone files, and dates of events must not depend on that
)

// value is a typed field: it takes the text of the file and gives it back.
type value interface {
	// set fills the field; the error says what the text is and what would be right.
	set(text string) error
	// text is the field in the form of the file, secrets included.
	text() string
}

// masked is a value that must not be shown in full.
type masked interface {
	masked() string
}

var errEmpty = errors.New("is empty; write a value or leave the line out")

// wrong says what the text is and what would be right, in one form for all types.
func wrong(text, is, want string) error {
	if text == "" {
		return errEmpty
	}
	return fmt.Errorf("%s %s; write %s", quote(text), is, want)
}

// quote shows at most 60 bytes of a value, so that one line of log stays one line.
func quote(text string) string {
	if len(text) > 60 {
		return strconv.Quote(text[:60]) + "..."
	}
	return strconv.Quote(text)
}

type text struct{ target *string }

func (v text) set(t string) error { *v.target = t; return nil }
func (v text) text() string       { return *v.target }

type secret struct{ target *Secret }

func (v secret) set(t string) error { *v.target = Secret(t); return nil }
func (v secret) text() string       { return string(*v.target) }
func (v secret) masked() string     { return v.target.String() }

type secrets struct{ target *[]Secret }

func (v secrets) set(t string) error {
	*v.target = nil
	if t == "" {
		return nil
	}
	for part := range strings.SplitSeq(t, ",") {
		part = strings.Trim(part, blanks)
		if part == "" {
			return errors.New("has an empty secret in its list; write SECRET or NEW, OLD")
		}
		*v.target = append(*v.target, Secret(part))
	}
	return nil
}

func (v secrets) text() string {
	list := make([]string, len(*v.target))
	for i, s := range *v.target {
		list[i] = string(s)
	}
	return strings.Join(list, ", ")
}

func (v secrets) masked() string {
	if len(*v.target) == 0 {
		return ""
	}
	return mask
}

type yesNo struct{ target *bool }

func (v yesNo) set(t string) error {
	switch strings.ToLower(t) {
	case "yes", "true", "on", "1":
		*v.target = true
	case "no", "false", "off", "0":
		*v.target = false
	default:
		return wrong(t, "is neither yes nor no", "yes or no")
	}
	return nil
}

func (v yesNo) text() string {
	if *v.target {
		return "yes"
	}
	return "no"
}

// count is a whole number from 1 to most.
type count struct {
	target *int
	most   int
}

func (v count) set(t string) error {
	n, err := strconv.Atoi(t)
	if err != nil || n < 1 || n > v.most {
		return wrong(t, "is not a number in range", fmt.Sprintf("a number from 1 to %d", v.most))
	}
	*v.target = n
	return nil
}

func (v count) text() string { return strconv.Itoa(*v.target) }

// choice is one of a few words; it takes the spelling of the list.
type choice struct {
	target  *string
	allowed []string
}

func (v choice) set(t string) error {
	i := slices.IndexFunc(v.allowed, func(s string) bool { return strings.EqualFold(s, t) })
	if i < 0 {
		return wrong(t, "is unknown", strings.Join(v.allowed, " or "))
	}
	*v.target = v.allowed[i]
	return nil
}

func (v choice) text() string { return *v.target }

// pattern is a regular expression; RE2, so none can hang the daemon.
type pattern struct{ target **regexp.Regexp }

func (v pattern) set(t string) error {
	if t == "" {
		return errEmpty
	}
	compiled, err := regexp.Compile(t)
	if err != nil {
		return wrong(t, "is no regular expression"+reason(err), "one in RE2 form, such as ^[0-9]{2,6}$")
	}
	*v.target = compiled
	return nil
}

// reason keeps the code of a pattern's fault and drops its text, which may be long.
func reason(err error) string {
	var fault *syntax.Error
	if errors.As(err, &fault) {
		return " (" + fault.Code.String() + ")"
	}
	return ""
}

func (v pattern) text() string { return (*v.target).String() }

var wordForm = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

func isWord(t string) bool { return len(t) <= 79 && wordForm.MatchString(t) }

// word is a name that goes into Asterisk: a dialplan context, a Stasis application.
type word struct {
	target *string
	empty  bool // may be empty
}

func (v word) set(t string) error {
	if !isWord(t) && (t != "" || !v.empty) {
		return wrong(t, "is no name", "1 to 79 letters, digits, dots, dashes or underscores")
	}
	*v.target = t
	return nil
}

func (v word) text() string { return *v.target }

// template is the interface of an agent, with {tech} and {exten} in it.
type template struct{ target *string }

func (v template) set(t string) error {
	rest := strings.NewReplacer("{tech}", "", "{exten}", "").Replace(t)
	if !strings.Contains(t, "{exten}") || strings.ContainsAny(rest, "{}, \t|&") {
		return wrong(t, "is no interface", "one with {exten} and, where wanted, {tech}: {tech}/{exten} or Local/{exten}@from-queue/n")
	}
	*v.target = t
	return nil
}

func (v template) text() string { return *v.target }

// path is a file or folder; it is not looked at here.
type path struct {
	target *string
	empty  bool // may be empty
}

func (v path) set(t string) error {
	if t == "" && !v.empty {
		return errEmpty
	}
	*v.target = t
	return nil
}

func (v path) text() string { return *v.target }

// folders are absolute paths, as Asterisk names them.
type folders struct{ target *[]string }

func (v folders) set(t string) error {
	*v.target = nil
	for part := range strings.SplitSeq(t, ",") {
		part = strings.Trim(part, blanks)
		if !strings.HasPrefix(part, "/") || filepath.Clean(part) == "/" || strings.Contains(part+"/", "/../") {
			return wrong(part, "is no folder", "absolute paths with commas, such as /var/lib/asterisk/sounds")
		}
		*v.target = append(*v.target, filepath.Clean(part))
	}
	return nil
}

func (v folders) text() string { return strings.Join(*v.target, ", ") }

// mac is a hardware address of six bytes, kept as written.
type mac struct{ target *string }

func (v mac) set(t string) error {
	if parsed, err := net.ParseMAC(t); t != "" && (err != nil || len(parsed) != 6) {
		return wrong(t, "is no hardware address", "six bytes such as 68:69:2e:03:8b:3e")
	}
	*v.target = t
	return nil
}

func (v mac) text() string { return *v.target }

// zone is an IANA time zone; empty is the system's.
type zone struct{ target **time.Location }

func (v zone) set(t string) error {
	if t == "" || strings.EqualFold(t, "local") {
		*v.target = time.Local
		return nil
	}
	location, err := time.LoadLocation(t)
	if err != nil {
		return wrong(t, "is no time zone", "a name such as Europe/Berlin or UTC, or nothing for the system's")
	}
	*v.target = location
	return nil
}

func (v zone) text() string {
	if *v.target == time.Local {
		return ""
	}
	return (*v.target).String()
}
