package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// loadReceiver reads what the last process knew of the receiver: a receiver that was down is probed, not flooded, by the next
// one, and has been down since it went down.
func (o *Outbox) loadReceiver(ctx context.Context) error {
	var r ReceiverState
	var since int64
	err := o.db.Reader().QueryRowContext(ctx, `SELECT up, since, status, error FROM webhook_receiver`).
		Scan(&r.Up, &since, &r.LastStatus, &r.LastError)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("webhook: receiver: %w", err)
	}
	r.Since = fromMillis(since)
	o.setReceiver(func(now *ReceiverState) { *now = r })
	o.receiver.stored = true
	o.down.Store(!r.Up)
	return nil
}

// breakerAtStart goes on where the last process has ended; the first probe is made at once.
func (o *Outbox) breakerAtStart(now time.Time) breaker {
	b := breaker{since: now}
	o.setReceiver(func(r *ReceiverState) {
		switch {
		case r.Since.IsZero():
			r.Up, r.Since = true, now
		case !r.Up:
			b.open, b.mixed, b.probeAt = true, true, now
		}
	})
	return b
}

// firstSuccess notes that the receiver answers, where nothing was ever noted.
func (o *Outbox) firstSuccess() {
	o.receiver.Lock()
	known := o.receiver.stored
	o.receiver.Unlock()
	if !known {
		o.saveReceiver()
	}
}

// saveReceiver stores the present state for the tools beside the daemon and for its next start.
func (o *Outbox) saveReceiver() {
	o.receiver.Lock()
	r := o.receiver.state
	o.receiver.stored = true
	o.receiver.Unlock()
	if r.Up {
		r.LastStatus, r.LastError = 0, ""
	}
	o.db.SubmitAhead(func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `INSERT INTO webhook_receiver (id, up, since, status, error) VALUES (1, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET up = excluded.up, since = excluded.since, status = excluded.status, error = excluded.error`,
			r.Up, r.Since.UnixMilli(), r.LastStatus, r.LastError)
		return err
	}, func(err error) {
		if err != nil {
			o.log.Warn("state of the receiver could not be stored", "error", err)
		}
	})
}

// Gap is a span of time of which events may be missing for good: nobody could tell them afterwards.
type Gap struct {
	Since  time.Time `json:"since,omitzero"` // zero when it is not known
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
}

const (
	keptGaps  = 1000
	shownGaps = 20
)

// NoteGap stores a gap, so that whoever misses events finds out why; it waits for the commit.
func (o *Outbox) NoteGap(ctx context.Context, g Gap) error {
	if err := o.db.DoAhead(ctx, func(tx *sql.Tx) error { return insertGap(tx, g) }); err != nil {
		return fmt.Errorf("webhook: gap: %w", err)
	}
	return nil
}

func insertGap(tx *sql.Tx, g Gap) error {
	_, err := tx.ExecContext(context.Background(), `INSERT INTO webhook_gaps (since, until, reason) VALUES (?, ?, ?)`,
		millis(g.Since), g.Until.UnixMilli(), g.Reason)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(context.Background(), `DELETE FROM webhook_gaps WHERE id <= (SELECT max(id) FROM webhook_gaps) - ?`, keptGaps)
	return err
}

func (o *Outbox) gaps(ctx context.Context) (list []Gap, all int, err error) {
	if err := o.db.Reader().QueryRowContext(ctx, `SELECT count(*) FROM webhook_gaps`).Scan(&all); err != nil || all == 0 {
		return nil, 0, err
	}
	rows, err := o.db.Reader().QueryContext(ctx, `SELECT since, until, reason FROM webhook_gaps ORDER BY id DESC LIMIT ?`, shownGaps)
	if err != nil {
		return nil, 0, err
	}
	for rows.Next() {
		var g Gap
		var since, until int64
		if err := rows.Scan(&since, &until, &g.Reason); err != nil {
			return nil, 0, errors.Join(err, rows.Close())
		}
		g.Since, g.Until = utc(fromMillis(since)), fromMillis(until).UTC()
		list = append(list, g)
	}
	slices.Reverse(list)
	return list, all, errors.Join(rows.Err(), rows.Close())
}
