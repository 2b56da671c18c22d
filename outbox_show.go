package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
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

func (t *outboxTool) showCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show ID", Short: "an event with its body, its failed attempts and the receiver's answer", Args: oneID,
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.with(cmd.Context(), func(ctx context.Context) error { return t.show(ctx, args[0]) })
		},
	}
	t.choice.receiverFlag(cmd)
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
			_, _ = fmt.Fprintln(w, "SEQ\tTIME\tRECEIVER\tSTATE\tEVENT\tCALL\tATTEMPTS\tID\tLAST FAILURE")
		}
		rows++
		_, err := fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", r.Seq, t.clock(r.At), r.Receiver, r.State, plain(r.Kind), plain(r.Key), r.Attempts, r.ID, plain(r.LastError))
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
	r, err := t.outbox.Show(ctx, t.choice.receiver, id)
	if err != nil {
		return err
	}
	if t.asJSON {
		return t.print(r)
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	line := func(name, value string) { _, _ = fmt.Fprintf(w, "%s\t%s\n", name, value) }
	line("id", r.ID)
	line("receiver", r.Receiver)
	if len(r.Also) > 0 {
		line("also for", strings.Join(r.Also, ", "))
	}
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
	t.asConfigured(&s)
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
	for _, r := range s.Receivers {
		t.receiver(line, r)
	}
	line("file", "%s, %.1f MiB of at most %.1f MiB", t.cfg.Store.Path, float64(s.FileBytes)/(1<<20), float64(s.MaxSize)/(1<<20))
	if s.AllGaps == 0 {
		line("gaps", "none")
	}
}

// asConfigured adds the receivers for which nothing was stored yet.
func (t *outboxTool) asConfigured(s *webhook.Status) {
	for _, r := range t.cfg.Receivers {
		if !slices.ContainsFunc(s.Receivers, func(have webhook.ReceiverStatus) bool { return have.Name == r.Name }) {
			s.Receivers = append(s.Receivers, webhook.ReceiverStatus{Name: r.Name, Configured: true})
		}
	}
}

// receiver prints the two lines of one. Its name is told where there are several.
func (t *outboxTool) receiver(line func(name, format string, args ...any), r webhook.ReceiverStatus) {
	name, waiting := "receiver", "waiting"
	if len(t.cfg.Receivers) > 0 || r.Name != webhook.Default {
		name, waiting = name+" "+r.Name, waiting+" "+r.Name
	}
	switch st := r.State; {
	case r.Name == webhook.Default && t.cfg.General.URL == "":
		line(name, "none: [general] URL is empty, events are not pushed there")
	case !r.Configured:
		line(name, "not configured any more: what is stored for it is sent when [webhook %s] is back; drop --receiver %s gives it up", r.Name, r.Name)
	case st.Since.IsZero():
		line(name, "not known: no event was delivered yet")
	case st.Up:
		line(name, "up since %s", t.clock(st.Since))
	default:
		line(name, "down since %s (%s): %s", t.clock(st.Since), age(st.Since), outcome(st.LastStatus, st.LastError))
	}
	if r.Oldest.IsZero() {
		line(waiting, "nothing")
	} else {
		line(waiting, "%d events, the oldest since %s (%s)", r.Total.Pending, t.clock(r.Oldest), age(r.Oldest))
	}
}

func age(since time.Time) string { return max(0, time.Since(since)).Round(time.Second).String() }

// counts prints the numbers of each kind of event.
func (t *outboxTool) counts(s webhook.Status) error {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	several := len(s.Receivers) > 1
	if several {
		_, _ = fmt.Fprint(w, "RECEIVER\t")
	}
	_, _ = fmt.Fprintln(w, "EVENT\tPENDING\tDEAD\tDELIVERED\tEXPIRED\tDROPPED\tLOST\tSUPERSEDED\tREPEATED\t")
	line := func(receiver string, k webhook.KindStatus) {
		if several {
			_, _ = fmt.Fprintf(w, "%s\t", receiver)
		}
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n",
			plain(k.Kind), k.Pending, k.Dead, k.Delivered, k.Expired, k.Dropped, k.Lost, k.Superseded, k.Duplicates)
	}
	for _, r := range s.Receivers {
		for _, k := range r.Kinds {
			line(r.Name, k)
		}
	}
	total := s.Total
	total.Kind = "total"
	line("", total)
	return w.Flush()
}
