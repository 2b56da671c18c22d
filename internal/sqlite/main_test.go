package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

// TestMain lets the test binary be its own child: a daemon that is killed, or a process with a disk of its own.
func TestMain(m *testing.M) {
	if role := os.Getenv("SQLITE_TEST_ROLE"); role != "" {
		runRole(role)
		return
	}
	goleak.VerifyTestMain(m)
}

var schemaT = []string{`CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT NOT NULL UNIQUE, pad BLOB)`}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func open(t testing.TB, o Options) *DB {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "data", "test.db")
	}
	if o.Logger == nil {
		o.Logger = quiet()
	}
	db, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(context.Background(), "t", schemaT); err != nil {
		t.Fatal(err)
	}
	return db
}

// start runs the writer and returns what stops it and closes the database.
func start(t testing.TB, db *DB) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx) }()
	var once atomic.Bool
	stop = func() {
		if once.Swap(true) {
			return
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func insert(v string) func(*sql.Tx) error { return insertPadded(v, 0) }

func insertPadded(v string, pad int) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `INSERT INTO t (v, pad) VALUES (?, ?)`, v, make([]byte, pad))
		return err
	}
}

func values(t testing.TB, db *DB) []string {
	t.Helper()
	rows, err := db.Reader().QueryContext(context.Background(), `SELECT v FROM t ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func mustDo(t testing.TB, db *DB, apply func(*sql.Tx) error) {
	t.Helper()
	if err := db.Do(context.Background(), apply); err != nil {
		t.Fatal(err)
	}
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}
