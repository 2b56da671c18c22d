package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mattn/go-sqlite3"
)

// inspectTime bounds the check of a large file.
const inspectTime = 4 * time.Second

// Inspection is what can be told of a database at a glance. That commits are durable (synchronous=FULL, write-ahead log) was
// verified when it was opened.
type Inspection struct {
	SQLite  string // version of the library
	Bytes   int64  // size of the file
	Reserve bool   // the reserve file is there
	Fault   string // of the first damage that was found, "" for none
	Whole   bool   // the whole file was checked in the time that there was
}

// String is the good end of an inspection in words.
func (i Inspection) String() string {
	sound := "is sound"
	if !i.Whole {
		sound = fmt.Sprintf("is too large to be checked in %s", inspectTime)
	}
	return fmt.Sprintf("%s (%d KiB), commits are durable (synchronous=FULL), SQLite %s", sound, i.Bytes>>10, i.SQLite)
}

// Inspect reads the whole file, for at most four seconds, and looks for damage. It changes nothing.
func (db *DB) Inspect(ctx context.Context) (Inspection, error) {
	bounded, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	i := Inspection{}
	i.SQLite, _, _ = sqlite3.Version()
	info, err := os.Stat(db.opts.Path)
	if err != nil {
		return i, fmt.Errorf("database: %w", err)
	}
	i.Bytes = info.Size()
	if _, err := os.Stat(db.reservePath()); err == nil {
		i.Reserve = true
	}
	var verdict string
	err = db.reader.QueryRowContext(bounded, "PRAGMA quick_check(1)").Scan(&verdict)
	switch {
	case err == nil && verdict != "ok":
		i.Fault = verdict
	case classify(err) == faultCorrupt:
		i.Fault = err.Error()
	case err != nil && bounded.Err() != nil && ctx.Err() == nil:
		return i, nil // there was no time for all of it
	case err != nil:
		return i, errors.Join(fmt.Errorf("database: check: %w", err), ctx.Err())
	}
	i.Whole = true
	return i, nil
}
