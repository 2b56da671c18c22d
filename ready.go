package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/webhook"
)

// parts lists what /readyz asks.
func (d *daemon) parts() []httpd.Part {
	parts := []httpd.Part{{Name: "asterisk", Check: d.asteriskReady}}
	if d.ari != nil {
		parts = append(parts, httpd.Part{Name: "ari", Check: d.ariReady})
	}
	return append(parts,
		httpd.Part{Name: "database", Check: d.databaseReady},
		httpd.Part{Name: "receiver", Check: d.receiverState},
	)
}

func (d *daemon) asteriskReady(context.Context) (ok bool, state, reason string) {
	link, st := d.client.Status(), d.sw.Status()
	switch {
	case link.Phase != ami.Up:
		if link.Err != nil {
			reason = link.Err.Error()
		}
		return false, link.Phase.String(), reason
	case !st.Complete:
		return false, "synchronising", st.Reason
	case !st.Usable:
		return false, "incomplete", st.Reason
	default:
		return true, "up", st.Reason
	}
}

// ariPatience is how long /readyz waits for ARI. Who asks gives up soon himself, and must hear why the daemon is not ready.
const ariPatience = 2 * time.Second

func (d *daemon) ariReady(ctx context.Context) (ok bool, state, reason string) {
	ctx, cancel := context.WithTimeout(ctx, ariPatience)
	defer cancel()
	if _, err := d.ari.Info(ctx); err != nil {
		return false, "down", err.Error()
	}
	return true, "up", ""
}

func (d *daemon) databaseReady(ctx context.Context) (ok bool, state, reason string) {
	if err := d.db.Healthy(ctx); err != nil {
		return false, "failing", err.Error()
	}
	return true, "up", ""
}

// receiverState is told and does not make the daemon unready: events are safe in the outbox while a receiver is down. Of several
// receivers those that are down are named.
func (d *daemon) receiverState(context.Context) (ok bool, state, reason string) {
	if d.events.Off() {
		return true, "off", "no URL is configured"
	}
	senders := slices.DeleteFunc(d.senders.All(), func(s *webhook.Sender) bool { return !s.Configured() })
	var states, reasons []string
	for _, s := range senders {
		st := s.State()
		if st.Up || st.Since.IsZero() {
			continue
		}
		state, reason = "down since "+st.Since.UTC().Format(time.RFC3339), st.LastError
		if len(senders) > 1 {
			state, reason = s.Receiver()+" "+state, s.Receiver()+": "+reason
		}
		states, reasons = append(states, state), append(reasons, reason)
	}
	if len(states) == 0 {
		return true, "up", ""
	}
	return true, strings.Join(states, ", "), strings.Join(reasons, "; ")
}
