package console

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

// The rows of the live feed: each is an object with an id that is its own within its section. README.md has their keys.

// liveHead is what is no row.
type liveHead struct {
	Live           bool      `json:"live"` // the rows follow Asterisk; else they are what was known at Since
	Since          time.Time `json:"since,omitzero"`
	Reason         string    `json:"reason,omitempty"`
	Day            time.Time `json:"day"`            // midnight: since when queues are counted
	Within         float64   `json:"within_seconds"` // of the service level
	ReceiversKnown bool      `json:"receivers_known"`
}

type queueRow struct {
	ID        string      `json:"id"`
	Waiting   int         `json:"waiting"`
	Oldest    time.Time   `json:"oldest,omitzero"`
	Agents    agentCounts `json:"agents"`
	Answered  int         `json:"answered"`
	Abandoned int         `json:"abandoned"`
	InTime    int         `json:"in_time"`
	Level     *float64    `json:"level"` // null on a day on which nobody has come
}

type agentCounts struct {
	Ready     int `json:"ready"`
	Busy      int `json:"busy"`
	AfterWork int `json:"acw"`
	Unready   int `json:"unready"`
	Login     int `json:"login"`
	Away      int `json:"away"`
}

type extenRow struct {
	ID         string          `json:"id"`
	Name       string          `json:"name,omitempty"`
	State      string          `json:"state"`
	Since      time.Time       `json:"since,omitzero"`
	Agent      string          `json:"agent,omitempty"`
	AgentSince time.Time       `json:"agent_since,omitzero"`
	Reason     string          `json:"reason,omitempty"`
	Queues     []pbx.QueueName `json:"queues,omitempty"`
	Call       string          `json:"call,omitempty"`
	Party      string          `json:"party,omitempty"`
	Outbound   bool            `json:"outbound,omitempty"`
}

type callRow struct {
	ID         string    `json:"id"`
	Direction  string    `json:"direction"`
	Since      time.Time `json:"since"`
	State      string    `json:"state"`
	StateSince time.Time `json:"state_since"`
	Caller     string    `json:"caller"`
	CallerName string    `json:"caller_name,omitempty"`
	Called     string    `json:"called"`
	Queue      string    `json:"queue,omitempty"`
	Recorded   bool      `json:"recorded,omitempty"`
	Legs       []legRow  `json:"legs"`
	MoreLegs   int       `json:"more_legs,omitempty"`
}

type legRow struct {
	ID     string    `json:"id"`
	Number string    `json:"number"`
	Name   string    `json:"name,omitempty"`
	Exten  string    `json:"extension,omitempty"`
	State  string    `json:"state"`
	Since  time.Time `json:"since"`
}

type receiverRow struct {
	ID         string    `json:"id"`
	Configured bool      `json:"configured"`
	State      string    `json:"state"`
	Since      time.Time `json:"since,omitzero"`
	Pending    int64     `json:"pending"`
	Dead       int64     `json:"dead"`
	Oldest     time.Time `json:"oldest,omitzero"`
}

// moment is a time as the feed tells it; the zero time stays so, and is left out.
func moment(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}

// rowOf is a row and its id, encoded.
type rowOf struct {
	id   string
	text json.RawMessage
}

// encodeRow makes JSON without the escapes of HTML. What it is given has no value that JSON does not know.
func encodeRow(id string, v any) rowOf {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) //nolint:errchkjson // numbers, texts and times of our own
	return rowOf{id, bytes.TrimSuffix(b.Bytes(), []byte("\n"))}
}

func queueRows(list []pbx.QueueRow) []rowOf {
	rows := make([]rowOf, 0, len(list))
	for i := range list {
		q := &list[i]
		row := queueRow{
			ID: string(q.Name), Waiting: q.Waiting, Oldest: moment(q.Oldest), Agents: agentCounts(q.Agents), Answered: q.Answered, Abandoned: q.Abandoned, InTime: q.InTime,
		}
		if share, ok := q.Level(); ok {
			share = math.Floor(share*1000) / 1000 // never more than it was
			row.Level = &share
		}
		rows = append(rows, encodeRow(row.ID, row))
	}
	return rows
}

func extenRows(list []pbx.ExtenRow) []rowOf {
	rows := make([]rowOf, 0, len(list))
	for i := range list {
		x := &list[i]
		rows = append(rows, encodeRow(string(x.Exten), extenRow{
			ID: string(x.Exten), Name: x.Name, State: strings.ToLower(x.State.String()), Since: moment(x.Since), Agent: string(x.Agent), AgentSince: moment(x.AgentSince),
			Reason: x.Reason, Queues: x.Queues, Call: string(x.Call), Party: x.Party, Outbound: x.Outbound,
		}))
	}
	return rows
}

func callRows(list []pbx.CallRow) []rowOf {
	rows := make([]rowOf, 0, len(list))
	for i := range list {
		c := &list[i]
		row := callRow{
			ID: string(c.ID), Direction: c.Direction.String(), Since: moment(c.Since), State: string(c.State), StateSince: moment(c.StateSince), Caller: c.Caller,
			CallerName: c.CallerName, Called: c.Called, Queue: string(c.Queue), Recorded: c.Recorded, Legs: make([]legRow, 0, len(c.Legs)), MoreLegs: c.MoreLegs,
		}
		for _, l := range c.Legs {
			row.Legs = append(row.Legs, legRow{ID: l.ID, Number: l.Number, Name: l.Name, Exten: string(l.Exten), State: string(l.State), Since: moment(l.Since)})
		}
		rows = append(rows, encodeRow(row.ID, row))
	}
	return rows
}

func receiverRows(list []webhook.ReceiverStatus) []rowOf {
	rows := make([]rowOf, 0, len(list))
	for i := range list {
		r := &list[i]
		state := "down"
		switch {
		case r.State.Since.IsZero():
			state = "unknown" // nothing was ever sent
		case r.State.Up:
			state = "up"
		}
		rows = append(rows, encodeRow(r.Name, receiverRow{
			ID: r.Name, Configured: r.Configured, State: state, Since: moment(r.State.Since), Pending: r.Total.Pending, Dead: r.Total.Dead, Oldest: moment(r.Oldest),
		}))
	}
	return rows
}
