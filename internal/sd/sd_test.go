package sd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// listen opens a socket as systemd does and returns a reader of one message.
func listen(t *testing.T, name string) func() string {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return func() string {
		t.Helper()
		buffer := make([]byte, 4096)
		if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
}

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestMessages(t *testing.T) {
	for _, name := range []string{
		filepath.Join(t.TempDir(), "notify"),
		"@dialbridge-test-" + strconv.Itoa(os.Getpid()),
	} {
		next := listen(t, name)
		n, err := New(env("NOTIFY_SOCKET", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			send func() error
			want string
		}{
			{func() error { return n.Ready("42 extensions") }, `^READY=1\nSTATUS=42 extensions$`},
			{func() error { return n.Status("a\nREADY=1\r\x00b") }, `^STATUS=a READY=1  b$`},
			{n.Reloading, `^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*$`},
			{n.Watchdog, `^WATCHDOG=1$`},
			{n.Stopping, `^STOPPING=1$`},
		} {
			if err := step.send(); err != nil {
				t.Fatal(err)
			}
			if got := next(); !regexp.MustCompile(step.want).MatchString(got) {
				t.Errorf("%s: sent %q, want %s", name, got, step.want)
			}
		}
	}
}

// TestMonotonic compares with the clock that systemd reads.
func TestMonotonic(t *testing.T) {
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	uptime, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	usec, err := monotonic()
	if err != nil {
		t.Fatal(err)
	}
	// CLOCK_MONOTONIC stands still in suspend, the uptime does not.
	if float64(usec)/1e6 > uptime+1 || usec <= 0 {
		t.Errorf("monotonic clock %d µs, uptime %v s", usec, uptime)
	}
}

func TestNobodyListens(t *testing.T) {
	n, err := New(env("WATCHDOG_USEC", "1000000"))
	if err != nil {
		t.Fatal(err)
	}
	if n.Active() || n.WatchdogEvery() != 0 {
		t.Errorf("active without a socket, watchdog every %v", n.WatchdogEvery())
	}
	for _, send := range []func() error{n.Stopping, n.Watchdog, n.Reloading, func() error { return n.Ready("") }} {
		if err := send(); err != nil {
			t.Errorf("without a socket: %v", err)
		}
	}
}

func TestSocketGone(t *testing.T) {
	n, err := New(env("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none")))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Watchdog(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want that there is no such socket", err)
	}
}

func TestEnvironment(t *testing.T) {
	own := strconv.Itoa(os.Getpid())
	for _, test := range []struct {
		pairs []string
		every time.Duration
		fails bool
	}{
		{pairs: []string{"WATCHDOG_USEC", "30000000"}, every: 15 * time.Second},
		{pairs: []string{"WATCHDOG_USEC", "30000000", "WATCHDOG_PID", own}, every: 15 * time.Second},
		{pairs: []string{"WATCHDOG_USEC", "30000000", "WATCHDOG_PID", "1"}, every: 0},
		{pairs: []string{"WATCHDOG_USEC", "soon"}, fails: true},
		{pairs: []string{"WATCHDOG_USEC", "0"}, fails: true},
		{pairs: []string{"WATCHDOG_USEC", "99999999999999999999"}, fails: true},
		{pairs: []string{"NOTIFY_SOCKET", "vsock:2:1234"}, fails: true},
	} {
		n, err := New(env(append(test.pairs, "NOTIFY_SOCKET", "/run/systemd/notify")...))
		if (err != nil) != test.fails {
			t.Errorf("%v: error %v", test.pairs, err)
			continue
		}
		if err == nil && n.WatchdogEvery() != test.every {
			t.Errorf("%v: watchdog every %v, want %v", test.pairs, n.WatchdogEvery(), test.every)
		}
	}
}

func TestJournal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	if !Journal(file, env("JOURNAL_STREAM", fmt.Sprintf("%d:%d", stat.Dev, stat.Ino))) {
		t.Error("the journal's own stream is not known")
	}
	if Journal(file, env("JOURNAL_STREAM", "1:1")) || Journal(file, env()) {
		t.Error("another stream is taken for the journal")
	}
}
