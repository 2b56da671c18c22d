package webhook

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// sampleEvery is how many bytes are stored between two looks at the file's room.
const sampleEvery = 256 << 10

// room is what the writer knows about the space that is left. The order of loss: delivered history, then what waits, by weight, the
// oldest first; events of weight Never stay, and so do dead letters.
type room struct {
	since int64 // bytes stored since the last look
	begun bool
	every int64 // bytes between two looks, fewer in a small file
	spent bool  // nothing is left that could be dropped, and still there is no room
}

// makeRoom is called inside every transaction that stores. When less than a twentieth of the capacity is left it
// deletes until a tenth is. What is stored does not get the last pages: delivery needs them to make room.
func (o *Outbox) makeRoom(tx *sql.Tx, bytes int64) ([]gone, tally, error) {
	r := &o.room
	r.since += bytes
	if r.begun && !r.spent && r.since < r.every {
		return nil, nil, nil
	}
	r.begun, r.since = true, 0
	left, capacity, err := o.db.Room(tx)
	if err != nil {
		return nil, nil, fmt.Errorf("webhook: room: %w", err)
	}
	r.every = min(sampleEvery, capacity/80)
	if left >= capacity/20+bytes {
		r.spent = false
		return nil, nil, nil
	}
	removed, evicted, err := o.drop(tx, capacity/10+bytes)
	if err != nil || !r.spent {
		return removed, evicted, err
	}
	tight, err := o.db.Tight(tx)
	if err == nil && tight {
		err = sqlite.ErrFull
	}
	return removed, evicted, err
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
		o.tell(nil, removed)
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
			c := evicted.of(g.receiver, g.kind)
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

// expendable is what may be dropped of one receiver.
type expendable struct{ receiver, weight int64 }

// dropPending deletes the oldest of the lowest weight that waits, of the receiver for which most of it does: the one that is down, as a rule.
func dropPending(tx *sql.Tx) ([]gone, error) {
	list, err := expendables(tx)
	if err != nil {
		return nil, err
	}
	for _, x := range list {
		if got, err := remove(tx, deleteOldest, x.receiver, x.weight); err != nil || len(got) > 0 {
			return got, err
		}
	}
	for _, x := range list { // a kind whose weight has changed since
		if got, err := remove(tx, deleteOldest, x.receiver, Never-1); err != nil || len(got) > 0 {
			return got, err
		}
	}
	return nil, nil
}

// expendables asks the counters, which know without a look at the rows.
func expendables(tx *sql.Tx) (list []expendable, err error) {
	err = sqlite.Each(context.Background(), tx, `SELECT receiver, weight FROM webhook_counts
		WHERE pending > 0 AND weight < ? ORDER BY weight, pending DESC`, func(row *sql.Rows) error {
		var x expendable
		err := row.Scan(&x.receiver, &x.weight)
		list = append(list, x)
		return err
	}, Never)
	return list, err
}

const deleteOldest = `DELETE FROM webhook_outbox WHERE id IN (
	SELECT id FROM webhook_outbox INDEXED BY webhook_pending WHERE receiver = ? AND state = 0 AND weight <= ? ORDER BY id LIMIT 500)` + returning

// logDropped says what was lost, once for each kind of each receiver.
func (o *Outbox) logDropped(t tally) {
	for _, of := range slices.SortedFunc(maps.Keys(t), func(a, b counted) int {
		return cmp.Or(cmp.Compare(a.receiver, b.receiver), cmp.Compare(a.kind, b.kind))
	}) {
		o.log.Error("undelivered events were dropped, the file is full", "receiver", o.nameOf(of.receiver), "kind", of.kind, "events", t[of].lost)
	}
}
