package blacklist

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/pbx"
)

const (
	defaultEvery = 5 * time.Minute
	patience     = 2 * time.Second // how long a change or a listing waits for Asterisk
	buried       = 24 * time.Hour  // how long a removal is remembered; see the package's comment
)

// Options are the parts and settings of Numbers.
type Options struct {
	Switch *pbx.Switch
	Store  *sqlite.DB
	Guard  bool          // end inbound calls of listed numbers
	Every  time.Duration // between two comparisons with AstDB; 0 is five minutes
	Logger *slog.Logger
}

// Numbers is the black list. Its methods other than Run are safe for concurrent use.
type Numbers struct {
	sw    *pbx.Switch
	store *sqlite.DB
	log   *slog.Logger
	every time.Duration
	sides [2]side
	guard atomic.Bool
	wake  chan struct{} // capacity 1: somebody waits

	mu      sync.Mutex // guards all below
	running bool
	full    bool         // somebody wants AstDB compared
	waiting []chan error // told at the end of the next turn
	status  Status
}

// Status tells how far Asterisk knows the list.
type Status struct {
	Entries  int       // listed numbers
	Pending  int       // changes that Asterisk has not taken yet
	Compared time.Time // when AstDB was last compared with the table, zero before
	Took     time.Duration
	Ignored  int   // entries in our families of AstDB that are no numbers
	Err      error // why the last try failed, nil when it did not
}

// New makes Numbers and its tables. It starts nothing.
func New(ctx context.Context, o Options) (*Numbers, error) {
	if err := o.Store.Migrate(ctx, "blacklist", schema); err != nil {
		return nil, err
	}
	if o.Every <= 0 {
		o.Every = defaultEvery
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	n := &Numbers{
		sw: o.Switch, store: o.Store, log: o.Logger, every: o.Every, sides: sides(), wake: make(chan struct{}, 1),
	}
	n.guard.Store(o.Guard)
	return n, nil
}

// Configure turns the guard on or off.
func (n *Numbers) Configure(guard bool) { n.guard.Store(guard) }

const pendingCount = `SELECT (SELECT count(*) FROM blacklist_numbers WHERE inbound <> inbound_astdb) +
	(SELECT count(*) FROM blacklist_numbers WHERE outbound <> outbound_astdb)`

// Status returns how far Asterisk knows the list.
func (n *Numbers) Status(ctx context.Context) (Status, error) {
	n.mu.Lock()
	s := n.status
	n.mu.Unlock()
	err := n.store.Reader().QueryRowContext(ctx, pendingCount).Scan(&s.Pending)
	if err == nil {
		err = n.store.Reader().QueryRowContext(ctx, `SELECT count(*) FROM blacklist_numbers WHERE inbound = 1 OR outbound = 1`).Scan(&s.Entries)
	}
	if err != nil {
		return s, fmt.Errorf("black list: %w", err)
	}
	return s, nil
}
