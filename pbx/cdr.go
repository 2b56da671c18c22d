package pbx

import (
	"cmp"
	"strconv"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// CDR is a call detail record with the values of Asterisk's Cdr manager event. Times are local to Asterisk, in whole
// seconds, "2006-01-02 15:04:05"; Answer is "" for an unanswered call. Duration and Billable are seconds.
type CDR struct {
	UniqueID           string
	CallerID           string
	Source             string
	Destination        string
	DestinationContext string
	Channel            string
	DestinationChannel string
	LastApplication    string
	LastData           string
	Start              string
	Answer             string
	End                string
	Duration           string
	Billable           string
	Disposition        string // ANSWERED, NO ANSWER, BUSY, FAILED, CONGESTION
	Direction          Direction
	Recording          string // file as Asterisk names it, "" when none
}

const cdrTime = "2006-01-02 15:04:05"

func parseCDR(m ami.Message) CDR {
	return CDR{
		UniqueID:           m.Get("UniqueID"),
		CallerID:           m.Get("CallerID"),
		Source:             m.Get("Source"),
		Destination:        m.Get("Destination"),
		DestinationContext: m.Get("DestinationContext"),
		Channel:            m.Get("Channel"),
		DestinationChannel: m.Get("DestinationChannel"),
		LastApplication:    m.Get("LastApplication"),
		LastData:           m.Get("LastData"),
		Start:              m.Get("StartTime"),
		Answer:             m.Get("AnswerTime"),
		End:                m.Get("EndTime"),
		Duration:           m.Get("Duration"),
		Billable:           m.Get("BillableSeconds"),
		Disposition:        m.Get("Disposition"),
	}
}

// composeCDR makes the record that Asterisk would have written for a channel that ran the dialplan, from what was seen
// of it. leg is the leg that was answered, else the last one that was rung, else nil.
func composeCDR(c *Channel, leg *Leg, end time.Time, zone *time.Location) CDR {
	r := CDR{
		UniqueID:           c.ID,
		CallerID:           strconv.Quote(c.Caller.Name) + " <" + c.Caller.Number + ">",
		Source:             c.Caller.Number,
		Destination:        c.Dialled,
		DestinationContext: c.Context,
		Channel:            c.Name,
		LastApplication:    c.App,
		LastData:           c.AppData,
		Start:              c.Created.In(zone).Format(cdrTime),
		End:                end.In(zone).Format(cdrTime),
		Duration:           seconds(end.Sub(c.Created)),
		Billable:           "0",
	}
	if leg != nil {
		r.DestinationChannel = leg.ToName
	}
	if at := answeredAt(c, leg); !at.IsZero() {
		r.Answer = at.In(zone).Format(cdrTime)
		r.Billable = seconds(end.Sub(at))
	}
	return r
}

// answeredAt is when the channel was answered. An ordered call is Up before it has rung anybody: it is answered when the
// one it rings answers.
func answeredAt(c *Channel, leg *Leg) time.Time {
	if leg != nil && !leg.Answered {
		return time.Time{}
	}
	return c.Answered
}

func seconds(d time.Duration) string { return strconv.Itoa(max(0, int(d/time.Second))) }

// dispositions are the words of main/cdr.c for the end of a dial.
var dispositions = map[string]string{"ANSWER": "ANSWERED", "BUSY": "BUSY", "CONGESTION": "CONGESTION", "CHANUNAVAIL": "FAILED"}

// disposition follows main/cdr.c: the end of the dial decides, else whether the channel was answered. own is the leg by
// which an ordered channel was rung itself.
func disposition(c *Channel, leg, own *Leg, cause string) string {
	if leg == nil && c.Answered.IsZero() {
		leg = own
	}
	switch {
	case leg != nil:
		return cmp.Or(dispositions[leg.Status], "NO ANSWER")
	case !c.Answered.IsZero():
		return "ANSWERED"
	case cause == "16" || cause == "0" || cause == "":
		return "NO ANSWER"
	default:
		return "FAILED"
	}
}
