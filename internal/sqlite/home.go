package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// SQLite does not notice that somebody has removed its file or the log beside it: it goes on writing to what no name leads to any more,
// and all of it would be gone with the process. So the names are looked at after each commit and before it is acknowledged.

// errReplaced ends the writer: whoever has put another file in the place of ours means it.
var errReplaced = errors.New("database: the file was replaced by another one")

// home says which files the writer has open.
type home struct{ file, log uint64 }

func (db *DB) findHome() { db.home = home{inodeAt(db.opts.Path), inodeAt(db.opts.Path + "-wal")} }

// inodeAt returns 0 for what is not there.
func inodeAt(path string) uint64 {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return 0
	}
	return st.Ino
}

// astray reports that what was committed is in a file without a name.
func (db *DB) astray() bool {
	if db.opts.Tool {
		return false
	}
	return inodeAt(db.opts.Path) != db.home.file || inodeAt(db.opts.Path+"-wal") != db.home.log
}

// comeHome puts a copy of all that was committed in the place of the file that is gone.
func (db *DB) comeHome(ctx context.Context) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	ctx = context.WithoutCancel(ctx)
	path := db.opts.Path
	now := inodeAt(path)
	replaced := now != 0 && now != db.home.file
	copied := path + ".rescued"
	if db.writer == nil { // an earlier try has made the copy, and could not put it in the place or open it
		return db.moveIn(ctx, copied)
	}
	if replaced {
		copied += time.Now().UTC().Format("-20060102T150405.000Z")
	}
	if err := os.Remove(copied); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("database: rescue: %w", err)
	}
	if _, err := db.writer.ExecContext(ctx, `VACUUM INTO ?`, copied); err != nil {
		return fmt.Errorf("database: rescue: %w", err)
	}
	if err := errors.Join(os.Chmod(copied, fileMode), syncFile(copied)); err != nil {
		return fmt.Errorf("database: rescue: %w", err)
	}
	if replaced {
		db.log.ErrorContext(ctx, "database file was replaced while it was in use, what it held is kept aside", "path", path, "aside", copied)
		return errReplaced
	}
	db.closeWriter()
	return db.moveIn(ctx, copied)
}

// moveIn puts the copy in the place of the file, unless it is there already, and opens it.
func (db *DB) moveIn(ctx context.Context, copied string) error {
	path := db.opts.Path
	if _, err := os.Stat(copied); err == nil {
		for _, suffix := range salvageSuffixes[1:] {
			if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("database: rescue: %w", err)
			}
		}
		if err := errors.Join(os.Rename(copied, path), syncDir(filepath.Dir(path))); err != nil {
			return fmt.Errorf("database: rescue: %w", err)
		}
	}
	db.reader.SetMaxIdleConns(0) // for good: a kept connection would read the old file
	if err := db.openWriter(ctx); err != nil {
		return fmt.Errorf("database: rescue: %w", err)
	}
	db.log.ErrorContext(ctx, "database file was removed while it was in use, it was written again from what is open", "path", path)
	return nil
}

// settled makes sure that what was committed can be found again, and tries until it can.
func (r *run) settled(ctx context.Context) error {
	since := time.Now()
	for said := false; r.db.astray(); said = true {
		err := r.db.comeHome(ctx)
		if err == nil {
			break
		}
		if errors.Is(err, errReplaced) {
			return err
		}
		r.db.state.failed(err)
		if !said {
			r.db.log.ErrorContext(ctx, "removed database file could not be written again, it is tried until it can", "error", err)
		}
		if ctx.Err() != nil && time.Since(since) > flushGrace {
			return err
		}
		r.pause(ctx)
	}
	return nil
}
