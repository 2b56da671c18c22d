package pbx

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// historySchema holds the accounts of ended calls: the fields that are asked for, and the whole as JSON.
const historySchema = `
CREATE TABLE pbx_calls (
	seq       INTEGER PRIMARY KEY AUTOINCREMENT,
	call      TEXT    NOT NULL UNIQUE,
	started   INTEGER NOT NULL, -- milliseconds since 1970
	ended     INTEGER NOT NULL,
	caller    TEXT    NOT NULL,
	called    TEXT    NOT NULL,
	did       TEXT    NOT NULL,
	direction TEXT    NOT NULL,
	queue     TEXT    NOT NULL,
	answered  INTEGER NOT NULL,
	body      BLOB    NOT NULL
);
CREATE INDEX pbx_calls_caller ON pbx_calls (caller, seq);
CREATE INDEX pbx_calls_called ON pbx_calls (called, seq);
CREATE INDEX pbx_calls_did    ON pbx_calls (did, seq);
CREATE INDEX pbx_calls_queue  ON pbx_calls (queue, seq);
CREATE INDEX pbx_calls_ended  ON pbx_calls (ended);
CREATE TABLE pbx_call_agents (
	exten     TEXT    NOT NULL,
	seq       INTEGER NOT NULL REFERENCES pbx_calls (seq) ON DELETE CASCADE,
	queue     TEXT    NOT NULL,
	rings     INTEGER NOT NULL,
	ring      INTEGER NOT NULL, -- milliseconds
	talk      INTEGER NOT NULL,
	hold      INTEGER NOT NULL,
	afterwork INTEGER NOT NULL,
	answered  INTEGER NOT NULL,
	PRIMARY KEY (exten, seq)
) WITHOUT ROWID;
CREATE INDEX pbx_call_agents_call ON pbx_call_agents (seq);
CREATE TABLE pbx_seen (one INTEGER PRIMARY KEY CHECK (one = 1), at BLOB NOT NULL)`

// searchSchema gives the lists and the counts what they ask for in one index each, which are read without the accounts. Accounts that
// are stored already are read once.
const searchSchema = `
ALTER TABLE pbx_calls ADD COLUMN talk      INTEGER NOT NULL DEFAULT 0; -- milliseconds
ALTER TABLE pbx_calls ADD COLUMN abandoned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pbx_calls ADD COLUMN recorded  INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pbx_calls ADD COLUMN search    TEXT    NOT NULL DEFAULT ''; -- numbers and names in lower case, each between line ends
UPDATE pbx_calls SET
	talk      = coalesce(json_extract(CAST(body AS TEXT), '$.Talk'), 0) / 1000000,
	abandoned = coalesce(json_extract(CAST(body AS TEXT), '$.Miss'), '') <> '',
	recorded  = coalesce(json_extract(CAST(body AS TEXT), '$.Recording'), '') <> '',
	search    = lower(char(10) || caller || char(10) || called || char(10) || did || char(10));
CREATE INDEX pbx_calls_started ON pbx_calls (started, seq, answered, abandoned, talk, queue, direction, recorded, search);
ALTER TABLE pbx_call_agents ADD COLUMN started INTEGER NOT NULL DEFAULT 0; -- of the call
UPDATE pbx_call_agents SET started = (SELECT started FROM pbx_calls WHERE pbx_calls.seq = pbx_call_agents.seq);
CREATE INDEX pbx_call_agents_started ON pbx_call_agents (exten, started, queue, rings, talk, hold, afterwork, answered)`

// finishedCall is an account on its way into the file: fixed bytes, because it is written on another goroutine.
type finishedCall struct {
	a    Account // its slices are not changed any more
	body []byte
}

// finished encodes an account. One that cannot be is stored without its spans.
func (r *run) finished(a *Account) finishedCall {
	body, err := json.Marshal(a)
	if err != nil {
		r.log.Error("account of a call could not be encoded", "call", a.ID, "error", err)
		body = []byte("{}")
	}
	return finishedCall{a: *a, body: body}
}

// insert stores an account once: the first one told of a call stands.
func (f *finishedCall) insert(tx *sql.Tx) error {
	ctx, a := context.Background(), &f.a
	res, err := tx.ExecContext(ctx, `INSERT INTO pbx_calls (call, started, ended, caller, called, did, direction, queue, answered, talk, abandoned, recorded, search, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (call) DO NOTHING`,
		a.ID, a.Start.UnixMilli(), a.End.UnixMilli(), a.Caller, a.Called, a.DID, a.Direction.String(), a.Queue, a.Answered,
		a.Talk.Milliseconds(), a.Miss != "", a.Recording != "", a.search(), f.body)
	if err != nil {
		return fmt.Errorf("ended call: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	seq, err := res.LastInsertId()
	if err != nil {
		return fmt.Errorf("ended call: %w", err)
	}
	for _, sh := range a.Agents {
		if _, err := tx.ExecContext(ctx, `INSERT INTO pbx_call_agents (exten, seq, started, queue, rings, ring, talk, hold, afterwork, answered)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, sh.Exten, seq, a.Start.UnixMilli(), sh.Queue, sh.Rings, sh.Ring.Milliseconds(), sh.Talk.Milliseconds(),
			sh.Hold.Milliseconds(), sh.AfterWork.Milliseconds(), sh.Answered); err != nil {
			return fmt.Errorf("agent of an ended call: %w", err)
		}
	}
	return nil
}

// search is what a search looks through. What is looked for has no line end in it.
func (a *Account) search() string {
	return strings.ToLower("\n" + strings.Join([]string{a.Caller, a.Called, a.DID, a.CallerName, a.CalledName}, "\n") + "\n")
}

// pruneEvery is how often old accounts are looked for, and prunePiece how many go at once, so that nothing else waits long.
const (
	pruneEvery = time.Minute
	prunePiece = 500
)

// minutely does what need not be done at once.
func (r *run) minutely(st *state, now time.Time) {
	if now.Sub(r.pruned) < pruneEvery {
		return
	}
	r.pruned = now
	r.prune(now)
	if r.synced {
		st.releaseStrays()
	}
}

// prune deletes accounts that are older than they are kept, and the oldest while the file is nearly full: they go before
// any event.
func (r *run) prune(now time.Time) {
	before := now.Add(-r.keep).UnixMilli()
	r.store.SubmitAhead(func(tx *sql.Tx) error {
		left, capacity, err := r.store.Room(tx)
		if err != nil {
			return err
		}
		if left < capacity/8 {
			before = now.UnixMilli()
		}
		_, err = tx.ExecContext(context.Background(), `DELETE FROM pbx_calls WHERE seq IN (
			SELECT seq FROM pbx_calls WHERE ended < ? ORDER BY ended LIMIT ?)`, before, prunePiece)
		return err
	}, r.saved)
}
