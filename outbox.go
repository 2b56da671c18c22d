package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/dialbridge/dialbridge/internal/conf"
	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/webhook"
)

const outboxHelp = `Looks at the queue of events for the receiver and repairs it, on the database file,
whether the daemon runs or not. A running daemon takes notice within a second.

States of an event: pending, delivered, dead (the receiver has refused it for good),
expired (older than [webhook] event_ttl), dropped.`

// outboxTool is one call of dialbridge outbox.
type outboxTool struct {
	program
	load   func() (*conf.Config, error)
	asJSON bool
	choice choice

	cfg    *conf.Config
	outbox *webhook.Outbox
}

func (p program) outboxCommand(load func() (*conf.Config, error)) *cobra.Command {
	t := &outboxTool{program: p, load: load}
	cmd := &cobra.Command{
		Use: "outbox", Short: "look at the event queue and repair it", Long: outboxHelp,
		Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			return fmt.Errorf("%w: say what to do: status, list, show, replay or drop; see %s --help", errUsage, cmd.CommandPath())
		},
	}
	cmd.PersistentFlags().BoolVar(&t.asJSON, "json", false, "print JSON")
	cmd.AddCommand(
		&cobra.Command{
			Use: "status", Short: "what waits, what is dead, what was lost, and how the receiver is", Args: noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return t.with(cmd.Context(), t.status) },
		},
		t.listCommand(),
		t.showCommand(),
		t.replayCommand(),
		t.dropCommand(),
	)
	return cmd
}

func oneID(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%w: %s wants the id of one event; list tells them", errUsage, cmd.CommandPath())
	}
	return nil
}

// with opens the database beside a daemon that may be running.
func (t *outboxTool) with(ctx context.Context, do func(context.Context) error) error {
	cfg, err := t.load()
	if err != nil {
		return err
	}
	t.cfg = cfg
	quiet := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(ctx, sqlite.Options{Path: cfg.Store.Path, MaxSize: cfg.Store.MaxSize, Tool: true, Logger: quiet})
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist: the daemon makes it when it first starts", cfg.Store.Path)
	}
	if err != nil {
		return err
	}
	if t.outbox, err = webhook.NewOutbox(ctx, db, webhook.OutboxOptions{Keep: cfg.Store.Keep, Logger: quiet}); err == nil {
		err = t.outbox.Subscribe(ctx, subscriptions(cfg))
	}
	if err == nil {
		err = do(ctx)
	}
	return errors.Join(usageOf(err), db.Close())
}

// subscriptions lists who is configured.
func subscriptions(cfg *conf.Config) (list []webhook.Subscription) {
	if cfg.General.URL != "" {
		list = append(list, webhook.Subscription{Receiver: webhook.Default})
	}
	for _, r := range cfg.Receivers {
		list = append(list, webhook.Subscription{Receiver: r.Name})
	}
	return list
}

// usageOf makes the caller's fault of what only the caller can have got wrong.
func usageOf(err error) error {
	if errors.Is(err, webhook.ErrFilter) {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return err
}

// print writes a value as JSON, on one line.
func (t *outboxTool) print(v any) error {
	e := json.NewEncoder(t.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// choice is how the flags of a command choose events.
type choice struct {
	receiver, state, event, call, since, until string
}

func (c *choice) flags(cmd *cobra.Command, states string) {
	f := cmd.Flags()
	c.receiverFlag(cmd)
	f.StringVar(&c.state, "state", "", "only events in this `state`, or in several with commas between them ("+states+")")
	f.StringVar(&c.event, "event", "", "only events of this `name`, such as cdr")
	f.StringVar(&c.call, "call", "", "only events of this call, by its `uniqueid`; ext:808 for the states of an extension")
	f.StringVar(&c.since, "since", "", "only events from this `time` on: 2026-11-21, \"2026-11-21 15:04:05\", or 2h or 3d ago")
	f.StringVar(&c.until, "until", "", "only events before this `time`")
}

func (c *choice) receiverFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.receiver, "receiver", "", "only what is stored for this receiver, by its `name`: default, or NAME of [webhook NAME]")
}

// empty reports that nothing but the receiver is chosen.
func (c *choice) empty() bool { return *c == choice{receiver: c.receiver} }

func (t *outboxTool) filter() (webhook.Filter, error) {
	f := webhook.Filter{Receiver: t.choice.receiver, State: t.choice.state, Kind: t.choice.event, Key: t.choice.call}
	var err error
	if f.Since, err = t.moment("--since", t.choice.since); err != nil {
		return f, err
	}
	f.Until, err = t.moment("--until", t.choice.until)
	return f, err
}

// moment reads a time in the zone of the configuration, or so long ago.
func (t *outboxTool) moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := conf.ParseSpan(text); err == nil && ago >= 0 {
		return time.Now().Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, t.cfg.General.Timezone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: %s %q is no time; write 2026-11-21, \"2026-11-21 15:04:05\", or 2h or 3d for so long ago", errUsage, flag, text)
}
