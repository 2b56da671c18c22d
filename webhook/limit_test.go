package webhook

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/internal/baddisk"
	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// fillQueue stores n events of 600 bytes that wait, five of each call.
func fillQueue(t testing.TB, db *sqlite.DB, n int) {
	t.Helper()
	if err := db.Prepare(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `INSERT INTO webhook_outbox (receiver, lead, event_id, kind, key, body, at, newest, weight, ttl)
			WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			SELECT 1, 1, 'e' || i, 'cdr', 'call' || (i / 5), ?, 0, 0, ?, 0 FROM n`, n-1, benchBody, Never)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(context.Background(), `INSERT INTO webhook_counts (receiver, kind, weight, pending) VALUES (1, 'cdr', ?, ?)`, Never, n)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// rawDrain is the limit: so many workers that take rows from SQLite, post each, and delete what was taken, a hundred to a durable commit, with no thought
// of order, failure or a crash. It returns events a second.
func rawDrain(t testing.TB, path, url string, workers, n int) float64 {
	t.Helper()
	db, err := sqlite.Open(context.Background(), sqlite.Options{Path: path, MaxSize: 4 << 30, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers, MaxConnsPerHost: workers}}
	defer client.CloseIdleConnections()
	stop := background(t, db.Run)
	rows, began := make(chan item, 1000), time.Now()
	var taking sync.WaitGroup
	for range workers {
		taking.Go(func() { rawWorker(t, db, client, url, rows) })
	}
	s := store{db: db.Reader(), receiver: defaultID}
	for last, sent := int64(0), 0; sent < n; {
		items, _, err := s.after(context.Background(), last)
		if err != nil || len(items) == 0 {
			t.Errorf("%d rows, %v", len(items), err)
			break
		}
		for _, it := range items[:min(len(items), n-sent)] {
			rows <- it
			last = it.id
		}
		sent += len(items)
	}
	close(rows)
	taking.Wait()
	took := time.Since(began)
	stop()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	return float64(n) / took.Seconds()
}

func rawWorker(t testing.TB, db *sqlite.DB, client *http.Client, url string, rows <-chan item) {
	for it := range rows {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader(it.body))
		if err != nil {
			t.Error(err)
			return
		}
		res, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		_ = res.Body.Close()
		if err := db.Do(context.Background(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(context.Background(), `DELETE FROM webhook_outbox WHERE id = ?`, it.id)
			return err
		}); err != nil {
			t.Error(err)
		}
	}
}

// TestLongQueue opens a file with a long queue in a process of its own: the first request comes within a second, memory and the file stay within
// their bounds, and it is sent at no less than half of the limit that is measured beside it.
func TestLongQueue(t *testing.T) {
	n, measured := baddisk.Rounds(50_000, 1_000_000), baddisk.Rounds(10_000, 100_000)
	c := &counter{}
	first := make(chan time.Time, 1)
	var once sync.Once
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		once.Do(func() { first <- time.Now() })
		c.ServeHTTP(w, req)
	}))
	t.Cleanup(srv.Close)
	fill := func(dir string, n int) string {
		r := newRig(t, rigOptions{path: filepath.Join(dir, "test.db"), maxSize: 4 << 30})
		fillQueue(t, r.db, n)
		r.close()
		return r.path
	}
	dir := t.TempDir()
	path := fill(dir, n)
	began := time.Now()
	child := startRun(t, dir, srv.URL, "WEBHOOK_TEST_IDLE=1", "WEBHOOK_TEST_MAXSIZE="+strconv.Itoa(4<<30))
	start := (<-first).Sub(began)
	for c.n.Load() < int64(measured) {
		time.Sleep(time.Millisecond)
	}
	took := time.Since(began) - start
	memory := peakMemory(t, child.Process.Pid)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed
	rate, raw := float64(measured)/took.Seconds(), rawDrain(t, fill(t.TempDir(), measured), srv.URL, killConcurrency, measured)
	t.Logf("%d events on disk: first request after %s, %.1f MB of memory, file of %d MB; %.0f events/s, raw limit %.0f/s, ratio %.2f, all %d acknowledged",
		n, start.Round(time.Millisecond), float64(memory)/(1<<20), info.Size()>>20, rate, raw, rate/raw, measured)
	if memory > memoryFactor*60<<20 || info.Size() > 4<<30 {
		t.Error("out of bounds")
	}
	if baddisk.Rounds(0, 1) == 1 && (start > time.Second || rate < raw/2) {
		t.Error("too slow")
	}
}

// peakMemory is the most that a process has had in memory, in bytes.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// TestKilledOften kills the daemon every few seconds while it stores and sends, and three of ten answers are failures. Nothing may be lost, nothing
// come out of its order, and what comes twice comes under the same id.
func TestKilledOften(t *testing.T) {
	wanted := baddisk.Rounds(4_000, 100_000)
	rec := newReceiver(failing(30))
	url := slowly(t, rec)
	dir := t.TempDir()
	var acked []string
	kills := 0
	for ; len(acked) < wanted; kills++ {
		acked = append(acked, endedRun(t, dir, url, syscall.SIGKILL, "WEBHOOK_TEST_HASTY=1")...)
	}
	rec.setRule(nil)
	survived(t, kills, "kills with 30 % failures", dir, url, rec, acked)
}

// BenchmarkCommit stores 1, 10 and 100 events at once, beside a plain transaction of as many rows.
func BenchmarkCommit(b *testing.B) {
	for _, at := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("at_once=%d", at), func(b *testing.B) {
			const commits = 200
			var took, rawTook time.Duration
			r, next := newRig(b, rigOptions{}), 0
			for range b.N {
				began := time.Now()
				for range commits {
					batch := make([]Event, at)
					for i := range batch {
						next++
						batch[i] = Event{ID: fmt.Sprint("p", next), Kind: "cdr", Key: fmt.Sprint(next / 5), Body: benchBody}
					}
					r.put(batch...)
				}
				took += time.Since(began)
				rawTook += rawCommits(b, commits, at)
			}
			n := float64(b.N * commits * at)
			ours, raw := n/took.Seconds(), n/rawTook.Seconds()
			b.ReportMetric(ours, "events/s")
			b.ReportMetric(raw, "raw/s")
			b.ReportMetric(ours/raw, "ratio")
		})
	}
}

// rawCommits is the limit of storing: a table with one index, and durable transactions.
func rawCommits(b *testing.B, commits, rows int) time.Duration {
	b.Helper()
	db, err := sqlite.Open(context.Background(), sqlite.Options{Path: filepath.Join(b.TempDir(), "raw.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }() // nothing depends on it
	ctx := context.Background()
	apply := func(f func(*sql.Tx) error) {
		if err := db.Prepare(ctx, f); err != nil {
			b.Fatal(err)
		}
	}
	apply(execAll(`CREATE TABLE raw (id INTEGER PRIMARY KEY, event TEXT NOT NULL UNIQUE, body BLOB NOT NULL)`))
	began := time.Now()
	for i := range commits {
		apply(func(tx *sql.Tx) error {
			for j := range rows {
				if _, err := tx.ExecContext(ctx, `INSERT INTO raw (event, body) VALUES (?, ?)`, fmt.Sprint("p", i*rows+j), benchBody); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return time.Since(began)
}
