package sqlite

import (
	"context"
	"database/sql"
)

// Source is *sql.DB or *sql.Tx.
type Source interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Each calls do with every row that a query returns, and ends at the first error, which is returned as it is.
func Each(ctx context.Context, from Source, query string, do func(*sql.Rows) error, args ...any) error {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := do(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
