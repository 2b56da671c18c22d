package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ErrUnknown says that no event has the id.
var ErrUnknown = errors.New("webhook: no such event")

// Record is an event as it is stored.
type Record struct {
	Seq        int64 // grows with every event; order of delivery within a key
	ID         string
	Kind       string
	Key        string
	State      string // pending, delivered, dead, expired, dropped
	At         time.Time
	Attempts   int
	LastAt     time.Time // end of the last attempt, zero before the first
	LastStatus int       // its HTTP status, 0 when no answer came
	LastError  string    // without secrets, "" when delivered
	Body       []byte    // only from Show
	Answer     []byte    // only from Show, of a dead letter: first KiB of the receiver's answer
	Tries      []Attempt // only from Show: the newest failed attempts, oldest first
}

// Attempt is one failed try.
type Attempt struct {
	N      int // 1 is the first
	At     time.Time
	Took   time.Duration
	Status int // 0 when no answer came
	Error  string
}

const recordColumns = `id, event_id, kind, key, state, at, attempts, coalesce(last_at, 0), coalesce(last_status, 0), coalesce(last_error, '')`

func (r *Record) fields() (dest []any, fill func()) {
	var st state
	var at, last int64
	return []any{&r.Seq, &r.ID, &r.Kind, &r.Key, &st, &at, &r.Attempts, &last, &r.LastStatus, &r.LastError}, func() {
		r.State, r.At, r.LastAt = st.String(), fromMillis(at), fromMillis(last)
	}
}

// List returns events without bodies, the newest first.
func (o *Outbox) List(ctx context.Context, f Filter) ([]Record, error) {
	cond, args, err := f.where()
	if err != nil {
		return nil, err
	}
	if f.Before > 0 {
		cond, args = cond+" AND id < ?", append(args, f.Before)
	}
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	rows, err := o.db.Reader().QueryContext(ctx, `SELECT `+recordColumns+` FROM webhook_outbox WHERE `+cond+` ORDER BY id DESC LIMIT ?`,
		append(args, f.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("webhook: list: %w", err)
	}
	var out []Record
	for rows.Next() {
		var r Record
		dest, fill := r.fields()
		if err := rows.Scan(dest...); err != nil {
			return nil, errors.Join(fmt.Errorf("webhook: list: %w", err), rows.Close())
		}
		fill()
		out = append(out, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("webhook: list: %w", err)
	}
	return out, nil
}

// Show returns one event with its body, answer and failed attempts; [ErrUnknown] when there is none.
func (o *Outbox) Show(ctx context.Context, id string) (Record, error) {
	var r Record
	dest, fill := r.fields()
	err := o.db.Reader().QueryRowContext(ctx, `SELECT `+recordColumns+`, body, answer FROM webhook_outbox WHERE event_id = ?`, id).
		Scan(append(dest, &r.Body, &r.Answer)...)
	if errors.Is(err, sql.ErrNoRows) {
		return Record{}, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	if err != nil {
		return Record{}, fmt.Errorf("webhook: show: %w", err)
	}
	fill()
	if r.Tries, err = o.tries(ctx, r.Seq); err != nil {
		return Record{}, fmt.Errorf("webhook: show: %w", err)
	}
	return r, nil
}

func (o *Outbox) tries(ctx context.Context, seq int64) ([]Attempt, error) {
	rows, err := o.db.Reader().QueryContext(ctx, `SELECT n, at, took, status, error FROM webhook_attempts WHERE outbox = ? ORDER BY n`, seq)
	if err != nil {
		return nil, err
	}
	var out []Attempt
	for rows.Next() {
		var a Attempt
		var at, took int64
		if err := rows.Scan(&a.N, &at, &took, &a.Status, &a.Error); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		a.At, a.Took = fromMillis(at), time.Duration(took)*time.Millisecond
		out = append(out, a)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}
