package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Migrate applies the steps of owner that the file has not seen yet, in order and in one transaction. Steps are never
// changed or reordered once released, only added. A file that knows more steps than it is given was written by a newer
// version and is refused. Call it before Run. A tool changes no tables: it refuses an older file too.
//
// Several owners migrate one after the other, and one of them may fail when others have succeeded. So a file that has steps already is
// copied first, and is put back as it was by a Close that no Run came before.
func (db *DB) Migrate(ctx context.Context, owner string, steps []string) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	var done int
	err := db.writer.QueryRowContext(ctx, `SELECT coalesce(max(step), 0) FROM schema_steps WHERE owner = ?`, owner).Scan(&done)
	switch {
	case err != nil:
	case done == len(steps):
		return nil
	case done > len(steps):
		err = fmt.Errorf("file has step %d, this version knows %d: it was written by a newer version", done, len(steps))
	case db.opts.Tool:
		err = fmt.Errorf("file has step %d of %d: it was written by an older version, start the daemon first", done, len(steps))
	case done > 0:
		err = db.keepOld(ctx)
	}
	if err == nil {
		err = db.transactOnce(ctx, func(tx *sql.Tx) error { return migrate(ctx, tx, owner, steps, done) })
	}
	if err != nil {
		return fmt.Errorf("database: migrate %s: %w", owner, err)
	}
	return nil
}

// Prepare writes one transaction before Run.
func (db *DB) Prepare(ctx context.Context, apply func(*sql.Tx) error) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	if err := db.transactOnce(ctx, apply); err != nil {
		return fmt.Errorf("database: prepare: %w", err)
	}
	return nil
}

func (db *DB) transactOnce(ctx context.Context, apply func(*sql.Tx) error) error {
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := apply(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func migrate(ctx context.Context, tx *sql.Tx, owner string, steps []string, done int) error {
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

func (db *DB) oldPath() string { return db.opts.Path + ".before-upgrade" }

// keepOld copies the file as it is before the first step. A copy that is there already is of a start that was killed, and older.
func (db *DB) keepOld(ctx context.Context) error {
	if _, err := os.Stat(db.oldPath()); err == nil {
		return nil
	}
	part := db.oldPath() + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := db.writer.ExecContext(ctx, `VACUUM INTO ?`, part); err != nil {
		_ = os.Remove(part) // half a copy is worth nothing
		return fmt.Errorf("copy of the old file: %w", err)
	}
	if err := errors.Join(os.Chmod(part, fileMode), syncFile(part)); err != nil {
		return fmt.Errorf("copy of the old file: %w", err)
	}
	return errors.Join(os.Rename(part, db.oldPath()), syncDir(filepath.Dir(part)))
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// forgetOld ends the way back: the new version runs.
func (db *DB) forgetOld() {
	if err := os.Remove(db.oldPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		db.log.Warn("copy of the old database could not be removed", "path", db.oldPath(), "error", err)
	}
}

// restoreOld puts the old file back after a start that has failed. All handles are closed.
func (db *DB) restoreOld() error {
	if _, err := os.Stat(db.oldPath()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, suffix := range salvageSuffixes[1:] {
		if err := os.Remove(db.opts.Path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("database: restore: %w", err)
		}
	}
	if err := os.Rename(db.oldPath(), db.opts.Path); err != nil {
		return fmt.Errorf("database: restore: %w", err)
	}
	db.log.Warn("the start has failed, the database is again as it was before the upgrade", "path", db.opts.Path)
	return syncDir(filepath.Dir(db.opts.Path))
}
