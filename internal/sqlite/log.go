package sqlite

import (
	"context"
	"strconv"
	"time"
)

// SQLite begins its log anew only at a moment at which nobody reads from it, and readers that overlap leave none: the log would grow for as
// long as they come. So the writer, who alone adds to the log, stops adding to it now and then until all of it is in the file and those who
// still read from it have ended. Whoever comes meanwhile reads the file, not the log, and is not waited for.
const (
	cutPatience  = 50 * time.Millisecond  // for readers, when the log has reached its limit
	longPatience = 500 * time.Millisecond // when it nears twice its limit; a longer wait was seen to end in vain where a second one succeeds at once
	longTries    = 10                     // in a row; then a backup must not stop the writer
	cutAgain     = time.Second            // until the next try after one that a reader has outlasted
)

// logCut is what the writer's loop remembers of cutting the log.
type logCut struct {
	tried  time.Time
	inVain int // tries with long patience
}

// boundLog cuts the log when it has reached its limit. What is submitted meanwhile waits in memory, and nobody waits for that.
func (r *run) boundLog(ctx context.Context) {
	size := fileSize(r.db.opts.Path + "-wal")
	if size < walLimit {
		r.cut = logCut{}
		return
	}
	near := size >= 2*walLimit-walLimit/4
	if (!near || r.cut.inVain >= longTries) && time.Since(r.cut.tried) < cutAgain {
		return
	}
	patience := cutPatience
	if near {
		patience = longPatience
		r.cut.inVain++
	}
	if err := r.db.cutLog(ctx, patience); err != nil {
		r.db.log.WarnContext(ctx, "log of the database could not be cut", "error", err)
	}
	r.cut.tried = time.Now()
}

// cutLog folds the log into the file and waits so long for those who read from it.
func (db *DB) cutLog(ctx context.Context, patience time.Duration) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	if db.writer == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	if _, err := db.writer.ExecContext(ctx, "PRAGMA busy_timeout = "+strconv.FormatInt(patience.Milliseconds(), 10)); err != nil {
		return err
	}
	err := db.truncateLog()
	if _, again := db.writer.ExecContext(ctx, "PRAGMA busy_timeout = "+strconv.FormatInt(busyTimeout.Milliseconds(), 10)); err == nil {
		err = again
	}
	return err
}
