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

const (
	passTime  = time.Minute // for one batch or comparison
	passBatch = 1000        // changes that are written to AstDB before the table learns that they are
	rowBatch  = 500         // differences in one transaction
)

// errMoved ends a pass during which the link was lost or the picture rebuilt: AstDB may have lost what the pass wrote.
var errMoved = errors.New("asterisk was connected again meanwhile")

// written is a change that AstDB has taken.
type written struct {
	side   side
	number string
	listed bool
}

// outcome is what one pass did.
type outcome struct {
	more                    bool // changes wait that this pass has not written
	entries, ignored        int  // in AstDB: all, and those that are no numbers
	told                    int  // entries written or removed in AstDB
	adopted, dropped, again int  // differences found: taken over from AstDB, taken off, to be written anew
}

// pass writes waiting changes to AstDB and, when full is set or AstDB is not the one that was last written, compares.
// The table is told last, in one go with the token that AstDB has been given before.
func (n *Numbers) pass(ctx context.Context, full bool, resyncs uint64) (out outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, passTime)
	defer cancel()
	mine, err := loadToken(ctx, n.store.Reader())
	if err != nil {
		return out, err
	}
	seen, err := readToken(ctx, n.sw)
	if err != nil {
		return out, err
	}
	trusted := mine.covers(seen)
	done, err := n.flush(ctx)
	if err != nil {
		return out, err
	}
	var found []difference
	if full || !trusted {
		if found, err = n.compare(ctx, trusted, &out); err != nil {
			return out, err
		}
	}
	out.count(done, found)
	if trusted && len(done)+len(found) == 0 {
		return out, nil
	}
	next := mine.next(seen)
	if st := n.sw.Status(); !st.Complete || st.Resyncs != resyncs {
		return out, errMoved
	}
	if err := n.sw.DBPut(ctx, tokenFamily, tokenKey, next.String()); err != nil {
		return out, err
	}
	return out, n.settle(ctx, done, found, next)
}

// count sums up.
func (o *outcome) count(done []written, found []difference) {
	o.told = len(done)
	o.more = len(done) >= passBatch
	for _, d := range found {
		switch d.move {
		case adopt:
			o.adopted++
		case drop:
			o.dropped++
		case rewrite, erase:
			o.again++
			o.more = true
		case stay:
		}
	}
}

// waitingRows is answered from an index that is empty but for them.
const waitingRows = `SELECT number, {listed} FROM blacklist_numbers WHERE {listed} <> {marked} LIMIT ?`

// flush writes waiting changes to AstDB, a batch at most.
func (n *Numbers) flush(ctx context.Context) (done []written, err error) {
	for _, s := range n.sides {
		waiting, err := n.pending(ctx, s, passBatch-len(done))
		if err != nil {
			return nil, err
		}
		for _, w := range waiting {
			if w.listed {
				err = n.sw.DBPut(ctx, s.family, w.number, astdbValue)
			} else {
				err = n.sw.DBDel(ctx, s.family, w.number)
			}
			if err != nil && !errors.Is(err, pbx.ErrNotFound) {
				return nil, err
			}
			done = append(done, w)
		}
	}
	return done, nil
}

func (n *Numbers) pending(ctx context.Context, s side, limit int) (list []written, err error) {
	err = each(ctx, n.store.Reader(), func(row *sql.Rows) error {
		w := written{side: s}
		err := row.Scan(&w.number, &w.listed)
		list = append(list, w)
		return err
	}, s.sql(waitingRows), limit)
	return list, err
}

// compare reads both families and the table, in this order, and returns where they differ. A change made meanwhile is
// seen as waiting, or keeps the difference from being applied.
func (n *Numbers) compare(ctx context.Context, trusted bool, out *outcome) (found []difference, err error) {
	var trees [2]map[string]string
	for i, s := range n.sides {
		entries, err := n.sw.DBTree(ctx, s.family)
		if err != nil {
			return nil, err
		}
		out.entries += len(entries)
		trees[i] = make(map[string]string, len(entries))
		for _, e := range entries {
			if isNumber(e.Key) {
				trees[i][e.Key] = e.Value
			} else {
				out.ignored++
			}
		}
	}
	note := func(i int, number string, st standing) {
		value, present := trees[i][number]
		delete(trees[i], number)
		if move := decide(st, present, trusted); move != stay {
			found = append(found, difference{n.sides[i], number, value, move})
		}
	}
	if err := n.standings(ctx, note); err != nil {
		return nil, err
	}
	for i := range trees {
		for number := range trees[i] {
			note(i, number, standing{})
		}
	}
	return found, nil
}

// standings calls do for each row of the table and each side.
func (n *Numbers) standings(ctx context.Context, do func(side int, number string, st standing)) error {
	recent := time.Now().Add(-buried).UnixMilli()
	return each(ctx, n.store.Reader(), func(row *sql.Rows) error {
		var number string
		var st [2]standing
		if err := row.Scan(&number, &st[0].listed, &st[0].marked, &st[0].buried, &st[1].listed, &st[1].marked, &st[1].buried); err != nil {
			return err
		}
		for i := range st {
			do(i, number, st[i])
		}
		return nil
	}, `SELECT number, inbound, inbound_astdb, inbound_removed > ?1, outbound, outbound_astdb, outbound_removed > ?1 FROM blacklist_numbers`, recent)
}

// settle tells the table what AstDB has taken and what differed; the token comes with the last of it.
func (n *Numbers) settle(ctx context.Context, done []written, found []difference, t token) error {
	for len(found) > 0 {
		part := found[:min(rowBatch, len(found))]
		found = found[len(part):]
		if err := n.store.Do(ctx, func(tx *sql.Tx) error {
			for _, d := range part {
				if err := d.apply(tx); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return fmt.Errorf("black list: %w", err)
		}
	}
	err := n.store.Do(ctx, func(tx *sql.Tx) error {
		for _, w := range done {
			if err := w.apply(tx); err != nil {
				return err
			}
		}
		return t.save(tx)
	})
	if err != nil {
		return fmt.Errorf("black list: %w", err)
	}
	return nil
}

// apply marks the change as written, unless it was taken back meanwhile.
func (w written) apply(tx *sql.Tx) error {
	if w.listed {
		_, err := exec(tx, w.side.sql(`UPDATE blacklist_numbers SET {marked} = 1 WHERE number = ? AND {listed} = 1`), w.number)
		return err
	}
	_, err := exec(tx, w.side.sql(`UPDATE blacklist_numbers SET {marked} = 0, {removed} = ? WHERE number = ? AND {listed} = 0`),
		time.Now().UnixMilli(), w.number)
	return err
}

// prune forgets removals that are older than a day.
func (n *Numbers) prune(ctx context.Context) error {
	old := time.Now().Add(-buried).UnixMilli()
	err := n.store.Do(ctx, func(tx *sql.Tx) error {
		_, err := exec(tx, `DELETE FROM blacklist_numbers WHERE inbound = 0 AND outbound = 0 AND inbound_astdb = 0 AND outbound_astdb = 0
			AND inbound_removed < ?1 AND outbound_removed < ?1`, old)
		return err
	})
	if err != nil {
		return fmt.Errorf("black list: %w", err)
	}
	return nil
}

func each(ctx context.Context, db *sql.DB, do func(*sql.Rows) error, query string, args ...any) error {
	if err := sqlite.Each(ctx, db, query, do, args...); err != nil {
		return fmt.Errorf("black list: %w", err)
	}
	return nil
}
