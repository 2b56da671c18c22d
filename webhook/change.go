package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const changeChunk = 1000 // events in one transaction, so that the daemon beside a tool does not wait long

// Replay makes ended events pending again, under their ids and in their old place; without ids all dead letters. It returns how
// many. The event is never out of the file meanwhile. An id that is unknown gives [ErrUnknown] and changes nothing.
func (o *Outbox) Replay(ctx context.Context, ids ...string) (int, error) {
	if len(ids) == 0 {
		return o.ReplayWhere(ctx, Filter{}, nil)
	}
	return o.changeIDs(ctx, ids, statePending)
}

// ReplayWhere makes all events pending again that the filter chooses and that have ended; without a state in it the dead letters. They go
// from the oldest to the newest, in pieces; told may be nil and is called after each with the number so far. What ends later
// than the call is left alone.
func (o *Outbox) ReplayWhere(ctx context.Context, f Filter, told func(done int)) (int, error) {
	if f.State == "" {
		f.State = stateDead.String()
	}
	return o.changeWhere(ctx, f, statePending, told)
}

// Drop ends pending events and dead letters without delivery. They stay known, so that putting them again does nothing.
func (o *Outbox) Drop(ctx context.Context, ids ...string) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	return o.changeIDs(ctx, ids, stateDropped)
}

// Droppable is the state of a [Filter] that chooses what Drop can end.
const Droppable = "pending,dead"

// DropWhere is Drop for all that the filter chooses, in pieces as with ReplayWhere.
func (o *Outbox) DropWhere(ctx context.Context, f Filter, told func(done int)) (int, error) {
	if f.State == "" {
		f.State = Droppable
	}
	return o.changeWhere(ctx, f, stateDropped, told)
}

// chosen is a row whose state is to be changed.
type chosen struct {
	id   int64
	from state
	kind string
}

// changeIDs changes all in one transaction, or nothing.
func (o *Outbox) changeIDs(ctx context.Context, ids []string, to state) (int, error) {
	return o.change(ctx, to, func(tx *sql.Tx) (rows []chosen, err error) {
		seen := map[string]bool{}
		for _, id := range ids {
			if seen[id] {
				continue
			}
			seen[id] = true
			var r chosen
			err := tx.QueryRowContext(context.Background(), `SELECT id, state, kind FROM webhook_outbox WHERE event_id = ?`, id).
				Scan(&r.id, &r.from, &r.kind)
			if errors.Is(err, sql.ErrNoRows) {
				return nil, fmt.Errorf("%w: %s", ErrUnknown, id)
			}
			if err != nil {
				return nil, err
			}
			rows = append(rows, r)
		}
		return rows, nil
	}, nil)
}

func (o *Outbox) changeWhere(ctx context.Context, f Filter, to state, told func(int)) (int, error) {
	cond, args, err := f.where()
	if err != nil {
		return 0, err
	}
	var newest int64
	if err := o.db.Reader().QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM webhook_outbox`).Scan(&newest); err != nil {
		return 0, fmt.Errorf("webhook: change to %s: %w", to, err)
	}
	total, from := 0, int64(0)
	for {
		last := int64(0)
		n, err := o.change(ctx, to, func(tx *sql.Tx) ([]chosen, error) {
			return choose(tx, cond+" AND id > ? AND id <= ?", append(args[:len(args):len(args)], from, newest))
		}, func(id int64) { last = id })
		total += n
		if err != nil || last == 0 {
			return total, err
		}
		from = last
		if told != nil {
			told(total)
		}
	}
}

func choose(tx *sql.Tx, cond string, args []any) ([]chosen, error) {
	rows, err := tx.QueryContext(context.Background(), `SELECT id, state, kind FROM webhook_outbox WHERE `+cond+` ORDER BY id LIMIT ?`,
		append(args, changeChunk)...)
	if err != nil {
		return nil, err
	}
	var out []chosen
	for rows.Next() {
		var r chosen
		if err := rows.Scan(&r.id, &r.from, &r.kind); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		out = append(out, r)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// change gives the rows that pick returns a new state, in one transaction, and tells the last row of them. It returns how many were
// not in it already. When ctx ends first, the outcome is unknown and nothing is told.
func (o *Outbox) change(ctx context.Context, to state, pick func(*sql.Tx) ([]chosen, error), last func(int64)) (int, error) {
	type end struct {
		moved int
		last  int64
	}
	ended := make(chan end, 1) // what is written after ctx has ended is read by nobody
	err := o.db.DoAhead(ctx, func(tx *sql.Tx) error {
		rows, err := pick(tx)
		if err != nil {
			return err
		}
		e, counted := end{}, tally{}
		for _, r := range rows {
			n, err := changeOne(tx, r, to, counted)
			if err != nil {
				return err
			}
			e.moved, e.last = e.moved+n, r.id
		}
		if err := errors.Join(bumpRevision(tx), counted.save(tx)); err != nil {
			return err
		}
		select {
		case <-ended: // of a transaction that was undone
		default:
		}
		ended <- e
		return nil
	})
	if errors.Is(err, ErrUnknown) {
		return 0, err
	}
	if err != nil {
		return 0, fmt.Errorf("webhook: change to %s: %w", to, err)
	}
	o.feed.rewind()
	e := <-ended
	if last != nil {
		last(e.last)
	}
	return e.moved, nil
}

func changeOne(tx *sql.Tx, r chosen, to state, counted tally) (n int, err error) {
	ctx := context.Background()
	c := counted.of(r.kind)
	switch {
	case r.from == to, to == stateDropped && r.from != statePending && r.from != stateDead:
		return 0, nil
	case to == statePending:
		c.pending++
		_, err = tx.ExecContext(ctx, replayOne, r.id)
	default:
		c.dropped++
		_, err = tx.ExecContext(ctx, `UPDATE webhook_outbox SET state = ?, done_at = ? WHERE id = ?`, to, time.Now().UnixMilli(), r.id)
	}
	switch r.from {
	case statePending:
		c.pending--
	case stateDead:
		c.dead--
	case stateDelivered, stateExpired, stateDropped: // these count what has happened, not what there is
	}
	return 1, err
}

// replayOne leaves attempts as they are, so that the numbers of the attempts go on.
const replayOne = `UPDATE webhook_outbox SET state = 0, refused = 0, refused_at = 0, done_at = NULL WHERE id = ?`

// bumpRevision tells a sender in another process to read the file anew.
func bumpRevision(tx *sql.Tx) error {
	_, err := tx.ExecContext(context.Background(), `UPDATE webhook_revision SET n = n + 1`)
	return err
}
