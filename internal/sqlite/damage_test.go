package sqlite

import (
	"bytes"
	"context"
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

func TestDamagedFileIsSetAside(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"truncated":  func(b []byte) []byte { return b[:len(b)/2] },
		"no header":  func(b []byte) []byte { copy(b, "this is no database at all"); return b },
		"bad schema": func(b []byte) []byte { clear(b[100:pageSize]); return b },
		"text":       func([]byte) []byte { return bytes.Repeat([]byte("hello\n"), 4000) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filled(t)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			content = damage(content)
			if err := os.WriteFile(path, content, fileMode); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			db := open(t, Options{Path: path, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			stop := start(t, db)
			mustDo(t, db, insert("new"))
			aside := db.Stats().SetAside
			stop()
			kept, err := os.ReadFile(aside)
			if err != nil || !bytes.Equal(kept, content) {
				t.Errorf("damaged file is not kept as it was: %v", err)
			}
			if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), filepath.Base(aside)) {
				t.Errorf("log does not tell: %s", &log)
			}
		})
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
	if db.Stats().SetAside != "" {
		t.Fatal("set aside too early for this test")
	}
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
	again := open(t, Options{Path: path})
	defer start(t, again)()
	if again.Stats().SetAside == "" {
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
	if db.Stats().SetAside != "" || len(values(t, db)) != 100 {
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
