// Package sd tells systemd how the daemon is: the sd_notify protocol of
// sd_notify(3), without a library. Where systemd does not listen, every call
// does nothing and succeeds.
package sd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sendLimit bounds one notification. systemd reads at once; a peer that does
// not must not hold up the daemon.
const sendLimit = time.Second

// ErrSocket is returned by New for a NOTIFY_SOCKET that is no unix socket.
var ErrSocket = errors.New("NOTIFY_SOCKET: neither a path nor an abstract name")

// Notifier sends the daemon's state to systemd. It is safe for use by several
// goroutines.
type Notifier struct {
	address  string // "" = nobody listens
	watchdog time.Duration
}

// New reads the socket and the watchdog time from the environment, through
// getenv (os.Getenv in the daemon).
func New(getenv func(string) string) (*Notifier, error) {
	n := &Notifier{address: getenv("NOTIFY_SOCKET")}
	if n.address != "" && n.address[0] != '/' && n.address[0] != '@' {
		return nil, ErrSocket
	}
	pid := getenv("WATCHDOG_PID")
	if pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return n, nil // the watchdog is of another process of the unit
	}
	text := getenv("WATCHDOG_USEC")
	if text == "" {
		return n, nil
	}
	usec, err := strconv.ParseUint(text, 10, 42)
	if err != nil || usec == 0 {
		return nil, fmt.Errorf("WATCHDOG_USEC: %q is no number of microseconds", text)
	}
	n.watchdog = time.Duration(usec) * time.Microsecond
	return n, nil
}

// Active tells whether systemd listens.
func (n *Notifier) Active() bool { return n.address != "" }

// WatchdogEvery is how often Watchdog should be called: half of the time after
// which systemd kills the daemon. 0 means that no watchdog is set.
func (n *Notifier) WatchdogEvery() time.Duration {
	if !n.Active() {
		return 0
	}
	return n.watchdog / 2
}

// Ready says that the start, or a reload, is complete.
func (n *Notifier) Ready(status string) error { return n.send("READY=1", "STATUS="+line(status)) }

// Reloading says that the configuration is being read again; Ready ends it.
func (n *Notifier) Reloading() error {
	usec, err := monotonic()
	if err != nil {
		return err
	}
	return n.send("RELOADING=1", "MONOTONIC_USEC="+strconv.FormatInt(usec, 10))
}

// Stopping says that the daemon is on its way out.
func (n *Notifier) Stopping() error { return n.send("STOPPING=1") }

// Status sets the one line that systemctl status shows.
func (n *Notifier) Status(status string) error { return n.send("STATUS=" + line(status)) }

// Watchdog says that the daemon is alive and does its work.
func (n *Notifier) Watchdog() error { return n.send("WATCHDOG=1") }

// line keeps a status from starting an assignment of its own.
func line(status string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "\x00", " ").Replace(status)
}

// monotonic is CLOCK_MONOTONIC in microseconds, which is what systemd compares
// RELOADING with; Go's own monotonic clock has another start.
func monotonic() (int64, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0, fmt.Errorf("monotonic clock: %w", err)
	}
	return now.Nano() / 1000, nil
}

func (n *Notifier) send(assignments ...string) error {
	if !n.Active() {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.address, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetWriteDeadline(time.Now().Add(sendLimit)); err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	if _, err := conn.Write([]byte(strings.Join(assignments, "\n"))); err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	return nil
}
