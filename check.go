package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dialbridge/dialbridge/internal/conf"
)

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

// groupPatience bounds a group of checks, whatever it waits for: a file system that hangs, a peer that is silent.
const groupPatience = 12 * time.Second

// finding is one line of the report.
type finding struct {
	Status string   `json:"status"` // "ok", "note" or "fail"
	Name   string   `json:"name"`
	Text   string   `json:"text"`
	Mend   []string `json:"mend,omitempty"` // what to do, line by line
}

// checkup tries what the daemon needs. But for a test event that the receivers get and a row of the database it changes nothing. Each
// group of checks has a copy of it to itself, with what it has found.
type checkup struct {
	o     checkOptions
	cfg   *conf.Config
	who   account // whose access to files is tried
	found []finding
}

// group is a number of checks that are made one after the other. Groups are made at the same time.
type group struct {
	name string
	run  func(*checkup, context.Context)
}

// groups lists what is checked, in the order of the report.
func (c *checkup) groups() []group {
	list := []group{
		{"configuration", (*checkup).configuration},
		{"database", (*checkup).database},
		{"ami", (*checkup).asterisk},
		{"ari", (*checkup).ari},
		{"recordings", (*checkup).recordings},
		{"call records", (*checkup).recordsFile},
	}
	for _, t := range targets(c.cfg) {
		name, key := receiverName(t)
		list = append(list, group{name, func(c *checkup, ctx context.Context) { c.receiver(ctx, t, name, key) }})
	}
	return append(list,
		group{"port", (*checkup).ports},
		group{"webkey", func(c *checkup, _ context.Context) { c.webkey() }},
		group{"clock", func(c *checkup, _ context.Context) { c.clock() }},
		group{"service", (*checkup).service},
	)
}

// check runs all tests. A configuration that does not load is an error of usage; anything else that fails is reported
// line by line.
func (p program) check(ctx context.Context, o checkOptions, load func() (*conf.Config, error)) error {
	if o.file == defaultConfig {
		p.environ = withUnitEnvironment(p.environ, unitEnvironment) // --fix asks what beats the file
	}
	cfg, err := load()
	if err != nil {
		return err
	}
	var written []writtenFile
	if o.fix {
		f := &fixer{program: p, o: o, cfg: cfg, say: p.out}
		if o.asJSON {
			f.say = p.errs
		}
		if err := f.run(ctx); err != nil {
			return err
		}
		written = f.written
		if cfg, err = load(); err != nil {
			return err
		}
	}
	c := &checkup{o: o, cfg: cfg, who: daemonAccount(o.file, cfg)}
	show := func(f finding) { p.printFinding(f) }
	if o.asJSON {
		show = func(finding) {}
	}
	all, err := c.all(ctx, show)
	if err != nil {
		return err
	}
	failed := slices.ContainsFunc(all, func(f finding) bool { return f.Status == "fail" })
	if o.asJSON {
		e := json.NewEncoder(p.out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		err = e.Encode(struct {
			OK      bool          `json:"ok"`
			Version string        `json:"version"`
			Written []writtenFile `json:"written,omitempty"`
			Checks  []finding     `json:"checks"`
		}{!failed, version, written, all})
	}
	if err == nil && failed {
		return errReported
	}
	return err
}

// unitEnvironment is the file of the unit that may hold secrets, in the form of systemd.exec(5).
const unitEnvironment = "/etc/default/dialbridge"

// withUnitEnvironment puts what the daemon gets from the file before the environment of the command, which beats it: root's commands
// are to see the daemon's key and database.
func withUnitEnvironment(environ []string, file string) []string {
	text, err := os.ReadFile(file)
	if err != nil {
		return environ // there is none, or who checks is not the daemon
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		value = strings.TrimSpace(value)
		if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		list = append(list, strings.TrimSpace(name)+"="+value)
	}
	return append(list, environ...)
}

// all makes all groups at the same time and shows what they find in their order, each as soon as those before it are done.
func (c *checkup) all(ctx context.Context, show func(finding)) (all []finding, err error) {
	bounded, cancel := context.WithTimeout(ctx, groupPatience)
	defer cancel()
	groups := c.groups()
	results := make([]chan []finding, len(groups))
	for i, g := range groups {
		own := *c
		results[i] = make(chan []finding, 1)
		go func() {
			g.run(&own, bounded)
			results[i] <- own.found
		}()
	}
	late := make(chan struct{}) // closed a moment after the end of the context, by which the groups end by themselves
	stop := context.AfterFunc(bounded, func() { time.AfterFunc(time.Second, func() { close(late) }) })
	defer stop()
	for i, g := range groups {
		var found []finding
		select {
		case found = <-results[i]:
		case <-late: // a file system that hangs
			found = []finding{{Status: "fail", Name: g.name, Text: "was given up after " + groupPatience.String()}}
		}
		if ctx.Err() != nil {
			continue
		}
		for _, f := range found {
			show(f)
		}
		all = append(all, found...)
	}
	if ctx.Err() != nil {
		return nil, errors.New("interrupted")
	}
	return all, nil
}

func (c *checkup) good(what, text string) {
	c.found = append(c.found, finding{Status: "ok", Name: what, Text: text})
}

func (c *checkup) note(what, text string, mend ...string) {
	c.found = append(c.found, finding{Status: "note", Name: what, Text: text, Mend: mend})
}

func (c *checkup) bad(what, text string, mend ...string) {
	c.found = append(c.found, finding{Status: "fail", Name: what, Text: text, Mend: mend})
}

// colours are the signs that switch a colour on, by status.
var colours = map[string]string{"ok": "\x1b[32m", "note": "\x1b[33m", "fail": "\x1b[31;1m"}

// printFinding prints a line, in colours where a person sees them.
func (p program) printFinding(f finding) {
	word, colour, plainly := f.Status, "", ""
	if word == "fail" {
		word = "FAIL"
	}
	if terminal(p.out) && p.getenv("NO_COLOR") == "" && p.getenv("TERM") != "dumb" {
		colour, plainly = colours[f.Status], "\x1b[0m"
	}
	_, _ = fmt.Fprintf(p.out, "%s%-5s%s %-15s %s\n", colour, word, plainly, f.Name, plain(f.Text))
	for _, m := range f.Mend {
		_, _ = fmt.Fprintf(p.out, "      %-15s   %s\n", "", plain(m))
	}
}
