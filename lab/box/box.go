package box

import (
	"bytes"
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dialbridge/dialbridge/lab"
)

//go:embed boot.sh
var bootScript string

//go:embed sweep.sh
var sweepScript string

const (
	bootTime = 2 * time.Minute       // longest time until systemd says that it has started everything
	pollTime = 50 * time.Millisecond // between two looks at something that tells no one when it changes
)

// HardwareAddress is that of the network interface of a box, which leads to its own other end.
const HardwareAddress = "02:00:00:00:00:01"

// Options say which machine to boot.
type Options struct {
	// Version is Asterisk's major version: "16", on Debian 11, or "22", on a Debian of today.
	Version string
	// Bare is a machine without systemd, as a container is: nothing is started in it. The packages of systemd are there.
	Bare bool
	// Logger hears what takes time. Nil is silence.
	Logger *slog.Logger
}

// Box is a machine that runs.
type Box struct {
	// Version is Asterisk's major version.
	Version string

	dir     string
	bare    bool
	cmd     *exec.Cmd
	console *output
	done    chan struct{}
	release func()
}

// output is what systemd writes to the console.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Boot starts a machine and waits until its systemd has started everything, and Asterisk is fully booted. The caller must
// Close it.
func Boot(ctx context.Context, o Options) (*Box, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	root, release, err := lab.BoxRoot(ctx, o.Version, o.Logger)
	if err != nil {
		return nil, err
	}
	b := &Box{Version: o.Version, bare: o.Bare, console: &output{}, done: make(chan struct{}), release: release}
	if b.dir, err = os.MkdirTemp("", "dialbridge-box-"); err != nil {
		release()
		return nil, fmt.Errorf("box: %w", err)
	}
	if err = b.start(root); err == nil {
		err = b.awaitBoot(ctx)
	} else {
		close(b.done)
	}
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", errors.Join(err, b.Close()), b.console)
	}
	return b, nil
}

// start runs the first process. The kernel kills it, and all others of the machine with it, when the thread that forked
// it ends, so a thread is kept for it.
func (b *Box) start(root string) error {
	args := []string{"-c", bootScript, "boot.sh", root, b.dir, filepath.Base(b.dir)}
	if b.bare {
		args = append(args, "bare")
	}
	b.cmd = exec.Command("/bin/sh", args...) //nolint:noctx // it lives until Close
	b.cmd.Stdout, b.cmd.Stderr = b.console, b.console
	b.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Pdeathsig:  unix.SIGKILL, Setsid: true,
	}
	b.cmd.WaitDelay = 5 * time.Second
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := b.cmd.Start()
		started <- err
		if err == nil {
			_ = b.cmd.Wait()
			close(b.done)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("box: %w", err)
	}
	return nil
}

func (b *Box) awaitBoot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	for {
		up, out, err := b.up(ctx)
		if up {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("box: it did not boot: %w: %s", err, out)
		case <-b.done:
			return errors.New("box: it ended while it booted")
		case <-time.After(pollTime):
		}
	}
	if b.bare {
		return nil
	}
	out, err := b.Run(ctx, "asterisk", "-rx", "core waitfullybooted")
	if err != nil {
		return fmt.Errorf("box: asterisk did not boot: %w: %s", err, out)
	}
	return nil
}

// up reports whether the first process has done what it does at the start.
func (b *Box) up(ctx context.Context) (up bool, out string, err error) {
	if b.bare {
		out, err = b.Run(ctx, "cat", "/run/up") // which is not there outside
		return err == nil, out, err
	}
	out, err = b.Run(ctx, "systemctl", "is-system-running", "--wait")
	state := strings.TrimSpace(out)
	return state == "running" || state == "degraded", out, err
}

// Run executes a command in the machine, as root and without a terminal, and returns what it printed, on both streams. The
// error has it too.
func (b *Box) Run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := b.command(ctx, name, args...)
	cmd.Env = append(cmd.Env, "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// command is one in the machine, as root.
func (b *Box) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{
		"--target", strconv.Itoa(b.cmd.Process.Pid), "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--root", "--wd", "--", name,
	}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"}
	cmd.WaitDelay = time.Second
	return cmd
}

// Path is the name on the host of a file of the machine. It is good until Close.
func (b *Box) Path(name string) string {
	return filepath.Join("/proc", strconv.Itoa(b.cmd.Process.Pid), "root", name)
}

// Inside runs f on a thread in the network of the machine: sockets that f makes belong to it for good, whoever uses them.
func (b *Box) Inside(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ns, err := os.Open(filepath.Join("/proc", strconv.Itoa(b.cmd.Process.Pid), "ns/net"))
		if err != nil {
			result <- err
			return
		}
		defer func() { _ = ns.Close() }()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("box: %w", err)
			return
		}
		result <- f()
	}()
	return <-result
}

// Dial connects to an address of the machine.
func (b *Box) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = b.Inside(func() error {
		var dialer net.Dialer
		conn, err = dialer.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Console is what systemd has written so far.
func (b *Box) Console() string { return b.console.String() }

// Close switches the machine off. Nothing of it is left.
func (b *Box) Close() error {
	if b.cmd != nil && b.cmd.Process != nil {
		_ = b.cmd.Process.Kill() // the first process, and with it all others
		<-b.done
	}
	b.release()
	sweep := exec.Command("unshare", "--mount", "/bin/sh", "-c", sweepScript, "sweep.sh", b.dir) //nolint:noctx // it is short, and must not be cut short
	out, err := sweep.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("box: %w: %s", err, out)
	}
	return errors.Join(err, os.Remove(b.dir))
}
