package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
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

// Status is the state of the outbox.
type Status struct {
	Kinds     []KindStatus // by name
	Total     KindStatus   // Kind is ""
	Oldest    time.Time    // At of the oldest pending event, zero when none is pending
	Gaps      []Gap        // the newest, oldest first
	AllGaps   int
	Waiting   int // operations that wait for their commit, all packages together
	Receiver  ReceiverState
	FileBytes int64
	MaxSize   int64
}

func (o *Outbox) setReceiver(change func(*ReceiverState)) {
	o.receiver.Lock()
	defer o.receiver.Unlock()
	change(&o.receiver.state)
}

// Status reads the counters; its cost does not depend on how much is pending.
func (o *Outbox) Status(ctx context.Context) (Status, error) {
	var s Status
	rows, err := o.db.Reader().QueryContext(ctx, `SELECT kind, pending, dead, delivered, expired, dropped, lost, superseded, duplicates
		FROM webhook_counts ORDER BY kind`)
	if err != nil {
		return s, fmt.Errorf("webhook: status: %w", err)
	}
	for rows.Next() {
		var k KindStatus
		if err := rows.Scan(&k.Kind, &k.Pending, &k.Dead, &k.Delivered, &k.Expired, &k.Dropped, &k.Lost, &k.Superseded, &k.Duplicates); err != nil {
			return s, errors.Join(fmt.Errorf("webhook: status: %w", err), rows.Close())
		}
		s.Kinds = append(s.Kinds, k)
		s.Total.add(k)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return s, fmt.Errorf("webhook: status: %w", err)
	}
	var at int64
	err = o.db.Reader().QueryRowContext(ctx,
		`SELECT at FROM webhook_outbox INDEXED BY webhook_pending WHERE state = 0 ORDER BY id LIMIT 1`).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return s, fmt.Errorf("webhook: status: %w", err)
	}
	s.Oldest = fromMillis(at)
	if s.Gaps, s.AllGaps, err = o.gaps(ctx); err != nil {
		return s, fmt.Errorf("webhook: status: %w", err)
	}
	file := o.db.Stats()
	s.Waiting, s.FileBytes, s.MaxSize = file.Queued, file.FileBytes, file.MaxSize
	o.setReceiver(func(r *ReceiverState) { s.Receiver = *r })
	return s, nil
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
