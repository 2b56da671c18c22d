package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

var schema = []string{
	`CREATE TABLE audit_entries (
		seq        INTEGER PRIMARY KEY AUTOINCREMENT,
		at         INTEGER NOT NULL, -- milliseconds since 1970
		who        TEXT    NOT NULL,
		remote     TEXT    NOT NULL,
		action     TEXT    NOT NULL,
		params     TEXT    NOT NULL, -- a JSON object, '' = none
		status     INTEGER NOT NULL,
		request_id TEXT    NOT NULL
	)`,
	`CREATE INDEX audit_entries_at ON audit_entries (at)`,
	`CREATE INDEX audit_entries_refused ON audit_entries (seq) WHERE status IN (401, 403, 429)`,
	// What counts as refused has become more.
	`DROP INDEX audit_entries_refused`,
	`CREATE INDEX audit_entries_refused ON audit_entries (seq) WHERE ` + refused,
	`ALTER TABLE audit_entries ADD COLUMN broke_off TEXT NOT NULL DEFAULT ''`,
	`ALTER TABLE audit_entries ADD COLUMN taken INTEGER NOT NULL DEFAULT 0`,
	`CREATE INDEX audit_entries_taken ON audit_entries (seq) WHERE ` + taken,
}

// refused are the entries that a stranger can make as many of as he likes, and faults of those who are known: what failed for another
// reason, such as a command whose outcome nobody knows, is worth more.
const refused = `status >= 400 AND (who = '' OR status < 500)`

// taken are the entries of what was read.
const taken = `taken = 1`

// Options are the parts of a Log.
type Options struct {
	Store  *sqlite.DB
	Logger *slog.Logger
}

// Log is the audit log. Its methods are safe for concurrent use.
type Log struct {
	store   *sqlite.DB
	log     *slog.Logger
	waiting atomic.Int64
	lost    atomic.Int64
	written atomic.Int64

	mu   sync.Mutex
	said time.Time // when a loss was last logged
}

// New makes the log ready before the database runs. What is too old goes.
func New(ctx context.Context, o Options) (*Log, error) {
	if err := o.Store.Migrate(ctx, "audit", schema); err != nil {
		return nil, err
	}
	if err := o.Store.Prepare(ctx, prune); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	l := &Log{store: o.Store, log: o.Logger}
	o.Store.BeforeFull(l.makeRoom)
	return l, nil
}

// Lost is how many entries could not be kept since the start.
func (l *Log) Lost() int64 { return l.lost.Load() }

// Note keeps an entry; its Seq is given here. It returns at once: the entry is written with what else the database has to write, and at a clean
// stop before that ends. An entry that finds no room is lost and counted: a command is not refused because nobody can write it down.
func (l *Log) Note(e Entry) {
	if l.waiting.Add(1) > mostWaiting {
		l.waiting.Add(-1)
		l.lose(nil)
		return
	}
	params := encode(e.Params)
	at := e.At.UnixMilli()
	l.store.SubmitIfRoom(func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `INSERT INTO audit_entries (at, who, remote, action, params, status, broke_off, taken, request_id)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, at, cut(e.Who), e.Remote, cut(e.Action), params, e.Status, e.BrokeOff, e.Taken, cut(e.RequestID))
		if err == nil && l.written.Add(1)%pruneEvery == 0 {
			err = prune(tx)
		}
		return err
	}, func(err error) {
		l.waiting.Add(-1)
		if err != nil {
			l.lose(err)
		}
	})
}

// lose counts an entry that is not kept.
func (l *Log) lose(err error) {
	lost := l.lost.Add(1)
	l.mu.Lock()
	say := time.Since(l.said) >= sayEvery
	if say {
		l.said = time.Now()
	}
	l.mu.Unlock()
	if say {
		l.log.Error("entries of the audit log are lost", "lost_since_start", lost, "error", err)
	}
}

// encode makes the text of parameters, of which it keeps so many and so much.
func encode(params map[string]string) string {
	kept := map[string]string{}
	for name, value := range params {
		if len(kept) >= mostParams {
			break
		}
		kept[cut(name)] = cut(value)
	}
	if len(kept) == 0 {
		return ""
	}
	text, err := json.Marshal(kept)
	if err != nil { // a map of texts has none
		return ""
	}
	return string(text)
}

// cut shortens a text, and makes UTF-8 of it.
func cut(text string) string {
	if len(text) > longestText {
		end := longestText
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// prune deletes what is too old or too much.
func prune(tx *sql.Tx) error {
	for _, step := range []struct {
		query string
		value int64
	}{
		{`DELETE FROM audit_entries WHERE at < ?`, time.Now().Add(-MaxAge).UnixMilli()},
		{most(refused), mostRefused},
		{most(taken), mostTaken},
		{`DELETE FROM audit_entries WHERE seq IN (SELECT seq FROM audit_entries ORDER BY seq LIMIT max(0, (SELECT count(*) FROM audit_entries) - ?))`, mostEntries},
	} {
		if _, err := tx.ExecContext(context.Background(), step.query, step.value); err != nil {
			return err
		}
	}
	return nil
}

// most deletes the oldest of the entries of a kind that are too many.
func most(kind string) string {
	return `DELETE FROM audit_entries WHERE ` + kind + ` AND seq <= (SELECT seq FROM audit_entries WHERE ` + kind + ` ORDER BY seq DESC LIMIT 1 OFFSET ?)`
}

// makeRoom is called when a write has failed for want of space: a tenth of the entries goes, the oldest, but a few are kept.
func (l *Log) makeRoom() {
	var gone int64
	l.store.SubmitAhead(func(tx *sql.Tx) error {
		result, err := tx.ExecContext(context.Background(), `DELETE FROM audit_entries WHERE seq <= (
			SELECT seq FROM audit_entries ORDER BY seq LIMIT 1 OFFSET (SELECT max(0, min(count(*) / 10, count(*) - ?)) - 1 FROM audit_entries))
			AND (SELECT count(*) FROM audit_entries) > ?`, leastKept, leastKept)
		if err == nil {
			gone, err = result.RowsAffected()
		}
		return err
	}, func(err error) {
		switch {
		case err != nil:
			l.log.Error("old entries of the audit log could not be deleted", "error", err)
		case gone > 0:
			l.log.Warn("old entries of the audit log were deleted to make room", "entries", gone)
		}
	})
}

// List returns the entries that a filter chooses, the newest first. Those that are too old are not told of, though they may be there still.
func (l *Log) List(ctx context.Context, f Filter) (list []Entry, err error) {
	if f.Limit == 0 {
		f.Limit = 100
	}
	if oldest := time.Now().Add(-MaxAge); f.Since.Before(oldest) {
		f.Since = oldest
	}
	where, values := []string{"at >= ?"}, []any{f.Since.UnixMilli()}
	add := func(on bool, condition string, value any) {
		if on {
			where, values = append(where, condition), append(values, value)
		}
	}
	add(f.Who != "", "who = ?", f.Who)
	add(f.Remote != "", "remote = ?", f.Remote)
	add(f.Action != "", "instr(lower(action), lower(?)) > 0", f.Action)
	add(f.Failed, "(status >= ? OR broke_off <> '')", 400)
	add(!f.Until.IsZero(), "at < ?", f.Until.UnixMilli())
	add(f.Before > 0, "seq < ?", f.Before)
	err = sqlite.Each(ctx, l.store.Reader(), `SELECT seq, at, who, remote, action, params, status, broke_off, taken, request_id FROM audit_entries
		WHERE `+strings.Join(where, " AND ")+` ORDER BY seq DESC LIMIT ?`, func(row *sql.Rows) error {
		var e Entry
		var at int64
		var params string
		if err := row.Scan(&e.Seq, &at, &e.Who, &e.Remote, &e.Action, &params, &e.Status, &e.BrokeOff, &e.Taken, &e.RequestID); err != nil {
			return err
		}
		e.At = time.UnixMilli(at).UTC()
		if params != "" {
			if err := json.Unmarshal([]byte(params), &e.Params); err != nil {
				return err
			}
		}
		list = append(list, e)
		return nil
	}, append(values, f.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return list, nil
}
