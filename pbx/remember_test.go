package pbx

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestEndedCallsAreSmall ends calls whose events are long: what is remembered of them must not hold the texts.
func TestEndedCallsAreSmall(t *testing.T) {
	d := newDesk(t)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc) //nolint:gosec // far below
	}
	d.st.cdrs = cdrManager
	before := heap()
	const calls, long = 1000, 64 << 10
	filler := strings.Repeat("x", long)
	for i := range calls {
		id := fmt.Sprintf("7.%d", i)
		c := append(leg("PJSIP/801-"+id, id, id, "internal", "802", "801", "6"), "Filler", filler)
		d.apply("Newchannel", c...)
		d.apply("Hangup", append(c, "Cause", "16")...)
		d.st.out, d.st.closed, d.st.gone = nil, nil, nil
	}
	if n := len(d.st.endings); n != calls || len(d.st.ended) != calls {
		t.Fatalf("%d endings of %d calls, %d ids", n, calls, len(d.st.ended))
	}
	if grown := heap() - before; grown > calls*long/8 {
		t.Errorf("%d ended calls hold %d KiB", calls, grown>>10)
	}
	runtime.KeepAlive(d)
}

// TestEndedCallsAreForgotten by their age and by their number; an id that went on to another call stays with that one.
func TestEndedCallsAreForgotten(t *testing.T) {
	d := newDesk(t)
	ends := func(call, channel string) {
		d.st.at = d.at
		d.st.remember(&finished{call: CallID(call), at: d.at, ids: []string{channel}})
	}
	ends("1", "1.1")
	d.pass(int(lateness / time.Second))
	ends("2", "2.1")
	if d.st.ended["1.1"] == nil {
		t.Error("forgotten too early")
	}
	d.pass(1)
	ends("3", "2.1")
	if d.st.ended["1.1"] != nil {
		t.Error("not forgotten in time")
	}
	for i := range maxEndings - 1 {
		ends("many", fmt.Sprintf("m.%d", i))
	}
	if f := d.st.ended["2.1"]; f == nil || f.call != "3" || len(d.st.endings) != maxEndings {
		t.Errorf("2.1 belongs to %+v, %d are remembered", f, len(d.st.endings))
	}
	ends("last", "l.1")
	if d.st.ended["2.1"] != nil || len(d.st.endings) != maxEndings || len(d.st.ended) != maxEndings {
		t.Errorf("%d calls and %d ids are remembered", len(d.st.endings), len(d.st.ended))
	}
}
