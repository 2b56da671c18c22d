package httpd

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// limiterSize bounds how many addresses a Limiter remembers.
const limiterSize = 8192

// Limiter counts failed log-ins of addresses. When an address has failed count
// times within per, counted from its first failure, it is blocked until that
// time is over, right password or not. An IPv6 network of /64 counts as one
// address, since whoever has one address of it has all.
type Limiter struct {
	mu    sync.Mutex
	count int // 0 = no limit
	per   time.Duration
	known map[netip.Addr]*list.Element
	order *list.List // of *failures, the longest unseen at the back
	all   uint64     // failed attempts since it was made
}

type failures struct {
	addr  netip.Addr
	since time.Time
	count int
}

// NewLimiter makes a limiter of count failures within per; count 0 never blocks.
func NewLimiter(count int, per time.Duration) *Limiter {
	return &Limiter{count: count, per: per, known: map[netip.Addr]*list.Element{}, order: list.New()}
}

// Configure changes the limit; what was counted stays counted.
func (l *Limiter) Configure(count int, per time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count, l.per = count, per
}

// Fail notes one failed attempt.
func (l *Limiter) Fail(addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all++
	addr = network(addr)
	element, ok := l.known[addr]
	if !ok {
		l.forgetOldest()
		l.known[addr] = l.order.PushFront(&failures{addr: addr, since: time.Now(), count: 1})
		return
	}
	f := element.Value.(*failures)
	if time.Since(f.since) >= l.per {
		f.since, f.count = time.Now(), 0
	}
	f.count++
	l.order.MoveToFront(element)
}

// Failures counts the failed attempts of all addresses since the limiter was made.
func (l *Limiter) Failures() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all
}

// Blocked tells whether the address is blocked, and for how long from now.
func (l *Limiter) Blocked(addr netip.Addr) (wait time.Duration, blocked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	element, ok := l.known[network(addr)]
	if !ok || l.count == 0 {
		return 0, false
	}
	f := element.Value.(*failures)
	wait = l.per - time.Since(f.since)
	if wait <= 0 || f.count < l.count {
		return 0, false
	}
	return wait, true
}

func (l *Limiter) forgetOldest() {
	if l.order.Len() < limiterSize {
		return
	}
	oldest := l.order.Back()
	delete(l.known, oldest.Value.(*failures).addr)
	l.order.Remove(oldest)
}

func network(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if !addr.Is6() {
		return addr
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return addr
	}
	return prefix.Addr()
}
