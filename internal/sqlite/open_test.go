package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mattn/go-sqlite3"
)

func TestSettings(t *testing.T) {
	db := open(t, Options{MaxSize: 64 << 20})
	start(t, db)
	for name, want := range map[string]string{
		"synchronous": "2", "journal_mode": "wal", "auto_vacuum": "2", "foreign_keys": "1",
		"max_page_count": strconv.Itoa(64 << 20 / pageSize), "journal_size_limit": strconv.Itoa(walLimit),
		"busy_timeout": "5000", "page_size": strconv.Itoa(pageSize),
	} {
		var got string
		if err := db.writer.QueryRowContext(context.Background(), "PRAGMA "+name).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
	if _, err := db.Reader().ExecContext(context.Background(), `DELETE FROM t`); err == nil {
		t.Error("the reader can write")
	}
}

func TestFilesAreNotForOthers(t *testing.T) {
	db := open(t, Options{})
	start(t, db)
	for path, want := range map[string]os.FileMode{
		filepath.Dir(db.Path()): dirMode, db.Path(): fileMode, db.Path() + "-wal": fileMode,
		db.Path() + ".lock": fileMode, db.Path() + ".reserve": fileMode,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got&^want != 0 {
			t.Errorf("%s has mode %o, want at most %o", path, got, want)
		}
	}
}

func TestSecondDaemonIsRefused(t *testing.T) {
	db := open(t, Options{})
	stop := start(t, db)
	_, err := Open(context.Background(), Options{Path: db.Path(), Logger: quiet()})
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != strconv.Itoa(os.Getpid()) || !strings.Contains(err.Error(), db.Path()) {
		t.Fatalf("second daemon: %v, want a LockedError that names file and process", err)
	}
	if pid := Holder(db.Path()); pid != os.Getpid() {
		t.Errorf("held by process %d, want this one, %d", pid, os.Getpid())
	}
	stop()
	if pid := Holder(db.Path()); pid != 0 {
		t.Errorf("still held by process %d", pid)
	}
	again := open(t, Options{Path: db.Path()})
	start(t, again)
}

func TestToolWorksBesideDaemon(t *testing.T) {
	db := open(t, Options{})
	start(t, db)
	mustDo(t, db, insert("daemon"))
	tool := open(t, Options{Path: db.Path(), Tool: true})
	mustDo(t, tool, insert("tool"))
	if err := tool.Close(); err != nil {
		t.Fatal(err)
	}
	mustDo(t, db, insert("daemon again"))
	if got := strings.Join(values(t, db), ","); got != "daemon,tool,daemon again" {
		t.Errorf("rows %s", got)
	}
}

// TestStartBesideTools: a check at the moment of the start made the start fail, because the database was locked.
func TestStartBesideTools(t *testing.T) {
	for name, before := range map[string]func(path string) error{
		"new": func(path string) error {
			return errors.Join(os.RemoveAll(filepath.Dir(path)), os.Mkdir(filepath.Dir(path), dirMode))
		},
		"marked as damaged": func(path string) error { return os.WriteFile(path+".suspect", nil, fileMode) },
	} {
		path := filepath.Join(t.TempDir(), "a.db")
		for range 30 {
			if err := before(path); err != nil {
				t.Fatal(err)
			}
			stop := besideTools(t, path)
			db, err := Open(t.Context(), Options{Path: path, Logger: quiet(), reserve: pageSize})
			if err == nil {
				err = errors.Join(db.Migrate(t.Context(), "t", schemaT), db.Close())
			}
			if err != nil {
				t.Errorf("a start with a file that is %s: %v", name, err)
			}
			stop()
		}
	}
}

// besideTools opens and closes a file, as soon as there is a page in it, until stop is called.
func besideTools(t *testing.T, path string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var tools sync.WaitGroup
	for range 3 {
		tools.Go(func() {
			for ctx.Err() == nil {
				if info, err := os.Stat(path); err != nil || info.Size() == 0 {
					continue
				}
				db, err := Open(context.WithoutCancel(ctx), Options{Path: path, Tool: true, Logger: quiet()})
				if err == nil {
					err = db.Close()
				}
				if err != nil {
					t.Errorf("a tool: %v", err)
				}
			}
		})
	}
	return func() {
		cancel()
		tools.Wait()
	}
}

// TestStartWaitsForTheLogOfATool holds what is waited for; a fault of anything else is told at once.
func TestStartWaitsForTheLogOfATool(t *testing.T) {
	denied := sqlite3.Error{Code: sqlite3.ErrCantOpen, SystemErrno: syscall.EACCES}
	for _, c := range []struct {
		tool bool
		err  error
		want int
	}{
		{false, denied, 3}, {true, denied, 1},
		{false, sqlite3.Error{Code: sqlite3.ErrBusy}, 3}, {true, sqlite3.Error{Code: sqlite3.ErrBusy}, 3},
		{false, sqlite3.Error{Code: sqlite3.ErrCantOpen, SystemErrno: syscall.EISDIR}, 1}, {false, sqlite3.Error{Code: sqlite3.ErrCorrupt}, 1},
	} {
		tried := 0
		err := (&DB{opts: Options{Tool: c.tool}}).insist(t.Context(), func() error {
			if tried++; tried == 3 {
				return nil
			}
			return c.err
		})
		if tried != c.want || (err == nil) != (tried == 3) {
			t.Errorf("%v, tool %v: tried %d times, then %v", c.err, c.tool, tried, err)
		}
	}
}

func TestToolNeedsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.db")
	if db, err := Open(context.Background(), Options{Path: path, Tool: true}); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v %v, want that the file does not exist", db, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the tool has made a file")
	}
}

func TestOddPaths(t *testing.T) {
	for _, name := range []string{"a b.db", "q?x=1.db", "h#1.db", "p%41.db", "ü.db"} {
		db := open(t, Options{Path: filepath.Join(t.TempDir(), name)})
		stop := start(t, db)
		mustDo(t, db, insert("x"))
		stop()
		if info, err := os.Stat(db.Path()); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v, want the database there", name, err)
		}
	}
}

func TestMigrate(t *testing.T) {
	ctx := context.Background()
	db := open(t, Options{})
	start(t, db)
	steps := []string{`CREATE TABLE a (x)`, `CREATE TABLE b (x)`}
	if err := db.Migrate(ctx, "ab", steps[:1]); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := db.Migrate(ctx, "ab", steps); err != nil {
			t.Fatal(err)
		}
	}
	tool := open(t, Options{Path: db.Path(), Tool: true})
	if err := tool.Migrate(ctx, "ab", append(steps, `CREATE TABLE c (x)`)); err == nil || !strings.Contains(err.Error(), "start the daemon first") {
		t.Errorf("a tool of a newer version: %v, want it refused", err)
	}
	if err := tool.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(ctx, "ab", steps[:1]); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("older version: %v, want it refused", err)
	}
	if err := db.Migrate(ctx, "ab", append(steps, `CREATE TABLE c (x)`, `nonsense`)); err == nil {
		t.Error("a failing step gave no error")
	}
	var n int
	if err := db.Reader().QueryRowContext(context.Background(), `SELECT count(*) FROM sqlite_master WHERE name IN ('a', 'b', 'c')`).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d tables (%v), want 2: a failing migration must leave nothing", n, err)
	}
}

// When the migration of one owner fails, the file is as it was, though that of another has succeeded.
func TestFailedUpgradeLeavesTheOldFile(t *testing.T) {
	ctx := context.Background()
	first := []string{`CREATE TABLE a (x)`}
	db := open(t, Options{})
	for _, owner := range []string{"one", "two"} {
		if err := db.Migrate(ctx, owner, []string{strings.Replace(first[0], "a", owner, 1)}); err != nil {
			t.Fatal(err)
		}
	}
	stop := start(t, db)
	mustDo(t, db, insert("kept"))
	stop()
	path := db.Path()
	state := func(db *DB) (s string) {
		err := db.Reader().QueryRowContext(ctx, `SELECT group_concat(name || ' ' || coalesce(sql, ''), ';') FROM (SELECT * FROM sqlite_master ORDER BY name)`).Scan(&s)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	old := open(t, Options{Path: path})
	before := state(old)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	upgrade := func(second string) (*DB, error) {
		db := open(t, Options{Path: path})
		if err := db.Migrate(ctx, "one", []string{first[0], `ALTER TABLE one ADD COLUMN y`}); err != nil {
			t.Fatal(err)
		}
		return db, db.Migrate(ctx, "two", []string{first[0], second})
	}
	for range 2 {
		failing, err := upgrade(`nonsense`)
		if err == nil {
			t.Fatal("a failing step gave no error")
		}
		if err := failing.Close(); err != nil {
			t.Fatal(err)
		}
		again := open(t, Options{Path: path})
		if after := state(again); after != before || strings.Join(values(t, again), "") != "kept" {
			t.Errorf("after a failed upgrade:\n%s\nbefore:\n%s", after, before)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
	good, err := upgrade(`ALTER TABLE two ADD COLUMN y`)
	if err != nil {
		t.Fatal(err)
	}
	stop = start(t, good)
	mustDo(t, good, insert("new"))
	after := state(good)
	stop()
	again := open(t, Options{Path: path})
	start(t, again)
	if got := state(again); got != after || after == before || strings.Join(values(t, again), ",") != "kept,new" {
		t.Errorf("after the upgrade:\n%s", got)
	}
	if _, err := os.Stat(path + ".before-upgrade"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy is still there: %v", err)
	}
}

// Without room for the way back nothing is changed.
func TestUpgradeNeedsItsCopy(t *testing.T) {
	ctx := context.Background()
	db := open(t, Options{})
	start(t, db)()
	if err := os.Mkdir(db.Path()+".before-upgrade.part", 0o700); err != nil { // where the copy would go
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(db.Path()+".before-upgrade.part", "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, Options{Path: db.Path()})
	start(t, again)
	if err := again.Migrate(ctx, "t", append(schemaT[:1:1], `CREATE TABLE u (x)`)); err == nil {
		t.Error("upgraded without a copy")
	}
	var n int
	if err := again.Reader().QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE name = 'u'`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d tables, %v", n, err)
	}
}
