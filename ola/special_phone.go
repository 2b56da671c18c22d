package ola

import (
	"cmp"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/blacklist"
)

// flags are the document's numbers of the ways in which a number is listed.
var flags = map[string]blacklist.Way{"2": blacklist.Inbound, "3": blacklist.Outbound, "4": blacklist.Both}

// flagOf is the document's number of the ways, as in JSON.
func flagOf(ways blacklist.Way) int {
	for text, w := range flags {
		if w == ways {
			return int(text[0] - '0')
		}
	}
	return 0
}

// flag reads special_flag; 0 when it is not given.
func flag(c echo.Context) (blacklist.Way, error) {
	text, err := value(c, "special_flag")
	if err != nil || text == "" {
		return 0, err
	}
	ways, ok := flags[text]
	if !ok {
		return 0, unusable("special_flag: 2, 3 or 4")
	}
	return ways, nil
}

// phoneAndFlag reads what insert and update cannot do without.
func phoneAndFlag(c echo.Context) (phone string, ways blacklist.Way, err error) {
	v, err := need(c, "phone", "special_flag")
	if err != nil {
		return "", 0, err
	}
	ways, err = flag(c)
	return v[0], ways, err
}

// insertPhone lists a number. What it was listed for already stays.
func (a *API) insertPhone(c echo.Context) error {
	phone, ways, err := phoneAndFlag(c)
	if err != nil {
		return err
	}
	return finish(c, a.numbers.Add(traced(c), phone, ways, ""))
}

// deletePhone lists a number no more, or no more for one way.
func (a *API) deletePhone(c echo.Context) error {
	v, err := need(c, "phone")
	if err != nil {
		return err
	}
	ways, err := flag(c)
	if err != nil {
		return err
	}
	return finish(c, a.numbers.Remove(traced(c), v[0], cmp.Or(ways, blacklist.Both)))
}

// updatePhone lists a number for just these ways.
func (a *API) updatePhone(c echo.Context) error {
	phone, ways, err := phoneAndFlag(c)
	if err != nil {
		return err
	}
	return finish(c, a.numbers.Set(traced(c), phone, ways))
}

// phoneRow is one listed number, keys in the documented order.
type phoneRow struct {
	UUID        string  `json:"uuid"`
	UserUUID    string  `json:"user_uuid"`
	CreatedAt   string  `json:"created_at"`
	Phone       string  `json:"phone"`
	SpecialFlag int     `json:"special_flag"`
	Priority    *string `json:"priority"`
}

// phones lists the listed numbers, or those that contain phone and are listed for just the ways of special_flag.
func (a *API) phones(c echo.Context) error {
	part, err := value(c, "phone")
	if err != nil {
		return err
	}
	ways, err := flag(c)
	if err != nil {
		return err
	}
	list, err := a.numbers.List(traced(c), blacklist.Filter{Ways: ways, Exact: ways != 0, Contains: part})
	if err != nil {
		return failure(err)
	}
	rows := make([]phoneRow, 0, len(list))
	for _, e := range list {
		rows = append(rows, phoneRow{
			UUID: e.UUID, UserUUID: nobody, CreatedAt: e.CreatedAt.In(a.rules.Load().Location).Format(time.DateTime),
			Phone: e.Number, SpecialFlag: flagOf(e.Ways),
		})
	}
	return c.JSON(http.StatusOK, rows)
}

// nobody is the user of what no user has made.
const nobody = "00000000-0000-0000-0000-000000000000"
