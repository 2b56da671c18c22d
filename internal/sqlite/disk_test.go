package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/internal/baddisk"
)

// roleCareless acknowledges what go-sqlite3 commits when it is not told otherwise.
func roleCareless(dir string) {
	if err := openChild(dir, 1<<20).Close(); err != nil {
		fail("%v", err)
	}
	params := writerParams()
	params.Set("_synchronous", "NORMAL")
	w, err := openHandle(filepath.Join(dir, "test.db"), params, 1, nil)
	if err != nil {
		fail("%v", err)
	}
	prefix := strconv.Itoa(os.Getpid())
	for i := 0; ; i++ {
		v := prefix + "-" + strconv.Itoa(i)
		if _, err := w.ExecContext(context.Background(), `INSERT INTO t (v) VALUES (?)`, v); err != nil {
			fail("%v", err)
		}
		fmt.Println(v)
	}
}

// cutWriter lets a writer work on a disk until its power is cut, and returns what it has acknowledged.
func cutWriter(t *testing.T, role string, disk baddisk.Disk) (acked []string) {
	t.Helper()
	cmd := child(role, disk.Dir)
	cmd.Env = append(cmd.Env, disk.Environ()...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	enough := 100 + rand.IntN(400) // rows, so that a slow machine is cut late and not empty
	for lines := bufio.NewScanner(out); lines.Scan(); {
		acked = append(acked, lines.Text())
		if len(acked) == enough {
			_ = cmd.Process.Kill() // and what it still prints is read to the end
		}
	}
	_ = cmd.Wait() // killed
	if len(acked) < enough {
		t.Fatalf("%s ended by itself after %d rows", role, len(acked))
	}
	return acked
}

// TestPowerCut cuts the power again and again: whatever was acknowledged must be there, in a sound file.
func TestPowerCut(t *testing.T) {
	disk := baddisk.Disk{Library: baddisk.Build(t), Dir: t.TempDir(), Durable: t.TempDir()}
	var acked []string
	rounds := baddisk.Rounds(5, 30)
	for range rounds {
		acked = append(acked, cutWriter(t, "writer", disk)...)
		disk = disk.Cut(t)
	}
	db := open(t, Options{Path: filepath.Join(disk.Dir, "test.db")})
	start(t, db)
	if lost := missing(t, db, acked); len(lost) > 0 {
		t.Errorf("%d of %d acknowledged rows are lost, the first is %s", len(lost), len(acked), lost[0])
	}
	var check string
	if err := db.Reader().QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&check); err != nil || check != "ok" {
		t.Errorf("check %q, %v", check, err)
	}
	t.Logf("%d power cuts, %d rows acknowledged", rounds, len(acked))
}

func missing(t *testing.T, db *DB, acked []string) (lost []string) {
	t.Helper()
	have := map[string]bool{}
	for _, v := range values(t, db) {
		have[v] = true
	}
	for _, v := range acked {
		if !have[v] {
			lost = append(lost, v)
		}
	}
	return lost
}

// TestPowerCutFindsACarelessWriter proves that the disk of TestPowerCut loses what is not flushed.
func TestPowerCutFindsACarelessWriter(t *testing.T) {
	library, lost, all := baddisk.Build(t), 0, 0
	for range 5 {
		disk := baddisk.Disk{Library: library, Dir: t.TempDir(), Durable: t.TempDir(), Strict: true}
		acked := cutWriter(t, "careless", disk)
		db := open(t, Options{Path: filepath.Join(disk.Cut(t).Dir, "test.db")})
		stop := start(t, db)
		lost, all = lost+len(missing(t, db, acked)), all+len(acked)
		stop()
	}
	if lost == 0 {
		t.Errorf("none of %d rows was lost with synchronous=NORMAL", all)
	}
	t.Logf("%d of %d rows lost", lost, all)
}

// roleFaulty prints what is acknowledged while files in the folder "orders" switch the disk's faults.
func roleFaulty(dir string) {
	db := openChild(dir, 1<<20)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx) }()
	fault := os.Getenv("FAULT")
	if err := db.Do(ctx, insert("before")); err != nil {
		fail("before: %v", err)
	}
	if err := os.WriteFile(fault, nil, fileMode); err != nil {
		fail("%v", err)
	}
	failures := db.Stats().Failures
	result := make(chan error, 1)
	db.Submit(insertPadded("during", 64<<10), func(err error) { result <- err })
	for db.Stats().Failures < failures+3 {
		select {
		case err := <-result:
			fail("acknowledged while the disk fails: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	if err := db.Healthy(deadline(ctx, 50*time.Millisecond)); err == nil {
		fail("healthy on a failing disk")
	}
	if err := os.Remove(fault); err != nil {
		fail("%v", err)
	}
	if err := <-result; err != nil {
		fail("after it: %v", err)
	}
	if err := db.Healthy(ctx); err != nil {
		fail("healthy again: %v", err)
	}
	cancel()
	if err := errors.Join(<-ended, db.Close()); err != nil {
		fail("end: %v", err)
	}
	fmt.Println("ok")
}

func deadline(ctx context.Context, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(ctx, d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// TestFailingDisk: nothing is acknowledged while fsync or write fails, all of it afterwards, and it is durable then.
func TestFailingDisk(t *testing.T) {
	library := baddisk.Build(t)
	for name, disk := range map[string]baddisk.Disk{
		"fsync fails": {Fail: "fault"}, "read only": {ReadOnly: "fault"},
	} {
		t.Run(name, func(t *testing.T) {
			fault := filepath.Join(t.TempDir(), "fault")
			disk.Library, disk.Dir, disk.Durable = library, t.TempDir(), t.TempDir()
			if disk.Fail != "" {
				disk.Fail = fault
			} else {
				disk.ReadOnly = fault
			}
			cmd := child("faulty", disk.Dir)
			cmd.Env = append(append(cmd.Env, disk.Environ()...), "FAULT="+fault)
			if out, err := cmd.Output(); err != nil || strings.TrimSpace(string(out)) != "ok" {
				t.Fatalf("%v: %s", err, out)
			}
			db := open(t, Options{Path: filepath.Join(disk.Cut(t).Dir, "test.db")})
			start(t, db)
			if lost := missing(t, db, []string{"before", "during"}); len(lost) > 0 {
				t.Errorf("lost: %v", lost)
			}
		})
	}
}

// roleSlow submits a burst and prints how many commits were made until the last Submit had returned, and in all.
func roleSlow(dir string) {
	db := openChild(dir, 1<<20)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx) }()
	before := db.Stats().Commits
	acked := make(chan error, slowBurst)
	for i := range slowBurst {
		db.Submit(insertPadded(strconv.Itoa(i), 600), func(err error) { acked <- err })
	}
	during := db.Stats().Commits - before
	for range slowBurst {
		if err := <-acked; err != nil {
			fail("%v", err)
		}
	}
	fmt.Println(during, db.Stats().Commits-before)
	cancel()
	if err := errors.Join(<-ended, db.Close()); err != nil {
		fail("end: %v", err)
	}
}

const slowBurst = 5000

// TestSlowDisk: who submits does not wait for the disk, and the slower it is the more is committed at once.
func TestSlowDisk(t *testing.T) {
	library := baddisk.Build(t)
	for _, slow := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond} {
		disk := baddisk.Disk{Library: library, Dir: t.TempDir(), Slow: slow}
		cmd := child("slow", disk.Dir)
		cmd.Env = append(cmd.Env, disk.Environ()...)
		out, err := cmd.Output()
		var during, all int
		if _, scan := fmt.Sscan(string(out), &during, &all); err != nil || scan != nil {
			t.Fatalf("%v %v: %s", err, scan, out)
		}
		if all > slowBurst/50 || during > all/2+2 {
			t.Errorf("fsync of %s: %d operations in %d commits, %d of them while they were submitted", slow, slowBurst, all, during)
		}
		t.Logf("fsync of %s: %d operations in %d commits, %d of them while they were submitted", slow, slowBurst, all, during)
	}
}
