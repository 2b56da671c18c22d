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
	`INSERT OR IGNORE INTO webhook_counts (kind, weight) SELECT kind, max(weight) FROM webhook_outbox GROUP BY kind`,
	`UPDATE webhook_counts SET
		pending = (SELECT count(*) FROM webhook_outbox o WHERE o.kind = webhook_counts.kind AND o.state = 0),
		dead    = (SELECT count(*) FROM webhook_outbox o WHERE o.kind = webhook_counts.kind AND o.state = 2)`,
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
