package pbx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// SetMembers replaces the list of a conference's members. Nobody is rung; whoever is in it or being rung stays. Errors: InvalidError,
// ErrNotFound, those of the context and the database.
func (s *Switch) SetMembers(ctx context.Context, id ConferenceID, numbers []string) error {
	rules := s.rules()
	var list []string
	for _, n := range numbers {
		if !rules.dials(n) {
			return &InvalidError{Field: "members", Reason: "number may not be dialled"}
		}
		if s.isConference(n) {
			return &InvalidError{Field: "members", Reason: n + " is a conference"}
		}
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	if len(list) > maxAttending {
		return &InvalidError{Field: "members", Reason: "more than " + strconv.Itoa(maxAttending)}
	}
	return s.putConferences(ctx, func(st *state) error {
		c := st.conferences[id]
		if c == nil || c.closing {
			return fmt.Errorf("%w: conference %s", ErrNotFound, id)
		}
		c.Members, c.dirty = list, true
		st.dropAttendees(c, len(c.attendees), func(a *attendee) bool { return !a.live() })
		now := time.Now()
		for _, n := range list {
			if c.attends(n) == nil {
				a := st.attendeeOf(c, n, now)
				a.State, a.dirty = Invited, true
			}
		}
		return nil
	})
}

// attends lists the live members of a number: one who dials the conference may do so with two phones.
func (c *conference) attends(number string) (list []*attendee) {
	for _, a := range c.attendees {
		if a.live() && a.Number == number {
			list = append(list, a)
		}
	}
	return list
}

// Attendees lists the members of a conference in the order in which they were added. Errors: ErrNotFound, ErrOffline.
func (s *Switch) Attendees(id ConferenceID) ([]Attendee, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := s.state.conferences[id]
	if c == nil {
		return nil, fmt.Errorf("%w: conference %s", ErrNotFound, id)
	}
	if !s.synced {
		return nil, ErrOffline
	}
	list := make([]Attendee, 0, len(c.attendees))
	for _, a := range c.attendees {
		list = append(list, a.Attendee)
	}
	return list, nil
}

// Invite rings a number, an extension or one outside, and brings it into a conference when it answers; how that goes on is told by
// Attendees. Errors: InvalidError, BarredError, ErrNotFound (no such conference, extension, or number in the context), ErrNotRegistered,
// ErrAttending, ErrConferenceFull, ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) Invite(ctx context.Context, id ConferenceID, number string) error {
	c, err := s.reach(id)
	if err != nil {
		return err
	}
	rules, device, err := s.invitable(ctx, c, number)
	if err != nil {
		return err
	}
	if err := s.prepareRoom(ctx, id); err != nil {
		return err
	}
	call, undo, err := s.expectAttendee(ctx, c, number)
	if err != nil {
		return err
	}
	r := DialRequest{From: number, To: c.Number, Timeout: rules.Timeout}
	_, err = s.client.Do(withOrder(ctx, call), originate(numberContext, device, call, r))
	if err == nil || errors.Is(err, ami.ErrUnknown) {
		return translate(err)
	}
	_ = s.putConferences(context.WithoutCancel(ctx), undo) // the refusal tells more
	if refusedWith(err, "Extension does not exist") {
		return fmt.Errorf("%w: conference %s", ErrNotFound, id) // it has been deleted meanwhile
	}
	return translate(err)
}

// invitable checks a number and returns what Asterisk is to ring.
func (s *Switch) invitable(ctx context.Context, c Conference, number string) (*Rules, string, error) {
	rules, device, err := s.dialable(DialRequest{From: number, To: number})
	var invalid *InvalidError
	if errors.As(err, &invalid) {
		err = &InvalidError{Field: "member", Reason: invalid.Reason}
	}
	if err != nil {
		return nil, "", err
	}
	if s.isConference(number) {
		return nil, "", &InvalidError{Field: "member", Reason: "is a conference"}
	}
	if err := s.mayCall(ctx, rules, "member", number); err != nil || rules.isExten(number) {
		return rules, device, err
	}
	place := cmp.Or(c.Context, rules.Context)
	if ok, err := s.Exists(ctx, place, number); err != nil || !ok {
		return nil, "", cmp.Or(err, fmt.Errorf("%w: number %s in context %s", ErrNotFound, number, place))
	}
	return rules, "Local/" + number + "@" + place + "/n", nil
}

func (s *Switch) isConference(number string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.rooms[number] != nil
}

// expectAttendee notes a member who is about to be rung: of two requests at once the second is refused. undo takes it back.
func (s *Switch) expectAttendee(ctx context.Context, conf Conference, number string) (call CallID, undo func(*state) error, err error) {
	call = newCallID(time.Now())
	err = s.putConferences(ctx, func(st *state) error {
		c := st.conferences[conf.ID]
		switch {
		case c == nil || c.closing:
			return fmt.Errorf("%w: conference %s", ErrNotFound, conf.ID)
		case c.attends(number) != nil:
			return fmt.Errorf("%w: %s", ErrAttending, number)
		case c.live() >= maxAttending:
			return fmt.Errorf("%w: %d members", ErrConferenceFull, maxAttending)
		}
		now, known := time.Now(), len(c.attendees)
		a := st.attendeeOf(c, number, now)
		before, fresh := a.Attendee, len(c.attendees) != known
		st.invite(c, a, string(call), now)
		st.asked[call] = order{number: conf.Number, from: number, at: now}
		undo = func(st *state) error {
			delete(st.asked, call)
			delete(st.attending, string(call))
			a.Attendee, a.channel, a.dirty = before, "", true
			if fresh {
				st.dropAttendees(c, 1, func(x *attendee) bool { return x == a })
			}
			st.moveConference(c)
			return nil
		}
		return nil
	})
	return call, undo, err
}

// seats lists the live members of a number, and all when number is "".
func (s *Switch) seats(id ConferenceID, number string) (list []attendee) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c := s.state.conferences[id]; c != nil {
		for _, a := range c.attendees {
			if a.live() && (number == "" || a.Number == number) {
				seat := *a
				if ch := s.state.channels[a.channel]; ch != nil {
					seat.name = ch.Name
				}
				list = append(list, seat)
			}
		}
	}
	return list
}

// Kick ends the part of a number in a conference: who is in it is taken out, who is being rung is rung no more. It returns when that is
// seen. Errors: ErrNotFound, ErrNotAttending, ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) Kick(ctx context.Context, id ConferenceID, number string) error {
	c, err := s.reach(id)
	if err != nil {
		return err
	}
	seats := s.seats(id, number)
	if number == "" || len(seats) == 0 {
		return fmt.Errorf("%w: %s", ErrNotAttending, number)
	}
	for _, a := range seats {
		if err := s.unseat(ctx, c, a); err != nil {
			return err
		}
	}
	return s.unseated(ctx, seats)
}

// unseat tells Asterisk to take a member out, or to ring him no more.
func (s *Switch) unseat(ctx context.Context, c Conference, a attendee) error {
	if !a.in() {
		return s.callOff(ctx, a)
	}
	_, err := s.client.Do(ctx, ami.NewAction("ConfbridgeKick", "Conference", c.Number, "Channel", a.name))
	if isOut(err) {
		return nil
	}
	return translate(err)
}

// isOut reports whether Asterisk knows a member, his room, or any room at all no more.
func isOut(err error) bool {
	return refusedWith(err, "No Channel by that name") || refusedWith(err, "No Conference by that name") || refusedWith(err, "No active conferences")
}

// callOff hangs up a channel that is rung for a member. It may not be there yet, and it may have come into the room meanwhile.
func (s *Switch) callOff(ctx context.Context, a attendee) error {
	s.awaitFor(ctx, channelBirth, func(st *state) bool { return st.channels[a.channel] != nil || st.attending[a.channel].who == nil })
	return s.hangUpAll(ctx, []string{a.channel})
}

// hangUpAll ends channels, by id; one that has ended by itself is success.
func (s *Switch) hangUpAll(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if _, err := s.client.Do(ctx, ami.NewAction("Hangup", "Channel", id)); err != nil && !errors.Is(translate(err), ErrNoCall) {
			return translate(err)
		}
	}
	return nil
}

// unseated waits until members are neither in nor being rung.
func (s *Switch) unseated(ctx context.Context, seats []attendee) error {
	if len(seats) == 0 {
		return nil
	}
	return s.confirm(ctx, Exten(seats[0].Number), func(st *state) bool {
		return !slices.ContainsFunc(seats, func(a attendee) bool { return st.attending[a.channel].who != nil })
	})
}

// Mute lets nobody in a conference hear a number, or lets it be heard again. It returns when that is seen; one who is muted already is
// left so. Errors: ErrNotFound, ErrNotAttending, ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) Mute(ctx context.Context, id ConferenceID, number string, on bool) error {
	c, err := s.reach(id)
	if err != nil {
		return err
	}
	action, to := "ConfbridgeUnmute", Attending
	if on {
		action, to = "ConfbridgeMute", Muted
	}
	seats := slices.DeleteFunc(s.seats(id, number), func(a attendee) bool { return !a.in() })
	if number == "" || len(seats) == 0 {
		return fmt.Errorf("%w: %s", ErrNotAttending, number)
	}
	for _, a := range seats {
		if a.State == to {
			continue
		}
		_, err := s.client.Do(ctx, ami.NewAction(action, "Conference", c.Number, "Channel", a.name))
		if isOut(err) {
			return fmt.Errorf("%w: %s", ErrNotAttending, number)
		}
		if err != nil {
			return translate(err)
		}
	}
	return s.confirm(ctx, Exten(number), func(st *state) bool {
		return !slices.ContainsFunc(seats, func(a attendee) bool { at := st.attending[a.channel].who; return at != nil && at.State != to })
	})
}

// EndMeeting ends the part of everybody in a conference, which stays and may be dialled again. Errors: ErrNotFound, ErrOffline,
// ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) EndMeeting(ctx context.Context, id ConferenceID) error {
	c, err := s.reach(id)
	if err != nil {
		return err
	}
	if err := s.endMeeting(ctx, c); err != nil {
		return err
	}
	return s.putConferences(ctx, func(st *state) error {
		if c := st.conferences[id]; c != nil {
			c.Completed, c.dirty = time.Now(), true
			st.moveConference(c)
		}
		return nil
	})
}

func (s *Switch) endMeeting(ctx context.Context, c Conference) error {
	seats := s.seats(c.ID, "")
	for _, a := range seats {
		if !a.in() {
			if err := s.callOff(ctx, a); err != nil {
				return err
			}
		}
	}
	_, err := s.client.Do(ctx, ami.NewAction("ConfbridgeKick", "Conference", c.Number, "Channel", "all"))
	if err != nil && !isOut(err) {
		return translate(err)
	}
	return s.unseated(ctx, seats)
}

// inRoom lists the channels that the dialplan has led to a number of a conference.
func (s *Switch) inRoom(number string) (ids []string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for id, ch := range s.state.channels {
		if isRoomContext(ch.Context) && ch.Exten == number {
			ids = append(ids, id)
		}
	}
	return ids
}
