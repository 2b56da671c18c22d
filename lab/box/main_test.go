package box_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab/box"
	"github.com/dialbridge/dialbridge/lab/bridge"
)

// all makes the tests cover both versions of Asterisk and both architectures: `make test-deb`. Each takes the same way; `make test` goes it
// once.
var all = flag.Bool("all", false, "both versions of Asterisk, both architectures")

// out is where programs and packages are built.
var out string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "dialbridge-packages-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	out = dir
	if err := build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// archs are the architectures that are tried, this machine's first.
func archs() []string {
	list := []string{runtime.GOARCH}
	if *all {
		list = append(list, map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH])
	}
	return list
}

// versions are those of Asterisk.
func versions() []string {
	if *all {
		return []string{"22", "16"}
	}
	return []string{"22"}
}

// root is that of the repository.
const root = "../.."

// build makes the packages as anybody does.
func build() error {
	cmd := exec.Command("make", "-C", root, "deb", "ARCHS="+strings.Join(archs(), " "), "BIN="+filepath.Join(out, "bin"), "DIST="+out) //nolint:noctx // the test's own limit ends it
	text, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("make deb: %w\n%s", err, text)
	}
	return nil
}

// deb is the package of an architecture.
func deb(t *testing.T, arch string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(out, "dialbridge_*_"+arch+".deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("packages of %s: %v, %v", arch, found, err)
	}
	return found[0]
}

// machine is a box in a test.
type machine struct {
	*testing.T
	*box.Box
	ctx context.Context
}

func boot(t *testing.T, version string) *machine {
	t.Helper()
	b, err := box.Boot(t.Context(), box.Options{Version: version, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t, b, t.Context()}
	t.Cleanup(func() {
		if t.Failed() {
			log, err := b.Run(context.Background(), "journalctl", "--no-pager", "--lines=60", "--output=cat", "--unit=dialbridge")
			t.Logf("the end of its log: %v\n%s", err, log)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// run executes a command that has to succeed.
func (m *machine) run(line string) string {
	m.Helper()
	text, err := m.Box.Run(m.ctx, "/bin/sh", "-c", line)
	if err != nil {
		m.Fatal(err)
	}
	return strings.TrimSpace(text)
}

// tells wants a line of shell to print exactly that.
func (m *machine) tells(line, want string) {
	m.Helper()
	if got := m.run(line); got != want {
		m.Errorf("%s: %q, want %q", line, got, want)
	}
}

// write puts a file into the machine.
func (m *machine) write(name, text string) {
	m.Helper()
	if err := os.MkdirAll(filepath.Dir(m.Path(name)), 0o755); err != nil {
		m.Fatal(err)
	}
	if err := os.WriteFile(m.Path(name), []byte(text), 0o600); err != nil {
		m.Fatal(err)
	}
}

// copy puts a package into the machine and returns its name there.
func (m *machine) copy(file string) string {
	m.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		m.Fatal(err)
	}
	name := "/root/" + filepath.Base(file)
	m.write(name, string(text))
	return name
}

// receive makes the customer's URL in the network of the machine.
func (m *machine) receive() *bridge.Receiver {
	m.Helper()
	var r *bridge.Receiver
	err := m.Inside(func() (err error) {
		r, err = bridge.NewReceiver(m.ctx, "127.0.0.1")
		return err
	})
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() {
		if err := r.Close(); err != nil {
			m.Error(err)
		}
	})
	return r
}

// configure sets keys of api.conf that stand there and are empty.
func (m *machine) configure(keyValue ...string) {
	m.Helper()
	text, err := os.ReadFile(m.Path("/etc/dialbridge/api.conf"))
	if err != nil {
		m.Fatal(err)
	}
	for i := 0; i < len(keyValue); i += 2 {
		line, key := "\n"+keyValue[i]+" =\n", "\n"+keyValue[i]+" = "+keyValue[i+1]+"\n"
		if !strings.Contains(string(text), line) {
			m.Fatalf("api.conf has no empty %s", keyValue[i])
		}
		text = []byte(strings.Replace(string(text), line, key, 1))
	}
	m.overwrite("/etc/dialbridge/api.conf", string(text))
}

// overwrite changes a file as an editor does: owner and mode stay.
func (m *machine) overwrite(name, text string) {
	m.Helper()
	f, err := os.OpenFile(m.Path(name), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		m.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		m.Fatal(err)
	}
	if err := f.Close(); err != nil {
		m.Fatal(err)
	}
}

// types runs a line at a terminal, and answers a question each time it is asked, which has to be once at least.
func (m *machine) types(line, question, answer string) string {
	m.Helper()
	terminal, err := m.Type(m.ctx, line)
	if err != nil {
		m.Fatal(err)
	}
	asked := terminal.Answer(question, answer)
	for err = asked; err == nil; {
		err = terminal.Answer(question, answer)
	}
	shown, err := terminal.Close()
	if asked != nil || err != nil {
		m.Fatalf("%s: %v, %v\n%s", line, asked, err, shown)
	}
	return strings.ReplaceAll(shown, "\r\n", "\n")
}

// call makes a call on the stock Asterisk, which has no phones: by IAX2 to itself, as the guest that its sample configuration lets in, and
// into the demonstration of its sample dialplan.
func (m *machine) call() {
	m.Helper()
	m.run("asterisk -rx 'channel originate IAX2/guest@127.0.0.1/1000 application Wait 1'")
}

// await waits until a line of shell prints what is wanted.
func (m *machine) await(line, want string) {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.ctx, time.Minute)
	defer cancel()
	for {
		got, _ := m.Box.Run(ctx, "/bin/sh", "-c", line)
		if strings.TrimSpace(got) == want {
			return
		}
		select {
		case <-ctx.Done():
			m.Fatalf("%s: %q, want %q", line, got, want)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// until waits for an event.
func (m *machine) until(r *bridge.Receiver, what string, ok func(bridge.Event) bool) bridge.Event {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.ctx, time.Minute)
	defer cancel()
	var found bridge.Event
	if _, err := r.Until(ctx, what, func(events []bridge.Event) bool {
		for _, e := range events {
			if ok(e) {
				found = e
				return true
			}
		}
		return false
	}); err != nil {
		m.Fatal(err)
	}
	return found
}

func kind(name string) func(bridge.Event) bool {
	return func(e bridge.Event) bool { return e.Kind == name }
}
