package blacklist

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/dialbridge/dialbridge/pbx"
)

// Filter says which numbers to list; the zero value is all.
type Filter struct {
	Ways     Way    // shut out of at least these ways
	Exact    bool   // and of no others
	Contains string // the number has this in it
}

const columns = `SELECT number, uuid, note, created_at, inbound + 2 * outbound FROM blacklist_numbers WHERE (inbound = 1 OR outbound = 1)`

// List returns listed numbers in their order. AstDB is compared first, for at most two seconds, so that what was entered
// on a phone is among them; when that is not possible the table is listed as it is.
func (n *Numbers) List(ctx context.Context, f Filter) ([]Entry, error) {
	_ = n.Refresh(ctx) // what keeps Asterisk from answering is in Status
	rows, err := n.store.Reader().QueryContext(ctx, columns+`
		AND (inbound + 2 * outbound) & ?1 = ?1 AND (NOT ?2 OR inbound + 2 * outbound = ?1) AND (?3 = '' OR instr(number, ?3) > 0)
		ORDER BY number`, f.Ways, f.Exact, f.Contains)
	if err != nil {
		return nil, fmt.Errorf("black list: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var list []Entry
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, rows.Err()
}

// Get returns one listed number as the table has it. Errors: *pbx.InvalidError, pbx.ErrNotFound.
func (n *Numbers) Get(ctx context.Context, number string) (Entry, error) {
	number, err := clean(number)
	if err != nil {
		return Entry{}, err
	}
	e, err := scan(n.store.Reader().QueryRowContext(ctx, columns+` AND number = ?`, number))
	if errors.Is(err, sql.ErrNoRows) {
		return Entry{}, fmt.Errorf("%w: number %s", pbx.ErrNotFound, number)
	}
	return e, err
}

// Listed reports whether the table shuts a number, as it is written, out of all the ways given. A text that is no number
// is not listed.
func (n *Numbers) Listed(ctx context.Context, number string, ways Way) (bool, error) {
	if !isNumber(number) {
		return false, nil
	}
	var has Way
	err := n.store.Reader().QueryRowContext(ctx, `SELECT inbound + 2 * outbound FROM blacklist_numbers WHERE number = ?`, number).Scan(&has)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("black list: %w", err)
	}
	return has&ways == ways, nil
}

func scan(row interface{ Scan(...any) error }) (Entry, error) {
	var e Entry
	var created int64
	if err := row.Scan(&e.Number, &e.UUID, &e.Note, &created, &e.Ways); err != nil {
		return Entry{}, fmt.Errorf("black list: %w", err)
	}
	e.CreatedAt = time.UnixMilli(created)
	return e, nil
}
