package ola

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// noBatch is the batchAccept of a campaign that was given none.
const noBatch = "00000000"

// campaignFields are the names of groupCall.
var campaignFields = map[string]string{
	"group": "gatewayGrp", "kind": "OprType", "menu": "flow_id", "ring": "timeOut", "batch": "batchAccept", "plan": "planId", "company": "companyId",
}

// groupCall stores a campaign, which begins at once. Its id is in the header, so that the answer is the documented one.
func (a *API) groupCall(c echo.Context) error {
	if _, err := httpd.ReadLongParams(c, "numbers"); err != nil {
		return err
	}
	v, err := need(c, "numbers", "OprType")
	if err != nil {
		return err
	}
	plan, err := a.campaignPlan(c, pbx.CampaignKind(v[1]))
	if err != nil {
		return err
	}
	var numbers []string
	for n := range strings.SplitSeq(v[0], ",") {
		if n = strings.TrimSpace(n); n != "" {
			numbers = append(numbers, n)
		}
	}
	id, err := a.campaigns.Add(traced(c), plan, numbers)
	if err != nil {
		return failureIn(err, campaignFields)
	}
	h := c.Response().Header()
	h.Set(echo.HeaderLocation, "/api/ola/groupCall/"+strconv.FormatInt(id, 10))
	h.Set(echo.HeaderAccessControlExposeHeaders, echo.HeaderLocation)
	return done(c)
}

// campaignPlan reads what a campaign is to do. What its kind does not need is read too, so that a fault in it is told.
func (a *API) campaignPlan(c echo.Context, kind pbx.CampaignKind) (p pbx.CampaignPlan, err error) {
	needed := map[pbx.CampaignKind][]string{
		pbx.CampaignQueue: {"queue"}, pbx.CampaignMenu: {"flow_id"}, pbx.CampaignPlay: {"file"}, pbx.CampaignAI: {"planId", "companyId"},
	}
	if p.Group, err = a.group(c, "gatewayGrp"); err != nil {
		return p, err
	}
	if _, err = need(c, needed[kind]...); err != nil {
		return p, err
	}
	var queue, ring, detect, fileType string
	for _, x := range []struct {
		name string
		into *string
	}{
		{"batchAccept", &p.Batch}, {"queue", &queue}, {"flow_id", &p.Menu}, {"file", &p.File}, {"planId", &p.Plan}, {"companyId", &p.Company},
		{"timeOut", &ring}, {"daFlag", &detect}, {"fileType", &fileType},
	} {
		if *x.into, err = value(c, x.name); err != nil {
			return p, err
		}
	}
	p.Kind, p.Queue = kind, pbx.QueueName(queue)
	if p.Batch == "" {
		p.Batch = noBatch
	}
	if p.Detect, err = flagOfText("daFlag", detect); err != nil {
		return p, err
	}
	if kind == pbx.CampaignPlay && fileType != "" {
		return p, unusable("fileType: text to speech is not supported")
	}
	p.Ring, err = secondsOf("timeOut", ring)
	return p, err
}

// flagOfText reads true or false; false when it is not given.
func flagOfText(name, text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	}
	return false, unusable(name + ": true or false")
}

// secondsOf reads whole seconds; 0 when they are not given.
func secondsOf(name, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, unusable(name + ": not a number of seconds")
	}
	return time.Duration(n) * time.Second, nil
}

// campaignRow is a campaign, with how many of its numbers have come to what.
type campaignRow struct {
	ID          int64  `json:"id"`
	State       string `json:"state"` // running, done or stopped
	Note        string `json:"note"`  // why it was stopped, "" for by wish
	BatchAccept string `json:"batchAccept"`
	GatewayGrp  string `json:"gatewayGrp"`
	OprType     string `json:"OprType"`
	Queue       string `json:"queue"`
	FlowID      string `json:"flow_id"`
	File        string `json:"file"`
	DAFlag      bool   `json:"daFlag"`
	TimeOut     int    `json:"timeOut"` // seconds, 0 = [dial] timeout
	PlanID      string `json:"planId"`
	CompanyID   string `json:"companyId"`
	CreatedAt   string `json:"created_at"`

	Total        int `json:"total"`
	Waiting      int `json:"waiting"`
	Dialing      int `json:"dialing"`
	Talking      int `json:"talking"`
	Answered     int `json:"answered"`
	Busy         int `json:"busy"`
	NoAnswer     int `json:"noanswer"`
	Failed       int `json:"failed"`
	Blacklisted  int `json:"blacklisted"`
	Unregistered int `json:"unregistered"`
	Absent       int `json:"absent"`
	Stopped      int `json:"stopped"`
	Unknown      int `json:"unknown"`
}

func (r *Rules) campaign(x *pbx.Campaign) campaignRow {
	row := campaignRow{
		ID: x.ID, State: "done", Note: x.Note, BatchAccept: x.Batch, GatewayGrp: x.Group, OprType: string(x.Kind), Queue: string(x.Queue), FlowID: x.Menu,
		File: x.File, DAFlag: x.Detect, TimeOut: int(x.Ring / time.Second), PlanID: x.Plan, CompanyID: x.Company, CreatedAt: r.clock(x.Created),
		Waiting: x.Counts[pbx.OutcomeWaiting], Dialing: x.Counts[pbx.OutcomeDialing], Talking: x.Counts[pbx.OutcomeTalking],
		Answered: x.Counts[pbx.OutcomeAnswered], Busy: x.Counts[pbx.OutcomeBusy], NoAnswer: x.Counts[pbx.OutcomeNoAnswer], Failed: x.Counts[pbx.OutcomeFailed],
		Blacklisted: x.Counts[pbx.OutcomeListed], Unregistered: x.Counts[pbx.OutcomeUnregistered], Absent: x.Counts[pbx.OutcomeAbsent],
		Stopped: x.Counts[pbx.OutcomeStopped], Unknown: x.Counts[pbx.OutcomeUnknown],
	}
	for _, n := range x.Counts {
		row.Total += n
	}
	switch {
	case x.Stopped:
		row.State = "stopped"
	case row.Waiting+row.Dialing+row.Talking > 0:
		row.State = "running"
	}
	return row
}

// clock renders a time; "" when it has not come.
func (r *Rules) clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(r.Location).Format(time.DateTime)
}

// groupCalls lists the newest campaigns, or those of one batchAccept.
func (a *API) groupCalls(c echo.Context) error {
	batch, err := value(c, "batchAccept")
	if err != nil {
		return err
	}
	list, err := a.campaigns.List(c.Request().Context(), batch)
	if err != nil {
		return failure(err)
	}
	rules, rows := a.rules.Load(), make([]campaignRow, 0, len(list))
	for i := range list {
		rows = append(rows, rules.campaign(&list[i]))
	}
	return c.JSON(http.StatusOK, rows)
}

// numberRow is one number of a campaign.
type numberRow struct {
	Seq        int    `json:"seq"`
	Number     string `json:"number"`
	State      string `json:"state"`
	CallID     string `json:"call_id"`
	Cause      string `json:"cause"`
	CauseText  string `json:"cause_text"`
	TriedAt    string `json:"tried_at"`
	AnsweredAt string `json:"answered_at"`
	EndedAt    string `json:"ended_at"`
}

// campaignReply is one campaign with some of its numbers; next is the place behind which the others are, 0 when there are none.
type campaignReply struct {
	reply
	Campaign campaignRow `json:"campaign"`
	Numbers  []numberRow `json:"numbers"`
	Next     int         `json:"next"`
}

// Bounds of the parameter limit of groupCallOf.
const (
	numbersPage = 1000
	mostNumbers = 10_000
)

// groupCallOf tells what has become of each number of a campaign.
func (a *API) groupCallOf(c echo.Context) error {
	id, err := campaignID(c)
	if err != nil {
		return err
	}
	after, err := intOf(c, "after", 0, 0, 1<<31-1)
	if err != nil {
		return err
	}
	limit, err := intOf(c, "limit", numbersPage, 1, mostNumbers)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	campaign, err := a.campaigns.Get(ctx, id)
	if err != nil {
		return failure(err)
	}
	list, err := a.campaigns.Numbers(ctx, id, after, limit+1)
	if err != nil {
		return failure(err)
	}
	rules := a.rules.Load()
	answer := campaignReply{reply: reply{Code: http.StatusOK, Result: textOK}, Campaign: rules.campaign(&campaign), Numbers: make([]numberRow, 0, len(list))}
	if len(list) > limit {
		list = list[:limit]
		answer.Next = list[limit-1].Seq
	}
	for _, n := range list {
		answer.Numbers = append(answer.Numbers, rules.number(&n))
	}
	httpd.Taken(c, strconv.FormatInt(id, 10), true) // whom one has called, with what came of it
	return c.JSON(http.StatusOK, answer)
}

func (r *Rules) number(n *pbx.CampaignNumber) numberRow {
	row := numberRow{
		Seq: n.Seq, Number: n.Number, State: string(n.Outcome), CallID: string(n.Call), Cause: n.Cause, CauseText: n.CauseText,
		TriedAt: r.clock(n.Tried), AnsweredAt: r.clock(n.Answered), EndedAt: r.clock(n.Ended),
	}
	if n.Outcome == pbx.OutcomeAnswered && n.Ended.IsZero() {
		row.State = string(pbx.OutcomeTalking)
	}
	return row
}

// stopGroupCall ends a campaign; calls under way go on.
func (a *API) stopGroupCall(c echo.Context) error {
	id, err := campaignID(c)
	if err != nil {
		return err
	}
	return finish(c, a.campaigns.Stop(c.Request().Context(), id))
}

func campaignID(c echo.Context) (int64, error) {
	v, err := need(c, "id")
	if err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(v[0], 10, 64)
	if err != nil || id < 1 {
		return 0, unusable("id: not a number")
	}
	return id, nil
}

// intOf reads a number between least and most, preset where it is not given.
func intOf(c echo.Context, name string, preset, least, most int) (int, error) {
	text, err := value(c, name)
	if err != nil || text == "" {
		return preset, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, unusable(fmt.Sprintf("%s: not a number from %d to %d", name, least, most))
	}
	return n, nil
}
