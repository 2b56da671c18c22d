package coocenter

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// queueMember is one row of queue-info.
type queueMember struct {
	Name    string `json:"name"`
	Paused  string `json:"paused"`
	Penalty string `json:"penalty"`
}

// queueRows is an object with a key for each queue, in the order of the queues.
type queueRows []pbx.Queue

// MarshalJSON implements json.Marshaler.
func (rows queueRows) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, q := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		members := make([]queueMember, 0, len(q.Members))
		for _, m := range q.Members {
			members = append(members, queueMember{Name: memberName(m), Paused: flag(m.Paused), Penalty: strconv.Itoa(m.Penalty)})
		}
		key, err := encode(string(q.Name))
		if err != nil {
			return nil, err
		}
		value, err := encode(members)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

var _ json.Marshaler = queueRows(nil)

// memberName renders a member as the vendor's page does: sip/876 whatever the driver and however the queue dials it.
func memberName(m pbx.Member) string {
	if m.Exten != "" {
		return "sip/" + string(m.Exten)
	}
	tech, rest, ok := strings.Cut(m.Interface, "/")
	if !ok {
		return m.Interface
	}
	return strings.ToLower(tech) + "/" + rest
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// queueInfo lists the members of all queues, or of the one named by queue.
func (a *API) queueInfo(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	queues, err := a.sw.Queues()
	if err != nil {
		return failure(err, "")
	}
	if only := p.Get("queue"); only != "" {
		one := queueRows{}
		for _, q := range queues {
			if string(q.Name) == only {
				one = append(one, q)
			}
		}
		if len(one) == 0 {
			return &httpd.Error{Status: http.StatusNotFound, Message: "No such queue"}
		}
		queues = one
	}
	return success(c, "Queue status will follow", queueRows(queues))
}

// agentPause pauses or unpauses a member.
func (a *API) agentPause(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	member, err := p.Require("member", "extension")
	if err != nil {
		return err
	}
	state, err := p.Require("state")
	if err != nil {
		return err
	}
	paused, ok := httpd.OnOff(state)
	if !ok {
		return &httpd.Error{Status: http.StatusBadRequest, Message: "state: on or off"}
	}
	if err := a.sw.Pause(traced(c), pbx.ParseExten(member), pbx.QueueName(p.Get("queue")), paused, p.Get("reason")); err != nil {
		return queueFailure(err, "Interface not found", "No such queue")
	}
	if paused {
		return success(c, "Interface paused successfully", nil)
	}
	return success(c, "Interface unpaused successfully", nil)
}

// queueFailure is failure with the texts for an extension that is not there and a queue that is not.
func queueFailure(err error, noMember, noQueue string) error {
	if errors.Is(err, pbx.ErrNoQueue) {
		return &httpd.Error{Status: http.StatusNotFound, Message: noQueue, Err: err}
	}
	return failure(err, noMember)
}

// agentLogin makes an extension a member of a queue.
func (a *API) agentLogin(c echo.Context) error {
	_, v, err := need(c, "extension", "queue")
	if err != nil {
		return err
	}
	if err := a.sw.Join(traced(c), pbx.ParseExten(v[0]), pbx.QueueName(v[1])); err != nil {
		return queueFailure(err, "Extension does not exist.", "Unable to add interface to queue: No such queue")
	}
	return success(c, "login extension success", nil)
}

// agentLogout takes an extension out of a queue, or out of all.
func (a *API) agentLogout(c echo.Context) error {
	p, v, err := need(c, "extension")
	if err != nil {
		return err
	}
	static, err := a.sw.Leave(traced(c), pbx.ParseExten(v[0]), pbx.QueueName(p.Get("queue")))
	if err != nil {
		return queueFailure(err, "Unable to remove interface: Not there", "Unable to remove interface from queue: No such queue")
	}
	if static {
		a.log.Info("static member was paused instead of removed", "exten", v[0], "request_id", httpd.RequestID(c.Request().Context()))
	}
	return success(c, "logout extension success", nil)
}
