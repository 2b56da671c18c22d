package bridge_test

import (
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
)

// TestIdleWeight holds what an idle daemon may cost: it is measured by the kernel's own count of its processor time, so
// that other work on the machine does not matter.
func TestIdleWeight(t *testing.T) {
	l := lab.ForTest(t, "22", lab.Options{})
	rec, err := bridge.NewReceiver(t.Context(), l.IP)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rec.Close() })
	bin, err := bridge.Build(t.Context(), t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	d, err := bridge.Start(t.Context(), l, bridge.Options{Binary: bin, Dir: t.TempDir(), Receiver: rec})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	const span = 20 * time.Second
	before := cpuTime(t, d.Pid())
	began := time.Now()
	<-time.NewTimer(span).C
	used, passed := cpuTime(t, d.Pid())-before, time.Since(began)
	share := 100 * used.Seconds() / passed.Seconds()
	rss := resident(t, d.Pid())
	own, err := bridge.Own(d.Pid())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("idle beside Asterisk 22: %.1f MiB of its own, %.1f MiB resident with the program's file, %.2f %% of a core", own, rss, share)
	if own >= 12 {
		t.Errorf("%.1f MiB of its own, want less than 12", own)
	}
	if rss >= 28 { // most of it is the cached program file, of which the kernel maps as much as it likes
		t.Errorf("%.1f MiB resident, want less than 28", rss)
	}
	if share >= 0.5 {
		t.Errorf("%.2f %% of a core, want less than 0.5", share)
	}
}

// cpuTime is the CPU time that a process has had.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	d, err := bridge.CPUTime(pid)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// resident is the resident size of a process in MiB.
func resident(t *testing.T, pid int) float64 {
	t.Helper()
	size, err := bridge.Resident(pid)
	if err != nil {
		t.Fatal(err)
	}
	return size
}
