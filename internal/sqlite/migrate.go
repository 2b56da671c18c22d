package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Migrate applies the steps of owner that the file has not seen yet, in order and in one transaction. Steps are never
// changed or reordered once released, only added. A file that knows more steps than it is given was written by a newer
// version and is refused. Call it before Run.
func (db *DB) Migrate(ctx context.Context, owner string, steps []string) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("database: migrate %s: %w", owner, err)
	}
	if err := migrate(ctx, tx, owner, steps); err != nil {
		return errors.Join(fmt.Errorf("database: migrate %s: %w", owner, err), tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("database: migrate %s: %w", owner, err)
	}
	return nil
}

func migrate(ctx context.Context, tx *sql.Tx, owner string, steps []string) error {
	var done int
	err := tx.QueryRowContext(ctx, `SELECT coalesce(max(step), 0) FROM schema_steps WHERE owner = ?`, owner).Scan(&done)
	if err != nil {
		return err
	}
	if done > len(steps) {
		return fmt.Errorf("file has step %d, this version knows %d: it was written by a newer version", done, len(steps))
	}
	for i := done; i < len(steps); i++ {
		if _, err := tx.ExecContext(ctx, steps[i]); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO schema_steps (owner, step, applied_at) VALUES (?, ?, ?)`,
			owner, i+1, time.Now().UnixMilli())
		if err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}
