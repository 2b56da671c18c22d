package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	firstBackoff = 20 * time.Millisecond
	lastBackoff  = 5 * time.Second
	reserveEvery = 30 * time.Second
	flushGrace   = 5 * time.Second // how long Run fights a failing disk after its context has ended
	askEvery     = time.Second     // how often at most the owners of tables are asked to make room
)

// Submit queues a write and returns at once. Operations are applied and acknowledged in the order of submission. done may be
// nil; it is called once, on the writer's goroutine, after the commit is durable or apply has failed, and must
// neither block nor call Do. apply must use only the transaction it is given, with a context that is never cancelled, and must not commit it; it may be called
// several times, because a transaction that the disk refused is written again. A tool (see [Options]) commits before Submit returns.
func (db *DB) Submit(apply func(*sql.Tx) error, done func(error)) {
	db.submit(operation{apply: apply, done: done})
}

// SubmitSized is Submit with the number of bytes that the operation holds in memory while it waits; see
// [Stats.QueuedBytes].
func (db *DB) SubmitSized(bytes int64, apply func(*sql.Tx) error, done func(error)) {
	db.submit(operation{apply: apply, done: done, bytes: bytes})
}

// SubmitAhead queues a write before all that came through Submit, in order among its own kind. It is for what must go through
// while a full disk holds Submit's operations back: deletions, and marks on rows that are committed already.
func (db *DB) SubmitAhead(apply func(*sql.Tx) error, done func(error)) {
	db.submit(operation{apply: apply, done: done, ahead: true})
}

// SubmitIfRoom is Submit for a write that somebody waits for and can ask for again: while the file or the disk is full it is given
// up with [ErrNoRoom], once the owners of tables were asked to make room and that was not enough. Others do not wait behind it then.
func (db *DB) SubmitIfRoom(apply func(*sql.Tx) error, done func(error)) {
	db.submit(operation{apply: apply, done: done, yield: true})
}

func (db *DB) submit(op operation) {
	if db.opts.Tool {
		db.runAlone(op)
		return
	}
	if !db.queue.add(op) && op.done != nil {
		db.late.Go(func() { op.done(ErrClosed) })
	}
}

// runAlone commits one operation of a tool, which has no writer goroutine. The daemon's commits are short, and busy_timeout
// waits for them.
func (db *DB) runAlone(op operation) {
	batch := []operation{op}
	_, err := db.write(batch)
	if err == nil {
		err = batch[0].err
	}
	if op.done != nil {
		op.done(err)
	}
}

// Do submits apply and waits for the durable commit. When ctx ends first its error is returned and the outcome is unknown.
func (db *DB) Do(ctx context.Context, apply func(*sql.Tx) error) error {
	return db.wait(ctx, apply, db.Submit)
}

// DoAhead is Do by way of SubmitAhead.
func (db *DB) DoAhead(ctx context.Context, apply func(*sql.Tx) error) error {
	return db.wait(ctx, apply, db.SubmitAhead)
}

// DoIfRoom is Do by way of SubmitIfRoom.
func (db *DB) DoIfRoom(ctx context.Context, apply func(*sql.Tx) error) error {
	return db.wait(ctx, apply, db.SubmitIfRoom)
}

func (db *DB) wait(ctx context.Context, apply func(*sql.Tx) error, submit func(func(*sql.Tx) error, func(error))) error {
	result := make(chan error, 1)
	submit(apply, func(err error) { result <- err })
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// BeforeFull is OnFull for what is less worth than all that OnFull's owners have: it is asked before them.
func (db *DB) BeforeFull(f func()) { db.onFull = slices.Insert(db.onFull, 0, f) }

// OnFull registers what is called, on the writer's goroutine, when a write has failed for want of space, and again every
// second while it does. It must not block; it submits deletions with SubmitAhead. Call it before Run.
func (db *DB) OnFull(f func()) { db.onFull = append(db.onFull, f) }

// Run writes what is submitted until ctx ends, then commits what is still queued and returns nil. It returns ErrCorrupt when
// the file is damaged, and an error when the disk refuses the last operations; those get that error too.
func (db *DB) Run(ctx context.Context) error {
	db.ran.Store(true)
	db.forgetOld()
	r := run{db: db, limit: maxBatch}
	defer db.queue.end()
	for {
		if db.queue.isBroken() {
			return db.abandon(ErrCorrupt)
		}
		batch := db.queue.peek(r.limit)
		if len(batch) == 0 {
			if ctx.Err() != nil && db.queue.endIfEmpty() {
				return nil
			}
			r.idle(ctx)
			continue
		}
		if err := r.round(ctx, batch); err != nil {
			return db.abandon(err)
		}
	}
}

// run is the state of the writer's loop.
type run struct {
	db      *DB
	limit   int
	backoff time.Duration
	dirty   bool      // the log holds commits that are not in the file
	failing time.Time // since when nothing could be written
	full    int       // how often in a row there was no room
	asked   time.Time // when the owners of tables were last asked to make room
	reserve time.Time // when the reserve was last seen to
	cut     logCut
}

// round writes one batch and settles what was committed of it.
func (r *run) round(ctx context.Context, batch []operation) error {
	start := time.Now()
	n, err := r.db.write(batch)
	if n > 0 {
		if lost := r.settled(ctx); lost != nil {
			return lost
		}
	}
	relief := !r.failing.IsZero() && r.db.queue.isRelief(batch[:n])
	if n > 0 {
		r.dirty = true
		r.db.state.committed(n, time.Since(start), relief)
		r.db.queue.settle(batch, n)
		for i := range batch[:n] {
			if batch[i].done != nil {
				batch[i].done(batch[i].err)
			}
		}
	}
	if err != nil {
		return r.recover(ctx, err, len(batch)-n)
	}
	if relief {
		return nil // whether it made room is told by the write that failed
	}
	if !r.failing.IsZero() {
		r.db.log.InfoContext(ctx, "database can be written again", "failed_for", time.Since(r.failing).Round(time.Millisecond).String())
	}
	r.backoff, r.limit, r.failing, r.full = 0, min(2*r.limit, maxBatch), time.Time{}, 0
	r.boundLog(ctx)
	if time.Since(r.reserve) > reserveEvery {
		r.reserve = time.Now()
		r.db.restoreReserve()
	}
	return nil
}

// recover does what the failure of so many operations calls for, and waits before the next try.
func (r *run) recover(ctx context.Context, err error, left int) error {
	db := r.db
	first := r.failing.IsZero()
	if first {
		r.failing = time.Now()
	}
	db.state.failed(err)
	switch classify(err) {
	case faultCorrupt:
		db.suspect(err)
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case faultFull:
		r.limit = max(left/2, 1) // what does not fit together may fit in pieces
		db.relieve(first)
		r.ask()
		r.full++
		r.giveUp()
	case faultBroken:
		db.reconnect(ctx)
	case faultNone:
		if r.limit == 1 {
			db.reconnect(ctx)
		}
		r.limit = 1 // find the operation that breaks the transaction by itself
	case faultBusy:
	}
	if first {
		db.log.ErrorContext(ctx, "database write failed, it is tried again until it succeeds", "error", err)
	}
	if ctx.Err() != nil && time.Since(r.failing) > flushGrace {
		return fmt.Errorf("database: given up at the end: %w", err)
	}
	r.pause(ctx)
	return nil
}

// giveUp answers the operations that are not tried again, when room was asked for and there is none still.
func (r *run) giveUp() {
	if r.full < 2 {
		return
	}
	for _, op := range r.db.queue.giveUp() {
		if op.done != nil {
			op.done(ErrNoRoom)
		}
	}
}

// pause waits for the back-off. An operation that goes ahead cuts it short: it may be the one that makes room.
func (r *run) pause(ctx context.Context) {
	r.backoff = min(max(2*r.backoff, firstBackoff), lastBackoff)
	if ctx.Err() != nil {
		r.backoff = firstBackoff
		ctx = context.WithoutCancel(ctx)
	}
	deadline := time.Now().Add(r.backoff)
	for {
		woken := r.db.queue.wait(ctx, time.Until(deadline))
		r.giveUp()
		if !woken || ctx.Err() != nil || r.db.queue.hasAhead() || r.db.queue.isBroken() {
			return
		}
	}
}

// idle waits for work; when none comes for a while, it tidies up.
func (r *run) idle(ctx context.Context) {
	if r.db.queue.wait(ctx, idleAfter) || !r.dirty {
		return
	}
	r.dirty = false
	r.db.tidy(ctx)
}

// tidy folds the log into the file, gives free pages back to the disk and sees to the reserve.
func (db *DB) tidy(ctx context.Context) {
	db.writing.Lock()
	var err error
	if db.writer != nil {
		if err = db.truncateLog(); err == nil {
			err = db.shrink()
		}
	}
	db.writing.Unlock()
	if err != nil {
		db.log.WarnContext(ctx, "database could not be tidied up", "error", err)
	}
	db.restoreReserve()
}

// abandon gives err to everything that still waits.
func (db *DB) abandon(err error) error {
	db.queue.end()
	for batch := db.queue.peek(maxBatch); len(batch) > 0; batch = db.queue.peek(maxBatch) {
		db.queue.settle(batch, len(batch))
		for _, op := range batch {
			if op.done != nil {
				op.done(err)
			}
		}
	}
	return err
}

// write commits the longest part of the batch, from its beginning, that the storage takes. It returns how many operations
// are settled: committed, or failed by themselves (their err is set). err is the failure of the storage that ended it.
func (db *DB) write(batch []operation) (int, error) {
	db.writing.Lock()
	defer db.writing.Unlock()
	n, err := db.transact(batch)
	if err == nil {
		return len(batch), nil
	}
	if n == 0 {
		return 0, err
	}
	// SQLite has undone the whole transaction, so what came before the failure is written again without it.
	if again, second := db.transact(batch[:n]); second != nil {
		return 0, errors.Join(err, fmt.Errorf("and the first %d of %d: %w", again, n, second))
	}
	return n, err
}

// transact commits all of the batch or nothing; in case of a failure it returns how many operations came before it.
func (db *DB) transact(batch []operation) (int, error) {
	if db.writer == nil {
		return 0, fmt.Errorf("database: no handle: %w", sql.ErrConnDone)
	}
	ctx := context.Background() // a commit is never broken off half-way
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("database: begin: %w", err)
	}
	for i := range batch {
		batch[i].err = nil
		if err := applyOne(ctx, tx, &batch[i]); err != nil {
			return i, errors.Join(err, ignoreDone(tx.Rollback()))
		}
	}
	err = tx.Commit()
	if err != nil && len(batch) == 1 && classify(err) == faultNone {
		batch[0].err = fmt.Errorf("database: commit: %w", err) // a deferred constraint: the operation's own fault
		return 1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("database: commit: %w", err)
	}
	return len(batch), nil
}

// ignoreDone drops the error of rolling back a transaction that SQLite has rolled back by itself.
func ignoreDone(err error) error {
	if classify(err) == faultNone {
		return nil
	}
	return err
}

// applyOne returns only a failure of the storage; the operation's own goes into op.err.
func applyOne(ctx context.Context, tx *sql.Tx, op *operation) error {
	if _, err := tx.ExecContext(ctx, "SAVEPOINT op"); err != nil {
		return fmt.Errorf("database: savepoint: %w", err)
	}
	op.err = op.apply(tx)
	if classify(op.err) != faultNone {
		return op.err
	}
	if op.err != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO op"); err != nil {
			return fmt.Errorf("database: undo: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, "RELEASE op"); err != nil {
		return fmt.Errorf("database: release: %w", err)
	}
	return nil
}

// reconnect opens a fresh handle after an I/O error. When that fails too, write reports it and the next round tries again.
func (db *DB) reconnect(ctx context.Context) {
	db.writing.Lock()
	defer db.writing.Unlock()
	if err := db.openWriter(context.WithoutCancel(ctx)); err != nil {
		db.state.failed(err)
	}
}

// relieve makes room on a full disk: the reserve goes, and the log is folded in.
func (db *DB) relieve(first bool) {
	db.giveUpReserve("a write failed for want of space")
	db.writing.Lock()
	if db.writer == nil {
		if err := db.openWriter(context.Background()); err != nil {
			db.state.failed(err)
		}
	}
	if db.writer != nil {
		if err := db.truncateLog(); err != nil {
			db.state.failed(err)
		}
	}
	db.writing.Unlock()
	if first {
		db.log.Error("database is full", "path", db.opts.Path, "max_size", db.opts.MaxSize)
	}
}

// ask asks the owners of tables to delete, but not again and again while nothing is left that they could delete: their answer
// goes ahead of what waits and is tried at once.
func (r *run) ask() {
	if time.Since(r.asked) < askEvery {
		return
	}
	r.asked = time.Now()
	for _, f := range r.db.onFull {
		f()
	}
}

// truncateLog folds the write-ahead log into the file and cuts it to nothing. Readers may hold it up; then it is left to
// the next time.
func (db *DB) truncateLog() error {
	var busy, log, done int
	err := db.writer.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &done)
	if err != nil && classify(err) != faultBusy {
		return fmt.Errorf("database: checkpoint: %w", err)
	}
	return nil
}

// shrink gives free pages back to the disk when they are many, one step at a time.
func (db *DB) shrink() error {
	ctx := context.Background()
	for range 64 {
		pages, free, err := pageCounts(ctx, db.writer)
		if err != nil {
			return err
		}
		if free < 2048 || free < pages/4 || len(db.queue.peek(1)) > 0 {
			return nil
		}
		if err := db.vacuumStep(ctx); err != nil {
			return err
		}
	}
	return nil
}

// vacuumStep frees 256 pages. It must be stepped to the end as a query: go-sqlite3's Exec stops after one page.
func (db *DB) vacuumStep(ctx context.Context) error {
	rows, err := db.writer.QueryContext(ctx, "PRAGMA incremental_vacuum(256)")
	if err != nil {
		return fmt.Errorf("database: vacuum: %w", err)
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}
