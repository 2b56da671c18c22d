package pbx

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// EndedCall is a stored account and its place among them: Seq rises with every call that is told.
type EndedCall struct {
	Seq int64
	Account
}

// CallFilter chooses ended calls; empty fields choose all.
type CallFilter struct {
	After     int64     // only Seq beyond it
	From, To  time.Time // begun at From or later, and before To
	Exten     Exten     // took part: called, was called, or was rung
	Queue     QueueName // the last one that it entered
	Direction string    // as Direction.String tells it
	Answered  *bool
	Number    string // of the caller, the called party, or the DID
	Recorded  *bool
	Text      string // a part of one of the numbers or of the parties' names, in capitals or not
	Limit     int    // at most this many, 0 = 100
}

// Ended returns ended calls in the order in which they were told, which is nearly that of their ends. Errors: InvalidError.
func (s *Switch) Ended(ctx context.Context, f CallFilter) ([]EndedCall, error) {
	if f.Exten != "" && !s.isExten(f.Exten) {
		return nil, &InvalidError{Field: "extension", Reason: "not an extension number"}
	}
	query, args := f.query()
	var list []EndedCall
	err := sqlite.Each(ctx, s.store.Reader(), query, func(row *sql.Rows) error {
		var e EndedCall
		var body []byte
		if err := row.Scan(&e.Seq, &body); err != nil {
			return err
		}
		list = append(list, e)
		return json.Unmarshal(body, &list[len(list)-1].Account)
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("ended calls: %w", err)
	}
	return list, nil
}

func (s *Switch) isExten(n Exten) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.rules.isExten(string(n))
}

// firstOf finds, by the index of ends, where to begin. An account is told when the after-call work is over: lag is more than that
// may ever take, so that no call which ended later stands before the one found.
const (
	firstOf = "seq >= coalesce((SELECT seq FROM pbx_calls WHERE ended >= ? ORDER BY ended LIMIT 1), 9223372036854775807)"
	lag     = 24 * time.Hour
)

func (f *CallFilter) query() (query string, args []any) {
	cond := conditions{text: "seq > ?", args: []any{f.After}}
	cond.where(!f.From.IsZero(), firstOf, f.From.Add(-lag).UnixMilli())
	f.narrow(&cond)
	limit := f.Limit
	if limit <= 0 {
		limit = 100
	}
	return "SELECT seq, body FROM pbx_calls WHERE " + cond.text + " ORDER BY seq LIMIT ?", append(cond.args, limit)
}

// narrow adds what does not depend on the order of the calls.
func (f *CallFilter) narrow(c *conditions) {
	c.where(!f.From.IsZero(), "started >= ?", f.From.UnixMilli())
	c.where(!f.To.IsZero(), "started < ?", f.To.UnixMilli())
	c.where(f.Exten != "", "seq IN (SELECT seq FROM pbx_call_agents WHERE exten = ?)", f.Exten)
	c.where(f.Queue != "", "queue = ?", f.Queue)
	c.where(f.Direction != "", "direction = ?", f.Direction)
	c.where(f.Number != "", "instr(search, ?) AND (caller = ? OR called = ? OR did = ?)", strings.ToLower("\n"+f.Number+"\n"), f.Number, f.Number, f.Number)
	if f.Answered != nil {
		c.where(true, "answered = ?", *f.Answered)
	}
	if f.Recorded != nil {
		c.where(true, "recorded = ?", *f.Recorded)
	}
	c.where(f.Text != "", "instr(search, ?)", strings.ToLower(f.Text))
}

// conditions are the condition of a query and the values for its question marks.
type conditions struct {
	text string
	args []any
}

func (c *conditions) where(used bool, cond string, values ...any) {
	if used {
		c.text += " AND " + cond
		c.args = append(c.args, values...)
	}
}

// Account returns the account of one call. One that has not ended, or waits for the after-call work of an agent, has open set and
// no Seq; its account is as of now. ErrNotFound when there is none.
func (s *Switch) Account(ctx context.Context, id CallID) (call EndedCall, open bool, err error) {
	if a, ok := s.liveAccount(id); ok {
		return EndedCall{Account: a}, true, nil
	}
	call, err = s.endedCall(ctx, id)
	if errors.Is(err, ErrNotFound) && s.endedLately(id) { // its account is on its way into the file
		if err := s.store.Do(ctx, func(*sql.Tx) error { return nil }); err != nil {
			return call, false, fmt.Errorf("ended call: %w", err)
		}
		call, err = s.endedCall(ctx, id)
	}
	return call, false, err
}

func (s *Switch) endedCall(ctx context.Context, id CallID) (call EndedCall, err error) {
	var body []byte
	err = s.store.Reader().QueryRowContext(ctx, `SELECT seq, body FROM pbx_calls WHERE call = ?`, id).Scan(&call.Seq, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return call, fmt.Errorf("%w: call %s", ErrNotFound, id)
	}
	if err == nil {
		err = json.Unmarshal(body, &call.Account)
	}
	if err != nil {
		return call, fmt.Errorf("ended call: %w", err)
	}
	return call, nil
}

func (s *Switch) endedLately(id CallID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f := s.state.ended[string(id)]
	return f != nil && f.call == id
}

func (s *Switch) liveAccount(id CallID) (Account, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if h := s.state.kept[id]; h != nil {
		return h.account.clone(), true
	}
	c := s.state.calls[id]
	if c == nil {
		return Account{}, false
	}
	a := s.state.account(c, CallEnded{Call: s.state.copyCall(c)}, time.Now())
	a.Side, a.Cause, a.CauseText = "", "", ""
	return a.clone(), true
}

// clone copies what the core goes on changing.
func (a *Account) clone() Account {
	out := *a
	out.Spans, out.Agents, out.IDs = append([]Span(nil), a.Spans...), append([]Share(nil), a.Agents...), append([]string(nil), a.IDs...)
	return out
}

// RecordingBelow is the path of a recording below the recordings directory as Asterisk names that; "" for one that is not there, and for
// none.
func RecordingBelow(file, directory string) string {
	if file == "" {
		return ""
	}
	rest, ok := strings.CutPrefix(path.Clean(file), strings.TrimSuffix(path.Clean(directory), "/")+"/")
	if !ok {
		return ""
	}
	return rest
}
