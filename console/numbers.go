package console

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/blacklist"
	"github.com/dialbridge/dialbridge/internal/httpd"
)

const (
	defaultNumbers = 100
	mostNumbers    = 1000
)

// listedNumber is an entry of the black list.
type listedNumber struct {
	Number    string `json:"number"`
	Direction string `json:"direction"` // of the calls that it is shut out of: inbound, outbound or both
	Note      string `json:"note"`
	Created   string `json:"created"`
}

// numberPage is the answer of numberList. Pending is how many changes Asterisk has not taken yet, and Trouble why; Compared is when its own list was
// last compared with ours, "" for never.
type numberPage struct {
	Numbers  []listedNumber `json:"numbers"`
	Next     string         `json:"next,omitempty"` // "after" of the next page; not there at the end
	Entries  int            `json:"entries"`        // of the whole list
	Pending  int            `json:"pending"`
	Compared string         `json:"compared"`
	Trouble  string         `json:"trouble,omitempty"`
}

var directions = map[string]blacklist.Way{"": 0, "inbound": blacklist.Inbound, "outbound": blacklist.Outbound, "both": blacklist.Both}

func directionOf(w blacklist.Way) string {
	return map[blacklist.Way]string{blacklist.Inbound: "inbound", blacklist.Outbound: "outbound", blacklist.Both: "both"}[w]
}

func direction(p httpd.Params) (blacklist.Way, error) {
	word, err := p.OneOf("direction", "inbound", "outbound", "both")
	return directions[word], err
}

// numberList lists the black list in the order of the numbers. Asterisk's own list is looked at first when the whole list is asked for, and not at
// each step of a search.
func (a *API) numberList(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	var f blacklist.Filter
	if f.Ways, err = direction(p); err != nil {
		return err
	}
	if f.Text, err = p.Text("text", longestText); err != nil {
		return err
	}
	if f.After, err = p.Text("after", longestName); err != nil {
		return err
	}
	if f.Limit, err = p.Int("limit", defaultNumbers, 1, mostNumbers); err != nil {
		return err
	}
	f.Stored = f.Text != "" || f.Ways != 0
	ctx := c.Request().Context()
	list, err := a.numbers.List(ctx, f)
	if err != nil {
		return err
	}
	status, err := a.numbers.Status(ctx)
	if err != nil {
		return err
	}
	answer := numberPage{Numbers: make([]listedNumber, 0, len(list)), Entries: status.Entries, Pending: status.Pending, Compared: a.moment(status.Compared)}
	if status.Err != nil {
		answer.Trouble = status.Err.Error()
	}
	for _, e := range list {
		answer.Numbers = append(answer.Numbers, a.listed(e))
	}
	if len(list) == f.Limit {
		answer.Next = list[len(list)-1].Number
	}
	return c.JSON(http.StatusOK, answer)
}

func (a *API) listed(e blacklist.Entry) listedNumber {
	return listedNumber{Number: e.Number, Direction: directionOf(e.Ways), Note: e.Note, Created: a.moment(e.CreatedAt)}
}

// numberAdd lists a number. What it is listed for already stays.
func (a *API) numberAdd(c echo.Context) error {
	p, number, ways, err := entry(c)
	if err != nil {
		return err
	}
	if ways == 0 {
		return unusable("direction is missing")
	}
	ctx := c.Request().Context()
	if err := a.numbers.Add(ctx, number, ways, p.Get("note")); err != nil {
		return coreFailure(err)
	}
	e, err := a.numbers.Get(ctx, number)
	if err != nil {
		return coreFailure(err) // it was taken off again meanwhile
	}
	return c.JSON(http.StatusOK, a.listed(e))
}

// numberNote replaces the note of a listed number, which may be emptied.
func (a *API) numberNote(c echo.Context) error {
	p, number, _, err := entry(c)
	if err != nil {
		return err
	}
	note, given := p.Lookup("note")
	if !given {
		return unusable("note is missing")
	}
	ctx := c.Request().Context()
	if err := a.numbers.SetNote(ctx, number, note); err != nil {
		return coreFailure(err)
	}
	e, err := a.numbers.Get(ctx, number)
	if err != nil {
		return coreFailure(err) // it was taken off meanwhile
	}
	return c.JSON(http.StatusOK, a.listed(e))
}

// numberRemove takes a number off, or one of its directions.
func (a *API) numberRemove(c echo.Context) error {
	_, number, ways, err := entry(c)
	if err != nil {
		return err
	}
	if ways == 0 {
		ways = blacklist.Both
	}
	if err := a.numbers.Remove(c.Request().Context(), number, ways); err != nil {
		return coreFailure(err)
	}
	return c.JSON(http.StatusOK, map[string]string{"removed": directionOf(ways)})
}

// entry reads a number and, where it is given, a direction.
func entry(c echo.Context) (p httpd.Params, number string, ways blacklist.Way, err error) {
	if p, err = httpd.ReadParams(c); err != nil {
		return p, "", 0, err
	}
	if number, err = p.Require("number"); err != nil {
		return p, "", 0, err
	}
	ways, err = direction(p)
	return p, number, ways, err
}
