package coocenter

import (
	"cmp"
	"strconv"

	"github.com/dialbridge/dialbridge/pbx"
)

// date is the form of times in this dialect, local to the PBX.
const date = "2006-01-02 15:04:05"

// callCentreRecord is the call log of C7.
type callCentreRecord struct {
	Event string `json:"event"`
	callFields
}

// callFields are what the call log, pushed or asked for, tells of a call. Only holdTime and pauseTime are numbers.
type callFields struct {
	UUID           string `json:"uuid"`
	Caller         string `json:"caller"`
	Called         string `json:"called"`
	QueueCode      string `json:"queueCode"`
	AgentCode      string `json:"agentCode"`
	CallType       string `json:"callType"`
	CDRState       string `json:"cdrState"`
	HangupSide     string `json:"hangupSide"`
	HangupCause    string `json:"hangupCause"`
	StartTime      string `json:"startTime"`
	EndTime        string `json:"endTime"`
	Duration       string `json:"duration"`
	QueueTime      string `json:"queueTime"`
	FeedbackTime   string `json:"feedbackTime"`
	IVRTime        string `json:"ivrTime"`
	RingTime       string `json:"ringTime"`
	HoldTime       int    `json:"holdTime"`
	PauseTime      int    `json:"pauseTime"`
	TalkingTime    string `json:"talkingTime"`
	VoicemailState string `json:"voicemailState"`
	IVRID          string `json:"ivrId"`
	IVRName        string `json:"ivrName"`
	IVRDTMF        string `json:"ivrDtmf"`
	FWType         string `json:"fwType"`
	Score          string `json:"score"`
	TrunkNumber    string `json:"trunkNumber"`
	ForwardNumber  string `json:"forwardNumber"`
	FilePath       string `json:"filePath"`
	MissCause      string `json:"missCause"`
	MAC            string `json:"mac"`
}

// linkLost is the hangupCause of a call whose end was not seen.
const linkLost = "LINK_LOST"

// closed renders the account of a call.
func (r *Rules) closed(a *pbx.Account) callFields {
	t := secondsOf(a)
	c := callFields{
		UUID: string(a.ID), Caller: a.Caller, Called: a.Called, QueueCode: string(a.Queue), AgentCode: string(a.Agent),
		CallType: way(a.Direction), CDRState: stage(a.Stage), HangupSide: side(a.Side), HangupCause: a.CauseText,
		StartTime: a.Start.In(r.Location).Format(date), EndTime: a.End.In(r.Location).Format(date),
		Duration: strconv.Itoa(t.duration), QueueTime: strconv.Itoa(t.waiting), FeedbackTime: strconv.Itoa(t.feedback), RingTime: strconv.Itoa(t.ring),
		HoldTime: t.hold, PauseTime: nearest(a.AfterWork), TalkingTime: strconv.Itoa(t.talk),
		VoicemailState: flag(a.Voicemail), IVRDTMF: "0", FWType: a.ForwardType, ForwardNumber: a.ForwardNumber,
		Score: cmp.Or(a.Score, "0"), TrunkNumber: a.DID, FilePath: r.recordFile(a.Recording), MissCause: missCause(a.Miss), MAC: r.MAC,
	}
	if a.InMenu {
		c.IVRTime, c.IVRID, c.IVRName = strconv.Itoa(t.menus), a.Menu.ID, a.Menu.Name
		c.IVRDTMF = cmp.Or(a.Digits, "0")
	}
	if a.LinkLost {
		c.HangupCause = linkLost
	}
	return c
}

// way is the direction in the words of this record.
func way(d pbx.Direction) string {
	return map[pbx.Direction]string{pbx.Inbound: "incoming", pbx.Outbound: "outgoing", pbx.Internal: "internal"}[d]
}

// stage is where a call ended, "" for one that came nowhere.
func stage(s pbx.Stage) string {
	if s == pbx.StageTalk {
		return "bridged"
	}
	return string(s)
}

func side(s pbx.Side) string {
	if s == pbx.SideCalled {
		return "agent"
	}
	return string(s)
}

func missCause(m pbx.Miss) string {
	return map[pbx.Miss]string{
		pbx.MissNobody: "NO_AGENT_LOGIN", pbx.MissGaveUp: "MEMBER_CANCEL", pbx.MissUnanswered: "NO_AGENT_ANSWER", pbx.MissUnassigned: "NO_ASSIGN",
	}[m]
}
