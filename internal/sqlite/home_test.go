package sqlite

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A file that is removed under the running daemon is written again before anything more is acknowledged.
func TestRemovedFileIsWrittenAgain(t *testing.T) {
	for name, suffixes := range map[string][]string{
		"all": {"", "-wal", "-shm"}, "the file": {""}, "the log": {"-wal"}, "log and index": {"-wal", "-shm"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			db := open(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			stop := start(t, db)
			mustDo(t, db, insert("before"))
			values(t, db) // a reader's connection is kept
			for _, suffix := range suffixes {
				if err := os.Remove(db.Path() + suffix); err != nil {
					t.Fatal(err)
				}
			}
			mustDo(t, db, insert("after"))
			if diff := cmp.Diff([]string{"before", "after"}, values(t, db)); diff != "" {
				t.Error("read by the daemon:", diff)
			}
			tool := open(t, Options{Path: db.Path(), Tool: true}) // sees what a process after a crash would see
			if diff := cmp.Diff([]string{"before", "after"}, values(t, tool)); diff != "" {
				t.Error("in the file:", diff)
			}
			if err := tool.Close(); err != nil {
				t.Fatal(err)
			}
			mustDo(t, db, insert("more"))
			stop()
			if n := strings.Count(log.String(), "was removed while it was in use"); n != 1 {
				t.Errorf("said %d times:\n%s", n, &log)
			}
			again := open(t, Options{Path: db.Path()})
			start(t, again)
			if diff := cmp.Diff([]string{"before", "after", "more"}, values(t, again)); diff != "" {
				t.Error("after a restart:", diff)
			}
		})
	}
}

// A copy that cannot be put in the place of the removed file is kept, and is tried until it can.
func TestRemovedFileIsWrittenAgainLater(t *testing.T) {
	db := open(t, Options{})
	start(t, db)
	mustDo(t, db, insert("before"))
	inTheWay := filepath.Join(db.Path()+"-wal", "x")
	if err := errors.Join(os.Remove(db.Path()), os.Remove(db.Path()+"-wal"), os.MkdirAll(inTheWay, 0o700)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- db.Do(context.Background(), insert("after")) }()
	for failures := db.Stats().Failures; db.Stats().Failures < failures+3; {
		select {
		case err := <-done:
			t.Fatal("acknowledged before it can be found again:", err)
		case <-time.After(time.Millisecond):
		}
	}
	if err := os.RemoveAll(filepath.Dir(inTheWay)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	mustDo(t, db, insert("more"))
	tool := open(t, Options{Path: db.Path(), Tool: true})
	if diff := cmp.Diff([]string{"before", "after", "more"}, values(t, tool)); diff != "" {
		t.Error(diff)
	}
	if err := tool.Close(); err != nil {
		t.Fatal(err)
	}
}

// A file that somebody has put in the place of ours is not touched; what ours held is kept beside it, and the daemon ends.
func TestReplacedFileEndsTheWriter(t *testing.T) {
	other := filled(t)
	content, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	db := open(t, Options{})
	ended := make(chan error, 1)
	go func() { ended <- db.Run(context.Background()) }()
	mustDo(t, db, insert("before"))
	if err := errors.Join(os.Remove(db.Path()), os.WriteFile(db.Path(), content, fileMode)); err != nil {
		t.Fatal(err)
	}
	if err := db.Do(context.Background(), insert("after")); !errors.Is(err, errReplaced) {
		t.Errorf("acknowledged with %v", err)
	}
	if err := <-ended; !errors.Is(err, errReplaced) {
		t.Errorf("ended with %v", err)
	}
	if now, err := os.ReadFile(db.Path()); err != nil || !bytes.Equal(now, content) {
		t.Errorf("the new file was touched: %v", err)
	}
	kept, err := filepath.Glob(db.Path() + ".rescued-*")
	if err != nil || len(kept) != 1 {
		t.Fatal(kept, err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	old := open(t, Options{Path: kept[0], Tool: true})
	if got := values(t, old); len(got) == 0 || got[0] != "before" {
		t.Errorf("kept: %v", got)
	}
	if err := old.Close(); err != nil {
		t.Error(err)
	}
}
