package pbx

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// seenEvery is how exactly the end of a call is known that ends while the daemon does not run and has no record. Without calls the
// moment only says how long a gap was.
const (
	seenEvery = 10 * time.Second
	idleEvery = 5 * time.Minute
)

// storeSeen keeps up when Asterisk was last heard of.
func (r *run) storeSeen(st *state, ch *change, at time.Time) {
	every := idleEvery
	if len(st.calls) > 0 {
		every = seenEvery
	}
	if !r.synced || at.Sub(r.noted) < every {
		return
	}
	if body, err := json.Marshal(now()); err == nil {
		r.noted, ch.seen = at, body
	}
}

// loadPast reads what of the time before this process still counts: when Asterisk was last heard of, and the calls that ended so
// late that records of them may still come.
func (s *state) loadPast(ctx context.Context, db *sql.DB, at reading) error {
	if err := sqlite.Each(ctx, db, `SELECT at FROM pbx_seen`, func(row *sql.Rows) error {
		var body []byte
		if err := row.Scan(&body); err != nil {
			return err
		}
		var then reading
		err := json.Unmarshal(body, &then)
		s.seen = at.Wall.Add(-at.elapsed(then))
		return err
	}); err != nil {
		return fmt.Errorf("when asterisk was last heard of: %w", err)
	}
	s.at = at.Wall
	query := fmt.Sprintf(`SELECT body FROM (SELECT seq, body FROM pbx_calls WHERE ended > %d ORDER BY seq DESC LIMIT %d) ORDER BY seq`,
		at.Wall.Add(-lateness).UnixMilli(), maxEndings)
	return sqlite.Each(ctx, db, query, func(row *sql.Rows) error {
		var body []byte
		if err := row.Scan(&body); err != nil {
			return err
		}
		var a Account
		if err := json.Unmarshal(body, &a); err != nil {
			return fmt.Errorf("stored account: %w", err)
		}
		s.remember(&finished{call: a.ID, direction: a.Direction, recording: a.Recording, at: at.Wall, ids: a.IDs})
		return nil
	})
}
