package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mattn/go-sqlite3"
)

const (
	defaultMaxSize = 1 << 30
	reserveSize    = 16 << 20 // room for the write-ahead log while a full disk is cleared
	lowDisk        = 8 << 20  // below this SQLite may not even be able to open the file
	walLimit       = 8 << 20  // the write-ahead log is cut back to this
	pageSize       = 4096
	tightPages     = 1024 // the last of a file that has reached its bound
	idleAfter      = 2 * time.Second
	busyTimeout    = 5 * time.Second
	fileMode       = 0o640
	dirMode        = 0o750
)

// Options says which file is opened and how.
type Options struct {
	Path    string // database file; its directory is made with mode 0750 where it is missing
	MaxSize int64  // bound of the database file in bytes (the log beside it, 8 MiB, and the reserve, 16 MiB, come on top); 0 = 1 GiB
	// Tool opens the file beside a daemon that may be running: no lock is taken, the file must exist, and Submit and Do
	// commit at once without Run.
	Tool bool
	// Recover checks the file in full, and when it is damaged keeps it aside and goes on with a new one that holds all that
	// could be read. Without it a damaged file is refused with a *[DamagedError] and stays as it is.
	Recover bool
	Logger  *slog.Logger // nil = slog.Default()

	reserve int64 // size of the reserve file; 0 = reserveSize; tests on small disks set it
}

// DB is an open database. Its methods may be called from several goroutines.
type DB struct {
	opts     Options
	log      *slog.Logger
	lock     *os.File
	maxPages int64

	reader *sql.DB

	writing sync.Mutex // holds writer and the one write transaction
	writer  *sql.DB
	home    home

	queue  queue
	state  state
	onFull []func()
	ran    atomic.Bool    // Run was called
	late   sync.WaitGroup // callbacks of operations that came after the end
}

// Open opens or makes the database and takes the daemon's lock on it. It verifies that commits are durable
// (PRAGMA synchronous = 2) and refuses to go on otherwise. Errors: *[LockedError] when another daemon has the file,
// *[DamagedError] when it is no database or is damaged, see [Options.Recover].
func Open(ctx context.Context, o Options) (*DB, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	db := &DB{opts: o, log: o.Logger}
	db.queue.init()
	if err := db.prepare(); err != nil {
		db.unlock()
		return nil, err
	}
	if err := db.openChecked(ctx); err != nil {
		db.closeWriter()
		db.unlock()
		if bad := (*DamagedError)(nil); errors.As(err, &bad) {
			return nil, err
		}
		return nil, fmt.Errorf("database: %s: %w", o.Path, err)
	}
	reader, err := openHandle(o.Path, readerParams(), 4, nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("database: reader: %w", err), db.Close())
	}
	db.reader = reader
	db.restoreReserve()
	if err := adopt(o.Path); err != nil {
		db.log.WarnContext(ctx, "files of the database could not be given to the owner of their folder", "error", err)
	}
	return db, nil
}

func (o *Options) complete() error {
	if o.Path == "" {
		return errors.New("database: no path")
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return fmt.Errorf("database: %s: %w", o.Path, err)
	}
	o.Path = path
	if o.MaxSize <= 0 {
		o.MaxSize = defaultMaxSize
	}
	if o.reserve == 0 {
		o.reserve = reserveSize
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return nil
}

// prepare does what must happen before SQLite touches the file: directory, lock, room on the disk, file mode.
func (db *DB) prepare() error {
	if db.opts.Tool {
		if _, err := os.Stat(db.opts.Path); err != nil {
			return fmt.Errorf("database: %w", err)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(db.opts.Path), dirMode); err != nil {
		return fmt.Errorf("database: directory: %w", err)
	}
	if err := db.takeLock(); err != nil {
		return err
	}
	if free, err := freeSpace(filepath.Dir(db.opts.Path)); err == nil && free < lowDisk {
		db.giveUpReserve("the disk is nearly full")
	}
	return createFile(db.opts.Path)
}

// createFile makes an empty file with our mode; SQLite gives the log beside it the mode of the database file.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

// openChecked opens the writer, and on a damaged file once more after recovering it, where that is wanted.
func (db *DB) openChecked(ctx context.Context) error {
	try := func() error {
		if !db.opts.Tool {
			if err := db.checkSuspect(ctx); err != nil {
				return err
			}
		}
		return db.openWriter(ctx)
	}
	err := db.insist(ctx, try)
	if classify(err) == faultFull {
		db.giveUpReserve("the database cannot be opened for want of space")
		err = db.insist(ctx, try)
	}
	if classify(err) != faultCorrupt {
		return err
	}
	if !db.opts.Recover || db.opts.Tool {
		db.closeWriter()
		return &DamagedError{Path: db.opts.Path, Err: err}
	}
	if err := db.recover(ctx, err); err != nil {
		return err
	}
	return db.openWriter(ctx)
}

// insist opens again what a tool has in hand at this moment. SQLite itself does not wait, whatever it is told, where two give a new file its form.
// The log that a tool of root's makes is root's for the moment until SQLite has given it to the owner of the file.
func (db *DB) insist(ctx context.Context, open func() error) error {
	begun, again := time.Now(), time.NewTicker(10*time.Millisecond)
	defer again.Stop()
	for {
		err := open()
		var se sqlite3.Error
		denied := !db.opts.Tool && errors.As(err, &se) && se.Code == sqlite3.ErrCantOpen && se.SystemErrno == syscall.EACCES
		if !denied && classify(err) != faultBusy || ctx.Err() != nil || time.Since(begun) > busyTimeout {
			return err
		}
		<-again.C
	}
}

// openWriter opens the one handle that writes and proves that it is usable.
func (db *DB) openWriter(ctx context.Context) error {
	db.closeWriter()
	w, err := openHandle(db.opts.Path, writerParams(), 1, db.hook)
	if err != nil {
		return err
	}
	if err := db.verify(ctx, w); err != nil {
		return errors.Join(err, w.Close())
	}
	db.writer = w
	db.findHome()
	return nil
}

// verify reads the settings back. go-sqlite3 opens with synchronous=NORMAL unless told otherwise, and
// that loses acknowledged rows when the power goes, so it is not taken on trust.
func (db *DB) verify(ctx context.Context, w *sql.DB) error {
	var sync, vacuum int
	var mode string
	for _, p := range []struct {
		name string
		into any
	}{
		{"synchronous", &sync}, {"journal_mode", &mode}, {"auto_vacuum", &vacuum}, {"max_page_count", &db.maxPages},
	} {
		if err := w.QueryRowContext(ctx, "PRAGMA "+p.name).Scan(p.into); err != nil {
			return fmt.Errorf("pragma %s: %w", p.name, err)
		}
	}
	if sync != 2 || mode != "wal" {
		return fmt.Errorf("settings: synchronous=%d journal_mode=%s, want 2 (FULL) and wal", sync, mode)
	}
	if vacuum != 2 {
		db.log.WarnContext(ctx, "database was made without incremental vacuum and will not shrink", "path", db.opts.Path)
	}
	return db.createOwn(ctx, w)
}

// createOwn makes the tables that belong to this package, which also proves that the schema can be read and written.
func (db *DB) createOwn(ctx context.Context, w *sql.DB) error {
	var have int
	err := w.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE name IN ('schema_steps', 'health')`).Scan(&have)
	if err != nil || have == 2 {
		return err
	}
	_, err = w.ExecContext(ctx, `
		CREATE TABLE IF NOT EXISTS schema_steps (owner TEXT NOT NULL, step INTEGER NOT NULL, applied_at INTEGER NOT NULL,
			PRIMARY KEY (owner, step)) WITHOUT ROWID;
		CREATE TABLE IF NOT EXISTS health (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL)`)
	return err
}

// hook sets what no DSN parameter sets, on every new connection: neither value is stored in the file.
func (db *DB) hook(c *sqlite3.SQLiteConn) error {
	for _, pragma := range []string{
		"PRAGMA max_page_count = " + strconv.FormatInt(db.opts.MaxSize/pageSize, 10),
		"PRAGMA journal_size_limit = " + strconv.Itoa(walLimit),
	} {
		if _, err := c.Exec(pragma, nil); err != nil {
			return fmt.Errorf("%s: %w", pragma, err)
		}
	}
	return nil
}

func writerParams() url.Values {
	return url.Values{
		"_synchronous":     {"FULL"},
		"_txlock":          {"immediate"},
		"_auto_vacuum":     {"incremental"}, // only has an effect before the first table is made
		"_journal_mode":    {"WAL"},
		"_busy_timeout":    {strconv.Itoa(int(busyTimeout.Milliseconds()))},
		"_foreign_keys":    {"on"},
		"_cache_size":      {"-8192"},
		"_stmt_cache_size": {"64"},
	}
}

func readerParams() url.Values {
	return url.Values{
		"_synchronous":     {"FULL"},
		"_query_only":      {"true"},
		"_busy_timeout":    {strconv.Itoa(int(busyTimeout.Milliseconds()))},
		"_cache_size":      {"-4096"},
		"_stmt_cache_size": {"32"},
	}
}

// connector opens connections with our own hook, without registering a driver for the whole process.
type connector struct {
	driver *sqlite3.SQLiteDriver
	dsn    string
}

// Connect opens one connection.
func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }

// Driver returns the driver beneath.
func (c connector) Driver() driver.Driver { return c.driver }

func openHandle(path string, params url.Values, connections int, hook func(*sqlite3.SQLiteConn) error) (*sql.DB, error) {
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: params.Encode()}
	db := sql.OpenDB(connector{driver: &sqlite3.SQLiteDriver{ConnectHook: hook}, dsn: dsn.String()})
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	if err := db.PingContext(context.Background()); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Reader returns the pool of connections that can only read. Rows must be read and closed quickly: an open cursor
// keeps the write-ahead log from being cut.
func (db *DB) Reader() *sql.DB { return db.reader }

// Tool reports that it was opened beside a daemon; see [Options].
func (db *DB) Tool() bool { return db.opts.Tool }

// Path returns the absolute path of the database file.
func (db *DB) Path() string { return db.opts.Path }

// Close folds the write-ahead log into the file, closes all handles and gives the lock back. Run must have ended.
func (db *DB) Close() error {
	db.queue.end()
	db.late.Wait()
	var errs []error
	if db.reader != nil {
		errs = append(errs, db.reader.Close())
	}
	db.writing.Lock()
	if db.writer != nil && !db.opts.Tool {
		errs = append(errs, db.truncateLog())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.Close())
		db.writer = nil
	}
	if !db.opts.Tool && !db.ran.Load() {
		errs = append(errs, db.restoreOld())
	}
	db.writing.Unlock()
	db.unlock()
	return errors.Join(errs...)
}

func (db *DB) closeWriter() {
	if db.writer == nil {
		return
	}
	if err := db.writer.Close(); err != nil {
		db.log.Warn("database handle could not be closed", "error", err)
	}
	db.writer = nil
}
