package pbx

import (
	"context"
	"strconv"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// limit is an end that Asterisk is to put to a channel.
type limit struct {
	channel string
	after   time.Duration
}

// ringAllowance is what an ordered call gets on top of its limit until somebody has answered it: a menu or a queue may
// never ring anybody.
const ringAllowance = time.Minute

// limitCall asks for the end of an ordered call that has a limit: roughly when its own phone answers, exactly when the one
// it rings does.
func (s *state) limitCall(c *call, leg *Leg) {
	if c.limit == 0 || !c.originated {
		return
	}
	if leg.ToID == c.idString() {
		s.limits = append(s.limits, limit{c.first.Name, c.limit + ringAllowance})
		return
	}
	if leg.FromName != "" {
		s.limits = append(s.limits, limit{c.first.Name, c.limit})
		c.limit = 0
	}
}

// putLimits sets the limits that the last change asked for. Asterisk keeps them itself from then on, and of two for one channel
// the one that comes last: the second waits for the answer to the first. The caller holds mu.
func (r *run) putLimits(list []limit) {
	for _, l := range list {
		r.inTurn("limit of "+l.channel, func() { r.putLimit(l) })
	}
}

func (r *run) putLimit(l limit) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	a := ami.NewAction("AbsoluteTimeout", "Channel", l.channel, "Timeout", strconv.Itoa(int(l.after/time.Second)))
	if _, err := r.client.Do(ctx, a); err != nil {
		r.log.Warn("call limit could not be set", "channel", l.channel, "error", err)
	}
}

// birthPatience is how long the events of a channel may lag behind Asterisk's word that its order has failed: another thread sends
// that, and on a busy machine it overtakes them.
const birthPatience = 3 * time.Second

// originateResponse notes that an ordered call has failed of which no channel has been seen. Those that had one are told by it.
func (s *state) originateResponse(m ami.Message) {
	id := orderOf(m.Get("ActionID"))
	if o, waiting := s.asked[id]; m.Get("Response") == "Failure" && waiting && s.calls[id] == nil {
		o.failed = s.at
		s.asked[id] = o
	}
}

// tickOrders tells the ends of ordered calls that have failed and never had a channel: their phone vanished between the order and
// the ringing.
func (s *state) tickOrders(now time.Time) {
	for id, o := range s.asked {
		if !o.failed.IsZero() && now.Sub(o.failed) >= birthPatience {
			s.at, s.stamp = now, ""
			s.endOrder(id, o)
		}
	}
}

func (s *state) endOrder(id CallID, o order) {
	delete(s.asked, id)
	s.leaves(string(id)) // who was to be a member of a conference
	first := Channel{
		ID: string(id), Linked: string(id), Caller: Party{Number: o.from}, Connected: Party{Number: o.number}, Dialled: o.number, Created: o.at,
	}
	r := composeCDR(&first, nil, o.failed, s.rules.Location)
	r.Disposition = "FAILED"
	direction := Internal
	if s.leadsOut(o.number, "") || s.rules.isOutside(o.from) {
		direction = Outbound
	}
	r.Direction = direction
	s.emit(CallRecorded{Call: id, CDR: r})
	s.emit(CallEnded{Call: Call{ID: id, First: first, Direction: direction, Started: o.at}, Cause: "0"})
	a := Account{
		ID: id, Caller: o.from, Called: o.number, Direction: direction, Side: SideSystem, Cause: "0", CauseText: "Unknown",
		Start: o.at, End: o.failed, Duration: max(0, o.failed.Sub(o.at)), Remark: o.remark,
	}
	if n := Exten(o.from); s.extens[n] != nil {
		a.Agents = []Share{{Exten: n}}
	}
	s.tellAccount(a)
}
