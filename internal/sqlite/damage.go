package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/mattn/go-sqlite3"
)

// A full check of a large file takes seconds, so Open makes the cheap ones only. Damage that shows up later leaves a mark beside
// the file, and the next Open checks it in full.

func (db *DB) suspectPath() string { return db.opts.Path + ".suspect" }

// Report looks at an error that a reader met. When it says that the file is damaged, Run ends with [ErrCorrupt], so that
// the daemon is started again on a sound file. Other errors are ignored.
func (db *DB) Report(err error) {
	if classify(err) == faultCorrupt {
		db.suspect(err)
		db.queue.breakOff()
	}
}

// suspect leaves the mark.
func (db *DB) suspect(cause error) {
	db.log.Error("database file is damaged and will be checked at the next start", "path", db.opts.Path, "error", cause)
	if err := createFile(db.suspectPath()); err != nil {
		db.log.Error("damage could not be marked", "path", db.suspectPath(), "error", err)
	}
}

// checkSuspect runs the full check if the last run has left the mark.
func (db *DB) checkSuspect(ctx context.Context) error {
	if _, err := os.Stat(db.suspectPath()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var verdict string
	if err := db.writer.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("check: %s: %w", verdict, sqlite3.Error{Code: sqlite3.ErrCorrupt})
	}
	return os.Remove(db.suspectPath())
}

// setAside renames the damaged file and what belongs to it, and makes room for a new one. Nothing is deleted.
func (db *DB) setAside(cause error) error {
	db.closeWriter()
	aside := db.opts.Path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000Z")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		err := os.Rename(db.opts.Path+suffix, aside+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("set aside: %w", err)
		}
	}
	if err := os.Remove(db.suspectPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("set aside: %w", err)
	}
	db.state.setAside(aside)
	db.log.Error("database file was damaged, it is kept aside and a new one is made", "path", db.opts.Path, "aside", aside, "error", cause)
	return createFile(db.opts.Path)
}
