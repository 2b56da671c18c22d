package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// filled returns the path of a closed database with some pages.
func filled(t *testing.T) string {
	t.Helper()
	db := open(t, Options{})
	stop := start(t, db)
	for i := range 100 {
		mustDo(t, db, insertPadded(fmt.Sprint(i), 2000))
	}
	stop()
	return db.Path()
}

// damages are ways to spoil a file, and how many of its 100 rows can be read afterwards at least.
var damages = map[string]struct {
	spoil func([]byte) []byte
	saved int
}{
	"truncated":    {func(b []byte) []byte { return b[:len(b)/2] }, 40},
	"no header":    {func(b []byte) []byte { copy(b, "this is no database at all"); return b }, 100},
	"bad schema":   {func(b []byte) []byte { clear(b[100:pageSize]); return b }, 0},
	"text":         {func([]byte) []byte { return bytes.Repeat([]byte("hello\n"), 4000) }, 0},
	"empty page":   {func(b []byte) []byte { clear(b[20*pageSize : 21*pageSize]); return b }, 97},
	"garbled page": {func(b []byte) []byte { copy(b[20*pageSize:], bytes.Repeat([]byte{0xff}, 3*pageSize)); return b }, 90},
}

// A damaged file is refused and stays as it is. When the operator wants it, it is kept aside, and the new file has all rows that can be
// read.
func TestDamagedFile(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			path := filled(t)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			content = damage.spoil(content)
			if err := errors.Join(os.WriteFile(path, content, fileMode), os.WriteFile(path+".suspect", nil, fileMode)); err != nil {
				t.Fatal(err)
			}
			var damaged *DamagedError
			if _, err := Open(context.Background(), Options{Path: path, Logger: quiet()}); !errors.As(err, &damaged) || damaged.Path != path {
				t.Fatalf("opened with %v, want a DamagedError", err)
			}
			if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, content) {
				t.Fatalf("the refused file was changed: %v", err)
			}
			var log bytes.Buffer
			db := open(t, Options{Path: path, Recover: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			stop := start(t, db)
			mustDo(t, db, insert("new"))
			rows, r := values(t, db), db.Stats().Recovery
			if saved := len(rows) - 1; saved < damage.saved || saved == 100 == r.Lost() {
				t.Errorf("%d rows saved, want %d at least; %+v", saved, damage.saved, r)
			}
			stop()
			if kept, err := os.ReadFile(r.Aside); err != nil || !bytes.Equal(kept, content) {
				t.Errorf("damaged file is not kept as it was: %v", err)
			}
			if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), filepath.Base(r.Aside)) {
				t.Errorf("log does not tell: %s", &log)
			}
			for _, suffix := range []string{".salvage", ".recovered", ".suspect"} {
				if left, err := filepath.Glob(path + suffix + "*"); err != nil || len(left) > 0 {
					t.Errorf("left: %v, %v", left, err)
				}
			}
			again := open(t, Options{Path: path})
			start(t, again)
			if got := values(t, again); len(got) != len(rows) {
				t.Errorf("%d rows after another start, want %d", len(got), len(rows))
			}
		})
	}
}

// Rows of a table without rowids are read from both ends, and ids are not used twice.
func TestRecoveredIdsGoOn(t *testing.T) {
	db := open(t, Options{})
	if err := db.Migrate(context.Background(), "w", []string{`CREATE TABLE w (a TEXT, b INTEGER, pad BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID`}); err != nil {
		t.Fatal(err)
	}
	stop := start(t, db)
	for i := range 100 {
		mustDo(t, db, insertPadded(fmt.Sprint(i), 2000))
		mustDo(t, db, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(context.Background(), `INSERT INTO w VALUES ('x', ?, zeroblob(500))`, i)
			return err
		})
	}
	mustDo(t, db, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `DELETE FROM t WHERE id > 90`)
		return err
	})
	stop()
	path := db.Path()
	recovered := open(t, Options{Path: path, Recover: true})
	if recovered.Stats().Recovery.Aside != "" {
		t.Fatal("a sound file was set aside")
	}
	if err := recovered.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	spoiled := 0
	for at := 8 * pageSize; at < len(content); at += pageSize {
		if page := content[at : at+pageSize]; page[0] == 0x0a && spoiled == 0 && at > len(content)/2 { // a leaf of w, in its middle
			clear(page)
			spoiled++
		}
	}
	if err := errors.Join(os.WriteFile(path, content, fileMode), os.WriteFile(path+".suspect", nil, fileMode)); spoiled == 0 || err != nil {
		t.Fatal(spoiled, err)
	}
	again := open(t, Options{Path: path, Recover: true})
	start(t, again)
	if r := again.Stats().Recovery; len(r.Lossy) != 1 || r.Lossy[0] != "w" {
		t.Errorf("%+v", r)
	}
	var n, id int
	if err := again.Reader().QueryRowContext(context.Background(), `SELECT count(*) FROM w`).Scan(&n); err != nil || n < 80 || n == 100 {
		t.Errorf("%d of 100 rows, %v", n, err)
	}
	mustDo(t, again, insert("next"))
	if err := again.Reader().QueryRowContext(context.Background(), `SELECT max(id) FROM t`).Scan(&id); err != nil || id != 101 {
		t.Errorf("the next id is %d, %v, want 101", id, err)
	}
}

// Damage that Open does not see ends the writer when it is met, and the next Open finds it.
func TestDamageFoundLaterEndsTheWriter(t *testing.T) {
	path := filled(t)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(8 * pageSize); at < info.Size(); at += pageSize {
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, pageSize), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	db := open(t, Options{Path: path})
	ended := make(chan error, 1)
	go func() { ended <- db.Run(context.Background()) }()
	var n int
	err = db.Reader().QueryRowContext(context.Background(), `SELECT sum(length(pad)) FROM t`).Scan(&n)
	if classify(err) != faultCorrupt {
		t.Fatalf("reading: %v, want damage", err)
	}
	db.Report(err)
	if err := <-ended; !errors.Is(err, ErrCorrupt) {
		t.Errorf("run ended with %v, want ErrCorrupt", err)
	}
	_ = db.Close() // the checkpoint may meet the damage
	var damaged *DamagedError
	if _, err := Open(context.Background(), Options{Path: path, Logger: quiet()}); !errors.As(err, &damaged) {
		t.Errorf("opened again with %v, want a DamagedError", err)
	}
	again := open(t, Options{Path: path, Recover: true})
	defer start(t, again)()
	if again.Stats().Recovery.Aside == "" {
		t.Error("the damaged file is still in use")
	}
}

// An innocent file that was suspected stays.
func TestSuspectedFileIsChecked(t *testing.T) {
	path := filled(t)
	if err := os.WriteFile(path+".suspect", nil, fileMode); err != nil {
		t.Fatal(err)
	}
	db := open(t, Options{Path: path})
	defer start(t, db)()
	if db.Stats().Recovery.Aside != "" || len(values(t, db)) != 100 {
		t.Error("a sound file was set aside")
	}
	if _, err := os.Stat(path + ".suspect"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the mark is still there: %v", err)
	}
}

func TestLogRemovedOrGarbage(t *testing.T) {
	for name, content := range map[string][]byte{"empty": {}, "garbage": bytes.Repeat([]byte("garbage "), 9000)} {
		t.Run(name, func(t *testing.T) {
			path := filled(t)
			if err := os.WriteFile(path+"-wal", content, fileMode); err != nil {
				t.Fatal(err)
			}
			db := open(t, Options{Path: path})
			defer start(t, db)()
			if n := len(values(t, db)); n != 100 {
				t.Errorf("%d rows, want 100", n)
			}
		})
	}
}
