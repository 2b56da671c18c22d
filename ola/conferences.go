package ola

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/pbx"
)

// idNames are the names under which a conference comes in a query or a body: the document prints confld, with an L, for confId.
var idNames = []string{"confId", "confld", "confUuid", "confid"}

// conferenceID reads the one of idNames that is given; "" for none.
func conferenceID(c echo.Context) (pbx.ConferenceID, error) {
	id := ""
	for _, name := range idNames {
		v, err := value(c, name)
		if err != nil {
			return "", err
		}
		if id != "" && v != "" && v != id {
			return "", unusable(name + " is given twice with different values")
		}
		if v != "" {
			id = v
		}
	}
	return pbx.ConferenceID(id), nil
}

// words are the values that a parameter may have, and what they stand for; "" is its default.
type words[T any] map[string]T

var (
	truths   = words[bool]{"": false, "t": true, "f": false, "true": true, "false": false}
	blending = words[bool]{"": true, "true": true, "false": false}
	shown    = words[string]{"": "extn", "extn": "extn", "alias": "alias"}
)

func word[T any](c echo.Context, name string, of words[T], choice string) (meaning T, err error) {
	text, err := value(c, name)
	if err != nil {
		return meaning, err
	}
	meaning, ok := of[text]
	if !ok {
		return meaning, unusable(name + ": " + choice)
	}
	return meaning, nil
}

func conferenceSettings(c echo.Context) (s pbx.ConferenceSettings, err error) {
	if s.Topic, err = value(c, "topic"); err != nil {
		return s, err
	}
	if s.Context, err = value(c, "context"); err != nil {
		return s, err
	}
	if s.Recording, err = word(c, "recording", truths, "t or f"); err != nil {
		return s, err
	}
	if s.ShowName, err = word(c, "showName", shown, "extn or alias"); err != nil {
		return s, err
	}
	s.Blending, err = word(c, "blending", blending, "true or false")
	return s, err
}

// savedReply tells which conference was made or changed; one that was changed without its number.
type savedReply struct {
	Code     int              `json:"code"`
	Result   string           `json:"result"`
	ConfUUID pbx.ConferenceID `json:"confUuid"`
	Nbr      string           `json:"nbr,omitempty"`
}

// saveConference makes a conference or, when it is named, replaces its settings.
func (a *API) saveConference(c echo.Context) error {
	id, err := conferenceID(c)
	if err != nil {
		return err
	}
	settings, err := conferenceSettings(c)
	if err != nil {
		return err
	}
	answer := savedReply{Code: http.StatusOK, Result: textSuccess, ConfUUID: id}
	if id != "" {
		if err := a.sw.UpdateConference(traced(c), id, settings); err != nil {
			return failure(err)
		}
		return c.JSON(http.StatusOK, answer)
	}
	if _, err := need(c, "topic"); err != nil {
		return err
	}
	made, err := a.sw.CreateConference(traced(c), settings)
	if err != nil {
		return failure(err)
	}
	answer.ConfUUID, answer.Nbr = made.ID, made.Number
	return c.JSON(http.StatusOK, answer)
}

// success answers what is done where the document says success.
func success(c echo.Context, err error) error {
	if err != nil {
		return failure(err)
	}
	return c.JSON(http.StatusOK, reply{Code: http.StatusOK, Result: textSuccess})
}

// deleteConference ends a conference for all and forgets it.
func (a *API) deleteConference(c echo.Context) error {
	v, err := need(c, "uuid")
	if err != nil {
		return err
	}
	return success(c, a.sw.DeleteConference(traced(c), pbx.ConferenceID(v[0])))
}

// conferenceRow is one conference, keys in the documented order.
type conferenceRow struct {
	UUID         pbx.ConferenceID `json:"uuid"`
	Topic        string           `json:"topic"`
	Nbr          string           `json:"nbr"`
	Description  *string          `json:"description"`
	StartTime    *string          `json:"start_time"`
	CreatedAt    string           `json:"created_at"`
	CompletedAt  *string          `json:"completed_at"`
	Context      *string          `json:"context"`
	Recording    bool             `json:"recording"`
	MemberDetail string           `json:"memberdetail"`
	ShowName     string           `json:"showname"`
	Blending     string           `json:"blending"`
}

// conferences lists the conferences, or those with the number nbr and a topic that contains topic.
func (a *API) conferences(c echo.Context) error {
	nbr, err := value(c, "nbr")
	if err != nil {
		return err
	}
	topic, err := value(c, "topic")
	if err != nil {
		return err
	}
	rules, rows := a.rules.Load(), []conferenceRow{}
	for _, x := range a.sw.Conferences(pbx.ConferenceFilter{Number: nbr, Topic: topic}) {
		rows = append(rows, rules.conference(x))
	}
	return c.JSON(http.StatusOK, rows)
}

func (r *Rules) conference(x pbx.Conference) conferenceRow {
	return conferenceRow{
		UUID: x.ID, Topic: x.Topic, Nbr: x.Number, StartTime: r.second(x.Started), CreatedAt: *r.second(x.Created), CompletedAt: r.second(x.Completed),
		Context: orNull(x.Context), Recording: x.Recording, MemberDetail: strings.Join(x.Members, ","), ShowName: x.ShowName,
		Blending: strconv.FormatBool(x.Blending),
	}
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// second renders a time without fractions; null when it is not known.
func (r *Rules) second(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return orNull(t.In(r.Location).Format(time.DateTime))
}

// addMembers replaces the list of a conference's members.
func (a *API) addMembers(c echo.Context) error {
	id, err := conferenceID(c)
	if err != nil {
		return err
	}
	if id == "" {
		return unusable("missing parameter: " + idNames[0])
	}
	v, err := need(c, "members")
	if err != nil {
		return err
	}
	numbers := strings.Split(v[0], ",")
	for i, n := range numbers {
		numbers[i] = strings.TrimSpace(n)
	}
	return success(c, a.sw.SetMembers(traced(c), id, numbers))
}

// attendances are the document's words.
var attendances = map[pbx.Attendance]string{
	pbx.Invited: "beInvited", pbx.Attending: "inMeeting", pbx.Muted: "beMute", pbx.Left: "outMeeting", pbx.Cancelled: "beCancel",
}

// attendeeRow is one member of a conference, keys in the documented order.
type attendeeRow struct {
	UUID           string  `json:"uuid"`
	Typ            string  `json:"typ"`
	ConferenceUUID string  `json:"conference_uuid"`
	MemberNumber   string  `json:"member_number"`
	JoinedNumber   string  `json:"joined_number"`
	CreatedAt      string  `json:"created_at"`
	JoinedAt       *string `json:"joined_at"`
	LeftAt         *string `json:"left_at"`
}

// attendees lists the members of a conference and what became of them.
func (a *API) attendees(c echo.Context) error {
	v, err := need(c, "UUID")
	if err != nil {
		return err
	}
	list, err := a.sw.Attendees(pbx.ConferenceID(v[0]))
	if err != nil {
		return failure(err)
	}
	rules, rows := a.rules.Load(), make([]attendeeRow, 0, len(list))
	for _, x := range list {
		rows = append(rows, rules.attendee(v[0], x))
	}
	return c.JSON(http.StatusOK, rows)
}

func (r *Rules) attendee(conference string, x pbx.Attendee) attendeeRow {
	return attendeeRow{
		UUID: x.ID, Typ: attendances[x.State], ConferenceUUID: conference, MemberNumber: x.Number, JoinedNumber: x.Number,
		CreatedAt: *r.second(x.Created), JoinedAt: r.second(x.Joined), LeftAt: r.second(x.Left),
	}
}

// dialMember rings a member and brings him into the conference when he answers.
func (a *API) dialMember(c echo.Context) error {
	v, err := need(c, "member", "UUID")
	if err != nil {
		return err
	}
	return finish(c, a.sw.Invite(traced(c), pbx.ConferenceID(v[1]), v[0]))
}

// everybody is the member who stands for all.
const everybody = "all"

// changeMember kicks, mutes or unmutes a member, or ends the meeting of all.
func (a *API) changeMember(c echo.Context) error {
	v, err := need(c, "member", "uuid", "type")
	if err != nil {
		return err
	}
	ctx, id, member := traced(c), pbx.ConferenceID(v[1]), v[0]
	switch what := v[2]; {
	case what == "kick" && member == everybody:
		return success(c, a.sw.EndMeeting(ctx, id))
	case what == "kick":
		return success(c, a.sw.Kick(ctx, id, member))
	case (what == "mute" || what == "unmute") && member != everybody:
		return success(c, a.sw.Mute(ctx, id, member, what == "mute"))
	case member == everybody:
		return unusable("type: kick for all")
	}
	return unusable("type: kick, mute or unmute")
}
