package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"time"
)

const maxBatch = 1000 // operations in one transaction

// operation is one write that waits for its commit.
type operation struct {
	apply func(*sql.Tx) error
	done  func(error)
	bytes int64
	ahead bool
	yield bool // is given up, and not tried again, while there is no room
	at    time.Time
	err   error // of apply itself, set while the batch is written
}

// queue holds what waits for the writer. Operations stay in it until they are settled, so that a commit that failed
// loses nothing.
type queue struct {
	mu     sync.Mutex
	wake   chan struct{} // one token: something has changed
	ahead  []operation   // go before the others: they make room or finish what is committed already
	plain  []operation
	bytes  int64
	ended  bool // no more operations are taken
	broken bool // the file is damaged, the writer is to end
}

func (q *queue) init() { q.wake = make(chan struct{}, 1) }

// add returns false when the queue has ended.
func (q *queue) add(op operation) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return false
	}
	op.at = time.Now()
	if op.ahead {
		q.ahead = append(q.ahead, op)
	} else {
		q.plain = append(q.plain, op)
	}
	q.bytes += op.bytes
	q.signal()
	return true
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// peek returns what the next transaction is to hold, up to limit operations, without removing it.
func (q *queue) peek(limit int) []operation {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.ahead), limit)
	batch := make([]operation, 0, min(len(q.ahead)+len(q.plain), limit))
	batch = append(batch, q.ahead[:n]...)
	return append(batch, q.plain[:min(len(q.plain), limit-n)]...)
}

// settle removes the first n operations of the batch that peek has returned.
func (q *queue) settle(batch []operation, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	fromAhead := 0
	for _, op := range batch[:n] {
		q.bytes -= op.bytes
		if op.ahead {
			fromAhead++
		}
	}
	q.ahead = drop(q.ahead, fromAhead)
	q.plain = drop(q.plain, n-fromAhead)
}

// giveUp removes the operations that are given up while there is no room, and returns them.
func (q *queue) giveUp() (gone []operation) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.plain = slices.DeleteFunc(q.plain, func(op operation) bool {
		if op.yield {
			q.bytes -= op.bytes
			gone = append(gone, op)
		}
		return op.yield
	})
	return gone
}

func drop(ops []operation, n int) []operation {
	clear(ops[:n]) // closures and bodies must not live on in the array's head
	if n == len(ops) {
		return ops[:0]
	}
	return ops[n:]
}

// end refuses what comes from now on.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
}

// endIfEmpty ends the queue unless something waits, in one step.
func (q *queue) endIfEmpty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = len(q.ahead)+len(q.plain) == 0
	return q.ended
}

// breakOff makes the writer end.
func (q *queue) breakOff() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.broken = true
	q.signal()
}

func (q *queue) isBroken() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.broken
}

// wait returns when something may wait, ctx has ended, or d is over (false).
func (q *queue) wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-q.wake:
	case <-ctx.Done():
	case <-timer.C:
		return false
	}
	return true
}

func (q *queue) hasAhead() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ahead) > 0
}

// isRelief reports whether operations only went ahead of others that still wait.
func (q *queue) isRelief(done []operation) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.plain) > 0 && !slices.ContainsFunc(done, func(op operation) bool { return !op.ahead })
}
