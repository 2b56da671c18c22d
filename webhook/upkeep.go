package webhook

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

const purgeRows = 500

// poll looks for what no wake-up tells: rows changed by another process, and history that has grown old.
func (l *loop) poll(now time.Time) {
	n, err := l.store.revision(context.WithoutCancel(l.ctx))
	if err != nil {
		l.readFailed(err)
		return
	}
	if n != l.revision {
		l.revision = n
		l.reset()
	}
	if l.s.to.id == defaultID && now.Sub(l.purged) >= purgeEvery { // one for all
		l.purged = now
		l.s.outbox.purge(now)
	}
}

// purge deletes history beyond Keep, a piece at a time so that nothing else waits long.
func (o *Outbox) purge(now time.Time) {
	var deleted int64
	o.db.SubmitAhead(func(tx *sql.Tx) error {
		res, err := tx.ExecContext(context.Background(), `DELETE FROM webhook_outbox WHERE id IN (
			SELECT id FROM webhook_outbox INDEXED BY webhook_history WHERE done_at IS NOT NULL AND done_at < ?
			ORDER BY done_at LIMIT ?)`, now.Add(-time.Duration(o.keep.Load())).UnixMilli(), purgeRows)
		if err != nil {
			return fmt.Errorf("webhook: purge: %w", err)
		}
		deleted, err = res.RowsAffected()
		return err
	}, func(err error) {
		switch {
		case err != nil:
			o.log.Warn("old deliveries could not be deleted", "error", err)
		case deleted == purgeRows:
			o.purge(now)
		}
	})
}

// coalesce removes, when a receiver has gone down, all but the newest state of each key.
func (o *Outbox) coalesce(to *recipient) {
	var removed []gone
	o.db.Submit(func(tx *sql.Tx) error {
		var err error
		removed, err = remove(tx, `DELETE FROM webhook_outbox INDEXED BY webhook_newest WHERE receiver = ? AND state = 0 AND newest = 1 AND EXISTS (
			SELECT 1 FROM webhook_outbox AS b INDEXED BY webhook_newest
			WHERE b.receiver = webhook_outbox.receiver AND b.state = 0 AND b.newest = 1 AND b.key = webhook_outbox.key AND b.id > webhook_outbox.id)`+returning, to.id)
		if err != nil {
			return fmt.Errorf("webhook: coalesce: %w", err)
		}
		counted := tally{}
		for _, g := range removed {
			c := counted.of(g.receiver, g.kind)
			c.superseded++
			c.pending--
		}
		return counted.save(tx)
	}, func(err error) {
		if err != nil {
			o.log.Warn("superseded events could not be removed", "error", err)
			return
		}
		to.feed.put(nil, removed)
	})
}
