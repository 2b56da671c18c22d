package coocenter

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// reply is the shape of every answer but the bare lists.
type reply struct {
	Status  string `json:"status"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

// render writes an error in the dialect's shape.
func render(c echo.Context, status int, message string) error {
	return c.JSON(status, reply{Status: "error", Message: message})
}

func success(c echo.Context, message string, data any) error {
	return c.JSON(http.StatusOK, reply{Status: "success", Message: message, Data: data})
}

// failure gives an error of the core its status and text. notFound is the dialect's own text for a thing that is not
// there.
func failure(err error, notFound string) error {
	var invalid *pbx.InvalidError
	var barred *pbx.BarredError
	var refused *pbx.RefusedError
	e := &httpd.Error{Status: http.StatusInternalServerError, Message: "internal error", Err: err}
	switch {
	case errors.As(err, &invalid):
		e.Status, e.Message = http.StatusBadRequest, invalid.Error()
	case errors.As(err, &barred):
		e.Status, e.Message = http.StatusForbidden, barred.Error()
	case errors.Is(err, pbx.ErrNotFound):
		e.Status, e.Message = http.StatusNotFound, notFound
	case errors.Is(err, pbx.ErrNoCall):
		e.Status, e.Message = http.StatusNotFound, "No such channel"
	case errors.Is(err, pbx.ErrState):
		e.Status, e.Message = http.StatusConflict, "the call is not in a state for this"
	case errors.Is(err, pbx.ErrUnreached):
		e.Status, e.Message = http.StatusConflict, "dst is busy or cannot be reached"
	case errors.Is(err, pbx.ErrNotRegistered):
		e.Status, e.Message = http.StatusConflict, "extension is not registered"
	case errors.Is(err, pbx.ErrOffline):
		e.Status, e.Message = http.StatusServiceUnavailable, "Asterisk is not connected, try again"
	case errors.Is(err, pbx.ErrUnknown):
		e.Status, e.Message = http.StatusGatewayTimeout, "the outcome is unknown, do not repeat blindly"
	case errors.Is(err, pbx.ErrNoRoom):
		e.Status, e.Message = http.StatusInsufficientStorage, "the database is full, nothing was done"
	case errors.Is(err, pbx.ErrForbidden):
		e.Message = "the manager user of Asterisk lacks the privilege"
	case errors.As(err, &refused):
		e.Message = refused.Text
	}
	return e
}
