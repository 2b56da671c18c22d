package amitest

import (
	"slices"
	"strings"
	"sync"

	"github.com/dialbridge/dialbridge/ami"
)

// Dialplan is a dialplan that actions and console commands read and write as Asterisk 16 and 22 do, as far as exact numbers go.
type Dialplan struct {
	mu      sync.Mutex
	steps   map[string][]step // by context; a context that exists and is empty has none
	hand    map[string][]step // what a reload leaves
	include map[string][]string
}

// step is one priority of an extension.
type step struct{ exten, priority, app, data string }

// ServeDialplan answers the actions about the dialplan. The contexts of these names exist and are empty.
func (s *Server) ServeDialplan(contexts ...string) *Dialplan {
	d := &Dialplan{steps: map[string][]step{}, hand: map[string][]step{}, include: map[string][]string{}}
	for _, name := range contexts {
		d.steps[name], d.hand[name] = nil, nil
	}
	s.Handle("ShowDialPlan", d.show)
	s.Handle("DialplanExtensionAdd", d.add)
	s.Handle("DialplanExtensionRemove", d.remove)
	s.Handle("Getvar", d.exists)
	return d
}

// Put writes a step by hand, which a reload leaves.
func (d *Dialplan) Put(context, exten, priority, app, data string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hand[context] = append(d.hand[context], step{exten, priority, app, data})
	d.steps[context] = append(d.steps[context], step{exten, priority, app, data})
}

// Reload empties what was made at run time; its contexts stay.
func (d *Dialplan) Reload() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.include)
	for context := range d.steps {
		d.steps[context] = slices.Clone(d.hand[context])
	}
}

// Text is what a context has, a line each; "none" when there is no such context.
func (d *Dialplan) Text(context string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	list, ok := d.steps[context]
	if !ok {
		return "none"
	}
	var lines []string
	for _, x := range list {
		lines = append(lines, strings.TrimSpace(x.exten+" "+x.priority+" "+x.app+" "+x.data))
	}
	for _, name := range d.include[context] {
		lines = append(lines, "include "+name)
	}
	return strings.Join(lines, "\n")
}

// Command answers the console commands about the dialplan; false for all others.
func (d *Dialplan) Command(s *Session, a ami.Action) bool {
	words := strings.Fields(a.Get("Command"))
	answer := func(ok bool, line string) bool {
		s.Respond(a, map[bool]string{true: "Success", false: "Error"}[ok], "Message", "Command output follows", "Output", line)
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case len(words) == 6 && strings.HasPrefix(a.Get("Command"), "dialplan add include "):
		what, into := words[3], words[5]
		if slices.Contains(d.include[into], what) {
			return answer(false, "Context '"+what+"' already included in '"+into+"' context")
		}
		d.include[into] = append(d.include[into], what)
		d.steps[into] = append(d.steps[into][:0:0], d.steps[into]...)
		return answer(true, "Context '"+what+"' included in '"+into+"' context")
	case len(words) == 4 && strings.HasPrefix(a.Get("Command"), "dialplan remove context "):
		delete(d.steps, words[3])
		delete(d.include, words[3])
		return answer(true, "Removed context '"+words[3]+"'")
	}
	return false
}

// reach lists a context and what it includes, each once.
func (d *Dialplan) reach(context string, seen map[string]bool) (list []string) {
	if seen[context] {
		return nil
	}
	seen[context] = true
	list = []string{context}
	for _, name := range d.include[context] {
		list = append(list, d.reach(name, seen)...)
	}
	return list
}

func (d *Dialplan) show(s *Session, a ami.Action) {
	d.mu.Lock()
	defer d.mu.Unlock()
	context, exten := a.Get("Context"), a.Get("Extension")
	if _, ok := d.steps[context]; !ok {
		s.Respond(a, "Error", "Message", "Did not find context "+context)
		return
	}
	contexts := []string{context}
	if exten != "" {
		contexts = d.reach(context, map[string]bool{})
	}
	var items []ami.Message
	for _, name := range contexts {
		for _, x := range d.steps[name] {
			if exten == "" || x.exten == exten {
				items = append(items, NewEvent("ListDialplan", "Context", name, "Extension", x.exten, "Priority", x.priority,
					"Application", x.app, "AppData", x.data))
			}
		}
		for _, inner := range d.include[name] {
			if exten == "" {
				items = append(items, NewEvent("ListDialplan", "Context", name, "IncludeContext", inner))
			}
		}
	}
	if exten != "" && len(items) == 0 {
		s.Respond(a, "Error", "Message", "Did not find extension "+exten+"@"+context)
		return
	}
	s.List(a, "DialPlan list will follow", items, "ShowDialPlanComplete")
}

func (d *Dialplan) add(s *Session, a ami.Action) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x := step{a.Get("Extension"), a.Get("Priority"), a.Get("Application"), a.Get("ApplicationData")}
	d.steps[a.Get("Context")] = append(slices.DeleteFunc(d.steps[a.Get("Context")], func(y step) bool {
		return y.exten == x.exten && y.priority == x.priority
	}), x)
	s.Respond(a, "Success", "Message", "Added requested extension")
}

func (d *Dialplan) remove(s *Session, a ami.Action) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.steps[a.Get("Context")] = slices.DeleteFunc(d.steps[a.Get("Context")], func(y step) bool { return y.exten == a.Get("Extension") })
	s.Respond(a, "Success", "Message", "Removed the requested extension")
}

// exists answers DIALPLAN_EXISTS(context,exten,1).
func (d *Dialplan) exists(s *Session, a ami.Action) {
	d.mu.Lock()
	defer d.mu.Unlock()
	context, rest, _ := strings.Cut(strings.TrimPrefix(a.Get("Variable"), "DIALPLAN_EXISTS("), ",")
	exten, _, _ := strings.Cut(rest, ",")
	value := "0"
	for _, name := range d.reach(context, map[string]bool{}) {
		if slices.ContainsFunc(d.steps[name], func(x step) bool { return x.exten == exten && x.priority == "1" }) {
			value = "1"
		}
	}
	s.Respond(a, "Success", "Variable", a.Get("Variable"), "Value", value)
}
