package main

import (
	"context"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/webhook"
)

// metrics reads the daemon's own numbers when they are asked for.
type metrics struct{ d *daemon }

// expose adds them to a page.
func (m metrics) expose(ctx context.Context, e *httpd.Exposition) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	put := sink{e}
	m.link(put)
	m.outbox(ctx, put)
	db := m.d.db.Stats()
	put.gauge("database_queued", "Operations that wait for their commit.", float64(db.Queued))
	put.counter("database_commits_total", "Transactions.", float64(db.Commits))
	put.gauge("database_file_bytes", "Size of the database file.", float64(db.FileBytes))
	put.gauge("database_disk_free_bytes", "Free space of its disk.", float64(db.FreeBytes))
	if st, err := m.d.numbers.Status(ctx); err == nil {
		put.gauge("blacklist_numbers", "Numbers in the black list.", float64(st.Entries))
		put.gauge("blacklist_untold", "Changes of the black list that Asterisk does not know yet.", float64(st.Pending))
	}
}

func (m metrics) link(put sink) {
	st, stats := m.d.sw.Status(), m.d.client.Stats()
	link := m.d.client.Status()
	put.gauge("ami_up", "1 while the manager link is logged in.", truth(link.Phase == ami.Up))
	put.gauge("ami_filtered", "1 while Asterisk keeps back the events that nobody needs.", truth(link.Filtered))
	put.gauge("picture_complete", "1 while the picture of Asterisk is complete.", truth(st.Complete))
	put.gauge("calls", "Live calls.", float64(st.Calls))
	put.gauge("channels", "Live channels.", float64(st.Channels))
	put.gauge("extensions", "Known extensions.", float64(st.Extens))
	put.gauge("ola_sockets", "Connected agents and users of the ola dialect.", float64(m.d.ola.Sockets()))
	put.counter("resyncs_total", "Full queries of Asterisk that were taken over.", float64(st.Resyncs))
	put.counter("ami_logins_total", "Logins on the manager link.", float64(stats.Logins))
	for kind, n := range map[string]uint64{"taken": stats.Events, "unwanted": stats.Unwanted, "refused": stats.Refused, "torn": stats.Torn, "oversized": stats.Oversized, "late": stats.Late} {
		put.counter("ami_messages_total", "Messages of the manager link: events taken, events not wanted, events without room, torn, too long, answers that came late.", float64(n), "kind", kind)
	}
}

// outbox tells each number by receiver: those that are configured, and of what is stored those for which something is left as well.
func (m metrics) outbox(ctx context.Context, put sink) {
	for _, s := range m.d.senders.All() {
		if s.Configured() || s.Receiver() == webhook.Default {
			m.sender(s, put)
		}
	}
	st, err := m.d.outbox.Status(ctx)
	if err != nil {
		return // the database says so in its own numbers
	}
	put.counter("outbox_gaps_total", "Spans of time of which events may be missing for good.", float64(st.AllGaps))
	for _, r := range st.Receivers {
		for _, k := range r.Kinds {
			put.gauge("outbox_pending", "Events that wait for delivery.", float64(k.Pending), "event", k.Kind, "receiver", r.Name)
			put.gauge("outbox_dead", "Dead letters.", float64(k.Dead), "event", k.Kind, "receiver", r.Name)
			for outcome, n := range map[string]int64{"delivered": k.Delivered, "expired": k.Expired, "dropped": k.Dropped, "lost": k.Lost, "superseded": k.Superseded} {
				put.counter("outbox_events_total", "Events that left the queue, by how.", float64(n), "event", k.Kind, "outcome", outcome, "receiver", r.Name)
			}
		}
		age := 0.0
		if !r.Oldest.IsZero() {
			age = time.Since(r.Oldest).Seconds()
		}
		put.gauge("outbox_oldest_seconds", "Age of the oldest event that waits for delivery.", age, "receiver", r.Name)
	}
}

func (m metrics) sender(s *webhook.Sender, put sink) {
	state, counters, name := s.State(), s.Counters(), s.Receiver()
	put.gauge("receiver_up", "0 while the receiver is down and only probed.", truth(state.Up), "receiver", name)
	put.gauge("receiver_since_timestamp_seconds", "When the receiver was last seen to go down or to come back, Unix time; 0 when nothing is known.", unixSeconds(state.Since), "receiver", name)
	put.gauge("receiver_failures", "Failed requests to the receiver since its last success.", float64(state.Failures), "receiver", name)
	put.gauge("deliveries_in_flight", "Requests to the receiver under way.", float64(counters.InFlight), "receiver", name)
	for outcome, n := range counters.Attempts {
		put.counter("delivery_attempts_total", "Requests to the receiver, by outcome.", float64(n), "outcome", outcome, "receiver", name)
	}
}

// sink puts the product's name before those of its metrics.
type sink struct{ e *httpd.Exposition }

func (s sink) gauge(name, help string, v float64, labels ...string) {
	s.e.Gauge("dialbridge_"+name, help, v, labels...)
}

func (s sink) counter(name, help string, v float64, labels ...string) {
	s.e.Counter("dialbridge_"+name, help, v, labels...)
}

func unixSeconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
