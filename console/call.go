package console

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// Recordings say where sound files are.
type Recordings struct {
	Directory         string // where the daemon finds them
	AsteriskDirectory string // the same folder as Asterisk names it
}

// ConfigureRecordings replaces where recordings are.
func (a *API) ConfigureRecordings(r Recordings) { a.recordings.Store(&r) }

// longestID is how long a Uniqueid may be, in bytes (AST_MAX_UNIQUEID).
const longestID = 150

// Where a call has come to.
const (
	callLive      = "live"
	callAfterWork = "afterwork" // ended, and an agent works on it
	callEnded     = "ended"     // and does not change any more
)

// callStory is all that is known of one call. Lengths are seconds.
type callStory struct {
	ID        string      `json:"id"`
	Now       time.Time   `json:"now"`
	State     string      `json:"state"`
	Direction string      `json:"direction"`
	Caller    string      `json:"caller"`
	Called    string      `json:"called"`
	DID       string      `json:"did,omitempty"`
	Agent     string      `json:"agent,omitempty"`
	Queue     string      `json:"queue,omitempty"`
	Start     time.Time   `json:"start"`
	End       time.Time   `json:"end,omitzero"`
	Duration  float64     `json:"duration"`
	Answered  bool        `json:"answered"`
	EndedBy   string      `json:"ended_by,omitempty"`
	Cause     string      `json:"cause,omitempty"` // Q.850
	CauseText string      `json:"cause_text,omitempty"`
	Miss      string      `json:"miss,omitempty"`
	Ring      float64     `json:"ring"`
	Talk      float64     `json:"talk"`
	Hold      float64     `json:"hold"`
	Waiting   float64     `json:"waiting"`
	Menus     float64     `json:"menus"`
	Feedback  float64     `json:"feedback"`
	AfterWork float64     `json:"after_work"`
	Score     string      `json:"score,omitempty"`
	Voicemail bool        `json:"voicemail,omitempty"`
	Remark    string      `json:"remark,omitempty"`
	LinkLost  bool        `json:"link_lost,omitempty"` // its end was found out later
	Truncated bool        `json:"truncated,omitempty"` // it had more stretches than are kept
	Recording *soundFile  `json:"recording,omitempty"`
	Agents    []callShare `json:"agents"`
	Timeline  []callSpan  `json:"timeline"`
}

// soundFile is the recording of a call.
type soundFile struct {
	Name  string `json:"name"`
	There bool   `json:"there"` // the file can be had now
}

// callShare is what one extension had of a call.
type callShare struct {
	Extension string  `json:"extension"`
	Queue     string  `json:"queue,omitempty"`
	Rings     int     `json:"rings"`
	Ring      float64 `json:"ring"`
	Talk      float64 `json:"talk"`
	Hold      float64 `json:"hold"`
	AfterWork float64 `json:"after_work"`
	Answered  bool    `json:"answered"`
}

// callSpan is one stretch of a call.
type callSpan struct {
	Kind      string    `json:"kind"`
	Channel   string    `json:"channel,omitempty"`
	Party     string    `json:"party,omitempty"`
	Extension string    `json:"extension,omitempty"`
	Place     string    `json:"place,omitempty"`
	Name      string    `json:"name,omitempty"`
	Digits    string    `json:"digits,omitempty"`
	Outcome   string    `json:"outcome,omitempty"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end,omitzero"` // not there while it lasts
	Seconds   float64   `json:"seconds"`
}

// call tells all of one call, whether it lives or has ended.
func (a *API) call(c echo.Context) error {
	found, open, err := a.account(c)
	if err != nil {
		return err
	}
	story := storyOf(&found.Account, open, time.Now(), a.zone)
	if found.Recording != "" {
		r := a.recordings.Load()
		name := pbx.RecordingBelow(found.Recording, r.AsteriskDirectory)
		story.Recording = &soundFile{Name: name, There: httpd.HasSound(r.Directory, name)}
	}
	return c.JSON(http.StatusOK, story)
}

// callRecording sends the recording of a call, in whole or in ranges.
func (a *API) callRecording(c echo.Context) error {
	found, _, err := a.account(c)
	if err != nil {
		return err
	}
	if found.Recording == "" {
		return &httpd.Error{Status: http.StatusNotFound, Message: "the call was not recorded"}
	}
	r := a.recordings.Load()
	return httpd.SendSound(c, r.Directory, pbx.RecordingBelow(found.Recording, r.AsteriskDirectory))
}

// account finds the call of a request.
func (a *API) account(c echo.Context) (call pbx.EndedCall, open bool, err error) {
	unknown := &httpd.Error{Status: http.StatusNotFound, Message: "no such call"}
	if _, err := httpd.ReadParams(c); err != nil {
		return call, false, err
	}
	id, err := httpd.PathParam(c, "id")
	if err != nil || len(id) > longestID {
		return call, false, unknown
	}
	call, open, err = a.sw.Account(c.Request().Context(), pbx.CallID(id))
	if errors.Is(err, pbx.ErrNotFound) {
		return call, false, unknown
	}
	return call, open, err
}

// storyOf tells times as they were on the PBX's clock, as lists of calls do.
func storyOf(a *pbx.Account, open bool, now time.Time, zone *time.Location) callStory {
	moment := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return t.In(zone).Truncate(time.Millisecond)
	}
	s := callStory{
		ID: string(a.ID), Now: moment(now), State: callEnded, Direction: a.Direction.String(), Caller: a.Caller, Called: a.Called, DID: a.DID, Agent: string(a.Agent),
		Queue: string(a.Queue), Start: moment(a.Start), End: moment(a.End), Duration: seconds(a.Duration), Answered: a.Answered, EndedBy: string(a.Side),
		Cause: a.Cause, CauseText: a.CauseText, Miss: string(a.Miss), Ring: seconds(a.Ring), Talk: seconds(a.Talk), Hold: seconds(a.Hold),
		Waiting: seconds(a.Waiting), Menus: seconds(a.Menus), Feedback: seconds(a.Feedback), AfterWork: seconds(a.AfterWork), Score: a.Score,
		Voicemail: a.Voicemail, Remark: a.Remark, LinkLost: a.LinkLost, Truncated: a.Truncated,
		Agents: make([]callShare, 0, len(a.Agents)), Timeline: make([]callSpan, 0, len(a.Spans)),
	}
	switch {
	case open && a.Side == "":
		s.State, s.End, s.Miss = callLive, time.Time{}, "" // which may still change
	case open:
		s.State = callAfterWork
	}
	for _, sh := range a.Agents {
		s.Agents = append(s.Agents, callShare{
			Extension: string(sh.Exten), Queue: string(sh.Queue), Rings: sh.Rings, Ring: seconds(sh.Ring), Talk: seconds(sh.Talk), Hold: seconds(sh.Hold),
			AfterWork: seconds(sh.AfterWork), Answered: sh.Answered,
		})
	}
	for i := range a.Spans {
		sp := &a.Spans[i]
		row := callSpan{
			Kind: string(sp.Kind), Channel: sp.Channel, Party: sp.Party, Extension: string(sp.Exten), Place: sp.Place, Name: sp.Name, Digits: sp.Digits,
			Outcome: sp.Outcome, Start: moment(sp.Start), End: moment(sp.End), Seconds: seconds(sp.Length()),
		}
		if sp.End.IsZero() {
			row.Seconds = seconds(a.End.Sub(sp.Start))
		}
		s.Timeline = append(s.Timeline, row)
	}
	return s
}

// seconds is a length with its milliseconds, never negative.
func seconds(d time.Duration) float64 { return float64(max(0, d).Milliseconds()) / 1000 }
