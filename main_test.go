package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// patienceOfScripts is how long a script waits for what must come.
const patienceOfScripts = 20 * time.Second

// TestMain lets the test binary be the program, so that the scripts run what main runs.
func TestMain(m *testing.M) {
	testscript.Main(leakless{m}, map[string]func(){"dialbridge": main})
}

// leakless fails when tests leave goroutines behind.
type leakless struct{ m *testing.M }

// Run implements testscript.TestingM.
func (l leakless) Run() int {
	code := l.m.Run()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			s := &stage{t: env.T().(testing.TB), env: env, daemons: map[string]*process{}, receivers: map[string]*receiver{}, requests: map[string]chan answer{}}
			env.Values[stageKey{}] = s
			env.Defer(s.close)
			for _, v := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM"} {
				env.Setenv(v, "")
			}
			env.Setenv("GORACE", "atexit_sleep_ms=0 exitcode=66") // else every end takes a second
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"asterisk": asteriskVerb, "receiver": receiverVerb, "expand": expandVerb, "exits": exitsVerb,
			"start": startVerb, "terminate": terminateVerb, "kill9": killVerb, "reload": reloadVerb, "ready": readyVerb,
			"log": logVerb, "http": httpVerb, "until": untilVerb, "find": findVerb, "damage": damageVerb, "request": requestVerb, "answer": answerVerb,
			"exposition": expositionVerb, "modes": modesVerb,
		},
	})
}

type stageKey struct{}

// stage is what a script has running.
type stage struct {
	t         testing.TB
	env       *testscript.Env
	fake      *asterisk
	daemons   map[string]*process
	receivers map[string]*receiver
	requests  map[string]chan answer
}

func stageOf(ts *testscript.TestScript) *stage { return ts.Value(stageKey{}).(*stage) }

func (s *stage) close() {
	for _, p := range s.daemons {
		_ = p.cmd.Process.Kill() // most have ended
		<-p.done
		if s.t.Failed() || strings.Contains(p.log.String(), "DATA RACE") {
			s.t.Errorf("the daemon's log:\n%s", p.log)
		}
	}
	for _, r := range s.receivers {
		r.close()
	}
	for _, c := range s.requests {
		<-c
	}
}

// usage ends a script that uses a verb wrongly.
func usage(ts *testscript.TestScript, ok bool, text string) {
	if !ok {
		ts.Fatalf("usage: %s", text)
	}
}

// process is a running daemon.
type process struct {
	cmd  *exec.Cmd
	log  *logBuffer
	done chan struct{}
	err  error
	base string // of its HTTP interface
}

// startVerb runs the program in the background and waits until it listens; $HTTP is its address then, $PORT the port of it.
func startVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) > 0, "start NAME [ARGS...]")
	s := stageOf(ts)
	binary, err := exec.LookPath("dialbridge")
	ts.Check(err)
	p := &process{log: newLogBuffer(), done: make(chan struct{})}
	p.cmd = exec.Command(binary, args[1:]...) //nolint:noctx // ended by terminate, kill9 or the end of the script
	p.cmd.Dir, p.cmd.Stderr = ts.Getenv("WORK"), p.log
	p.cmd.Env = environOf(ts, s.env)
	ts.Check(p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	s.daemons[args[0]] = p
	line := p.wait(ts, regexp.MustCompile("dialbridge is running"), 1)
	var said struct{ HTTP string }
	if err := json.Unmarshal([]byte(line), &said); err != nil {
		ts.Fatalf("log line %q: %v", line, err)
	}
	p.base = "http://" + said.HTTP
	ts.Setenv("HTTP", p.base)
	ts.Setenv("PORT", said.HTTP[strings.LastIndexByte(said.HTTP, ':')+1:])
}

// environOf is the environment of the script as it is now.
func environOf(ts *testscript.TestScript, env *testscript.Env) (list []string) {
	for _, pair := range env.Vars {
		name, _, _ := strings.Cut(pair, "=")
		list = append(list, name+"="+ts.Getenv(name))
	}
	for _, name := range []string{"DIALBRIDGE_AMI_SECRET", "DIALBRIDGE_GENERAL_WEBKEY", "DIALBRIDGE_LOG_LEVEL"} {
		if v := ts.Getenv(name); v != "" {
			list = append(list, name+"="+v)
		}
	}
	return list
}

func daemonOf(ts *testscript.TestScript, name string) *process {
	p := stageOf(ts).daemons[name]
	if p == nil {
		ts.Fatalf("no daemon %s was started", name)
	}
	return p
}

// terminateVerb sends SIGTERM and wants status 0 within ten seconds.
func terminateVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "terminate NAME")
	p := daemonOf(ts, args[0])
	began := time.Now()
	ts.Check(p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.done:
	case <-time.After(patienceOfScripts):
		ts.Fatalf("it does not stop")
	}
	if took := time.Since(began); p.err != nil || took > 10*time.Second {
		ts.Fatalf("it ended after %s with %v", took, p.err)
	}
}

func killVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "kill9 NAME")
	p := daemonOf(ts, args[0])
	ts.Check(p.cmd.Process.Kill())
	<-p.done
}

// reloadVerb sends SIGHUP and waits until the daemon has said how it went; with ! it must have refused.
func reloadVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 1, "[!] reload NAME")
	p := daemonOf(ts, args[0])
	said := regexp.MustCompile(`configuration was (not )?reloaded`)
	before := len(p.lines(said))
	ts.Check(p.cmd.Process.Signal(syscall.SIGHUP))
	line := p.wait(ts, said, before+1)
	if strings.Contains(line, "was not reloaded") != neg {
		ts.Fatalf("it says %s", line)
	}
}

// readyVerb waits until /readyz answers 200.
func readyVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 0, "ready")
	untilVerb(ts, false, []string{"200", "/readyz", "."})
}

// logVerb waits for a line of the log; with -count=N it wants exactly so many at this moment, with ! none.
func logVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 || len(args) == 3, "[!] log NAME [-count=N] REGEXP")
	p, re := daemonOf(ts, args[0]), compile(ts, args[len(args)-1])
	want := -1
	if text, ok := strings.CutPrefix(args[1], "-count="); ok && len(args) == 3 {
		n, err := strconv.Atoi(text)
		ts.Check(err)
		want = n
	}
	if neg {
		want = 0
	}
	if want < 0 {
		p.wait(ts, re, 1)
		return
	}
	if got := p.lines(re); len(got) != want {
		ts.Fatalf("%d lines of the log match %s, want %d:\n%s", len(got), re, want, strings.Join(got, "\n"))
	}
}

func compile(ts *testscript.TestScript, text string) *regexp.Regexp {
	re, err := regexp.Compile(text)
	ts.Check(err)
	return re
}

// lines returns the lines of the log that match.
func (p *process) lines(re *regexp.Regexp) (list []string) {
	for line := range strings.Lines(p.log.String()) {
		if strings.HasSuffix(line, "\n") && re.MatchString(line) {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return list
}

// wait returns the nth line of the log that matches.
func (p *process) wait(ts *testscript.TestScript, re *regexp.Regexp, n int) string {
	limit := time.NewTimer(patienceOfScripts)
	defer limit.Stop()
	for {
		changed := p.log.wait()
		if list := p.lines(re); len(list) >= n {
			return list[n-1]
		}
		select {
		case <-changed:
		case <-p.done:
			if list := p.lines(re); len(list) >= n {
				return list[n-1]
			}
			ts.Fatalf("the daemon ended (%v) without the log line %s:\n%s", p.err, re, p.log)
		case <-limit.C:
			ts.Fatalf("no log line matches %s:\n%s", re, p.log)
		}
	}
}

// exitsVerb runs a command and compares its exit status.
func exitsVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "exits STATUS COMMAND [ARGS...]")
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// expandVerb puts the values of variables into files.
func expandVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) > 0, "expand FILE...")
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), func(v string) string {
			if value := ts.Getenv(v); value != "" {
				return value
			}
			return "$" + v // the end of a regular expression
		})
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
		ts.Check(os.Chmod(ts.MkAbs(name), 0o600)) // it may hold secrets
	}
}

// answer is the end of a request.
type answer struct {
	status int
	text   string // headers and body
	err    error
}

// send makes a request: [-H HEADER] METHOD PATH [BODY].
func send(base string, args []string) answer {
	var header []string
	for len(args) > 1 && args[0] == "-H" {
		header, args = append(header, args[1]), args[2:]
	}
	body := ""
	if len(args) > 2 {
		body = args[2]
	}
	ctx, cancel := context.WithTimeout(context.Background(), patienceOfScripts)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, args[0], base+args[1], strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	var b bytes.Buffer
	_ = resp.Header.Write(&b) // a buffer takes everything
	_, err = io.Copy(&b, resp.Body)
	return answer{resp.StatusCode, b.String(), err}
}

func (a answer) expect(ts *testscript.TestScript, status string) {
	ts.Check(a.err)
	_, err := io.WriteString(ts.Stdout(), a.text)
	ts.Check(err)
	if strconv.Itoa(a.status) != status {
		ts.Fatalf("status %d, want %s", a.status, status)
	}
}

// httpVerb makes a request to $HTTP; headers and body of the answer are the standard output.
func httpVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 3, "http STATUS [-H HEADER]... METHOD PATH [BODY]")
	send(ts.Getenv("HTTP"), args[1:]).expect(ts, args[0])
}

// untilVerb asks a path until status and body are as wanted.
func untilVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 3, "until STATUS PATH REGEXP")
	re := compile(ts, args[2])
	deadline := time.Now().Add(patienceOfScripts)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		a := send(ts.Getenv("HTTP"), []string{http.MethodGet, args[1]})
		if a.err == nil && strconv.Itoa(a.status) == args[0] && re.MatchString(a.text) {
			a.expect(ts, args[0])
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s answers %d %s %v", args[1], a.status, a.text, a.err)
		}
		<-look.C
	}
}

// modesVerb compares the permissions of files.
func modesVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args)%2 == 0, "modes MODE FILE...")
	for i := 0; i < len(args); i += 2 {
		info, err := os.Stat(ts.MkAbs(args[i+1]))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[i] {
			ts.Fatalf("%s has the mode %s, want %s", args[i+1], got, args[i])
		}
	}
}

// damageVerb spoils the first bytes of a file.
func damageVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "damage FILE")
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteString("no database")
	ts.Check(errors.Join(err, f.Close()))
}

// findVerb puts what matches in the last standard output into a variable.
func findVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "find VAR REGEXP")
	found := compile(ts, args[1]).FindString(ts.ReadFile("stdout"))
	if found == "" {
		ts.Fatalf("nothing matches %s", args[1])
	}
	ts.Setenv(args[0], found)
}

// requestVerb makes a request that is not waited for.
func requestVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 3, "request NAME [-H HEADER]... METHOD PATH [BODY]")
	c, base := make(chan answer, 1), ts.Getenv("HTTP")
	stageOf(ts).requests[args[0]] = c
	go func() {
		c <- send(base, args[1:])
		close(c)
	}()
}

// answerVerb wants a status, or with ! that the connection was cut.
func answerVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg && len(args) == 1 || !neg && len(args) == 2, "answer NAME STATUS | ! answer NAME")
	a := <-stageOf(ts).requests[args[0]]
	if !neg {
		a.expect(ts, args[1])
	} else if a.err == nil {
		ts.Fatalf("it is answered: %d %s", a.status, a.text)
	}
}

// logBuffer keeps a log and tells who waits when it grows.
type logBuffer struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{}
}

func newLogBuffer() *logBuffer { return &logBuffer{changed: make(chan struct{})} }

// Write implements io.Writer.
func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.buf.Write(p)
}

// wait returns a channel that is closed when something more is written.
func (l *logBuffer) wait() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// String returns what was written so far.
func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
