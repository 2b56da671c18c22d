package pbx

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// Options are the parts and settings of a Switch.
type Options struct {
	Client *ami.Client
	Store  *sqlite.DB
	Rules  Rules
	Keep   time.Duration // how long ended calls are kept; 0 = 30 days
	CDRCSV string        // Asterisk's own file of call detail records, read after a gap where it is readable; "" = none
	Logger *slog.Logger

	// Barred reports whether a number outside may not be called; nil bars none. Dial, Transfer and Consult ask it before
	// anything is sent; where it fails nothing is dialled.
	Barred func(ctx context.Context, number string) (bool, error)
}

// Switch is one Asterisk as the daemon sees it: the live picture, its events and the verbs. Methods other than Run are
// safe for concurrent use.
type Switch struct {
	client    *ami.Client
	store     *sqlite.DB
	log       *slog.Logger
	keep      time.Duration
	acks      chan struct{} // a subscriber acknowledged
	asks      chan struct{} // somebody wants the lists queried again
	snaps     chan answer
	barred    func(context.Context, string) (bool, error) // nil bars none
	secrets   chan struct{}                               // who looks a password up
	searches  chan struct{}                               // who reads many ended calls
	roomsTurn chan struct{}                               // held by who changes what of conferences is in the dialplan

	mu       sync.RWMutex // guards all below; held for writing only by Run and for moments
	state    *state
	subs     []*Subscription
	watchers []chan struct{} // closed at the next change
	regs     shared
	polled   map[string]uint64 // by trunk group: how often one of its endpoints was chosen
	records  recordFile
	pending  []ending // told and not yet acknowledged
	synced   bool
	roomsDue bool // conferences are to be entered into the dialplan
	drivers  Drivers
	status   Status
	resyncs  uint64
	closed   bool
	beat     time.Time
}

// Status tells how complete the picture is.
type Status struct {
	Complete bool      // the picture follows Asterisk
	Usable   bool      // and it may ask for all that the picture cannot do without: channels and hints
	Beat     time.Time // when the loop last went round; it does so every second
	Since    time.Time // of this value of Complete
	Reason   string    // why it is not complete, or what is missing although it is
	Asterisk string    // Asterisk's version, "" when unknown
	Drivers  Drivers
	Resyncs  uint64
	Calls    int
	Channels int
	Extens   int
}

// New makes a Switch and loads what an earlier process knew. It starts nothing.
func New(ctx context.Context, o Options) (*Switch, error) {
	for _, part := range []struct {
		owner string
		steps []string
	}{{"pbx", schema}, {"pbx agents", agentSchema}, {"pbx conferences", conferenceSchema}} {
		if err := o.Store.Migrate(ctx, part.owner, part.steps); err != nil {
			return nil, err
		}
	}
	rules := o.Rules
	s := &Switch{
		client: o.Client, store: o.Store, log: o.Logger, state: newState(&rules), barred: o.Barred,
		polled: map[string]uint64{}, keep: cmp.Or(o.Keep, 30*24*time.Hour),
		acks: make(chan struct{}, 1), asks: make(chan struct{}, 1), snaps: make(chan answer), roomsTurn: make(chan struct{}, 1),
		secrets: make(chan struct{}, maxSecretChecks), searches: make(chan struct{}, maxSearches),
		status: Status{Since: time.Now(), Reason: "asterisk was not reached yet"},
	}
	s.records.path = o.CDRCSV
	if err := errors.Join(s.state.load(ctx, o.Store.Reader()), s.records.load(ctx, o.Store.Reader())); err != nil {
		return nil, err
	}
	return s, nil
}

// Configure replaces the rules.
func (s *Switch) Configure(r Rules) {
	s.mu.Lock()
	s.state.rules = &r
	s.mu.Unlock()
	poke(s.asks)
}

// Status returns how complete the picture is.
func (s *Switch) Status() Status {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := s.status
	st.Drivers, st.Resyncs, st.Beat = s.drivers, s.resyncs, s.beat
	st.Usable = st.Usable && st.Complete
	st.Calls, st.Channels, st.Extens = len(s.state.calls), len(s.state.channels), len(s.state.extens)
	return st
}
