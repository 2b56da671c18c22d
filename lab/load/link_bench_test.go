package load

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/pbx"
)

// childAddress is the environment variable by which this test program is its own child, a client of the manager interface at that address
// and nothing else.
const (
	childAddress = "LOAD_TEST_AMI"
	childBare    = "LOAD_TEST_BARE" // only reads what comes
)

// TestMain lets the test program be its own child.
func TestMain(m *testing.M) {
	address := os.Getenv(childAddress)
	switch {
	case address != "" && os.Getenv(childBare) != "":
		readBare(address)
	case address != "":
		listen(address)
	default:
		os.Exit(m.Run())
	}
}

// listen takes what the daemon would take until it is told to end.
func listen(address string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	client := ami.New(ami.Options{Address: address, Username: "bridge", Secret: "secret", Want: pbx.Wanted})
	go func() {
		for range client.Stream() {
			continue
		}
	}()
	_ = client.Run(ctx) // ends with ctx
}

// readBare logs in and reads, with the pauses of a client that lets events gather, and looks at nothing: the least that anybody can do.
func readBare(address string) {
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		return
	}
	if _, err := io.WriteString(conn, "Action: Login\r\nUsername: bridge\r\nSecret: secret\r\n\r\n"); err != nil {
		return
	}
	buf := make([]byte, 256<<10)
	for {
		if _, err := conn.Read(buf); err != nil {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// BenchmarkLink sends 15,000 events a second, Asterisk's ceiling, one by one as Asterisk does, to a process that is a client of the manager
// interface alone, and reports
//
//   - %_of_core: the CPU time of that process in percent of the time that passed;
//   - cpu_us/event;
//   - x_bare: the CPU time divided by that of a process that only reads the same stream, at the same time.
func BenchmarkLink(b *testing.B) {
	const rate, tick, span = 15_000, 2 * time.Millisecond, 10 * time.Second
	c, err := Load(capture, talk)
	if err != nil {
		b.Fatal(err)
	}
	var events []*Event
	for i := range c.Phases {
		for j := range c.Phases[i].Events {
			events = append(events, &c.Phases[i].Events[j])
		}
	}
	srv := switchboard(b, 2)
	client, bare := startChild(b, srv.Address()), startChild(b, srv.Address(), childBare+"=1")
	srv.WaitLogins(2)
	for b.Loop() {
		var buf []byte
		before, beforeBare, began, sent := cpuTime(b, client), cpuTime(b, bare), time.Now(), 0
		for time.Since(began) < span {
			for due := int(time.Since(began) * rate / time.Second); sent < due; sent++ {
				buf = events[sent%len(events)].Append(buf[:0], Party{Number: sent / len(events), Caller: "801", Called: "802", Time: time.Now()})
				srv.Send(string(buf))
			}
			time.Sleep(tick)
		}
		used, least, passed := cpuTime(b, client)-before, cpuTime(b, bare)-beforeBare, time.Since(began)
		b.ReportMetric(100*used.Seconds()/passed.Seconds(), "%_of_core")
		b.ReportMetric(float64(used.Microseconds())/float64(sent), "cpu_us/event")
		b.ReportMetric(float64(used)/float64(least), "x_bare")
		b.ReportMetric(float64(sent)/passed.Seconds(), "events/s")
	}
	b.ReportMetric(0, "ns/op")
}

// startChild runs this program as its own child until the end of the benchmark.
func startChild(b *testing.B, address string, environment ...string) (pid int) {
	b.Helper()
	child := exec.CommandContext(b.Context(), os.Args[0]) //nolint:gosec // this program
	child.Env = append(append(os.Environ(), childAddress+"="+address), environment...)
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = child.Process.Signal(syscall.SIGTERM)
		_ = child.Wait()
	})
	return child.Process.Pid
}
