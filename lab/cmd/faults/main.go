// Command faults makes every fault that delivery is to survive, and prints a table of what passed. It runs the tests that make them, often.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	ok := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if !ok {
		os.Exit(1)
	}
}

// run makes the faults whose text matches one of the words, all without any.
func run(ctx context.Context, words []string, out io.Writer) bool {
	var chosen []fault
	for _, f := range faults {
		if len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(f.what, w) }) {
			chosen = append(chosen, f)
		}
	}
	results := map[string]result{}
	for _, pkg := range packages(chosen) {
		_, _ = fmt.Fprintln(out, "==", pkg)
		test(ctx, pkg, chosen, results, out)
	}
	return table(chosen, results, out)
}

func packages(list []fault) (pkgs []string) {
	for _, f := range list {
		for _, t := range f.tests {
			if pkg, _, _ := strings.Cut(t, " "); !slices.Contains(pkgs, pkg) {
				pkgs = append(pkgs, pkg)
			}
		}
	}
	return pkgs
}

// result is what became of a test, by "package test".
type result struct {
	passed bool
	took   time.Duration
}

// report is one line of go test -json.
type report struct {
	Action, Test, Output string
	Elapsed              float64
}

// test runs the tests of one package and notes how each has ended.
func test(ctx context.Context, pkg string, list []fault, results map[string]result, out io.Writer) {
	cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-timeout=20m", "-run", pattern(pkg, list), pkg)
	cmd.Env, cmd.Stderr = append(os.Environ(), "FAULTS_OFTEN=1"), os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		_, _ = fmt.Fprintln(out, err)
		return
	}
	said, longest := map[string][]string{}, map[string]float64{}
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r report
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue
		}
		switch r.Action {
		case "output":
			said[r.Test] = append(said[r.Test], r.Output)
			if noted.MatchString(r.Output) {
				_, _ = fmt.Fprint(out, r.Test, ": ", strings.TrimLeft(r.Output, " "))
			}
		case "pass", "fail":
			took := max(r.Elapsed, longest[r.Test])
			results[pkg+" "+r.Test] = result{r.Action == "pass", time.Duration(took * float64(time.Second))}
			parent, _, _ := strings.Cut(r.Test, "/") // whose own time does not count what ran in parallel
			longest[parent] = max(longest[parent], took)
			if r.Action == "fail" {
				_, _ = fmt.Fprint(out, strings.Join(said[r.Test], ""))
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		_, _ = fmt.Fprintln(out, pkg, err)
	}
}

// noted matches what a test says of what it did, which is worth reading when it has passed, too.
var noted = regexp.MustCompile(`^ +[a-z_]+_test\.go:\d+: .*(acknowledged|rows lost|commits|twice)`)

// pattern is the -run of a package: its tests in full, and the scripts as subtests.
func pattern(pkg string, list []fault) string {
	var tops, subs []string
	for _, f := range list {
		for _, t := range f.tests {
			in, name, _ := strings.Cut(t, " ")
			if in != pkg {
				continue
			}
			top, sub, _ := strings.Cut(name, "/")
			tops = append(tops, top)
			if sub != "" {
				subs = append(subs, sub)
			}
		}
	}
	p := "^(" + strings.Join(tops, "|") + ")$"
	if len(subs) > 0 {
		p += "/^(" + strings.Join(subs, "|") + ")$"
	}
	return p
}

// table prints a line for each fault. One whose test did not run has failed.
func table(list []fault, results map[string]result, out io.Writer) (all bool) {
	all = true
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "\nFAULT\tPASSES WHEN\tRESULT\tTOOK")
	for _, f := range list {
		word, took := "pass", time.Duration(0)
		for _, t := range f.tests {
			r, ran := results[t]
			took += r.took
			switch {
			case !ran:
				word = "FAIL: did not run: " + t
			case !r.passed && word == "pass":
				word = "FAIL: " + t
			}
		}
		all = all && word == "pass"
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%.1fs\n", f.what, f.passes, word, took.Seconds())
	}
	_ = w.Flush() // to a terminal or a pipe that is gone
	return all
}
