package ola

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// reply is the shape of every answer that is no list.
type reply struct {
	Code   int    `json:"code"`
	Result string `json:"result"`
}

// The dialect's own words.
const (
	textOK           = "ok"
	textSuccess      = "success"
	textNotFound     = "not found"
	textUnauthorized = "Authorization Required!"
	textSignedOut    = "agent not login"
	textNoCall       = "no call"
)

// render writes an error in the dialect's shape.
func render(c echo.Context, status int, message string) error {
	if status == http.StatusNotFound && message == http.StatusText(status) {
		message = textNotFound // a path that nobody has, in the dialect's words
	}
	return c.JSON(status, reply{Code: status, Result: message})
}

func done(c echo.Context) error {
	return c.JSON(http.StatusOK, reply{Code: http.StatusOK, Result: textOK})
}

// fields are the dialect's names of what the core calls otherwise.
var fields = map[string]string{
	"extension": "extn", "src": "extn", "queue": "queue", "callerid": "extn", "dst": "destNumber", "remark": "other_str", "number": "phone",
	"password": "extnPwd", "transfer": "transfer_phone",
}

// failure gives an error of the core its status and text.
func failure(err error) error { return failureIn(err, fields) }

// failureIn is failure for a request with names of its own for what the core calls otherwise.
func failureIn(err error, names map[string]string) error {
	nameOf := func(field string) string { return cmp.Or(names[field], field) }
	var missing *pbx.MissingError
	var invalid *pbx.InvalidError
	var barred *pbx.BarredError
	var refused *pbx.RefusedError
	var lacks *pbx.LackError
	e := &httpd.Error{Status: http.StatusInternalServerError, Message: "internal error", Err: err}
	for _, known := range []struct {
		is      error
		status  int
		message string
	}{
		{pbx.ErrSignedOut, http.StatusNotFound, textSignedOut},
		{pbx.ErrEngaged, http.StatusConflict, "agent is busy"},
		{pbx.ErrNotRegistered, http.StatusConflict, "extension is not registered"},
		{pbx.ErrUnknown, http.StatusGatewayTimeout, "the outcome is unknown, do not repeat blindly"}, // whatever else is told with it
		{pbx.ErrNoCall, http.StatusNotFound, textNoCall},
		{pbx.ErrNoQueue, http.StatusNotFound, "queue not found"},
		{pbx.ErrState, http.StatusConflict, "the call is not in a state for this"},
		{pbx.ErrRingsOn, http.StatusConflict, "the phone does not pick up when it is asked to"},
		{pbx.ErrCannotAsk, http.StatusNotImplemented, pbx.ErrCannotAsk.Error()},
		{pbx.ErrUnreached, http.StatusConflict, "the other number is busy or cannot be reached"},
		{pbx.ErrAttending, http.StatusConflict, "already in the conference"},
		{pbx.ErrNotAttending, http.StatusNotFound, "not in the conference"},
		{pbx.ErrConferenceFull, http.StatusConflict, "conference is full"},
		{pbx.ErrTooMany, http.StatusConflict, "too many conferences"},
		{pbx.ErrLinesBusy, http.StatusConflict, "all lines of the trunk group are busy"},
		{pbx.ErrTrunkDown, http.StatusConflict, "no trunk of the group can be reached"},
		{pbx.ErrManyCampaigns, http.StatusConflict, "too many campaigns run"},
		{pbx.ErrManyNumbers, http.StatusConflict, "too many numbers wait to be dialled"},
		{pbx.ErrNoRoom, http.StatusInsufficientStorage, "the database is full, nothing was done"},
		{pbx.ErrNoRobot, http.StatusBadRequest, "ai not supported"},
		{pbx.ErrNotFound, http.StatusNotFound, textNotFound},
		{pbx.ErrNoGroup, http.StatusNotFound, textNotFound},
		{pbx.ErrExists, http.StatusConflict, "already exists"},
		{pbx.ErrForeign, http.StatusConflict, "made by hand in Asterisk, not changed here"},
		{pbx.ErrInUse, http.StatusConflict, "in use"},
		{pbx.ErrOffline, http.StatusServiceUnavailable, "Asterisk is not connected, try again"},
		{pbx.ErrForbidden, http.StatusInternalServerError, "the manager user of Asterisk lacks the privilege"},
	} {
		if errors.Is(err, known.is) {
			e.Status, e.Message = known.status, known.message
			if errors.As(err, &missing) {
				e.Message = nameOf(missing.Field) + ": " + textNotFound
			}
			return e
		}
	}
	switch {
	case errors.As(err, &invalid):
		e.Status, e.Message = http.StatusBadRequest, nameOf(invalid.Field)+": "+invalid.Reason
	case errors.As(err, &barred):
		e.Status, e.Message = http.StatusForbidden, nameOf(barred.Field)+": number is on the black list"
	case errors.As(err, &lacks):
		e.Status, e.Message = http.StatusNotImplemented, lacks.Error()
	case errors.As(err, &refused):
		e.Message = refused.Text
	}
	return e
}
