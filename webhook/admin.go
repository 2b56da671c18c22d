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

// Filter chooses events; empty fields choose all.
type Filter struct {
	State  string // as in Record.State
	Kind   string
	Key    string
	Before int64 // only Seq below it: the last one of the page before; 0 = from the newest
	Limit  int   // at most this many, 0 = 100
}

var stateNames = [...]state{statePending, stateDelivered, stateDead, stateExpired, stateDropped}

func stateByName(name string) (state, error) {
	for _, s := range stateNames {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("webhook: no state %q", name)
}

const replayChunk = 1000

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
	query, args := `SELECT `+recordColumns+` FROM webhook_outbox WHERE 1`, []any{}
	where := func(cond string, arg any) { query, args = query+" AND "+cond, append(args, arg) }
	if f.State != "" {
		s, err := stateByName(f.State)
		if err != nil {
			return nil, err
		}
		where(fmt.Sprintf("state = %d AND 1 = ?", s), 1) // a literal, so that the partial index is seen
	}
	if f.Kind != "" {
		where("kind = ?", f.Kind)
	}
	if f.Key != "" {
		where("key = ?", f.Key)
	}
	if f.Before > 0 {
		where("id < ?", f.Before)
	}
	if f.Limit <= 0 {
		f.Limit = 100
	}
	rows, err := o.db.Reader().QueryContext(ctx, query+" ORDER BY id DESC LIMIT ?", append(args, f.Limit)...)
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

// Replay makes ended events pending again, under their ids and in their old place; without ids all dead letters. It returns how
// many. The event is never out of the file meanwhile. An id that is unknown gives [ErrUnknown] and changes nothing.
func (o *Outbox) Replay(ctx context.Context, ids ...string) (int, error) {
	if len(ids) > 0 {
		return o.move(ctx, ids, statePending)
	}
	total := 0
	for {
		dead, err := o.List(ctx, Filter{State: stateDead.String(), Limit: replayChunk})
		if err != nil || len(dead) == 0 {
			return total, err
		}
		ids := make([]string, len(dead))
		for i := range dead {
			ids[i] = dead[i].ID
		}
		n, err := o.move(ctx, ids, statePending)
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
}

// Drop ends pending events and dead letters without delivery. They stay known, so that putting them again does nothing.
func (o *Outbox) Drop(ctx context.Context, ids ...string) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	return o.move(ctx, ids, stateDropped)
}

// move changes states in one transaction.
func (o *Outbox) move(ctx context.Context, ids []string, to state) (moved int, err error) {
	err = o.db.DoAhead(ctx, func(tx *sql.Tx) error {
		moved = 0
		counted := tally{}
		for _, id := range ids {
			n, err := moveOne(tx, id, to, counted)
			if err != nil {
				return err
			}
			moved += n
		}
		if err := bumpRevision(tx); err != nil {
			return err
		}
		return counted.save(tx)
	})
	if err != nil {
		return 0, fmt.Errorf("webhook: change to %s: %w", to, err)
	}
	o.feed.rewind()
	return moved, nil
}

func moveOne(tx *sql.Tx, id string, to state, counted tally) (int, error) {
	ctx := context.Background()
	var from state
	var kind string
	err := tx.QueryRowContext(ctx, `SELECT state, kind FROM webhook_outbox WHERE event_id = ?`, id).Scan(&from, &kind)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	if err != nil {
		return 0, err
	}
	c := counted.of(kind)
	switch {
	case from == to, to == stateDropped && from != statePending && from != stateDead:
		return 0, nil
	case to == statePending:
		c.pending++
		_, err = tx.ExecContext(ctx, replayOne, id)
	default:
		c.dropped++
		_, err = tx.ExecContext(ctx, `UPDATE webhook_outbox SET state = ?, done_at = ? WHERE event_id = ?`, to, time.Now().UnixMilli(), id)
	}
	switch from {
	case statePending:
		c.pending--
	case stateDead:
		c.dead--
	case stateDelivered, stateExpired, stateDropped: // these count what has happened, not what there is
	}
	return 1, err
}

// replayOne leaves attempts as they are, so that the numbers of the attempts go on.
const replayOne = `UPDATE webhook_outbox SET state = 0, refused = 0, refused_at = 0, done_at = NULL WHERE event_id = ?`

// bumpRevision tells a sender in another process to read the file anew.
func bumpRevision(tx *sql.Tx) error {
	_, err := tx.ExecContext(context.Background(), `UPDATE webhook_revision SET n = n + 1`)
	return err
}
