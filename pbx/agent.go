package pbx

import (
	"maps"
	"slices"
	"time"
)

// An agent is an extension that is, or was, a member of a queue. What he does is not kept anywhere: it follows from what Asterisk shows,
// his memberships, his pauses and his calls, and from the after-call work that the switch itself has begun. So a change by any client, by
// a feature code or on Asterisk's console is seen like one of our own.

// AgentState is what an agent does.
type AgentState string

// The states of an agent.
const (
	AgentLogout    AgentState = "logout"  // a member of no queue
	AgentLogin     AgentState = "login"   // signed in, and has not said yet whether he is ready
	AgentReady     AgentState = "ready"   // takes calls of at least one queue
	AgentUnready   AgentState = "unready" // paused in all his queues
	AgentBusy      AgentState = "busy"    // his phone rings or he talks
	AgentAfterWork AgentState = "acw"     // works on the call that he has just had
)

// down is the number of the channel state "Down": nobody is rung yet.
const down = "0"

// loginReason is why a member who has just signed in is paused.
const loginReason = "login"

// Agent is a copy of an agent as he stands.
type Agent struct {
	Exten    Exten
	State    AgentState
	Old      AgentState  // the one before, "" when none is known
	SignedIn time.Time   // zero when he is not
	Changed  time.Time   // when State came about; zero when nobody has seen it
	Queues   []QueueName // in the order of their names
	Away     bool        // his phone is not registered, or does not answer Asterisk
	Call     AgentCall
}

// Enlisted reports whether he is a member of a queue, or was one. Of another one it is told whether his phone is there, and no more.
func (a *Agent) Enlisted() bool { return !a.Changed.IsZero() }

// agent is the live record behind an Agent.
type agent struct {
	Agent
	stale  bool   // his memberships have changed
	free   bool   // not paused in one of them
	works  bool   // paused for after-call work in one
	rests  bool   // paused by somebody's wish in one
	served CallID // the queue has not told the end of his conversation
	shown  string // number that his phone showed when he last asked somebody in his call
}

// post makes sure that an extension which is a member somewhere has a record, and that his memberships are looked at anew.
func (s *state) post(n Exten) {
	if n == "" {
		return
	}
	a := s.agents[n]
	if a == nil {
		a = &agent{Agent: Agent{Exten: n}}
		if s.posted {
			a.State = AgentLogout // else it would be known
		}
		s.agents[n] = a
	}
	a.stale = true
	s.restless[n] = true
}

// unrest notes that an agent may do something else now, or that a phone may have come or gone.
func (s *state) unrest(n Exten) {
	if n != "" && (s.agents[n] != nil || s.extens[n] != nil) {
		s.restless[n] = true
	}
}

// addLine enters a channel among those of its extension.
func (s *state) addLine(ch *channel) {
	if ch.line = s.rules.extenOf(ch.Device()); ch.line != "" {
		s.lines[ch.line] = append(s.lines[ch.line], ch)
		s.unrest(ch.line)
	}
}

func (s *state) dropLine(ch *channel) {
	if ch.line == "" {
		return
	}
	if left := without(s.lines[ch.line], ch); len(left) > 0 {
		s.lines[ch.line] = left
	} else {
		delete(s.lines, ch.line)
	}
	s.unrest(ch.line)
}

// recount looks at all agents anew, after a full query. known: their memberships were told.
func (s *state) recount(known bool) {
	s.posted = s.posted || known
	clear(s.lines)
	for _, ch := range s.channels {
		s.addLine(ch)
	}
	for n := range s.extens {
		s.unrest(n)
	}
	for n := range s.agents {
		s.post(n)
	}
	s.judgeAgents()
	for n, a := range s.agents {
		if a.State == AgentLogout && s.extens[n] == nil {
			delete(s.agents, n)
			s.agentsGone = append(s.agentsGone, n)
		}
	}
}

// judgeAgents finds out what the agents do who may do something else now, and tells it. Before the queues are known nobody is judged.
func (s *state) judgeAgents() {
	if !s.posted || len(s.restless) == 0 {
		return
	}
	for _, n := range slices.Sorted(maps.Keys(s.restless)) {
		if s.signing[n] > 0 {
			continue // until he has joined or left all his queues
		}
		if a, x := s.agents[n], s.extens[n]; a != nil {
			s.judge(a)
		} else if x != nil {
			s.judgePhone(x)
		}
		delete(s.restless, n)
	}
}

// judgePhone tells that the phone of one who was never in a queue came or went: he may look at the toolbar all the same.
func (s *state) judgePhone(x *extension) {
	if away := s.away(x.number); away != x.away {
		x.away = away
		s.emit(AgentMoved{Agent: s.agentOf(x.number)})
	}
}

func (s *state) judge(a *agent) {
	was, queues, away := a.Call, a.Queues, a.Away
	if a.stale {
		s.muster(a)
	}
	a.Call, a.Away = s.callOf(a), s.away(a.Exten)
	if line := s.channels[a.Call.Channel]; line != nil && line.Aside != "" {
		a.shown = line.Connected.Number
	} else if was.Channel != a.Call.Channel {
		a.shown = ""
	}
	s.owesWork(a)
	now := s.stateOf(a)
	news := was.Channel != a.Call.Channel || was.Picked != a.Call.Picked || was.Answered.IsZero() != a.Call.Answered.IsZero() ||
		was.Picked && was.Number != a.Call.Number || len(was.Collected) != len(a.Call.Collected) || !was.Now.equal(&a.Call.Now) || away != a.Away
	if now == a.State && (now != AgentBusy || !news) {
		if !slices.Equal(queues, a.Queues) || away != a.Away {
			s.emit(AgentMoved{Agent: a.copy()})
		}
		return
	}
	if now != a.State {
		switch {
		case now == AgentLogout:
			a.SignedIn = time.Time{}
		case a.State == AgentLogout, a.State == "":
			a.SignedIn = s.at
		}
		a.Old, a.State, a.Changed = a.State, now, s.at
		s.agentsMoved = append(s.agentsMoved, a.stored())
	}
	s.emit(AgentChanged{Agent: a.copy()})
}

// muster reads an agent's memberships.
func (s *state) muster(a *agent) {
	a.stale, a.free, a.works, a.rests, a.Queues = false, false, false, false, nil
	for _, p := range s.places(a.Exten, "") {
		m := &p.member
		if m.pausedByLeave() {
			continue
		}
		a.Queues = append(a.Queues, p.queue)
		a.free = a.free || !m.Paused
		a.works = a.works || m.afterWork()
		comes := m.Reason == loginReason || m.Reason == "" && s.signing[a.Exten] > 0
		a.rests = a.rests || m.Paused && !m.afterWork() && !comes
	}
	a.Queues = slices.Compact(a.Queues)
}

// stateOf is what an agent does. The queue tells the end of a conversation in no order with that of its channels: until it does, one
// who is to have after-call work has it.
func (s *state) stateOf(a *agent) AgentState {
	switch {
	case len(a.Queues) == 0:
		return AgentLogout
	case a.Call.Channel != "":
		return AgentBusy
	case s.wraps[a.Exten] != nil, a.free && a.served != "" && s.rules.AfterWork > 0:
		return AgentAfterWork
	case a.free:
		return AgentReady
	case a.rests:
		return AgentUnready
	case a.works:
		return AgentAfterWork // the end of the pause is on its way
	}
	return AgentLogin
}

// serves notes that an agent has a call out of a queue, whose end the queue will tell; "" that it has.
func (s *state) serves(n Exten, id CallID) {
	if a := s.agents[n]; a != nil {
		a.served = id
		s.unrest(n)
	}
}

// servesOn notes that a call has gone on in another one, in which the queue will tell the end of an agent's conversation.
func (s *state) servesOn(from, to CallID) {
	for _, a := range s.agents {
		if a.served == from {
			a.served = to
		}
	}
}

// unserve lets go who still waits for the queue to tell the end of a call.
func (s *state) unserve(id CallID) {
	for n, a := range s.agents {
		if a.served == id {
			s.serves(n, "")
		}
	}
}

// agentOf copies an agent; one who was never seen in a queue is not signed in.
func (s *state) agentOf(n Exten) Agent {
	if a := s.agents[n]; a != nil && a.State != "" {
		return a.copy()
	}
	return Agent{Exten: n, State: AgentLogout, Away: s.away(n)}
}

// allAgents copies all extensions as agents, those who are not signed in too, in the order of their numbers.
func (s *state) allAgents() []Agent {
	list := make([]Agent, 0, len(s.extens))
	for n := range s.extens {
		list = append(list, s.agentOf(n))
	}
	for n := range s.agents {
		if s.extens[n] == nil {
			list = append(list, s.agentOf(n))
		}
	}
	slices.SortFunc(list, byAgentNumber)
	return list
}

func (a *agent) copy() Agent {
	out := a.Agent
	out.Queues = slices.Clone(a.Queues)
	return out
}
