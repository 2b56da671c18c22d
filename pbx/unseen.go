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

// diallerOf is who rings a channel, as far as the list of channels tells: the one whose Dial names its device, else the one in a queue. Nil where there is
// none, or more than one.
func (s *state) diallerOf(ch *channel) *channel {
	var named, queued []*channel
	for _, other := range ch.call.channels {
		switch {
		case other == ch:
		case other.App == "Dial" && slices.ContainsFunc(strings.FieldsFunc(other.AppData, func(r rune) bool { return r == '&' || r == ',' }),
			func(device string) bool { return device == ch.Device() }):
			named = append(named, other)
		case other.App == "Queue":
			queued = append(queued, other)
		}
	}
	if len(named) == 0 {
		named = queued
	}
	if len(named) != 1 {
		return nil
	}
	return named[0]
}
