package blacklist

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"time"

	"github.com/dialbridge/dialbridge/pbx"
)

// Add lists a number. What it is listed for already stays; a note replaces the one it has, "" does not. Adding twice
// does no harm. When it returns nil the number is listed for good; Asterisk knows it too unless it is away. Errors:
// *pbx.InvalidError, and those of the database.
func (n *Numbers) Add(ctx context.Context, number string, ways Way, note string) error {
	number, err := checkAll(number, ways, note)
	if err != nil {
		return err
	}
	if _, err := n.try(ctx, func(tx *sql.Tx) (bool, error) { return true, n.add(tx, number, ways, note) }); err != nil {
		return err
	}
	n.tell(ctx)
	return nil
}

// Remove takes the given ways off a number; one that is left with none is listed no more. Errors: *pbx.InvalidError,
// pbx.ErrNotFound (it is listed for none of the ways), and those of the database.
func (n *Numbers) Remove(ctx context.Context, number string, ways Way) error {
	number, err := checkAll(number, ways, "")
	if err != nil {
		return err
	}
	return n.changeKnown(ctx, number, func(tx *sql.Tx) (bool, error) { return n.remove(tx, number, ways) })
}

// Set makes a listed number listed for the given ways and no others. Errors are those of Remove.
func (n *Numbers) Set(ctx context.Context, number string, ways Way) error {
	number, err := checkAll(number, ways, "")
	if err != nil {
		return err
	}
	return n.changeKnown(ctx, number, func(tx *sql.Tx) (bool, error) {
		listed, err := isListed(tx, number)
		if err != nil || !listed {
			return false, err
		}
		if err := n.add(tx, number, ways, ""); err != nil {
			return false, err
		}
		_, err = n.remove(tx, number, Both&^ways)
		return true, err
	})
}

// SetNote replaces the note of a listed number; "" takes it away. Asterisk knows no notes. Errors are those of Remove.
func (n *Numbers) SetNote(ctx context.Context, number, note string) error {
	number, err := checkAll(number, Both, note)
	if err != nil {
		return err
	}
	return n.changeKnown(ctx, number, func(tx *sql.Tx) (bool, error) {
		rows, err := exec(tx, `UPDATE blacklist_numbers SET note = ? WHERE number = ? AND (inbound = 1 OR outbound = 1)`, note, number)
		return rows > 0, err
	})
}

func checkAll(number string, ways Way, note string) (string, error) {
	number, err := clean(number)
	if err != nil {
		return "", err
	}
	if err := checkWays(ways); err != nil {
		return "", err
	}
	return number, checkNote(note)
}

// changeKnown makes a change to a number that must be listed. One that the table does not know may have been
// entered on a phone a moment ago.
func (n *Numbers) changeKnown(ctx context.Context, number string, change func(*sql.Tx) (bool, error)) error {
	known, err := n.try(ctx, change)
	if err != nil {
		return err
	}
	if !known {
		known, err = n.changeAdopted(ctx, n.inAstDB(ctx, number), change)
	}
	if err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("%w: number %s", pbx.ErrNotFound, number)
	}
	n.tell(ctx)
	return nil
}

func (n *Numbers) changeAdopted(ctx context.Context, found []difference, change func(*sql.Tx) (bool, error)) (bool, error) {
	if len(found) == 0 {
		return false, nil
	}
	return n.try(ctx, func(tx *sql.Tx) (bool, error) {
		for _, d := range found {
			if err := d.apply(tx); err != nil {
				return false, err
			}
		}
		return change(tx)
	})
}

// try makes a change in a transaction and returns whether there was anything to change.
func (n *Numbers) try(ctx context.Context, change func(*sql.Tx) (bool, error)) (bool, error) {
	var known bool // of the last attempt; not to be read while one may still be under way
	err := n.store.DoIfRoom(ctx, func(tx *sql.Tx) (err error) {
		known, err = change(tx)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("black list: %w", err)
	}
	return known, nil
}

// inAstDB asks Asterisk for one number. No answer is no entry.
func (n *Numbers) inAstDB(ctx context.Context, number string) (found []difference) {
	if !n.sw.Status().Complete {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, s := range n.sides {
		if value, err := n.sw.DBGet(ctx, s.family, number); err == nil {
			found = append(found, difference{side: s, number: number, value: value, move: adopt})
		}
	}
	return found
}

// add lists a number and has it written to AstDB, even if it is there to the best of our knowledge: it may have been
// taken off on a phone since.
func (n *Numbers) add(tx *sql.Tx, number string, ways Way, note string) error {
	if err := enter(tx, number, note); err != nil {
		return err
	}
	if note != "" {
		if _, err := exec(tx, `UPDATE blacklist_numbers SET note = ? WHERE number = ?`, note, number); err != nil {
			return err
		}
	}
	for _, s := range n.sides {
		if ways&s.way == 0 {
			continue
		}
		_, err := exec(tx, s.sql(`UPDATE blacklist_numbers SET {listed} = 1, {marked} = 0, {removed} = 0 WHERE number = ?`), number)
		if err != nil {
			return err
		}
	}
	return nil
}

// remove has a number taken out of AstDB, even if it was not written yet: the DBPut may be on its way.
func (n *Numbers) remove(tx *sql.Tx, number string, ways Way) (removed bool, err error) {
	for _, s := range n.sides {
		if ways&s.way == 0 {
			continue
		}
		rows, err := exec(tx, s.sql(`UPDATE blacklist_numbers SET {listed} = 0, {marked} = 1, {removed} = ? WHERE number = ? AND {listed} = 1`),
			time.Now().UnixMilli(), number)
		if err != nil {
			return false, err
		}
		removed = removed || rows > 0
	}
	return removed, nil
}

// enter makes the row of a number. A row that only remembers a removal is begun anew.
func enter(tx *sql.Tx, number, note string) error {
	_, err := exec(tx, `INSERT INTO blacklist_numbers (number, uuid, note, created_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (number) DO UPDATE SET uuid = excluded.uuid, note = excluded.note, created_at = excluded.created_at
		WHERE inbound = 0 AND outbound = 0`, number, newUUID(), note, time.Now().UnixMilli())
	return err
}

func isListed(tx *sql.Tx, number string) (listed bool, err error) {
	err = tx.QueryRowContext(context.Background(), `SELECT EXISTS (SELECT 1 FROM blacklist_numbers WHERE number = ? AND (inbound = 1 OR outbound = 1))`, number).Scan(&listed)
	return listed, err
}

// newUUID draws a random one (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
