package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Default is the name of the first receiver. It is in every file.
const Default = "default"

const defaultID = 1

// ErrReceiver is wrapped by what is said of a receiver that does not exist.
var ErrReceiver = errors.New("webhook: no such receiver")

// recipient is what the outbox knows of one receiver. It stays when the receiver is not configured any more: what waits for it does, too.
type recipient struct {
	id   int64
	name string
	feed feed
	down atomic.Bool // its sender says so

	mu     sync.Mutex
	state  ReceiverState
	stored bool // the file has a word on it
}

func newRecipient(id int64, name string) *recipient {
	r := &recipient{id: id, name: name}
	r.feed.wake = make(chan struct{}, 1)
	return r
}

func (r *recipient) set(change func(*ReceiverState)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.state)
}

// Subscription says what a receiver gets.
type Subscription struct {
	Receiver string
	Kinds    []string // none = all
}

// subscriber is a receiver that gets new events.
type subscriber struct {
	to    *recipient
	kinds []string
}

func (s *subscriber) wants(kind string) bool {
	return len(s.kinds) == 0 || slices.Contains(s.kinds, kind)
}

// Subscribe says who gets the events that are stored from now on, at any time. An outbox that was never told stores for [Default] alone. What
// is stored for a receiver that is not in the list stays and waits until it is in one again. A tool tells by it what is configured, and
// changes nothing in the file.
func (o *Outbox) Subscribe(ctx context.Context, list []Subscription) error {
	subscribers := make([]subscriber, 0, len(list))
	for _, s := range list {
		to, err := o.recipient(ctx, s.Receiver)
		if err != nil {
			return err
		}
		subscribers = append(subscribers, subscriber{to: to, kinds: slices.Clone(s.Kinds)})
	}
	o.subscribers.Store(&subscribers)
	return nil
}

// recipient returns the receiver of a name, which is new to the file or not.
func (o *Outbox) recipient(ctx context.Context, name string) (*recipient, error) {
	if r := o.named(name); r != nil {
		return r, nil
	}
	if o.db.Tool() {
		return newRecipient(0, name), nil
	}
	var id int64
	err := o.db.Prepare(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO webhook_receivers (name) VALUES (?) ON CONFLICT (name) DO NOTHING`, name)
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT id FROM webhook_receivers WHERE name = ?`, name).Scan(&id)
	})
	if err != nil {
		return nil, fmt.Errorf("webhook: receiver %s: %w", name, err)
	}
	r := newRecipient(id, name)
	o.known.Lock()
	defer o.known.Unlock()
	o.known.list = append(o.known.list, r)
	return r, nil
}

// recipients returns all that the file knows, by id: the first one first.
func (o *Outbox) recipients() []*recipient {
	o.known.Lock()
	defer o.known.Unlock()
	return slices.Clone(o.known.list)
}

func (o *Outbox) named(name string) *recipient {
	for _, r := range o.recipients() {
		if r.name == name {
			return r
		}
	}
	return nil
}

func (o *Outbox) nameOf(id int64) string {
	for _, r := range o.recipients() {
		if r.id == id {
			return r.name
		}
	}
	return ""
}

// chosen returns the receiver of a name, all for no name, and [ErrFilter] when there is none of it.
func (o *Outbox) chosen(name string) ([]*recipient, error) {
	if name == "" {
		return o.recipients(), nil
	}
	if r := o.named(name); r != nil {
		return []*recipient{r}, nil
	}
	var names []string
	for _, r := range o.recipients() {
		names = append(names, r.name)
	}
	return nil, fmt.Errorf("%w: no receiver %q; there are %s", ErrFilter, name, strings.Join(names, ", "))
}

// tell hands what is durable now to those whom it concerns.
func (o *Outbox) tell(stored []item, removed []gone) {
	for _, r := range o.recipients() {
		mine := of(stored, func(it *item) bool { return it.receiver == r.id })
		lost := of(removed, func(g *gone) bool { return g.receiver == r.id })
		if len(mine)+len(lost) > 0 {
			r.feed.put(mine, lost)
		}
	}
}

// of returns the elements that fit, without a copy when all do.
func of[T any](list []T, fits func(*T) bool) []T {
	n := 0
	for i := range list {
		if fits(&list[i]) {
			n++
		}
	}
	if n == len(list) {
		return list
	}
	out := make([]T, 0, n)
	for i := range list {
		if fits(&list[i]) {
			out = append(out, list[i])
		}
	}
	return out
}
