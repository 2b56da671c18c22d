package pbx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// LongestStatistics is the longest span that is counted at once, with an hour to spare for a month in which the clock is set back.
const LongestStatistics = 31*24*time.Hour + time.Hour

// StatisticsFilter chooses the calls that are counted.
type StatisticsFilter struct {
	From, To time.Time      // begun at From or later, and before To
	Queue    QueueName      // "" = all calls, also those of no queue
	Zone     *time.Location // whose hours are counted
}

// Tally counts calls.
type Tally struct {
	Calls     int
	Answered  int           // two parties have talked
	Abandoned int           // waited in a queue, or were not let in, and nobody answered
	Talk      time.Duration // of all of them together
}

// HourTally counts the calls that began in one hour of the clock.
type HourTally struct {
	Start time.Time
	Tally
}

// AgentTally counts what one extension had of the calls.
type AgentTally struct {
	Exten     Exten
	Calls     int // in which it took part or was rung
	Answered  int // rung, and answered
	Missed    int // rung, and not answered
	Talk      time.Duration
	Hold      time.Duration // while it had pressed hold
	AfterWork time.Duration
}

// Statistics are ended calls counted by hour and by agent.
type Statistics struct {
	Total  Tally
	Hours  []HourTally  // each hour that has a part in the span, also those without calls, in their order
	Agents []AgentTally // by number; those without calls are not there
	More   bool         // there are more agents than maxAgents
	Oldest time.Time    // when the oldest call began of those that are still kept, zero when there is none
}

// maxAgents is how many agents are told of at most.
const maxAgents = 1000

// quarter is the grid on which the calls are added up before hours are made of them: all time zones are whole quarters of an hour away
// from UTC.
const quarter = 15 * time.Minute

const (
	quarterQuery = `SELECT started / ?, count(*), sum(answered), sum(abandoned), sum(talk) FROM pbx_calls INDEXED BY pbx_calls_started
		WHERE started >= ? AND started < ? AND (? = '' OR queue = ?) GROUP BY 1 ORDER BY 1`
	agentQuery = `SELECT exten, count(*), sum(answered), sum(rings > 0 AND NOT answered), sum(talk), sum(hold), sum(afterwork)
		FROM pbx_call_agents INDEXED BY pbx_call_agents_started
		WHERE started >= ? AND started < ? AND (? = '' OR queue = ?) GROUP BY exten ORDER BY exten LIMIT ?`
	oldestQuery = `SELECT started FROM pbx_calls INDEXED BY pbx_calls_started ORDER BY started LIMIT 1`
)

// Statistics counts the ended calls of a span. Errors: *InvalidError for one that is empty or longer than LongestStatistics, those of the
// context and the database.
func (s *Switch) Statistics(ctx context.Context, f StatisticsFilter) (st Statistics, err error) {
	switch {
	case !f.From.Before(f.To):
		return st, &InvalidError{Field: "to", Reason: "is not after from"}
	case f.To.Sub(f.From) > LongestStatistics:
		return st, &InvalidError{Field: "to", Reason: "is more than 31 days after from"}
	}
	st.Hours = hoursOf(f)
	if err = s.countHours(ctx, f, &st); err == nil {
		err = s.countAgents(ctx, f, &st)
	}
	if err == nil {
		err = s.oldestCall(ctx, &st)
	}
	if err != nil {
		return Statistics{}, fmt.Errorf("statistics of calls: %w", err)
	}
	return st, nil
}

// hoursOf lists the hours of the clock that a span touches. Where the clock is set back an hour is there twice.
func hoursOf(f StatisticsFilter) (list []HourTally) {
	for at := f.From.Truncate(quarter); at.Before(f.To); at = at.Add(quarter) {
		if start := hourOf(at, f.Zone); len(list) == 0 || start.After(list[len(list)-1].Start) {
			list = append(list, HourTally{Start: start})
		}
	}
	return list
}

// hourOf is when the hour of the clock began.
func hourOf(at time.Time, zone *time.Location) time.Time {
	at = at.In(zone)
	return at.Add(-time.Duration(at.Minute())*time.Minute - time.Duration(at.Second())*time.Second - time.Duration(at.Nanosecond()))
}

func (s *Switch) countHours(ctx context.Context, f StatisticsFilter, st *Statistics) error {
	next := 0
	return sqlite.Each(ctx, s.store.Reader(), quarterQuery, func(row *sql.Rows) error {
		var at, talk int64
		var t Tally
		if err := row.Scan(&at, &t.Calls, &t.Answered, &t.Abandoned, &talk); err != nil {
			return err
		}
		t.Talk = time.Duration(talk) * time.Millisecond
		start := hourOf(time.UnixMilli(at*quarter.Milliseconds()), f.Zone)
		for next+1 < len(st.Hours) && !st.Hours[next+1].Start.After(start) {
			next++
		}
		st.Hours[next].add(t)
		st.Total.add(t)
		return nil
	}, quarter.Milliseconds(), f.From.UnixMilli(), f.To.UnixMilli(), f.Queue, f.Queue)
}

func (s *Switch) countAgents(ctx context.Context, f StatisticsFilter, st *Statistics) error {
	return sqlite.Each(ctx, s.store.Reader(), agentQuery, func(row *sql.Rows) error {
		var a AgentTally
		var talk, hold, work int64
		if err := row.Scan(&a.Exten, &a.Calls, &a.Answered, &a.Missed, &talk, &hold, &work); err != nil {
			return err
		}
		if st.More = len(st.Agents) == maxAgents; st.More {
			return nil
		}
		a.Talk, a.Hold, a.AfterWork = time.Duration(talk)*time.Millisecond, time.Duration(hold)*time.Millisecond, time.Duration(work)*time.Millisecond
		st.Agents = append(st.Agents, a)
		return nil
	}, f.From.UnixMilli(), f.To.UnixMilli(), f.Queue, f.Queue, maxAgents+1)
}

func (s *Switch) oldestCall(ctx context.Context, st *Statistics) error {
	var started int64
	err := s.store.Reader().QueryRowContext(ctx, oldestQuery).Scan(&started)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	st.Oldest = time.UnixMilli(started)
	return err
}

func (t *Tally) add(other Tally) {
	t.Calls += other.Calls
	t.Answered += other.Answered
	t.Abandoned += other.Abandoned
	t.Talk += other.Talk
}
