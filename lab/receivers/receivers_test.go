// Package receivers tries the programs of docs/receivers: each is started as its page says, and the daemon's own sender pushes to it.
package receivers

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/webhook"
)

// patience is how long a program may take to start, and an event to come.
const patience = 60 * time.Second

// program is one of docs/receivers.
type program struct {
	name     string
	make     [][]string                          // what its page says to do once, in a copy of its folder
	commands func(port, inbox string) [][]string // what runs, the server first
	environ  func(secret, inbox string) (list []string)
	parses   bool // it reads JSON before it keeps an event
}

func programs() []program {
	secret := func(secret, inbox string) []string { return []string{"WEBHOOK_SECRET=" + secret, "INBOX=" + inbox} }
	// Java reads its environment in the characters of the locale.
	utf8 := func(s, inbox string) []string { return append(secret(s, inbox), "LC_ALL=C.UTF-8") }
	return []program{
		{name: "python", environ: secret, parses: true, commands: func(port, inbox string) [][]string {
			return [][]string{{"python3", "receiver.py", port, inbox}}
		}},
		{name: "php", environ: secret, parses: true, commands: func(port, _ string) [][]string {
			return [][]string{{"php", "-S", "127.0.0.1:" + port, "receiver.php"}, {"php", "receiver.php"}}
		}},
		{name: "node", environ: secret, parses: true, make: [][]string{{"npm", "ci", "--no-audit", "--no-fund"}}, commands: func(port, inbox string) [][]string {
			return [][]string{{"node", "receiver.js", port, inbox}}
		}},
		{name: "go", environ: secret, parses: true, make: [][]string{{"go", "build", "-o", "receiver", "."}}, commands: func(port, inbox string) [][]string {
			return [][]string{{"./receiver", port, inbox}}
		}},
		{name: "java", environ: utf8, commands: func(port, inbox string) [][]string {
			return [][]string{{"java", "Receiver.java", port, inbox}}
		}},
	}
}

// install does what its page says to do once, in a copy of its folder, which it returns.
func (p *program) install(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "docs", "receivers", p.name))); err != nil {
		t.Fatal(err)
	}
	for _, args := range p.make {
		run(t, dir, args)
	}
	return dir
}

// TestReceivers: each takes what is genuine, once and in order, over a restart too, and refuses what is not.
func TestReceivers(t *testing.T) {
	for _, p := range programs() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			dir := p.install(t)
			inbox := filepath.Join(dir, "inbox")
			secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("a key of twenty-four byte"))
			r := start(t, p, dir, secret, inbox)
			tryForgeries(t, r, secret)
			tryOddHeaders(t, r, secret)
			tryOddBodies(t, r, secret, p.parses)
			want := tryOrder(t, r, secret)
			r.stop()

			plain := "no base64 at all: 张三 Müller!"
			r = start(t, p, dir, plain, inbox) // which knows what it had, and has nothing to do twice
			r.push(t, http.StatusUnauthorized, event(900, "dialbegin", "9.0"), secret)
			r.push(t, http.StatusNoContent, event(1, "dialbegin", "1.0"), plain)
			r.push(t, http.StatusNoContent, event(901, "hangup", "9.0"), plain, "and a newer one")
			r.push(t, http.StatusNoContent, event(902, "cc_cdr", "9.0"), "an older one", plain)
			tryRotation(t, r, plain)
			// The work on the last event may have been cut short: then it is done again.
			got := slices.DeleteFunc(r.lines(t, line(904, "cdr", "9.0")), func(l string) bool { return l == want[len(want)-1] })
			list := []string{line(901, "hangup", "9.0"), line(902, "cc_cdr", "9.0"), line(903, "cdr", "9.0"), line(904, "cdr", "9.0")}
			if diff := cmp.Diff(list, got); diff != "" {
				t.Errorf("after the restart it does (-want +got):\n%s\n%s", diff, r.said())
			}
		})
	}
}

// unset stands for a variable that is not there, as when its name is forgotten or misspelt.
const unset = "(unset)"

// TestReceiversWithoutASecret: with an empty key everybody could sign. A program says so and ends; PHP's page, which nobody starts, refuses.
func TestReceiversWithoutASecret(t *testing.T) {
	for _, p := range programs() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			dir := p.install(t)
			for _, secret := range []string{"", "whsec_", unset} {
				inbox := filepath.Join(dir, "inbox")
				environ := append(os.Environ(), p.environ(secret, inbox)...)
				if secret == unset {
					environ = slices.DeleteFunc(environ, func(v string) bool { return strings.HasPrefix(v, "WEBHOOK_SECRET=") })
				}
				if p.name == "php" {
					if secret == unset {
						continue // which is an empty one to it
					}
					r := start(t, p, dir, secret, inbox)
					id, now, body := "evt_1", stampOf(time.Now()), `{"event":"hangup"}`
					r.post(t, "an event that is signed with nothing", http.StatusUnauthorized, headers(id, now, signature(t, "", id, now, body)), body)
					continue
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				args := p.commands("0", inbox)[0]
				cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // of the table above
				cmd.Dir, cmd.Env = dir, environ
				text, err := cmd.CombinedOutput()
				if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || ctx.Err() != nil || !strings.Contains(strings.ToLower(string(text)), "empty") {
					t.Errorf("with the secret %q it ends with %v and says:\n%s", secret, err, text)
				}
			}
		})
	}
}

// tryForgeries sends what nobody with the secret has sent.
func tryForgeries(t *testing.T, r *running, secret string) {
	t.Helper()
	r.push(t, http.StatusUnauthorized, event(800, "hangup", "8.0"), "whsec_"+base64.StdEncoding.EncodeToString([]byte("another key")))
	r.push(t, http.StatusUnauthorized, event(801, "hangup", "8.0"))
	now := stampOf(time.Now())
	body := `{"event":"hangup","uniqueid":"8.0"}`
	for name, c := range map[string]struct {
		id, signed, body, at string
		want                 int
	}{
		"another body":  {"evt_802", "evt_802", body + " ", now, http.StatusUnauthorized},
		"another id":    {"evt_803", "evt_804", body, now, http.StatusUnauthorized},
		"an old one":    {"evt_805", "evt_805", body, stampOf(time.Now().Add(-10 * time.Minute)), http.StatusUnauthorized},
		"one of later":  {"evt_806", "evt_806", body, stampOf(time.Now().Add(10 * time.Minute)), http.StatusUnauthorized},
		"too large":     {"evt_807", "evt_807", strings.Repeat(" ", 1<<20+1), now, http.StatusRequestEntityTooLarge},
		"far too large": {"evt_808", "evt_808", strings.Repeat(" ", 8<<20), now, http.StatusRequestEntityTooLarge},
		"no identifier": {"", "", body, now, http.StatusUnauthorized},
	} {
		r.post(t, name, c.want, headers(c.id, c.at, signature(t, secret, c.signed, c.at, body)), c.body)
	}
}

// tryOrder lets the daemon's sender deliver calls, some events of which come twice, and wants each once and in the order of its call.
func tryOrder(t *testing.T, r *running, secret string) (want []string) {
	t.Helper()
	var events []webhook.Event
	for n := 1; n <= 30; n++ {
		call, kind := fmt.Sprintf("%d.0", (n-1)%5+1), []string{"dialbegin", "dialend", "ivr", "cdr", "hangup", "cc_cdr"}[(n-1)/5]
		e := event(n, kind, call)
		e.Key = call
		events, want = append(events, e), append(want, line(n, kind, call))
	}
	deliver(t, r.url, secret, events)
	for n := 1; n <= 30; n += 7 {
		r.push(t, http.StatusNoContent, events[n-1], secret)
	}
	// The work is done in the order of the inbox: what was taken twice would be done before the last one.
	r.push(t, http.StatusNoContent, event(31, "ivr", "6.0"), secret)
	want = append(want, line(31, "ivr", "6.0"))
	got := r.lines(t, want[len(want)-1])
	if diff := cmp.Diff(byCall(want), byCall(got)); diff != "" {
		t.Errorf("events by call (-want +got):\n%s", diff)
	}
	return want
}

// deliver is what the daemon does: outbox, sender, and the wait until all is delivered.
func deliver(t *testing.T, url, secret string, events []webhook.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	db, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(t.TempDir(), "a.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	dbCtx, closeDB := context.WithCancel(context.WithoutCancel(ctx))
	wg.Go(func() { _ = db.Run(dbCtx) })
	outbox, err := webhook.NewOutbox(ctx, db, webhook.OutboxOptions{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	sender := webhook.NewSender(outbox, webhook.SenderOptions{Logger: slog.New(slog.DiscardHandler)})
	if err := sender.Configure(webhook.Target{URL: url, Secrets: []string{secret}, RetryMax: time.Second}); err != nil {
		t.Fatal(err)
	}
	sendCtx, stop := context.WithCancel(ctx)
	var sending sync.WaitGroup
	sending.Go(func() { _ = sender.Run(sendCtx) })
	outbox.Put(events, nil)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for st := (webhook.Status{}); st.Total.Delivered < int64(len(events)); {
		if st, err = outbox.Status(ctx); err != nil {
			t.Errorf("%d of %d events are delivered; the receiver: %+v: %v", st.Total.Delivered, len(events), sender.State(), err)
			break
		}
		<-look.C
	}
	stop()
	sending.Wait()
	closeDB()
	wg.Wait()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func event(n int, kind, call string) webhook.Event {
	key := "uniqueid"
	if kind == "cc_cdr" || kind == "ivr" {
		key = "uuid"
	}
	return webhook.Event{ID: fmt.Sprintf("evt_%d", n), Kind: kind, Body: fmt.Appendf(nil, `{"event":%q,"name":"张三 Müller",%q:%q}`, kind, key, call)}
}

// line is what the programs print of an event.
func line(n int, kind, call string) string { return fmt.Sprintf("%s evt_%d %s", kind, n, call) }

// byCall sorts lines by their last word, in their order.
func byCall(lines []string) map[string][]string {
	calls := map[string][]string{}
	for _, l := range lines {
		call := l[strings.LastIndexByte(l, ' ')+1:]
		calls[call] = append(calls[call], l)
	}
	return calls
}

// running is a program under way.
type running struct {
	url  string
	logs []*output // of each command: lines of two would mix
	stop func()
}

func start(t *testing.T, p program, dir, secret, inbox string) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once: only a free port is looked for
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	r := &running{url: "http://" + address + "/"}
	var ends []func()
	for _, args := range p.commands(port, inbox) {
		cmd := exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // of the table above; ended by stop
		log := &output{}
		r.logs = append(r.logs, log)
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
		cmd.Env = append(os.Environ(), p.environ(secret, inbox)...)
		if err := cmd.Start(); err != nil {
			t.Fatalf("make need-receivers installs what is missing: %v", err)
		}
		ends = append(ends, func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
		})
	}
	r.stop = sync.OnceFunc(func() {
		for _, end := range ends {
			end()
		}
	})
	t.Cleanup(r.stop)
	deadline, look := time.Now().Add(patience), time.NewTicker(20*time.Millisecond)
	defer look.Stop()
	for {
		conn, err := net.DialTimeout("tcp", address, time.Second) //nolint:noctx // bounded by itself
		if err == nil {
			_ = conn.Close()
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not listen: %v\n%s", err, r.said())
		}
		<-look.C
	}
}

// run does what is done once.
func run(t *testing.T, dir string, args []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // of the table above
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v (make need-receivers installs what is missing)\n%s", args, err, text)
	}
}

// push sends one event as the daemon does.
func (r *running) push(t *testing.T, want int, e webhook.Event, secrets ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answer, err := webhook.Probe(ctx, webhook.Target{URL: r.url, Secrets: secrets}, nil, e)
	if answer.Status != want {
		t.Errorf("%s is answered with %d (%v), want %d", e.ID, answer.Status, err, want)
	}
}

func (r *running) said() string {
	var all strings.Builder
	for _, log := range r.logs {
		all.WriteString(log.text())
	}
	return all.String()
}

// lines waits for the work on the last event and returns all that was done.
func (r *running) lines(t *testing.T, last string) (list []string) {
	t.Helper()
	deadline, look := time.Now().Add(patience), time.NewTicker(20*time.Millisecond)
	defer look.Stop()
	for {
		list = nil
		for l := range strings.Lines(r.said()) {
			if words := strings.Fields(l); len(words) == 3 && strings.HasPrefix(words[1], "evt_") { // else a log line
				list = append(list, strings.TrimSpace(l))
			}
		}
		if slices.Contains(list, last) || time.Now().After(deadline) {
			return list
		}
		<-look.C
	}
}

// output keeps what programs print.
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

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
