package pbx

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// Bounds of failed log-ins by one name.
const (
	lockAfter  = 10
	lockSpan   = 15 * time.Minute
	lockAtOnce = 32   // attempts by one name that are under way
	lockNames  = 8192 // that are remembered; beyond it the longest unseen is forgotten
)

// nameLock counts failed log-ins by name, whether somebody has that name or not. When there were lockAfter within lockSpan, counted from the
// first, the name is locked until that span is over, right password or not.
type nameLock struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]*list.Element
	order *list.List // of *nameFailures, the longest unseen at the back
}

type nameFailures struct {
	name  [sha256.Size]byte
	since time.Time
	count int
	tried int // under way
}

func newNameLock() *nameLock {
	return &nameLock{known: map[[sha256.Size]byte]*list.Element{}, order: list.New()}
}

// try begins an attempt, which ends with settle. It returns a *LockedError when it may not be made, and ErrCrowded when too many are under
// way: of those made at once no more may fail than that.
func (l *nameLock) try(name string) error {
	key := sha256.Sum256([]byte(name))
	l.mu.Lock()
	defer l.mu.Unlock()
	element, ok := l.known[key]
	if !ok {
		if l.order.Len() >= lockNames {
			delete(l.known, l.order.Remove(l.order.Back()).(*nameFailures).name)
		}
		element = l.order.PushFront(&nameFailures{name: key, since: time.Now()})
		l.known[key] = element
	}
	l.order.MoveToFront(element)
	f := element.Value.(*nameFailures)
	if time.Since(f.since) >= lockSpan {
		f.since, f.count = time.Now(), 0
	}
	switch {
	case f.count >= lockAfter:
		return &LockedError{Wait: lockSpan - time.Since(f.since)}
	case f.tried >= lockAtOnce:
		return ErrCrowded
	}
	f.tried++
	return nil
}

// settle ends an attempt. One that failed is counted; a right password ends the count.
func (l *nameLock) settle(name string, right, wrong bool) {
	key := sha256.Sum256([]byte(name))
	l.mu.Lock()
	defer l.mu.Unlock()
	element, ok := l.known[key]
	if !ok {
		return
	}
	f := element.Value.(*nameFailures)
	f.tried = max(f.tried-1, 0)
	switch {
	case wrong && f.count == 0:
		f.since, f.count = time.Now(), 1
	case wrong:
		f.count++
	case right:
		f.count = 0
	}
	if f.tried == 0 && f.count == 0 {
		l.order.Remove(element)
		delete(l.known, key)
	}
}

// forget ends the count of a name: an administrator has set another password.
func (l *nameLock) forget(name string) {
	key := sha256.Sum256([]byte(name))
	l.mu.Lock()
	defer l.mu.Unlock()
	if element, ok := l.known[key]; ok {
		element.Value.(*nameFailures).count = 0
	}
}
