package blacklist

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/pbx"
)

// Filter says which numbers to list; the zero value is all.
type Filter struct {
	Ways     Way    // shut out of at least these ways
	Exact    bool   // and of no others
	Contains string // the number has this in it, letter by letter: no character is a wildcard
	Text     string // the number or the note has this in it; the letters of ASCII in capitals or not
	After    string // only numbers that come after this one: the last of the page before
	Limit    int    // of numbers returned, 0 = all
	Stored   bool   // as the table has them, without a look at AstDB
}

const columns = `SELECT number, uuid, note, created_at, inbound + 2 * outbound FROM blacklist_numbers WHERE (inbound = 1 OR outbound = 1)`

// page lists some of them.
const page = columns + `
	AND (inbound + 2 * outbound) & ?1 = ?1 AND (NOT ?2 OR inbound + 2 * outbound = ?1) AND (?3 = '' OR instr(number, ?3) > 0)
	AND number > ?4 AND (?6 = '' OR instr(number, ?6) > 0 OR instr(lower(note), lower(?6)) > 0) ORDER BY number LIMIT ?5`

// List returns listed numbers in the order of their characters. AstDB is compared first, for at most two seconds, so that
// what was entered on a phone is among them; when that is not possible, and for a page after another one, the table is listed as it
// is, as with f.Stored. Pages by After skip and repeat no number that is listed all the while.
func (n *Numbers) List(ctx context.Context, f Filter) ([]Entry, error) {
	if f.After == "" && !f.Stored {
		_ = n.Refresh(ctx) // what keeps Asterisk from answering is in Status
	}
	limit := f.Limit
	if limit <= 0 {
		limit = -1
	}
	rows, err := n.store.Reader().QueryContext(ctx, page, f.Ways, f.Exact, f.Contains, f.After, limit, f.Text)
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
	return isListedFor(ctx, n.store, number, ways)
}

// Barred makes what pbx.Options.Barred asks: whether the table shuts a number out of being called. It needs no Numbers, because
// the switch is made first; the table must be there when the switch is asked to dial.
func Barred(store *sqlite.DB) func(ctx context.Context, number string) (bool, error) {
	return func(ctx context.Context, number string) (bool, error) {
		return isListedFor(ctx, store, number, Outbound)
	}
}

// waysOf is answered for each call.
const waysOf = `SELECT inbound + 2 * outbound FROM blacklist_numbers WHERE number = ?1`

func isListedFor(ctx context.Context, store *sqlite.DB, number string, ways Way) (bool, error) {
	if !isNumber(number) {
		return false, nil
	}
	var has Way
	err := store.Reader().QueryRowContext(ctx, waysOf, number).Scan(&has)
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
