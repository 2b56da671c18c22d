package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// result is what one line came to.
type result struct {
	page    string
	name    string // of the step
	request string // method and path, or what the script is called with
	status  string
	body    error // nil = as documented
	effect  error // nil = seen on Asterisk
	missing bool  // the daemon has no such endpoint
}

func (r result) green() bool { return !r.missing && r.body == nil && r.effect == nil }

// String tells how it went in a line, and why when it went wrong.
func (r result) String() string {
	if r.green() {
		return "ok    " + r.page + ": " + r.name
	}
	text := "FAIL  " + r.page + ": " + r.name
	for _, err := range []error{r.body, r.effect} {
		if err != nil {
			text += ": " + err.Error()
		}
	}
	return text
}

func word(err error) string {
	if err != nil {
		return "NO"
	}
	return "ok"
}

// table prints all results, and tells whether all are green.
func table(out io.Writer, versions []string, columns [][]result) (green bool) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprint(w, "\npage\tendpoint\tstep\tAsterisk\tstatus\tbody ok\teffect ok\n")
	total, good := 0, 0
	for i := range columns[0] {
		for v, version := range versions {
			r := columns[v][i]
			total++
			if r.green() {
				good++
			}
			body, effect := word(r.body), word(r.effect)
			if r.missing {
				body, effect = "missing", "missing"
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.page, r.request, r.name, version, r.status, body, effect)
		}
	}
	_ = w.Flush() // to a terminal or a pipe: nobody would read the complaint
	for v, version := range versions {
		for _, r := range columns[v] {
			if !r.green() {
				_, _ = fmt.Fprintf(out, "\nAsterisk %s: %s", version, r)
			}
		}
	}
	_, _ = fmt.Fprintf(out, "\n%d of %d are green\n", good, total)
	return good == total
}
