package pbx

import (
	"container/list"
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"
)

// Bounds of failed log-ins by one name.
const (
	lockAfter    = 10 // from one network
	lockAfterAll = 50 // from all of them together
	lockSpan     = 15 * time.Minute
	lockAtOnce   = 32   // attempts by one name that are under way
	lockNames    = 8192 // that are remembered, and pairs of a name and a network; beyond it the longest unseen is forgotten
)

// nameLock counts failed log-ins by name, whether somebody has that name or not: for each network that they come from, so that a stranger
// cannot keep the owner of a name out, and for all networks together, so that many strangers do not guess on for ever. When there were too
// many within lockSpan, counted from the first, the name is locked until that span is over, right password or not. What strangers have
// done does not lock a name for the network that it has last come in from.
type nameLock struct {
	mu    sync.Mutex
	names failureTable // by the name alone
	pairs failureTable // by name and network
	homes failureTable // pairs that somebody came in by; of these nothing is counted
}

// tryKey is a name, and the network of an attempt where that counts.
type tryKey struct {
	name    [sha256.Size]byte
	network netip.Addr
}

// networkOf is who counts as one: whoever has one IPv6 address of a /64 has all of them.
func networkOf(from netip.Addr) netip.Addr {
	from = from.Unmap().WithZone("")
	if from.Is6() {
		if prefix, err := from.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return from
}

// failureTable is what was counted of keys, as many as lockNames.
type failureTable struct {
	known map[tryKey]*list.Element
	order *list.List // of *nameFailures, the longest unseen at the back
}

type nameFailures struct {
	key   tryKey
	since time.Time
	count int
	tried int // under way
}

func newFailureTable() failureTable {
	return failureTable{known: map[tryKey]*list.Element{}, order: list.New()}
}

// at is what was counted of a key within lockSpan.
func (t *failureTable) at(key tryKey) *nameFailures {
	element, ok := t.known[key]
	if !ok {
		if t.order.Len() >= lockNames {
			t.drop(t.order.Back())
		}
		element = t.order.PushFront(&nameFailures{key: key, since: time.Now()})
		t.known[key] = element
	}
	t.order.MoveToFront(element)
	f := element.Value.(*nameFailures)
	if time.Since(f.since) >= lockSpan {
		f.since, f.count = time.Now(), 0
	}
	return f
}

func (t *failureTable) drop(element *list.Element) {
	delete(t.known, t.order.Remove(element).(*nameFailures).key)
}

// settle ends an attempt at a key.
func (t *failureTable) settle(key tryKey, right, wrong bool) {
	element, ok := t.known[key]
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
		t.drop(element)
	}
}

func (f *nameFailures) locked() error { return &LockedError{Wait: lockSpan - time.Since(f.since)} }

func newNameLock() *nameLock {
	return &nameLock{names: newFailureTable(), pairs: newFailureTable(), homes: newFailureTable()}
}

func keysOf(name string, from netip.Addr) (all, pair tryKey) {
	all.name = sha256.Sum256([]byte(name))
	return all, tryKey{all.name, networkOf(from)}
}

// try begins an attempt, which ends with settle. It returns a *LockedError when it may not be made, and ErrCrowded when too many are under
// way: of those made at once no more may fail than that.
func (l *nameLock) try(name string, from netip.Addr) error {
	all, pair := keysOf(name, from)
	l.mu.Lock()
	defer l.mu.Unlock()
	of, one := l.names.at(all), l.pairs.at(pair)
	_, home := l.homes.known[pair]
	switch {
	case one.count >= lockAfter:
		return one.locked()
	case of.count >= lockAfterAll && !home:
		return of.locked()
	case of.tried >= lockAtOnce:
		return ErrCrowded
	}
	of.tried++
	one.tried++
	return nil
}

// settle ends an attempt. One that failed is counted; a right password ends the count of its network.
func (l *nameLock) settle(name string, from netip.Addr, right, wrong bool) {
	all, pair := keysOf(name, from)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names.settle(all, false, wrong)
	l.pairs.settle(pair, right, wrong)
	if right {
		l.homes.at(pair)
	}
}

// forget ends all counts of a name: an administrator has set another password.
func (l *nameLock) forget(name string) {
	all, _ := keysOf(name, netip.Addr{})
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range []*failureTable{&l.names, &l.pairs} {
		for key, element := range t.known {
			if key.name == all.name {
				element.Value.(*nameFailures).count = 0
			}
		}
	}
	for key, element := range l.homes.known {
		if key.name == all.name {
			l.homes.drop(element)
		}
	}
}
