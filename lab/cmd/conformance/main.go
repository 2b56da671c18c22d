// Command conformance runs every curl line of the first vendor's page, every request address of the second one's and every method
// of its script against the daemon beside a real Asterisk 16 and a real Asterisk 22, each in a state in which it must succeed,
// compares the answers with the documented ones, and looks at Asterisk and at the phones for the effect. It exits 0 only when
// everything is as it must be.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/dialbridge/dialbridge/lab/bridge"
)

func main() {
	versions := flag.String("versions", "16,22", "the Asterisks to run beside")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, strings.Split(*versions, ","))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\nconformance:", err)
		os.Exit(1)
	}
}

var errRed = errors.New("not everything is as the vendors' pages have it")

// run plays all lines beside each Asterisk, at the same time, and prints the table.
func run(ctx context.Context, versions []string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	all, err := pages()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "dialbridge-conformance-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintln(os.Stderr, "building dialbridge")
	binary, err := bridge.Build(ctx, dir, false)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	columns, failures := make([][]result, len(versions)), make(chan error, len(versions))
	for i, version := range versions {
		go func() {
			var err error
			columns[i], err = play(ctx, version, binary, all, log)
			failures <- err
		}()
	}
	for range versions {
		err = errors.Join(err, <-failures)
	}
	if err != nil {
		return err
	}
	fmt.Printf("\ncoocenter: the page's lines as printed, but for the host and 800, which is %s here.\n", agent)
	fmt.Println("ola: the page's addresses with their placeholders as printed, and the frames of its script.")
	if !table(os.Stdout, versions, columns) {
		return errRed
	}
	return nil
}

// play runs all steps in their order beside one Asterisk.
func play(ctx context.Context, version, binary string, all []page, log *slog.Logger) (results []result, err error) {
	s, err := setUp(ctx, version, binary, log)
	if s != nil {
		defer func() { err = errors.Join(err, s.close()) }()
	}
	if err != nil {
		return nil, fmt.Errorf("asterisk %s: %w", version, err)
	}
	described, err := s.described(ctx)
	if err != nil {
		return nil, err
	}
	note := func(page string, r result) {
		r.page = page
		fmt.Fprintf(os.Stderr, "asterisk %s: %s\n", version, r)
		results = append(results, r)
	}
	for _, p := range all {
		for _, st := range p.steps {
			line := p.lines[st.line-1]
			if st.instead != "" {
				line = strings.Replace(line, st.instead, st.with, 1)
			}
			note(p.name, s.do(ctx, st, line, described))
		}
	}
	frames, err := linesOf(framesText, framesCount)
	if err != nil {
		return nil, err
	}
	for _, st := range frameSteps() {
		note("ola socket", s.doFrame(ctx, st, frames[st.line-1]))
	}
	return results, nil
}
