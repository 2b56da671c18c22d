package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// TestHolderIsFoundBesideOtherLocks: the kernel hands its list out in pieces, and when a line goes from one that is read, the line that begins the next is left
// out. check said of the daemon's own port, now and then, that another program has it. Which line it is follows from the others: so there are many daemons.
func TestHolderIsFoundBesideOtherLocks(t *testing.T) {
	dir := t.TempDir()
	var daemons []*DB
	for n := range 20 {
		db := &DB{opts: Options{Path: filepath.Join(dir, strconv.Itoa(n))}}
		if err := db.takeLock(); err != nil {
			t.Fatal(err)
		}
		defer db.unlock()
		daemons = append(daemons, db)
	}
	ctx, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	defer others.Wait()
	defer stop()
	others.Go(func() {
		f, err := os.Create(filepath.Join(dir, "other"))
		for err == nil && ctx.Err() == nil {
			err = errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_EX), syscall.Flock(int(f.Fd()), syscall.LOCK_UN))
		}
		if err = errors.Join(err, f.Close()); err != nil {
			t.Error(err)
		}
	})
	lost := 0
	for range 300 {
		for _, db := range daemons {
			if Holder(db.opts.Path) != os.Getpid() {
				lost++
			}
		}
	}
	if lost > 0 {
		t.Errorf("a daemon was not seen %d times", lost)
	}
}
