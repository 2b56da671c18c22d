package coocenter

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
)

// recording serves one file of the recordings directory, in whole or in ranges.
func (a *API) recording(c echo.Context) error {
	name, err := httpd.PathParam(c, "*")
	if err != nil {
		return &httpd.Error{Status: http.StatusNotFound, Message: "File not found"}
	}
	return httpd.SendSound(c, a.rules.Load().RecordingsDirectory, name)
}
