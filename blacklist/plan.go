package blacklist

import (
	"database/sql"
	"time"
)

// move is what a comparison finds that the table must do about one number and way.
type move uint8

const (
	stay    move = iota
	drop         // it was taken off on a phone: list it no more
	rewrite      // AstDB has lost it: have it written again
	adopt        // it was entered on a phone: list it
	erase        // AstDB has forgotten its removal: have it removed again
)

// standing is what the table knows of one number and way.
type standing struct {
	listed bool
	marked bool // AstDB had it when both were last written
	buried bool // it was removed within the last day
}

// decide compares a standing with AstDB. trusted says that AstDB has all that was written to it.
func decide(s standing, present, trusted bool) move {
	switch {
	case s.listed != s.marked:
		return stay // a change made here is on its way to AstDB, and wins
	case s.listed && !present && trusted:
		return drop
	case s.listed && !present:
		return rewrite
	case !s.listed && present && s.buried && !trusted:
		return erase
	case !s.listed && present:
		return adopt
	}
	return stay
}

// difference is one finding of a comparison.
type difference struct {
	side   side
	number string
	value  string // in AstDB, when it is there
	move   move
}

// apply makes the move unless the table has changed meanwhile.
func (d difference) apply(tx *sql.Tx) error {
	now := time.Now().UnixMilli()
	statement, args := "", []any{d.number}
	switch d.move {
	case drop:
		statement = `UPDATE blacklist_numbers SET {listed} = 0, {marked} = 0, {removed} = ?2 WHERE number = ?1 AND {listed} = 1 AND {marked} = 1`
		args = append(args, now)
	case rewrite:
		statement = `UPDATE blacklist_numbers SET {marked} = 0 WHERE number = ?1 AND {listed} = 1 AND {marked} = 1`
	case adopt:
		if err := enter(tx, d.number, noteFrom(d.value)); err != nil {
			return err
		}
		statement = `UPDATE blacklist_numbers SET {listed} = 1, {marked} = 1, {removed} = 0 WHERE number = ?1 AND {listed} = 0 AND {marked} = 0`
	case erase:
		statement = `UPDATE blacklist_numbers SET {marked} = 1 WHERE number = ?1 AND {listed} = 0 AND {marked} = 0`
	case stay:
		return nil
	}
	_, err := exec(tx, d.side.sql(statement), args...)
	return err
}
