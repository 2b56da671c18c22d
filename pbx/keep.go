package pbx

import "time"

// keptAccount is the account of an ended call that waits for the after-call work of its agents.
type keptAccount struct {
	account Account
	dirty   bool
}

// closeCall tells the account of an ended call, or keeps it while an agent works on the call.
func (s *state) closeCall(c *call, e CallEnded, at time.Time) {
	a := s.account(c, e, at)
	if s.wrapping(c.id) {
		s.kept[c.id] = &keptAccount{account: a, dirty: true}
		return
	}
	s.tellAccount(a)
}

func (s *state) wrapping(id CallID) bool {
	for _, w := range s.wraps {
		if w.Call == id {
			return true
		}
	}
	return false
}

// closeKept tells a kept account when nobody works on its call any more.
func (s *state) closeKept(id CallID) {
	if h := s.kept[id]; h != nil && !s.wrapping(id) {
		delete(s.kept, id)
		s.tellAccount(h.account)
	}
}

// tellAccount tells an account and lets its call go when that is in safe hands.
func (s *state) tellAccount(a Account) {
	s.emit(CallClosed{Account: a})
	s.closed = append(s.closed, a)
	s.gone = append(s.gone, ending{call: a.ID, seq: s.seq})
}

func (a *Account) addAfterWork(sp Span) {
	a.Spans = append(a.Spans, sp)
	a.AfterWork += sp.Length()
	a.of(sp.Exten).AfterWork += sp.Length()
}
