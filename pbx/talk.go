package pbx

import (
	"slices"
	"strings"
)

// Who talks with whom follows from the bridges: two channels hear each other when they are in one bridge, and the two
// halves of a Local channel pass on what each hears. A party talks while another one hears him.

// holdingBridge is the technology of bridges that only hold their channels.
const holdingBridge = "holding_bridge"

// enterBridge notes that a channel is in a bridge. A holding bridge is where parked callers and those who hear music
// wait: they do not hear each other.
func (s *state) enterBridge(ch *channel, id string, holding bool) {
	if ch.Bridge == id && ch.Waits == holding {
		return
	}
	s.leaveBridge(ch)
	ch.Bridge, ch.Waits = id, holding
	if id == "" {
		return
	}
	s.bridges[id] = append(s.bridges[id], ch)
	s.settle(ch)
}

func (s *state) leaveBridge(ch *channel) {
	id := ch.Bridge
	if id == "" {
		return
	}
	ch.Bridge = ""
	left := without(s.bridges[id], ch)
	if len(left) == 0 {
		delete(s.bridges, id)
		s.deserted(id)
	} else {
		s.bridges[id] = left
	}
	s.settle(append([]*channel{ch, s.otherHalf(ch)}, left...)...)
	if ch.call.talks() {
		ch.call.nobodyEnds()
	}
}

// talks reports whether anybody in a call talks.
func (c *call) talks() bool {
	return slices.ContainsFunc(c.Spans, func(sp Span) bool { return sp.Kind == SpanTalk && sp.open() })
}

// settle tells for each of the channels, and all that they hear, whether they talk.
func (s *state) settle(seeds ...*channel) {
	seen := map[*channel]bool{}
	for _, seed := range seeds {
		if seed == nil || seen[seed] {
			continue
		}
		group := s.hearing(seed, seen)
		parties, ends := 0, false
		for _, ch := range group {
			if !ch.Local() {
				parties++
				ends = ends || ch.leaving
			}
		}
		for _, ch := range group {
			if !ch.Local() {
				s.setTalking(ch, parties > 1, ends)
				s.unrest(ch.line) // whom it asks may be known now
			}
		}
	}
}

// hearing returns a channel and all that hear it.
func (s *state) hearing(ch *channel, seen map[*channel]bool) []*channel {
	seen[ch] = true
	group := []*channel{ch}
	add := func(other *channel) {
		if other != nil && !seen[other] {
			seen[other] = true
			group = append(group, other)
		}
	}
	for i := 0; i < len(group); i++ {
		at := group[i]
		add(s.otherHalf(at))
		if at.Waits || at.Bridge == "" {
			continue
		}
		for _, other := range s.bridges[at.Bridge] {
			add(other)
		}
	}
	return group
}

// heard is the first of the others that a channel hears and that is somebody's, nil when it hears nobody.
func (s *state) heard(ch *channel) *channel {
	for _, other := range s.hearing(ch, map[*channel]bool{}) {
		if other != ch && !other.Local() {
			return other
		}
	}
	return nil
}

// otherHalf returns the second half of a Local channel, nil for any other.
func (s *state) otherHalf(ch *channel) *channel {
	switch {
	case !ch.Local():
		return nil
	case strings.HasSuffix(ch.Name, ";1"):
		return s.halves[strings.TrimSuffix(ch.Name, "1")+"2"]
	default:
		return s.halves[strings.TrimSuffix(ch.Name, "2")+"1"]
	}
}

// setTalking notes whether a party talks. ends says that one of those whom it hears has hung up already, which Asterisk may tell
// before it tells the bridge.
func (s *state) setTalking(ch *channel, on, ends bool) {
	c := ch.call
	switch is := c.openSpan(SpanTalk, ch.ID) != nil; {
	case on && !is && !ch.leaving:
		s.begin(c, s.spanOf(SpanTalk, ch))
		c.Stage = StageTalk
		if !ends {
			c.nobodyEnds()
		}
	case !on && is:
		s.finish(c, SpanTalk, ch.ID, "")
	}
}
