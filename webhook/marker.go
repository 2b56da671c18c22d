package webhook

import (
	"context"
	"database/sql"
	"sync"
)

// marker collects marks and writes all that wait with one operation, ahead of what is being stored: a mark makes room
// and must not wait behind an event that a full file holds back.
type marker struct {
	outbox *Outbox
	to     *recipient

	mu      sync.Mutex
	waiting []mark
	queued  bool // an operation is on its way that will take what waits
	flying  int  // operations that are not done
	changed chan struct{}
}

func newMarker(o *Outbox, to *recipient) *marker {
	return &marker{outbox: o, to: to, changed: make(chan struct{}, 1)}
}

func (m *marker) add(k mark) {
	m.mu.Lock()
	m.waiting = append(m.waiting, k)
	submit := !m.queued
	if submit {
		m.queued = true
		m.flying++
	}
	m.mu.Unlock()
	if submit {
		m.submit()
	}
}

// submit hands an operation to the writer. What it writes is taken when it is first applied, so that a slow disk gathers
// many marks into one operation.
func (m *marker) submit() {
	var batch []mark
	m.outbox.db.SubmitAhead(func(tx *sql.Tx) error {
		if batch == nil {
			batch = m.take()
		}
		return writeMarks(tx, batch)
	}, func(err error) {
		if batch == nil {
			batch = m.take()
		}
		m.done(batch, err)
	})
}

func (m *marker) take() []mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	batch := m.waiting
	m.waiting, m.queued = nil, false
	return batch
}

func (m *marker) done(batch []mark, err error) {
	if err != nil {
		m.outbox.log.Error("attempts could not be recorded, what was delivered will be sent again after a restart",
			"receiver", m.to.name, "events", len(batch), "error", err)
	}
	ids := make([]int64, 0, len(batch))
	for i := range batch {
		if batch[i].state != statePending {
			ids = append(ids, batch[i].item.id)
		}
	}
	if err == nil { // rows that could not be marked stay out of the sender's sight until a restart
		m.to.feed.settle(ids)
	}
	m.mu.Lock()
	m.flying--
	m.mu.Unlock()
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// wait returns when everything added is durable, or ctx has ended.
func (m *marker) wait(ctx context.Context) error {
	for {
		m.mu.Lock()
		busy := m.flying > 0
		m.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-m.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
