package webhook

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// mending makes the tables agree with each other again after a part of them was lost.
var mending = []string{
	`DELETE FROM webhook_attempts WHERE outbox NOT IN (SELECT id FROM webhook_outbox)`,
	`INSERT OR IGNORE INTO webhook_revision (id, n) VALUES (1, 0)`,
	`INSERT OR IGNORE INTO webhook_receivers (id, name) VALUES (1, 'default')`,
	`INSERT OR IGNORE INTO webhook_receivers (id, name) SELECT DISTINCT receiver, 'lost-' || receiver FROM webhook_outbox`,
	`UPDATE webhook_outbox SET lead = 1 WHERE id IN (SELECT min(id) FROM webhook_outbox GROUP BY event_id HAVING max(lead) = 0)`,
	`INSERT OR IGNORE INTO webhook_counts (receiver, kind, weight) SELECT receiver, kind, max(weight) FROM webhook_outbox GROUP BY receiver, kind`,
	`UPDATE webhook_counts SET
		pending = (SELECT count(*) FROM webhook_outbox o WHERE o.receiver = webhook_counts.receiver AND o.kind = webhook_counts.kind AND o.state = 0),
		dead    = (SELECT count(*) FROM webhook_outbox o WHERE o.receiver = webhook_counts.receiver AND o.kind = webhook_counts.kind AND o.state = 2)`,
}

// mend goes over what was recovered from a damaged file, and notes the gap when something could not be read.
func (o *Outbox) mend(ctx context.Context, r sqlite.Recovery) error {
	if r.Aside == "" {
		return nil
	}
	err := o.db.Prepare(ctx, func(tx *sql.Tx) error {
		for _, statement := range mending {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		if !r.Lost() {
			return nil
		}
		return insertGap(tx, Gap{Until: time.Now(), Reason: fmt.Sprintf("the database was damaged and not all of it could be read; it is kept as %s", r.Aside)})
	})
	if err != nil {
		return fmt.Errorf("webhook: mend: %w", err)
	}
	return nil
}
