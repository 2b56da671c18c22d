package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"syscall"

	"github.com/mattn/go-sqlite3"
)

var (
	// ErrClosed is given to operations that were submitted after Run has ended: nothing was written.
	ErrClosed = errors.New("database: writer has ended")
	// ErrFull is for operations that leave the last room of the file to others: they are tried again, as if SQLite had said it.
	ErrFull = errors.New("database: the last room of the file is kept for what ends")
	// ErrNoRoom is given to operations of DoIfRoom while the file or the disk is full: nothing was written.
	ErrNoRoom = errors.New("database: file or disk is full, nothing was written")
	// ErrCorrupt is what Run returns when the file turns out to be damaged. The next Open checks the file in full.
	ErrCorrupt = errors.New("database: file is damaged")
)

// DamagedError says that the file is no database, or not a whole one. Nothing was changed.
type DamagedError struct {
	Path string
	Err  error
}

// Error names the file and the damage.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("database: %s is damaged: %v", e.Path, e.Err)
}

// Unwrap returns what SQLite said.
func (e *DamagedError) Unwrap() error { return e.Err }

// LockedError says that another daemon holds the database.
type LockedError struct {
	Path string // the database file
	PID  string // process id as the other daemon wrote it, "" when unknown
}

// Error names the file and the process that holds it.
func (e *LockedError) Error() string {
	if e.PID == "" {
		return fmt.Sprintf("database: %s is in use by another daemon", e.Path)
	}
	return fmt.Sprintf("database: %s is in use by another daemon (process %s)", e.Path, e.PID)
}

// fault is what an error of SQLite says about the storage beneath.
type fault uint8

const (
	faultNone    fault = iota // the operation's own failure (constraint, syntax): the storage is sound
	faultFull                 // no room: SQLITE_FULL, or SQLITE_IOERR because of ENOSPC
	faultBusy                 // another process is writing
	faultBroken               // I/O error: the handle is not to be trusted
	faultCorrupt              // the file is damaged
)

// classify tells an operation's own failure from one of the storage.
func classify(err error) fault {
	var se sqlite3.Error
	if errors.Is(err, ErrFull) {
		return faultFull
	}
	if !errors.As(err, &se) {
		if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) {
			return faultBroken
		}
		return faultNone
	}
	switch se.Code {
	case sqlite3.ErrFull:
		return faultFull
	case sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrProtocol:
		return faultBusy
	case sqlite3.ErrIoErr, sqlite3.ErrCantOpen, sqlite3.ErrReadonly, sqlite3.ErrNomem, sqlite3.ErrPerm:
		return classifyIO(se)
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return faultCorrupt
	}
	return faultNone
}

// Damaged reports whether an error says that the file is damaged, whoever has noticed it.
func Damaged(err error) bool {
	return errors.As(err, new(*DamagedError)) || errors.Is(err, ErrCorrupt) || classify(err) == faultCorrupt
}

// classifyIO finds the full disk behind an I/O error: a WAL database on a full disk fails with SQLITE_IOERR_SHMSIZE
// (4874) and not with SQLITE_FULL.
func classifyIO(se sqlite3.Error) fault {
	if se.ExtendedCode == sqlite3.ErrIoErrSHMSize || se.SystemErrno == syscall.ENOSPC || se.SystemErrno == syscall.EDQUOT {
		return faultFull
	}
	return faultBroken
}
