package pbx

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// seenEvery is how exactly the end of a call is known that ends while the daemon does not run and has no record.
const seenEvery = 10 * time.Second

// storeSeen keeps up, while calls are open, when Asterisk was last heard of.
func (r *run) storeSeen(st *state, ch *change, now time.Time) {
	if !r.synced || len(st.calls) == 0 || now.Sub(r.noted) < seenEvery {
		return
	}
	r.noted = now
	ch.seen = now.UnixMilli()
}

// loadPast reads what of the time before this process still counts: when Asterisk was last heard of, and the calls that ended so
// late that records of them may still come.
func (s *state) loadPast(ctx context.Context, db *sql.DB, now time.Time) error {
	if err := each(ctx, db, `SELECT at FROM pbx_seen`, func(row *sql.Rows) error {
		var ms int64
		err := row.Scan(&ms)
		s.seen = time.UnixMilli(ms)
		return err
	}); err != nil {
		return fmt.Errorf("when asterisk was last heard of: %w", err)
	}
	s.at = now
	return each(ctx, db, fmt.Sprintf(`SELECT body FROM pbx_calls WHERE ended > %d`, now.Add(-lateness).UnixMilli()), func(row *sql.Rows) error {
		var body []byte
		if err := row.Scan(&body); err != nil {
			return err
		}
		var a Account
		if err := json.Unmarshal(body, &a); err != nil {
			return fmt.Errorf("stored account: %w", err)
		}
		s.remember(&finished{call: a.ID, direction: a.Direction, recording: a.Recording, at: now, ids: a.IDs})
		return nil
	})
}
