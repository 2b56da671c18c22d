package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// MaxFile is the largest configuration file that is read, in bytes.
const MaxFile = 1 << 20

// Load reads the file and lays the environment (as of [os.Environ]) over it. The
// error is one or more [*Error] values, joined in the order of the file.
func Load(path string, environ []string) (*Config, error) {
	content, fault := read(path)
	if fault != "" || content.err != nil {
		return nil, &Error{File: path, Reason: fault, Err: content.err}
	}
	return Parse(path, content.text, environ)
}

type content struct {
	text []byte
	err  error
}

// read returns the bytes of the file, or what is wrong with it.
func read(path string) (content, string) {
	file, err := os.Open(path)
	if err != nil {
		return content{err: err}, unreadable(err)
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return content{}, "is a directory; name the file in it"
	}
	text, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err != nil {
		return content{err: err}, unreadable(err)
	}
	if len(text) > MaxFile {
		return content{}, fmt.Sprintf("is larger than %d bytes; this is no configuration file", MaxFile)
	}
	return content{text: text}, ""
}

// unreadable words an error of the file system without repeating the path.
func unreadable(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return "cannot be read: " + err.Error()
}

// Parse reads the text of a configuration; file is its name in faults. An empty
// text gives the defaults.
func Parse(file string, text []byte, environ []string) (*Config, error) {
	c := &Config{}
	s := &scanner{file: file, known: sections(c.keys())}
	s.scan(string(text))
	for _, name := range s.receivers {
		c.Receivers = append(c.Receivers, Receiver{Name: name})
	}
	table := c.keys()
	for _, k := range table {
		if err := k.value.set(k.preset); err != nil {
			return nil, &Error{File: file, Section: k.section, Key: k.name, Reason: "default: " + err.Error()}
		}
	}
	origin := c.apply(s, table)
	s.faults = append(s.faults, c.overlay(table, environ, origin)...)
	if err := c.inherit(table, origin); err != nil {
		return nil, &Error{File: file, Reason: err.Error()}
	}
	s.faults = append(s.faults, c.crossCheck(file, origin)...)
	s.faults = append(s.faults, s.withoutURL(c, origin)...)
	if len(s.faults) > 0 {
		return nil, join(s.faults)
	}
	c.complete()
	return c, nil
}

// sections lists the known sections in the order of the table.
func sections(table []key) []string {
	var list []string
	for _, k := range table {
		if !slices.Contains(list, k.section) {
			list = append(list, k.section)
		}
		if k.section == "ola" && !slices.Contains(list, gatewaySection) {
			list = append(list, gatewaySection, overlaySection)
		}
		if k.section == "calls" && !slices.Contains(list, ivrSection) {
			list = append(list, ivrSection)
		}
	}
	return list
}

// place is where the value of a key comes from.
type place struct {
	line     int
	variable string
	bad      bool
}

// apply puts the entries of the file into their fields and returns where each
// key (section.name in lower case) was set.
func (c *Config) apply(s *scanner, table []key) map[string]place {
	origin := make(map[string]place)
	for _, e := range s.entries {
		id := e.section + "." + strings.ToLower(e.name)
		if e.section == ivrSection {
			id = e.section + "." + e.name // contexts are as Asterisk has them, with their case
		}
		if e.section == gatewaySection || e.section == overlaySection {
			id = e.section + "." + e.name // and so are trunk groups, as their clients name them, and queues
		}
		s.section, s.skip = e.section, false
		if first, twice := origin[id]; twice {
			s.fail(e.line, e.name, "is set twice, in line %d and in line %d; keep one of them", first.line, e.line)
			continue
		}
		fault := c.assign(e, table)
		origin[id] = place{line: e.line, bad: fault != nil}
		if fault != nil {
			fault.File = s.file
			s.faults = append(s.faults, fault)
		}
	}
	return origin
}

// assign sets the field of one entry.
func (c *Config) assign(e entry, table []key) *Error {
	fault := &Error{Line: e.line, Variable: e.variable, Section: e.section, Key: e.name}
	if e.section == ivrSection {
		return c.addMenu(e, fault)
	}
	if e.section == gatewaySection {
		return c.addGateway(e, fault)
	}
	if e.section == overlaySection {
		return c.addOverlay(e, fault)
	}
	i := slices.IndexFunc(table, func(k key) bool { return k.section == e.section && strings.EqualFold(k.name, e.name) })
	if i < 0 {
		fault.Key, fault.Reason = shorten(e.name), "unknown key; the nearest is "+suggest(e, table)
		return fault
	}
	fault.Key = table[i].name
	if err := table[i].value.set(e.value); err != nil {
		fault.Reason = err.Error()
		return fault
	}
	return nil
}

// suggest names the key that was probably meant: the same name in another
// section before a like name in this one.
func suggest(e entry, table []key) string {
	var own []string
	for _, k := range table {
		if strings.EqualFold(k.name, e.name) {
			return fmt.Sprintf("%s, which belongs into [%s]", k.name, k.section)
		}
		if k.section == e.section {
			own = append(own, k.name)
		}
	}
	return nearest(e.name, own)
}
