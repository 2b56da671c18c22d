package console

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// tally counts calls; Talk is in seconds.
type tally struct {
	Calls     int     `json:"calls"`
	Answered  int     `json:"answered"`
	Abandoned int     `json:"abandoned"`
	Talk      float64 `json:"talk"`
}

func tallyOf(t pbx.Tally) tally { return tally{t.Calls, t.Answered, t.Abandoned, t.Talk.Seconds()} }

// hourRow counts the calls of an hour.
type hourRow struct {
	Start string `json:"start"`
	tally
}

// agentTally counts what an agent had of the calls; lengths are in seconds.
type agentTally struct {
	Extension string  `json:"extension"`
	Calls     int     `json:"calls"`
	Answered  int     `json:"answered"`
	Missed    int     `json:"missed"`
	Talk      float64 `json:"talk"`
	Hold      float64 `json:"hold"`
	AfterWork float64 `json:"afterwork"`
}

// statistics is the answer of stats.
type statistics struct {
	From   string       `json:"from"`
	To     string       `json:"to"`
	Oldest string       `json:"oldest"` // when the oldest call began of those that are still kept, "" for none
	Total  tally        `json:"total"`
	Hours  []hourRow    `json:"hours"`
	Agents []agentTally `json:"agents"`
	More   bool         `json:"more_agents"` // than are listed
}

// stats counts ended calls by hour and agent: of today, or of the span that is asked for.
func (a *API) stats(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	f := pbx.StatisticsFilter{Zone: a.zone}
	if f.From, err = p.Moment("from", a.zone); err != nil {
		return err
	}
	if f.To, err = p.Moment("to", a.zone); err != nil {
		return err
	}
	queue, err := p.Text("queue", longestName)
	if err != nil {
		return err
	}
	f.Queue = pbx.QueueName(queue)
	if f.To.IsZero() {
		f.To = time.Now()
	}
	if f.From.IsZero() {
		day := f.To.In(a.zone).Add(-1)
		f.From = time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, a.zone)
	}
	st, err := a.sw.Statistics(c.Request().Context(), f)
	if err != nil {
		return coreFailure(err)
	}
	answer := statistics{
		From: a.moment(f.From), To: a.moment(f.To), Oldest: a.moment(st.Oldest), Total: tallyOf(st.Total), More: st.More,
		Hours: make([]hourRow, 0, len(st.Hours)), Agents: make([]agentTally, 0, len(st.Agents)),
	}
	for _, h := range st.Hours {
		answer.Hours = append(answer.Hours, hourRow{a.moment(h.Start), tallyOf(h.Tally)})
	}
	for _, g := range st.Agents {
		answer.Agents = append(answer.Agents, agentTally{
			string(g.Exten), g.Calls, g.Answered, g.Missed, g.Talk.Seconds(), g.Hold.Seconds(), g.AfterWork.Seconds(),
		})
	}
	return c.JSON(http.StatusOK, answer)
}
