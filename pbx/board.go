package pbx

import (
	"cmp"
	"slices"
	"time"
)

// Board is what a wallboard shows: the picture and the counts of the day in rows, each with an id of its own. Moments are given, not
// lengths, so that a row changes only when something happens.
type Board struct {
	At         time.Time     // when it was taken
	Live       bool          // it follows Asterisk; else it is what was known last
	Since      time.Time     // of this value of Live
	Reason     string        // why it does not, or what is missing although it does
	Day        time.Time     // since when the counts of the queues run: midnight in the time zone of the PBX
	Within     time.Duration // what the service level asks for
	Queues     []QueueRow    // in the order of their names
	Extensions []ExtenRow    // in the order of their numbers
	Calls      []CallRow     // the oldest first
}

// QueueRow is one queue of a Board.
type QueueRow struct {
	Name      QueueName
	Waiting   int
	Oldest    time.Time // since when the one waits who waits longest; zero for nobody
	Agents    AgentCounts
	Answered  int // callers since Board.Day who were put through
	Abandoned int // and who left without: they hung up, were sent on, or were not let in
	InTime    int // of Answered, those who waited no longer than Board.Within
}

// Level is the service level of the day: the share of those who have left the queue that were answered in time. Nobody has one on a day
// on which nobody has come.
func (q *QueueRow) Level() (share float64, ok bool) {
	left := q.Answered + q.Abandoned
	if left == 0 {
		return 0, false
	}
	return float64(q.InTime) / float64(left), true
}

// AgentCounts is how many of a queue's members do what. One who is paused in this queue alone is Unready in it.
type AgentCounts struct {
	Ready     int
	Busy      int
	AfterWork int
	Unready   int
	Login     int // signed in, and not ready yet
	Away      int // not paused, but their phone cannot be reached
}

// ExtenRow is one extension of a Board.
type ExtenRow struct {
	Exten      Exten
	Name       string // as its queues know it, "" when they do not
	State      ExtenState
	Since      time.Time  // when State was seen to come about; zero when it was not
	Agent      AgentState // "" when it is no agent
	AgentSince time.Time  // zero when nobody has seen it
	Reason     string     // why an agent is paused
	Queues     []QueueName
	Call       CallID // "" for none
	Party      string // number of the other party
	Outbound   bool   // he called
}

// CallRow is one call of a Board.
type CallRow struct {
	ID         CallID
	Direction  Direction
	Since      time.Time
	State      SpanKind  // what it is in that counts most: talk before queue before ring; SpanHold while one side holds
	StateSince time.Time // of State
	Caller     string
	CallerName string
	Called     string    // who talks or is rung; the number that was asked for while it waits
	Queue      QueueName // the last one that it entered
	Recorded   bool      // a recording was begun
	Legs       []LegRow  // the first maxLegRows
	MoreLegs   int       // those that are not in Legs
}

// LegRow is one leg of a call of a Board; Local channels are none.
type LegRow struct {
	ID     string // Uniqueid
	Number string
	Name   string
	Exten  Exten // "" for a party outside
	State  SpanKind
	Since  time.Time // of State
}

// States of calls and legs that are no stretch of a call's account.
const (
	SpanDial SpanKind = "dial" // on its way: nothing rings yet
	SpanUp   SpanKind = "up"   // answered, and in nothing that has a name
)

// maxLegRows bounds the row of a large conference.
const maxLegRows = 20

// Board copies the picture as it stands, complete or not.
func (s *Switch) Board() Board {
	s.mu.RLock()
	defer s.mu.RUnlock()
	now, st := time.Now(), s.state
	b := Board{
		At: now, Live: s.status.Complete && now.Sub(s.beat) < stuck, Since: s.status.Since, Reason: s.status.Reason, Day: st.rules.midnight(now), Within: st.rules.level(),
	}
	if s.status.Complete && !b.Live {
		b.Since, b.Reason = s.beat, "the switch is stuck"
	}
	names, days := map[Exten]string{}, st.counted(now)
	for _, q := range st.queues {
		b.Queues = append(b.Queues, st.queueRow(q, days[q.name]))
		for _, m := range q.members {
			if m.Exten != "" && m.Name != string(m.Exten) && m.Name != m.Interface {
				names[m.Exten] = m.Name
			}
		}
	}
	for _, x := range st.extens {
		b.Extensions = append(b.Extensions, st.extenRow(x, names[x.number]))
	}
	for _, c := range st.calls {
		b.Calls = append(b.Calls, st.callRow(c))
	}
	slices.SortFunc(b.Queues, func(a, b QueueRow) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(b.Extensions, func(a, b ExtenRow) int {
		return cmp.Or(cmp.Compare(len(a.Exten), len(b.Exten)), cmp.Compare(a.Exten, b.Exten))
	})
	slices.SortFunc(b.Calls, func(a, b CallRow) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	return b
}

// stuck is how long the loop may not have gone round before its picture is no live one.
const stuck = 3 * time.Second

// Changed returns a channel that is closed when the picture, or how complete it is, may be another one: at each change and once a
// second.
func (s *Switch) Changed() <-chan struct{} {
	changed := make(chan struct{})
	s.mu.Lock()
	s.watchers = append(s.watchers, changed)
	s.mu.Unlock()
	return changed
}

func (s *state) queueRow(q *queue, day counts) QueueRow {
	row := QueueRow{Name: q.name, Waiting: len(q.callers), Answered: day.answered, Abandoned: day.abandoned, InTime: day.inTime}
	for _, w := range q.callers {
		if row.Oldest.IsZero() || w.Since.Before(row.Oldest) {
			row.Oldest = w.Since
		}
	}
	for _, m := range q.members {
		if n := s.doing(m, &row.Agents); n != nil {
			*n++
		}
	}
	return row
}

// unrung are the device states of app_queue of a phone that cannot be rung: invalid and unavailable.
var unrung = [...]string{"4", "5"}

// doing chooses where a member is counted, nil for nowhere.
func (s *state) doing(m *Member, n *AgentCounts) *int {
	does := AgentState("")
	if a := s.agents[m.Exten]; m.Exten != "" && a != nil {
		does = a.State
	}
	switch {
	case m.pausedByLeave():
		return nil
	case does == AgentBusy:
		return &n.Busy
	case does == AgentAfterWork, m.afterWork():
		return &n.AfterWork
	case m.Paused && m.Reason == loginReason:
		return &n.Login
	case m.Paused:
		return &n.Unready
	case slices.Contains(unrung[:], m.State):
		return &n.Away
	}
	return &n.Ready
}

func (s *state) extenRow(x *extension, name string) ExtenRow {
	row := ExtenRow{Exten: x.number, Name: name, State: x.state(), Since: x.changed}
	a := s.agents[x.number]
	if a == nil || a.State == "" {
		a = &agent{Agent: Agent{Exten: x.number}}
	} else {
		row.Agent, row.AgentSince, row.Queues = a.State, a.Changed, slices.Clone(a.Queues)
		row.Reason = s.pauseReason(a)
	}
	if call := s.callOf(a); call.Channel != "" {
		row.Call, row.Party, row.Outbound = call.Call, call.Number, call.Outbound
	}
	return row
}

// pauseReason is why somebody has paused an agent, "" when nobody said.
func (s *state) pauseReason(a *agent) string {
	if a.State != AgentUnready {
		return ""
	}
	for _, p := range s.places(a.Exten, "") {
		if m := &p.member; m.Paused && !m.afterWork() && !m.pausedByLeave() && m.Reason != loginReason && m.Reason != "" {
			return m.Reason
		}
	}
	return ""
}

// weight orders what a call, or a leg, may be in at once: the first one counts most.
var weight = [...]SpanKind{SpanHold, SpanTalk, SpanQueue, SpanRing, SpanPark, SpanVoicemail, SpanFeedback, SpanMenu}

// foremost is the open span that counts most among those that are wanted, nil for none.
func (c *call) foremost(wanted func(*Span) bool) (best *Span) {
	rank := len(weight)
	for i := range c.Spans {
		sp := &c.Spans[i]
		if !sp.open() || !wanted(sp) {
			continue
		}
		if r := slices.Index(weight[:], sp.Kind); r >= 0 && r < rank {
			best, rank = sp, r
		}
	}
	return best
}

func (s *state) callRow(c *call) CallRow {
	row := CallRow{
		ID: c.id, Direction: s.directionOf(c), Since: c.started, State: SpanDial, StateSince: c.started, CallerName: c.first.Caller.Name,
		Queue: c.Queue, Recorded: c.recording != "",
	}
	a := Account{Direction: row.Direction, Queue: c.Queue, Spans: c.Spans}
	a.name(s, c)
	row.Caller, row.Called = a.Caller, a.Called
	if row.Caller != c.first.Caller.Number || c.Listens != "" {
		row.CallerName = "" // that of another party
	}
	up := time.Time{}
	for _, ch := range c.channels {
		if ch.Local() {
			continue
		}
		if !ch.Answered.IsZero() && (up.IsZero() || ch.Answered.Before(up)) {
			up = ch.Answered
		}
		if len(row.Legs) == maxLegRows {
			row.MoreLegs++
			continue
		}
		row.Legs = append(row.Legs, s.legRow(c, ch))
	}
	if sp := c.foremost(func(*Span) bool { return true }); sp != nil {
		row.State, row.StateSince = sp.Kind, sp.Start
	} else if !up.IsZero() {
		row.State, row.StateSince = SpanUp, up
	}
	if row.Direction == Inbound || c.Queue != "" || c.had(SpanMenu) {
		row.Called = c.heads(row.State, row.Called)
	}
	return row
}

// heads is where a call goes: whoever was rung or talked before has nothing to do with one that waits or rings elsewhere. Of several who
// are rung at once none is where it goes.
func (c *call) heads(now SpanKind, named string) string {
	asked := cmp.Or(c.requested, c.first.Dialled, named)
	switch now {
	case SpanQueue, SpanMenu, SpanDial, SpanUp:
		return asked
	case SpanRing:
		rung := ""
		for i := range c.Spans {
			if sp := &c.Spans[i]; sp.open() && sp.Kind == SpanRing {
				if rung != "" {
					return asked
				}
				rung = sp.Party
			}
		}
		return cmp.Or(rung, asked)
	}
	return named
}

func (s *state) legRow(c *call, ch *channel) LegRow {
	row := LegRow{ID: ch.ID, Name: ch.Caller.Name, State: SpanDial, Since: ch.Created}
	row.Number, row.Exten = s.party(ch)
	if c.Listens != "" && ch == c.first {
		row.Name = ""
	}
	if sp := c.foremost(func(sp *Span) bool { return sp.Channel == ch.ID }); sp != nil {
		row.State, row.Since = sp.Kind, sp.Start
	} else if !ch.Answered.IsZero() {
		row.State, row.Since = SpanUp, ch.Answered
	}
	return row
}
