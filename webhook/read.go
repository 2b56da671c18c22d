package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// readSchema lets one kind, or one key, be read in the order of storing however much else is kept.
const readSchema = `
CREATE INDEX webhook_kinds ON webhook_outbox (kind);
CREATE INDEX webhook_keys  ON webhook_outbox (key)`

// readBytes bounds the bodies of one answer: the event that crosses it is the last one.
const readBytes = 8 << 20

// ReadFilter chooses events to be read again; empty fields choose all.
type ReadFilter struct {
	After string // id of the last event that is known; "" = from the oldest one that is kept
	Kind  string
	Key   string
	Limit int // at most this many, 0 = 100; fewer come when their bodies are large
}

// Read returns events with their bodies in the order in which they were stored, whatever has become of them, each once: as it is stored for
// the first of its receivers. Only an answer without any says that there are no more. [ErrUnknown] when After is not kept, or not any more.
func (o *Outbox) Read(ctx context.Context, f ReadFilter) ([]Record, error) {
	seq, err := o.place(ctx, f.After)
	if err != nil {
		return nil, err
	}
	query, args := f.query(seq)
	rows, err := o.db.Reader().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("webhook: read again: %w", err)
	}
	out, err := scanBodies(rows)
	if err := errors.Join(err, rows.Close()); err != nil {
		return nil, fmt.Errorf("webhook: read again: %w", err)
	}
	return out, nil
}

// place returns the first row of an event that is left, 0 for no event. Those of its other receivers were stored right behind it.
func (o *Outbox) place(ctx context.Context, id string) (seq int64, err error) {
	if id == "" {
		return 0, nil
	}
	var first sql.NullInt64
	err = o.db.Reader().QueryRowContext(ctx, `SELECT min(id) FROM webhook_outbox WHERE event_id = ?`, id).Scan(&first)
	if err == nil && !first.Valid {
		return 0, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	if err != nil {
		return 0, fmt.Errorf("webhook: read again: %w", err)
	}
	return first.Int64, nil
}

// query names the index, which is in the order of the rows for one kind or key. A key has few events: of both it is the better one.
func (f *ReadFilter) query(after int64) (query string, args []any) {
	index, cond, args := "NOT INDEXED", "id > ? AND lead = 1", []any{after}
	if f.Kind != "" {
		index, cond, args = "INDEXED BY webhook_kinds", cond+" AND kind = ?", append(args, f.Kind)
	}
	if f.Key != "" {
		index, cond, args = "INDEXED BY webhook_keys", cond+" AND key = ?", append(args, f.Key)
	}
	if f.Limit <= 0 {
		f.Limit = 100
	}
	return `SELECT ` + recordColumns + `, body FROM webhook_outbox ` + index + ` WHERE ` + cond + ` ORDER BY id LIMIT ?`, append(args, f.Limit)
}

func scanBodies(rows *sql.Rows) (out []Record, err error) {
	for bytes := 0; bytes < readBytes && rows.Next(); {
		var r Record
		dest, fill := r.fields()
		if err := rows.Scan(append(dest, &r.Body)...); err != nil {
			return nil, err
		}
		fill()
		bytes += len(r.Body)
		out = append(out, r)
	}
	return out, rows.Err()
}
