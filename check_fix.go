package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dialbridge/dialbridge/internal/conf"
	"github.com/dialbridge/dialbridge/internal/etc"
	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// consolePatience bounds one command of Asterisk's console.
const consolePatience = 10 * time.Second

// change is one file that is to be made or changed.
type change struct {
	path   string
	part   string // what is given up when a person refuses it: "manager", "ari", "cdr_manager"
	was    []byte // nil: there is none
	text   []byte
	owner  etc.Owner
	shown  []string // the lines that are new, without secrets
	reload []string // commands of Asterisk's console, after which it counts
}

// pair is a key of api.conf that is to be set.
type pair struct {
	part, section, key, value string
	secret                    bool
}

// fixer writes what check finds missing, as far as it can be written without a doubt.
type fixer struct {
	program
	o       checkOptions
	cfg     *conf.Config
	say     io.Writer // for people
	in      *bufio.Reader
	changes []change // of Asterisk's files
	due     []string // commands of Asterisk's console for what an earlier run has written, perhaps without telling Asterisk
	pairs   []pair
	written []writtenFile
}

// writtenFile is one that was written, and where the old one is.
type writtenFile struct {
	File   string `json:"file"`
	Backup string `json:"backup,omitempty"`
}

// left tells a person what is not mended from here, and why.
func (f *fixer) left(format string, args ...any) {
	_, _ = fmt.Fprintf(f.say, "left   "+format+"\n", args...)
}

// run asks, writes and makes Asterisk read what was written.
func (f *fixer) run(ctx context.Context) error {
	unlock, err := lockFolder(f.o.etc)
	if err != nil {
		return asRoot(err)
	}
	defer unlock()
	if err := f.plan(); err != nil {
		return asRoot(err)
	}
	if len(f.changes)+len(f.pairs) == 0 {
		_, _ = fmt.Fprintln(f.say, "fix    there is nothing to write")
		if len(f.due) > 0 && f.deaf(ctx) {
			f.tell(ctx, append(f.due, "module reload http", "module reload cdr_manager.so"))
		}
		return nil
	}
	if !f.o.yes && !terminal(f.program.in) {
		return fmt.Errorf("%w: %s would be written; there is no terminal to ask on, say --yes", errUsage, f.names())
	}
	f.in = bufio.NewReader(f.program.in)
	agreed, err := f.choose(ctx)
	if err != nil {
		return err
	}
	if len(agreed) == 0 {
		_, _ = fmt.Fprintln(f.say, "fix    nothing was written")
		return nil
	}
	if err := f.write(agreed); err != nil {
		return asRoot(err)
	}
	f.tell(ctx, f.commands(agreed))
	daemon := sqlite.Holder(f.cfg.Store.Path)
	if slices.ContainsFunc(agreed, func(c change) bool { return c.path == f.o.file }) && daemon != 0 {
		f.left("the daemon that runs (process %d) has the old api.conf: systemctl restart dialbridge", daemon)
	}
	return nil
}

// asRoot adds who may do what was not permitted.
func asRoot(err error) error {
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return fmt.Errorf("%w; run it as root", err)
	}
	return err
}

// lockFolder keeps a second fixer out of the folder.
func lockFolder(dir string) (unlock func(), err error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("asterisk's configuration folder %s: %w; --asterisk-etc names another one", dir, err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: another `dialbridge check --fix` is at work", dir), unix.Close(fd))
	}
	return func() { _ = unix.Close(fd) }, nil
}

func (f *fixer) names() string {
	var list []string
	for _, c := range f.changes {
		list = append(list, c.path)
	}
	if len(f.pairs) > 0 {
		list = append(list, f.o.file)
	}
	return strings.Join(list, ", ")
}

// choose shows each file and wants a yes for it. Nothing is written before the last answer, and of what belongs together
// all or nothing: one half would be of no use.
func (f *fixer) choose(ctx context.Context) (agreed []change, err error) {
	var refused []string
	for _, c := range f.changes {
		if slices.Contains(refused, c.part) {
			continue
		}
		yes, err := f.ask(ctx, c)
		if err != nil {
			return nil, err
		}
		if !yes {
			refused = append(refused, c.part)
		}
		agreed = append(agreed, c)
	}
	f.pairs = slices.DeleteFunc(f.pairs, func(p pair) bool { return slices.Contains(refused, p.part) })
	if len(f.pairs) > 0 {
		c, err := f.ownChange()
		if err != nil {
			return nil, err
		}
		yes, err := f.ask(ctx, c)
		if err != nil {
			return nil, err
		}
		if yes {
			agreed = append(agreed, c) // the last one: its secrets are good once Asterisk has them
		}
		for _, p := range f.pairs {
			if !yes {
				refused = append(refused, p.part)
			}
		}
	}
	return slices.DeleteFunc(agreed, func(c change) bool { return slices.Contains(refused, c.part) }), nil
}

func (f *fixer) ask(ctx context.Context, c change) (bool, error) {
	word := "gets these lines"
	if c.was == nil {
		word = "is made"
	}
	_, _ = fmt.Fprintf(f.say, "fix    %s %s:\n", c.path, word)
	for _, line := range c.shown {
		_, _ = fmt.Fprintln(f.say, strings.TrimRight("           "+line, " "))
	}
	if f.o.yes {
		return true, nil
	}
	_, _ = fmt.Fprint(f.say, "       Write it? [y/N] ")
	got := make(chan string, 1)
	go func() {
		line, _ := f.in.ReadString('\n') // the end of the input is a no
		got <- line
	}()
	select {
	case line := <-got:
		line = strings.ToLower(strings.TrimSpace(line))
		return line == "y" || line == "yes", nil
	case <-ctx.Done():
		return false, errors.New("interrupted; nothing was written")
	}
}

// write keeps a copy of each file that is there and puts the new ones in their places, Asterisk's before ours: a run that
// is cut short between them is completed by the next one.
func (f *fixer) write(agreed []change) error {
	now := time.Now()
	for _, c := range agreed {
		done := writtenFile{File: c.path}
		if c.was != nil {
			backup, err := etc.Backup(c.path, now)
			if err != nil {
				return fmt.Errorf("%s was not changed, a copy of it cannot be kept: %w", c.path, err)
			}
			done.Backup = backup
		} else if err := etc.MakeDir(filepath.Dir(c.path), c.owner); err != nil {
			return err
		}
		if err := etc.Replace(c.path, c.text, c.owner); err != nil {
			return fmt.Errorf("%s was not written: %w", c.path, err)
		}
		if err := f.closed(c, done.Backup); err != nil {
			return fmt.Errorf("%s can be read by others, as the old file was: %w", done.Backup, err)
		}
		f.written = append(f.written, done)
		text := "wrote  " + c.path
		if done.Backup != "" {
			text += ", the old one is " + done.Backup
		}
		_, _ = fmt.Fprintln(f.say, text)
	}
	return nil
}

// closed takes the rights from a copy that the new file does not give: it has the same secrets.
func (f *fixer) closed(c change, backup string) error {
	if backup == "" {
		return nil
	}
	return etc.Restrict(backup, c.owner.Mode)
}

// commands are those after which it counts what was written. A secret that is only now put into api.conf may be one of a run that was
// cut short before it told Asterisk.
func (f *fixer) commands(agreed []change) (list []string) {
	for _, c := range agreed {
		list = append(list, c.reload...)
		if c.path == f.o.file {
			list = append(list, f.due...)
		}
	}
	return list
}

// deaf reports that Asterisk does not let us in, though there is nothing to write: it may not have been told.
func (f *fixer) deaf(ctx context.Context) bool {
	try := &checkup{o: f.o, cfg: f.cfg}
	try.asterisk(ctx)
	return slices.ContainsFunc(try.found, func(found finding) bool { return found.Name == "ami" && found.Status == "fail" })
}

// tell makes Asterisk read what was written. Where it does not run there is nothing to do: it reads it at its start.
func (f *fixer) tell(ctx context.Context, commands []string) {
	for i, command := range commands {
		if slices.Contains(commands[:i], command) {
			continue
		}
		out, err := f.console(ctx, command)
		if err != nil {
			f.left("asterisk was not told (%s): %v; what was written counts when it has started again", command, err)
			return
		}
		_, _ = fmt.Fprintf(f.say, "told   asterisk: %s\n", command)
		if strings.Contains(out, "No such command") || strings.Contains(out, "not properly initialized") {
			f.left("asterisk says to %s: %s", command, plain(out))
		}
	}
	if slices.Contains(commands, "manager reload") {
		f.listening(ctx)
	}
}

// listening tells of a manager that Asterisk says is on, at an address where nobody listens: 16 closes the port when a reload switches the
// manager off, and no reload opens that port again.
func (f *fixer) listening(ctx context.Context) {
	out, err := f.console(ctx, "manager show settings")
	on := managerOn.MatchString(out)
	found := managerAt.FindStringSubmatch(out)
	if err != nil || !on || found == nil {
		return // what is wrong then is told by the check that follows
	}
	host, port, err := net.SplitHostPort(found[1])
	if err != nil {
		return
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	if errors.Is(greeted(ctx, net.JoinHostPort(host, port)), syscall.ECONNREFUSED) {
		f.left("asterisk says that its manager is on at %s, and nothing listens there: some versions do not open the port again that a reload has "+
			"closed. Asterisk has to be started again; when no call runs any more: asterisk -rx 'core restart when convenient'", found[1])
	}
}

// greeted connects and waits for the manager's first word. A port that a reload has closed may take one connection more, that of who comes first, and gives
// it no word.
func greeted(ctx context.Context, address string) error {
	dialer := net.Dialer{Timeout: consolePatience}
	var err error
	for range 2 {
		var conn net.Conn
		if conn, err = dialer.DialContext(ctx, "tcp", address); err != nil {
			return err
		}
		_ = conn.SetReadDeadline(time.Now().Add(consolePatience))
		_, err = conn.Read(make([]byte, 1))
		if _ = conn.Close(); err == nil {
			return nil
		}
	}
	return err
}

// What `manager show settings` says: whether the manager is on, and where.
var (
	managerOn = regexp.MustCompile(`(?m)^\s*Manager \(AMI\):\s+Yes\s*$`)
	managerAt = regexp.MustCompile(`(?m)^\s*TCP Bindaddress:\s+(\S+:\d+)\s*$`)
)

// console runs a command of Asterisk's console.
func (f *fixer) console(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, consolePatience)
	defer cancel()
	words := append(strings.Fields(f.o.command), "-rx", command)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...) //nolint:gosec // the administrator's own words
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil && text != "" {
		err = fmt.Errorf("%w: %s", err, plain(text))
	}
	return text, err
}
