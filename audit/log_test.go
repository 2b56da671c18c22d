package audit

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opened is a log on a file, whose database runs when run is called.
type opened struct {
	t   *testing.T
	db  *sqlite.DB
	log *Log
}

func open(t *testing.T, o sqlite.Options) *opened {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(t.Context(), Options{Store: db, Logger: o.Logger})
	if err != nil {
		t.Fatal(err)
	}
	return &opened{t: t, db: db, log: l}
}

// run runs the database, and returns what ends it in order.
func (o *opened) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.db.Run(ctx) }()
	return func() {
		o.t.Helper()
		cancel()
		o.must(<-ended)
		o.must(o.db.Close())
	}
}

func (o *opened) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *opened) list(f Filter) []Entry {
	o.t.Helper()
	list, err := o.log.List(o.t.Context(), f)
	o.must(err)
	return list
}

func (o *opened) count() (n int) {
	o.t.Helper()
	o.must(o.db.Reader().QueryRowContext(o.t.Context(), `SELECT count(*) FROM audit_entries`).Scan(&n))
	return n
}

// TestNothingIsLostAtACleanStop: what was noted up to the end is there at the next start, as it was noted.
func TestNothingIsLostAtACleanStop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	o := open(t, sqlite.Options{Path: path})
	stop := o.run()
	at := time.Now().Truncate(time.Millisecond).UTC()
	want := Entry{At: at, Who: "ann", Remote: "::1", Action: "socket dial", Params: map[string]string{"dest": "10\"'; DROP TABLE"}, Status: 200, RequestID: "r"}
	const n = 1000
	for range n {
		o.log.Note(want)
	}
	stop()
	o = open(t, sqlite.Options{Path: path})
	defer o.run()()
	list := o.list(Filter{Limit: n})
	if len(list) != n || o.log.Lost() != 0 {
		t.Fatalf("%d entries, %d lost", len(list), o.log.Lost())
	}
	want.Seq = n
	if diff := cmp.Diff(want, list[0]); diff != "" {
		t.Error(diff)
	}
}

func TestEntriesAreCut(t *testing.T) {
	o := open(t, sqlite.Options{Path: filepath.Join(t.TempDir(), "a.db")})
	stop := o.run()
	many := map[string]string{}
	for i := range 300 {
		many[fmt.Sprint("name", i)] = strings.Repeat("王", 1000)
	}
	long := strings.Repeat("x\xff", 1000)
	o.log.Note(Entry{At: time.Now(), Who: long, Action: long, RequestID: long, Params: many})
	stop()
	o = open(t, sqlite.Options{Path: o.db.Path()})
	defer o.run()()
	list := o.list(Filter{})
	if len(list) != 1 || len(list[0].Params) != mostParams || len(list[0].Who) > 3*longestText+3 {
		t.Fatalf("%d entries", len(list))
	}
	for _, value := range list[0].Params {
		if len(value) > longestText+3 || !strings.HasSuffix(value, "王…") {
			t.Errorf("%d bytes: %s", len(value), value)
		}
	}
}

// TestBounds: what is too old goes, what is too much goes, and refusals drive nothing else out.
func TestBounds(t *testing.T) {
	o := open(t, sqlite.Options{Path: filepath.Join(t.TempDir(), "a.db")})
	defer o.run()()
	now := time.Now()
	who := "x"
	fill := func(n, status int, at time.Time) {
		o.must(o.db.Do(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(context.Background(), `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
				INSERT INTO audit_entries (at, who, remote, action, params, status, request_id) SELECT ?, ?, '', '', '', ?, '' FROM n`, n, at.UnixMilli(), who, status)
			return err
		}))
	}
	pruned := func() int {
		o.must(o.db.Do(t.Context(), prune))
		return o.count()
	}
	fill(10, 200, now.Add(-MaxAge-time.Hour))
	if len(o.list(Filter{})) != 0 {
		t.Error("what is too old is told")
	}
	if n := pruned(); n != 0 {
		t.Errorf("%d entries that are too old are kept", n)
	}
	fill(5, 200, now)
	fill(mostRefused+500, 401, now)
	if n := pruned(); n != mostRefused+5 || len(o.list(Filter{Limit: 1000, Who: "x", Before: 20})) != 5 {
		t.Errorf("%d entries", n)
	}
	fill(5, 504, now) // of one who is known
	fill(mostRefused, 400, now)
	who = ""
	fill(mostRefused, 503, now)
	who = "x"
	if n := pruned(); n != mostRefused+10 || len(o.list(Filter{Limit: 1000, Who: "x"})) != 10 {
		t.Errorf("%d entries", n)
	}
	var plan string
	o.must(o.db.Reader().QueryRowContext(t.Context(), `EXPLAIN QUERY PLAN SELECT seq FROM audit_entries WHERE `+refused+` ORDER BY seq DESC LIMIT 1 OFFSET 9`).Scan(
		new(int), new(int), new(int), &plan))
	if !strings.Contains(plan, "audit_entries_refused") {
		t.Errorf("refusals are searched for by %q", plan)
	}
	fill(mostEntries, 401, now) // which takes as many numbers as there may be entries
	if n := pruned(); n != mostRefused+10 || len(o.list(Filter{Limit: 1000, Who: "x", Before: 20})) != 5 {
		t.Errorf("%d entries behind a flood of refusals", n)
	}
	o.must(o.db.Do(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO audit_entries (at, who, remote, action, params, status, taken, request_id) SELECT ?, '', '', '', '', 200, 1, '' FROM n`, mostTaken*3, now.UnixMilli())
		return err
	}))
	if n := pruned(); n != mostTaken+mostRefused+10 || len(o.list(Filter{Limit: 1000, Who: "x", Before: 20})) != 5 {
		t.Errorf("%d entries behind a flood of what was taken", n)
	}
	fill(mostEntries+10, 200, now)
	if n := pruned(); n != mostEntries {
		t.Errorf("%d entries", n)
	}
	o.log.makeRoom()
	o.must(o.db.DoAhead(t.Context(), func(*sql.Tx) error { return nil }))
	if n := o.count(); n != mostEntries*9/10 {
		t.Errorf("%d entries after room was made", n)
	}
	o.must(o.db.Do(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `DELETE FROM audit_entries WHERE seq <= (SELECT max(seq) FROM audit_entries) - ?`, leastKept)
		return err
	}))
	o.log.makeRoom()
	o.must(o.db.DoAhead(t.Context(), func(*sql.Tx) error { return nil }))
	if n := o.count(); n != leastKept {
		t.Errorf("%d entries are kept on a full disk", n)
	}
}

// TestAFloodIsNotKept: entries that the database does not take wait in a bounded number, and the rest is counted; whoever notes does not wait.
func TestAFloodIsNotKept(t *testing.T) {
	o := open(t, sqlite.Options{Path: filepath.Join(t.TempDir(), "a.db")})
	for range mostWaiting + 10 { // nobody writes yet
		o.log.Note(Entry{At: time.Now(), Action: "x"})
	}
	if o.log.Lost() != 10 {
		t.Errorf("%d lost", o.log.Lost())
	}
	defer o.run()()
	o.must(o.db.Do(t.Context(), func(*sql.Tx) error { return nil }))
	if n := o.count(); n != mostWaiting {
		t.Errorf("%d entries", n)
	}
}

// TestFullFile: entries find no room, which is counted, and the log gives up its oldest for what matters more.
func TestFullFile(t *testing.T) {
	o := open(t, sqlite.Options{Path: filepath.Join(t.TempDir(), "a.db"), MaxSize: 1 << 20})
	defer o.run()()
	text := strings.Repeat("x", longestText)
	noted := 0
	for range 40 {
		for range 500 {
			noted++
			o.log.Note(Entry{At: time.Now(), Who: text, Action: text, RequestID: text})
		}
		o.must(o.db.DoAhead(t.Context(), func(*sql.Tx) error { return nil }))
		for o.log.waiting.Load() > 0 {
			<-time.After(time.Millisecond)
		}
	}
	if n := o.count(); n < leastKept || n >= noted {
		t.Errorf("%d of %d entries are kept, %d are lost", n, noted, o.log.Lost())
	}
}
