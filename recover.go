package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dialbridge/dialbridge/internal/conf"
	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/webhook"
)

// recoverCommand is `dialbridge recover`: what `serve --recover` does before it serves, and nothing else.
func (p program) recoverCommand(load func() (*conf.Config, error)) *cobra.Command {
	return &cobra.Command{
		Use: "recover", Short: "check the database; keep a damaged one aside and save all that can be read of it", Args: noArgs,
		Long: "Reads the whole database. A damaged one is kept aside, and all that can be read of it is in a new one in its place;\n" +
			"a sound one stays as it is. The daemon must not run.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return p.recover(cmd.Context(), cfg)
		},
	}
}

func (p program) recover(ctx context.Context, cfg *conf.Config) error {
	if _, err := os.Stat(cfg.Store.Path); err != nil {
		return fmt.Errorf("database: %w", err) // else an empty one would be made
	}
	quiet := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(ctx, sqlite.Options{Path: cfg.Store.Path, MaxSize: cfg.Store.MaxSize, Recover: true, Logger: quiet})
	if err != nil {
		return err
	}
	done := db.Stats().Recovery
	if done.Aside != "" { // the outbox puts its counts right, and notes what is missing
		_, err = webhook.NewOutbox(ctx, db, webhook.OutboxOptions{Keep: cfg.Store.Keep, Logger: quiet})
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	switch {
	case done.Aside == "":
		_, err = fmt.Fprintf(p.out, "%s is sound, there is nothing to recover\n", cfg.Store.Path)
	case !done.Lost():
		_, err = fmt.Fprintf(p.out, "%s was damaged: all %d rows are saved; the damaged file is %s\n", cfg.Store.Path, done.Rows, done.Aside)
	default:
		_, err = fmt.Fprintf(p.out, "%s was damaged: %d rows are saved, not all of %s could be read; the damaged file is %s\n", cfg.Store.Path, done.Rows,
			strings.Replace(strings.Join(done.Lossy, ", "), "*", "it", 1), done.Aside)
	}
	return err
}
