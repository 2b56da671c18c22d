package coocenter

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/blacklist"
	"github.com/dialbridge/dialbridge/internal/httpd"
)

// numbersReply is the one success without a message.
type numbersReply struct {
	Status string   `json:"status"`
	Data   []string `json:"data"`
}

// blacklistIndex lists the numbers that may not call in.
func (a *API) blacklistIndex(c echo.Context) error {
	if _, err := httpd.ReadParams(c); err != nil {
		return err
	}
	list, err := a.numbers.List(traced(c), blacklist.Filter{Ways: blacklist.Inbound})
	if err != nil {
		return failure(err, "")
	}
	data := make([]string, 0, len(list))
	for _, e := range list {
		data = append(data, e.Number)
	}
	return c.JSON(http.StatusOK, numbersReply{Status: "success", Data: data})
}

// blacklistCreate shuts a number out; doing it twice is success.
func (a *API) blacklistCreate(c echo.Context) error {
	_, v, err := need(c, "number")
	if err != nil {
		return err
	}
	if err := a.numbers.Add(traced(c), v[0], blacklist.Inbound, ""); err != nil {
		return failure(err, "")
	}
	return success(c, "Updated database successfully", nil)
}

// blacklistDelete lets a number in again.
func (a *API) blacklistDelete(c echo.Context) error {
	_, v, err := need(c, "number")
	if err != nil {
		return err
	}
	if err := a.numbers.Remove(traced(c), v[0], blacklist.Inbound); err != nil {
		return failure(err, "Database entry could not be deleted")
	}
	return success(c, "Key deleted successfully", nil)
}
