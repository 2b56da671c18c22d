package pbx

import (
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
func composeCDR(c *Channel, leg *Leg, cause string, end time.Time, zone *time.Location) CDR {
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
		Disposition:        disposition(c, leg, cause),
	}
	if leg != nil {
		r.DestinationChannel = leg.ToName
	}
	if r.Disposition == "ANSWERED" {
		r.Answer = c.Answered.In(zone).Format(cdrTime)
		r.Billable = seconds(end.Sub(c.Answered))
	}
	return r
}

func seconds(d time.Duration) string { return strconv.Itoa(max(0, int(d/time.Second))) }

// disposition follows main/cdr.c: an answered channel is ANSWERED, else the last dial status decides.
func disposition(c *Channel, leg *Leg, cause string) string {
	if !c.Answered.IsZero() {
		return "ANSWERED"
	}
	if leg == nil {
		if cause == "16" || cause == "0" || cause == "" {
			return "NO ANSWER"
		}
		return "FAILED"
	}
	switch leg.Status {
	case "BUSY":
		return "BUSY"
	case "CONGESTION":
		return "CONGESTION"
	case "CHANUNAVAIL":
		return "FAILED"
	default:
		return "NO ANSWER"
	}
}
