package pbx

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// conferenceSchema holds conferences and their members. Times are microseconds since 1970, 0 = not yet.
var conferenceSchema = []string{
	`CREATE TABLE pbx_conferences (
		id        TEXT    PRIMARY KEY,
		number    TEXT    NOT NULL UNIQUE,
		topic     TEXT    NOT NULL,
		context   TEXT    NOT NULL,
		recording INTEGER NOT NULL,
		show_name TEXT    NOT NULL,
		blending  INTEGER NOT NULL,
		members   TEXT    NOT NULL, -- with commas between them
		created   INTEGER NOT NULL,
		started   INTEGER NOT NULL,
		completed INTEGER NOT NULL
	) WITHOUT ROWID;
	CREATE TABLE pbx_conference_members (
		id         TEXT    PRIMARY KEY,
		conference TEXT    NOT NULL,
		place      INTEGER NOT NULL, -- in the order in which they were added
		number     TEXT    NOT NULL,
		state      TEXT    NOT NULL,
		channel    TEXT    NOT NULL, -- Uniqueid; '' = neither in nor being rung
		created    INTEGER NOT NULL,
		joined     INTEGER NOT NULL,
		gone       INTEGER NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX pbx_conference_members_of ON pbx_conference_members (conference)`,
}

// conferenceRow is the lasting form of a conference, and of those of its members that changed.
type conferenceRow struct {
	Conference
	whole bool // else its members alone
	who   []attendee
}

// encodeConferences moves what changed into a change.
func (s *state) encodeConferences(ch *change) {
	for c := range s.conferencesMoved {
		row := conferenceRow{Conference: c.copy(), whole: c.dirty}
		for _, a := range c.attendees {
			if a.dirty {
				row.who = append(row.who, *a)
				a.dirty = false
			}
		}
		c.dirty = false
		ch.conferences = append(ch.conferences, row)
		delete(s.conferencesMoved, c)
	}
	ch.attendeesGone, ch.conferencesGone, s.attendeesGone, s.conferencesGone = s.attendeesGone, s.conferencesGone, nil, nil
}

// putConferences changes conferences by command and waits until that is stored. The rows are queued in the order of the changes,
// whoever makes them.
func (s *Switch) putConferences(ctx context.Context, do func(*state) error) error {
	done, ch := make(chan error, 1), &change{}
	s.mu.Lock()
	if err := do(s.state); err != nil {
		s.mu.Unlock()
		return err
	}
	s.state.encodeConferences(ch)
	s.store.Submit(ch.apply, func(err error) { done <- err })
	s.stir()
	s.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *conferenceRow) put(tx *sql.Tx) error {
	ctx := context.Background() // the writer commits what it has begun
	if r.whole {
		if _, err := tx.ExecContext(ctx, `INSERT INTO pbx_conferences
			(id, number, topic, context, recording, show_name, blending, members, created, started, completed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET topic = excluded.topic, context = excluded.context, recording = excluded.recording,
			show_name = excluded.show_name, blending = excluded.blending, members = excluded.members, started = excluded.started, completed = excluded.completed`,
			r.ID, r.Number, r.Topic, r.Context, r.Recording, r.ShowName, r.Blending, strings.Join(r.Members, ","),
			micros(r.Created), micros(r.Started), micros(r.Completed)); err != nil {
			return fmt.Errorf("conference: %w", err)
		}
	}
	for i := range r.who {
		a := &r.who[i]
		if _, err := tx.ExecContext(ctx, `INSERT INTO pbx_conference_members (id, conference, place, number, state, channel, created, joined, gone)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET state = excluded.state, channel = excluded.channel, joined = excluded.joined, gone = excluded.gone`,
			a.ID, r.ID, a.place, a.Number, a.State, a.channel, micros(a.Created), micros(a.Joined), micros(a.Left)); err != nil {
			return fmt.Errorf("member of a conference: %w", err)
		}
	}
	return nil
}

// applyConferences writes what changed, and then takes away what is no more.
func (c *change) applyConferences(tx *sql.Tx) error {
	ctx := context.Background()
	for i := range c.conferences {
		if err := c.conferences[i].put(tx); err != nil {
			return err
		}
	}
	for _, id := range c.attendeesGone {
		if _, err := tx.ExecContext(ctx, `DELETE FROM pbx_conference_members WHERE id = ?`, id); err != nil {
			return fmt.Errorf("member of a conference: %w", err)
		}
	}
	for _, id := range c.conferencesGone {
		for _, query := range []string{`DELETE FROM pbx_conference_members WHERE conference = ?`, `DELETE FROM pbx_conferences WHERE id = ?`} {
			if _, err := tx.ExecContext(ctx, query, id); err != nil {
				return fmt.Errorf("conference: %w", err)
			}
		}
	}
	return nil
}

// loadConferences reads conferences and their members. Who is still in is for the next reconcile to say.
func (s *state) loadConferences(ctx context.Context, db *sql.DB) error {
	err := sqlite.Each(ctx, db, `SELECT id, number, topic, context, recording, show_name, blending, members, created, started, completed FROM pbx_conferences`,
		func(row *sql.Rows) error {
			c := &conference{}
			var members string
			var created, started, completed int64
			if err := row.Scan(&c.ID, &c.Number, &c.Topic, &c.Context, &c.Recording, &c.ShowName, &c.Blending, &members,
				&created, &started, &completed); err != nil {
				return err
			}
			c.Members = strings.FieldsFunc(members, func(r rune) bool { return r == ',' })
			c.Created, c.Started, c.Completed = ofMicros(created), ofMicros(started), ofMicros(completed)
			s.addConference(c)
			return nil
		})
	if err == nil {
		err = sqlite.Each(ctx, db, `SELECT id, conference, place, number, state, channel, created, joined, gone FROM pbx_conference_members ORDER BY place`, s.loadAttendee)
	}
	if err != nil {
		return fmt.Errorf("stored conferences: %w", err)
	}
	clear(s.conferencesMoved)
	return nil
}

func (s *state) loadAttendee(row *sql.Rows) error {
	a := &attendee{}
	var of ConferenceID
	var created, joined, left int64
	if err := row.Scan(&a.ID, &of, &a.place, &a.Number, &a.State, &a.channel, &created, &joined, &left); err != nil {
		return err
	}
	a.Created, a.Joined, a.Left = ofMicros(created), ofMicros(joined), ofMicros(left)
	c := s.conferences[of]
	if c == nil {
		return nil
	}
	c.attendees, c.places = append(c.attendees, a), a.place
	if a.live() {
		s.attending[a.channel] = attendance{c, a}
	}
	return nil
}
