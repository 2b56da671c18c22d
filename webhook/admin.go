package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// ErrUnknown says that no event has the id.
var ErrUnknown = errors.New("webhook: no such event")

// Record is an event as it is stored.
type Record struct {
	Seq        int64 // grows with every event; order of delivery within a key
	ID         string
	Receiver   string
	Also       []string // only from Show: the other receivers for which the event is stored
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

const recordColumns = `id, event_id, (SELECT name FROM webhook_receivers WHERE webhook_receivers.id = receiver), kind, key, state, at, attempts, coalesce(last_at, 0), coalesce(last_status, 0), coalesce(last_error, '')`

func (r *Record) fields() (dest []any, fill func()) {
	var st state
	var at, last int64
	return []any{&r.Seq, &r.ID, &r.Receiver, &r.Kind, &r.Key, &st, &at, &r.Attempts, &last, &r.LastStatus, &r.LastError}, func() {
		r.State, r.At, r.LastAt = st.String(), fromMillis(at), fromMillis(last)
	}
}

// List returns events without bodies, the newest first.
func (o *Outbox) List(ctx context.Context, f Filter) ([]Record, error) {
	cond, args, err := f.where()
	if err != nil {
		return nil, err
	}
	among, err := o.chosen(f.Receiver)
	if err != nil {
		return nil, err
	}
	if f.Before > 0 {
		cond, args = cond+" AND id < ?", append(args, f.Before)
	}
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	args = append(args, f.Limit)
	query := `SELECT ` + recordColumns + ` FROM webhook_outbox WHERE ` + cond + ` ORDER BY id DESC LIMIT ?`
	if f.Receiver != "" || f.State == statePending.String() {
		query, args = eachOf(among, cond, args)
	}
	var out []Record
	err = sqlite.Each(ctx, o.db.Reader(), query, func(row *sql.Rows) error {
		var r Record
		dest, fill := r.fields()
		err := row.Scan(dest...)
		fill()
		out = append(out, r)
		return err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("webhook: list: %w", err)
	}
	return out, nil
}

// eachOf is the query of a list that takes the newest of each receiver, along its index, and of these the newest.
func eachOf(among []*recipient, cond string, args []any) (query string, all []any) {
	parts := make([]string, len(among))
	for i, r := range among {
		parts[i] = `SELECT * FROM (SELECT id FROM webhook_outbox WHERE receiver = ? AND ` + cond + ` ORDER BY id DESC LIMIT ?)`
		all = append(append(all, r.id), args...)
	}
	return `SELECT ` + recordColumns + ` FROM webhook_outbox WHERE id IN (` + strings.Join(parts, " UNION ALL ") + `) ORDER BY id DESC LIMIT ?`,
		append(all, args[len(args)-1])
}

// Show returns one event of a receiver with its body, answer and failed attempts; without a receiver that of the first one for which it was
// stored. [ErrUnknown] when there is none.
func (o *Outbox) Show(ctx context.Context, receiver, id string) (Record, error) {
	among, err := o.chosen(receiver)
	if err != nil {
		return Record{}, err
	}
	cond, args := "event_id = ?", []any{id}
	if receiver != "" {
		cond, args = cond+" AND receiver = ?", append(args, among[0].id)
	}
	var r Record
	dest, fill := r.fields()
	err = o.db.Reader().QueryRowContext(ctx, `SELECT `+recordColumns+`, body, answer FROM webhook_outbox WHERE `+cond+` ORDER BY id LIMIT 1`, args...).
		Scan(append(dest, &r.Body, &r.Answer)...)
	if errors.Is(err, sql.ErrNoRows) {
		return Record{}, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	if err != nil {
		return Record{}, fmt.Errorf("webhook: show: %w", err)
	}
	fill()
	if r.Also, err = o.also(ctx, &r); err != nil {
		return Record{}, fmt.Errorf("webhook: show: %w", err)
	}
	if r.Tries, err = o.tries(ctx, r.Seq); err != nil {
		return Record{}, fmt.Errorf("webhook: show: %w", err)
	}
	return r, nil
}

// also returns the names of the other receivers of an event.
func (o *Outbox) also(ctx context.Context, r *Record) (names []string, err error) {
	err = sqlite.Each(ctx, o.db.Reader(), `SELECT name FROM webhook_outbox JOIN webhook_receivers ON webhook_receivers.id = receiver
		WHERE event_id = ? AND webhook_outbox.id <> ? ORDER BY webhook_outbox.id`, func(row *sql.Rows) error {
		var name string
		err := row.Scan(&name)
		names = append(names, name)
		return err
	}, r.ID, r.Seq)
	return names, err
}

func (o *Outbox) tries(ctx context.Context, seq int64) (list []Attempt, err error) {
	err = sqlite.Each(ctx, o.db.Reader(), `SELECT n, at, took, status, error FROM webhook_attempts WHERE outbox = ? ORDER BY n`, func(row *sql.Rows) error {
		var a Attempt
		var at, took int64
		err := row.Scan(&a.N, &at, &took, &a.Status, &a.Error)
		a.At, a.Took = fromMillis(at), time.Duration(took)*time.Millisecond
		list = append(list, a)
		return err
	}, seq)
	return list, err
}
