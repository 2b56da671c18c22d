package ola

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// dial rings an agent's phone and, when he answers, dials destNumber from it.
func (a *API) dial(c echo.Context) error {
	v, err := need(c, "extn", "destNumber")
	if err != nil {
		return err
	}
	remark, err := value(c, "other_str")
	if err != nil {
		return err
	}
	id, err := a.sw.DialAs(traced(c), pbx.Exten(v[0]), v[1], remark)
	if err != nil {
		return failure(err)
	}
	a.log.Info("call originated", "call", id, "request_id", httpd.RequestID(c.Request().Context()))
	return done(c)
}

// hangup ends an agent's calls. One who has signed out may still have one.
func (a *API) hangup(c echo.Context) error {
	v, err := need(c, "extn")
	if err != nil {
		return err
	}
	return finish(c, a.endCalls(traced(c), pbx.Exten(v[0])))
}

// endCalls ends the calls of an agent. Without one, whether he is signed in makes the answer.
func (a *API) endCalls(ctx context.Context, n pbx.Exten) error {
	_, err := a.sw.HangupExtension(ctx, n)
	if errors.Is(err, pbx.ErrNotFound) {
		err = pbx.ErrNoCall
	}
	return a.orSignedOut(n, err)
}

// orSignedOut says of one who has no call whether he is signed in at all.
func (a *API) orSignedOut(n pbx.Exten, err error) error {
	if !errors.Is(err, pbx.ErrNoCall) {
		return err
	}
	agent, wrong := a.sw.Agent(n)
	switch {
	case errors.Is(wrong, pbx.ErrNotFound), wrong == nil && agent.State == pbx.AgentLogout:
		return pbx.ErrSignedOut
	case wrong != nil:
		return wrong
	}
	return err
}

// goBreak pauses an agent in all his queues.
func (a *API) goBreak(c echo.Context) error {
	v, err := need(c, "extn")
	if err != nil {
		return err
	}
	reason, err := value(c, "reason")
	if err != nil {
		return err
	}
	return finish(c, a.sw.Break(traced(c), pbx.Exten(v[0]), reason))
}

// goReady lets an agent take calls in all his queues.
func (a *API) goReady(c echo.Context) error { return a.verb(c, a.sw.Ready) }

// hold puts whom an agent talks to on hold.
func (a *API) hold(c echo.Context) error { return a.verb(c, a.sw.Hold) }

// unhold ends a hold.
func (a *API) unhold(c echo.Context) error { return a.verb(c, a.sw.Unhold) }

// verb does what needs an agent alone.
func (a *API) verb(c echo.Context, do func(context.Context, pbx.Exten) error) error {
	v, err := need(c, "extn")
	if err != nil {
		return err
	}
	n := pbx.Exten(v[0])
	return finish(c, a.orSignedOut(n, do(traced(c), n)))
}

func finish(c echo.Context, err error) error {
	if err != nil {
		return failure(err)
	}
	return done(c)
}

// undefined is what the document prints for a value that is not known.
const undefined = "undefined"

// agentRow is one agent, keys in the documented order.
type agentRow struct {
	Extn          string          `json:"extn"`
	ID            string          `json:"id"`
	ChannelUUID   string          `json:"channel_uuid"`
	Name          string          `json:"name"`
	Type          string          `json:"type"`
	Weight        string          `json:"weight"`
	Queue         []pbx.QueueName `json:"queue"`
	MOH           string          `json:"moh"`
	WrapupTime    string          `json:"wrapup_time"` // milliseconds
	DialString    string          `json:"dial_string"`
	State         pbx.AgentState  `json:"state"`
	OldState      pbx.AgentState  `json:"old_state"`
	PrivateData   string          `json:"private_data"`
	SIPState      string          `json:"sip_state"`
	Device        string          `json:"device"`
	SIPIP         string          `json:"sip_ip"`
	CreatedAt     string          `json:"created_at"`
	UpdatedAt     string          `json:"updated_at"`
	CallDirection string          `json:"call_direction"`
	OtherNumber   string          `json:"other_number"`
	Gateway       string          `json:"gateway"`
	AnsweredAt    string          `json:"answered_at"`
	Comment       string          `json:"comment"`
}

// agentList is the one answer of the dialect whose code is a string.
type agentList struct {
	Code  string     `json:"code"`
	Agent []agentRow `json:"agent"`
}

// states are the states that may be asked for.
var states = []pbx.AgentState{pbx.AgentLogout, pbx.AgentLogin, pbx.AgentReady, pbx.AgentUnready, pbx.AgentBusy, pbx.AgentAfterWork}

// agentFilter chooses agents; empty fields choose all.
type agentFilter struct {
	extn  pbx.Exten
	state pbx.AgentState
	queue pbx.QueueName
}

func (f agentFilter) takes(x pbx.Agent) bool {
	return (f.extn == "" || f.extn == x.Exten) && (f.state == "" || f.state == x.State) && (f.queue == "" || slices.Contains(x.Queues, f.queue))
}

// agents lists all extensions as agents, or those that are asked for.
func (a *API) agents(c echo.Context) error {
	f, err := a.agentFilter(c)
	if err != nil {
		return err
	}
	list, err := a.sw.Agents()
	if err != nil {
		return failure(err)
	}
	if f.extn != "" && !slices.ContainsFunc(list, func(x pbx.Agent) bool { return x.Exten == f.extn }) {
		return &httpd.Error{Status: http.StatusNotFound, Message: textNotFound}
	}
	phones, err := a.sw.Registrations(traced(c))
	if err != nil {
		return failure(err)
	}
	registered := make(map[pbx.Exten]pbx.Registration, len(phones))
	for _, r := range phones {
		registered[r.Exten] = r
	}
	rules, answer := a.rules.Load(), agentList{Code: strconv.Itoa(http.StatusOK), Agent: []agentRow{}}
	for _, x := range list {
		if f.takes(x) {
			answer.Agent = append(answer.Agent, rules.agent(x, registered[x.Exten]))
		}
	}
	return c.JSON(http.StatusOK, answer)
}

func (a *API) agentFilter(c echo.Context) (f agentFilter, err error) {
	var given [3]string
	for i, name := range []string{"extn", "state", "queue_name"} {
		if given[i], err = value(c, name); err != nil {
			return f, err
		}
	}
	f = agentFilter{extn: pbx.Exten(given[0]), state: pbx.AgentState(given[1]), queue: pbx.QueueName(given[2])}
	if f.state != "" && !slices.Contains(states, f.state) {
		return f, unusable("state: logout, login, ready, unready, busy or acw")
	}
	if f.queue == "" {
		return f, nil
	}
	_, err = a.queue(f.queue)
	return f, err
}

// agent renders an agent and his phone.
func (r *Rules) agent(x pbx.Agent, phone pbx.Registration) agentRow {
	row := agentRow{
		Extn: string(x.Exten), ID: string(x.Exten), Name: string(x.Exten), Type: "onhook", Weight: "0", Queue: x.Queues,
		WrapupTime: strconv.FormatInt(r.AfterWork.Milliseconds(), 10), DialString: "user/" + string(x.Exten),
		State: x.State, OldState: x.Old, SIPState: strconv.FormatBool(phone.Reachable != pbx.Unregistered), Device: "unknown", SIPIP: phone.Address,
		CreatedAt: r.moment(x.SignedIn, undefined), UpdatedAt: r.moment(x.Changed, undefined), CallDirection: undefined, Gateway: undefined,
	}
	if row.Queue == nil {
		row.Queue = []pbx.QueueName{}
	}
	if x.State == pbx.AgentBusy {
		r.call(&row, x.Call)
	}
	return row
}

// call renders the call of a busy agent.
func (r *Rules) call(row *agentRow, call pbx.AgentCall) {
	row.ChannelUUID, row.OtherNumber, row.PrivateData, row.CallDirection = call.Channel, call.Number, "ring", "inbound"
	if call.Outbound {
		row.CallDirection = "outbound"
	}
	if call.Trunk != "" {
		row.Gateway = call.Trunk
	}
	if !call.Answered.IsZero() {
		row.PrivateData, row.AnsweredAt = r.PrivateAnswer, r.moment(call.Answered, "")
	}
}

// moment renders a time with microseconds.
func (r *Rules) moment(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.In(r.Location).Format(time.DateTime + "." + strings.Repeat("0", 6))
}
