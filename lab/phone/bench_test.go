package phone

import (
	"syscall"
	"testing"
	"time"
)

// BenchmarkCalls says what 30 calls of two phones, 60 streams of 50 packets a second each way, cost: CPU seconds a second.
func BenchmarkCalls(b *testing.B) {
	ctx := b.Context()
	caller, err := New(ctx, Config{BindIP: "127.0.0.1", User: "801", Tone: 400})
	if err != nil {
		b.Fatal(err)
	}
	callee, err := New(ctx, Config{BindIP: "127.0.0.1", User: "802", Tone: 400})
	if err != nil {
		b.Fatal(err)
	}
	callee.Behave(Behaviour{})
	var calls []*Call
	for range 30 {
		c, err := caller.Dial(ctx, callee.URI())
		if err != nil {
			b.Fatal(err)
		}
		calls = append(calls, c)
	}
	for _, c := range calls {
		if err := c.Answered(ctx); err != nil {
			b.Fatal(err)
		}
	}
	began, used := time.Now(), cpu(b)
	for b.Loop() {
		if err := calls[0].Heard(ctx, 50); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpu(b)-used).Seconds()/time.Since(began).Seconds(), "cpu-s/s")
	for _, p := range []*Phone{caller, callee} {
		if err := p.Close(); err != nil {
			b.Error(err)
		}
	}
}

func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
