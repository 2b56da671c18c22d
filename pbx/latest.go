package pbx

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// CallPlace is where a call stands among those that began before and after it; the zero value is before all of them, at the newest.
type CallPlace struct {
	started int64 // milliseconds since 1970
	seq     int64
}

// Place is where the call stands.
func (e *EndedCall) Place() CallPlace { return CallPlace{e.Start.UnixMilli(), e.Seq} }

// String is the form that ParseCallPlace reads.
func (p CallPlace) String() string {
	return strconv.FormatInt(p.started, 10) + "." + strconv.FormatInt(p.seq, 10)
}

// ParseCallPlace reads what String has written; *InvalidError for anything else.
func ParseCallPlace(text string) (p CallPlace, err error) {
	first, second, _ := strings.Cut(text, ".")
	p.started, err = strconv.ParseInt(first, 10, 64)
	if err == nil {
		p.seq, err = strconv.ParseInt(second, 10, 64)
	}
	if err != nil || p.String() != text {
		return CallPlace{}, &InvalidError{Field: "before", Reason: "not what an answer has given as next"}
	}
	return p, nil
}

// accountsAtOnce bounds how many whole accounts are in memory: one of a long conference is much larger than its columns.
const accountsAtOnce = 20

// Latest hands ended calls to do, those that began last first, from behind a place on: f.Limit of them, all where it is 0. f.After does
// not count. It stops at the first error of do and returns it. A few calls are in memory at a time, and the database is not held while do
// runs, so that a slow reader may take them all. Errors: *InvalidError, those of the context and the database.
func (s *Switch) Latest(ctx context.Context, f CallFilter, behind CallPlace, do func(*EndedCall) error) error {
	if f.Exten != "" && !s.isExten(f.Exten) {
		return &InvalidError{Field: "extension", Reason: "not an extension number"}
	}
	left := f.Limit
	if left <= 0 {
		left = math.MaxInt
	}
	for left > 0 {
		f.Limit = min(left, accountsAtOnce)
		list, err := s.latest(ctx, &f, behind)
		if err != nil {
			return fmt.Errorf("ended calls: %w", err)
		}
		for i := range list {
			if err := do(&list[i]); err != nil {
				return err
			}
			behind = list[i].Place()
		}
		if len(list) < f.Limit {
			return nil
		}
		left -= len(list)
	}
	return nil
}

// maxSearches is how many may read through the ended calls at once. Whoever delivers events, or asks whether a number is barred, reads by the same
// few connections, and is not to wait for those who search.
const maxSearches = 2

// search waits for one's turn to read through the ended calls, which ends with done.
func (s *Switch) search(ctx context.Context) (done func(), err error) {
	select {
	case s.searches <- struct{}{}:
		return func() { <-s.searches }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Switch) latest(ctx context.Context, f *CallFilter, behind CallPlace) (list []EndedCall, err error) {
	done, err := s.search(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	query, args := f.latest(behind)
	err = sqlite.Each(ctx, s.store.Reader(), query, func(row *sql.Rows) error {
		var e EndedCall
		var body []byte
		var started int64
		if err := row.Scan(&e.Seq, &started, &body); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &e.Account); err != nil {
			return err
		}
		e.Start = time.UnixMilli(started) // by which it was found
		list = append(list, e)
		return nil
	}, args...)
	return list, err
}

// latest is a walk back along one index, which has all that a filter asks for: the accounts of calls that are not chosen are not read.
func (f *CallFilter) latest(behind CallPlace) (query string, args []any) {
	cond := conditions{text: "1"}
	cond.where(behind != CallPlace{}, "(started, seq) < (?, ?)", behind.started, behind.seq)
	f.narrow(&cond)
	return "SELECT seq, started, body FROM pbx_calls INDEXED BY pbx_calls_started WHERE " + cond.text + " ORDER BY started DESC, seq DESC LIMIT ?",
		append(cond.args, f.Limit)
}
