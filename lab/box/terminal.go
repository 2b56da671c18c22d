package box

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/creack/pty"
)

// Terminal is a terminal of the machine with a person at it.
type Terminal struct {
	cmd    *exec.Cmd
	master *os.File
	shown  strings.Builder
	seen   int // of what is shown, up to the last answer
}

// Type runs a line of shell at a terminal, which asks as it would ask a person. The caller must Close it.
func (b *Box) Type(ctx context.Context, line string) (*Terminal, error) {
	t := &Terminal{cmd: b.command(ctx, "/bin/sh", "-c", line)}
	t.cmd.Env = append(t.cmd.Env, "TERM=xterm")
	var err error
	if t.master, err = pty.Start(t.cmd); err != nil {
		return nil, fmt.Errorf("box: %w", err)
	}
	return t, nil
}

// Answer waits until a text is shown, of what was not answered yet, and types a line. A program that ends before is an error.
func (t *Terminal) Answer(text, line string) error {
	for !strings.Contains(t.shown.String()[t.seen:], text) {
		if err := t.read(); err != nil {
			return fmt.Errorf("box: it does not ask %q (%w):\n%s", text, err, t.shown.String())
		}
	}
	t.seen += strings.Index(t.shown.String()[t.seen:], text) + len(text)
	_, err := io.WriteString(t.master, line+"\n")
	return err
}

func (t *Terminal) read() error {
	part := make([]byte, 4096)
	n, err := t.master.Read(part)
	t.shown.Write(part[:n])
	return err
}

// Close waits for the end of the program, and returns all that was shown. The error is that of the program.
func (t *Terminal) Close() (shown string, err error) {
	for t.read() == nil { // a terminal whose programs have ended has no end of file, but an error
		continue
	}
	err = t.cmd.Wait()
	_ = t.master.Close()
	if err != nil {
		err = fmt.Errorf("box: %w\n%s", err, t.shown.String())
	}
	return t.shown.String(), err
}
