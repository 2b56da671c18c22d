package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
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

// checkSuspect runs the full check if the last run has left the mark, or the operator wants to recover.
func (db *DB) checkSuspect(ctx context.Context) error {
	if _, err := os.Stat(db.suspectPath()); errors.Is(err, fs.ErrNotExist) && !db.opts.Recover {
		return nil
	}
	if info, err := os.Stat(db.opts.Path); err != nil || info.Size() == 0 {
		return err // a new one
	}
	r, err := openHandle(db.opts.Path, url.Values{"mode": {"ro"}, "_busy_timeout": {"0"}}, 1, nil) // opening it for writing would change it
	if err != nil {
		return err
	}
	var verdict string
	err = r.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict)
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("check: %s: %w", verdict, sqlite3.Error{Code: sqlite3.ErrCorrupt})
	}
	if db.opts.Recover {
		db.log.InfoContext(ctx, "database file is sound, there is nothing to recover", "path", db.opts.Path)
	}
	if err := os.Remove(db.suspectPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// salvageSuffixes name the files of a database.
var salvageSuffixes = [...]string{"", "-wal", "-shm"}

// recover puts a new file with all that can be read in the place of the damaged one, which is kept beside it. Until the very end the damaged
// file is where it was.
func (db *DB) recover(ctx context.Context, cause error) error {
	db.closeWriter()
	path := db.opts.Path
	work, fresh, aside := path+".salvage", path+".recovered", path+".damaged-"+time.Now().UTC().Format("20060102T150405.000Z")
	defer removeAll(work)
	defer removeAll(fresh)
	removeAll(work)
	removeAll(fresh)
	for _, suffix := range salvageSuffixes[:2] { // what is read is a copy, because reading changes it
		if err := copyFile(path+suffix, work+suffix); err != nil {
			return fmt.Errorf("recover: %w", err)
		}
	}
	report, err := salvage(ctx, work, fresh)
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	if slices.Contains(report.Lossy, "*") || slices.Contains(report.Lossy, "schema_steps") {
		report.Rows, report.Lossy = 0, []string{"*"} // without its steps the version of the tables is not known
		removeAll(fresh)
		err = createFile(fresh)
	} else {
		err = os.Chmod(fresh, fileMode)
	}
	if err == nil {
		err = db.replace(fresh, aside)
	}
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	report.Aside = aside
	db.state.setRecovery(report)
	db.log.Error("database file was damaged, what could be read of it is in a new one", "path", path, "aside", aside, "rows", report.Rows,
		"incomplete_tables", report.Lossy, "error", cause)
	return nil
}

// replace keeps the file and what belongs to it under the name aside, and puts fresh in its place.
func (db *DB) replace(fresh, aside string) error {
	path := db.opts.Path
	if err := os.Link(path, aside); err != nil {
		return err
	}
	for _, suffix := range salvageSuffixes[1:] { // the log of the old file must not be taken for that of the new one
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	if err := os.Remove(db.suspectPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func removeAll(path string) {
	for _, suffix := range salvageSuffixes {
		_ = os.Remove(path + suffix) // most are not there
	}
}

// syncDir makes names durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
