package etc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// maxDepth is how deep files may include each other: Asterisk's own bound.
const maxDepth = 10

// Section is the head of a section where Asterisk reads it: [Name]. A [Name](+) adds to an earlier one and is none. Asterisk does not
// tell upper from lower case in a name.
type Section struct {
	Name string
	File string // its whole path
	Line int
}

// Entry is one "name = value". The value is without its comment.
type Entry struct {
	Section, Name, Value string
	File                 string
	Line                 int
}

// Include is one #include or #tryinclude.
type Include struct {
	Pattern string // as written
	File    string // where it stands
	Section string // in which it stands, "" before the first
	Opened  []string
}

// Tree is a configuration file of Asterisk and all that it includes, in the order in which Asterisk reads it.
type Tree struct {
	Dir      string
	Files    []string // whole paths, the file itself first
	Sections []Section
	Entries  []Entry
	Includes []Include // Opened are the sections that there are before it
	Exec     bool      // a part of it is made by a program (#exec), which is not run here

	// Endless are the comments (";--") that have no end, and ends ("--;") that have no beginning: both swallow what is added below them.
	Endless []Place

	section string
	over    map[string]string
}

// Read reads the file name of Asterisk's configuration folder. A file that is included and not there is passed over, as
// it is no concern of who wants to add to the file.
func Read(dir, name string) (*Tree, error) { return ReadWith(dir, name, nil) }

// ReadWith reads what Read would read if the files of over, by their whole paths, had these texts already.
func ReadWith(dir, name string, over map[string]string) (*Tree, error) {
	t := &Tree{Dir: dir, over: over}
	state := &comments{}
	if err := t.read(filepath.Join(dir, name), 0, state); err != nil {
		return nil, err
	}
	t.Endless = append(t.Endless, state.open...)
	return t, nil
}

// maxSize bounds a file of Asterisk: who may write in its folder could have this program, which root runs, read a device for ever.
const maxSize = 64 << 20

// ErrOdd says that what is included is no file to be read: a pipe, a device, a folder, or one of more than 64 MiB.
var ErrOdd = errors.New("is no file that can be read in full")

// readText reads a whole file, and never waits for who would write into a pipe.
func readText(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSize {
		return nil, fmt.Errorf("%s %w", path, ErrOdd)
	}
	return io.ReadAll(io.LimitReader(f, maxSize))
}

// text is that of a file.
func (t *Tree) text(path string) (string, error) {
	if text, given := t.over[path]; given {
		return text, nil
	}
	text, err := readText(path)
	return string(text), err
}

func (t *Tree) read(path string, depth int, state *comments) error {
	text, err := t.text(path)
	if err != nil {
		return err
	}
	t.Files = append(t.Files, path)
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(state.cut(line, Place{path, number}))
		switch {
		case line == "":
		case line[0] == '#':
			if err := t.directive(path, line, depth); err != nil {
				return err
			}
		case line[0] == '[':
			t.open(path, number, line)
		case strings.Contains(line, "="): // Asterisk passes over other lines, with a warning
			name, value, _ := strings.Cut(line, "=")
			value = strings.TrimSpace(strings.TrimPrefix(value, ">"))
			t.Entries = append(t.Entries, Entry{Section: t.section, Name: strings.TrimSpace(name), Value: value, File: path, Line: number})
		}
	}
	return nil
}

func (t *Tree) open(path string, number int, line string) {
	name, options, _ := strings.Cut(line[1:], "]")
	t.section = strings.TrimSpace(name)
	for _, option := range strings.Split(strings.Trim(strings.TrimSpace(options), "()"), ",") {
		t.inherit(strings.TrimSpace(option))
	}
	if strings.Contains(options, "+") && t.Has(t.section) {
		return
	}
	t.Sections = append(t.Sections, Section{Name: t.section, File: path, Line: number})
}

// inherit gives the open section what its template has so far, as Asterisk does.
func (t *Tree) inherit(template string) {
	if template == "" || template == "!" || template == "+" || strings.EqualFold(template, t.section) {
		return
	}
	for _, e := range slices.Clone(t.Entries) {
		if strings.EqualFold(e.Section, template) {
			e.Section = t.section
			t.Entries = append(t.Entries, e)
		}
	}
}

func (t *Tree) directive(path, line string, depth int) error {
	word, rest, _ := strings.Cut(line[1:], " ")
	if i := strings.IndexAny(line[1:], " \t"); i > 0 {
		word, rest = line[1:1+i], line[1+i:]
	}
	switch strings.ToLower(word) {
	case "exec":
		t.Exec = true
		return nil
	case "include", "tryinclude":
	default:
		return nil
	}
	pattern := strings.Trim(strings.TrimSpace(rest), `"<>`)
	include := Include{Pattern: pattern, File: path, Section: t.section}
	for _, s := range t.Sections {
		include.Opened = append(include.Opened, s.Name)
	}
	t.Includes = append(t.Includes, include)
	if depth+1 >= maxDepth {
		return fmt.Errorf("%s: files include each other more than %d deep", path, maxDepth)
	}
	matches, err := t.matches(pattern)
	if err != nil {
		return fmt.Errorf("%s: #include %s: %w", path, pattern, err)
	}
	state := &comments{}
	for _, m := range matches {
		if err := t.read(m, depth+1, state); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrOdd) {
			return err
		}
	}
	t.Endless = append(t.Endless, state.open...)
	return nil
}

// matches lists the files that a pattern means, in the order in which Asterisk reads them.
func (t *Tree) matches(pattern string) ([]string, error) {
	list, err := filepath.Glob(t.path(pattern))
	for path := range t.over {
		if t.means(pattern, path) && !slices.Contains(list, path) {
			list = append(list, path)
		}
	}
	list = slices.DeleteFunc(list, func(path string) bool { return !t.means(pattern, path) })
	slices.Sort(list)
	return list, err
}

// means reports whether a pattern names a file. A "*" does not name one that begins with a dot.
func (t *Tree) means(pattern, path string) bool {
	ok, err := filepath.Match(t.path(pattern), path)
	hidden := strings.HasPrefix(filepath.Base(path), ".") && !strings.HasPrefix(filepath.Base(pattern), ".")
	return ok && err == nil && !hidden
}

func (t *Tree) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(t.Dir, name)
}

// Has reports whether there is a section of the name.
func (t *Tree) Has(section string) bool {
	_, ok := t.Find(section)
	return ok
}

// Find returns the head of a section.
func (t *Tree) Find(section string) (Section, bool) {
	i := slices.IndexFunc(t.Sections, func(s Section) bool { return strings.EqualFold(s.Name, section) })
	if i < 0 {
		return Section{}, false
	}
	return t.Sections[i], true
}

// Value returns what a name is set to, "" where it is not set. Of several lines the last one counts, as in Asterisk's own
// reading of its settings.
func (t *Tree) Value(section, name string) string {
	for _, e := range slices.Backward(t.Entries) {
		if strings.EqualFold(e.Section, section) && strings.EqualFold(e.Name, name) {
			return e.Value
		}
	}
	return ""
}

// True reports whether a value is one that Asterisk takes for yes.
func True(value string) bool {
	return slices.Contains([]string{"yes", "true", "y", "t", "1", "on"}, strings.ToLower(value))
}

// Including returns the first include that reaches a file, which need not be there yet.
func (t *Tree) Including(file string) (Include, bool) {
	for _, i := range t.Includes {
		if t.means(i.Pattern, t.path(file)) {
			return i, true
		}
	}
	return Include{}, false
}
