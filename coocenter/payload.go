package coocenter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/pbx"
)

// The payloads of pushed events: all values are strings, keys come in the order of the fields and no others are sent.

type dialBegin struct {
	Event           string `json:"event"`
	Timestamp       string `json:"timestamp"`
	Channel         string `json:"channel"`
	CallerIDNum     string `json:"calleridnum"`
	DestChannel     string `json:"destchannel"`
	DestCallerIDNum string `json:"destcalleridnum"`
	DestUniqueID    string `json:"destuniqueid"`
	DialString      string `json:"dialstring"`
	UniqueID        string `json:"uniqueid"`
	MAC             string `json:"mac"`
}

type dialEnd struct {
	Event           string `json:"event"`
	Timestamp       string `json:"timestamp"`
	Channel         string `json:"channel"`
	CallerIDNum     string `json:"calleridnum"`
	DestChannel     string `json:"destchannel"`
	DestCallerIDNum string `json:"destcalleridnum"`
	UniqueID        string `json:"uniqueid"`
	DialStatus      string `json:"dialstatus"`
}

type hangup struct {
	Event             string `json:"event"`
	CallerIDNum       string `json:"calleridnum"`
	CallerIDName      string `json:"calleridname"`
	ConnectedLineNum  string `json:"connectedlinenum"`
	ConnectedLineName string `json:"connectedlinename"`
	UniqueID          string `json:"uniqueid"`
}

type extensionStatus struct {
	Event      string `json:"event"`
	Exten      string `json:"exten"`
	Status     string `json:"status"`
	StatusText string `json:"statustext"`
}

type ivr struct {
	Event       string `json:"event"`
	UUID        string `json:"uuid"`
	Caller      string `json:"caller"`
	Called      string `json:"called"`
	CallType    string `json:"callType"`
	QueueCode   string `json:"queueCode"`
	StartTime   string `json:"startTime"`
	EndTime     string `json:"endTime"`
	Duration    string `json:"duration"`
	IVRID       string `json:"ivrId"`
	IVRName     string `json:"ivrName"`
	IVRDTMF     string `json:"ivrDtmf"`
	TrunkNumber string `json:"trunkNumber"`
	MAC         string `json:"mac"`
}

type cdr struct {
	Event           string `json:"event"`
	CallerID        string `json:"callerid"`
	Source          string `json:"source"`
	Destination     string `json:"destination"`
	StartTime       string `json:"starttime"`
	AnswerTime      string `json:"answertime"`
	EndTime         string `json:"endtime"`
	Disposition     string `json:"disposition"`
	Duration        string `json:"duration"`
	BillableSeconds string `json:"billableseconds"`
	CallType        string `json:"calltype"`
	RecordFile      string `json:"recordfile"`
	UniqueID        string `json:"uniqueid"`
}

// encode makes strict JSON; bytes that are no UTF-8 become U+FFFD and < > & stay as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// stamp is Asterisk's Timestamp header, else the time of reading in the same form.
func stamp(o pbx.Occurrence) string {
	if o.Stamp != "" {
		return o.Stamp
	}
	return unixMicro(o.At)
}

func unixMicro(t time.Time) string {
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/int(time.Microsecond))
}

// channelName renders a channel or device as the dialect's receivers know it: chan_sip's prefix whatever the driver.
func (r *Rules) channelName(name string) string {
	if rest, ok := strings.CutPrefix(name, "PJSIP/"); ok && !r.RawChannelNames {
		return "SIP/" + rest
	}
	return name
}

// contactURI is where the URI of a PJSIP contact begins in what was dialled.
var contactURI = regexp.MustCompile(`/sips?:.*`)

// dialString renders what was dialled as TECH/resource: Asterisk tells it with or without the technology, and for a
// PJSIP contact with its URI behind a slash. Where Asterisk does not tell it, it is the device.
func (r *Rules) dialString(leg pbx.Leg) string {
	if leg.DialString == "" {
		rung := pbx.Channel{Name: leg.ToName}
		return r.channelName(rung.Device())
	}
	tech, _, _ := strings.Cut(leg.ToName, "/")
	resource := strings.TrimPrefix(leg.DialString, tech+"/")
	return r.channelName(tech + "/" + contactURI.ReplaceAllString(resource, ""))
}

// recordFile is the path of a recording below the recordings directory, "" for one that is not there.
func (r *Rules) recordFile(file string) string {
	return pbx.RecordingBelow(file, r.AsteriskDirectory)
}

// dialStatus maps Asterisk's DialStatus; the caller's own hang-up while it rings is told as "hangup".
func dialStatus(status string) string {
	switch status {
	case "CANCEL", "ABORT":
		return "hangup"
	default:
		return strings.ToLower(status)
	}
}

func callType(d pbx.Direction) string {
	if d == pbx.Internal {
		return ""
	}
	return d.String()
}
