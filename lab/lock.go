package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// How a lock is held.
const (
	lockShared = unix.LOCK_SH
	lockAlone  = unix.LOCK_EX
)

// lock is an advisory lock on a file: the kernel gives it back when the process ends, however it ends.
type lock struct{ file *os.File }

// tryLock takes the lock of the file at path, shared or alone. It returns nil without an error when another has it.
func tryLock(path string, how int) (*lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("lab lock: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lab lock: %w", err)
	}
	err = unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
	if err == nil {
		return &lock{file}, nil
	}
	_ = file.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("lab lock %s: %w", path, err)
}

// waitLock takes the lock alone; it says what it waits for, once, when another has it.
func waitLock(ctx context.Context, path, waiting string, log *slog.Logger) (*lock, error) {
	l, err := tryLock(path, lockAlone)
	if l != nil || err != nil {
		return l, err
	}
	log.Info("lab waits for another process", "doing", waiting)
	for {
		if err := pause(ctx); err != nil {
			return nil, fmt.Errorf("lab: waiting for another process that is %s: %w", waiting, err)
		}
		l, err := tryLock(path, lockAlone)
		if l != nil || err != nil {
			return l, err
		}
	}
}

func (l *lock) release() {
	if l != nil {
		_ = l.file.Close()
	}
}
