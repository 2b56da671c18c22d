package coocenter

import (
	"errors"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// clickNumber rings src and, when it answers, dials dst from it.
func (a *API) clickNumber(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	src, err := p.Require("src")
	if err != nil {
		return err
	}
	dst, err := p.Require("dst")
	if err != nil {
		return err
	}
	id, err := a.sw.Dial(traced(c), pbx.DialRequest{From: pbx.ParseExten(src), To: string(pbx.ParseExten(dst))})
	if err != nil {
		return failure(err, "Extension does not exist.")
	}
	a.log.Info("call originated", "call", id, "request_id", httpd.RequestID(c.Request().Context()))
	return success(c, "Originate successfully queued", nil)
}

// hangup ends all channels of an extension.
func (a *API) hangup(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	exten, err := p.Require("extension")
	if err != nil {
		return err
	}
	_, err = a.sw.HangupExtension(traced(c), pbx.ParseExten(exten))
	if errors.Is(err, pbx.ErrNotFound) {
		return failure(err, "No such channel")
	}
	if err != nil {
		return failure(err, "")
	}
	return success(c, "hangup extension success", nil)
}
