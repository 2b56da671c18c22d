package pbx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
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

// quarter is the step in which the hours of a clock are found: all time zones are whole quarters of an hour away from UTC.
const quarter = 15 * time.Minute

// Each hour and each agent is counted by a query of its own, along an index: to group a million rows they would be sorted.
const (
	hourQuery = `SELECT count(*), coalesce(sum(answered), 0), coalesce(sum(abandoned), 0), coalesce(sum(talk), 0) FROM pbx_calls INDEXED BY pbx_calls_started
		WHERE started >= ? AND started < ? AND (?3 = '' OR queue = ?3)`
	agentQuery = `SELECT count(*), coalesce(sum(answered), 0), coalesce(sum(rings > 0 AND NOT answered), 0), coalesce(sum(talk), 0), coalesce(sum(hold), 0),
		coalesce(sum(afterwork), 0) FROM pbx_call_agents INDEXED BY pbx_call_agents_started
		WHERE exten = ?4 AND started >= ?1 AND started < ?2 AND (?3 = '' OR queue = ?3)`
	nextAgent   = `SELECT min(exten) FROM pbx_call_agents WHERE exten > ?`
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
	done, err := s.search(ctx)
	if err != nil {
		return st, fmt.Errorf("statistics of calls: %w", err)
	}
	defer done()
	tx, err := s.store.Reader().BeginTx(ctx, nil) // all counts are of one moment
	if err == nil {
		st.Hours = hoursOf(f)
		err = errors.Join(countHours(ctx, tx, f, &st), countAgents(ctx, tx, f, &st), oldestCall(ctx, tx, &st), tx.Rollback())
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

func countHours(ctx context.Context, tx *sql.Tx, f StatisticsFilter, st *Statistics) error {
	query, err := tx.PrepareContext(ctx, hourQuery)
	if err != nil {
		return err
	}
	defer func() { _ = query.Close() }()
	for i := range st.Hours {
		from, to := f.From, f.To
		if i > 0 {
			from = st.Hours[i].Start
		}
		if i+1 < len(st.Hours) {
			to = st.Hours[i+1].Start
		}
		t, talk := &st.Hours[i].Tally, int64(0)
		if err := query.QueryRowContext(ctx, from.UnixMilli(), to.UnixMilli(), f.Queue).Scan(&t.Calls, &t.Answered, &t.Abandoned, &talk); err != nil {
			return err
		}
		t.Talk = time.Duration(talk) * time.Millisecond
		st.Total.add(*t)
	}
	return nil
}

func countAgents(ctx context.Context, tx *sql.Tx, f StatisticsFilter, st *Statistics) error {
	query, err := tx.PrepareContext(ctx, agentQuery)
	if err != nil {
		return err
	}
	defer func() { _ = query.Close() }()
	var exten sql.NullString
	for {
		if err := tx.QueryRowContext(ctx, nextAgent, exten.String).Scan(&exten); err != nil || !exten.Valid {
			return err
		}
		a := AgentTally{Exten: Exten(exten.String)}
		var talk, hold, work int64
		err := query.QueryRowContext(ctx, f.From.UnixMilli(), f.To.UnixMilli(), f.Queue, exten.String).Scan(&a.Calls, &a.Answered, &a.Missed, &talk, &hold, &work)
		switch {
		case err != nil:
			return err
		case a.Calls == 0:
			continue
		case len(st.Agents) == maxAgents:
			st.More = true
			return nil
		}
		a.Talk, a.Hold, a.AfterWork = time.Duration(talk)*time.Millisecond, time.Duration(hold)*time.Millisecond, time.Duration(work)*time.Millisecond
		st.Agents = append(st.Agents, a)
	}
}

func oldestCall(ctx context.Context, tx *sql.Tx, st *Statistics) error {
	var started int64
	err := tx.QueryRowContext(ctx, oldestQuery).Scan(&started)
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
