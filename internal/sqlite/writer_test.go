package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOrderAndGroups(t *testing.T) {
	db := open(t, Options{})
	const n = 5000
	var done []int
	var all sync.WaitGroup
	all.Add(n)
	for i := range n {
		db.Submit(insert(strconv.Itoa(i)), func(err error) {
			if err != nil {
				t.Error(err)
			}
			done = append(done, i)
			all.Done()
		})
	}
	start(t, db)
	all.Wait()
	if len(done) != n || !slices.IsSorted(done) {
		t.Error("callbacks are not in order of submission")
	}
	rows := values(t, db)
	for i, v := range rows {
		if v != strconv.Itoa(i) {
			t.Fatalf("row %d is %s", i, v)
		}
	}
	if s := db.Stats(); len(rows) != n || s.Commits != n/maxBatch || s.Operations != n {
		t.Errorf("%d rows, %d commits of %d operations, want %d in groups of %d", len(rows), s.Commits, s.Operations, n, maxBatch)
	}
}

func TestFailingOperationHurtsNobody(t *testing.T) {
	db := open(t, Options{})
	boom := errors.New("boom")
	errs := make([]error, 5)
	var all sync.WaitGroup
	submit := func(i int, apply func(*sql.Tx) error) {
		all.Add(1)
		db.Submit(apply, func(err error) { errs[i] = err; all.Done() })
	}
	submit(0, insert("a"))
	submit(1, func(tx *sql.Tx) error { return errors.Join(insert("half")(tx), boom) })
	submit(2, insert("b"))
	submit(3, insert("a")) // breaks UNIQUE
	submit(4, insert("c"))
	start(t, db)
	all.Wait()
	for i, want := range []bool{true, false, true, false, true} {
		if (errs[i] == nil) != want {
			t.Errorf("operation %d: %v", i, errs[i])
		}
	}
	if !errors.Is(errs[1], boom) {
		t.Errorf("got %v, want the operation's own error", errs[1])
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, values(t, db)); diff != "" {
		t.Error(diff)
	}
}

// A deferred constraint shows only at COMMIT, which then takes the whole group with it.
func TestDeferredConstraintIsFoundOut(t *testing.T) {
	db := open(t, Options{})
	if err := db.Migrate(context.Background(), "fk", []string{
		`CREATE TABLE child (t INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)`,
	}); err != nil {
		t.Fatal(err)
	}
	var bad error
	var all sync.WaitGroup
	all.Add(3)
	db.Submit(insert("a"), func(error) { all.Done() })
	db.Submit(func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `INSERT INTO child (t) VALUES (99)`)
		return err
	}, func(err error) { bad = err; all.Done() })
	db.Submit(insert("b"), func(error) { all.Done() })
	start(t, db)
	all.Wait()
	if bad == nil {
		t.Error("the broken constraint was accepted")
	}
	if diff := cmp.Diff([]string{"a", "b"}, values(t, db)); diff != "" {
		t.Error(diff)
	}
}

func TestAheadGoesFirst(t *testing.T) {
	db := open(t, Options{})
	var all sync.WaitGroup
	all.Add(4)
	done := func(error) { all.Done() }
	db.Submit(insert("plain 1"), done)
	db.Submit(insert("plain 2"), done)
	db.SubmitAhead(insert("ahead 1"), done)
	db.SubmitAhead(insert("ahead 2"), done)
	start(t, db)
	all.Wait()
	if diff := cmp.Diff([]string{"ahead 1", "ahead 2", "plain 1", "plain 2"}, values(t, db)); diff != "" {
		t.Error(diff)
	}
}

func TestEndCommitsWhatWaits(t *testing.T) {
	db := open(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	result := errors.New("not called")
	db.SubmitSized(100, insert("last"), func(err error) { result = err })
	if s := db.Stats(); s.Queued != 1 || s.QueuedBytes != 100 {
		t.Errorf("queue of %d operations and %d bytes, want 1 and 100", s.Queued, s.QueuedBytes)
	}
	if err := db.Run(ctx); err != nil || result != nil {
		t.Fatalf("run %v, operation %v", err, result)
	}
	if diff := cmp.Diff([]string{"last"}, values(t, db)); diff != "" {
		t.Error(diff)
	}
	if err := db.Do(context.Background(), insert("late")); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v, want ErrClosed", err)
	}
	if s := db.Stats(); s.QueuedBytes != 0 {
		t.Errorf("%d bytes still counted", s.QueuedBytes)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDoEndsWithItsContext(t *testing.T) {
	db := open(t, Options{}) // nothing runs
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := db.Do(ctx, insert("x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := db.Healthy(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("healthy without a writer: %v", err)
	}
	start(t, db)
	if err := db.Healthy(context.Background()); err != nil {
		t.Error(err)
	}
}

// The bound of the file holds operations back, in order, until something is deleted ahead of them.
func TestQuotaHoldsBackAndLetsGo(t *testing.T) {
	db := open(t, Options{MaxSize: 1 << 20})
	told := make(chan struct{}, 1000)
	db.OnFull(func() { told <- struct{}{} })
	start(t, db)
	var done []int
	var all sync.WaitGroup
	const n = 40
	all.Add(n)
	for i := range n {
		db.Submit(insertPadded(strconv.Itoa(i), 60<<10), func(err error) {
			if err != nil {
				t.Error(err)
			}
			done = append(done, i)
			all.Done()
		})
	}
	<-told
	if err := db.Stats().LastError; classify(err) != faultFull {
		t.Errorf("stats say %v, want the full file", err)
	}
	if size := fileSize(db.Path()); size > 1<<20 {
		t.Errorf("file has %d bytes, bound is 1 MiB", size)
	}
	for range n {
		if err := db.DoAhead(context.Background(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(context.Background(), `DELETE FROM t WHERE id = (SELECT min(id) FROM t)`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	if len(done) != n || !slices.IsSorted(done) {
		t.Errorf("done in order %v", done)
	}
	if s := db.Stats(); s.LastError != nil || s.Queued != 0 {
		t.Errorf("after recovery %+v", s)
	}
}

// When nothing is left that could be deleted, the writer waits: it neither spins nor says each time that it can write again.
func TestFullFileIsSaidOnce(t *testing.T) {
	var log bytes.Buffer
	db := open(t, Options{MaxSize: 1 << 20, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	var asked atomic.Int64
	db.OnFull(func() {
		asked.Add(1)
		db.SubmitAhead(func(*sql.Tx) error { return nil }, nil)
	})
	stop := start(t, db)
	for i := range 10 {
		mustDo(t, db, insertPadded(strconv.Itoa(i), 60<<10))
	}
	written := make(chan error, 1)
	db.Submit(insertPadded("too much", 700<<10), func(err error) { written <- err })
	for db.Stats().Failures < 5 { // by now the pauses are long
		runtime.Gosched()
	}
	if err := db.Stats().LastError; classify(err) != faultFull {
		t.Errorf("stats say %v, want the full file", err)
	}
	if n := asked.Load(); n < 1 || n > 2 {
		t.Errorf("asked %d times for room", n)
	}
	if err := db.DoAhead(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `DELETE FROM t`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
	stop()
	for _, sentence := range []string{"database is full", "database write failed", "database can be written again"} {
		if n := strings.Count(log.String(), sentence); n != 1 {
			t.Errorf("%q stands %d times in the log:\n%s", sentence, n, log.String())
		}
	}
}

// What is given up for want of room holds nobody up, and what is tried until it succeeds stays in its order.
func TestNoRoomGivesUp(t *testing.T) {
	db := open(t, Options{MaxSize: 1 << 20})
	var asked []string
	db.OnFull(func() { asked = append(asked, "on") })
	db.BeforeFull(func() { asked = append(asked, "before") })
	stop := start(t, db)
	results := make(chan string, 3)
	tell := func(who string) func(error) {
		return func(err error) { results <- fmt.Sprint(who, " ", err) }
	}
	db.Submit(insert("first"), tell("first"))
	db.SubmitIfRoom(insertPadded("too much", 2<<20), tell("too much"))
	db.Submit(insert("behind"), tell("behind"))
	var got []string
	for range 3 {
		got = append(got, <-results)
	}
	if diff := cmp.Diff([]string{"first <nil>", "too much " + ErrNoRoom.Error(), "behind <nil>"}, got); diff != "" {
		t.Error(diff)
	}
	mustDo(t, db, insert("now there is room"))
	if s := db.Stats(); s.LastError != nil || s.Queued != 0 || s.QueuedBytes != 0 {
		t.Errorf("after it %+v", s)
	}
	stop()
	if diff := cmp.Diff([]string{"before", "on"}, asked); diff != "" {
		t.Error(diff)
	}
}

// While the head of the queue waits for room, what comes to be given up is given up at once, and only that.
func TestNoRoomBehindWhatWaits(t *testing.T) {
	db := open(t, Options{MaxSize: 1 << 20})
	start(t, db)
	for i := range 10 {
		mustDo(t, db, insertPadded(strconv.Itoa(i), 60<<10))
	}
	written := make(chan error, 1)
	db.Submit(insertPadded("waits", 700<<10), func(err error) { written <- err })
	for db.Stats().Failures < 6 { // by now the pauses are long
		runtime.Gosched()
	}
	begin := time.Now()
	if err := db.DoIfRoom(context.Background(), insert("small")); !errors.Is(err, ErrNoRoom) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begin); took > 300*time.Millisecond {
		t.Errorf("given up after %s", took)
	}
	select {
	case err := <-written:
		t.Errorf("what waits for room was given up: %v", err)
	default:
	}
	if n := db.Stats().Queued; n != 1 {
		t.Errorf("%d operations wait, want 1", n)
	}
	if err := db.DoAhead(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `DELETE FROM t`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

// Room that the owners of tables make is used: nothing is given up that fits then.
func TestNoRoomAsksFirst(t *testing.T) {
	db := open(t, Options{MaxSize: 1 << 20})
	db.OnFull(func() {
		db.SubmitAhead(func(tx *sql.Tx) error {
			_, err := tx.ExecContext(context.Background(), `DELETE FROM t`)
			return err
		}, nil)
	})
	start(t, db)
	for i := range 10 {
		mustDo(t, db, insertPadded(strconv.Itoa(i), 60<<10))
	}
	if err := db.DoIfRoom(context.Background(), insertPadded("fits now", 700<<10)); err != nil {
		t.Error(err)
	}
}

// A write that fails with an I/O error is written again on a fresh handle, and not acknowledged before. The limit that makes the
// error holds for a whole process, so that it is another one.
func TestIOErrorIsRetriedOnAFreshHandle(t *testing.T) {
	out, err := child("limit", t.TempDir()).Output()
	if err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Fatalf("%v: %s", err, out)
	}
}

func roleLimit(dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	db := openChild(dir, 1<<20)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx) }()
	if err := db.Do(ctx, insert("before")); err != nil {
		fail("before: %v", err)
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		fail("%v", err)
	}
	limit := syscall.Rlimit{Cur: uint64(fileSize(db.Path() + "-wal")), Max: old.Max} // EFBIG, which SQLite reports as SQLITE_IOERR
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		fail("%v", err)
	}
	result := make(chan error, 1)
	db.Submit(insertPadded("during", 64<<10), func(err error) { result <- err })
	for db.Stats().Failures < 2 {
		select {
		case err := <-result:
			fail("acknowledged while the disk fails: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	if err := db.Stats().LastError; classify(err) != faultBroken {
		fail("failed with %v, want an I/O error", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		fail("%v", err)
	}
	if err := <-result; err != nil {
		fail("after it: %v", err)
	}
	var n int
	if err := db.Reader().QueryRowContext(ctx, `SELECT count(*) FROM t WHERE v IN ('before', 'during')`).Scan(&n); err != nil || n != 2 {
		fail("%d rows, %v", n, err)
	}
	cancel()
	if err := errors.Join(<-ended, db.Close()); err != nil {
		fail("end: %v", err)
	}
	fmt.Println("ok")
}

func TestTidyCutsTheLog(t *testing.T) {
	db := open(t, Options{})
	start(t, db)
	for i := range 200 {
		mustDo(t, db, insertPadded(fmt.Sprint(i), 4096))
	}
	if fileSize(db.Path()+"-wal") == 0 {
		t.Fatal("no log although rows were written")
	}
	db.tidy(context.Background())
	if size := fileSize(db.Path() + "-wal"); size != 0 {
		t.Errorf("log has %d bytes after tidying up", size)
	}
}

func TestShrinkGivesSpaceBack(t *testing.T) {
	db := open(t, Options{})
	start(t, db)
	for i := range 40 {
		mustDo(t, db, insertPadded(fmt.Sprint(i), 1<<20))
	}
	mustDo(t, db, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `DELETE FROM t`)
		return err
	})
	db.writing.Lock()
	defer db.writing.Unlock()
	if err := errors.Join(db.truncateLog(), db.shrink(), db.truncateLog()); err != nil {
		t.Fatal(err)
	}
	if size := fileSize(db.Path()); size > 16<<20 {
		t.Errorf("file has %d bytes after everything was deleted", size)
	}
}
