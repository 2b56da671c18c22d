package webhook

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// loadReceivers reads what the last process knew of the receivers: one that was down is probed, not flooded, by the next
// process, and has been down since it went down.
func (o *Outbox) loadReceivers(ctx context.Context) error {
	err := sqlite.Each(ctx, o.db.Reader(), `SELECT id, name, up, since, status, error FROM webhook_receivers ORDER BY id`, func(row *sql.Rows) error {
		r := newRecipient(0, "")
		var up bool
		var since int64
		if err := row.Scan(&r.id, &r.name, &up, &since, &r.state.LastStatus, &r.state.LastError); err != nil {
			return err
		}
		if since != 0 {
			r.state.Up, r.state.Since, r.stored = up, fromMillis(since), true
			r.down.Store(!up)
		}
		o.known.list = append(o.known.list, r)
		return nil
	})
	if err != nil {
		return fmt.Errorf("webhook: receivers: %w", err)
	}
	if len(o.known.list) == 0 || o.known.list[0].id != defaultID {
		return fmt.Errorf("%w: %s is not in the file", ErrReceiver, Default)
	}
	return nil
}

// breakerAtStart goes on where the last process has ended; the first probe is made at once.
func (r *recipient) breakerAtStart(now time.Time) breaker {
	b := breaker{since: now}
	r.set(func(s *ReceiverState) {
		switch {
		case s.Since.IsZero():
			s.Up, s.Since = true, now
		case !s.Up:
			b.open, b.mixed, b.probeAt = true, true, now
		}
	})
	return b
}

// firstSuccess notes that a receiver answers, where nothing was ever noted.
func (o *Outbox) firstSuccess(to *recipient) {
	to.mu.Lock()
	known := to.stored
	to.mu.Unlock()
	if !known {
		o.saveReceiver(to)
	}
}

// saveReceiver stores the present state for the tools beside the daemon and for its next start.
func (o *Outbox) saveReceiver(to *recipient) {
	to.mu.Lock()
	r := to.state
	to.stored = true
	to.mu.Unlock()
	if r.Up {
		r.LastStatus, r.LastError = 0, ""
	}
	o.db.SubmitAhead(func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `UPDATE webhook_receivers SET up = ?, since = ?, status = ?, error = ? WHERE id = ?`,
			r.Up, r.Since.UnixMilli(), r.LastStatus, r.LastError, to.id)
		return err
	}, func(err error) {
		if err != nil {
			o.log.Warn("state of the receiver could not be stored", "receiver", to.name, "error", err)
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
	err = sqlite.Each(ctx, o.db.Reader(), `SELECT since, until, reason FROM webhook_gaps ORDER BY id DESC LIMIT ?`, func(row *sql.Rows) error {
		var g Gap
		var since, until int64
		err := row.Scan(&since, &until, &g.Reason)
		g.Since, g.Until = utc(fromMillis(since)), fromMillis(until).UTC()
		list = append(list, g)
		return err
	}, shownGaps)
	slices.Reverse(list)
	return list, all, err
}
