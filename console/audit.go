package console

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/audit"
	"github.com/dialbridge/dialbridge/internal/httpd"
)

// auditPage is the answer of auditLog.
type auditPage struct {
	Entries []audit.Entry `json:"entries"`
	Next    int64         `json:"next,omitempty"` // "before" of the next page; not there at the end
}

func (a *API) auditLog(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	f := audit.Filter{Who: p.Get("who"), Remote: p.Get("remote"), Action: p.Get("action")}
	if text := p.Get("failed"); text != "" {
		if f.Failed, err = strconv.ParseBool(text); err != nil {
			return &httpd.Error{Status: http.StatusBadRequest, Message: "failed is neither true nor false"}
		}
	}
	for name, into := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		if text := p.Get(name); text != "" {
			if *into, err = time.Parse(time.RFC3339, text); err != nil {
				return &httpd.Error{Status: http.StatusBadRequest, Message: name + " is no time such as 2026-11-21T15:04:05Z"}
			}
		}
	}
	if f.Limit, err = p.Int("limit", 100, 1, maxPage); err != nil {
		return err
	}
	before, err := p.Int("before", 0, 0, math.MaxInt)
	if err != nil {
		return err
	}
	f.Before = int64(before)
	list, err := a.audit.List(c.Request().Context(), f)
	if err != nil {
		return err
	}
	answer := auditPage{Entries: list}
	if list == nil {
		answer.Entries = []audit.Entry{}
	}
	if len(list) == f.Limit {
		answer.Next = list[len(list)-1].Seq
	}
	return c.JSON(http.StatusOK, answer)
}
