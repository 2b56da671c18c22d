package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/webhook"
)

const listPage = 500 // rows read at a time, so that a long list neither takes memory nor holds up the daemon

func (t *outboxTool) listCommand() *cobra.Command {
	var limit int
	var before int64
	cmd := &cobra.Command{
		Use: "list", Short: "events, the newest first", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 || before < 0 {
				return fmt.Errorf("%w: --limit and --before are numbers from 0 on", errUsage)
			}
			return t.with(cmd.Context(), func(ctx context.Context) error { return t.list(ctx, limit, before) })
		},
	}
	t.choice.flags(cmd, "all when it is not given")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many `events`, 0 = all")
	cmd.Flags().Int64Var(&before, "before", 0, "only events before this `seq`, to read on where a list has ended")
	return cmd
}

// list reads page by page.
func (t *outboxTool) list(ctx context.Context, limit int, before int64) error {
	f, err := t.filter()
	if err != nil {
		return err
	}
	f.Before = before
	put, end := t.table()
	if t.asJSON {
		put, end = t.array()
	}
	for n := 0; limit == 0 || n < limit; n += f.Limit {
		f.Limit = listPage
		if limit > 0 {
			f.Limit = min(listPage, limit-n)
		}
		page, err := t.outbox.List(ctx, f)
		if err != nil {
			return err
		}
		for i := range page {
			if err := put(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < f.Limit {
			break
		}
		f.Before = page[len(page)-1].Seq
	}
	return end()
}

// array writes a JSON list as it comes.
func (t *outboxTool) array() (put func(*webhook.Record) error, end func() error) {
	separator := "["
	put = func(r *webhook.Record) error {
		text, err := r.MarshalJSON()
		if err == nil {
			_, err = fmt.Fprintf(t.out, "%s%s", separator, text)
		}
		separator = ",\n"
		return err
	}
	end = func() error {
		if separator == "[" {
			_, err := io.WriteString(t.out, "[]\n")
			return err
		}
		_, err := io.WriteString(t.out, "]\n")
		return err
	}
	return put, end
}

func (t *outboxTool) table() (put func(*webhook.Record) error, end func() error) {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	rows := 0
	put = func(r *webhook.Record) error {
		if rows == 0 {
			_, _ = fmt.Fprintln(w, "SEQ\tTIME\tSTATE\tEVENT\tCALL\tATTEMPTS\tID\tLAST FAILURE")
		}
		rows++
		_, err := fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", r.Seq, t.clock(r.At), r.State, plain(r.Kind), plain(r.Key), r.Attempts, r.ID, plain(r.LastError))
		if rows%listPage == 0 {
			return errors.Join(err, w.Flush())
		}
		return err
	}
	end = func() error {
		if rows == 0 {
			_, err := fmt.Fprintln(t.out, "no events")
			return err
		}
		return w.Flush()
	}
	return put, end
}

func (t *outboxTool) clock(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.In(t.cfg.General.Timezone).Format(time.DateTime)
}

// plain makes a text from outside fit for a terminal.
func plain(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) || r == unicode.ReplacementChar }) {
		return strconv.QuoteToGraphic(text)
	}
	return text
}

func (t *outboxTool) show(ctx context.Context, id string) error {
	r, err := t.outbox.Show(ctx, id)
	if err != nil {
		return err
	}
	if t.asJSON {
		return t.print(r)
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	line := func(name, value string) { _, _ = fmt.Fprintf(w, "%s\t%s\n", name, value) }
	line("id", r.ID)
	line("event", plain(r.Kind))
	line("call", plain(r.Key))
	line("state", r.State)
	line("time", t.clock(r.At))
	line("attempts", strconv.Itoa(r.Attempts))
	if !r.LastAt.IsZero() {
		line("last attempt", fmt.Sprintf("%s, %s", t.clock(r.LastAt), outcome(r.LastStatus, r.LastError)))
	}
	if len(r.Answer) > 0 {
		line("answer", plain(string(r.Answer)))
	}
	for _, a := range r.Tries {
		line("attempt "+strconv.Itoa(a.N), fmt.Sprintf("%s, after %s: %s", t.clock(a.At), a.Took, outcome(a.Status, a.Error)))
	}
	line("body", plain(string(r.Body)))
	return w.Flush()
}

func outcome(status int, text string) string {
	if text == "" {
		return "answer " + strconv.Itoa(status)
	}
	return plain(text)
}

// status prints the state of the whole queue.
func (t *outboxTool) status(ctx context.Context) error {
	s, err := t.outbox.Status(ctx)
	if err != nil {
		return err
	}
	daemon := sqlite.Holder(t.cfg.Store.Path)
	if t.asJSON {
		text, err := s.MarshalJSON()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.out, "{\"daemon_pid\":%d,%s\n", daemon, text[1:])
		return err
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	t.head(w, s, daemon)
	for _, g := range s.Gaps {
		since := ""
		if !g.Since.IsZero() {
			since = "from " + t.clock(g.Since) + " "
		}
		_, _ = fmt.Fprintf(w, "gap\t%suntil %s: %s\n", since, t.clock(g.Until), plain(g.Reason))
	}
	if more := s.AllGaps - len(s.Gaps); more > 0 {
		_, _ = fmt.Fprintf(w, "\tand %d older gaps\n", more)
	}
	_, _ = fmt.Fprintln(w)
	if err := w.Flush(); err != nil {
		return err
	}
	return t.counts(s)
}

func (t *outboxTool) head(w io.Writer, s webhook.Status, daemon int) {
	line := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(w, name+"\t"+format+"\n", args...)
	}
	if daemon > 0 {
		line("daemon", "runs, process %d", daemon)
	} else {
		line("daemon", "does not run")
	}
	switch r := s.Receiver; {
	case t.cfg.General.URL == "":
		line("receiver", "none: [general] URL is empty, events are not pushed")
	case r.Since.IsZero():
		line("receiver", "not known: no event was delivered yet")
	case r.Up:
		line("receiver", "up since %s", t.clock(r.Since))
	default:
		line("receiver", "down since %s (%s): %s", t.clock(r.Since), age(r.Since), outcome(r.LastStatus, r.LastError))
	}
	if s.Oldest.IsZero() {
		line("waiting", "nothing")
	} else {
		line("waiting", "%d events, the oldest since %s (%s)", s.Total.Pending, t.clock(s.Oldest), age(s.Oldest))
	}
	line("file", "%s, %.1f MiB of at most %.1f MiB", t.cfg.Store.Path, float64(s.FileBytes)/(1<<20), float64(s.MaxSize)/(1<<20))
	if s.AllGaps == 0 {
		line("gaps", "none")
	}
}

func age(since time.Time) string { return max(0, time.Since(since)).Round(time.Second).String() }

// counts prints the numbers of each kind of event.
func (t *outboxTool) counts(s webhook.Status) error {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "EVENT\tPENDING\tDEAD\tDELIVERED\tEXPIRED\tDROPPED\tLOST\tSUPERSEDED\tREPEATED\t")
	total := s.Total
	total.Kind = "total"
	for _, k := range append(s.Kinds, total) {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n",
			plain(k.Kind), k.Pending, k.Dead, k.Delivered, k.Expired, k.Dropped, k.Lost, k.Superseded, k.Duplicates)
	}
	return w.Flush()
}
