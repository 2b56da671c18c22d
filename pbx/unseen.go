package pbx

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// askParked learns who is parked. Without an answer nothing is known: res_parking may not be loaded.
func (s *snapshot) askParked(ctx context.Context, c *ami.Client) (err error) {
	s.parked, s.hasParked, err = unlessRefused(c.List(ctx, ami.NewAction("ParkedCalls")))
	return err
}

// reconcileParked takes over who is parked, and since when. How one was retrieved whom nobody saw is not known.
func (s *state) reconcileParked(list []ami.Message) {
	is := map[string]bool{}
	for _, m := range list {
		id := m.Get("ParkeeUniqueid")
		is[id] = true
		ch := s.channels[id]
		if ch == nil || ch.call.openSpan(SpanPark, id) != nil {
			continue
		}
		s.parked(m)
		seconds, _ := strconv.Atoi(m.Get("ParkingDuration"))
		sp := ch.call.openSpan(SpanPark, id)
		if sp != nil {
			sp.Start = sp.Start.Add(-time.Duration(seconds) * time.Second)
		}
	}
	for id, ch := range s.channels {
		if !is[id] {
			s.finish(ch.call, SpanPark, id, "")
		}
	}
}

// reconcileRinging tells of phones that ring, and whose ringing began while nobody listened. Where it cannot be told who rings one, nothing is.
func (s *state) reconcileRinging() {
	for _, ch := range s.channels {
		if ch.State != ringing || ch.Local() || !ch.Called || ch.call.leg(ch.ID) != nil {
			continue
		}
		by := s.diallerOf(ch)
		if by == nil {
			continue
		}
		_, resource, _ := strings.Cut(ch.Device(), "/")
		leg := &Leg{To: ch.Caller, ToName: ch.Name, ToID: ch.ID, DialString: resource, Unseen: true}
		from := s.behindLocal(ch.call, dialler{party: by.Caller, name: by.Name})
		leg.From, leg.FromName = from.party, from.name
		s.ring(ch.call, leg)
	}
}

// diallerOf is who rings a channel, as far as the list of channels tells. Nil where there is none, or more than one.
func (s *state) diallerOf(ch *channel) (found *channel) {
	for _, other := range ch.call.channels {
		switch {
		case other == ch || !other.rings(ch):
		case found != nil:
			return nil
		default:
			found = other
		}
	}
	return found
}

// rings reports whether what a channel runs may be what rings another one, which Asterisk has named after the application. One in a queue may still be in it while it
// talks, and another one be rung by Dial.
func (c *channel) rings(ch *channel) bool {
	switch ch.App {
	case "AppQueue":
		return c.App == "Queue"
	case "AppDial":
		return c.App == "Dial" && slices.ContainsFunc(strings.FieldsFunc(c.AppData, func(r rune) bool { return r == '&' || r == ',' }),
			func(dialString string) bool { return leadsTo(dialString, ch.Device()) })
	}
	return false
}

// leadsTo reports whether a dial string is that of a device: PJSIP/801, PJSIP/801/sip:801@192.0.2.1, SIP/trunk/NUMBER or PJSIP/NUMBER@trunk.
func leadsTo(dialString, device string) bool {
	tech, resource, _ := strings.Cut(dialString, "/")
	resource, _, _ = strings.Cut(resource, "/")
	_, trunk, _ := strings.Cut(resource, "@")
	return tech+"/"+resource == device || tech+"/"+trunk == device
}
