package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
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

// Holder returns the process id of the daemon that has the database at path, 0 when none has. It asks the kernel's list of locks,
// because trying the lock would take it from a daemon that starts at this moment. Where the list cannot be read, or does not show the
// processes of another container, it returns 0 too.
func Holder(path string) int {
	var st syscall.Stat_t
	if syscall.Stat(path+".lock", &st) != nil {
		return 0
	}
	text, _ := os.ReadFile(path + ".lock") // without it the device has to be the same
	for range 10 {
		if pid := holder(locks(), st, strings.TrimSpace(string(text))); pid != 0 {
			return pid
		}
	}
	return 0
}

// locks reads the kernel's list, "" where it cannot be read. It comes in pieces, of a page at most, and where a line goes between two of them another one is
// left out: so the pieces are as large as can be, which os.ReadFile's are not, and who finds nothing in a long list looks again.
func locks() string {
	f, err := os.Open("/proc/locks")
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	var list bytes.Buffer
	list.Grow(1 << 16)
	_, _ = list.ReadFrom(f) // what there is of it, as far as it goes
	return list.String()
}

// holder finds the process with the lock. btrfs and overlayfs tell another device by stat(2) than the kernel has in its list: there it
// is the process that has written its id into the file.
func holder(list string, st syscall.Stat_t, written string) int {
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	for line := range strings.Lines(list) { // "1: FLOCK  ADVISORY  WRITE 710 fe:01:1311 0 EOF"
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" {
			continue
		}
		if f[5] == file || f[4] == written && strings.HasSuffix(f[5], fmt.Sprintf(":%d", st.Ino)) {
			pid, _ := strconv.Atoi(f[4])
			return pid
		}
	}
	return 0
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
