package sqlite

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// takeLock holds PATH.lock as long as the process lives. The file stays when the daemon ends: removing it would let two
// daemons hold locks on two files of the same name.
func (db *DB) takeLock() error {
	f, err := os.OpenFile(db.opts.Path+".lock", os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return fmt.Errorf("database: lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := make([]byte, 16)
		n, _ := f.ReadAt(holder, 0) // an unreadable process id is left out of the message
		err = lockError(err, db.opts.Path, strings.TrimSpace(string(holder[:n])))
		return errors.Join(err, f.Close())
	}
	db.lock = f
	// The process id is for the message above only, so failing to write it (a full disk) must not stop the start.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return nil
}

func lockError(err error, path, pid string) error {
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return &LockedError{Path: path, PID: pid}
	}
	return fmt.Errorf("database: lock: %w", err)
}

// unlock gives the lock back by closing the file.
func (db *DB) unlock() {
	if db.lock == nil {
		return
	}
	if err := db.lock.Close(); err != nil {
		db.log.Warn("database lock could not be closed", "error", err)
	}
	db.lock = nil
}
