package coocenter

import (
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

const (
	longestRing = 300   // seconds
	longestCall = 86400 // seconds
)

// originated is what click-number tells of the call that it has ordered.
type originated struct {
	UniqueID string `json:"uniqueid"`
}

// clickNumber rings src and, when it answers, dials dst from it.
func (a *API) clickNumber(c echo.Context) error {
	p, v, err := need(c, "src", "dst")
	if err != nil {
		return err
	}
	r, err := dialRequest(p)
	if err != nil {
		return err
	}
	r.From, r.To = string(pbx.ParseExten(v[0])), string(pbx.ParseExten(v[1]))
	id, err := a.sw.Dial(traced(c), r)
	if err != nil {
		return failure(err, "Extension does not exist.")
	}
	a.log.Info("call originated", "call", id, "request_id", httpd.RequestID(c.Request().Context()))
	return success(c, "Originate successfully queued", originated{UniqueID: string(id)})
}

// dialRequest reads what an order may say besides the two numbers.
func dialRequest(p httpd.Params) (r pbx.DialRequest, err error) {
	ring, err := p.Int("timeout", 0, 1, longestRing)
	if err != nil {
		return r, err
	}
	limit, err := p.Int("limitSec", 0, 1, longestCall)
	if err != nil {
		return r, err
	}
	r.Timeout, r.Limit = time.Duration(ring)*time.Second, time.Duration(limit)*time.Second
	r.CallerID = p.Get("callerid")
	return r, nil
}

// hangup ends all channels of an extension.
func (a *API) hangup(c echo.Context) error {
	_, v, err := need(c, "extension")
	if err != nil {
		return err
	}
	if _, err := a.sw.HangupExtension(traced(c), pbx.ParseExten(v[0])); err != nil {
		return failure(err, "No such channel")
	}
	return success(c, "hangup extension success", nil)
}

// transfer sends the one whom src talks to to dst. The one verb of the page does a blind transfer; type tells an attended
// one, which is begun with attended and ended with complete or cancel.
func (a *API) transfer(c echo.Context) error {
	p, v, err := need(c, "src")
	if err != nil {
		return err
	}
	ctx, exten := traced(c), pbx.ParseExten(v[0])
	switch kind := strings.ToLower(p.Get("type")); kind {
	case "", "blind", "attended":
		var dst string
		if dst, err = p.Require("dst"); err != nil {
			return err
		}
		if kind == "attended" {
			err = a.sw.Consult(ctx, exten, string(pbx.ParseExten(dst)))
		} else {
			err = a.sw.Transfer(ctx, exten, string(pbx.ParseExten(dst)))
		}
	case "complete":
		err = a.sw.Complete(ctx, exten, "")
	case "cancel":
		err = a.sw.Cancel(ctx, exten)
	default:
		return &httpd.Error{Status: http.StatusBadRequest, Message: "type: blind, attended, complete or cancel"}
	}
	if err != nil {
		return failure(err, "Extension does not exist.")
	}
	return success(c, "tansfer extension success", nil)
}

// extenSpy lets src listen to the call of dst.
func (a *API) extenSpy(c echo.Context) error {
	p, v, err := need(c, "src", "dst")
	if err != nil {
		return err
	}
	by, on := pbx.ParseExten(v[0]), pbx.ParseExten(v[1])
	switch mode := strings.ToLower(p.Get("mode")); mode {
	case "off":
		err = a.sw.StopSpy(traced(c), by, on)
	case "":
		err = a.sw.Spy(traced(c), pbx.SpyRequest{By: by, On: on, Mode: pbx.Listen})
	default:
		err = a.sw.Spy(traced(c), pbx.SpyRequest{By: by, On: on, Mode: pbx.SpyMode(mode)})
	}
	if err != nil {
		return failure(err, "Extension does not exist.")
	}
	return success(c, "spy extension success", nil)
}
