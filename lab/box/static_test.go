package box_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
)

// TestStatic runs the programs of the packages in a folder that has nothing else in it, no libc, no /proc and no file of /etc, beside a real
// Asterisk: version, check, the daemon, and the outbox. One of another architecture is run by an emulator.
func TestStatic(t *testing.T) {
	pbx := lab.ForTest(t, "22", lab.Options{})
	for _, arch := range archs() {
		t.Run(arch, func(t *testing.T) {
			r, err := bridge.NewReceiver(t.Context(), pbx.IP)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			c := newCell(t, arch)
			conf := bridge.Configuration(pbx, bridge.Options{Dir: "/", Receiver: r, WebKey: "a-key"})
			// Asterisk's files are not in the folder; the time zone has to be in the program.
			conf = strings.NewReplacer(pbx.RecordingsDir, "/", pbx.CDRCSV, "/Master.csv", "[general]\n", "[general]\ntimezone = Asia/Shanghai\n").Replace(conf)
			c.put("api.conf", []byte(conf), 0o600)
			c.put("Master.csv", nil, 0o600)
			c.put("tmp/.keep", nil, 0o600)

			if said := c.run("version"); !strings.HasPrefix(said, "dialbridge ") {
				t.Errorf("version: %s", said)
			}
			said := c.run("check", "--config", "/api.conf")
			if !strings.Contains(said, "time zone Asia/Shanghai") {
				t.Errorf("check:\n%s", said)
			}
			c.serve(pbx.IP)
			if said := c.run("outbox", "status", "--config", "/api.conf"); !strings.Contains(said, "daemon    does not run") {
				t.Errorf("outbox status: %s", said)
			}
		})
	}
}

// cell is a folder that a program sees as /.
type cell struct {
	*testing.T
	dir  string
	word []string // the program, or the emulator and the program
}

func newCell(t *testing.T, arch string) *cell {
	t.Helper()
	c := &cell{T: t, dir: t.TempDir(), word: []string{"/dialbridge"}}
	c.link(filepath.Join(out, "bin", "linux-"+arch, "dialbridge"), "dialbridge")
	if arch != runtime.GOARCH {
		emulator := map[string]string{"arm64": "qemu-aarch64-static", "amd64": "qemu-x86_64-static"}[arch]
		found, err := exec.LookPath(emulator)
		if err != nil {
			t.Fatal(err)
		}
		c.link(found, "emulator")
		c.word = []string{"/emulator", "/dialbridge"}
	}
	return c
}

func (c *cell) link(from, name string) {
	c.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		c.Fatal(err)
	}
	c.put(name, text, 0o755)
}

func (c *cell) put(name string, text []byte, mode os.FileMode) {
	c.Helper()
	file := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(file, text, mode); err != nil {
		c.Fatal(err)
	}
}

func (c *cell) command(ctx context.Context, args ...string) *exec.Cmd {
	args = append(c.word[1:len(c.word):len(c.word)], args...)
	cmd := exec.CommandContext(ctx, c.word[0], args...)
	cmd.Dir, cmd.Env = "/", []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.dir, Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (c *cell) run(args ...string) string {
	c.Helper()
	text, err := c.command(c.Context(), args...).CombinedOutput()
	if err != nil {
		c.Fatalf("%v: %v\n%s", args, err, text)
	}
	return string(text)
}

var listening = regexp.MustCompile(`"listening for http","address":"([^"]+)"`)

// serve runs the daemon until it is ready, and ends it as systemd would.
func (c *cell) serve(ip string) {
	c.Helper()
	logFile := filepath.Join(c.dir, "log")
	log, err := os.Create(logFile)
	if err != nil {
		c.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	cmd := c.command(context.Background(), "serve", "--config", "/api.conf")
	cmd.Stdout, cmd.Stderr = log, log
	runtime.LockOSThread() // the kernel kills the daemon when the thread that forked it ends
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}
	err = c.awaitReady(logFile, ip)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if ended := cmd.Wait(); err != nil || ended != nil {
		text, _ := os.ReadFile(logFile)
		c.Fatalf("ready: %v, end: %v\n%s", err, ended, text)
	}
}

func (c *cell) awaitReady(logFile, ip string) error {
	ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
	defer cancel()
	for {
		text, err := os.ReadFile(logFile)
		if err != nil {
			return err
		}
		if found := listening.FindSubmatch(text); found != nil {
			port := string(found[1][strings.LastIndex(string(found[1]), ":")+1:])
			if err = ready(ctx, "http://"+ip+":"+port+"/readyz"); err == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func ready(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("readyz: %s %s %w", answer.Status, text, err)
	}
	return nil
}
