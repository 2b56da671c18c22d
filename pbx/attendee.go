package pbx

import (
	"slices"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/google/uuid"
)

// Attendance is how far a member of a conference has come.
type Attendance string

// The life of a member: invited when he is put on the list, and while he is rung; then he is in, or it came to nothing.
const (
	Invited   Attendance = "invited"
	Attending Attendance = "attending"
	Muted     Attendance = "muted"     // in it, and heard by nobody
	Left      Attendance = "left"      // by himself, or he was kicked
	Cancelled Attendance = "cancelled" // before he was in it: refused, not answered, not reachable, called off
)

// Attendee is a member of a conference, and what became of him last.
type Attendee struct {
	ID      string // a UUID
	Number  string // extension or number outside; "" for a caller who shows none
	State   Attendance
	Created time.Time // when he was added
	Joined  time.Time // zero = not yet
	Left    time.Time // or was cancelled; zero = not yet
}

// attendee is the live record behind an Attendee.
type attendee struct {
	Attendee
	place   int       // in the order in which they were added
	channel string    // Uniqueid of the channel that is rung for him or by which he is in; "" = none
	name    string    // of that channel, "" while it is not known
	ordered time.Time // when he was rung by command
	dirty   bool      // his row differs from what is stored
}

func (a *attendee) in() bool { return a.State == Attending || a.State == Muted }

// live reports whether he is in or being rung.
func (a *attendee) live() bool { return a.channel != "" }

// attendance is the part that a channel has in a conference.
type attendance struct {
	conf *conference
	who  *attendee
}

func (s *state) addConference(c *conference) {
	s.conferences[c.ID], s.rooms[c.Number] = c, c
	for _, a := range c.attendees {
		if a.live() {
			s.attending[a.channel] = attendance{c, a}
		}
	}
	s.moveConference(c)
}

func (s *state) removeConference(c *conference) {
	delete(s.conferences, c.ID)
	delete(s.rooms, c.Number)
	delete(s.conferencesMoved, c)
	for _, a := range c.attendees {
		delete(s.attending, a.channel)
	}
	s.conferencesGone = append(s.conferencesGone, c.ID)
}

// moveConference notes that a conference or its members differ from what is stored.
func (s *state) moveConference(c *conference) { s.conferencesMoved[c] = true }

// attendeeOf finds a member by his number who is not live, else makes one.
func (s *state) attendeeOf(c *conference, number string, at time.Time) *attendee {
	for _, a := range c.attendees {
		if a.Number == number && !a.live() {
			return a
		}
	}
	c.places++
	a := &attendee{Attendee: Attendee{ID: uuid.NewString(), Number: number, Created: at}, place: c.places}
	c.attendees = append(c.attendees, a)
	if len(c.attendees) > maxAttended {
		s.dropAttendees(c, 1, func(old *attendee) bool { return old != a && !old.live() && !slices.Contains(c.Members, old.Number) })
	}
	return a
}

// dropAttendees forgets members, at most so many.
func (s *state) dropAttendees(c *conference, most int, which func(*attendee) bool) {
	c.attendees = slices.DeleteFunc(c.attendees, func(a *attendee) bool {
		if most == 0 || !which(a) {
			return false
		}
		most--
		s.attendeesGone = append(s.attendeesGone, a.ID)
		return true
	})
	s.moveConference(c)
}

// invite notes that a channel is about to be rung for a member.
func (s *state) invite(c *conference, a *attendee, channel string, at time.Time) {
	a.State, a.channel, a.name, a.ordered, a.Joined, a.Left, a.dirty = Invited, channel, "", at, time.Time{}, time.Time{}, true
	s.attending[channel] = attendance{c, a}
	s.moveConference(c)
}

// live counts who is in a conference or being rung for it, and in who is in it.
func (c *conference) live() (n int) { return c.count((*attendee).live) }

func (c *conference) in() (n int) { return c.count((*attendee).in) }

func (c *conference) count(which func(*attendee) bool) (n int) {
	for _, a := range c.attendees {
		if which(a) {
			n++
		}
	}
	return n
}

func (s *state) joins(m ami.Message) {
	s.touch(m)
	if c := s.rooms[m.Get("Conference")]; c != nil {
		s.enter(c, entrantOf(m))
	}
}

// entrant is a channel that is in a conference.
type entrant struct {
	id, name, caller string
	muted            bool
}

func entrantOf(m ami.Message) entrant {
	return entrant{m.Get("Uniqueid"), m.Get("Channel"), m.Get("CallerIDNum"), m.Get("Muted") == "Yes"}
}

// enter notes that a channel is in a conference. It may have been rung for it, or have dialled it, and it may be known already.
func (s *state) enter(c *conference, e entrant) {
	at := s.attending[e.id]
	if at.who == nil {
		at = attendance{c, s.attendeeOf(c, s.numberBehind(e), s.at)}
		s.attending[e.id] = at
	}
	if at.conf != c { // moved from one to another by the dialplan
		s.leaves(e.id)
		s.enter(c, e)
		return
	}
	a := at.who
	if !a.in() {
		if c.in() == 0 {
			c.Started, c.Completed, c.dirty = s.at, time.Time{}, true
		}
		a.Joined, a.Left = s.at, time.Time{}
	}
	a.channel, a.name, a.dirty, a.State = e.id, e.name, true, Attending
	if e.muted {
		a.State = Muted
	}
	s.moveConference(c)
}

// numberBehind is the number that a member is known by who was not rung by command.
func (s *state) numberBehind(e entrant) string {
	if n := s.rules.extenOf(deviceOf(e.name)); n != "" {
		return string(n)
	}
	number := known(e.caller)
	if len(number) > 64 {
		number = number[:64]
	}
	return strings.ToValidUTF8(number, "")
}

// leaves notes that a channel is in a conference no more, or is rung for it no more.
func (s *state) leaves(id string) {
	at := s.attending[id]
	if at.who == nil {
		return
	}
	c, a := at.conf, at.who
	delete(s.attending, id)
	was := a.in()
	a.State, a.channel, a.name, a.Left, a.dirty = Cancelled, "", "", s.at, true
	if was {
		a.State = Left
		if c.in() == 0 {
			c.Completed, c.dirty = s.at, true
		}
	}
	s.moveConference(c)
}

// mutes notes that a member is heard by nobody, or is heard again.
func (s *state) mutes(m ami.Message, to Attendance) {
	s.touch(m)
	if at := s.attending[m.Get("Uniqueid")]; at.who != nil && at.who.in() && at.who.State != to {
		at.who.State, at.who.dirty = to, true
		s.moveConference(at.conf)
	}
}

// ends notes the end of a room: whoever Asterisk has not let out of it is out.
func (s *state) ends(m ami.Message) {
	if c := s.rooms[m.Get("Conference")]; c != nil {
		for _, a := range c.attendees {
			if a.in() {
				s.leaves(a.channel)
			}
		}
	}
}

// reconcileRooms takes over who is in the conferences. Whose channel is gone was told when the channels were taken over.
func (s *state) reconcileRooms(snap *snapshot, f fates) {
	if !snap.hasRooms {
		return
	}
	in := map[string]ami.Message{}
	for _, m := range snap.rooms {
		in[m.Get("Uniqueid")] = m
	}
	for id, at := range s.attending {
		if _, is := in[id]; at.who.in() && !is {
			s.leaves(id)
		}
	}
	for _, m := range snap.rooms {
		if c := s.rooms[m.Get("Conference")]; c != nil {
			s.enter(c, entrantOf(m))
		}
	}
	if !snap.hasChannels {
		return
	}
	for id := range s.attending { // a channel that is rung, or was meant to be
		_, waits := s.asked[CallID(id)]
		if _, is := in[id]; !is && !waits && s.channels[id] == nil && !f.born[id] && !f.ending[id] {
			s.leaves(id)
		}
	}
}

// leadsOut reports whether a number that was dialled leaves the PBX. That of a conference looks as if it did.
func (s *state) leadsOut(number, place string) bool {
	return s.rules.isOutside(number) && s.rooms[number] == nil && !isRoomContext(place)
}

// tickInvited gives up members for whom Asterisk was to ring a channel that never came.
func (s *state) tickInvited(now time.Time) {
	for id, at := range s.attending {
		if s.channels[id] == nil && !at.who.in() && now.Sub(at.who.ordered) > orderPatience {
			s.at = now
			s.leaves(id)
		}
	}
}
