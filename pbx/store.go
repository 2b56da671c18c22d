package pbx

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// schema holds the tables of this package: calls that have not ended, and what was last told of each extension.
var schema = []string{
	`CREATE TABLE pbx_open_calls (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
	 CREATE TABLE pbx_extensions (number TEXT PRIMARY KEY, state INTEGER NOT NULL) WITHOUT ROWID`,
	`CREATE TABLE pbx_records (one INTEGER PRIMARY KEY CHECK (one = 1), inode INTEGER NOT NULL, place INTEGER NOT NULL)`,
	historySchema,
	searchSchema,
}

// storedCall is the lasting form of a call.
type storedCall struct {
	ID         CallID        `json:"id"`
	First      Channel       `json:"first"`
	Inbound    bool          `json:"inbound,omitempty"`
	Outward    bool          `json:"outward,omitempty"`
	Originated bool          `json:"originated,omitempty"`
	Requested  string        `json:"requested,omitempty"`
	Remark     string        `json:"remark,omitempty"`
	Work       bool          `json:"work,omitempty"`
	Limit      time.Duration `json:"limit,omitempty"`
	Started    time.Time     `json:"started"`
	Recording  string        `json:"recording,omitempty"`
	Channels   []Channel     `json:"channels"`
	Legs       []*Leg        `json:"legs,omitempty"`
	IDs        []string      `json:"ids"`
	Aliases    []string      `json:"aliases"`
	Clock      reading       `json:"clock"` // when this was written

	Orderer string   `json:"orderer,omitempty"`
	Wraps   []wrap   `json:"wraps,omitempty"`
	Closed  *Account `json:"closed,omitempty"` // the call has ended; its account waits
	errand
	record
}

func (c *call) stored() storedCall {
	st := storedCall{
		ID: c.id, First: c.first.Channel, Inbound: c.inbound, Outward: c.outward, Originated: c.originated, Requested: c.requested, Remark: c.remark, Work: c.work,
		Limit: c.limit, Started: c.started,
		Recording: c.recording, Legs: c.legs, IDs: c.ids, Aliases: c.aliases, Orderer: c.orderer, errand: c.errand, record: c.record,
	}
	for _, ch := range c.channels {
		st.Channels = append(st.Channels, ch.Channel)
	}
	return st
}

// wrapsOf lists the after-call work that belongs to a call.
func (s *state) wrapsOf(id CallID) (list []wrap) {
	for _, w := range s.wraps {
		if w.Call == id {
			list = append(list, *w)
		}
	}
	return list
}

// restore enters a stored call into the picture. Whether it still lives is for the next reconcile to say.
func (s *state) restore(body []byte) error {
	var st storedCall
	if err := json.Unmarshal(body, &st); err != nil {
		return fmt.Errorf("stored call: %w", err)
	}
	st.wind(now())
	for _, w := range st.Wraps {
		s.wraps[w.Exten] = &w
	}
	if st.Closed != nil {
		s.kept[st.ID] = &keptAccount{account: *st.Closed, alone: st.Alone}
		return nil
	}
	c := &call{
		id: st.ID, inbound: st.Inbound, outward: st.Outward, originated: st.Originated, requested: st.Requested, remark: st.Remark, work: st.Work,
		limit: st.Limit, started: st.Started, recording: st.Recording, legs: st.Legs, orderer: st.Orderer, errand: st.errand, record: st.record,
	}
	s.calls[c.id] = c
	for _, id := range st.IDs {
		s.own(c, id)
	}
	for _, a := range st.Aliases {
		s.alias(c, a)
	}
	c.first = &channel{Channel: st.First, call: c}
	if c.Spy != nil {
		s.spies[st.First.ID] = c.Spy
	}
	for _, saved := range st.Channels {
		ch := &channel{Channel: saved, call: c}
		if saved.ID == st.First.ID {
			ch = c.first
		}
		c.channels = append(c.channels, ch)
		s.channels[ch.ID] = ch
		s.addLine(ch)
		if ch.Local() {
			s.halves[ch.Name] = ch
		}
		if ch.Bridge != "" {
			s.bridges[ch.Bridge] = append(s.bridges[ch.Bridge], ch)
		}
		if ch.Aside != "" && !ch.Consulting { // who has sent it there is no more
			s.leaving[ch.ID] = time.Now().Add(leavePatience)
		}
		if n := s.rules.extenOf(ch.Device()); ch.OnHold() && n != "" {
			s.exten(n).holding++
		}
	}
	return nil
}

// load reads what an earlier process left behind.
func (s *state) load(ctx context.Context, db *sql.DB) error {
	if err := sqlite.Each(ctx, db, `SELECT number, state FROM pbx_extensions`, func(row *sql.Rows) error {
		var n Exten
		var st ExtenState
		if err := row.Scan(&n, &st); err != nil {
			return err
		}
		x := s.exten(n)
		x.told, x.known, x.dev = st, true, st
		return nil
	}); err != nil {
		return fmt.Errorf("stored extensions: %w", err)
	}
	if err := errors.Join(s.loadAgents(ctx, db), s.loadConferences(ctx, db), s.loadPast(ctx, db, now())); err != nil {
		return err
	}
	if err := sqlite.Each(ctx, db, `SELECT body FROM pbx_open_calls ORDER BY id`, func(row *sql.Rows) error {
		var body []byte
		if err := row.Scan(&body); err != nil {
			return err
		}
		return s.restore(body)
	}); err != nil {
		return err
	}
	return s.loadTallies(ctx, db, time.Now())
}

// change is what one flush writes: fixed bytes only, because it is applied on another goroutine.
type change struct {
	calls   map[CallID][]byte // nil = delete
	extens  map[Exten]ExtenState
	removed []Exten
	place   position // in Asterisk's file of records; zero = unchanged
	closed  []finishedCall
	agents  []agentRow
	left    []Exten // agents of extensions that are no more
	seen    []byte  // when Asterisk was last heard of, a reading of the clocks; nil = unchanged

	conferences     []conferenceRow
	conferencesGone []ConferenceID
	attendeesGone   []string
}

func (c *change) empty() bool {
	return len(c.calls) == 0 && len(c.extens) == 0 && len(c.removed) == 0 && len(c.closed) == 0 && len(c.agents) == 0 && len(c.left) == 0 && c.seen == nil && c.place == (position{}) &&
		len(c.conferences) == 0 && len(c.conferencesGone) == 0 && len(c.attendeesGone) == 0
}

func (c *change) apply(tx *sql.Tx) error {
	ctx := context.Background() // the writer commits what it has begun
	for id, body := range c.calls {
		query, args := `INSERT INTO pbx_open_calls (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body`, []any{id, body}
		if body == nil {
			query, args = `DELETE FROM pbx_open_calls WHERE id = ?`, []any{id}
		}
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return fmt.Errorf("open call: %w", err)
		}
	}
	for n, st := range c.extens {
		if _, err := tx.ExecContext(ctx, `INSERT INTO pbx_extensions (number, state) VALUES (?, ?) ON CONFLICT (number) DO UPDATE SET state = excluded.state`, n, st); err != nil {
			return fmt.Errorf("extension state: %w", err)
		}
	}
	for _, n := range c.removed {
		if _, err := tx.ExecContext(ctx, `DELETE FROM pbx_extensions WHERE number = ?`, n); err != nil {
			return fmt.Errorf("extension state: %w", err)
		}
	}
	for i := range c.closed {
		if err := c.closed[i].insert(tx); err != nil {
			return err
		}
	}
	for _, r := range c.agents {
		if err := r.put(tx); err != nil {
			return err
		}
	}
	for _, n := range c.left {
		if err := removeAgent(tx, n); err != nil {
			return err
		}
	}
	if err := c.applyConferences(tx); err != nil {
		return err
	}
	if c.seen != nil {
		if _, err := tx.ExecContext(ctx, `INSERT INTO pbx_seen (one, at) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET at = excluded.at`, c.seen); err != nil {
			return fmt.Errorf("when asterisk was last heard of: %w", err)
		}
	}
	if c.place.known {
		if _, err := tx.ExecContext(ctx, `INSERT INTO pbx_records (one, inode, place) VALUES (1, ?, ?)
			ON CONFLICT (one) DO UPDATE SET inode = excluded.inode, place = excluded.place`, int64(c.place.inode), c.place.offset); err != nil { //nolint:gosec // an inode is kept bit for bit
			return fmt.Errorf("place in the call records: %w", err)
		}
	}
	return nil
}

// load reads up to where Asterisk's file of records was told.
func (r *recordFile) load(ctx context.Context, db *sql.DB) error {
	return sqlite.Each(ctx, db, `SELECT inode, place FROM pbx_records`, func(row *sql.Rows) error {
		var inode int64
		if err := row.Scan(&inode, &r.told.offset); err != nil {
			return err
		}
		r.told.known = true
		r.told.inode = uint64(inode) //nolint:gosec // see where it is written
		return nil
	})
}
