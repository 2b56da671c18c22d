package pbx

import (
	"time"
	"unicode/utf8"

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

	Reported bool `json:"reported,omitempty"` // by the dialplan itself, not by its context
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
	s.survey(ch)
	v := &ch.Visit
	if v.Context == ch.Context && (v.Told || v.Left.IsZero()) || v.Reported && !v.Told && v.Left.IsZero() {
		return // a queue or a phone rung out of the menu's own context does not make it a new stay
	}
	s.leaveMenu(ch)
	menu, ok := s.rules.menu(ch.Context)
	if !ok || ch.Called || ch.Local() && !ch.call.standsIn(ch) {
		if v.Told {
			*v = Visit{Number: v.Number}
		}
		return
	}
	s.enterMenu(ch, menu, ch.Context)
}

// enterMenu begins a stay.
func (s *state) enterMenu(ch *channel, menu Menu, context string) {
	s.leaveMenu(ch)
	s.tellVisit(ch, "")
	ch.Visit = Visit{Menu: menu, Context: context, Number: ch.Visit.Number + 1, Entered: s.at}
	ch.call.dirty = true
	sp := s.spanOf(SpanMenu, ch)
	sp.Place, sp.Name = menu.ID, menu.Name
	s.begin(ch.call, sp)
	ch.call.Stage = StageMenu
}

// reportMenu takes over what a dialplan reports of a menu that has no context of its own: the first report begins a stay, one
// with a key ends it.
func (s *state) reportMenu(ch *channel, m ami.Message) {
	menu := Menu{ID: clip(m.Get("ivrId")), Name: clip(m.Get("ivrName"))}
	if menu.ID == "" {
		return
	}
	context := "UserEvent/" + menu.ID
	if v := &ch.Visit; v.Context != context || !v.Left.IsZero() {
		s.enterMenu(ch, menu, context)
		ch.Visit.Reported = true
	}
	if digits := m.Get("ivrDtmf"); digits != "" {
		ch.Visit.Digits = clip(digits)
		s.leaveMenu(ch)
	}
}

// clip bounds a text that a dialplan reports, without cutting a character in two.
func clip(text string) string {
	if len(text) <= maxDigits {
		return text
	}
	end := maxDigits
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// survey follows a caller into the rating and out of it.
func (s *state) survey(ch *channel) {
	if ch.Called || ch.Local() || s.rules.Feedback == nil {
		return
	}
	is, was := s.rules.Feedback.MatchString(ch.Context), ch.call.openSpan(SpanFeedback, ch.ID) != nil
	switch {
	case is && !was:
		s.begin(ch.call, s.spanOf(SpanFeedback, ch))
		ch.call.Stage = StageFeedback
	case !is && was:
		s.finish(ch.call, SpanFeedback, ch.ID, "")
	}
}

// leaveMenu ends a stay. It is told when it is known whether a queue follows.
func (s *state) leaveMenu(ch *channel) {
	if v := &ch.Visit; v.Context != "" && v.Left.IsZero() {
		v.Left = s.at
		ch.call.dirty = true
		if sp := s.finish(ch.call, SpanMenu, ch.ID, ""); sp != nil {
			sp.Digits = v.Digits
		}
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
	if ch == nil {
		return
	}
	if s.collectKey(ch.ID, m.Get("Digit")) {
		return
	}
	if sp := ch.call.openSpan(SpanFeedback, ch.ID); sp != nil && len(sp.Digits) < maxDigits {
		sp.Digits += m.Get("Digit")
		ch.call.Score, ch.call.dirty = m.Get("Digit"), true
		return
	}
	if ch.Visit.Context == "" || !ch.Visit.Left.IsZero() || len(ch.Visit.Digits) >= maxDigits {
		return
	}
	ch.Visit.Digits += m.Get("Digit")
	ch.call.dirty = true
}
