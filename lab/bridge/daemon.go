package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dialbridge/dialbridge/lab"
)

// Options say how the daemon is run.
type Options struct {
	Binary   string    // the program
	Dir      string    // for its configuration and database; kept between runs
	Receiver *Receiver // nil = no URL
	WebKey   string
	Username string // of the manager; "" = the lab's, with its secret
	Secret   string
	Extra    string    // more lines of api.conf
	Env      []string  // more of its environment: name=value
	Log      io.Writer // nil = kept for Log only
}

// Daemon is a running dialbridge beside a lab.
type Daemon struct {
	URL    string // of its own interface, http://127.22.0.1:8000
	Config string // api.conf
	opts   Options
	log    *logBuffer
	cmd    *exec.Cmd
	done   chan struct{}
	err    error
}

// logBuffer keeps the log and tells who waits for a line in it.
type logBuffer struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	tee     io.Writer
	changed chan struct{}
}

// Write implements io.Writer.
func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(p)
	close(l.changed)
	l.changed = make(chan struct{})
	if l.tee != nil {
		return l.tee.Write(p)
	}
	return len(p), nil
}

// Build compiles the program into dir; race adds the race detector.
func Build(ctx context.Context, dir string, race bool) (string, error) {
	bin := filepath.Join(dir, "dialbridge")
	args := []string{"build", "-o", bin}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "github.com/dialbridge/dialbridge")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building dialbridge: %w: %s", err, out)
	}
	return bin, nil
}

// Configuration is the api.conf that fits a lab.
func Configuration(l *lab.Lab, o Options) string {
	var b strings.Builder
	section := func(name string, keyValue ...string) {
		fmt.Fprintf(&b, "[%s]\n", name)
		for i := 0; i < len(keyValue); i += 2 {
			fmt.Fprintf(&b, "%s = %s\n", keyValue[i], keyValue[i+1])
		}
	}
	target := ""
	if o.Receiver != nil {
		target = o.Receiver.URL
	}
	section("general", "BINDADDR", l.IP, "BINDPORT", "0", "URL", target, "WEBKEY", o.WebKey)
	user, secret := l.AMIUser, l.AMISecret
	if o.Username != "" {
		user, secret = o.Username, o.Secret
	}
	section("ami", "address", l.AMIAddress, "username", user, "secret", secret)
	section("ari", "url", l.ARIURL, "username", l.ARIUser, "password", l.ARIPassword)
	section("recordings", "directory", l.RecordingsDir, "asterisk_directory", l.AsteriskRecordingsDir)
	section("calls", "cdr_csv", l.CDRCSV)
	section("store", "path", filepath.Join(o.Dir, "dialbridge.db"))
	return b.String() + o.Extra
}

// Prepare writes api.conf and runs nothing.
func Prepare(l *lab.Lab, o Options) (*Daemon, error) {
	d := &Daemon{Config: filepath.Join(o.Dir, "api.conf"), opts: o}
	return d, os.WriteFile(d.Config, []byte(Configuration(l, o)), 0o600)
}

// PrepareStock writes the api.conf of a machine whose Asterisk nobody has changed: what is to be told to whom, and nothing of
// Asterisk but its folders, which differ from those of a machine in a lab.
func PrepareStock(l *lab.Lab, o Options) (*Daemon, error) {
	d := &Daemon{Config: filepath.Join(o.Dir, "api.conf"), opts: o}
	text := fmt.Sprintf("[general]\nBINDADDR = %s\nBINDPORT = 0\nURL = %s\n\n[ami]\n# the address is found out\n[recordings]\n"+
		"directory = %s\nasterisk_directory = %s\n[calls]\ncdr_csv = %s\n[store]\npath = %s\n",
		l.IP, o.Receiver.URL, l.RecordingsDir, l.AsteriskRecordingsDir, l.CDRCSV, filepath.Join(o.Dir, "dialbridge.db"))
	return d, os.WriteFile(d.Config, []byte(text+o.Extra), 0o600)
}

// Start writes api.conf, runs the daemon and waits until it is ready.
func Start(ctx context.Context, l *lab.Lab, o Options) (*Daemon, error) {
	d, err := Prepare(l, o)
	if err != nil {
		return nil, err
	}
	if err := d.Run(ctx); err != nil {
		return nil, err
	}
	if err := d.Ready(ctx); err != nil {
		return nil, errors.Join(err, d.Kill())
	}
	return d, nil
}

// Run starts the process once more and waits until it listens.
func (d *Daemon) Run(ctx context.Context) error {
	d.log = &logBuffer{tee: d.opts.Log, changed: make(chan struct{})}
	d.cmd = exec.Command(d.opts.Binary, "serve", "--config", d.Config) //nolint:noctx // ended by Stop or Kill
	d.cmd.Stderr = d.log
	d.cmd.Env = append(os.Environ(), d.opts.Env...)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	d.done = make(chan struct{})
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the parent-death signal comes when the thread that forked ends
		err := d.cmd.Start()
		started <- err
		if err == nil {
			d.err = d.cmd.Wait()
		}
		close(d.done)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("dialbridge: %w", err)
	}
	line, err := d.WaitLog(ctx, "dialbridge is running")
	if err != nil {
		return errors.Join(err, d.Kill())
	}
	var said struct {
		HTTP string `json:"http"`
	}
	if err := json.Unmarshal([]byte(line), &said); err != nil {
		return fmt.Errorf("dialbridge: log line %q: %w", line, err)
	}
	d.URL = "http://" + said.HTTP
	return nil
}

// WaitLog waits for a log line with a text and returns the first one.
func (d *Daemon) WaitLog(ctx context.Context, text string) (string, error) {
	for {
		d.log.mu.Lock()
		log, changed := d.log.buf.String(), d.log.changed
		d.log.mu.Unlock()
		for line := range strings.Lines(log) {
			if strings.Contains(line, text) && strings.HasSuffix(line, "\n") {
				return strings.TrimSpace(line), nil
			}
		}
		select {
		case <-changed:
		case <-d.done:
			return "", fmt.Errorf("dialbridge ended (%w) before it logged %q:\n%s", d.err, text, d.Log())
		case <-ctx.Done():
			return "", fmt.Errorf("waiting for log line %q: %w", text, ctx.Err())
		}
	}
}

// Log returns everything that the current run has logged.
func (d *Daemon) Log() string {
	d.log.mu.Lock()
	defer d.log.mu.Unlock()
	return d.log.buf.String()
}

// Pid is the process id of the current run.
func (d *Daemon) Pid() int { return d.cmd.Process.Pid }

// Ready waits until /readyz answers 200.
func (d *Daemon) Ready(ctx context.Context) error {
	last := ""
	for {
		code, body, err := d.Get(ctx, "/readyz")
		if err == nil && code == http.StatusOK {
			return nil
		}
		if err == nil {
			last = body
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("dialbridge is not ready: %w: %s", ctx.Err(), last)
		case <-d.done:
			return fmt.Errorf("dialbridge ended (%w):\n%s", d.err, d.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Get asks a path of the daemon.
func (d *Daemon) Get(ctx context.Context, path string) (code int, body string, err error) {
	return d.do(ctx, http.MethodGet, path, nil)
}

// Post sends a form to a path of the daemon, as name and value pairs.
func (d *Daemon) Post(ctx context.Context, path string, nameValue ...string) (code int, body string, err error) {
	form := url.Values{}
	for i := 0; i < len(nameValue); i += 2 {
		form.Set(nameValue[i], nameValue[i+1])
	}
	return d.do(ctx, http.MethodPost, path, strings.NewReader(form.Encode()))
}

func (d *Daemon) do(ctx context.Context, method, path string, body io.Reader) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, d.URL+path, body)
	if err != nil {
		return 0, "", err
	}
	if d.opts.WebKey != "" {
		token, err := d.Token(ctx)
		if err != nil {
			return 0, "", err
		}
		req.Header.Set("Authorization", token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// Token asks the program for the Authorization value of today, as an administrator would.
func (d *Daemon) Token(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, d.opts.Binary, "token", "--config", d.Config).Output()
	if err != nil {
		return "", fmt.Errorf("dialbridge token: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Signal sends a signal to the process.
func (d *Daemon) Signal(s os.Signal) error { return d.cmd.Process.Signal(s) }

// Stop ends the daemon by SIGTERM and waits; an exit status other than 0 is an error.
func (d *Daemon) Stop() error {
	if err := d.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-d.done
	return d.err
}

// Kill ends the daemon by SIGKILL and waits.
func (d *Daemon) Kill() error {
	if err := d.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-d.done
	return nil
}
