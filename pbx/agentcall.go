package pbx

import (
	"cmp"
	"strings"
	"time"
)

// AgentCall is the call of a busy agent, seen from him.
type AgentCall struct {
	Channel  string // Uniqueid of his own leg, "" for no call
	Other    string // of the other party's, "" while there is none
	Call     CallID
	Dialled  string    // number that the caller has asked for
	Remark   string    // what was to be kept with the call
	Outbound bool      // he called, or was rung so that he could
	Number   string    // of the other party, "" when unknown
	Trunk    string    // over which the call goes or came, "" for none
	Picked   bool      // he has picked up, though perhaps nobody else
	Answered time.Time // when the two were connected; zero while either is rung

	Collected []string // keys that Collect has got from the other party, the last ones last
	Now       Situation
}

// callOf is the call that an agent has: the one that he had before for as long as it lives, else his oldest.
func (s *state) callOf(a *agent) (call AgentCall) {
	var line *channel
	for _, ch := range s.lines[a.Exten] {
		if ch.State == "" || ch.State == down || ch.Exten == "h" {
			continue // not rung yet, or over
		}
		if ch.ID == a.Call.Channel {
			line, call = ch, AgentCall{Answered: a.Call.Answered}
			break
		}
		if line == nil || ch.Name < line.Name { // Asterisk counts them; one read of the socket may have two
			line = ch
		}
	}
	if line == nil {
		return AgentCall{}
	}
	c := line.call
	ordered := c.first == line && !c.Alone && (c.originated || c.requested != "")                            // his phone was rung so that he can call
	rung := line.Called || c.Alone || line.State == ringing || a.Call.Channel == line.ID && !a.Call.Outbound // DialBegin may come later
	call.Channel, call.Call, call.Picked = line.ID, c.id, line.State == up
	call.Outbound, call.Number, call.Trunk = ordered || !rung, line.Connected.Number, s.trunkOf(c)
	call.Other, call.Dialled, call.Remark, call.Collected = s.otherParty(line), c.first.Dialled, c.remark, line.keys
	if ordered {
		call.Number = cmp.Or(c.requested, call.Number)
	} else if call.Outbound {
		call.Number = cmp.Or(line.Dialled, call.Number)
	}
	if call.Outbound {
		call.Dialled = call.Number
	}
	call.Now = s.situation(a.Exten, line)
	s.keepsParty(&call, a, line)
	if other := s.channels[call.Other]; !line.Called && !ordered && c.first != line && other != nil && line.Bridge != "" {
		call.joined(s, c, other)
	}
	switch {
	case !call.Answered.IsZero() || !call.Picked:
	case !ordered:
		call.Answered = cmp.Or(line.Answered, s.at)
	case line.Bridge != "" && !line.Waits:
		call.Answered = c.talksSince(line.ID, s.at)
	}
	return call
}

// keepsParty lets a call be with whom the agent has left while he asks somebody. Asterisk shows the phone whom it asks, and takes that back late
// when it returns, or not at all; what it shows then is the truth again as soon as it is something else.
func (s *state) keepsParty(call *AgentCall, a *agent, line *channel) {
	before := &a.Call
	same := before.Channel == line.ID && before.Number != ""
	switch {
	case same && line.Aside != "":
		call.Other, call.Number = before.Other, before.Number
	case line.Consulting: // since before the daemon was started
		if other := s.left(line); other != nil {
			call.Other = other.ID
			call.Number, _ = s.party(other)
		}
	case same && call.Other == before.Other && line.Connected.Number == a.shown:
		call.Number = before.Number
	}
}

// left is whom a channel that consults has left, nil for nobody who is there.
func (s *state) left(line *channel) *channel {
	for _, ch := range s.bridges[line.Aside] {
		if !ch.Local() {
			return ch
		}
		if other := s.heard(ch); other != nil {
			return other
		}
	}
	return nil
}

// joined tells the call of an agent who took a parked call, or picked one up, of whom he talks to: what he dialled was the way to it.
func (call *AgentCall) joined(s *state, c *call, other *channel) {
	call.Number, _ = s.party(other)
	if call.Outbound = other != c.first; call.Outbound {
		call.Dialled = call.Number
	} else {
		call.Dialled = c.first.Dialled
	}
}

// talksSince is when a channel first had somebody to talk to, now where that is not known: a daemon that was started anew has seen nothing of it.
func (c *call) talksSince(id string, now time.Time) time.Time {
	for i := range c.Spans {
		if sp := &c.Spans[i]; sp.Kind == SpanTalk && sp.Channel == id {
			return sp.Start
		}
	}
	return now
}

// trunkOf is the name of the trunk that a call goes over, "" for none.
func (s *state) trunkOf(c *call) string {
	for _, ch := range c.channels {
		if ch.line == "" && !ch.Local() {
			_, name, _ := strings.Cut(ch.Device(), "/")
			return name
		}
	}
	return ""
}

// owesWork notes that a call which an agent has ordered, and in which he has talked, ends with after-call work.
func (s *state) owesWork(a *agent) {
	if ch := s.channels[a.Call.Channel]; ch != nil && ch.Serves == "" && !a.Call.Answered.IsZero() && ch.call.work && ch.call.orderer == string(a.Exten) {
		ch.Serves, ch.call.dirty = a.Exten, true
	}
}

// otherParty is the channel of whom an agent's channel talks to, rings or is rung by; "" while there is none.
func (s *state) otherParty(line *channel) string {
	if other := s.heard(line); other != nil {
		return other.ID
	}
	c := line.call
	for _, l := range c.legs {
		to := s.channels[l.ToID]
		if l.FromName == line.Name && to != nil && (!l.Ended || l.Answered && line.Bridge == "" && to.Bridge == "") { // or on their way to each other
			return l.ToID
		}
	}
	if c.first != line && s.channels[c.first.ID] != nil && !c.first.Local() {
		return c.first.ID
	}
	return ""
}
