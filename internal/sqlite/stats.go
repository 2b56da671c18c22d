package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Stats is a picture of the writer and its file.
type Stats struct {
	Queued       int           // operations that wait for a commit
	QueuedBytes  int64         // what SubmitSized said of them
	OldestQueued time.Duration // how long the first of them has waited
	Commits      uint64        // transactions since Open
	Operations   uint64        // operations in them
	Failures     uint64        // transactions that the storage refused
	LastCommit   time.Time     // when the last one became durable, zero before
	LastLatency  time.Duration // how long it took from its beginning
	LastError    error         // why writing fails, nil while it does not
	FailingSince time.Time     // since when, zero while it does not
	Reserve      bool          // the reserve file is there
	Recovery     Recovery      // what Open did with a damaged file
	FileBytes    int64         // size of the database file
	LogBytes     int64         // size of its write-ahead log
	FreeBytes    int64         // free space of the disk
	MaxSize      int64         // bound of the database file
}

// state is what the writer knows about itself.
type state struct {
	mu    sync.Mutex
	stats Stats
}

// committed counts a commit. One of relief only went ahead of what cannot be written: writing still fails.
func (s *state) committed(n int, took time.Duration, relief bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Commits++
	s.stats.Operations += uint64(n)
	s.stats.LastCommit = time.Now()
	s.stats.LastLatency = took
	if relief {
		return
	}
	s.stats.LastError = nil
	s.stats.FailingSince = time.Time{}
}

func (s *state) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Failures++
	s.stats.LastError = err
	if s.stats.FailingSince.IsZero() {
		s.stats.FailingSince = time.Now()
	}
}

func (s *state) setReserve(there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Reserve = there
}

func (s *state) reservePresent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.Reserve
}

func (s *state) setRecovery(r Recovery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Recovery = r
}

// Stats returns the present picture.
func (db *DB) Stats() Stats {
	db.state.mu.Lock()
	s := db.state.stats
	db.state.mu.Unlock()
	db.queue.fill(&s)
	s.MaxSize = db.opts.MaxSize
	s.FileBytes = fileSize(db.opts.Path)
	s.LogBytes = fileSize(db.opts.Path + "-wal")
	s.FreeBytes, _ = freeSpace(filepath.Dir(db.opts.Path)) // 0 when the disk does not say
	return s
}

func (q *queue) fill(s *Stats) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.Queued = len(q.ahead) + len(q.plain)
	s.QueuedBytes = q.bytes
	for _, ops := range [][]operation{q.ahead, q.plain} {
		if len(ops) > 0 {
			s.OldestQueued = max(s.OldestQueued, time.Since(ops[0].at))
		}
	}
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Healthy reports whether a tiny write becomes durable before ctx ends. A commit of the last two seconds counts as one.
func (db *DB) Healthy(ctx context.Context) error {
	if s := db.Stats(); s.LastError == nil && time.Since(s.LastCommit) < 2*time.Second {
		return nil
	}
	err := db.Do(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `INSERT INTO health (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at`,
			time.Now().UnixMilli())
		return err
	})
	if err == nil {
		return nil
	}
	if last := db.Stats().LastError; last != nil {
		return fmt.Errorf("database: not writable: %w", last)
	}
	return fmt.Errorf("database: not writable: %w", err)
}
