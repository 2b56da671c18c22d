package webhook

import (
	"bytes"
	"encoding/json"
	"time"
)

// marshal is json.Marshal without the escapes of HTML, in which a caller id would be hard to read.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// MarshalJSON gives an event the shape that the command line and the console share. The body is shown as JSON when it is JSON, else
// as a text.
func (r Record) MarshalJSON() ([]byte, error) {
	var body any
	switch {
	case r.Body == nil:
	case json.Valid(r.Body):
		body = json.RawMessage(r.Body)
	default:
		body = string(r.Body)
	}
	return marshal(struct {
		Seq        int64     `json:"seq"`
		ID         string    `json:"id"`
		Receiver   string    `json:"receiver"`
		Also       []string  `json:"also,omitempty"`
		Event      string    `json:"event"`
		Call       string    `json:"call"`
		State      string    `json:"state"`
		At         time.Time `json:"at"`
		Attempts   int       `json:"attempts"`
		LastAt     time.Time `json:"last_at,omitzero"`
		LastStatus int       `json:"last_status,omitzero"`
		LastError  string    `json:"last_error,omitempty"`
		Answer     string    `json:"answer,omitempty"`
		Failed     []Attempt `json:"failed,omitempty"`
		Body       any       `json:"body,omitempty"`
	}{
		r.Seq, r.ID, r.Receiver, r.Also, r.Kind, r.Key, r.State, r.At.UTC(), r.Attempts, utc(r.LastAt), r.LastStatus, r.LastError, string(r.Answer), r.Tries, body,
	})
}

// MarshalJSON writes how long it took in milliseconds.
func (a Attempt) MarshalJSON() ([]byte, error) {
	return marshal(struct {
		N      int       `json:"n"`
		At     time.Time `json:"at"`
		Took   int64     `json:"took_ms"`
		Status int       `json:"status,omitzero"`
		Error  string    `json:"error,omitempty"`
	}{a.N, a.At.UTC(), a.Took.Milliseconds(), a.Status, a.Error})
}

// MarshalJSON gives the state of the outbox the shape that the command line and the console share.
func (s Status) MarshalJSON() ([]byte, error) {
	return marshal(struct {
		Now       time.Time        `json:"now,omitzero"`
		Receiver  ReceiverState    `json:"receiver"`
		Oldest    time.Time        `json:"oldest_pending,omitzero"`
		OldestAge float64          `json:"oldest_pending_seconds"`
		Total     KindStatus       `json:"total"`
		Events    []KindStatus     `json:"events"`
		Receivers []ReceiverStatus `json:"receivers"`
		Gaps      []Gap            `json:"gaps"`
		AllGaps   int              `json:"gaps_total"`
		FileBytes int64            `json:"file_bytes"`
		MaxSize   int64            `json:"file_bytes_max"`
	}{utc(s.At.Truncate(time.Second)), s.Receiver, utc(s.Oldest), ageSeconds(s.Oldest), s.Total, filled(s.Kinds), filled(s.Receivers), filled(s.Gaps), s.AllGaps, s.FileBytes, s.MaxSize})
}

// MarshalJSON writes the state of one receiver's queue in the same shape.
func (r ReceiverStatus) MarshalJSON() ([]byte, error) {
	return marshal(struct {
		Name       string        `json:"name"`
		Configured bool          `json:"configured"`
		Receiver   ReceiverState `json:"receiver"`
		Oldest     time.Time     `json:"oldest_pending,omitzero"`
		OldestAge  float64       `json:"oldest_pending_seconds"`
		Total      KindStatus    `json:"total"`
		Events     []KindStatus  `json:"events"`
	}{r.Name, r.Configured, r.State, utc(r.Oldest), ageSeconds(r.Oldest), r.Total, filled(r.Kinds)})
}

// filled returns a list that is never null.
func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func ageSeconds(since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(0, time.Since(since).Seconds())
}

// MarshalJSON says "unknown" of a receiver to which nothing was ever sent.
func (r ReceiverState) MarshalJSON() ([]byte, error) {
	state := "down"
	switch {
	case r.Since.IsZero():
		state = "unknown"
	case r.Up:
		state = "up"
	}
	return marshal(struct {
		State       string    `json:"state"`
		Since       time.Time `json:"since,omitzero"`
		LastSuccess time.Time `json:"last_success,omitzero"`
		LastFailure time.Time `json:"last_failure,omitzero"`
		LastStatus  int       `json:"last_status,omitzero"`
		LastError   string    `json:"last_error,omitempty"`
		Failures    int       `json:"failures"`
		NextProbe   time.Time `json:"next_probe,omitzero"`
	}{state, utc(r.Since), utc(r.LastSuccess), utc(r.LastFailure), r.LastStatus, r.LastError, r.Failures, utc(r.NextProbe)})
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
