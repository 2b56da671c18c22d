package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/dialbridge/dialbridge/internal/conf"
	"github.com/dialbridge/dialbridge/internal/sd"
)

// newLogger logs as configured: text on a terminal, JSON otherwise, with journald's priorities under systemd.
func newLogger(w io.Writer, c conf.Log, environ func(string) string, level *slog.LevelVar) *slog.Logger {
	level.Set(levelOf(c.Level))
	options := &slog.HandlerOptions{Level: level}
	text := c.Format == "text"
	if f, ok := w.(*os.File); ok && c.Format == "auto" {
		text = term.IsTerminal(int(f.Fd())) //nolint:gosec // a file descriptor fits
	}
	handler := func(w io.Writer) slog.Handler {
		if text {
			return slog.NewTextHandler(w, options)
		}
		return slog.NewJSONHandler(w, options)
	}
	if f, ok := w.(*os.File); !ok || !sd.Journal(f, environ) {
		return slog.New(handler(w))
	}
	buf := &bytes.Buffer{}
	return slog.New(&journal{out: w, mu: &sync.Mutex{}, buf: buf, inner: handler(buf)})
}

func levelOf(name string) slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(name)); err != nil {
		return slog.LevelInfo
	}
	return l
}

// journal puts a priority in front of each line, as sd-daemon(3) defines it.
type journal struct {
	out   io.Writer
	mu    *sync.Mutex // of buf, which all handlers made from one share
	buf   *bytes.Buffer
	inner slog.Handler
}

// Enabled implements slog.Handler.
func (j *journal) Enabled(ctx context.Context, l slog.Level) bool { return j.inner.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (j *journal) Handle(ctx context.Context, r slog.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.buf.Reset()
	j.buf.WriteString(priority(r.Level))
	if err := j.inner.Handle(ctx, r); err != nil {
		return err
	}
	_, err := j.out.Write(j.buf.Bytes())
	return err
}

// WithAttrs implements slog.Handler.
func (j *journal) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &journal{out: j.out, mu: j.mu, buf: j.buf, inner: j.inner.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (j *journal) WithGroup(name string) slog.Handler {
	return &journal{out: j.out, mu: j.mu, buf: j.buf, inner: j.inner.WithGroup(name)}
}

func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "<3>"
	case l >= slog.LevelWarn:
		return "<4>"
	case l >= slog.LevelInfo:
		return "<6>"
	default:
		return "<7>"
	}
}
