package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"
)

// Readers that overlap all the time keep SQLite's own checkpoints from ever cutting the log: there is no moment at which nobody reads from it. It
// must stay bounded all the same, and no reader may fail for it.
func TestLogIsBoundedUnderConstantReaders(t *testing.T) {
	db := open(t, Options{})
	start(t, db)
	mustDo(t, db, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `CREATE TABLE log_test (id INTEGER PRIMARY KEY, body BLOB NOT NULL); INSERT INTO log_test (body) VALUES (x'00')`)
		return err
	})
	reading, enough := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 3 { // one of them always reads
		readers.Go(func() {
			for reading.Err() == nil {
				readSlowly(t, db)
			}
		})
	}
	body := make([]byte, 100<<10)
	const rounds = 1000 // 100 MB
	largest := int64(0)
	for i := range rounds {
		for at := i % 251; at < len(body); at += 512 { // else nothing is written
			body[at]++
		}
		mustDo(t, db, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(context.Background(), `UPDATE log_test SET body = ?`, body)
			return err
		})
		largest = max(largest, db.Stats().LogBytes)
	}
	enough()
	readers.Wait()
	t.Logf("%d MB written, the log had at most %.1f MB", rounds*len(body)>>20, float64(largest)/(1<<20))
	if largest > 2*walLimit+1<<20 {
		t.Errorf("the log has grown to %d bytes, its limit is %d", largest, walLimit)
	}
}

// A reader that stays, such as a backup, is waited for once and not for ever; when it has gone the log is cut.
func TestLongReaderDoesNotStopTheWriter(t *testing.T) {
	db := open(t, Options{})
	start(t, db)
	tx, err := db.Reader().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := tx.QueryRowContext(t.Context(), `SELECT count(*) FROM t`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	round := 0
	write := func() {
		round++
		mustDo(t, db, insertPadded(fmt.Sprint(round), 100<<10))
	}
	began := time.Now()
	for range 3 * walLimit / (100 << 10) {
		write()
	}
	t.Logf("%d MB written beside a reader in %s, the log has %d MB", 3*walLimit>>20, time.Since(began), db.Stats().LogBytes>>20)
	if got := db.Stats().LogBytes; got < 2*walLimit {
		t.Errorf("the log has %d bytes: this reader holds nothing up", got)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); db.Stats().LogBytes > walLimit; write() {
		if time.Now().After(deadline) {
			t.Fatalf("the log has still %d bytes", db.Stats().LogBytes)
		}
	}
}

// readSlowly holds a snapshot of the file for some hundredths of a second of work.
func readSlowly(t *testing.T, db *DB) {
	tx, err := db.Reader().BeginTx(context.Background(), nil)
	if err != nil {
		t.Error(err)
		return
	}
	var n int
	if err := tx.QueryRowContext(context.Background(), `WITH RECURSIVE c (i) AS (SELECT id FROM log_test UNION ALL SELECT i + 1 FROM c WHERE i < 100000)
		SELECT count(*) FROM c`).Scan(&n); err != nil {
		t.Error(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}
