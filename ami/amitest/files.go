package amitest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/dialbridge/dialbridge/ami"
)

// Files are configuration files that GetConfig, CreateConfig and UpdateConfig read and write as Asterisk 16 and 22 do; captured in
// FACTS of the lab. Templates are categories that nothing inherits from here.
type Files struct {
	mu      sync.Mutex
	content map[string][]section
}

// section is a category of a file.
type section struct {
	name     string
	template bool
	lines    []ami.Field
}

// ServeFiles answers the actions about configuration files. The files of these names exist and are empty.
func (s *Server) ServeFiles(names ...string) *Files {
	f := &Files{content: map[string][]section{}}
	for _, name := range names {
		f.content[name] = nil
	}
	s.Handle("GetConfig", f.get)
	s.Handle("CreateConfig", f.create)
	s.Handle("UpdateConfig", f.update)
	return f
}

// Put writes a category by hand, with its lines as names and values, in the place of one of that name.
func (f *Files) Put(file, category string, nameValue ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.content[file] = append(without(f.content[file], category), section{name: category, lines: ami.NewAction("", nameValue...).Fields})
}

// PutTemplate is Put for a template.
func (f *Files) PutTemplate(file, category string, nameValue ...string) {
	f.Put(file, category, nameValue...)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.content[file][len(f.content[file])-1].template = true
}

// Delete removes a category by hand, the whole file when category is "".
func (f *Files) Delete(file, category string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if category == "" {
		delete(f.content, file)
		return
	}
	f.content[file] = without(f.content[file], category)
}

// Value returns the last line of a name in a category, "" for none.
func (f *Files) Value(file, category, name string) (value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.content[file] {
		for _, l := range c.lines {
			if c.name == category && l.Name == name {
				value = l.Value
			}
		}
	}
	return value
}

// Categories lists the names of a file's categories in their order.
func (f *Files) Categories(file string) (names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.content[file] {
		names = append(names, c.name)
	}
	return names
}

func without(list []section, name string) (left []section) {
	for _, c := range list {
		if c.name != name {
			left = append(left, c)
		}
	}
	return left
}

func (f *Files) get(s *Session, a ami.Action) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list, ok := f.content[a.Get("Filename")]
	if !ok {
		s.Respond(a, "Error", "Message", "Config file not found")
		return
	}
	wanted, filter := a.Get("Category"), a.Get("Filter")
	templates := strings.HasPrefix(filter, "TEMPLATES=")
	name, pattern, _ := strings.Cut(filter, "=")
	var fields []string
	n := 0
	for _, c := range list {
		matches := filter == "" || templates
		for _, l := range c.lines {
			matches = matches || l.Name == name && regexp.MustCompile(pattern).MatchString(l.Value)
		}
		if c.template != templates || wanted != "" && c.name != wanted || !matches {
			continue
		}
		fields = append(fields, fmt.Sprintf("Category-%06d", n), c.name)
		for i, l := range c.lines {
			fields = append(fields, fmt.Sprintf("Line-%06d-%06d", n, i), l.Name+"="+l.Value)
		}
		n++
	}
	s.Respond(a, "Success", fields...)
}

func (f *Files) create(s *Session, a ami.Action) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.content[a.Get("Filename")]; ok {
		s.Respond(a, "Error", "Message", "File exists")
		return
	}
	f.content[a.Get("Filename")] = nil
	s.Respond(a, "Success", "Message", "New configuration file created successfully")
}

// update does all steps or none.
func (f *Files) update(s *Session, a ami.Action) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list, ok := f.content[a.Get("SrcFilename")]
	if !ok {
		s.Respond(a, "Error", "Message", "File requires escalated privileges")
		return
	}
	list = append([]section(nil), list...)
	for i := 0; ; i++ {
		step := func(name string) string { return a.Get(fmt.Sprintf("%s-%06d", name, i)) }
		verb, name := step("Action"), step("Cat")
		at := index(list, name)
		switch {
		case verb == "":
			f.content[a.Get("SrcFilename")] = list
			s.Respond(a, "Success")
			return
		case verb == "NewCat" && at >= 0:
			s.Respond(a, "Error", "Message", "Create category did not complete successfully")
			return
		case verb == "NewCat":
			list = append(list, section{name: name})
		case at < 0:
			s.Respond(a, "Error", "Message", "Given category does not exist")
			return
		case verb == "DelCat":
			list = without(list, name)
		case verb == "Append": // of a leading > Asterisk makes an arrow
			list[at].lines = append(slices.Clip(list[at].lines), ami.Field{Name: step("Var"), Value: strings.TrimPrefix(step("Value"), ">")})
		default:
			s.Respond(a, "Error", "Message", "Unknown action command")
			return
		}
	}
}

func index(list []section, name string) int {
	for i, c := range list {
		if c.name == name {
			return i
		}
	}
	return -1
}
