package main

import (
	"context"
	"time"

	"github.com/dialbridge/dialbridge/webhook"
)

// outbox tells each number by receiver: those that are configured, and of what is stored those for which something is left as well.
func (m metrics) outbox(ctx context.Context, put sink) {
	for i, s := range m.d.senders.All() {
		if i == 0 {
			commit := s.Counters().Commit
			put.histogram("outbox_commit_duration_seconds", "Time from the reading of what an event tells to its commit.", commit.Bounds, commit.Counts, commit.Sum)
		}
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
			put.counter("outbox_repeated_total", "Events that were found again and stored once.", float64(k.Duplicates), "event", k.Kind, "receiver", r.Name)
			for outcome, n := range map[string]int64{"delivered": k.Delivered, "expired": k.Expired, "dropped": k.Dropped, "lost": k.Lost, "superseded": k.Superseded} {
				put.counter("outbox_events_total", "Events that left the queue, by how.", float64(n), "event", k.Kind, "outcome", outcome, "receiver", r.Name)
			}
		}
		age := 0.0
		if !r.Oldest.IsZero() {
			age = max(0, time.Since(r.Oldest).Seconds())
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
	put.histogram("delivery_duration_seconds", "Time from the reading of what an event tells to the receiver's 2xx answer, waiting included.",
		counters.Latency.Bounds, counters.Latency.Counts, counters.Latency.Sum, "receiver", name)
	for outcome, n := range counters.Attempts {
		put.counter("delivery_attempts_total", "Requests to the receiver, by outcome.", float64(n), "outcome", outcome, "receiver", name)
	}
}
