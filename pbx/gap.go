package pbx

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// gap is a time in which Asterisk was not heard, and the records that it wrote meanwhile.
type gap struct {
	since   time.Time // when Asterisk was last heard of
	zone    *time.Location
	records []CDR
	unseen  []CDR // of calls that began and ended in it
}

// newGap looks through the records of a gap, before the picture has changed.
func (s *state) newGap(records []CDR) *gap {
	g := &gap{since: s.seen, zone: s.rules.Location, records: records}
	if g.since.IsZero() || g.since.After(s.at) {
		g.since = s.at
	}
	dialled := map[string]bool{}
	for _, r := range records {
		dialled[r.DestinationChannel] = true
	}
	for _, r := range records {
		own := r.LastApplication != "AppDial" && r.LastApplication != "AppQueue" && !dialled[r.Channel] && !strings.HasPrefix(r.Channel, "Local/")
		if own && s.owners[r.UniqueID] == nil && s.ended[r.UniqueID] == nil && s.kept[CallID(r.UniqueID)] == nil {
			g.unseen = append(g.unseen, r)
		}
	}
	return g
}

// endOf is when a channel ended that is gone after the gap: as its record says, else when it was last known to live.
func (g *gap) endOf(s *state, ch *channel) time.Time {
	for _, r := range g.records {
		if r.UniqueID != ch.ID && r.Channel != ch.Name && r.DestinationChannel != ch.Name {
			continue
		}
		if end := g.time(r.End); end.After(g.since) {
			g.fill(s, ch, r)
			return end
		}
	}
	return g.since
}

// fill notes what a channel had of a conversation that began in the gap. Records are cut to whole seconds.
func (g *gap) fill(s *state, ch *channel, r CDR) {
	answer, c := g.time(r.Answer), ch.call
	if r.Disposition != "ANSWERED" || r.DestinationChannel == "" || answer.Before(g.since.Add(-time.Second)) || ch.had(SpanTalk) {
		return
	}
	for kind, outcome := range map[SpanKind]string{SpanRing: "ANSWER", SpanQueue: string(queueConnected)} {
		if sp := c.openSpan(kind, ch.ID); sp != nil {
			sp.End, sp.Outcome = latest(answer, sp.Start), outcome
		}
	}
	talk := s.spanOf(SpanTalk, ch)
	talk.Start, talk.End = latest(answer, c.started), latest(g.time(r.End), c.started)
	c.Spans = append(c.Spans, talk)
	c.Stage = StageTalk
}

// had reports whether a channel was ever in a span of the kind.
func (ch *channel) had(kind SpanKind) bool {
	return slices.ContainsFunc(ch.call.Spans, func(sp Span) bool { return sp.Kind == kind && sp.Channel == ch.ID })
}

// bury ends what a channel was in that has ended unseen.
func (s *state) bury(ch *channel, at time.Time) {
	if sp := ch.call.openSpan(SpanQueue, ch.ID); sp != nil {
		sp.End = latest(at, sp.Start)
		sp.Outcome = string(s.missed(sp, true))
	}
	ch.call.finishChannel(ch.ID, at)
	ch.leaving = true
}

// wayOf finds out the direction of a call whose beginning was not seen: the dialplan is elsewhere by now, but a first channel of no
// extension that nobody rang came in, and one that was rung goes out.
func (s *state) wayOf(ch *channel) {
	c := ch.call
	if ch.Local() || c.originated || c.requested != "" || s.rules.extenOf(ch.Device()) != "" {
		return
	}
	switch {
	case ch.Called:
		c.outward = true
	case ch == c.first && len(c.legs) == 0:
		c.inbound = true
	}
}

// time reads a time of a record; zero when there is none.
func (g *gap) time(text string) time.Time {
	t, err := time.ParseInLocation(cdrTime, text, g.zone)
	if err != nil {
		return time.Time{}
	}
	return t
}

// tellUnseen tells the ends and the accounts of calls of which nothing but records was seen.
func (g *gap) tellUnseen(s *state) {
	var ids []CallID
	for _, r := range g.unseen {
		id := CallID(r.UniqueID)
		if slices.Contains(ids, id) || s.owners[r.UniqueID] != nil { // a call may have a record and go on
			continue
		}
		ids = append(ids, id)
		s.tellUnseen(g.unseenCall(s, id))
	}
}

// unseenCall draws up a call from its records.
func (g *gap) unseenCall(s *state, id CallID) Account {
	a := Account{ID: id, Side: SideSystem, LinkLost: true}
	for _, r := range g.unseen {
		if CallID(r.UniqueID) != id {
			continue
		}
		start, end := g.time(r.Start), g.time(r.End)
		if a.Start.IsZero() || start.Before(a.Start) {
			a.Start, a.Caller, a.Called, a.Direction = start, r.Source, r.Destination, s.directionBy(r)
		}
		a.End = latest(a.End, end)
		n := s.rules.extenOf(deviceOf(r.DestinationChannel))
		ring := Span{Kind: SpanRing, Party: cmp.Or(string(n), r.Destination), Exten: n, Start: start, End: end}
		if r.LastApplication == "Queue" {
			name, _, _ := strings.Cut(r.LastData, ",")
			a.Queue, ring.Place = QueueName(name), name
		}
		if answer := g.time(r.Answer); r.Disposition == "ANSWERED" && !answer.IsZero() && r.DestinationChannel != "" {
			ring.End, ring.Outcome = answer, "ANSWER"
			a.Spans = append(a.Spans, Span{Kind: SpanTalk, Party: ring.Party, Exten: ring.Exten, Start: answer, End: end})
			a.Stage = StageTalk
		}
		if r.DestinationChannel != "" {
			a.Spans = append(a.Spans, ring)
		}
	}
	a.Duration = max(0, a.End.Sub(a.Start))
	if a.Direction == Inbound {
		a.DID = a.Called
	}
	slices.SortStableFunc(a.Spans, func(x, y Span) int { return x.Start.Compare(y.Start) })
	if talked := a.last(SpanTalk, a.anybody); a.Queue != "" {
		a.Agent = talked.Exten
		a.Called = cmp.Or(talked.Party, a.Called)
	}
	a.measure()
	a.share()
	return a
}

func (s *state) tellUnseen(a Account) {
	first := Channel{ID: string(a.ID), Linked: string(a.ID), Caller: Party{Number: a.Caller}, Connected: Party{Number: a.Called}, Dialled: a.Called, Created: a.Start}
	s.emit(CallEnded{Call: Call{ID: a.ID, First: first, Direction: a.Direction, Started: a.Start}, Synthetic: true})
	s.remember(&finished{call: a.ID, direction: a.Direction, at: s.at, ids: []string{string(a.ID)}})
	s.tellAccount(a)
}

// reconcileWaiting compares who waits in queues with the list.
func (s *state) reconcileWaiting(list []ami.Message, known bool, f fates) {
	if !known {
		return
	}
	waits := map[string]bool{}
	for _, m := range list {
		if m.Event() != "QueueEntry" {
			continue
		}
		id := m.Get("Uniqueid")
		waits[id] = true
		if ch := s.channels[id]; ch != nil {
			s.joinQueue(ch, QueueName(m.Get("Queue")), s.at.Add(-time.Duration(number(m.Get("Wait")))*time.Second))
		}
	}
	for id, ch := range s.channels {
		if waits[id] || f.ending[id] {
			continue
		}
		if sp := ch.call.openSpan(SpanQueue, id); sp != nil {
			s.leaveQueue(ch, false)
			if last := ch.call.openSpan(SpanTalk, id); last != nil {
				sp.Outcome = string(queueConnected)
			}
		}
	}
}
