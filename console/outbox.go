package console

import (
	"errors"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/webhook"
)

const maxPage = 1000

func (a *API) status(c echo.Context) error {
	s, err := a.outbox.Status(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s)
}

// page is the answer of list.
type page struct {
	Events []webhook.Record `json:"events"`
	Next   int64            `json:"next,omitempty"` // "before" of the next page; not there at the end
}

func (a *API) list(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	f, err := a.filter(p)
	if err != nil {
		return err
	}
	if f.Limit, f.Before, err = newestFirst(p); err != nil {
		return err
	}
	list, err := a.outbox.List(c.Request().Context(), f)
	if err != nil {
		return failure(err)
	}
	answer := page{Events: list}
	if list == nil {
		answer.Events = []webhook.Record{}
	}
	if len(list) == f.Limit {
		answer.Next = list[len(list)-1].Seq
	}
	return c.JSON(http.StatusOK, answer)
}

// filter reads how events are chosen.
func (a *API) filter(p httpd.Params) (f webhook.Filter, err error) {
	f = webhook.Filter{Receiver: p.Get("receiver"), State: p.Get("state"), Kind: p.Get("event"), Key: p.Get("call")}
	f.Since, f.Until, err = a.span(p)
	return f, err
}

// newestFirst reads how far a list goes that begins with what is newest: so many rows, behind the one where the page before ended.
func newestFirst(p httpd.Params) (limit int, before int64, err error) {
	if limit, err = p.Int("limit", 100, 1, maxPage); err != nil {
		return 0, 0, err
	}
	place, err := p.Int("before", 0, 0, math.MaxInt)
	return limit, int64(place), err
}

// span reads the time that a list is of.
func (a *API) span(p httpd.Params) (since, until time.Time, err error) {
	if since, err = p.Moment("since", a.zone); err == nil {
		until, err = p.Moment("until", a.zone)
	}
	return since, until, err
}

func (a *API) show(c echo.Context) error {
	id, err := httpd.PathParam(c, "id")
	if err != nil {
		return err
	}
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	r, err := a.outbox.Show(c.Request().Context(), p.Get("receiver"), id)
	if err != nil {
		return failure(err)
	}
	return c.JSON(http.StatusOK, r)
}

// replay makes events pending again: those that are named, or those that a filter chooses, or all dead letters.
func (a *API) replay(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	f, err := a.filter(p)
	if err != nil {
		return err
	}
	ctx, n := c.Request().Context(), 0
	ids := p.Get("id")
	switch {
	case ids != "" && f != (webhook.Filter{Receiver: f.Receiver}):
		return &httpd.Error{Status: http.StatusBadRequest, Message: "id does not go together with state, event, call, since or until"}
	case ids != "":
		n, err = a.outbox.Replay(ctx, f.Receiver, strings.Split(ids, ",")...)
	default:
		n, err = a.outbox.ReplayWhere(ctx, f, nil)
	}
	if n > 0 {
		a.log.InfoContext(ctx, "events are replayed at the console's request", "events", n, "request_id", httpd.RequestID(ctx))
	}
	if err != nil {
		return failure(err)
	}
	return c.JSON(http.StatusOK, map[string]int{"replayed": n})
}

// trial is the answer of test.
type trial struct {
	Delivered bool   `json:"delivered"`
	Status    int    `json:"status,omitempty"` // of the receiver's answer, 0 when none came
	Took      int64  `json:"took_ms"`
	Error     string `json:"error,omitempty"`
}

// test sends one signed event past the queue, and says what came of it.
func (a *API) test(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	name := p.Get("receiver")
	sender, err := a.senders.Named(name)
	if name == "" && err != nil {
		return &httpd.Error{Status: http.StatusConflict, Message: "no receiver is configured: [general] URL is empty"}
	}
	if err != nil {
		return &httpd.Error{Status: http.StatusConflict, Message: "no such receiver is configured", Err: err}
	}
	began := time.Now()
	status, err := sender.Test(c.Request().Context(), webhook.TestEvent())
	answer := trial{Delivered: err == nil, Status: status, Took: time.Since(began).Milliseconds()}
	if err != nil {
		answer.Error = err.Error()
	}
	return c.JSON(http.StatusOK, answer)
}

// failure gives an error of the outbox its status; every other one is internal.
func failure(err error) error {
	switch {
	case errors.Is(err, webhook.ErrUnknown):
		return &httpd.Error{Status: http.StatusNotFound, Message: "no such event"}
	case errors.Is(err, webhook.ErrFilter):
		return &httpd.Error{Status: http.StatusBadRequest, Message: strings.TrimPrefix(err.Error(), "webhook: ")}
	}
	return err
}
