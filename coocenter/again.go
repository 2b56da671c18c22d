package coocenter

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/webhook"
)

// eventRow is a pushed event that is read again.
type eventRow struct {
	ID    string          `json:"id"` // its webhook-id
	State string          `json:"state"`
	Time  string          `json:"time"`
	Body  json.RawMessage `json:"body"` // as it was, or will be, pushed
}

// pushedEvents lists events out of the outbox in the order of their storing, delivered or not.
func (a *API) pushedEvents(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	f, err := eventFilter(p)
	if err != nil {
		return err
	}
	list, err := a.outbox.Read(c.Request().Context(), f)
	if errors.Is(err, webhook.ErrUnknown) {
		return &httpd.Error{Status: http.StatusNotFound, Message: "No such event", Err: err}
	}
	if err != nil {
		return failure(err, "")
	}
	rows, rules, next := make([]eventRow, 0, len(list)), a.rules.Load(), f.After
	for i := range list {
		e := &list[i]
		rows = append(rows, eventRow{ID: e.ID, State: e.State, Time: e.At.In(rules.Location).Format(date), Body: e.Body})
		next = e.ID
	}
	httpd.Taken(c, "", true) // with the accounts of calls
	return onePage(c, "Events will follow", rows, next)
}

func eventFilter(p httpd.Params) (f webhook.ReadFilter, err error) {
	f.After = p.Get("after")
	if f.Kind, err = p.OneOf("event", "dialbegin", "dialbegein", "dialend", "hangup", "extensionstatus", "ivr", "cdr", "cc_cdr"); err != nil {
		return f, err
	}
	if f.Kind == "dialbegein" { // the page's spelling, when events are pushed under it
		f.Kind = "dialbegin"
	}
	if f.Key, err = p.Text("uniqueid", longestID); err != nil {
		return f, err
	}
	f.Limit, err = p.Int("limit", defaultPage, 1, longestPage)
	return f, err
}
