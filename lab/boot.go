package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	bootTime = 60 * time.Second      // longest time from the start to FullyBooted, when ctx has no deadline of its own
	endTime  = 3 * time.Second       // longest time that Close gives Asterisk to end by itself
	pollTime = 20 * time.Millisecond // between two looks at something that tells no one when it changes
)

var (
	// ErrRunning says that Asterisk is running already.
	ErrRunning = errors.New("lab: asterisk is running")
	// ErrStopped says that Asterisk is not running.
	ErrStopped = errors.New("lab: asterisk is not running")
)

// Boot starts Asterisk again, on the same address and with the same files, and waits until it is fully booted.
// It returns ErrRunning if it is running.
func (l *Lab) Boot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	p, err := l.launch(ctx)
	if err != nil {
		return err
	}
	for {
		err := l.awaitFullyBooted(ctx)
		if err == nil {
			return nil
		}
		if !p.alive() {
			return fmt.Errorf("lab: asterisk ended while it booted (%w)\n%s", p.err, l.logTail(30))
		}
		if pause(ctx) != nil {
			return fmt.Errorf("lab: asterisk did not boot: %w\n%s", err, l.logTail(30))
		}
	}
}

func (l *Lab) launch(ctx context.Context) (*process, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.process != nil && l.process.alive() {
		return nil, ErrRunning
	}
	console, err := os.OpenFile(filepath.Join(l.dir, "log/console"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	defer func() { _ = console.Close() }()
	cmd := l.asterisk(context.WithoutCancel(ctx), "-f", "-n", "-q")
	if l.zone != "" {
		inZone(cmd, l.zone)
	}
	cmd.Stdout, cmd.Stderr = console, console
	p, err := startProcess(cmd)
	if err != nil {
		return nil, fmt.Errorf("lab: start asterisk: %w", err)
	}
	l.process = p
	return p, nil
}

// asterisk is the command line of this lab's Asterisk, daemon or remote console.
func (l *Lab) asterisk(ctx context.Context, args ...string) *exec.Cmd {
	args = append([]string{"-C", filepath.Join(l.inside, "etc/asterisk.conf")}, args...)
	cmd := exec.CommandContext(ctx, l.installation.binary, args...)
	cmd.Env = l.environment
	cmd.Dir = l.inside
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: l.installation.chroot}
	return cmd
}

// inZone makes the command see the file as /etc/localtime, the one place where Asterisk looks for its local time, in a
// mount namespace of its own.
func inZone(cmd *exec.Cmd, file string) {
	cmd.Args = append([]string{"sh", "-c", `mount --bind "$0" /etc/localtime && exec "$@"`, file}, cmd.Args...)
	cmd.Path = "/bin/sh"
	cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS
}

// awaitFullyBooted logs in once; Asterisk then says FullyBooted, at once or when it is so.
func (l *Lab) awaitFullyBooted(ctx context.Context) error {
	if l.stock {
		_, err := l.CLI(ctx, "core waitfullybooted")
		return err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", l.AMIAddress)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_, err = fmt.Fprintf(conn, "Action: Login\r\nUsername: %s\r\nSecret: %s\r\nEvents: system\r\n\r\n", l.AMIUser, l.AMISecret)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		switch {
		case strings.HasPrefix(lines.Text(), "Event: FullyBooted"):
			return nil
		case strings.HasPrefix(lines.Text(), "Response: Error"):
			lines.Scan()
			return fmt.Errorf("login refused: %s", lines.Text())
		}
	}
	return fmt.Errorf("connection ended before FullyBooted: %w", errors.Join(lines.Err(), ctx.Err()))
}

// Done is closed when the Asterisk that runs now has ended, whoever ended it.
func (l *Lab) Done() <-chan struct{} {
	if p := l.running(); p != nil {
		return p.done
	}
	ended := make(chan struct{})
	close(ended)
	return ended
}

// Stop ends Asterisk as an administrator would ("core stop now") and waits until it is gone. With calls up, that may
// take 17 s, in which AMI answers "Asterisk is shutting down". It returns ErrStopped if Asterisk is not running.
func (l *Lab) Stop(ctx context.Context) error {
	p := l.running()
	if p == nil {
		return ErrStopped
	}
	if _, err := l.CLI(ctx, "core stop now"); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("lab: asterisk did not stop: %w", ctx.Err())
	}
}

// Kill ends Asterisk by SIGKILL, as a crash would, and waits until it is gone. It returns ErrStopped if Asterisk is not
// running.
func (l *Lab) Kill(context.Context) error {
	p := l.running()
	if p == nil {
		return ErrStopped
	}
	p.kill()
	return nil
}

// end is Stop with a bound, then Kill.
func (l *Lab) end() {
	p := l.running()
	if p == nil {
		return
	}
	_ = syscall.Kill(p.cmd.Process.Pid, syscall.SIGTERM)
	if !p.gone(endTime) {
		p.kill()
	}
}

// running returns Asterisk's process, or nil.
func (l *Lab) running() *process {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.process == nil || !l.process.alive() {
		return nil
	}
	return l.process
}

// pause waits a moment; it returns an error when ctx ends first.
func pause(ctx context.Context) error {
	timer := time.NewTimer(pollTime)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
