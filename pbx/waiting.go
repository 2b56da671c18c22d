package pbx

import (
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// Miss is why a caller who waited in a queue was not answered.
type Miss string

// The reasons, in the order in which they are tested.
const (
	MissNobody     Miss = "nobody"     // the queue had no member
	MissGaveUp     Miss = "gave-up"    // the caller hung up within impatience
	MissUnanswered Miss = "unanswered" // members were rung
	MissUnassigned Miss = "unassigned" // none could be rung

	queueConnected Miss = "connected"
)

// impatience is how long a caller waits who only gave up too early (spec C7: 10 s).
const impatience = 10 * time.Second

// joinQueue notes that a caller waits.
func (s *state) joinQueue(ch *channel, queue QueueName, since time.Time) {
	c := ch.call
	if c.openSpan(SpanQueue, ch.ID) != nil {
		return
	}
	sp := s.spanOf(SpanQueue, ch)
	sp.Place = string(queue)
	s.begin(c, sp)
	if open := c.openSpan(SpanQueue, ch.ID); open != nil {
		open.Start = since
	}
	c.Queue, c.Stage = queue, StageQueue
	c.nobodyEnds()
}

// triesQueue notes the queue that a caller asks for. A queue without members that does not let him in tells nothing else.
func (s *state) triesQueue(ch *channel, data string) {
	name, _, _ := strings.Cut(data, ",")
	if name == "" || ch.Local() {
		return
	}
	ch.call.Queue = QueueName(name)
	ch.call.dirty = true
}

// refused notes that a queue did not let a caller in, or not further.
func (s *state) refused(ch *channel, why string) {
	reason, told := map[string]Miss{"JOINEMPTY": MissNobody, "JOINUNAVAIL": MissUnassigned, "FULL": MissUnassigned}[why]
	if c := ch.call; told && c.Queue != "" {
		sp := s.spanOf(SpanQueue, ch)
		sp.Place, sp.Outcome = string(c.Queue), string(reason)
		s.moment(c, sp)
		c.Stage = StageQueue
	}
}

func (s *state) queueCallerAbandon(m ami.Message) {
	if ch := s.channels[m.Get("Uniqueid")]; ch != nil {
		s.leaveQueue(ch, true)
	}
}

// leaveQueue ends a caller's waiting. Why nobody answered is judged now: the queue will have other members later.
func (s *state) leaveQueue(ch *channel, gaveUp bool) {
	sp := s.finish(ch.call, SpanQueue, ch.ID, "")
	if sp == nil {
		return
	}
	sp.Outcome = string(s.missed(sp, gaveUp))
}

func (s *state) missed(sp *Span, gaveUp bool) Miss {
	switch q := s.queues[QueueName(sp.Place)]; {
	case q == nil || !q.staffed():
		return MissNobody
	case gaveUp && sp.Length() <= impatience:
		return MissGaveUp
	case sp.Rang:
		return MissUnanswered
	default:
		return MissUnassigned
	}
}

// staffed reports whether anybody is signed in.
func (q *queue) staffed() bool {
	for _, m := range q.members {
		if !m.pausedByLeave() {
			return true
		}
	}
	return false
}

// agentRung notes that a queue rings a member for a caller.
func (s *state) agentRung(m ami.Message) {
	if ch := s.touch(m); ch != nil {
		if sp := ch.call.openSpan(SpanQueue, ch.ID); sp != nil {
			sp.Rang = true
			ch.call.dirty = true
		}
	}
}

// hangupRequest notes which side ended a conversation first, or gave up before one. PJSIP also tells one, with its SIP
// status, of whoever refuses a call or is told that it was refused: that is nobody's end.
func (s *state) hangupRequest(m ami.Message) {
	ch := s.touch(m)
	if ch == nil || ch.Local() {
		return
	}
	ch.leaving = true
	c := ch.call
	if status := m.Get("TechCause"); c.Parted || status != "" && status != "200" && status != "487" {
		return
	}
	side, talked := SideCalled, c.openSpan(SpanTalk, ch.ID) != nil
	if leg := c.leg(ch.ID); ch.ID == c.idString() || ch == c.first || leg != nil && leg.FromName == "" && c.originated {
		side = SideCaller
	}
	if ring := c.openSpan(SpanRing, ch.ID); side == SideCalled && ring != nil && ring.Place != "" {
		return
	}
	c.Side, c.Parted, c.dirty = side, talked, true
}

// nobodyEnds forgets who ended what was before: the call goes on.
func (c *call) nobodyEnds() { c.Side, c.Parted, c.Completed = "", false, "" }
