package webhook

import (
	"context"
	"database/sql"
	"fmt"
)

// state of a row. The numbers are stored.
type state int

const (
	statePending   state = 0
	stateDelivered state = 1
	stateDead      state = 2 // refused too often; waits for Replay or Drop
	stateExpired   state = 3 // older than Target.TTL
	stateDropped   state = 4 // by Drop; kept, so that a repeated Put does not bring it back
)

// String returns the name that the console and the command line show.
func (s state) String() string {
	switch s {
	case statePending:
		return "pending"
	case stateDelivered:
		return "delivered"
	case stateDead:
		return "dead"
	case stateExpired:
		return "expired"
	case stateDropped:
		return "dropped"
	}
	return "unknown"
}

// schema is the list of migration steps: only ever added to. Ids are never used twice (AUTOINCREMENT), because order is by id.
// Delivered rows stay for a while with done_at set, so that a repeated Put is seen. The partial indexes make everything
// that happens at start cost as much as what is pending, not as much as what is kept.
var schema = []string{`
CREATE TABLE webhook_outbox (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	event_id    TEXT    NOT NULL UNIQUE,
	kind        TEXT    NOT NULL,
	key         TEXT    NOT NULL,
	body        BLOB    NOT NULL,
	at          INTEGER NOT NULL,
	newest      INTEGER NOT NULL,
	weight      INTEGER NOT NULL,
	ttl         INTEGER NOT NULL,
	state       INTEGER NOT NULL DEFAULT 0,
	attempts    INTEGER NOT NULL DEFAULT 0,
	refused     INTEGER NOT NULL DEFAULT 0,
	refused_at  INTEGER NOT NULL DEFAULT 0,
	last_at     INTEGER,
	last_status INTEGER,
	last_error  TEXT,
	answer      BLOB,
	done_at     INTEGER
);
CREATE INDEX webhook_pending ON webhook_outbox (id, weight) WHERE state = 0;
CREATE INDEX webhook_lines   ON webhook_outbox (key, id) WHERE state = 0;
CREATE INDEX webhook_newest  ON webhook_outbox (key, id) WHERE state = 0 AND newest = 1;
CREATE INDEX webhook_dead    ON webhook_outbox (id) WHERE state = 2;
CREATE INDEX webhook_history ON webhook_outbox (done_at) WHERE done_at IS NOT NULL;
CREATE TABLE webhook_attempts (
	outbox   INTEGER NOT NULL REFERENCES webhook_outbox (id) ON DELETE CASCADE,
	n        INTEGER NOT NULL,
	at       INTEGER NOT NULL,
	took     INTEGER NOT NULL,
	status   INTEGER NOT NULL,
	error    TEXT    NOT NULL,
	PRIMARY KEY (outbox, n)
) WITHOUT ROWID;
CREATE TABLE webhook_counts (
	kind       TEXT    PRIMARY KEY,
	weight     INTEGER NOT NULL DEFAULT 0,
	pending    INTEGER NOT NULL DEFAULT 0,
	delivered  INTEGER NOT NULL DEFAULT 0,
	dead       INTEGER NOT NULL DEFAULT 0,
	expired    INTEGER NOT NULL DEFAULT 0,
	dropped    INTEGER NOT NULL DEFAULT 0,
	superseded INTEGER NOT NULL DEFAULT 0,
	duplicates INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE webhook_revision (id INTEGER PRIMARY KEY CHECK (id = 1), n INTEGER NOT NULL);
INSERT INTO webhook_revision (id, n) VALUES (1, 0);
`, readSchema, `
ALTER TABLE webhook_counts ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
CREATE TABLE webhook_receiver (
	id     INTEGER PRIMARY KEY CHECK (id = 1),
	up     INTEGER NOT NULL,
	since  INTEGER NOT NULL,
	status INTEGER NOT NULL,
	error  TEXT    NOT NULL
);
CREATE TABLE webhook_gaps (
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	since  INTEGER NOT NULL,
	until  INTEGER NOT NULL,
	reason TEXT    NOT NULL
);
`, receiversSchema}

// tally is what one transaction changes in the counters. Counting the rows instead would take seconds on a long queue.
type tally map[counted]*counts

// counted is what is counted together.
type counted struct {
	receiver int64
	kind     string
}

type counts struct {
	weight                                                                   int
	pending, delivered, dead, expired, dropped, lost, superseded, duplicates int64
}

func (t tally) of(receiver int64, kind string) *counts {
	c := t[counted{receiver, kind}]
	if c == nil {
		c = &counts{weight: -1}
		t[counted{receiver, kind}] = c
	}
	return c
}

// save adds the changes to the stored counters.
func (t tally) save(tx *sql.Tx) error {
	for of, c := range t {
		_, err := tx.ExecContext(context.Background(), `
			INSERT INTO webhook_counts (receiver, kind, weight, pending, delivered, dead, expired, dropped, lost, superseded, duplicates)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (receiver, kind) DO UPDATE SET weight = iif(excluded.weight < 0, weight, excluded.weight),
				pending = pending + excluded.pending, delivered = delivered + excluded.delivered, dead = dead + excluded.dead,
				expired = expired + excluded.expired, dropped = dropped + excluded.dropped, lost = lost + excluded.lost,
				superseded = superseded + excluded.superseded, duplicates = duplicates + excluded.duplicates`,
			of.receiver, of.kind, c.weight, c.pending, c.delivered, c.dead, c.expired, c.dropped, c.lost, c.superseded, c.duplicates)
		if err != nil {
			return fmt.Errorf("webhook: counters: %w", err)
		}
	}
	return nil
}
