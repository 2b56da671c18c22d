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

const changeChunk = 1000 // events in one transaction, so that the daemon beside a tool does not wait long

// Replay makes ended events of a receiver pending again, under their ids and in their old place; without ids all dead letters. It returns
// how many. The event is never out of the file meanwhile. An id that is unknown gives [ErrUnknown] and changes nothing. The receiver
// may be left out ("") where the events are stored for one alone; else [ErrFilter] names those there are.
func (o *Outbox) Replay(ctx context.Context, receiver string, ids ...string) (int, error) {
	if len(ids) == 0 {
		return o.ReplayWhere(ctx, Filter{Receiver: receiver}, nil)
	}
	return o.changeIDs(ctx, receiver, ids, statePending)
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

// Drop ends pending events and dead letters of a receiver (see Replay) without delivery. They stay known, so that putting them again does
// nothing.
func (o *Outbox) Drop(ctx context.Context, receiver string, ids ...string) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	return o.changeIDs(ctx, receiver, ids, stateDropped)
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

// row is one whose state is to be changed.
type row struct {
	id       int64
	receiver int64
	from     state
	kind     string
}

// changeIDs changes all in one transaction, or nothing.
func (o *Outbox) changeIDs(ctx context.Context, receiver string, ids []string, to state) (int, error) {
	among, err := o.chosen(receiver)
	if err != nil {
		return 0, err
	}
	return o.change(ctx, to, func(tx *sql.Tx) (rows []row, err error) {
		seen := map[string]bool{}
		for _, id := range ids {
			if seen[id] {
				continue
			}
			seen[id] = true
			r, err := theOne(tx, id, among)
			if err != nil {
				return nil, err
			}
			rows = append(rows, r)
		}
		return rows, nil
	}, nil)
}

// theOne returns the row of an event that is stored for one of the receivers and for no other of them.
func theOne(tx *sql.Tx, id string, among []*recipient) (row, error) {
	all, err := choose(tx, "event_id = ?", []any{id})
	if err != nil {
		return row{}, err
	}
	var found []row
	var names []string
	for _, to := range among {
		for _, r := range all {
			if r.receiver == to.id {
				found, names = append(found, r), append(names, to.name)
			}
		}
	}
	switch len(found) {
	case 0:
		return row{}, fmt.Errorf("%w: %s", ErrUnknown, id)
	case 1:
		return found[0], nil
	}
	return row{}, fmt.Errorf("%w: %s is stored for %s; say for which receiver", ErrFilter, id, strings.Join(names, ", "))
}

// changeWhere goes from one receiver to the next, because the index of what waits does.
func (o *Outbox) changeWhere(ctx context.Context, f Filter, to state, told func(int)) (total int, err error) {
	among, err := o.chosen(f.Receiver)
	if err != nil {
		return 0, err
	}
	for _, r := range among {
		n, err := o.changeOf(ctx, r, f, to, func(n int) {
			if told != nil {
				told(total + n)
			}
		})
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func (o *Outbox) changeOf(ctx context.Context, of *recipient, f Filter, to state, told func(int)) (int, error) {
	cond, args, err := f.where()
	if err != nil {
		return 0, err
	}
	cond, args = cond+" AND receiver = ?", append(args, of.id)
	var newest int64
	if err := o.db.Reader().QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM webhook_outbox`).Scan(&newest); err != nil {
		return 0, fmt.Errorf("webhook: change to %s: %w", to, err)
	}
	total, from := 0, int64(0)
	for {
		last := int64(0)
		n, err := o.change(ctx, to, func(tx *sql.Tx) ([]row, error) {
			return choose(tx, cond+" AND id > ? AND id <= ?", append(args[:len(args):len(args)], from, newest))
		}, func(id int64) { last = id })
		total += n
		if err != nil || last == 0 {
			return total, err
		}
		from = last
		told(total)
	}
}

func choose(tx *sql.Tx, cond string, args []any) (list []row, err error) {
	query := `SELECT id, receiver, state, kind FROM webhook_outbox WHERE ` + cond + ` ORDER BY id LIMIT ?`
	err = sqlite.Each(context.Background(), tx, query, func(rows *sql.Rows) error {
		var r row
		err := rows.Scan(&r.id, &r.receiver, &r.from, &r.kind)
		list = append(list, r)
		return err
	}, append(args, changeChunk)...)
	return list, err
}

// change gives the rows that pick returns a new state, in one transaction, and tells the last row of them. It returns how many were
// not in it already. When ctx ends first, the outcome is unknown and nothing is told.
func (o *Outbox) change(ctx context.Context, to state, pick func(*sql.Tx) ([]row, error), last func(int64)) (int, error) {
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
	if errors.Is(err, ErrUnknown) || errors.Is(err, ErrFilter) {
		return 0, err
	}
	if err != nil {
		return 0, fmt.Errorf("webhook: change to %s: %w", to, err)
	}
	for _, r := range o.recipients() {
		r.feed.rewind()
	}
	e := <-ended
	if last != nil {
		last(e.last)
	}
	return e.moved, nil
}

func changeOne(tx *sql.Tx, r row, to state, counted tally) (n int, err error) {
	ctx := context.Background()
	c := counted.of(r.receiver, r.kind)
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
