package main

import (
	"strings"
	"time"
)

// picture tells how much there is. What is not known to be true now is left out: a gap in a graph says more than a line that
// goes on as it was.
func (m metrics) picture(put sink) {
	st := m.d.sw.Status()
	put.gauge("picture_complete", "1 while the picture of Asterisk is complete.", truth(st.Complete))
	put.counter("resyncs_total", "Full queries of Asterisk that were taken over.", float64(st.Resyncs))
	put.counter("synthetic_ends_total", "Ends of calls that were told without Asterisk's word, because the daemon or the link was away.", float64(m.d.sw.SyntheticEnds()))
	for name, n := range m.d.sw.Applied() {
		put.counter("ami_events_total", "Events of Asterisk that were applied to the picture, by name.", float64(n), "event", name)
	}
	z, err := m.d.sw.Sizes()
	if err != nil {
		return
	}
	put.gauge("asterisk_info", "The Asterisk that is followed; always 1.", 1, "version", st.Asterisk)
	put.gauge("calls", "Live calls; like all sizes of the picture absent while it is not complete.", float64(z.Calls))
	put.gauge("channels", "Live channels.", float64(z.Channels))
	extensions := 0
	for state, n := range z.Extensions {
		put.gauge("extension_states", "Extensions by state.", float64(n), "state", strings.ToLower(state.String()))
		extensions += n
	}
	put.gauge("extensions", "Known extensions.", float64(extensions))
	for state, n := range z.Agents {
		put.gauge("agents", "Agents who are signed in, by state.", float64(n), "state", string(state))
	}
	put.gauge("queues", "Known queues.", float64(z.Queues))
	put.gauge("queue_callers", "Callers who wait in queues.", float64(z.Callers))
	longest := 0.0
	if !z.Longest.IsZero() {
		longest = max(0, time.Since(z.Longest).Seconds())
	}
	put.gauge("queue_longest_wait_seconds", "How long the first of them has waited; 0 when nobody does.", longest)
	put.gauge("conferences", "Conferences that were made here.", float64(z.Conferences))
	put.gauge("conference_attendees", "Channels in them.", float64(z.Attendees))
}
