package main

import (
	"context"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/internal/httpd"
)

// metrics reads the daemon's own numbers when they are asked for. Labels have a bound: names of events and actions are those of the
// program, receivers those of the configuration. Queues, agents and numbers are in none.
type metrics struct{ d *daemon }

// expose adds them to a page.
func (m metrics) expose(ctx context.Context, e *httpd.Exposition) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	put := sink{e}
	put.gauge("build_info", "The program that runs; always 1.", 1, "commit", commit, "version", version)
	m.link(put)
	m.picture(put)
	m.outbox(ctx, put)
	m.database(put)
	put.gauge("ola_sockets", "Connected agents and users of the ola dialect.", float64(m.d.ola.Sockets()))
	put.gauge("console_sessions", "People who are logged in to the console.", float64(m.d.console.Sessions()))
	put.counter("audit_lost_total", "Entries of the audit log that could not be kept.", float64(m.d.audit.Lost()))
	put.counter("auth_failures_total", "Log-ins and tokens that were refused.", float64(m.d.failures.Failures()))
	running, calls := m.d.campaign.Load()
	put.gauge("campaigns", "Campaigns with numbers to dial.", float64(running))
	put.gauge("campaign_calls", "Numbers of campaigns that are dialled and not over.", float64(calls))
	if st, err := m.d.numbers.Status(ctx); err == nil {
		put.gauge("blacklist_numbers", "Numbers in the black list.", float64(st.Entries))
		put.gauge("blacklist_untold", "Changes of the black list that Asterisk does not know yet.", float64(st.Pending))
	}
}

func (m metrics) link(put sink) {
	stats, link := m.d.client.Stats(), m.d.client.Status()
	put.gauge("ami_up", "1 while the manager link is logged in.", truth(link.Phase == ami.Up))
	put.gauge("ami_filtered", "1 while Asterisk keeps back the events that nobody needs.", truth(link.Filtered))
	put.gauge("ami_waiting_bytes", "Size of what was read from the manager link and not applied yet.", float64(stats.Waiting))
	put.counter("ami_logins_total", "Logins on the manager link.", float64(stats.Logins))
	put.counter("ami_read_bytes_total", "Size of what was read from the manager link after the log-in.", float64(stats.Bytes))
	for kind, n := range map[string]uint64{"taken": stats.Events, "unwanted": stats.Unwanted, "refused": stats.Refused, "torn": stats.Torn, "oversized": stats.Oversized, "late": stats.Late} {
		put.counter("ami_messages_total", "Messages of the manager link: events taken, events not wanted, events without room, torn, too long, answers that came late.", float64(n), "kind", kind)
	}
	for _, a := range m.d.client.Actions() {
		put.histogram("ami_action_duration_seconds", "Time from the wish for an action of the manager interface to its answer, by outcome: done, refused by Asterisk, unsent, unknown, failed.",
			ami.ActionBounds, a.Counts, a.Sum, "action", a.Action, "outcome", a.Outcome)
	}
}

func (m metrics) database(put sink) {
	db := m.d.db.Stats()
	put.gauge("database_writable", "0 while the storage refuses to write.", truth(db.LastError == nil))
	put.gauge("database_queued", "Operations that wait for their commit.", float64(db.Queued))
	put.counter("database_commits_total", "Transactions.", float64(db.Commits))
	put.counter("database_operations_total", "Operations in transactions.", float64(db.Operations))
	put.counter("database_failures_total", "Transactions that the storage refused.", float64(db.Failures))
	put.gauge("database_file_bytes", "Size of the database file.", float64(db.FileBytes))
	put.gauge("database_log_bytes", "Size of its write-ahead log.", float64(db.LogBytes))
	put.gauge("database_max_bytes", "Bound of the database file, [store] max_size.", float64(db.MaxSize))
	put.gauge("database_disk_free_bytes", "Free space of its disk.", float64(db.FreeBytes))
	put.gauge("database_reserve", "1 while the reserve file is there, by which the database works on a full disk.", truth(db.Reserve))
}

// sink puts the product's name before those of its metrics.
type sink struct{ e *httpd.Exposition }

func (s sink) gauge(name, help string, v float64, labels ...string) {
	s.e.Gauge("dialbridge_"+name, help, v, labels...)
}

func (s sink) counter(name, help string, v float64, labels ...string) {
	s.e.Counter("dialbridge_"+name, help, v, labels...)
}

func (s sink) histogram(name, help string, bounds []float64, counts []uint64, sum float64, labels ...string) {
	s.e.Histogram("dialbridge_"+name, help, bounds, counts, sum, labels...)
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
