package amitest

import (
	"slices"
	"strings"
	"sync"

	"github.com/dialbridge/dialbridge/ami"
)

// Phones are PJSIP endpoints that Asterisk has from pjsip_wizard.conf, as it was when its module was loaded last, and by hand from
// elsewhere.
type Phones struct {
	files *Files

	mu       sync.Mutex
	loaded   map[string]section
	hand     []string
	unloaded bool
	deaf     bool // a reload changes nothing
	forwards map[string]string
}

// Wizard names the file of Phones and the module that reads it.
const (
	WizardFile   = "pjsip_wizard.conf"
	WizardModule = "res_pjsip_config_wizard.so"
)

// ServePhones answers the actions about endpoints and modules, and those about AstDB as far as a family CFU goes. The endpoints of these
// names are made by hand.
func (s *Server) ServePhones(files *Files, hand ...string) *Phones {
	p := &Phones{files: files, loaded: map[string]section{}, hand: hand, forwards: map[string]string{}}
	s.Handle("ModuleCheck", p.check)
	s.Handle("Reload", p.reload)
	s.Handle("PJSIPShowEndpoint", p.show)
	s.Handle("DBPut", p.forward)
	s.Handle("DBDel", p.forward)
	s.Handle("DBGet", func(s *Session, a ami.Action) { s.Respond(a, "Error", "Message", "Database entry not found") })
	return p
}

// Unload takes the module away, or brings it back.
func (p *Phones) Unload(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unloaded = away
}

// Deafen lets a reload change nothing, as with a file that Asterisk cannot make sense of.
func (p *Phones) Deafen(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = on
}

// Load reads the file, as a start of Asterisk does.
func (p *Phones) Load() {
	p.files.mu.Lock()
	list := slices.Clone(p.files.content[WizardFile])
	p.files.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.loaded)
	for _, c := range list {
		if !c.template {
			p.loaded[c.name] = c
		}
	}
}

// Loaded lists the endpoints in the order of their names.
func (p *Phones) Loaded() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := slices.Clone(p.hand)
	for name := range p.loaded {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Forward is where AstDB sends unanswered calls of a number, "" for nowhere.
func (p *Phones) Forward(number string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.forwards[number]
}

func (p *Phones) check(s *Session, a ami.Action) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unloaded && a.Get("Module") == WizardModule {
		s.Respond(a, "Error", "Message", "Module not loaded")
		return
	}
	s.Respond(a, "Success", "Version", "")
}

func (p *Phones) reload(s *Session, a ami.Action) {
	p.mu.Lock()
	deaf := p.deaf
	p.mu.Unlock()
	if !deaf {
		p.Load()
	}
	s.Respond(a, "Success", "Message", "Module Reloaded")
	s.Event("Reload", "Module", a.Get("Module"), "Status", "0")
}

func (p *Phones) show(s *Session, a ami.Action) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := a.Get("Endpoint")
	c, ok := p.loaded[name]
	if !ok && !slices.Contains(p.hand, name) {
		s.Respond(a, "Error", "Message", "Unable to retrieve endpoint "+name+"\n")
		return
	}
	value := func(key string) (v string) {
		for _, l := range c.lines {
			if l.Name == key {
				v = l.Value
			}
		}
		return v
	}
	s.List(a, "Following are Events for each object associated with the Endpoint", []ami.Message{
		NewEvent("EndpointDetail", "ObjectName", name, "Context", value("endpoint/context")),
		NewEvent("AuthDetail", "ObjectName", name+"-iauth", "Username", value("inbound_auth/username"), "Password", value("inbound_auth/password")),
	}, "EndpointDetailComplete")
}

func (p *Phones) forward(s *Session, a ami.Action) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := a.Get("Key")
	switch {
	case a.Get("Family") != "CFU":
		s.Respond(a, "Error", "Message", "Invalid/unknown command: "+a.Name+". Use Action: ListCommands to show available commands.")
	case strings.EqualFold(a.Name, "DBPut"):
		p.forwards[key] = a.Get("Val")
		s.Respond(a, "Success", "Message", "Updated database successfully")
	case p.forwards[key] == "":
		s.Respond(a, "Error", "Message", "Database entry could not be deleted")
	default:
		delete(p.forwards, key)
		s.Respond(a, "Success", "Message", "Key deleted successfully")
	}
}
