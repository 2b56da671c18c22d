package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/dialbridge/dialbridge/ari"
	"github.com/dialbridge/dialbridge/internal/conf"
	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/webhook"
)

// checkup tries what the daemon needs and prints a line each. It changes nothing.
type checkup struct {
	cfg    *conf.Config
	out    io.Writer
	failed bool
}

// checkOptions are the flags of `dialbridge check`.
type checkOptions struct {
	file    string // api.conf
	asJSON  bool
	fix     bool
	yes     bool
	etc     string // Asterisk's configuration folder
	command string // what runs Asterisk's console
}

// checkCommand is `dialbridge check`.
func (p program) checkCommand(file *string, load func() (*conf.Config, error)) *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use: "check", Short: "try everything the daemon needs and say how to mend it", Args: noArgs,
		Long: "Tries everything the daemon needs and prints a line each; a line that fails says how to mend it. With --fix it\n" +
			"writes what can be written safely, after asking, makes Asterisk read it, and checks again.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.file = *file
			if o.yes && !o.fix {
				return fmt.Errorf("%w: --yes is for --fix", errUsage)
			}
			if len(strings.Fields(o.command)) == 0 {
				return fmt.Errorf("%w: --asterisk-command is empty", errUsage)
			}
			return p.check(cmd.Context(), o, load)
		},
	}
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print for scripts")
	cmd.Flags().BoolVar(&o.fix, "fix", false, "write what is missing, after asking")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "with --fix: do not ask")
	cmd.Flags().StringVar(&o.etc, "asterisk-etc", "/etc/asterisk", "Asterisk's configuration `folder`")
	cmd.Flags().StringVar(&o.command, "asterisk-command", "asterisk", "`command` that, with -rx, runs one of Asterisk's console")
	return cmd
}

// check runs all tests. A configuration that does not load is an error of usage; anything else that fails is reported
// line by line.
func (p program) check(ctx context.Context, o checkOptions, load func() (*conf.Config, error)) error {
	cfg, err := load()
	if err != nil {
		return err
	}
	if o.fix {
		f := &fixer{program: p, o: o, cfg: cfg, say: p.out}
		if err := f.run(ctx); err != nil {
			return err
		}
		if cfg, err = load(); err != nil {
			return err
		}
	}
	c := &checkup{cfg: cfg, out: p.out}
	c.good("configuration", "read without a fault")
	c.database(ctx)
	c.asterisk(ctx)
	c.ari(ctx)
	c.recordings()
	c.receivers(ctx)
	c.webkey()
	c.clock()
	if c.failed {
		return errReported
	}
	return nil
}

func (c *checkup) line(word, what, text string, mend ...string) {
	_, _ = fmt.Fprintf(c.out, "%-5s %-15s %s\n", word, what, text)
	for _, m := range mend {
		_, _ = fmt.Fprintf(c.out, "      %-15s   %s\n", "", m)
	}
}

func (c *checkup) good(what, text string) { c.line("ok", what, text) }

func (c *checkup) note(what, text string, mend ...string) { c.line("note", what, text, mend...) }

func (c *checkup) bad(what, text string, mend ...string) {
	c.failed = true
	c.line("FAIL", what, text, mend...)
}

// database tries an existing file and the folder of one that is still to be made. It makes none: the file of a check run
// by root would be closed to the daemon.
func (c *checkup) database(ctx context.Context) {
	path := c.cfg.Store.Path
	mend := []string{
		"[store] path must name a file in a directory that the daemon's user may write:",
		"install -d -o dialbridge -g dialbridge -m 0750 " + filepath.Dir(path),
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := writable(filepath.Dir(path)); err != nil {
			c.bad("database", err.Error(), mend...)
			return
		}
		c.good("database", path+" will be made at the first start")
		return
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &disk); err == nil && int64(disk.Bavail)*disk.Bsize < lowSpace { //nolint:gosec // a number of blocks fits
		c.bad("database", "little space is left on the disk of "+path, "give it at least 96 MiB, else events are not stored")
	}
	db, err := sqlite.Open(ctx, sqlite.Options{Path: path, MaxSize: c.cfg.Store.MaxSize, Tool: true, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		err = errors.Join(db.Healthy(ctx), db.Close())
	}
	if err != nil {
		c.bad("database", err.Error(), mend...)
		return
	}
	c.good("database", path+" can be written")
}

// writable makes a file in a folder and removes it.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".dialbridge-check-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func (c *checkup) ari(ctx context.Context) {
	if c.cfg.ARI.Username == "" {
		c.note("ari", "not configured ([ari] username is empty): functions that need it answer 501")
		return
	}
	info, err := ari.New(ariOptions(c.cfg)).Info(ctx)
	if err == nil {
		c.good("ari", "logged in, asterisk "+info.Version)
		return
	}
	c.bad("ari", err.Error(), "in http.conf:  [general] enabled=yes, bindaddr=127.0.0.1",
		"in ari.conf:   [general] enabled=yes",
		"               ["+c.cfg.ARI.Username+"] type=user, read_only=no, password=the [ari] password of api.conf",
		"then:          asterisk -rx 'module reload http' and 'module reload res_ari.so'")
}

func (c *checkup) recordings() {
	dir := c.cfg.Recordings.Directory
	if _, err := os.ReadDir(dir); err != nil {
		c.bad("recordings", err.Error(), "the daemon's user must be able to read the folder; usually:", "usermod -a -G asterisk dialbridge")
		return
	}
	c.good("recordings", dir+" can be read")
}

// receivers sends one signed test event to each and wants a 2xx.
func (c *checkup) receivers(ctx context.Context) {
	for _, t := range targets(c.cfg) {
		switch {
		case t.Receiver != "":
			c.receiver(ctx, t, "receiver "+t.Receiver, "[webhook "+t.Receiver+"] url")
		case t.URL != "":
			c.receiver(ctx, t, "receiver", "[general] URL")
		default:
			c.note("receiver", "[general] URL is empty: events are not pushed")
		}
	}
}

func (c *checkup) receiver(ctx context.Context, t webhook.Target, name, key string) {
	url := conf.URL(t.URL) // which is shown without its secrets
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	status, err := webhook.Probe(ctx, t, nil, webhook.TestEvent())
	if err != nil {
		c.bad(name, fmt.Sprintf("%s: %v", url, err), key+" must name a server that runs, and answers POST with a 2xx status")
		return
	}
	c.good(name, fmt.Sprintf("%s took a test event (status %d)", url, status))
}

func (c *checkup) webkey() {
	g := c.cfg.General
	switch {
	case g.WebKey != "":
		c.good("webkey", "requests need the token of the day, which `dialbridge token` prints")
	case loopback(g.BindAddr):
		c.note("webkey", "empty: every program on this machine may command the telephone system")
	default:
		c.note("webkey", "empty: everybody who reaches "+g.BindAddr+" may command the telephone system", "set [general] WEBKEY")
	}
}

// builtIn is a year before which no clock can be right.
const builtIn = 2026

func (c *checkup) clock() {
	now := time.Now().In(c.cfg.General.Timezone)
	text := now.Format("2006-01-02 15:04:05 MST") + ", time zone " + zoneName(c.cfg.General.Timezone)
	if now.Year() < builtIn {
		c.bad("clock", text+": the clock is wrong", "timedatectl set-ntp true")
		return
	}
	c.good("clock", text)
}

func zoneName(l *time.Location) string {
	name := l.String()
	if name != "Local" {
		return name
	}
	if link, err := os.Readlink("/etc/localtime"); err == nil {
		if _, zone, ok := strings.Cut(link, "zoneinfo/"); ok {
			return zone + " (the system's)"
		}
	}
	return "the system's"
}
