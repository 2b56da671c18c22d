package pbx

import (
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// Menu is an IVR menu: a dialplan context in which callers choose by key.
type Menu struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Visit is one stay of a caller in a menu. Times are the daemon's clock.
type Visit struct {
	Menu    Menu      `json:"menu"`
	Context string    `json:"context"`
	Number  int       `json:"number"` // counts the stays of the channel, from 1
	Digits  string    `json:"digits,omitempty"`
	Entered time.Time `json:"entered"`
	Left    time.Time `json:"left,omitzero"` // zero while the caller is there
	Queue   QueueName `json:"queue,omitempty"`
	Told    bool      `json:"told,omitempty"`
}

// maxDigits bounds what is kept of a caller who leans on his keys.
const maxDigits = 64

// menu returns the menu that a context is.
func (r *Rules) menu(context string) (Menu, bool) {
	if m, ok := r.Menus[context]; ok {
		return m, true
	}
	if r.MenuContexts == nil {
		return Menu{}, false
	}
	if found := r.MenuContexts.FindStringSubmatch(context); len(found) > 1 {
		return Menu{ID: found[1]}, true
	}
	return Menu{}, false
}

// walk follows a channel through the dialplan: entering and leaving menus.
func (s *state) walk(ch *channel) {
	v := &ch.Visit
	if v.Context == ch.Context && (v.Told || v.Left.IsZero()) {
		return // a queue or a phone rung out of the menu's own context does not make it a new stay
	}
	s.leaveMenu(ch)
	menu, ok := s.rules.menu(ch.Context)
	if !ok || ch.Called || ch.Local() {
		if v.Told {
			*v = Visit{Number: v.Number}
		}
		return
	}
	s.tellVisit(ch, "")
	ch.Visit = Visit{Menu: menu, Context: ch.Context, Number: v.Number + 1, Entered: s.at}
	ch.call.dirty = true
}

// leaveMenu ends a stay. It is told when it is known whether a queue follows.
func (s *state) leaveMenu(ch *channel) {
	if v := &ch.Visit; v.Context != "" && v.Left.IsZero() {
		v.Left = s.at
		ch.call.dirty = true
	}
}

// tellVisit tells a stay once, with the queue that followed it, "" for none.
func (s *state) tellVisit(ch *channel, queue QueueName) {
	v := &ch.Visit
	if v.Context == "" || v.Told {
		return
	}
	s.leaveMenu(ch)
	v.Queue, v.Told = queue, true
	ch.call.dirty = true
	s.emit(MenuLeft{Call: s.copyCall(ch.call), Channel: ch.Channel, Visit: *v})
}

// key notes a key pressed in a menu. Asterisk tells each digit for both directions; only the sender's counts.
func (s *state) key(m ami.Message) {
	if m.Get("Direction") != "Received" {
		return
	}
	ch := s.touch(m)
	if ch == nil || ch.Visit.Context == "" || !ch.Visit.Left.IsZero() || len(ch.Visit.Digits) >= maxDigits {
		return
	}
	ch.Visit.Digits += m.Get("Digit")
	ch.call.dirty = true
}
