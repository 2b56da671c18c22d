package ola

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// queueRow is one queue, keys in the documented order. Asterisk tells the number alone; the rest is as in the document's sample, without
// its file names.
type queueRow struct {
	UUID                 queueID `json:"uuid"`
	AgentTimeout         int     `json:"agenttimeout"`
	CallURL              string  `json:"callurl"`
	ChimAgentAnswer      string  `json:"chimagentanswer"`
	ChimFreq             int     `json:"chimfreq"`
	ChimHangup           string  `json:"chimhangup"`
	ChimVoicemail        string  `json:"chimvoicemail"`
	EnableVoicemail      string  `json:"enablevoicemail"`
	HiddenCallerNumber   string  `json:"hidencallernumber"`
	JudgeFlag            int     `json:"judgeflag"`
	MOH                  *string `json:"moh"`
	Name                 string  `json:"name"`
	UserUUID             string  `json:"user_uuid"`
	RecordAfterHangup    int     `json:"recordafterhangup"`
	RepeatDTMF           string  `json:"repeatdtmf"`
	TakeCallManual       string  `json:"takecallmanual"`
	TimeoutType          int     `json:"timeouttype"`
	TTSAgentAnswer       int     `json:"ttsagentanswer"`
	WaitCallURL          string  `json:"waitcallurl"`
	WaitPlay             int     `json:"waitplay"`
	ChimBye              string  `json:"chim_bye"`
	CreatedAt            string  `json:"created_at"`
	UpdatedAt            string  `json:"updated_at"`
	BeforeURL            string  `json:"before_url"`
	EndURL               string  `json:"end_url"`
	Times                string  `json:"times"`
	TransferAgentTimeout string  `json:"transfer_agent_timeout"`
	TransferUnready      string  `json:"transfer_unready"`
	Rule                 string  `json:"rule"`
	WaitWarn             string  `json:"waitwarn"`
	FrontURL             string  `json:"fronturl"`
	RearURL              string  `json:"rearurl"`
	AIDTMF               *string `json:"aidtmf"`
	TimeoutPhone         string  `json:"timeout_phone"`
	Strategy             string  `json:"strategy"`
	VMailDTMF            *string `json:"vmaildtmf"`
	CallName             string  `json:"callname"`
}

// queueID is a number in JSON, as in the sample, where the queue's name is one.
type queueID pbx.QueueName

// MarshalJSON implements [json.Marshaler].
func (q queueID) MarshalJSON() ([]byte, error) {
	if n, err := strconv.ParseUint(string(q), 10, 53); err == nil && strconv.FormatUint(n, 10) == string(q) {
		return []byte(q), nil
	}
	return json.Marshal(string(q))
}

var _ json.Marshaler = queueID("")

func rowOf(q pbx.Queue) queueRow {
	const no = "false"
	return queueRow{
		UUID: queueID(q.Name), Name: string(q.Name), UserUUID: nobody,
		AgentTimeout: 10, ChimFreq: 60, EnableVoicemail: no, HiddenCallerNumber: no, TakeCallManual: no, TTSAgentAnswer: 2,
		Times: "3", TransferAgentTimeout: "N", TransferUnready: "N", Rule: "02", WaitWarn: no, Strategy: "fifo_onhook",
	}
}

// row is a queue as Asterisk has it, and what the configuration says of it besides.
func (r *Rules) row(q pbx.Queue) queueRow {
	row := rowOf(q)
	fields := reflect.ValueOf(&row).Elem()
	for i := range fields.NumField() {
		text, set := r.Queues[q.Name][fields.Type().Field(i).Tag.Get("json")]
		if !set {
			continue
		}
		switch f := fields.Field(i); f.Kind() {
		case reflect.Int:
			n, _ := strconv.Atoi(text) // the configuration has been checked
			f.SetInt(int64(n))
		case reflect.Pointer:
			f.Set(reflect.ValueOf(&text))
		default:
			f.SetString(text)
		}
	}
	return row
}

// allQueues lists the queues, or those whose name contains name and whose number is uuid.
func (a *API) allQueues(c echo.Context) error {
	name, err := value(c, "name")
	if err != nil {
		return err
	}
	uuid, err := value(c, "uuid")
	if err != nil {
		return err
	}
	queues, err := a.sw.Queues()
	if err != nil {
		return failure(err)
	}
	rows, rules := []queueRow{}, a.rules.Load()
	for _, q := range queues {
		if strings.Contains(rules.row(q).Name, name) && (uuid == "" || uuid == string(q.Name)) {
			rows = append(rows, rules.row(q))
		}
	}
	return c.JSON(http.StatusOK, rows)
}

// callerRow is one who waits in a queue; all values are strings.
type callerRow struct {
	UUID         string `json:"uuid"`
	CallerNumber string `json:"caller_number"`
	CreatedAt    string `json:"created_at"`
	WaitTime     string `json:"wait_time"` // seconds
}

type callerList struct {
	Count   string      `json:"count"`
	Callers []callerRow `json:"callers"`
}

// callers lists who waits in a queue, the first to be served first.
func (a *API) callers(c echo.Context) error {
	v, err := need(c, "uuid")
	if err != nil {
		return err
	}
	q, err := a.queue(pbx.QueueName(v[0]))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, a.rules.Load().callers(q, time.Now()))
}

func (r *Rules) callers(q pbx.Queue, now time.Time) callerList {
	list := callerList{Count: strconv.Itoa(len(q.Callers)), Callers: []callerRow{}}
	for _, w := range q.Callers {
		list.Callers = append(list.Callers, callerRow{
			UUID: w.ID, CallerNumber: w.Caller.Number, CreatedAt: w.Since.In(r.Location).Format(time.DateTime),
			WaitTime: strconv.Itoa(max(0, int(now.Sub(w.Since)/time.Second))),
		})
	}
	return list
}

// queue finds a queue; the error is an answer.
func (a *API) queue(name pbx.QueueName) (pbx.Queue, error) {
	queues, err := a.sw.Queues()
	if err != nil {
		return pbx.Queue{}, failure(err)
	}
	for _, q := range queues {
		if q.Name == name {
			return q, nil
		}
	}
	return pbx.Queue{}, &httpd.Error{Status: http.StatusNotFound, Message: textNotFound}
}
