package pbx

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// agentSchema holds what Asterisk does not: since when an agent is signed in, and what he did before.
var agentSchema = []string{
	`CREATE TABLE pbx_agents (
		exten     TEXT    PRIMARY KEY,
		state     TEXT    NOT NULL,
		old       TEXT    NOT NULL,
		signed_in INTEGER NOT NULL, -- microseconds since 1970, 0 = not signed in
		changed   INTEGER NOT NULL
	) WITHOUT ROWID`,
}

// agentRow is the lasting form of an agent.
type agentRow struct {
	exten             Exten
	state, old        AgentState
	signedIn, changed int64
}

func (a *agent) stored() agentRow {
	return agentRow{a.Exten, a.State, a.Old, micros(a.SignedIn), micros(a.Changed)}
}

func (r agentRow) put(tx *sql.Tx) error {
	_, err := tx.ExecContext(context.Background(), `INSERT INTO pbx_agents (exten, state, old, signed_in, changed) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (exten) DO UPDATE SET state = excluded.state, old = excluded.old, signed_in = excluded.signed_in, changed = excluded.changed`,
		r.exten, r.state, r.old, r.signedIn, r.changed)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return nil
}

func removeAgent(tx *sql.Tx, n Exten) error {
	if _, err := tx.ExecContext(context.Background(), `DELETE FROM pbx_agents WHERE exten = ?`, n); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return nil
}

// loadAgents reads what the agents did last. Whether they still do is for the next reconcile to say.
func (s *state) loadAgents(ctx context.Context, db *sql.DB) error {
	err := sqlite.Each(ctx, db, `SELECT exten, state, old, signed_in, changed FROM pbx_agents`, func(row *sql.Rows) error {
		var r agentRow
		if err := row.Scan(&r.exten, &r.state, &r.old, &r.signedIn, &r.changed); err != nil {
			return err
		}
		s.agents[r.exten] = &agent{Agent: Agent{
			Exten: r.exten, State: r.state, Old: r.old, SignedIn: ofMicros(r.signedIn), Changed: ofMicros(r.changed),
		}}
		return nil
	})
	if err != nil {
		return fmt.Errorf("stored agents: %w", err)
	}
	return nil
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func ofMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n)
}
