package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

const (
	chunkRows  = 512
	chunkBytes = 2 << 20
	lineRows   = 16
	lineBytes  = 256 << 10
)

const itemColumns = `id, event_id, kind, key, body, at, ttl, attempts, refused, refused_at`

// store reads pending events. Rows are read into memory and the cursor is closed before anything is sent: an open one would keep
// the database's log from being cut.
type store struct {
	db       *sql.DB
	receiver int64
}

// after returns the next pending events beyond id, oldest first, at most a chunk; end says that there were no more.
func (s store) after(ctx context.Context, id int64) (items []item, end bool, err error) {
	return s.read(ctx, chunkRows, chunkBytes, `SELECT `+itemColumns+` FROM webhook_outbox INDEXED BY webhook_pending
		WHERE receiver = ? AND state = 0 AND id > ? ORDER BY id LIMIT ?`, s.receiver, id, chunkRows)
}

// ofKey returns the next pending events of one key with from < id <= to.
func (s store) ofKey(ctx context.Context, key string, from, to int64) (items []item, end bool, err error) {
	return s.read(ctx, lineRows, lineBytes, `SELECT `+itemColumns+` FROM webhook_outbox INDEXED BY webhook_lines
		WHERE receiver = ? AND state = 0 AND key = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?`, s.receiver, key, from, to, lineRows)
}

// idsOfKey returns the rows of the pending events of one key with from < id < to, not all when there are many.
func (s store) idsOfKey(ctx context.Context, key string, from, to int64) (ids []int64, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id FROM webhook_outbox INDEXED BY webhook_lines
		WHERE receiver = ? AND state = 0 AND key = ? AND id > ? AND id < ? ORDER BY id LIMIT ?`, s.receiver, key, from, to, lineRows)
	if err != nil {
		return nil, fmt.Errorf("webhook: read: %w", err)
	}
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, errors.Join(fmt.Errorf("webhook: read: %w", err), rows.Close())
		}
		ids = append(ids, id)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("webhook: read: %w", err)
	}
	return ids, nil
}

// one returns a pending event by its row, and false when it is not pending any more.
func (s store) one(ctx context.Context, id int64) (item, bool, error) {
	items, _, err := s.read(ctx, 1, maxBody, `SELECT `+itemColumns+` FROM webhook_outbox WHERE id = ? AND state = 0`, id)
	if err != nil || len(items) == 0 {
		return item{}, false, err
	}
	return items[0], true, nil
}

func (s store) read(ctx context.Context, rowLimit, byteLimit int, query string, args ...any) (items []item, end bool, err error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, false, fmt.Errorf("webhook: read: %w", err)
	}
	bytes := 0
	for bytes < byteLimit && rows.Next() {
		it := item{receiver: s.receiver}
		var at, refusedAt int64
		err := rows.Scan(&it.id, &it.eventID, &it.kind, &it.key, &it.body, &at, &it.ttl, &it.attempts, &it.refused, &refusedAt)
		if err != nil {
			return nil, false, errors.Join(fmt.Errorf("webhook: read: %w", err), rows.Close())
		}
		if it.body == nil {
			it.body = []byte{}
		}
		it.at, it.refusedAt = fromMillis(at), fromMillis(refusedAt)
		bytes += len(it.body)
		items = append(items, it)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, false, fmt.Errorf("webhook: read: %w", err)
	}
	return items, len(items) < rowLimit && bytes < byteLimit, nil
}

func (s store) revision(ctx context.Context) (n int64, err error) {
	if err := s.db.QueryRowContext(ctx, `SELECT n FROM webhook_revision`).Scan(&n); err != nil {
		return 0, fmt.Errorf("webhook: revision: %w", err)
	}
	return n, nil
}
