package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/mattn/go-sqlite3"
)

const salvageRows = 500 // in one transaction

// Recovery is what became of a damaged file, see [Options.Recover].
type Recovery struct {
	Aside string   // where the damaged file is kept, "" when nothing was damaged
	Rows  int      // that were read from it and are in the new file
	Lossy []string // tables of which a part could not be read; "*" = all of them
}

// Lost reports whether the new file lacks something.
func (r Recovery) Lost() bool { return len(r.Lossy) > 0 }

// salvage reads what can be read of the file at from, which it changes, into a new database at to.
func salvage(ctx context.Context, from, to string) (Recovery, error) {
	if err := mendHeader(from); err != nil {
		return Recovery{}, err
	}
	src, err := openHandle(from, url.Values{"_busy_timeout": {"0"}}, 1, nil)
	if err != nil {
		return Recovery{Lossy: []string{"*"}}, nil //nolint:nilerr // a file that cannot be opened holds nothing that can be read
	}
	dst, err := openHandle(to, url.Values{"_auto_vacuum": {"incremental"}, "_synchronous": {"FULL"}}, 1, nil)
	if err != nil {
		return Recovery{}, errors.Join(err, src.Close())
	}
	s := salvager{ctx: ctx, src: src, dst: dst}
	err = s.all()
	_ = src.Close() // a damaged file may fail to close, and is not needed any more
	return s.Recovery, errors.Join(err, dst.Close())
}

// mendHeader writes the first bytes anew when they are not SQLite's, and the number of pages when there are fewer: without that not even a
// sound rest can be read. The daemon has made the file, so that all of them are known (https://sqlite.org/fileformat.html, 1.3).
func mendHeader(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	const size, pageCount, counter, counted = 100, 28, 24, 92
	head := make([]byte, size)
	_, err = f.ReadAt(head, 0)
	info, statErr := f.Stat()
	if err = errors.Join(err, statErr); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, io.EOF) {
			return nil // too short to hold anything
		}
		return err
	}
	const magic = "SQLite format 3\x00"
	if string(head[:len(magic)]) != magic {
		copy(head, magic+"\x10\x00\x02\x02\x00\x40\x20\x20") // pages of 4096 bytes, write-ahead log
	}
	if pages := uint32(info.Size() / pageSize); binary.BigEndian.Uint32(head[pageCount:]) > pages { //nolint:gosec // a file of 2^32 pages is not ours
		binary.BigEndian.PutUint32(head[pageCount:], pages)
		copy(head[counted:counted+4], head[counter:])
	}
	_, err = f.WriteAt(head, 0)
	return errors.Join(err, f.Close())
}

// salvager copies tables from one database to another.
type salvager struct {
	Recovery
	ctx      context.Context
	src, dst *sql.DB
}

// object is a line of sqlite_master.
type object struct{ kind, name, sql string }

func (s *salvager) all() error {
	objects, err := s.objects()
	if err != nil || len(objects) == 0 {
		s.Lossy = []string{"*"}
		return nil //nolint:nilerr // without the list of tables nothing can be read
	}
	for _, o := range objects {
		if o.kind != "table" {
			continue
		}
		if _, err := s.dst.ExecContext(s.ctx, o.sql); err != nil {
			s.Lossy = append(s.Lossy, o.name)
			continue
		}
		whole, err := s.table(o)
		if err != nil {
			return fmt.Errorf("save %s: %w", o.name, err)
		}
		if !whole {
			s.Lossy = append(s.Lossy, o.name)
		}
	}
	for _, o := range objects {
		if o.kind == "index" {
			_, err = s.dst.ExecContext(s.ctx, o.sql)
		}
		if err != nil {
			return fmt.Errorf("index %s: %w", o.name, err)
		}
	}
	return s.sequences()
}

func (s *salvager) objects() (list []object, err error) {
	err = Each(s.ctx, s.src, `SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'`, func(row *sql.Rows) error {
		var o object
		err := row.Scan(&o.kind, &o.name, &o.sql)
		list = append(list, o)
		return err
	})
	return list, err
}

// sequences keeps ids from being used twice, also those of rows that are lost.
func (s *salvager) sequences() error {
	rows, err := s.src.QueryContext(s.ctx, `SELECT name, seq FROM sqlite_sequence`)
	if err != nil {
		return nil //nolint:nilerr // no table counts, or it cannot be read
	}
	seqs := map[string]int64{}
	for rows.Next() {
		var name string
		var seq int64
		if rows.Scan(&name, &seq) == nil {
			seqs[name] = seq
		}
	}
	_ = rows.Close() // what could be read is taken
	for name, seq := range seqs {
		res, err := s.dst.ExecContext(s.ctx, `UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?`, seq, name)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n > 0 {
			continue
		}
		if _, err := s.dst.ExecContext(s.ctx, `INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)`, name, seq); err != nil {
			return err
		}
	}
	return nil
}

// table copies one table; whole says that nothing of it was unreadable.
func (s *salvager) table(o object) (whole bool, err error) {
	name := `"` + strings.ReplaceAll(o.name, `"`, `""`) + `"`
	if strings.Contains(strings.ToUpper(o.sql), "WITHOUT ROWID") {
		return s.fromBothEnds(name)
	}
	const lowest = -1 << 63
	from := int64(lowest)
	whole = true
	for {
		last, end, err := s.run(`SELECT rowid, * FROM `+name+` WHERE rowid > ? ORDER BY rowid LIMIT `+strconv.Itoa(salvageRows), name, from)
		if err != nil {
			return false, err
		}
		if end == endOfTable {
			return whole, nil
		}
		if last > from {
			from = last
		}
		if end == unreadable {
			whole = false
			next, found := s.beyond(name, from)
			if !found {
				return false, nil
			}
			from = next
		}
	}
}

// beyond finds the least place after from at which reading goes on: steps that double, then halving between the last that failed and
// the first that did not.
func (s *salvager) beyond(name string, from int64) (int64, bool) {
	readable := func(at int64) bool {
		rows, err := s.src.QueryContext(s.ctx, `SELECT rowid, * FROM `+name+` WHERE rowid > ? ORDER BY rowid LIMIT 1`, at)
		if err != nil {
			return false
		}
		for rows.Next() {
		}
		return errors.Join(rows.Err(), rows.Close()) == nil
	}
	from = max(from, 0) // the daemon's rows begin with 1
	low, step := from, int64(1)
	for !readable(from + step) {
		low, step = from+step, 2*step
		if step > 1<<50 {
			return 0, false
		}
	}
	high := from + step
	for low+1 < high {
		middle := low + (high-low)/2
		if readable(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high, true
}

// fromBothEnds reads a table in the order of its key until it meets damage, from either end.
func (s *salvager) fromBothEnds(name string) (whole bool, err error) {
	keys, err := s.keys(name)
	if err != nil {
		return false, nil //nolint:nilerr // its description cannot be read
	}
	for _, direction := range []string{"", " DESC"} {
		order := strings.Join(keys, direction+", ") + direction
		_, end, err := s.run(`SELECT 0, * FROM `+name+` ORDER BY `+order, name)
		if err != nil || end != unreadable {
			return err == nil, err
		}
	}
	return false, nil
}

func (s *salvager) keys(name string) (keys []string, err error) {
	err = Each(s.ctx, s.src, `SELECT name FROM pragma_table_info(`+name+`) WHERE pk > 0 ORDER BY pk`, func(row *sql.Rows) error {
		var key string
		err := row.Scan(&key)
		keys = append(keys, `"`+key+`"`)
		return err
	})
	return keys, err
}

// ending is how reading has ended.
type ending int

const (
	endOfRun   ending = iota // there is more
	endOfTable               // there was less than asked for
	unreadable
)

// run copies the rows of one query, which has the row's number before its columns. err is of the new file only.
func (s *salvager) run(query, name string, args ...any) (last int64, end ending, err error) {
	rows, err := s.src.QueryContext(s.ctx, query, args...)
	if err != nil {
		return 0, unreadable, nil //nolint:nilerr // the damaged file's errors are what is expected here
	}
	defer func() { _ = rows.Close() }() // the same
	columns, err := rows.Columns()
	if err != nil {
		return 0, unreadable, nil //nolint:nilerr // the same
	}
	tx, err := s.dst.BeginTx(s.ctx, nil)
	if err != nil {
		return 0, end, err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	insert := `INSERT OR IGNORE INTO ` + name + ` VALUES (?` + strings.Repeat(", ?", len(columns)-2) + `)`
	n := 0
	for rows.Next() {
		if rows.Scan(into...) != nil {
			break
		}
		last, _ = values[0].(int64)
		n++
		res, err := tx.ExecContext(s.ctx, insert, values[1:]...)
		ours := sqlite3.Error{}
		switch {
		case errors.As(err, &ours) && ours.Code == sqlite3.ErrConstraint: // the damage has made nonsense of the row
		case err != nil:
			return last, end, errors.Join(err, tx.Rollback())
		default:
			added, _ := res.RowsAffected() // 0 for what was there already
			s.Rows += int(added)
		}
	}
	if err := tx.Commit(); err != nil {
		return last, end, err
	}
	switch {
	case rows.Err() != nil:
		return last, unreadable, nil
	case n == salvageRows && len(args) > 0:
		return last, endOfRun, nil
	}
	return last, endOfTable, nil
}

// copyFile makes a copy of a file where there is one.
func copyFile(from, to string) error {
	src, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, fileMode)
	if err != nil {
		return errors.Join(err, src.Close())
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, src.Close(), dst.Close())
}
