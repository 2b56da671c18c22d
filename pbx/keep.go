package pbx

import "time"

// keptAccount is the account of an ended call that waits for the after-call work of its agents, or for what its queue has to say.
type keptAccount struct {
	account Account
	alone   bool      // its queue takes who was called for the caller
	until   time.Time // it waits for the queue; zero when it does not
	serving []service // what the queue has still to tell the end of
	dirty   bool
}

// queuePatience is how long a queue may take to tell the end of a conversation whose channels have ended: Asterisk keeps no order
// between the two.
const queuePatience = 2 * time.Second

// closeCall tells the account of an ended call, or keeps it while an agent works on the call.
func (s *state) closeCall(c *call, e CallEnded, at time.Time) {
	a := s.account(c, e, at)
	if late := len(c.Serving) > 0 && !e.Synthetic; late || s.wrapping(c.id) {
		h := &keptAccount{account: a, alone: c.Alone, dirty: true}
		if late {
			h.until, h.serving = s.at.Add(queuePatience), c.Serving
		}
		s.kept[c.id] = h
		return
	}
	s.tellAccount(a)
}

// tickKept tells the accounts whose queue has said nothing.
func (s *state) tickKept(now time.Time) {
	for id, h := range s.kept {
		if !h.until.IsZero() && !now.Before(h.until) {
			s.at, s.stamp, h.until = now, "", time.Time{}
			s.closeKept(id)
		}
	}
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
	if h := s.kept[id]; h != nil && h.until.IsZero() && !s.wrapping(id) {
		delete(s.kept, id)
		s.tellAccount(h.account)
	}
}

// tellAccount tells an account and lets its call go when that is in safe hands.
func (s *state) tellAccount(a Account) {
	s.emit(CallClosed{Account: a})
	s.count(a.Spans, s.at)
	s.unserve(a.ID)
	s.closed = append(s.closed, a)
	s.gone = append(s.gone, ending{call: a.ID, seq: s.seq})
}

func (a *Account) addAfterWork(sp Span) {
	a.Spans = append(a.Spans, sp)
	a.AfterWork += sp.Length()
	a.of(sp.Exten).AfterWork += sp.Length()
}
