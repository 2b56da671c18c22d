package coocenter

import (
	"cmp"
	"time"

	"github.com/dialbridge/dialbridge/pbx"
)

// callStory is all that is known of one call. Its lengths, but those of the record, are seconds as numbers.
type callStory struct {
	callFields
	Ended     bool       `json:"ended"` // the record does not change any more
	Truncated bool       `json:"truncated"`
	Answered  bool       `json:"answered"`
	OtherStr  string     `json:"otherStr,omitempty"` // what was to be kept with an ordered call
	Agents    []agentRow `json:"agents"`
	Timeline  []spanRow  `json:"timeline"`
}

// agentRow is what one extension had of a call.
type agentRow struct {
	Extension   string  `json:"extension"`
	QueueCode   string  `json:"queueCode"`
	Rings       int     `json:"rings"`
	RingTime    float64 `json:"ringTime"`
	TalkingTime float64 `json:"talkingTime"`
	HoldTime    float64 `json:"holdTime"`
	PauseTime   float64 `json:"pauseTime"`
	Answered    bool    `json:"answered"`
}

// spanRow is one stretch of a call.
type spanRow struct {
	Type      string  `json:"type"`
	Party     string  `json:"party"`
	Extension string  `json:"extension"`
	Place     string  `json:"place"`
	Name      string  `json:"name"`
	Digits    string  `json:"digits"`
	Outcome   string  `json:"outcome"`
	StartTime string  `json:"startTime"`
	EndTime   string  `json:"endTime"` // "" while it lasts
	Duration  float64 `json:"duration"`
}

// story renders the account of a call; open is one that may still change.
func (r *Rules) story(a *pbx.Account, open bool) callStory {
	s := callStory{callFields: r.closed(a), Ended: !open, Truncated: a.Truncated, Answered: a.Answered, OtherStr: a.Remark, Agents: []agentRow{}, Timeline: []spanRow{}}
	if open && a.Side == "" { // else it waits for the after-call work of an agent
		s.EndTime = ""
	}
	for _, sh := range a.Agents {
		s.Agents = append(s.Agents, agentRow{
			Extension: string(sh.Exten), QueueCode: string(sh.Queue), Rings: sh.Rings, RingTime: seconds(sh.Ring),
			TalkingTime: seconds(sh.Talk), HoldTime: seconds(sh.Hold), PauseTime: seconds(sh.AfterWork), Answered: sh.Answered,
		})
	}
	for i := range a.Spans {
		s.Timeline = append(s.Timeline, r.span(&a.Spans[i], a.End))
	}
	return s
}

func (r *Rules) span(sp *pbx.Span, now time.Time) spanRow {
	row := spanRow{
		Type: string(sp.Kind), Party: sp.Party, Extension: string(sp.Exten), Place: sp.Place, Name: sp.Name, Digits: sp.Digits,
		Outcome: outcome(sp), StartTime: sp.Start.In(r.Location).Format(date), Duration: seconds(now.Sub(sp.Start)),
	}
	if !sp.End.IsZero() {
		row.EndTime, row.Duration = sp.End.In(r.Location).Format(date), seconds(sp.Length())
	}
	return row
}

// outcome puts how a stretch ended into the words of this dialect.
func outcome(sp *pbx.Span) string {
	switch sp.Kind {
	case pbx.SpanRing:
		return dialStatus(sp.Outcome)
	case pbx.SpanQueue:
		return cmp.Or(missCause(pbx.Miss(sp.Outcome)), sp.Outcome)
	default:
		return sp.Outcome
	}
}

// seconds is a length with its milliseconds, never negative.
func seconds(d time.Duration) float64 { return float64(max(0, d).Milliseconds()) / 1000 }
