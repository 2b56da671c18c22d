package console

import (
	"net/http"
	"strconv"

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
	if f.Since, f.Until, err = a.span(p); err != nil {
		return err
	}
	if f.Limit, f.Before, err = newestFirst(p); err != nil {
		return err
	}
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
