package pbx

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/google/uuid"
)

// DirectoryOptions are the parts of a Directory.
type DirectoryOptions struct {
	Switch *Switch
	Store  *sqlite.DB
	Logger *slog.Logger
}

// Directory is what was made here of extensions and outbound groups, and its way into Asterisk. The table is what counts: a change whose
// outcome was not learnt is taken back by the next comparison, and what Asterisk has lost is made again. What somebody else has made in
// Asterisk is never changed. Its methods other than Run are safe for concurrent use.
type Directory struct {
	sw    *Switch
	store *sqlite.DB
	log   *slog.Logger
	turn  chan struct{} // one change at a time: Asterisk reads and writes a whole file for each
	wake  chan struct{} // capacity 1: a comparison is due

	mu      sync.Mutex // guards all below
	told    map[string]bool
	doubted map[Exten]bool
}

// NewDirectory makes a Directory and its tables. It starts nothing.
func NewDirectory(ctx context.Context, o DirectoryOptions) (*Directory, error) {
	if err := o.Store.Migrate(ctx, "pbx directory", directorySchema); err != nil {
		return nil, err
	}
	return &Directory{
		sw: o.Switch, store: o.Store, log: o.Logger, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		told: map[string]bool{}, doubted: map[Exten]bool{},
	}, nil
}

// changePatience is how long a change may take once Asterisk has been told of it, whether or not the one who asked for it still waits.
const changePatience = 15 * time.Second

// begin waits for the turn of a change and checks that Asterisk is there.
func (d *Directory) begin(ctx context.Context) (end func(), err error) {
	if !d.sw.Status().Complete {
		return nil, ErrOffline
	}
	select {
	case d.turn <- struct{}{}:
		return func() { <-d.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrOffline, ctx.Err())
	}
}

// doubt notes that Asterisk may have of a line what the table has not, or the other way round.
func (d *Directory) doubt(n Exten) {
	d.mu.Lock()
	d.doubted[n] = true
	d.mu.Unlock()
	poke(d.wake)
}

func (d *Directory) isDoubted(n Exten) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.doubted[n]
}

func (d *Directory) trust(n Exten) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.doubted, n)
}

// Lines returns the extensions that were made here, in the order of their numbers. It needs no Asterisk.
func (d *Directory) Lines(ctx context.Context) ([]Line, error) {
	return d.lines(ctx, `made = 1`)
}

// Line returns one of them; ErrNotFound when there is none. It needs no Asterisk.
func (d *Directory) Line(ctx context.Context, n Exten) (Line, error) {
	list, err := d.lines(ctx, `made = 1 AND number = ?`, n)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%w: line %s", ErrNotFound, n)
	}
	if err != nil {
		return Line{}, err
	}
	return list[0], nil
}

// AddLine makes an extension: its phone registers and calls, and is called, when AddLine returns. A context that no group names and that
// Asterisk has becomes a group. Errors: InvalidError, ErrExists, LackError, ErrOffline, ErrUnknown (it is taken out again), ErrForbidden,
// RefusedError.
func (d *Directory) AddLine(ctx context.Context, l Line) error {
	p := d.sw.plant()
	l.Name = cmp.Or(l.Name, string(l.Exten))
	if err := l.check(d.sw.rules(), p.tech); err != nil {
		return err
	}
	end, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := d.vacant(ctx, p, l.Exten); err != nil {
		return err
	}
	if err := d.needGroup(ctx, l.Context); err != nil {
		return err
	}
	l.UUID, l.Created = uuid.NewString(), time.Now()
	l.Updated = l.Created
	if err := d.insertLine(ctx, l); err != nil {
		d.doubt(l.Exten)
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changePatience)
	defer cancel()
	err = d.plantLine(ctx, p, l)
	if err == nil {
		err = d.confirmLine(ctx, l)
	}
	if err != nil {
		return d.undoAdd(ctx, p, l, err)
	}
	d.awaitPhone(ctx, p.tech+"/"+string(l.Exten), l.Exten)
	return nil
}

// vacant checks that nobody has a number: no line, no queue, no phone that was made by hand.
func (d *Directory) vacant(ctx context.Context, p plant, n Exten) error {
	list, err := d.lines(ctx, `number = ?`, n)
	switch {
	case err != nil:
		return err
	case len(list) > 0 || d.sw.hasQueue(QueueName(n)):
		return fmt.Errorf("%w: %s", ErrExists, n)
	}
	if err := d.ready(ctx, p); err != nil {
		return err
	}
	c, err := d.category(ctx, p, n)
	if err == nil && c != nil {
		err = fmt.Errorf("%w: %s in %s", ErrExists, n, p.file)
	}
	if err != nil {
		return err
	}
	drivers := d.sw.Status().Drivers
	for tech, loaded := range map[string]bool{p.tech: true, "SIP": drivers.SIP, "PJSIP": drivers.PJSIP} {
		if !loaded {
			continue
		}
		there, err := d.present(ctx, tech, n)
		if err == nil && there {
			err = fmt.Errorf("%w: %s/%s", ErrExists, tech, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// plantLine does all that Asterisk needs for a new line.
func (d *Directory) plantLine(ctx context.Context, p plant, l Line) error {
	if err := d.forget(ctx, p, l.Exten); err != nil {
		return err
	}
	if err := d.write(ctx, p, l, false); err != nil {
		return err
	}
	return errors.Join(d.connect(ctx, p, l), d.forward(ctx, l))
}

// forward keeps in AstDB where a call to a line goes that it does not answer.
func (d *Directory) forward(ctx context.Context, l Line) error {
	if l.Transfer != "" {
		return d.sw.DBPut(ctx, forwardFamily, string(l.Exten), l.Transfer)
	}
	if err := d.sw.DBDel(ctx, forwardFamily, string(l.Exten)); !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}

// undoAdd takes a line out again that could not be made, and returns why. Where that is not learnt either, the next comparison does it.
func (d *Directory) undoAdd(ctx context.Context, p plant, l Line, why error) error {
	if errors.Is(why, ErrUnknown) || errors.Is(why, ErrOffline) {
		d.doubt(l.Exten)
		return fmt.Errorf("%w: %w", ErrUnknown, why)
	}
	if err := d.uproot(ctx, p, l); err != nil {
		d.doubt(l.Exten)
		return fmt.Errorf("%w: %w, and it could not be taken back: %w", ErrUnknown, why, err)
	}
	return why
}

// uproot takes all of a line out of Asterisk and the table. Of a phone that somebody else has made meanwhile nothing is taken.
func (d *Directory) uproot(ctx context.Context, p plant, l Line) error {
	c, err := d.category(ctx, p, l.Exten)
	if err != nil {
		return err
	}
	if err := d.disconnect(ctx, l.Exten); err != nil { // first: Asterisk tells the state of a hint that is removed
		return err
	}
	made := p.made(c, l)
	if made {
		if err := d.erase(ctx, p, l.Exten); err != nil {
			return err
		}
	}
	foreign, err := d.foreign(ctx, p, l.Exten)
	if err != nil {
		return err
	}
	l.Transfer = ""
	if !foreign {
		err = errors.Join(d.forward(ctx, l), d.forget(ctx, p, l.Exten))
	}
	if err != nil {
		return err
	}
	if err := d.deleteLine(ctx, l); err != nil || !made || foreign {
		return err
	}
	d.awaitGone(ctx, p.tech+"/"+string(l.Exten), l.Exten)
	return nil
}

// awaitPhone waits until the picture has a phone, so that who asks next is told of it; after a while it need not. The look that the
// reload of its file caused may have been too early to find it.
func (d *Directory) awaitPhone(ctx context.Context, device string, n Exten) {
	poke(d.sw.asks)
	d.sw.awaitFor(ctx, confirmPatience, func(st *state) bool { x := st.extens[n]; return x != nil && x.device == device })
}

// awaitGone waits until the picture has a phone no more.
func (d *Directory) awaitGone(ctx context.Context, device string, n Exten) {
	d.sw.forgetDevice(device)
	poke(d.sw.asks)
	d.sw.awaitFor(ctx, confirmPatience, func(st *state) bool { return st.extens[n] == nil })
	d.sw.forgetDevice(device) // a look that was under way may still have had it
}

// SetLine replaces all that belongs to an extension that was made here. An empty password and an empty context stay as they are, an empty
// name is the number. Errors: those of AddLine without ErrExists, ErrNotFound, ErrForeign (Asterisk has another phone of that number).
func (d *Directory) SetLine(ctx context.Context, l Line) error {
	p := d.sw.plant()
	end, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	old, err := d.ownLine(ctx, p, l.Exten)
	if err != nil {
		return err
	}
	l.Name, l.Password, l.Context = cmp.Or(l.Name, string(l.Exten)), cmp.Or(l.Password, old.Password), cmp.Or(l.Context, old.Context)
	l.UUID, l.Created, l.Updated, l.revision = old.UUID, old.Created, time.Now(), old.revision+1
	if err := l.check(d.sw.rules(), p.tech); err != nil {
		return err
	}
	if err := d.needGroup(ctx, l.Context); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changePatience)
	defer cancel()
	err = d.replant(ctx, p, old, l)
	if err == nil {
		err = d.updateLine(ctx, l)
	}
	if err == nil {
		return nil
	}
	if !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrOffline) {
		back := old
		back.revision = l.revision
		if undo := d.replant(ctx, p, l, back); undo == nil {
			return err
		}
	}
	d.doubt(l.Exten)
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}

// ownLine returns a line that Asterisk has as ours.
func (d *Directory) ownLine(ctx context.Context, p plant, n Exten) (Line, error) {
	l, err := d.Line(ctx, n)
	if errors.Is(err, ErrNotFound) && d.sw.known(n) {
		return l, fmt.Errorf("%w: %s", ErrForeign, n)
	}
	if err != nil {
		return l, err
	}
	if err := d.ready(ctx, p); err != nil {
		return l, err
	}
	c, err := d.category(ctx, p, n)
	if err == nil && !p.made(c, l) {
		err = fmt.Errorf("%w: %s in %s", ErrForeign, n, p.file)
	}
	return l, err
}

// replant brings Asterisk from one form of a line to another one, with as little as that needs.
func (d *Directory) replant(ctx context.Context, p plant, old, l Line) error {
	if old.Name != l.Name || old.Password != l.Password || old.Context != l.Context {
		if err := d.write(ctx, p, l, true); err != nil {
			return err
		}
	}
	if old.Context != l.Context {
		if err := d.connect(ctx, p, l); err != nil {
			return err
		}
	}
	if old.Transfer != l.Transfer {
		return d.forward(ctx, l)
	}
	return nil
}

// RemoveLine takes an extension away that was made here: its phone is refused, it is a member of no queue, and a call that it has goes on.
// A static member of a queue stays one, and is paused. Errors: ErrNotFound, ErrForeign, LackError, ErrOffline, ErrUnknown (it is there
// again), ErrForbidden, RefusedError.
func (d *Directory) RemoveLine(ctx context.Context, n Exten) error {
	p := d.sw.plant()
	end, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	l, err := d.ownLine(ctx, p, n)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changePatience)
	defer cancel()
	if _, err := d.sw.Leave(ctx, n, ""); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := d.uproot(ctx, p, l); err != nil {
		d.doubt(n)
		if errors.Is(err, ErrOffline) {
			err = fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		return err
	}
	return nil
}

// forgetDevice lets what Asterisk still tells of a phone that is no more make no extension: the end of its last call, for one.
func (s *Switch) forgetDevice(device string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.uprooted[device] = true
}

// rules returns the rules as they are now.
func (s *Switch) rules() *Rules {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.rules
}

func (s *Switch) hasQueue(q QueueName) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.queues[q] != nil
}

// known reports whether Asterisk has an extension, whoever made it.
func (s *Switch) known(n Exten) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.extens[n] != nil
}

// directorySchema holds what was made here. The password is that of a telephone, which Asterisk has in the clear too.
var directorySchema = []string{
	`CREATE TABLE pbx_contexts (
		k           TEXT    PRIMARY KEY, -- name of the dialplan context
		v           TEXT    NOT NULL,
		made        INTEGER NOT NULL,    -- the context is ours, else it was there
		start_url   TEXT    NOT NULL,
		end_url     TEXT    NOT NULL,
		times       TEXT    NOT NULL,
		hangup_dtmf TEXT    NOT NULL,
		created     INTEGER NOT NULL,    -- microseconds since 1970
		updated     INTEGER NOT NULL
	) WITHOUT ROWID;
	CREATE TABLE pbx_directory (
		number     TEXT    PRIMARY KEY,
		uuid       TEXT    NOT NULL,
		name       TEXT    NOT NULL,
		password   TEXT    NOT NULL,
		context    TEXT    NOT NULL,
		transfer   TEXT    NOT NULL,
		auto_login INTEGER NOT NULL,
		auto_ready INTEGER NOT NULL,
		made       INTEGER NOT NULL, -- 0 = it is being made: Asterisk may have it, nobody was told so
		revision   INTEGER NOT NULL, -- of its category in Asterisk
		created    INTEGER NOT NULL,
		updated    INTEGER NOT NULL
	) WITHOUT ROWID`,
	`ALTER TABLE pbx_directory ADD COLUMN queues TEXT NOT NULL DEFAULT '[]'`, // that it was last signed in to, JSON
}

func (d *Directory) lines(ctx context.Context, where string, args ...any) (list []Line, err error) {
	err = sqlite.Each(ctx, d.store.Reader(), `SELECT number, uuid, name, password, context, transfer, auto_login, auto_ready, revision, created, updated, queues
		FROM pbx_directory WHERE `+where+` ORDER BY length(number), number`, func(row *sql.Rows) error {
		var l Line
		var created, updated int64
		var queues string
		err := row.Scan(&l.Exten, &l.UUID, &l.Name, &l.Password, &l.Context, &l.Transfer, &l.AutoLogin, &l.AutoReady,
			&l.revision, &created, &updated, &queues)
		if err == nil {
			err = l.readQueues(queues)
		}
		l.Created, l.Updated = ofMicros(created), ofMicros(updated)
		list = append(list, l)
		return err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	return list, nil
}

// exec makes one durable change.
func (d *Directory) exec(ctx context.Context, query string, args ...any) error {
	return d.execBy(ctx, d.store.Do, query, args...)
}

// execIfRoom is exec for what comes before Asterisk is told of anything: ErrNoRoom when the file is full.
func (d *Directory) execIfRoom(ctx context.Context, query string, args ...any) error {
	return d.execBy(ctx, d.store.DoIfRoom, query, args...)
}

func (d *Directory) execBy(ctx context.Context, do func(context.Context, func(*sql.Tx) error) error, query string, args ...any) error {
	err := do(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), query, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	return nil
}

func (d *Directory) insertLine(ctx context.Context, l Line) error {
	return d.execIfRoom(ctx, `INSERT INTO pbx_directory
		(number, uuid, name, password, context, transfer, auto_login, auto_ready, made, revision, created, updated)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)`,
		l.Exten, l.UUID, l.Name, l.Password, l.Context, l.Transfer, l.AutoLogin, l.AutoReady, l.revision, micros(l.Created), micros(l.Updated))
}

func (d *Directory) confirmLine(ctx context.Context, l Line) error {
	return d.exec(ctx, `UPDATE pbx_directory SET made = 1 WHERE number = ?`, l.Exten)
}

func (d *Directory) updateLine(ctx context.Context, l Line) error {
	return d.exec(ctx, `UPDATE pbx_directory SET name = ?, password = ?, context = ?, transfer = ?, auto_login = ?, auto_ready = ?, revision = ?,
		updated = ? WHERE number = ?`, l.Name, l.Password, l.Context, l.Transfer, l.AutoLogin, l.AutoReady, l.revision, micros(l.Updated), l.Exten)
}

func (d *Directory) deleteLine(ctx context.Context, l Line) error {
	return d.exec(ctx, `DELETE FROM pbx_directory WHERE number = ?`, l.Exten)
}
