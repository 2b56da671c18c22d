package ola

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/pbx"
)

// agentEvent tells what an agent does, keys in the documented order; types as in the document's sample.
type agentEvent struct {
	EventType     string            `json:"event_type"`
	State         pbx.AgentState    `json:"state"`
	OldState      pbx.AgentState    `json:"old_state"`
	CallAccept    string            `json:"call_accept"`  // Uniqueid of the agent's channel
	OtherAccept   string            `json:"other_accept"` // and of the other party's
	AgentID       string            `json:"agent_id"`
	AgentExtn     string            `json:"agent_extn"`
	AgentName     string            `json:"agent_name"`
	QueueID       []pbx.QueueName   `json:"queue_id"`
	Skill         int               `json:"skill"`
	CallsQueued   int               `json:"calls_queued"`
	MaxQueuedTime int               `json:"max_queued_time"` // seconds
	CallID        string            `json:"call_id"`         // the caller's number
	CallType      string            `json:"call_type"`
	ANI           string            `json:"ani"`
	DNIS          string            `json:"dnis"`
	ThisType      string            `json:"this_type"`
	ThisDN        string            `json:"this_dn"`
	OtherType     string            `json:"other_type"`
	OtherDN       string            `json:"other_dn"`
	ThirdType     string            `json:"third_type"`
	ThirdDN       string            `json:"third_dn"`
	Timestamp     int64             `json:"timestamp"` // milliseconds since 1970
	PrivateData   string            `json:"private_data"`
	CallDirection string            `json:"call_direction"`
	OtherAnswered bool              `json:"other_answered"`
	DTMF          string            `json:"dtmf"`
	DTMFHis       string            `json:"dtmf_his"`
	Gateway       string            `json:"gateway"`
	AppData       map[string]string `json:"app_data"`
}

// typeAgent is the type of a party who is an agent.
const typeAgent = "agent"

// happening renders what an agent does. waiting is who waits in his queues.
func (r *Rules) happening(x *pbx.Agent, waiting []pbx.Waiting, at time.Time) agentEvent {
	n := string(x.Exten)
	e := agentEvent{
		EventType: "agent_state", State: x.State, OldState: x.Old, AgentID: n, AgentExtn: n, AgentName: n, QueueID: x.Queues,
		CallsQueued: len(waiting), ThisType: typeAgent, ThisDN: n, Timestamp: at.UnixMilli(),
		CallDirection: undefined, DTMF: undefined, DTMFHis: undefined, Gateway: undefined, AppData: map[string]string{},
	}
	if e.QueueID == nil {
		e.QueueID = []pbx.QueueName{}
	}
	for _, w := range waiting {
		e.MaxQueuedTime = max(e.MaxQueuedTime, int(at.Sub(w.Since)/time.Second))
	}
	if x.Away {
		e.AppData["sip_state"] = "false" // as in the list of agents
	}
	if x.State == pbx.AgentBusy {
		r.talk(&e, &x.Call)
		e.besides(&x.Call.Now)
	}
	return e
}

// talk renders the call of a busy agent.
func (r *Rules) talk(e *agentEvent, call *pbx.AgentCall) {
	e.CallAccept, e.OtherAccept, e.OtherDN, e.PrivateData = call.Channel, call.Other, call.Number, "ring"
	e.CallDirection, e.ANI, e.DNIS = "inbound", call.Number, call.Dialled
	if call.Outbound {
		e.CallDirection, e.ANI, e.DNIS = "outbound", e.ThisDN, call.Number
	}
	e.CallID, e.CallType = e.ANI, e.CallDirection
	if call.Trunk != "" {
		e.Gateway = call.Trunk
	}
	if !call.Answered.IsZero() {
		e.PrivateData, e.OtherAnswered = r.PrivateAnswer, true
	}
	if n := len(call.Collected); n > 0 {
		e.DTMF, e.DTMFHis = call.Collected[n-1], strings.Join(call.Collected, ",")
	}
	if call.Remark != "" {
		e.AppData["other_str"] = call.Remark
	}
}

// besides renders what goes on in a call besides talking. The document has no word for a hold or a consultation: they are told by the same
// event as a key that was collected, and stand in what it calls other information.
func (e *agentEvent) besides(now *pbx.Situation) {
	if now.Held {
		e.AppData["hold"] = "server"
	}
	if now.Pressed {
		e.AppData["hold"] = "phone"
	}
	if now.Asks {
		e.AppData["consult"], e.AppData["consult_id"] = now.Asking, now.Question
	}
	for _, third := range now.Third {
		e.ThirdDN = string(third) // the last one: it is news
		e.AppData["third"] = strings.TrimPrefix(e.AppData["third"]+","+e.ThirdDN, ",")
	}
}

// callerEvent tells that a caller has begun to wait in a queue, or does not wait any more.
type callerEvent struct {
	EventType string        `json:"event_type"`
	Action    string        `json:"action"` // in or out
	QueueID   pbx.QueueName `json:"queue_id"`
	Caller    waitingCaller `json:"caller"`
	Timestamp int64         `json:"timestamp"`
}

type waitingCaller struct {
	UUID   string `json:"uuid"` // Uniqueid of his channel
	Number string `json:"cid_number"`
}

func waiting(action string, q pbx.QueueName, w pbx.Waiting, at time.Time) callerEvent {
	return callerEvent{
		EventType: "agent_caller_state", Action: action, QueueID: q, Caller: waitingCaller{UUID: w.ID, Number: w.Caller.Number}, Timestamp: at.UnixMilli(),
	}
}

// encode renders an event; it holds nothing that could not be.
func encode(event any) []byte {
	text, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	return text
}
