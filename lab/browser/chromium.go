package browser

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/remote"
)

// patience bounds each wait, and the start: a busy machine takes seconds for what is usually done in milliseconds.
const patience = 30 * time.Second

// flags make Chromium usable by root and without a screen, alike on each machine, and quiet: it asks nobody for anything. Pages of other
// sites have processes of their own even in a frame, as on a desktop.
var flags = []string{
	"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check", "--mute-audio",
	"--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-extensions", "--disable-sync",
	"--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
	"--metrics-recording-only", "--password-store=basic", "--use-mock-keychain", "--site-per-process", "--lang=en-US",
	"--force-color-profile=srgb", "--hide-scrollbars", "--remote-debugging-port=0",
}

// Options say how Chromium is run.
type Options struct {
	Popups bool // pages may open windows without a click, as an administrator allows it for the address of the console
}

// Browser is a running Chromium.
type Browser struct {
	t    testing.TB
	ctx  context.Context // of chromedp
	mu   sync.Mutex
	seen map[string]bool // targets that a Page has been made for
}

// ForTest starts a Chromium for a test and ends it with the test, which fails, with the reason, where there is none.
func ForTest(t testing.TB, o Options) *Browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("no chromium for this test, make need-test installs it: %v", err)
	}
	profile, err := os.MkdirTemp("", "dialbridge-chromium")
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--user-data-dir=" + profile, "--disk-cache-dir=" + filepath.Join(profile, "cache")}, flags...)
	if o.Popups {
		args = append(args, "--disable-popup-blocking")
	}
	cmd := exec.Command(program, append(args, "about:blank")...) //nolint:noctx // ended below, after chromedp has let go of it
	cmd.Env = append(os.Environ(), "HOME="+profile, "LANGUAGE=en")
	p, err := start(cmd)
	t.Cleanup(func() {
		p.end()
		if err := remove(profile); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	ctx, cancel := remote.NewAllocator(context.WithoutCancel(t.Context()), p.address, remote.NoModifyURL)
	t.Cleanup(cancel)
	b := &Browser{t: t, seen: map[string]bool{}}
	b.ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(b.ctx); err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return b
}

// process is Chromium with its children, in a process group of its own.
type process struct {
	address string // of its DevTools
	pid     int
	done    chan struct{}
}

// start runs Chromium until it listens. The kernel ends it with the thread that forked it, so a thread is kept for it.
func start(cmd *exec.Cmd) (*process, error) {
	p := &process{done: make(chan struct{})}
	said, err := cmd.StderrPipe()
	if err != nil {
		close(p.done)
		return p, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started, listens := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		listens <- p.listen(said)
		_, _ = io.Copy(io.Discard, said) // it must not wait for a reader
		_ = cmd.Wait()                   // it is killed
	}()
	if err := <-started; err != nil {
		return p, err
	}
	p.pid = cmd.Process.Pid
	select {
	case err := <-listens:
		return p, err
	case <-time.After(patience):
		return p, errors.New("it does not listen")
	}
}

// listen reads where the DevTools are.
func (p *process) listen(said io.Reader) error {
	var all strings.Builder
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if address, ok := strings.CutPrefix(lines.Text(), "DevTools listening on "); ok {
			p.address = address
			return nil
		}
		all.WriteString(lines.Text() + "\n")
	}
	return fmt.Errorf("it ended and said\n%s", all.String())
}

// end kills Chromium and its children, and waits.
func (p *process) end() {
	if p.pid > 0 {
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	}
	<-p.done
}

// remove removes a profile; a child that has been killed may still be writing its last.
func remove(dir string) (err error) {
	for range 100 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		<-time.After(20 * time.Millisecond)
	}
	return err
}
