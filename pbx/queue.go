package pbx

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// QueueName is the name of a queue, in most PBXs its number.
type QueueName string

// Member is a copy of one agent's place in a queue.
type Member struct {
	Name      string // MemberName
	Interface string // what the queue dials: PJSIP/801, Local/801@from-queue/n
	Exten     Exten  // "" when the interface belongs to no extension
	Static    bool   // configured in queues.conf: it cannot be removed
	Penalty   int
	Paused    bool
	Reason    string // of the pause
	State     string // device state number of app_queue: 1 not in use, 2 in use, 5 unavailable, 6 ringing
}

// Waiting is a copy of one caller in a queue.
type Waiting struct {
	ID     string // Uniqueid of the channel
	Caller Party
	Since  time.Time // when he came
}

// Queue is a copy of a queue as it stands; members are in Asterisk's order, callers in that of their coming.
type Queue struct {
	Name    QueueName
	Members []Member
	Callers []Waiting
}

// queue is the live record behind a Queue.
type queue struct {
	name    QueueName
	members []*Member
	callers []Waiting
}

func (q *queue) copy() Queue {
	out := Queue{Name: q.name, Members: make([]Member, 0, len(q.members)), Callers: slices.Clone(q.callers)}
	for _, m := range q.members {
		out.Members = append(out.Members, *m)
	}
	return out
}

func (q *queue) member(iface string) *Member {
	for _, m := range q.members {
		if m.Interface == iface {
			return m
		}
	}
	return nil
}

// queue returns the record of a queue, a new one if need be.
func (s *state) queue(n QueueName) *queue {
	q, ok := s.queues[n]
	if !ok {
		q = &queue{name: n}
		s.queues[n] = q
	}
	return q
}

// memberExten finds the extension behind an interface: PJSIP/801 is 801, and so are Local/801@from-queue/n and whatever
// watches the state of 801.
func (r *Rules) memberExten(iface, stateInterface string) Exten {
	if rest, ok := strings.CutPrefix(iface, "Local/"); ok {
		if number, _, _ := strings.Cut(rest, "@"); r.isExten(number) {
			return Exten(number)
		}
	}
	if n := r.extenOf(iface); n != "" {
		return n
	}
	if rest, ok := strings.CutPrefix(stateInterface, "hint:"); ok {
		if number, _, _ := strings.Cut(rest, "@"); r.isExten(number) {
			return Exten(number)
		}
	}
	return r.extenOf(stateInterface)
}

// memberFrom reads a member out of a QueueMember event, which calls its fields Name and Location, or of the QueueMember...
// events, which call them MemberName and Interface.
func (s *state) memberFrom(m ami.Message) *Member {
	iface := cmp.Or(m.Get("Interface"), m.Get("Location"))
	return &Member{
		Name:      cmp.Or(m.Get("MemberName"), m.Get("Name")),
		Interface: iface,
		Exten:     s.rules.memberExten(iface, m.Get("StateInterface")),
		Static:    m.Get("Membership") == "static",
		Penalty:   number(m.Get("Penalty")),
		Paused:    m.Get("Paused") == "1",
		Reason:    m.Get("PausedReason"),
		State:     m.Get("Status"),
	}
}

// number reads a count, such as the seconds since Asterisk began, which are more than ten million after four months; 0 for what
// is none, or cannot be one.
func number(text string) int {
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' || n > 1<<27 {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// standing is what of a member tells whether it may be called.
type standing struct {
	exten          Exten
	static, paused bool
	reason         string
}

func (m *Member) stands() standing { return standing{m.Exten, m.Static, m.Paused, m.Reason} }

// queueMember takes over what an event says of a member.
func (s *state) queueMember(m ami.Message) {
	q, fresh := s.queue(QueueName(m.Get("Queue"))), s.memberFrom(m)
	was, posted := Member{}, fresh.Exten
	if old := q.member(fresh.Interface); old != nil {
		if *old == *fresh {
			return
		}
		was, *old = *old, *fresh
		if posted != "" && was.stands() == fresh.stands() {
			posted = "" // another state of the phone
		}
	} else {
		q.members = append(q.members, fresh)
	}
	s.post(posted)
	s.emit(QueueMemberChanged{Queue: q.name, Member: *fresh})
	if m.Event() != "QueueMember" { // which is of a list: those are compared when all is known
		s.watchWrap(was, *fresh, false)
	}
}

func (s *state) queueMemberRemoved(m ami.Message) {
	q, gone := s.queue(QueueName(m.Get("Queue"))), s.memberFrom(m)
	if old := q.member(gone.Interface); old != nil {
		q.members = without(q.members, old)
		s.post(old.Exten)
		s.emit(QueueMemberChanged{Queue: q.name, Member: *gone, Removed: true})
		s.watchWrap(*old, *gone, true)
	}
}

func (s *state) queueCallerJoin(m ami.Message) {
	q := s.queue(QueueName(m.Get("Queue")))
	if ch := s.channels[m.Get("Uniqueid")]; ch != nil && m.Event() == "QueueCallerJoin" {
		s.tellVisit(ch, q.name)
		s.joinQueue(ch, q.name, s.at)
	}
	since := s.at.Add(-time.Duration(number(m.Get("Wait"))) * time.Second)
	for _, w := range q.callers {
		if w.ID == m.Get("Uniqueid") && m.Event() == "QueueEntry" {
			since = w.Since // as it was told when he came
		}
	}
	fresh := Waiting{ID: m.Get("Uniqueid"), Caller: Party{Number: known(m.Get("CallerIDNum")), Name: known(m.Get("CallerIDName"))}, Since: since}
	before := len(q.callers)
	q.callers = slices.DeleteFunc(q.callers, func(w Waiting) bool { return w.ID == fresh.ID })
	if q.callers = append(q.callers, fresh); len(q.callers) > before {
		s.emit(CallerQueued{Queue: q.name, Waiting: fresh})
	}
}

func (s *state) queueCallerLeave(m ami.Message) {
	if ch := s.channels[m.Get("Uniqueid")]; ch != nil {
		s.leaveQueue(ch, false)
	}
	s.queue(QueueName(m.Get("Queue"))).keep(s, func(w Waiting) bool { return w.ID != m.Get("Uniqueid") })
}

// keep takes those off the list who do not wait any more.
func (q *queue) keep(s *state, waits func(Waiting) bool) {
	q.callers = slices.DeleteFunc(q.callers, func(w Waiting) bool {
		if waits(w) {
			return false
		}
		s.emit(CallerUnqueued{Queue: q.name, Waiting: w})
		return true
	})
}

// reconcileQueues takes over a full list and tells the differences.
func (s *state) reconcileQueues(list []ami.Message) {
	live, waiting := map[QueueName]map[string]bool{}, map[QueueName][]string{}
	for _, m := range list {
		name := QueueName(m.Get("Queue"))
		switch m.Event() {
		case "QueueParams":
			live[name] = map[string]bool{}
			s.queue(name)
		case "QueueMember":
			if live[name] == nil { // of an answer that lacks a part
				live[name] = map[string]bool{}
			}
			live[name][m.Get("Location")] = true
			s.queueMember(m)
		case "QueueEntry":
			waiting[name] = append(waiting[name], m.Get("Uniqueid"))
			s.queueCallerJoin(m)
		}
	}
	for name, q := range s.queues {
		q.keep(s, func(w Waiting) bool { return slices.Contains(waiting[name], w.ID) })
		for _, m := range slices.Clone(q.members) {
			if !live[name][m.Interface] {
				q.members = without(q.members, m)
				s.emit(QueueMemberChanged{Queue: name, Member: *m, Removed: true})
			}
		}
		if live[name] == nil {
			delete(s.queues, name)
		}
	}
}

// places lists where an extension is a member, in the order of the queues' names; only in the named queue unless it is "".
func (s *state) places(n Exten, only QueueName) (list []place) {
	for name, q := range s.queues {
		for _, m := range q.members {
			if m.Exten == n && (only == "" || only == name) {
				list = append(list, place{name, *m})
			}
		}
	}
	slices.SortFunc(list, func(a, b place) int { return cmp.Compare(a.queue, b.queue) })
	return list
}

// place is one membership.
type place struct {
	queue  QueueName
	member Member
}

// Queues returns all queues in the order of their names; ErrOffline while the picture is not complete.
func (s *Switch) Queues() ([]Queue, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.synced {
		return nil, ErrOffline
	}
	list := make([]Queue, 0, len(s.state.queues))
	for _, q := range s.state.queues {
		list = append(list, q.copy())
	}
	slices.SortFunc(list, func(a, b Queue) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}
