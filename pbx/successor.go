package pbx

import (
	"slices"

	"github.com/dialbridge/dialbridge/ami"
)

// Who picks up a call in the moment in which it is answered takes the place of who has answered. An attended transfer to an application (a queue,
// a conference) puts the transferred party where the transferring one was. Asterisk tells the transfer; that the one has come and the other
// has gone it tells late, or never.

// succession finds who takes whose place, nil when nobody does.
func (s *state) succession(m ami.Message) (giver, heir *channel) {
	if m.Get("Result") != "Success" || m.Get("DestType") != "App" {
		return nil, nil
	}
	if heir = s.channels[m.Get("TransfereeUniqueid")]; heir != nil {
		return s.channels[m.Get("SecondTransfererUniqueid")], heir
	}
	return s.channels[m.Get("OrigTransfererUniqueid")], s.channels[m.Get("TransferTargetUniqueid")]
}

// succeed gives the place of one channel to another.
func (s *state) succeed(giver, heir *channel) {
	if giver == nil || heir == nil {
		return
	}
	place, holding := giver.Bridge, giver.Waits
	s.leaveBridge(giver)
	s.enterBridge(heir, place, holding)
	for _, q := range s.queues {
		i := slices.IndexFunc(q.callers, func(w Waiting) bool { return w.ID == giver.ID })
		if i < 0 {
			continue
		}
		gone := q.callers[i]
		fresh := Waiting{ID: heir.ID, Caller: heir.Caller, Since: gone.Since}
		s.emit(CallerUnqueued{Queue: q.name, Waiting: gone})
		q.callers[i] = fresh
		s.emit(CallerQueued{Queue: q.name, Waiting: fresh})
		s.finish(giver.call, SpanQueue, giver.ID, "") // without an outcome: it goes on
		s.joinQueue(heir, q.name, s.at)
	}
	if at := s.attending[giver.ID]; at.who != nil {
		s.leaves(giver.ID)
		s.enter(at.conf, entrant{id: heir.ID, name: heir.Name, caller: heir.Caller.Number})
	}
}
