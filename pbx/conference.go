package pbx

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

var (
	// ErrAttending says that a number is in a conference or being rung for it.
	ErrAttending = errors.New("already in the conference")
	// ErrNotAttending says that a number is neither in a conference nor being rung for it, or, to be muted, not in it yet.
	ErrNotAttending = errors.New("not in the conference")
	// ErrConferenceFull says that as many are in a conference or being rung for it as may be.
	ErrConferenceFull = errors.New("conference is full")
	// ErrTooMany says that there are as many conferences as may be.
	ErrTooMany = errors.New("too many conferences")
)

// Bounds of what is kept: each conference is entered into the dialplan once more after each of its reloads.
const (
	maxConferences = 1000
	maxAttending   = 200  // members on the list of a conference, and members in it or being rung
	maxAttended    = 1000 // members that are kept of a conference, those who have left included
	maxTopic       = 100  // characters
)

// ConferenceID is what a conference is known by: a UUID.
type ConferenceID string

// ConferenceSettings are what a client chooses.
type ConferenceSettings struct {
	Topic     string
	Context   string // dialplan context in which numbers outside are dialled, and which has the number of the conference too; "" = the rules'
	Recording bool   // counts from the next meeting
	ShowName  string // what a screen shows of members; kept, without effect
	Blending  bool   // of a video conference; kept, without effect
}

// Conference is a room that can be dialled, and its meetings.
type Conference struct {
	ConferenceSettings
	ID        ConferenceID
	Number    string // what a phone dials: nine digits
	Members   []string
	Created   time.Time
	Started   time.Time // the last meeting; zero = none yet
	Completed time.Time // and its end; zero while it goes on
}

// conference is the live record behind a Conference.
type conference struct {
	Conference
	attendees []*attendee // in the order in which they were added
	places    int         // how many were ever added
	closing   bool        // it is being deleted
	dirty     bool        // its row differs from what is stored
}

// ConferenceFilter chooses conferences; empty fields choose all.
type ConferenceFilter struct {
	Number string // exact
	Topic  string // a part of it
}

// contextName is what a dialplan context may be called here: nothing that separates anything in an action or an application.
var contextName = regexp.MustCompile(`^[0-9A-Za-z_.-]{1,79}$`)

// check makes settings usable or says why they are not.
func (c *ConferenceSettings) check() error {
	switch {
	case c.Topic == "":
		return &InvalidError{Field: "topic", Reason: "is empty"}
	case utf8.RuneCountInString(c.Topic) > maxTopic:
		return &InvalidError{Field: "topic", Reason: fmt.Sprintf("longer than %d characters", maxTopic)}
	case c.Context != "" && !contextName.MatchString(c.Context):
		return &InvalidError{Field: "context", Reason: "not the name of a context"}
	case strings.HasPrefix(c.Context, ownPrefix): // its number would lead from there to there, for ever
		return &InvalidError{Field: "context", Reason: "begins with " + ownPrefix + ", which is kept"}
	}
	return nil
}

// hasContext refuses a context that Asterisk does not have: to enter a number would make it.
func (s *Switch) hasContext(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	ok, err := s.contextExists(ctx, name)
	if err == nil && !ok {
		err = &InvalidError{Field: "context", Reason: "does not exist"}
	}
	return err
}

// CreateConference makes a conference and enters its number into the dialplan. Errors: InvalidError, ErrTooMany, ErrOffline,
// ErrUnknown, ErrForbidden, RefusedError, those of the context and the database.
func (s *Switch) CreateConference(ctx context.Context, settings ConferenceSettings) (Conference, error) {
	if err := settings.check(); err != nil {
		return Conference{}, err
	}
	if !s.isSynced() {
		return Conference{}, ErrOffline
	}
	if err := s.hasContext(ctx, settings.Context); err != nil {
		return Conference{}, err
	}
	if err := s.holdRooms(ctx); err != nil {
		return Conference{}, err
	}
	defer s.letRooms()
	number, err := s.drawNumber()
	if err != nil {
		return Conference{}, err
	}
	c := &conference{dirty: true, Conference: Conference{ConferenceSettings: settings, ID: ConferenceID(uuid.NewString()), Number: number, Created: time.Now()}}
	if err := s.enterRoom(ctx, c.Conference); err != nil {
		s.leaveRoom(ctx, c.Conference)
		return Conference{}, err
	}
	if err := s.putConferences(ctx, func(st *state) error { st.addConference(c); return nil }); err != nil {
		s.leaveRoom(ctx, c.Conference)
		_ = s.putConferences(context.WithoutCancel(ctx), func(st *state) error { st.removeConference(c); return nil }) // the same trouble as before
		return Conference{}, err
	}
	return c.Conference, nil
}

// roomNumber is the form of a conference's number: no extension, and no number of the public network begins so.
var roomNumber = regexp.MustCompile(`^3[0-9]{8}$`)

// drawNumber finds a number that is free.
func (s *Switch) drawNumber() (string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.state.conferences) >= maxConferences {
		return "", fmt.Errorf("%w: %d", ErrTooMany, maxConferences)
	}
	for range 100 {
		n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
		if err != nil {
			return "", err
		}
		number := fmt.Sprintf("3%08d", n)
		if s.state.rooms[number] == nil && !s.state.rules.isExten(number) {
			return number, nil
		}
	}
	return "", fmt.Errorf("%w: all numbers are extensions", ErrTooMany)
}

// UpdateConference replaces the settings of a conference; an empty topic keeps the one that it has. Errors are those of
// CreateConference, and ErrNotFound.
func (s *Switch) UpdateConference(ctx context.Context, id ConferenceID, settings ConferenceSettings) error {
	if err := s.holdRooms(ctx); err != nil {
		return err
	}
	defer s.letRooms()
	old, err := s.Conference(id)
	if err != nil {
		return err
	}
	settings.Topic = cmp.Or(settings.Topic, old.Topic)
	if err := settings.check(); err != nil {
		return err
	}
	if !s.isSynced() {
		return ErrOffline
	}
	if err := s.hasContext(ctx, settings.Context); err != nil {
		return err
	}
	changed := old
	changed.ConferenceSettings = settings
	if err := s.enterRoom(ctx, changed); err != nil {
		s.roomsAreDue()
		return err
	}
	if old.Context != "" && !slices.Contains(s.placesOf(changed), old.Context) {
		if err := s.removeNumber(ctx, old.Context, old.Number); err != nil {
			s.roomsAreDue()
			return err
		}
	}
	return s.putConferences(ctx, func(st *state) error {
		c := st.conferences[id]
		if c == nil {
			return fmt.Errorf("%w: conference %s", ErrNotFound, id)
		}
		c.ConferenceSettings, c.dirty = settings, true
		st.moveConference(c)
		return nil
	})
}

// DeleteConference ends a conference for all who are in it or being rung, and takes its number out of the dialplan. Errors: ErrNotFound,
// ErrOffline, ErrUnknown, ErrForbidden, RefusedError; where it fails the conference stays.
func (s *Switch) DeleteConference(ctx context.Context, id ConferenceID) error {
	if err := s.holdRooms(ctx); err != nil {
		return err
	}
	defer s.letRooms()
	c, err := s.reach(id)
	if err != nil {
		return err
	}
	s.setClosing(id, true)
	if err := s.emptyRoom(ctx, c); err != nil {
		s.setClosing(id, false)
		s.roomsAreDue()
		return err
	}
	return s.putConferences(ctx, func(st *state) error {
		if c := st.conferences[id]; c != nil {
			st.removeConference(c)
		}
		return nil
	})
}

// emptyRoom takes a conference out of the dialplan, and everybody out of it, those too who have dialled it and are not in it yet.
func (s *Switch) emptyRoom(ctx context.Context, c Conference) error {
	for _, place := range s.placesOf(c) {
		if err := s.removeNumber(ctx, place, c.Number); err != nil {
			return err
		}
	}
	if err := s.endMeeting(ctx, c); err != nil {
		return err
	}
	return s.hangUpAll(ctx, s.inRoom(c.Number))
}

// Conferences lists conferences, the oldest first. It needs no Asterisk.
func (s *Switch) Conferences(f ConferenceFilter) []Conference {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := []Conference{}
	for _, c := range s.state.conferences {
		if (f.Number == "" || f.Number == c.Number) && strings.Contains(c.Topic, f.Topic) {
			list = append(list, c.copy())
		}
	}
	slices.SortFunc(list, func(a, b Conference) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return list
}

// Conference returns one conference; ErrNotFound when there is none.
func (s *Switch) Conference(id ConferenceID) (Conference, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c := s.state.conferences[id]; c != nil {
		return c.copy(), nil
	}
	return Conference{}, fmt.Errorf("%w: conference %s", ErrNotFound, id)
}

func (c *conference) copy() Conference {
	out := c.Conference
	out.Members = slices.Clone(c.Members)
	return out
}

// reach is Conference for what needs Asterisk.
func (s *Switch) reach(id ConferenceID) (Conference, error) {
	c, err := s.Conference(id)
	if err == nil && !s.isSynced() {
		err = ErrOffline
	}
	return c, err
}

func (s *Switch) isSynced() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.synced
}

func (s *Switch) setClosing(id ConferenceID, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.state.conferences[id]; c != nil {
		c.closing = on
	}
}
