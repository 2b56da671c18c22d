package webhook

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
)

// sampleEvery is how many bytes are stored between two looks at the file's room.
const sampleEvery = 256 << 10

// room is what the writer knows about the space that is left. The order of loss: delivered history, then what waits, by weight, the
// oldest first; events of weight Never stay, and so do dead letters.
type room struct {
	since int64 // bytes stored since the last look
	begun bool
	spent bool // nothing is left that could be dropped, and still there is no room
}

// makeRoom is called inside every transaction that stores. When less than a twentieth of the capacity is left it
// deletes until a tenth is.
func (o *Outbox) makeRoom(tx *sql.Tx, bytes int64) ([]gone, tally, error) {
	r := &o.room
	r.since += bytes
	if r.begun && !r.spent && r.since < sampleEvery {
		return nil, nil, nil
	}
	r.begun, r.since = true, 0
	left, capacity, err := o.db.Room(tx)
	if err != nil {
		return nil, nil, fmt.Errorf("webhook: room: %w", err)
	}
	if left >= capacity/20+bytes {
		r.spent = false
		return nil, nil, nil
	}
	return o.drop(tx, capacity/10+bytes)
}

// dropSoon is called when a write has failed for want of space: what can be dropped goes before that write is tried again.
func (o *Outbox) dropSoon() {
	var removed []gone
	var evicted tally
	o.db.SubmitAhead(func(tx *sql.Tx) error {
		_, capacity, err := o.db.Room(tx)
		if err != nil {
			return err
		}
		removed, evicted, err = o.drop(tx, capacity/10)
		return err
	}, func(err error) {
		if err != nil {
			o.log.Error("room could not be made in the full file", "error", err)
			return
		}
		o.logDropped(evicted)
		o.feed.put(nil, removed)
	})
}

// drop deletes until want bytes are free or nothing more may go.
func (o *Outbox) drop(tx *sql.Tx, want int64) ([]gone, tally, error) {
	var removed []gone
	evicted := tally{}
	o.room.spent = false
	for {
		left, _, err := o.db.Room(tx)
		if err != nil || left >= want {
			return removed, evicted, joinSave(err, evicted, tx)
		}
		if n, err := dropHistory(tx); err != nil || n > 0 {
			if err != nil {
				return nil, nil, fmt.Errorf("webhook: drop: %w", err)
			}
			continue
		}
		got, err := dropPending(tx)
		if err != nil {
			return nil, nil, fmt.Errorf("webhook: drop: %w", err)
		}
		if len(got) == 0 {
			o.room.spent = true
			return removed, evicted, joinSave(nil, evicted, tx)
		}
		for _, g := range got {
			c := evicted.of(g.kind)
			c.lost++
			c.pending--
		}
		removed = append(removed, got...)
	}
}

func joinSave(err error, t tally, tx *sql.Tx) error {
	if err != nil {
		return err
	}
	return t.save(tx)
}

// dropHistory deletes the oldest of what has ended.
func dropHistory(tx *sql.Tx) (int64, error) {
	res, err := tx.ExecContext(context.Background(), `DELETE FROM webhook_outbox WHERE id IN (
		SELECT id FROM webhook_outbox INDEXED BY webhook_history WHERE done_at IS NOT NULL ORDER BY done_at LIMIT 500)`)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// dropPending deletes the oldest of the lowest weight that waits. The counters tell which weight that is without a look at
// the rows.
func dropPending(tx *sql.Tx) ([]gone, error) {
	var weight sql.NullInt64
	err := tx.QueryRowContext(context.Background(),
		`SELECT min(weight) FROM webhook_counts WHERE pending > 0 AND weight < ?`, Never).Scan(&weight)
	if err != nil || !weight.Valid {
		return nil, err
	}
	got, err := remove(tx, deleteOldest, weight.Int64)
	if err != nil || len(got) > 0 {
		return got, err
	}
	return remove(tx, deleteOldest, Never-1) // a kind whose weight has changed since
}

const deleteOldest = `DELETE FROM webhook_outbox WHERE id IN (
	SELECT id FROM webhook_outbox INDEXED BY webhook_pending WHERE state = 0 AND weight <= ? ORDER BY id LIMIT 500)
	RETURNING id, key, kind`

// logDropped says what was lost, once for each kind.
func (o *Outbox) logDropped(t tally) {
	for _, kind := range slices.Sorted(maps.Keys(t)) {
		o.log.Error("undelivered events were dropped, the file is full", "kind", kind, "events", t[kind].lost)
	}
}
