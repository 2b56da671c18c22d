package webhook

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

const defaultKeep = 30 * 24 * time.Hour

// OutboxOptions says how the outbox is kept.
type OutboxOptions struct {
	Keep   time.Duration // how long delivered events stay known; 0 = 30 days
	Logger *slog.Logger  // nil = slog.Default()
}

// Outbox is the durable queue of events. Its methods may be called from several goroutines.
type Outbox struct {
	db     *sqlite.DB
	keep   atomic.Int64 // time.Duration
	log    *slog.Logger
	commit histogram // seconds from Event.At to the durable commit

	room room // only used on the writer's goroutine

	subscribers atomic.Pointer[[]subscriber] // who gets new events

	known struct {
		sync.Mutex
		list []*recipient // all that the file knows, by id
	}
}

// NewOutbox makes the tables in db where they are missing. It starts nothing.
func NewOutbox(ctx context.Context, db *sqlite.DB, o OutboxOptions) (*Outbox, error) {
	if err := db.Migrate(ctx, "webhook", schema); err != nil {
		return nil, fmt.Errorf("webhook: outbox: %w", err)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	out := &Outbox{db: db, log: o.Logger, commit: newHistogram(commitBounds)}
	out.SetKeep(o.Keep)
	if err := out.mend(ctx, db.Stats().Recovery); err != nil {
		return nil, err
	}
	if err := out.loadReceivers(ctx); err != nil {
		return nil, err
	}
	out.subscribers.Store(&[]subscriber{{to: out.known.list[0]}})
	db.OnFull(out.dropSoon)
	return out, nil
}

// SetKeep changes how long delivered events stay known; 0 = 30 days.
func (o *Outbox) SetKeep(keep time.Duration) {
	if keep <= 0 {
		keep = defaultKeep
	}
	o.keep.Store(int64(keep))
}

// Put stores the events, all or none, in the order of the calls, and returns at once. done may be nil; it is called when they
// are durable, or with an error wrapping [ErrEvent] when one of them can never be sent. It must not block.
func (o *Outbox) Put(events []Event, done func(error)) {
	p := &put{outbox: o, events: events}
	size := int64(0)
	for i := range events {
		size += int64(len(events[i].Body)) + 256
	}
	p.bytes = size
	o.db.SubmitSized(size, p.apply, func(err error) {
		if err == nil {
			p.committed()
		}
		if done != nil {
			done(err)
		}
	})
}

// put is one call of Put on its way into the file. apply may run several times, so it begins from nothing each time.
type put struct {
	outbox  *Outbox
	events  []Event
	bytes   int64
	stored  []item
	removed []gone
	evicted tally
	counts  tally
}

func (p *put) apply(tx *sql.Tx) error {
	p.stored, p.removed, p.counts = nil, nil, tally{}
	var err error
	subscribers := *p.outbox.subscribers.Load()
	if p.removed, p.evicted, err = p.outbox.makeRoom(tx, p.bytes*int64(len(subscribers))); err != nil {
		return err
	}
	now := time.Now()
	for i := range p.events {
		e := &p.events[i]
		if err := e.check(); err != nil {
			return err
		}
		for j := range subscribers {
			if s := &subscribers[j]; s.wants(e.Kind) {
				if err := p.insert(tx, e, s.to, now); err != nil {
					return fmt.Errorf("webhook: store %s: %w", e.ID, err)
				}
			}
		}
	}
	return p.counts.save(tx)
}

const insertEvent = `INSERT INTO webhook_outbox (receiver, event_id, kind, key, body, at, newest, weight, ttl, lead)
	VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NOT EXISTS (SELECT 1 FROM webhook_outbox WHERE event_id = ?2))
	ON CONFLICT (event_id, receiver) DO NOTHING`

func (p *put) insert(tx *sql.Tx, e *Event, to *recipient, now time.Time) error {
	it := newItem(e, now)
	it.receiver = to.id
	c := p.counts.of(to.id, e.Kind)
	c.weight = e.Weight
	if e.Weight != Never && p.outbox.room.spent {
		c.lost++
		return nil
	}
	res, err := tx.ExecContext(context.Background(), insertEvent,
		to.id, it.eventID, it.kind, it.key, it.body, it.at.UnixMilli(), e.Newest, e.Weight, e.TTL)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		c.duplicates++
		return err
	}
	if it.id, err = res.LastInsertId(); err != nil {
		return err
	}
	c.pending++
	p.stored = append(p.stored, it)
	if e.Newest && to.down.Load() {
		return p.supersede(tx, it)
	}
	return nil
}

// supersede removes older undelivered states of the same key, which nobody needs once the receiver is back.
func (p *put) supersede(tx *sql.Tx, it item) error {
	removed, err := remove(tx, `DELETE FROM webhook_outbox INDEXED BY webhook_newest
		WHERE receiver = ? AND state = 0 AND newest = 1 AND key = ? AND id < ?`+returning, it.receiver, it.key, it.id)
	if err != nil {
		return err
	}
	c := p.counts.of(it.receiver, it.kind)
	c.superseded += int64(len(removed))
	c.pending -= int64(len(removed))
	p.removed = append(p.removed, removed...)
	return nil
}

// committed hands what is durable now to the sender.
func (p *put) committed() {
	now := time.Now()
	for i := range p.stored {
		p.outbox.commit.observe(now.Sub(p.stored[i].at).Seconds())
	}
	p.outbox.logDropped(p.evicted)
	for of, c := range p.counts {
		if c.lost > 0 {
			p.outbox.log.Error("event was not stored, the file is full", "receiver", p.outbox.nameOf(of.receiver), "kind", of.kind, "events", c.lost)
		}
	}
	p.outbox.tell(p.stored, p.removed)
}

// gone names a row that was deleted.
type gone struct {
	id       int64
	receiver int64
	key      string
	kind     string
}

const returning = ` RETURNING id, receiver, key, kind`

// remove runs a DELETE that ends with returning.
func remove(tx *sql.Tx, query string, args ...any) (list []gone, err error) {
	err = sqlite.Each(context.Background(), tx, query, func(row *sql.Rows) error {
		var g gone
		err := row.Scan(&g.id, &g.receiver, &g.key, &g.kind)
		list = append(list, g)
		return err
	}, args...)
	return list, err
}
