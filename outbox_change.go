package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/dialbridge/dialbridge/webhook"
)

func (t *outboxTool) replayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "replay [ID...]", Short: "send events again, under their ids; without a selection all dead letters",
		Long: "Makes events that have ended pending again, in their old place and under their ids.\n" +
			"With ids these; with flags all that they choose (dead letters, unless --state says otherwise);\n" +
			"without either all dead letters.",
		RunE: func(cmd *cobra.Command, ids []string) error {
			if err := t.eitherOr(ids); err != nil {
				return err
			}
			return t.with(cmd.Context(), func(ctx context.Context) error { return t.replay(ctx, ids) })
		},
	}
	t.choice.flags(cmd, "dead when it is not given")
	return cmd
}

func (t *outboxTool) dropCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "drop ID... | --FLAG...", Short: "give up pending events or dead letters",
		Long: "Ends pending events and dead letters without delivery. They stay known as dropped, and replay\n" +
			"brings them back until [store] keep is over. It asks first; a script says --yes.",
		RunE: func(cmd *cobra.Command, ids []string) error {
			if err := t.eitherOr(ids); err != nil {
				return err
			}
			if len(ids) == 0 && t.choice.empty() && t.choice.receiver == "" {
				return fmt.Errorf("%w: say which events: ids, or a selection such as --state dead", errUsage)
			}
			return t.with(cmd.Context(), func(ctx context.Context) error { return t.drop(ctx, ids, yes) })
		},
	}
	t.choice.flags(cmd, "pending,dead when it is not given")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func (t *outboxTool) eitherOr(ids []string) error {
	if len(ids) > 0 && !t.choice.empty() {
		return fmt.Errorf("%w: ids and a selection by flags do not go together", errUsage)
	}
	return nil
}

func (t *outboxTool) replay(ctx context.Context, ids []string) error {
	f, err := t.filter()
	if err != nil {
		return err
	}
	n := 0
	if len(ids) > 0 {
		n, err = t.outbox.Replay(ctx, t.choice.receiver, ids...)
	} else {
		if f.State == "" {
			f.State = "dead"
		}
		n, err = t.all(ctx, f, t.outbox.ReplayWhere)
	}
	return t.done("replayed", n, err)
}

func (t *outboxTool) drop(ctx context.Context, ids []string, yes bool) error {
	f, err := t.filter()
	if err != nil {
		return err
	}
	counts := map[string]int{}
	if len(ids) == 0 {
		if f.State == "" {
			f.State = webhook.Droppable
		}
		if counts, err = t.outbox.Count(ctx, f); err != nil {
			return err
		}
	}
	for _, id := range ids {
		r, err := t.outbox.Show(ctx, t.choice.receiver, id)
		if err != nil {
			return err
		}
		counts[r.Kind]++
	}
	if !yes && len(counts) > 0 {
		if err := t.ask(counts); err != nil {
			return err
		}
	}
	n := 0
	if len(ids) > 0 {
		n, err = t.outbox.Drop(ctx, t.choice.receiver, ids...)
	} else {
		n, err = t.all(ctx, f, t.outbox.DropWhere)
	}
	return t.done("dropped", n, err)
}

// ask wants a yes from a person. A script must have said --yes.
func (t *outboxTool) ask(counts map[string]int) error {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[kind], plain(kind)))
	}
	what := strings.Join(parts, ", ")
	if !terminal(t.in) {
		return fmt.Errorf("%w: %s would be dropped; there is no terminal to ask on, say --yes", errUsage, what)
	}
	_, _ = fmt.Fprintf(t.errs, "Drop %s? They will not be delivered. [y/N] ", what)
	answer, _ := bufio.NewReader(t.in).ReadString('\n') // the end of the input is a no
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		_, _ = fmt.Fprintln(t.errs, "Nothing was dropped.")
		return errReported
	}
	return nil
}

// all changes a selection, with a progress bar on a terminal.
func (t *outboxTool) all(ctx context.Context, f webhook.Filter, change func(context.Context, webhook.Filter, func(int)) (int, error)) (int, error) {
	if !terminal(t.errs) {
		return change(ctx, f, nil)
	}
	counts, err := t.outbox.Count(ctx, f)
	if err != nil {
		return 0, err
	}
	b := &bar{out: t.errs}
	for _, n := range counts {
		b.total += n
	}
	defer b.clear()
	return change(ctx, f, b.show)
}

func (t *outboxTool) done(word string, n int, err error) error {
	if err != nil && n > 0 {
		return fmt.Errorf("%d events %s, then: %w", n, word, err)
	}
	if err != nil {
		return err
	}
	if t.asJSON {
		return t.print(map[string]int{word: n})
	}
	_, err = fmt.Fprintf(t.out, "%d events %s\n", n, word)
	return err
}

// terminal reports whether a person sits at the other end.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) //nolint:gosec // a file descriptor fits
}

const (
	barWidth = 40
	barEvery = 100 * time.Millisecond
)

// bar shows on a terminal how far long work has come.
type bar struct {
	out   io.Writer
	total int
	shown time.Time
}

func (b *bar) show(done int) {
	if time.Since(b.shown) < barEvery && done < b.total {
		return
	}
	b.shown = time.Now()
	share := 1.0
	if b.total > 0 {
		share = min(1, float64(done)/float64(b.total))
	}
	full := int(share * barWidth)
	_, _ = fmt.Fprintf(b.out, "\r[%s%s] %3.0f %%  %d of %d", strings.Repeat("#", full), strings.Repeat(" ", barWidth-full), 100*share, done, b.total)
}

// clear takes the bar away.
func (b *bar) clear() {
	if !b.shown.IsZero() {
		_, _ = fmt.Fprint(b.out, "\r\x1b[K")
	}
}
