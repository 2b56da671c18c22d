package httpd

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(3, time.Minute)
		a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		for range 2 {
			l.Fail(a)
		}
		if _, blocked := l.Blocked(a); blocked {
			t.Error("blocked before the limit")
		}
		time.Sleep(20 * time.Second)
		l.Fail(netip.MustParseAddr("::ffff:192.0.2.1"))
		if wait, blocked := l.Blocked(a); !blocked || wait != 40*time.Second {
			t.Errorf("blocked %v for %v, want 40s", blocked, wait)
		}
		if _, blocked := l.Blocked(b); blocked {
			t.Error("another address is blocked")
		}
		time.Sleep(40 * time.Second)
		if _, blocked := l.Blocked(a); blocked {
			t.Error("blocked after the time is over")
		}
		l.Fail(a)
		if _, blocked := l.Blocked(a); blocked {
			t.Error("one failure in a new minute blocks")
		}
		l.Configure(1, time.Minute)
		if _, blocked := l.Blocked(a); !blocked {
			t.Error("a lower limit does not block")
		}
		l.Configure(0, 0)
		if _, blocked := l.Blocked(a); blocked {
			t.Error("no limit blocks")
		}
		if n := l.Failures(); n != 4 {
			t.Errorf("%d failures, want 4", n)
		}
	})
}

func TestLimiterTakesAnIPv6NetworkForOne(t *testing.T) {
	l := NewLimiter(2, time.Minute)
	l.Fail(netip.MustParseAddr("2001:db8::1"))
	l.Fail(netip.MustParseAddr("2001:db8::2%eth0"))
	if _, blocked := l.Blocked(netip.MustParseAddr("2001:db8::3")); !blocked {
		t.Error("a neighbour of the same /64 is not blocked")
	}
	if _, blocked := l.Blocked(netip.MustParseAddr("2001:db8:0:1::1")); blocked {
		t.Error("another /64 is blocked")
	}
	l.Fail(netip.Addr{}) // no connection, as in a test
}

func TestLimiterForgets(t *testing.T) {
	l := NewLimiter(1, time.Hour)
	for i := range 3 * limiterSize {
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], uint32(i))
		l.Fail(netip.AddrFrom4(raw))
	}
	if len(l.known) != limiterSize || l.order.Len() != limiterSize {
		t.Errorf("%d and %d addresses remembered, want %d", len(l.known), l.order.Len(), limiterSize)
	}
}
