package pbx

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// What became of the callers of a queue today is counted from their waits: one in the account of a call for each time that somebody
// came to a queue. The accounts of before the start are read once; those that are told are added; calls that have not ended are looked
// at when the counts are read, so that a caller counts when he is put through and not when he hangs up.

// tally is what became of one queue's callers who have left it.
type tally struct {
	answered  []int // by the seconds that they waited, rounded up; the last one holds all who waited longer
	abandoned int
}

// longestLevel is the longest wait that a service level may ask for, and defaultLevel the one of most call centres.
const (
	longestLevel = time.Hour
	defaultLevel = 20 * time.Second
)

// level is how long a caller may wait who was answered in time.
func (r *Rules) level() time.Duration {
	if r.ServiceLevel <= 0 {
		return defaultLevel
	}
	return min(r.ServiceLevel, longestLevel)
}

// midnight is when the day began.
func (r *Rules) midnight(now time.Time) time.Time {
	zone := r.Location
	if zone == nil {
		zone = time.Local
	}
	now = now.In(zone)
	return time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, zone)
}

// rounded is a wait in whole seconds, rounded up; all that are longer than longestLevel are one.
func rounded(waited time.Duration) int {
	return min(int((waited+time.Second-1)/time.Second), int(longestLevel/time.Second)+1)
}

func (t *tally) answer(waited time.Duration) {
	sec := rounded(waited)
	for len(t.answered) <= sec {
		t.answered = append(t.answered, 0)
	}
	t.answered[sec]++
}

func (t *tally) sum(within time.Duration) (answered, inTime int) {
	for sec, n := range t.answered {
		answered += n
		if time.Duration(sec)*time.Second <= within {
			inTime += n
		}
	}
	return answered, inTime
}

// today returns the counts of the day, which begin anew at midnight.
func (s *state) today(now time.Time) map[QueueName]*tally {
	if day := s.rules.midnight(now); !day.Equal(s.tallied) {
		s.tallies, s.tallied = map[QueueName]*tally{}, day
	}
	return s.tallies
}

// count adds the waits of an ended call.
func (s *state) count(spans []Span, now time.Time) {
	list := s.today(now)
	for i := range spans {
		sp := &spans[i]
		if !sp.leftQueue(s.tallied) {
			continue
		}
		name := QueueName(sp.Place)
		t := list[name]
		if t == nil {
			t = &tally{}
			list[name] = t
		}
		if Miss(sp.Outcome) == queueConnected {
			t.answer(sp.Length())
		} else {
			t.abandoned++
		}
	}
}

// counts is what a row of a Board says of the callers of one queue.
type counts struct{ answered, abandoned, inTime int }

// counted is what became of each queue's callers today, those included whose call goes on. It changes nothing.
func (s *state) counted(now time.Time) map[QueueName]counts {
	day, within, list := s.rules.midnight(now), s.rules.level(), map[QueueName]counts{}
	if day.Equal(s.tallied) {
		for q, t := range s.tallies {
			n := counts{abandoned: t.abandoned}
			n.answered, n.inTime = t.sum(within)
			list[q] = n
		}
	}
	add := func(spans []Span, lives func(*Span) bool) {
		for i := range spans {
			sp := &spans[i]
			if !sp.leftQueue(day) {
				continue
			}
			n := list[QueueName(sp.Place)]
			switch {
			case Miss(sp.Outcome) == queueConnected:
				n.answered++
				if time.Duration(rounded(sp.Length()))*time.Second <= within {
					n.inTime++
				}
			case lives(sp) && now.Sub(sp.End) < queuePatience: // who has been answered leaves first; that he was comes next
			default:
				n.abandoned++
			}
			list[QueueName(sp.Place)] = n
		}
	}
	for _, c := range s.calls {
		if c.Queue != "" {
			add(c.Spans, func(sp *Span) bool { return s.channels[sp.Channel] != nil })
		}
	}
	for _, h := range s.kept {
		add(h.account.Spans, func(*Span) bool { return false })
	}
	return list
}

// leftQueue reports whether a span is a wait that is over since a moment. One without an outcome went on in another call.
func (sp *Span) leftQueue(since time.Time) bool {
	return sp.Kind == SpanQueue && !sp.open() && sp.Outcome != "" && !sp.End.Before(since)
}

// loadTallies counts the calls of today that an earlier process has told. One that it has told and that is still stored as open will be
// told once more.
func (s *state) loadTallies(ctx context.Context, db *sql.DB, now time.Time) error {
	s.today(now)
	err := sqlite.Each(ctx, db, `SELECT body FROM pbx_calls WHERE ended >= ? AND queue <> '' AND call NOT IN (SELECT id FROM pbx_open_calls)`,
		func(row *sql.Rows) error {
			var body []byte
			if err := row.Scan(&body); err != nil {
				return err
			}
			var a struct{ Spans []Span }
			if err := json.Unmarshal(body, &a); err != nil {
				return err
			}
			s.count(a.Spans, now)
			return nil
		}, s.tallied.UnixMilli())
	if err != nil {
		return fmt.Errorf("calls of today: %w", err)
	}
	return nil
}
