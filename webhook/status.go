package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// ReceiverState is what is known of the receiver. Whether it is up, since when, and the failure that brought it down outlive the
// process; the rest is since the start, and is not known to a tool beside the daemon.
type ReceiverState struct {
	Up          bool      // false while only probes are sent
	Since       time.Time // zero when nothing is known: nothing was ever sent
	LastSuccess time.Time // last 2xx, zero when there was none yet
	LastFailure time.Time
	LastStatus  int    // of the last failure, 0 when no answer came
	LastError   string // of the last failure, without secrets
	Failures    int    // failed attempts since the last success
	NextProbe   time.Time
}

// KindStatus counts the events of one kind since the file was made; Pending and Dead are those there are now.
type KindStatus struct {
	Kind       string `json:"event,omitempty"`
	Pending    int64  `json:"pending"`
	Dead       int64  `json:"dead"`
	Delivered  int64  `json:"delivered"`
	Expired    int64  `json:"expired"`    // given up for age
	Dropped    int64  `json:"dropped"`    // by Drop
	Lost       int64  `json:"lost"`       // undelivered, or not even stored, because the file was full
	Superseded int64  `json:"superseded"` // replaced by a newer state while the receiver was down
	Duplicates int64  `json:"repeated"`   // Put again and ignored
}

// ReceiverStatus is the state of what is stored for one receiver.
type ReceiverStatus struct {
	Name       string
	Configured bool // false: what waits for it is kept until it is configured again or dropped
	Kinds      []KindStatus
	Total      KindStatus
	Oldest     time.Time // as in Status
	State      ReceiverState
}

// Status is the state of the outbox.
type Status struct {
	At        time.Time        // when it was read
	Kinds     []KindStatus     // by name, of all receivers together
	Total     KindStatus       // Kind is ""
	Oldest    time.Time        // At of the oldest pending event, zero when none is pending
	Receivers []ReceiverStatus // the first one, those that are configured, and those for which something is left
	Gaps      []Gap            // the newest, oldest first
	AllGaps   int
	Waiting   int           // operations that wait for their commit, all packages together
	Receiver  ReceiverState // of the first one
	FileBytes int64
	MaxSize   int64
}

// Status reads the counters; its cost does not depend on how much is pending.
func (o *Outbox) Status(ctx context.Context) (Status, error) {
	s := Status{At: time.Now()}
	all, err := o.counts(ctx)
	if err != nil {
		return s, fmt.Errorf("webhook: status: %w", err)
	}
	for _, to := range o.recipients() {
		r := ReceiverStatus{Name: to.name, Configured: o.subscribed(to), Kinds: all[to.id]}
		for _, k := range r.Kinds {
			r.Total.add(k)
		}
		if r.Oldest, err = o.oldest(ctx, to); err != nil {
			return s, fmt.Errorf("webhook: status: %w", err)
		}
		to.set(func(state *ReceiverState) { r.State = *state })
		s.take(r)
		if to.id == defaultID {
			s.Receiver = r.State
		}
		if to.id == defaultID || r.Configured || r.Total.Pending+r.Total.Dead > 0 {
			s.Receivers = append(s.Receivers, r)
		}
	}
	if s.Gaps, s.AllGaps, err = o.gaps(ctx); err != nil {
		return s, fmt.Errorf("webhook: status: %w", err)
	}
	file := o.db.Stats()
	s.Waiting, s.FileBytes, s.MaxSize = file.Queued, file.FileBytes, file.MaxSize
	return s, nil
}

// take adds what is stored for one receiver.
func (s *Status) take(r ReceiverStatus) {
	s.Total.add(r.Total)
	if s.Oldest.IsZero() || !r.Oldest.IsZero() && r.Oldest.Before(s.Oldest) {
		s.Oldest = r.Oldest
	}
	for _, k := range r.Kinds {
		i, found := slices.BinarySearchFunc(s.Kinds, k.Kind, func(have KindStatus, name string) int { return strings.Compare(have.Kind, name) })
		if !found {
			s.Kinds = slices.Insert(s.Kinds, i, KindStatus{Kind: k.Kind})
		}
		s.Kinds[i].add(k)
	}
}

// counts reads all counters, by receiver.
func (o *Outbox) counts(ctx context.Context) (map[int64][]KindStatus, error) {
	all := map[int64][]KindStatus{}
	err := sqlite.Each(ctx, o.db.Reader(), `SELECT receiver, kind, pending, dead, delivered, expired, dropped, lost, superseded, duplicates
		FROM webhook_counts ORDER BY receiver, kind`, func(row *sql.Rows) error {
		var k KindStatus
		var receiver int64
		err := row.Scan(&receiver, &k.Kind, &k.Pending, &k.Dead, &k.Delivered, &k.Expired, &k.Dropped, &k.Lost, &k.Superseded, &k.Duplicates)
		all[receiver] = append(all[receiver], k)
		return err
	})
	return all, err
}

func (o *Outbox) oldest(ctx context.Context, of *recipient) (time.Time, error) {
	var at int64
	err := o.db.Reader().QueryRowContext(ctx,
		`SELECT at FROM webhook_outbox INDEXED BY webhook_pending WHERE receiver = ? AND state = 0 ORDER BY id LIMIT 1`, of.id).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, err
	}
	return fromMillis(at), nil
}

func (o *Outbox) subscribed(r *recipient) bool {
	return slices.ContainsFunc(*o.subscribers.Load(), func(s subscriber) bool { return s.to == r })
}

func (k *KindStatus) add(other KindStatus) {
	k.Pending += other.Pending
	k.Dead += other.Dead
	k.Delivered += other.Delivered
	k.Expired += other.Expired
	k.Dropped += other.Dropped
	k.Lost += other.Lost
	k.Superseded += other.Superseded
	k.Duplicates += other.Duplicates
}
