package webhook

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

const keepAttempts = 20 // failed attempts that are kept of an event, the newest

// mark is what has become of an attempt.
type mark struct {
	item   item
	state  state // statePending: failed, to be tried again
	at     time.Time
	took   time.Duration
	status int
	err    string
	answer []byte
}

// writeMarks is one operation of the writer.
func writeMarks(tx *sql.Tx, marks []mark) error {
	counted := tally{}
	for i := range marks {
		k := &marks[i]
		var err error
		switch k.state {
		case statePending:
			err = markFailed(tx, k)
		case stateDead:
			err = markEnded(tx, k, counted)
			if err == nil {
				err = addAttempt(tx, k)
			}
		default:
			err = markEnded(tx, k, counted)
		}
		if err != nil {
			return fmt.Errorf("webhook: mark %s: %w", k.item.eventID, err)
		}
	}
	return counted.save(tx)
}

const updateEnded = `UPDATE webhook_outbox SET state = ?, attempts = ?, refused = ?, refused_at = ?, last_at = ?, last_status = ?,
	last_error = ?, answer = ?, done_at = ? WHERE id = ? AND state = 0`

// markEnded takes the event out of what is pending. Only a dead letter has no done_at: it is never deleted for its age.
func markEnded(tx *sql.Tx, k *mark, counted tally) error {
	ended := any(k.at.UnixMilli())
	if k.state == stateDead {
		ended = nil
	}
	res, err := tx.ExecContext(context.Background(), updateEnded, k.state, k.item.attempts, k.item.refused, millis(k.item.refusedAt),
		k.at.UnixMilli(), k.status, nullable(k.err), k.answer, ended, k.item.id)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	c := counted.of(k.item.receiver, k.item.kind)
	if n > 0 {
		c.pending--
	} else if n, err = insertEnded(tx, k); err != nil || n == 0 {
		return err
	}
	switch k.state {
	case stateDelivered:
		c.delivered++
	case stateDead:
		c.dead++
	case stateExpired:
		c.expired++
	}
	return nil
}

// insertEnded remembers a delivered event whose row was superseded or dropped during the attempt.
func insertEnded(tx *sql.Tx, k *mark) (int64, error) {
	if k.state != stateDelivered {
		return 0, nil
	}
	res, err := tx.ExecContext(context.Background(), `INSERT INTO webhook_outbox
		(receiver, event_id, kind, key, body, at, newest, weight, ttl, state, attempts, last_at, last_status, done_at, lead)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0, ?7, ?8, ?9, ?10, ?11, NOT EXISTS (SELECT 1 FROM webhook_outbox WHERE event_id = ?2))
		ON CONFLICT (event_id, receiver) DO NOTHING`,
		k.item.receiver, k.item.eventID, k.item.kind, k.item.key, k.item.body, k.item.at.UnixMilli(), stateDelivered, k.item.attempts,
		k.at.UnixMilli(), k.status, k.at.UnixMilli())
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func markFailed(tx *sql.Tx, k *mark) error {
	res, err := tx.ExecContext(context.Background(), `UPDATE webhook_outbox SET attempts = ?, refused = ?, refused_at = ?,
		last_at = ?, last_status = ?, last_error = ? WHERE id = ? AND state = 0`,
		k.item.attempts, k.item.refused, millis(k.item.refusedAt), k.at.UnixMilli(), k.status, nullable(k.err), k.item.id)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return addAttempt(tx, k)
}

// addAttempt keeps the newest failed attempts of an event. A dead or pending event has its row; foreign keys hold it.
func addAttempt(tx *sql.Tx, k *mark) error {
	ctx := context.Background()
	_, err := tx.ExecContext(ctx, `INSERT INTO webhook_attempts (outbox, n, at, took, status, error)
		SELECT id, ?, ?, ?, ?, ? FROM webhook_outbox WHERE id = ? ON CONFLICT (outbox, n) DO NOTHING`,
		k.item.attempts, k.at.UnixMilli(), k.took.Milliseconds(), k.status, k.err, k.item.id)
	if err != nil || k.item.attempts <= keepAttempts {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM webhook_attempts WHERE outbox = ? AND n <= ?`, k.item.id, k.item.attempts-keepAttempts)
	return err
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}
