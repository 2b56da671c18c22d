package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/webhook"
)

// database tries an existing file and the folder of one that is still to be made. It makes none: the file of a check run
// by root would be closed to the daemon.
func (c *checkup) database(ctx context.Context) {
	path := c.cfg.Store.Path
	dir := filepath.Dir(path)
	mend := []string{
		"[store] path must name a file in a directory that the daemon's user may write:",
		"install -d -o dialbridge -g dialbridge -m 0750 " + dir,
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err == nil {
		free := int64(disk.Bavail) * disk.Bsize //nolint:gosec // a number of blocks fits
		if free < lowSpace {
			c.bad("free space", fmt.Sprintf("%d MiB are left on the disk of %s", free>>20, path), "give it at least 96 MiB, else events are not stored")
		} else {
			c.good("free space", fmt.Sprintf("%d MiB on the disk of the database, which takes up to %d MiB", free>>20, c.cfg.Store.MaxSize>>20))
		}
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := c.who.try(func() error { return writable(dir) }); err != nil {
			c.bad("database", err.Error()+" ("+c.who.whom()+")", mend...)
			return
		}
		c.good("database", path+" will be made at the first start")
		return
	}
	if err := c.who.try(func() error { return openable(path) }); err != nil {
		c.bad("database", err.Error()+" ("+c.who.whom()+")", append(mend, "chown dialbridge:dialbridge "+path+"*")...)
		return
	}
	c.opened(ctx, path, mend)
}

// damagedMend is run as root, who can read secrets that the daemon is handed by its unit; the files become the daemon's.
var damagedMend = []string{
	"systemctl stop dialbridge",
	"dialbridge recover     # keeps the damaged file aside and saves what can be read",
	"systemctl start dialbridge",
}

// opened looks into a database that is there, beside the daemon that may have it open.
func (c *checkup) opened(ctx context.Context, path string, mend []string) {
	log := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(ctx, sqlite.Options{Path: path, MaxSize: c.cfg.Store.MaxSize, Tool: true, Logger: log})
	if err != nil {
		if sqlite.Damaged(err) {
			mend = damagedMend
		}
		c.bad("database", err.Error(), mend...)
		return
	}
	found, err := db.Inspect(ctx)
	if err == nil {
		err = db.Healthy(ctx)
	}
	var version error
	if err == nil {
		settles(ctx, func() bool { // a daemon that was started a moment ago is bringing the file up to date
			_, version = webhook.NewOutbox(ctx, db, webhook.OutboxOptions{Keep: c.cfg.Store.Keep, Logger: log})
			return version == nil || sqlite.Holder(path) == 0
		})
	}
	if err = errors.Join(err, db.Close()); err != nil {
		if sqlite.Damaged(err) {
			mend = damagedMend
		}
		c.bad("database", err.Error(), mend...)
		return
	}
	switch {
	case found.Fault != "":
		c.bad("database", path+" is damaged: "+found.Fault, damagedMend...)
	case version != nil && sqlite.Holder(path) == 0:
		c.note("database", version.Error(), "start the daemon of this version, which brings the file up to date: systemctl restart dialbridge")
	case version != nil:
		c.bad("database", version.Error()+"; the daemon that runs is of another version, or starts still", startedMend)
	default:
		c.good("database", path+" can be written, "+found.String())
	}
	if !found.Reserve && sqlite.Holder(path) != 0 {
		c.note("reserve", "the reserve file beside the database is missing: it is made when four times its size (64 MiB) are free, and keeps the database usable on a full disk")
	}
}

// openable tries to open the files of a database for writing, and to make one beside it.
func openable(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		f, err := os.OpenFile(path+suffix, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return writable(filepath.Dir(path))
}

// writable makes a file in a folder and removes it.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".dialbridge-check-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
