package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/webhook"
)

// metrics reads the daemon's own numbers when they are asked for.
type metrics struct {
	d *daemon

	amiUp, filtered                        *prometheus.Desc
	complete, calls, channels, extensions  *prometheus.Desc
	resyncs, messages, logins              *prometheus.Desc
	pending, dead, ended, oldest, receiver *prometheus.Desc
	receiverSince, receiverFailures, gaps  *prometheus.Desc
	attempts, inFlight                     *prometheus.Desc
	queued, commits, fileBytes, freeBytes  *prometheus.Desc
	listed, untold                         *prometheus.Desc
}

func newMetrics(d *daemon) *metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("dialbridge_"+name, help, labels, nil)
	}
	return &metrics{
		d:                d,
		amiUp:            desc("ami_up", "1 while the manager link is logged in."),
		filtered:         desc("ami_filtered", "1 while Asterisk keeps back the events that nobody needs."),
		complete:         desc("picture_complete", "1 while the picture of Asterisk is complete."),
		calls:            desc("calls", "Live calls."),
		channels:         desc("channels", "Live channels."),
		extensions:       desc("extensions", "Known extensions."),
		resyncs:          desc("resyncs_total", "Full queries of Asterisk that were taken over."),
		messages:         desc("ami_messages_total", "Messages of the manager link: events taken, events not wanted, events without room, torn, too long, answers that came late.", "kind"),
		logins:           desc("ami_logins_total", "Logins on the manager link."),
		pending:          desc("outbox_pending", "Events that wait for delivery.", "receiver", "event"),
		dead:             desc("outbox_dead", "Dead letters.", "receiver", "event"),
		ended:            desc("outbox_events_total", "Events that left the queue, by how.", "receiver", "event", "outcome"),
		oldest:           desc("outbox_oldest_seconds", "Age of the oldest event that waits for delivery.", "receiver"),
		receiver:         desc("receiver_up", "0 while the receiver is down and only probed.", "receiver"),
		receiverSince:    desc("receiver_since_timestamp_seconds", "When the receiver was last seen to go down or to come back, Unix time; 0 when nothing is known.", "receiver"),
		receiverFailures: desc("receiver_failures", "Failed requests to the receiver since its last success.", "receiver"),
		gaps:             desc("outbox_gaps_total", "Spans of time of which events may be missing for good."),
		attempts:         desc("delivery_attempts_total", "Requests to the receiver, by outcome.", "receiver", "outcome"),
		inFlight:         desc("deliveries_in_flight", "Requests to the receiver under way.", "receiver"),
		queued:           desc("database_queued", "Operations that wait for their commit."),
		commits:          desc("database_commits_total", "Transactions."),
		fileBytes:        desc("database_file_bytes", "Size of the database file."),
		freeBytes:        desc("database_disk_free_bytes", "Free space of its disk."),
		listed:           desc("blacklist_numbers", "Numbers in the black list."),
		untold:           desc("blacklist_untold", "Changes of the black list that Asterisk does not know yet."),
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	put := sink(ch)
	m.link(put)
	m.outbox(ctx, put)
	db := m.d.db.Stats()
	put.gauge(m.queued, float64(db.Queued))
	put.counter(m.commits, float64(db.Commits))
	put.gauge(m.fileBytes, float64(db.FileBytes))
	put.gauge(m.freeBytes, float64(db.FreeBytes))
	if st, err := m.d.numbers.Status(ctx); err == nil {
		put.gauge(m.listed, float64(st.Entries))
		put.gauge(m.untold, float64(st.Pending))
	}
}

func (m *metrics) link(put sink) {
	st, stats := m.d.sw.Status(), m.d.client.Stats()
	link := m.d.client.Status()
	put.gauge(m.amiUp, truth(link.Phase == ami.Up))
	put.gauge(m.filtered, truth(link.Filtered))
	put.gauge(m.complete, truth(st.Complete))
	put.gauge(m.calls, float64(st.Calls))
	put.gauge(m.channels, float64(st.Channels))
	put.gauge(m.extensions, float64(st.Extens))
	put.counter(m.resyncs, float64(st.Resyncs))
	put.counter(m.logins, float64(stats.Logins))
	for kind, n := range map[string]uint64{"taken": stats.Events, "unwanted": stats.Unwanted, "refused": stats.Refused, "torn": stats.Torn, "oversized": stats.Oversized, "late": stats.Late} {
		put.counter(m.messages, float64(n), kind)
	}
}

// outbox tells each number by receiver: those that are configured, and of what is stored those for which something is left as well.
func (m *metrics) outbox(ctx context.Context, put sink) {
	for _, s := range m.d.senders.All() {
		if s.Configured() || s.Receiver() == webhook.Default {
			m.sender(s, put)
		}
	}
	st, err := m.d.outbox.Status(ctx)
	if err != nil {
		return // the database says so in its own numbers
	}
	put.counter(m.gaps, float64(st.AllGaps))
	for _, r := range st.Receivers {
		for _, k := range r.Kinds {
			put.gauge(m.pending, float64(k.Pending), r.Name, k.Kind)
			put.gauge(m.dead, float64(k.Dead), r.Name, k.Kind)
			for outcome, n := range map[string]int64{"delivered": k.Delivered, "expired": k.Expired, "dropped": k.Dropped, "lost": k.Lost, "superseded": k.Superseded} {
				put.counter(m.ended, float64(n), r.Name, k.Kind, outcome)
			}
		}
		age := 0.0
		if !r.Oldest.IsZero() {
			age = time.Since(r.Oldest).Seconds()
		}
		put.gauge(m.oldest, age, r.Name)
	}
}

func (m *metrics) sender(s *webhook.Sender, put sink) {
	state, counters, name := s.State(), s.Counters(), s.Receiver()
	put.gauge(m.receiver, truth(state.Up), name)
	put.gauge(m.receiverSince, unixSeconds(state.Since), name)
	put.gauge(m.receiverFailures, float64(state.Failures), name)
	put.gauge(m.inFlight, float64(counters.InFlight), name)
	for outcome, n := range counters.Attempts {
		put.counter(m.attempts, float64(n), name, outcome)
	}
}

// sink takes metrics.
type sink chan<- prometheus.Metric

func (s sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (s sink) counter(d *prometheus.Desc, v float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
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
