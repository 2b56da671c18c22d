package lab

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestFreezeAndThaw(t *testing.T) {
	everyVersion(t, Options{}, func(t *testing.T, l *Lab) {
		if err := l.Freeze(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if out, err := l.CLI(ctx, "core show uptime"); err == nil {
			t.Errorf("a frozen Asterisk answers %q", out)
		}
		if err := l.Thaw(); err != nil {
			t.Fatal(err)
		}
		mustCLI(t, l, "core show uptime")
		if err := l.Freeze(); err != nil {
			t.Fatal(err)
		}
		if err := l.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := l.Thaw(); !errors.Is(err, ErrStopped) {
			t.Errorf("thawing what is gone: %v", err)
		}
	})
}
