package pbx

// That a phone has pressed hold is told by an event alone. Where that may have been missed, it is known by whom it holds: of two in a bridge,
// Asterisk says of the one that it is on hold when the other has pressed it (ADR 38).

// reconcilePressed takes over which phones have pressed hold: one may have done so, or taken it back, while nobody listened. Of one that has
// not exactly one other in its bridge, or who is in a conference, nothing can be told, and it stays as it was.
func (s *state) reconcilePressed(all map[string]particulars) {
	for _, ch := range s.channels {
		if ch.Local() || ch.State != up {
			continue
		}
		bridge := s.holdsIn(ch)
		if peer := s.onlyOther(ch, bridge); peer != nil {
			if p := all[peer.ID]; p.told && p.bridge == bridge {
				s.press(ch, p.held, bridge)
			}
		}
	}
}

// press notes that a phone has pressed hold in a bridge, or taken that back.
func (s *state) press(ch *channel, on bool, bridge string) {
	if !on {
		bridge = ""
	}
	if parted := on && ch.Aside != ""; ch.Parted != parted || ch.Pressed != bridge {
		ch.Parted, ch.Pressed, ch.call.dirty = parted, bridge, true
		s.unrest(ch.line)
	}
	s.setHold(ch, on, ch.Held)
}

// exchange forgets in which bridge phones hold that have another one before them now: he is not on hold for Asterisk, and nothing he is says that they
// have let go.
func (s *state) exchange(ch *channel, bridge string) {
	for _, other := range s.bridges[bridge] {
		if other.Holding {
			other.Pressed, other.call.dirty = "", true
		}
	}
	if ch.Holding && ch.Aside == "" && ch.Pressed != bridge {
		ch.Pressed, ch.call.dirty = "", true
	}
}

// holdsIn is the bridge in which a hold of a channel is: for one that has left somebody on hold to ask another, it is not the one in which it is.
func (s *state) holdsIn(ch *channel) string {
	switch {
	case ch.Consulting:
		return ch.Aside
	case ch.Holding && ch.Pressed == "":
		return ""
	case ch.Holding && len(s.bridges[ch.Pressed]) > 0:
		return ch.Pressed
	}
	return ch.Bridge
}

// onlyOther is who is in a bridge besides a channel, nil unless that is one, and hears him.
func (s *state) onlyOther(ch *channel, bridge string) (other *channel) {
	for _, in := range s.bridges[bridge] {
		switch {
		case in.Waits || in.conferring():
			return nil
		case in == ch:
		case other != nil:
			return nil
		default:
			other = in
		}
	}
	return other
}
