package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/internal/baddisk"
)

// runRole is what the test binary does as a child.
func runRole(role string) {
	dir := os.Getenv("SQLITE_TEST_DIR")
	switch role {
	case "writer":
		roleWriter(dir)
	case "disk":
		roleDisk(dir)
	case "careless":
		roleCareless(dir)
	case "faulty":
		roleFaulty(dir)
	case "slow":
		roleSlow(dir)
	case "limit":
		roleLimit(dir)
	case "fill":
		roleFill(dir)
	default:
		fail("no role %s", role)
	}
}

func child(role, dir string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), os.Args[0])
	cmd.Env = append(os.Environ(), "SQLITE_TEST_ROLE="+role, "SQLITE_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

func openChild(dir string, reserve int64) *DB {
	db, err := Open(context.Background(), Options{Path: filepath.Join(dir, "test.db"), Logger: quiet(), reserve: reserve})
	if err != nil {
		fail("open: %v", err)
	}
	if err := db.Migrate(context.Background(), "t", schemaT); err != nil {
		fail("migrate: %v", err)
	}
	return db
}

// roleWriter writes for ever and prints each value once it is acknowledged.
func roleWriter(dir string) {
	db := openChild(dir, 1<<20)
	go func() { fail("run: %v", db.Run(context.Background())) }()
	tokens := make(chan struct{}, 64)
	prefix := strconv.Itoa(os.Getpid())
	for i := 0; ; i++ {
		tokens <- struct{}{}
		v := prefix + "-" + strconv.Itoa(i)
		db.Submit(insertPadded(v, 500), func(err error) {
			if err != nil {
				fail("insert: %v", err)
			}
			fmt.Println(v)
			<-tokens
		})
	}
}

// TestKilledWriterLosesNothing kills a writer at random moments: every acknowledged row must be there.
func TestKilledWriterLosesNothing(t *testing.T) {
	dir := t.TempDir()
	var acked []string
	for round := 0; round < baddisk.Rounds(6, 100) || len(acked) == 0 && round < 200; round++ { // a busy machine may come to nothing
		cmd := child("writer", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(50+rand.IntN(150))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		for lines := bufio.NewScanner(out); lines.Scan(); {
			acked = append(acked, lines.Text())
		}
		kill.Stop()
		_ = cmd.Wait() // killed
	}
	db := open(t, Options{Path: filepath.Join(dir, "test.db")})
	defer start(t, db)()
	have := map[string]bool{}
	for _, v := range values(t, db) {
		have[v] = true
	}
	for _, v := range acked {
		if !have[v] {
			t.Errorf("row %s was acknowledged and is lost", v)
		}
	}
	var check string
	if err := db.Reader().QueryRowContext(context.Background(), "PRAGMA quick_check").Scan(&check); err != nil || check != "ok" {
		t.Errorf("check %q, %v", check, err)
	}
	if len(acked) == 0 {
		t.Fatal("nothing was acknowledged in all runs")
	}
	t.Logf("%d acknowledged, %d stored", len(acked), len(have))
}

// TestFullDisk runs in a mount namespace of its own with a disk of 24 MiB.
func TestFullDisk(t *testing.T) {
	cmd := child("disk", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v (the test needs a mount namespace)\n%s", err, &out)
	}
	t.Log(out.String())
}

const diskReserve = 4 << 20

func roleDisk(dir string) {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		fail("private mounts: %v", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		fail("mount: %v", err)
	}
	diskFilledByAnother(dir)
	diskFullAtStart(dir)
	fmt.Println("ok")
}

// diskFilledByAnother fills the disk under a running daemon, and frees it again.
func diskFilledByAnother(dir string) {
	db := openChild(dir, diskReserve)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx) }()
	if !db.Stats().Reserve {
		fail("no reserve at start: %+v", db.Stats())
	}
	fillDisk(dir)
	var acked int
	blocked := make(chan error, 1000)
	for i := range 200 { // 10 MB, more than the reserve holds
		db.Submit(insertPadded("a"+strconv.Itoa(i), 50<<10), func(err error) { blocked <- err })
	}
	for db.Stats().Failures < 5 {
		time.Sleep(time.Millisecond)
	}
	acked = len(blocked)
	if acked == 0 {
		fail("the reserve has let nothing through")
	}
	if s := db.Stats(); s.Reserve || s.LastError == nil {
		fail("on the full disk: %+v", s)
	}
	if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
		fail("%v", err)
	}
	for range 200 {
		if err := <-blocked; err != nil {
			fail("after space was back: %v", err)
		}
	}
	cancel()
	if err := errors.Join(<-ended, db.Close()); err != nil {
		fail("end: %v", err)
	}
	fmt.Printf("%d of 200 acknowledged on the full disk, all after it\n", acked)
}

// diskFullAtStart kills a daemon on a full disk; the next one must open, and work once it has made room.
func diskFullAtStart(dir string) {
	for _, name := range []string{"test.db", "test.db-wal", "test.db-shm"} {
		_ = os.Remove(filepath.Join(dir, name))
	}
	if out, err := child("fill", dir).Output(); !strings.Contains(string(out), "full") { // err: it was killed
		fail("fill: %v %s", err, out)
	}
	free, err := freeSpace(dir)
	if err != nil || free > 64<<10 {
		fail("disk has %d bytes free (%v), want a full one", free, err)
	}
	db := openChild(dir, diskReserve)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx) }()
	if err := db.Do(ctx, insert("after")); err != nil {
		fail("write after the start: %v", err)
	}
	var n int
	if err := db.Reader().QueryRowContext(context.Background(), `SELECT count(*) FROM t`).Scan(&n); err != nil || n != 11 {
		fail("%d rows, %v, want 11", n, err)
	}
	cancel()
	if err := errors.Join(<-ended, db.Close()); err != nil {
		fail("end: %v", err)
	}
	fmt.Println("opened on the full disk with", n, "rows")
}

// roleFill writes some rows, fills the disk and dies without a goodbye.
func roleFill(dir string) {
	db := openChild(dir, diskReserve)
	go func() { _ = db.Run(context.Background()) }()
	for i := range 10 {
		if err := db.Do(context.Background(), insert(strconv.Itoa(i))); err != nil {
			fail("insert: %v", err)
		}
	}
	fillDisk(dir)
	fmt.Println("full")
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		fail("%v", err)
	}
}

func fillDisk(dir string) {
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		fail("%v", err)
	}
	defer func() { _ = f.Close() }()
	for _, size := range []int{1 << 20, 4096, 1} {
		for {
			if _, err := io.Copy(f, bytes.NewReader(make([]byte, size))); err != nil {
				break
			}
		}
	}
}
