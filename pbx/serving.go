package pbx

import (
	"slices"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// agentConnect notes that a waiting caller was answered. He has left the queue by then.
func (s *state) agentConnect(m ami.Message) {
	ch := s.touch(m)
	if ch == nil {
		return
	}
	ch.call.Serving = append(ch.call.Serving, serviceOf(m))
	s.serves(s.servant(m), ch.call.id)
	s.finish(ch.call, SpanQueue, ch.ID, "")
	for i := len(ch.call.Spans) - 1; i >= 0; i-- {
		if sp := &ch.call.Spans[i]; sp.Kind == SpanQueue && sp.Channel == ch.ID {
			sp.Outcome = string(queueConnected)
			ch.call.dirty = true
			return
		}
	}
}

// agentComplete notes who ended a conversation that came out of a queue; a transfer does not end it. It may come when the call has
// ended.
func (s *state) agentComplete(m ami.Message) {
	side := map[string]Side{"caller": SideCaller, "agent": SideCalled}[m.Get("Reason")]
	exten, agent := s.servant(m), s.channels[m.Get("DestUniqueid")]
	s.touch(m)
	s.serves(exten, "")
	c, id := s.servedCall(m)
	if c == nil {
		s.lateComplete(id, m, side, exten)
		return
	}
	c.Serving, c.dirty = without(c.Serving, serviceOf(m)), true
	if side != "" {
		c.Completed = side
	}
	if m.Get("Reason") == "transfer" && exten != "" && agent != nil && agent.call.openSpan(SpanTalk, agent.ID) != nil {
		agent.Serves = exten // it was the caller who sent the call on: they go on talking
		return
	}
	s.beginWrap(c.id, exten)
}

// lateComplete does the same for a call that has ended. Its account waits.
func (s *state) lateComplete(id CallID, m ami.Message, side Side, exten Exten) {
	if id == "" {
		return
	}
	h := s.kept[id]
	if h != nil && h.alone {
		side = side.other()
	}
	if h != nil && side != "" {
		h.account.Side = side
	}
	s.beginWrap(id, exten)
	if h != nil {
		h.serving, h.dirty = without(h.serving, serviceOf(m)), true
		if len(h.serving) == 0 {
			h.until = time.Time{}
		}
		s.closeKept(id)
	}
}

// service is a conversation that came out of a queue.
type service struct {
	Queue     QueueName `json:"queue"`
	Interface string    `json:"interface"`
}

func serviceOf(m ami.Message) service {
	return service{QueueName(m.Get("Queue")), m.Get("Interface")}
}

// servedCall finds the call of a queue's event, live or ended. A channel that is on its way out may be missing in it, and both may.
func (s *state) servedCall(m ami.Message) (live *call, id CallID) {
	for _, name := range []string{"Uniqueid", "DestUniqueid", "DestLinkedid"} {
		channel := m.Get(name)
		if c := s.owners[channel]; c != nil {
			return c, c.id
		}
		if f := s.ended[channel]; f != nil {
			return nil, f.call
		}
	}
	which := serviceOf(m)
	for ended, h := range s.kept {
		if slices.Contains(h.serving, which) {
			return nil, ended
		}
	}
	for _, c := range s.calls {
		if slices.Contains(c.Serving, which) && (live == nil || c.started.Before(live.started)) {
			live, id = c, c.id
		}
	}
	return live, id
}

// servant is the agent of a queue's event, "" for none of ours.
func (s *state) servant(m ami.Message) Exten {
	iface := m.Get("Interface")
	if q := s.queues[QueueName(m.Get("Queue"))]; q != nil && q.member(iface) != nil {
		return q.member(iface).Exten
	}
	return s.rules.memberExten(iface, "")
}
