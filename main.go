// Command dialbridge gives the CRM of a company the HTTP interfaces it already speaks to the Asterisk beside it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/dialbridge/dialbridge/coocenter"
	"github.com/dialbridge/dialbridge/internal/conf"
	"github.com/dialbridge/dialbridge/webhook"
)

// Set by the linker.
var (
	version = "dev"
	commit  = "unknown"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // wrong usage or unusable configuration
)

const defaultConfig = "/etc/dialbridge/api.conf"

func main() {
	runtime.MemProfileRate = 0 // nobody can ask for the profile, whose tables take 1.4 MB
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], program{in: os.Stdin, out: os.Stdout, errs: os.Stderr, environ: os.Environ()})
	stop()
	os.Exit(code)
}

// program is what a command may touch of the process.
type program struct {
	in        io.Reader
	out, errs io.Writer
	environ   []string
}

// errUsage marks errors that are the caller's: exit status 2.
var errUsage = errors.New("usage")

// run executes one command line and returns the exit status.
func run(ctx context.Context, args []string, p program) int {
	root := p.command()
	root.SetArgs(args)
	root.SetOut(p.out)
	root.SetErr(p.errs)
	err := root.ExecuteContext(ctx)
	var bad *conf.Error
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errReported):
		return exitFailed
	case errors.As(err, &bad), errors.Is(err, errUsage):
		_, _ = fmt.Fprintln(p.errs, "dialbridge:", err)
		return exitUsage
	default:
		_, _ = fmt.Fprintln(p.errs, "dialbridge:", err)
		return exitFailed
	}
}

// errReported ends a command that has already said what is wrong.
var errReported = errors.New("reported")

func (p program) command() *cobra.Command {
	var file string
	load := func() (*conf.Config, error) { return p.load(file) }
	mend := false
	serveCmd := func(cmd *cobra.Command, _ []string) error { return p.serve(cmd.Context(), load, mend) }
	root := &cobra.Command{
		Use: "dialbridge", Short: "HTTP interfaces for CRMs to the Asterisk on this machine",
		Args: noArgs, RunE: serveCmd, SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.PersistentFlags().StringVar(&file, "config", defaultConfig, "configuration `file`")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	serve := &cobra.Command{Use: "serve", Short: "run the daemon in the foreground", Args: noArgs, RunE: serveCmd}
	serve.Flags().BoolVar(&mend, "recover", false, "check the database first; keep a damaged one aside and go on with all that can be read of it")
	root.AddCommand(
		serve,
		p.checkCommand(&file, load),
		p.tokenCommand(load),
		p.outboxCommand(load),
		p.recoverCommand(load),
		&cobra.Command{Use: "version", Short: "print the version", Args: noArgs, RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(p.out, "dialbridge %s (commit %s, %s)\n", version, commit, runtime.Version())
			return err
		}},
	)
	return root
}

// load reads the configuration. What can be found wrong with it is found here, so that it stops the start.
func (p program) load(file string) (*conf.Config, error) {
	environ := p.environ
	if file == defaultConfig {
		environ = withUnitEnvironment(environ, unitEnvironment)
	}
	cfg, err := conf.Load(file, environ)
	if err != nil {
		return nil, err
	}
	for _, t := range targets(cfg) {
		if err := t.Check(); errors.Is(err, webhook.ErrSecret) {
			section := strings.TrimSpace("webhook " + t.Receiver)
			return nil, &conf.Error{File: file, Section: section, Key: "secret", Reason: err.Error(), Err: err}
		}
	}
	return cfg, nil
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: unknown command or argument %q; see %s --help", errUsage, args[0], cmd.CommandPath())
	}
	return nil
}

// tokenCommand prints the Authorization value of a day.
func (p program) tokenCommand(load func() (*conf.Config, error)) *cobra.Command {
	var date string
	cmd := &cobra.Command{Use: "token", Short: "print the Authorization value of a day", Args: noArgs, RunE: func(*cobra.Command, []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		day := time.Now().In(cfg.General.Timezone)
		if date != "" {
			if day, err = time.ParseInLocation(time.DateOnly, date, cfg.General.Timezone); err != nil {
				return fmt.Errorf("%w: --date %q is not of the form YYYY-MM-DD", errUsage, date)
			}
		}
		if cfg.General.WebKey == "" {
			return errors.New("[general] WEBKEY is not set: requests need no Authorization")
		}
		_, err = fmt.Fprintln(p.out, coocenter.Token(string(cfg.General.WebKey), day))
		return err
	}}
	cmd.Flags().StringVar(&date, "date", "", "`day` as YYYY-MM-DD instead of today")
	return cmd
}
