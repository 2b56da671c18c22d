package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A full disk locks SQLite in: DELETE and checkpoint must write to the log first, and a restarted process cannot even
// open the file. So a file of known size is kept beside the database, and is given up when the disk is full.

func (db *DB) reservePath() string { return db.opts.Path + ".reserve" }

// giveUpReserve removes the reserve file, if there is one, and says so.
func (db *DB) giveUpReserve(why string) {
	if db.opts.Tool {
		return
	}
	err := os.Remove(db.reservePath())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	db.state.setReserve(err != nil)
	if err != nil {
		db.log.Error("reserve file could not be removed", "path", db.reservePath(), "error", err)
		return
	}
	db.log.Error("disk is full, the reserve file was given up", "path", db.reservePath(), "reason", why)
}

// restoreReserve writes the reserve file again once the disk has four times its size free.
func (db *DB) restoreReserve() {
	if db.opts.Tool {
		return
	}
	if info, err := os.Stat(db.reservePath()); err == nil && info.Size() == db.opts.reserve {
		db.state.setReserve(true)
		return
	}
	free, err := freeSpace(filepath.Dir(db.opts.Path))
	if err != nil || free < 4*db.opts.reserve {
		db.state.setReserve(false)
		return
	}
	if err := writeReserve(db.reservePath(), db.opts.reserve); err != nil {
		_ = os.Remove(db.reservePath()) // a half-written reserve is worth nothing and takes space
		db.state.setReserve(false)
		db.log.Warn("reserve file could not be written", "path", db.reservePath(), "error", err)
		return
	}
	db.state.setReserve(true)
}

// writeReserve fills the file with data: a sparse file would hold no space.
func writeReserve(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(i*7 + i>>8)
	}
	for left := size; left > 0; {
		n, err := f.Write(block[:min(left, int64(len(block)))])
		if err != nil {
			return errors.Join(err, f.Close())
		}
		left -= int64(n)
	}
	return f.Close()
}

// freeSpace returns the bytes that an ordinary user may still write in dir's file system.
func freeSpace(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("database: free space: %w", err)
	}
	return int64(s.Bavail) * s.Bsize, nil
}

// Room returns, inside a write transaction, how many bytes can still be stored before the file reaches its bound or the
// disk its end, and the size that the data can have in all. Free pages inside the file count as room. The space of
// a reserve that has been given up does not, so that it can be made again.
func (db *DB) Room(tx *sql.Tx) (room, capacity int64, err error) {
	pages, free, err := pageCounts(context.Background(), tx)
	if err != nil {
		return 0, 0, err
	}
	room = (db.maxPages - pages + free) * pageSize
	if disk, err := freeSpace(filepath.Dir(db.opts.Path)); err == nil {
		disk -= walLimit
		if !db.state.reservePresent() {
			disk -= 4 * db.opts.reserve
		}
		room = min(room, disk+free*pageSize)
	}
	room = max(room, 0)
	return room, (pages-free)*pageSize + room, nil
}

// Tight reports, inside a write transaction, that the file is so near its bound that its last pages are needed to mark what ends: an
// update may need a page, and without one nothing could ever leave a full file. The disk is not asked.
func (db *DB) Tight(tx *sql.Tx) (bool, error) {
	pages, free, err := pageCounts(context.Background(), tx)
	return db.maxPages-pages+free < min(db.maxPages/40, tightPages), err
}

// querier is *sql.DB or *sql.Tx.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func pageCounts(ctx context.Context, q querier) (pages, free int64, err error) {
	if err := q.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
		return 0, 0, fmt.Errorf("database: page count: %w", err)
	}
	if err := q.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&free); err != nil {
		return 0, 0, fmt.Errorf("database: free pages: %w", err)
	}
	return pages, free, nil
}
