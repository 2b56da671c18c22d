package coocenter

import (
	"math"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

const (
	defaultPage = 100
	longestPage = 1000
	longestName = 80  // bytes of a number or of a queue's name, as in Asterisk (AST_MAX_EXTENSION)
	longestID   = 150 // bytes of a Uniqueid (AST_MAX_UNIQUEID)
)

// page is an answer of which next asks for the one behind it.
type page struct {
	reply
	Next string `json:"next"`
}

func onePage(c echo.Context, message string, data any, next string) error {
	return c.JSON(http.StatusOK, page{reply: reply{Status: "success", Message: message, Data: data}, Next: next})
}

// callRow is an ended call in a list.
type callRow struct {
	ID string `json:"id"` // its place among all
	callFields
}

// endedCalls lists finished calls, the oldest first.
func (a *API) endedCalls(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	f, err := a.callFilter(p)
	if err != nil {
		return err
	}
	rows, last, err := a.rows(c, f)
	if err != nil {
		return failure(err, "")
	}
	httpd.Taken(c, "", true) // of all calls, page by page
	return onePage(c, "Calls will follow", rows, strconv.FormatInt(last, 10))
}

// accountsAtOnce bounds how many whole accounts are in memory: one of a long conference is much larger than its row.
const accountsAtOnce = 20

// rows reads calls, and the place of the last one.
func (a *API) rows(c echo.Context, f pbx.CallFilter) (rows []callRow, last int64, err error) {
	rows, rules, want := []callRow{}, a.rules.Load(), f.Limit
	for len(rows) < want {
		f.Limit = min(want-len(rows), accountsAtOnce)
		list, err := a.sw.Ended(c.Request().Context(), f)
		if err != nil {
			return nil, 0, err
		}
		for i := range list {
			rows = append(rows, callRow{ID: strconv.FormatInt(list[i].Seq, 10), callFields: rules.closed(&list[i].Account)})
			f.After = list[i].Seq
		}
		if len(list) < f.Limit {
			break
		}
	}
	return rows, f.After, nil
}

// callFilter reads which calls are asked for. A parameter that is empty is as if it were not there.
func (a *API) callFilter(p httpd.Params) (f pbx.CallFilter, err error) {
	var errs [9]error
	var after int
	after, errs[0] = p.Int("after", 0, 0, math.MaxInt)
	f.After = int64(after)
	f.From, errs[1] = p.Moment("from", a.rules.Load().Location)
	f.To, errs[2] = p.Moment("to", a.rules.Load().Location)
	f.Exten, errs[3] = extension(p)
	var queue string
	queue, errs[4] = p.Text("queue", longestName)
	f.Queue = pbx.QueueName(queue)
	f.Direction, errs[5] = p.OneOf("direction", "inbound", "outbound", "internal")
	f.Answered, errs[6] = p.YesOrNo("answered")
	f.Number, errs[7] = p.Text("number", longestName)
	f.Limit, errs[8] = p.Int("limit", defaultPage, 1, longestPage)
	for _, err := range errs {
		if err != nil {
			return f, err
		}
	}
	if !f.From.IsZero() && !f.To.IsZero() && f.To.Before(f.From) {
		return f, unusable("to is before from")
	}
	return f, nil
}

func unusable(message string) error {
	return &httpd.Error{Status: http.StatusBadRequest, Message: message}
}

// extension reads a number as the other endpoints do. Whether it is one is for the core to say.
func extension(p httpd.Params) (pbx.Exten, error) {
	v := p.Get("extension")
	n := pbx.ParseExten(v)
	if v != "" && n == "" {
		return "", unusable("extension: not an extension number")
	}
	return n, nil
}

const noSuchCall = "No such call"

// oneCall tells all of one call, whether it lives or has ended.
func (a *API) oneCall(c echo.Context) error {
	if _, err := httpd.ReadParams(c); err != nil {
		return err
	}
	id, err := httpd.PathParam(c, "*")
	if err != nil || len(id) > longestID {
		return &httpd.Error{Status: http.StatusNotFound, Message: noSuchCall}
	}
	call, open, err := a.sw.Account(c.Request().Context(), pbx.CallID(id))
	if err != nil {
		return failure(err, noSuchCall)
	}
	return success(c, "Call will follow", a.rules.Load().story(&call.Account, open))
}
