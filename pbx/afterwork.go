package pbx

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// After-call work: an agent is paused in all his queues when a call that came out of a queue is over, for as long as the
// rules say or until somebody releases him. What Asterisk shows is the truth: a member who is paused for afterWork is paused by us, and
// nobody else is released by us.

// afterWork is the reason of such a pause in Asterisk.
const afterWork = "acw"

// pausePatience is how long Asterisk may take to pause an agent.
const pausePatience = 5 * time.Second

// wrap is the after-call work of one agent.
type wrap struct {
	Exten Exten     `json:"exten"`
	Call  CallID    `json:"call"` // whose account waits for it
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	Seen  bool      `json:"seen,omitempty"` // Asterisk has told the pause
}

// pauseOrder is a pause, or its end, to be asked of Asterisk.
type pauseOrder struct {
	exten  Exten
	queue  QueueName
	iface  string
	paused bool
}

// beginWrap pauses an agent after a call, in the queues in which he is not paused already. An agent who is paused
// everywhere has asked for it himself: he stays so.
func (s *state) beginWrap(id CallID, n Exten) {
	if s.rules.AfterWork <= 0 || n == "" {
		return
	}
	s.unrest(n)
	ours := s.wraps[n] != nil
	s.endWrap(n, false)
	free := false
	for _, p := range s.places(n, "") {
		if !p.member.Paused {
			free = true
			s.pauses = append(s.pauses, pauseOrder{n, p.queue, p.member.Interface, true})
		}
	}
	if !free && !ours {
		return
	}
	w := &wrap{Exten: n, Call: id, Since: s.at, Until: s.at.Add(s.rules.AfterWork)}
	s.wraps[n] = w
	if !free {
		s.seeWrap(w)
	} else if c := s.calls[id]; c != nil {
		c.dirty = true
	}
}

// endWrap ends an agent's after-call work: its length goes into the account of its call. release lets Asterisk know.
func (s *state) endWrap(n Exten, release bool) {
	w := s.wraps[n]
	if w == nil {
		return
	}
	delete(s.wraps, n)
	s.unrest(n)
	if release {
		s.release(n)
	}
	sp := Span{Kind: SpanAfterWork, Party: string(n), Exten: n, Start: w.Since, End: latest(s.at, w.Since)}
	if c := s.calls[w.Call]; c != nil && w.Seen {
		c.Spans = append(c.Spans, sp)
		c.dirty = true
	}
	if h := s.kept[w.Call]; h != nil {
		if w.Seen {
			h.account.addAfterWork(sp)
		}
		s.closeKept(w.Call)
	}
}

// release asks for the end of the pauses that are ours.
func (s *state) release(n Exten) {
	for _, p := range s.places(n, "") {
		if p.member.afterWork() {
			s.pauses = append(s.pauses, pauseOrder{n, p.queue, p.member.Interface, false})
		}
	}
}

// watchWrap follows what Asterisk tells of a member. Somebody who lets him go in one queue ends the after-call work in all. A
// pause for another reason takes the place of ours in its queue alone: more of them may be on their way.
func (s *state) watchWrap(old, fresh Member, removed bool) {
	w := s.wraps[fresh.Exten]
	if w == nil {
		if fresh.afterWork() && !removed {
			s.release(fresh.Exten) // he was let go before the pause came to this queue
		}
		return
	}
	switch {
	case fresh.afterWork() && !removed:
		s.seeWrap(w)
	case old.afterWork() && (removed || fresh.Paused):
		if !s.inAfterWork(fresh.Exten) {
			s.endWrap(fresh.Exten, false)
		}
	case old.afterWork():
		s.endWrap(fresh.Exten, true)
	}
}

// seeWrap notes that Asterisk has told the pause.
func (s *state) seeWrap(w *wrap) {
	if w.Seen {
		return
	}
	w.Seen = true
	if c := s.calls[w.Call]; c != nil {
		c.dirty = true
	}
	if h := s.kept[w.Call]; h != nil {
		h.dirty = true
	}
}

// inAfterWork reports whether an agent is paused by us in any queue.
func (s *state) inAfterWork(n Exten) bool {
	return slices.ContainsFunc(s.places(n, ""), func(p place) bool { return p.member.afterWork() })
}

// afterWork reports whether a member is paused by us.
func (m *Member) afterWork() bool { return m.Paused && m.Reason == afterWork }

// tickWraps releases agents whose time is over.
func (s *state) tickWraps(now time.Time) {
	for n, w := range s.wraps {
		if !now.Before(w.Until) {
			s.at, s.stamp = now, ""
			s.endWrap(n, true)
		}
	}
}

// nextWrap is when the next agent is to be released; zero for never.
func (s *state) nextWrap() (at time.Time) {
	for _, w := range s.wraps {
		if at.IsZero() || w.Until.Before(at) {
			at = w.Until
		}
	}
	return at
}

// reconcileWraps compares after-call work with the queues as they are now. booted is when Asterisk began: it forgets the pauses of
// static members. Nobody stays paused by us for ever.
func (s *state) reconcileWraps(booted time.Time) {
	for n, w := range s.wraps {
		switch {
		case s.inAfterWork(n):
			s.seeWrap(w)
		case !w.Seen && !booted.After(w.Since) && s.at.Sub(w.Since) < pausePatience:
			// The answer may be older than the pause, which is on its way.
		case booted.After(w.Since) && s.at.Before(w.Until):
			for _, p := range s.places(n, "") {
				s.pauses = append(s.pauses, pauseOrder{n, p.queue, p.member.Interface, true})
			}
		default:
			s.endWrap(n, false)
		}
	}
	for id := range s.kept {
		s.closeKept(id)
	}
	s.releaseStrays()
}

// releaseStrays lets all go who are paused for after-call work that nobody does any more.
func (s *state) releaseStrays() {
	for _, q := range s.queues {
		for _, m := range q.members {
			if m.afterWork() && s.wraps[m.Exten] == nil {
				s.pauses = append(s.pauses, pauseOrder{m.Exten, q.name, m.Interface, false})
			}
		}
	}
}

// putPauses asks Asterisk for what the last change wants, one after the other. A release that is lost is made good within a
// minute. The caller holds mu.
func (r *run) putPauses(list []pauseOrder) {
	if len(list) == 0 {
		return
	}
	r.inTurn("pauses", func() { // so that a release never overtakes its pause
		for _, p := range list {
			ctx, cancel := context.WithTimeout(context.Background(), pausePatience)
			a := ami.NewAction("QueuePause", "Queue", string(p.queue), "Interface", p.iface, "Paused", strconv.FormatBool(p.paused))
			if p.paused {
				a = a.With("Reason", afterWork)
			}
			if _, err := r.client.Do(ctx, a); err != nil && !errors.Is(err, context.Canceled) {
				r.log.Warn("after-call work could not be told to asterisk", "exten", p.exten, "queue", p.queue, "paused", p.paused, "error", err)
			}
			cancel()
		}
	})
}
