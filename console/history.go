package console

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

const (
	defaultCalls = 50
	mostCalls    = 200
	longestName  = 80  // bytes of a number or of a queue's name, as in Asterisk (AST_MAX_EXTENSION)
	longestText  = 100 // bytes of what is searched for
)

// pastCall is an ended call in a list. Lengths are in seconds.
type pastCall struct {
	ID         string  `json:"id"`
	Start      string  `json:"start"`
	End        string  `json:"end"`
	Direction  string  `json:"direction"`
	Caller     string  `json:"caller"`
	CallerName string  `json:"caller_name"`
	Called     string  `json:"called"`
	CalledName string  `json:"called_name"`
	DID        string  `json:"did"`
	Queue      string  `json:"queue"`
	Agent      string  `json:"agent"`
	Answered   bool    `json:"answered"`
	Miss       string  `json:"miss"`
	EndedBy    string  `json:"ended_by"`
	LinkLost   bool    `json:"link_lost"`
	Duration   float64 `json:"duration"`
	Waiting    float64 `json:"waiting"`
	Ring       float64 `json:"ring"`
	Talk       float64 `json:"talk"`
	Hold       float64 `json:"hold"`
	Score      string  `json:"score"`
	Recording  bool    `json:"recording"`
}

// callPage is the answer of calls.
type callPage struct {
	Calls []pastCall `json:"calls"`
	Next  string     `json:"next,omitempty"` // "before" of the next page; not there at the end
}

// calls lists ended calls, those that began last first.
func (a *API) calls(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	f, err := a.callFilter(p)
	if err != nil {
		return err
	}
	if f.Limit, err = p.Int("limit", defaultCalls, 1, mostCalls); err != nil {
		return err
	}
	var place pbx.CallPlace
	if before := p.Get("before"); before != "" {
		if place, err = pbx.ParseCallPlace(before); err != nil {
			return coreFailure(err)
		}
	}
	answer := callPage{Calls: []pastCall{}}
	err = a.sw.Latest(c.Request().Context(), f, place, func(e *pbx.EndedCall) error {
		answer.Calls, place = append(answer.Calls, a.row(&e.Account)), e.Place()
		return nil
	})
	if err != nil {
		return coreFailure(err)
	}
	if len(answer.Calls) == f.Limit {
		answer.Next = place.String()
	}
	if callerOf(c).kind == kindKey { // a program takes them away; the page shows them
		httpd.Taken(c, "", true)
	}
	return c.JSON(http.StatusOK, answer)
}

// callFilter reads which calls are asked for. A parameter that is empty is as if it were not there.
func (a *API) callFilter(p httpd.Params) (f pbx.CallFilter, err error) {
	var errs [8]error
	var exten, queue string
	f.From, errs[0] = p.Moment("from", a.zone)
	f.To, errs[1] = p.Moment("to", a.zone)
	exten, errs[2] = p.Text("extension", longestName)
	queue, errs[3] = p.Text("queue", longestName)
	f.Direction, errs[4] = p.OneOf("direction", "inbound", "outbound", "internal")
	f.Answered, errs[5] = p.YesOrNo("answered")
	f.Number, errs[6] = p.Text("number", longestName)
	f.Recorded, errs[7] = p.YesOrNo("recorded")
	if err = errors.Join(errs[:]...); err != nil {
		return f, err
	}
	f.Exten, f.Queue = pbx.ParseExten(exten), pbx.QueueName(queue)
	if exten != "" && f.Exten == "" {
		return f, unusable("extension: not an extension number")
	}
	if !f.From.IsZero() && !f.To.IsZero() && f.To.Before(f.From) {
		return f, unusable("to is before from")
	}
	f.Text, err = p.Text("text", longestText)
	return f, err
}

func (a *API) row(c *pbx.Account) pastCall {
	return pastCall{
		ID: string(c.ID), Start: a.moment(c.Start), End: a.moment(c.End), Direction: c.Direction.String(),
		Caller: c.Caller, CallerName: c.CallerName, Called: c.Called, CalledName: c.CalledName, DID: c.DID, Queue: string(c.Queue), Agent: string(c.Agent),
		Answered: c.Answered, Miss: string(c.Miss), EndedBy: string(c.Side), LinkLost: c.LinkLost,
		Duration: c.Duration.Seconds(), Waiting: c.Waiting.Seconds(), Ring: c.Ring.Seconds(), Talk: c.Talk.Seconds(), Hold: c.Hold.Seconds(),
		Score: c.Score, Recording: c.Recording != "",
	}
}

// moment writes a time as it was on the PBX's clock, with how far that was from UTC; "" for none.
func (a *API) moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.In(a.zone).Format(time.RFC3339)
}

func unusable(message string) error {
	return &httpd.Error{Status: http.StatusBadRequest, Message: message}
}

// coreFailure gives an error of the core its status; every other one is internal.
func coreFailure(err error) error {
	var invalid *pbx.InvalidError
	switch {
	case errors.As(err, &invalid):
		return &httpd.Error{Status: http.StatusBadRequest, Message: invalid.Error()}
	case errors.Is(err, pbx.ErrNotFound):
		return &httpd.Error{Status: http.StatusNotFound, Message: "there is none"}
	case errors.Is(err, pbx.ErrNoRoom):
		return &httpd.Error{Status: http.StatusInsufficientStorage, Message: "the database is full, nothing was done", Err: err}
	}
	return err
}
