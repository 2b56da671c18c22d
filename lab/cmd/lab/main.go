// Command lab runs real Asterisks until Ctrl-C, and says how to reach them.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/phone"
)

func main() {
	phones := flag.String("phones", "801,802,803,804,trunk", "telephones that register and answer after a moment, with commas between them; trunk is the provider")
	versions := flag.String("version", "22,16", "versions of Asterisk to run, with commas between them")
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "usage: lab [-version 22,16] [-phones 801,802,803,804,trunk]\nRuns a real Asterisk of each version until Ctrl-C.")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 || len(list(*versions)) == 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, list(*versions), list(*phones))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run keeps the labs up until ctx ends. A lab that cannot start, or whose Asterisk ends by itself, is an error.
func run(ctx context.Context, versions, phones []string) (err error) {
	labs, err := start(ctx, versions)
	defer func() {
		for _, l := range labs {
			if e := l.Close(); err == nil {
				err = e
			}
		}
	}()
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	for _, l := range labs {
		if err := register(ctx, l, phones); err != nil {
			return err
		}
		describe(os.Stdout, l, phones)
	}
	fmt.Println("\nCtrl-C ends everything and removes what it left.")
	return wait(ctx, labs)
}

// list splits at commas; an empty text is an empty list.
func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// register makes telephones that ring for a moment and then answer.
func register(ctx context.Context, l *lab.Lab, phones []string) error {
	for _, number := range phones {
		open := func() (*phone.Phone, error) { return l.Phone(ctx, number) }
		if number == "trunk" {
			open = func() (*phone.Phone, error) { return l.Trunk(ctx) }
		}
		p, err := open()
		if err != nil {
			return err
		}
		p.Behave(phone.Behaviour{RingFor: 2 * time.Second})
	}
	return nil
}

// start starts all versions side by side and returns those that are up, even with an error.
func start(ctx context.Context, versions []string) ([]*lab.Lab, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	labs := make([]*lab.Lab, len(versions))
	errs := make([]error, len(versions))
	var all sync.WaitGroup
	for i, version := range versions {
		all.Go(func() {
			labs[i], errs[i] = lab.Start(ctx, lab.Options{Version: version, Logger: log})
		})
	}
	all.Wait()
	var up []*lab.Lab
	var first error
	for i, l := range labs {
		if l != nil {
			up = append(up, l)
		}
		if first == nil {
			first = errs[i]
		}
	}
	return up, first
}

// wait returns when ctx ends, or with an error when the Asterisk of a lab has ended.
func wait(ctx context.Context, labs []*lab.Lab) error {
	ended := make(chan string, len(labs))
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, l := range labs {
		all.Go(func() {
			select {
			case <-l.Done():
				ended <- l.Version
			case <-ctx.Done():
			}
		})
	}
	select {
	case version := <-ended:
		return fmt.Errorf("lab: Asterisk %s has ended by itself", version)
	case <-ctx.Done():
		return nil
	}
}
