package ami

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
)

// loadSample is what Asterisk 22 sends under 50 calls a second, with its banner: 2 MB of it, or all of the file that
// AMI_LOAD names.
func loadSample(t testing.TB) []byte {
	t.Helper()
	path := os.Getenv("AMI_LOAD")
	if path == "" {
		path = "testdata/load22.ami.gz"
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// socket is a connection that yields data n times, in reads as large as a socket's.
type socket struct {
	net.Conn
	data []byte
	at   int
	left int
}

func (s *socket) Close() error { return nil }

func (s *socket) Read(p []byte) (int, error) {
	if s.at == len(s.data) {
		if s.left--; s.left <= 0 {
			return 0, io.EOF
		}
		s.at = 0
	}
	n := copy(p[:min(len(p), 64<<10)], s.data[s.at:])
	s.at += n
	return n, nil
}

// slice is how many bytes one side works through before it is the other's turn.
const slice = 24 << 20

// spent returns the CPU time of this process so far, all threads of it, the garbage collector too.
func spent(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// scanLines is the yardstick: bufio.Scanner, with a buffer as large as ours, splitting the same bytes into lines.
func scanLines(b *testing.B, data []byte, rounds int) {
	lines := 0
	s := bufio.NewScanner(&socket{data: data, left: rounds})
	s.Buffer(make([]byte, bufferSize), bufferSize)
	for s.Scan() {
		lines++
	}
	if lines < rounds {
		b.Fatal("no lines")
	}
}

// measure runs ours and the Scanner in turns on the same bytes, and reports
//
//   - x_scanner_cpu: CPU time of ours divided by the Scanner's, the median over all pairs of turns. 2 is twice the
//     Scanner's CPU; less is better. CPU time, not the clock's, and turns of some 30 ms: a noisy machine slows both.
//   - cpu_ns/event and allocs/event of ours, the medians too.
func measure(b *testing.B, ours func(data []byte, rounds int)) {
	b.Helper()
	data := loadSample(b)
	events := bytes.Count(data, []byte("\r\n\r\n"))
	rounds := max(slice/len(data), 1)
	total := float64(rounds * events)
	var ratios, costs, allocs []float64
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC() // what one turn has left is not to be swept in the next
		runtime.ReadMemStats(&before)
		begin := spent(b)
		ours(data, rounds)
		cost := spent(b) - begin
		runtime.ReadMemStats(&after)
		runtime.GC()
		begin = spent(b)
		scanLines(b, data, rounds)
		ratios = append(ratios, float64(cost)/float64(spent(b)-begin))
		costs = append(costs, float64(cost)/total)
		allocs = append(allocs, float64(after.Mallocs-before.Mallocs)/total)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ratios), "x_scanner_cpu")
	b.ReportMetric(median(costs), "cpu_ns/event")
	b.ReportMetric(median(allocs), "allocs/event")
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// view shows the frames of data to see, through one Reader.
func view(b *testing.B, see func(Frame)) {
	r := NewReader(nil)
	measure(b, func(data []byte, rounds int) {
		r.reset(&socket{data: data, left: rounds})
		for {
			f, err := r.View()
			if err != nil {
				break
			}
			see(f)
		}
	})
}

// BenchmarkReaderFrames finds the ends of messages and nothing else.
func BenchmarkReaderFrames(b *testing.B) { view(b, func(Frame) {}) }

// BenchmarkReaderView looks at all headers of all messages without a copy. Goal: 2.2 and no allocation.
func BenchmarkReaderView(b *testing.B) {
	size := 0
	view(b, func(f Frame) {
		for name, value := range f.All() {
			size += len(name) + len(value)
		}
	})
}

// BenchmarkReaderFilter looks at the names of all events and at all headers of two kinds. Goal: 1.3.
func BenchmarkReaderFilter(b *testing.B) {
	size := 0
	view(b, func(f Frame) {
		if name := f.Event(); string(name) != "Newchannel" && string(name) != "Hangup" {
			return
		}
		for name, value := range f.All() {
			size += len(name) + len(value)
		}
	})
}

// BenchmarkReaderMessages makes an owned Message of each.
func BenchmarkReaderMessages(b *testing.B) {
	r := NewReader(nil)
	measure(b, func(data []byte, rounds int) {
		r.reset(&socket{data: data, left: rounds})
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	})
}

// streamAll is the whole way from the socket to who takes the batches.
func streamAll(b *testing.B, want func(string) bool, use func(Message)) {
	reader := NewReader(nil)
	least := bytes.Count(loadSample(b), []byte("\r\nPrivilege: ")) - 1 // one event of the sample may be torn
	measure(b, func(data []byte, rounds int) {
		c := New(Options{Want: want, Queue: 1 << 40})
		c.reader = reader
		c.reader.reset(&socket{data: data, left: rounds})
		l := newLink(&socket{}, c.o)
		done := make(chan uint64)
		go func() {
			n := 0
			for items := range c.Stream() {
				n += len(items)
				for i := range items {
					use(items[i].Message)
				}
			}
			done <- uint64(n)
		}()
		go c.stream.hand()
		_ = c.read(l)
		c.stream.close()
		if n, s := <-done, c.Stats(); n != s.Events || n+s.Unwanted < uint64(rounds*least) {
			b.Fatalf("%d events taken: %+v", n, s)
		}
	})
}

// BenchmarkClientAll hands every event over as an owned Message. Goal: 2.6 and 2.1 allocations an event.
func BenchmarkClientAll(b *testing.B) { streamAll(b, nil, func(Message) {}) }

// BenchmarkClientAllLooked also asks each for its name and its channel's id.
func BenchmarkClientAllLooked(b *testing.B) {
	streamAll(b, nil, func(m Message) { _, _ = m.Event(), m.Get("Uniqueid") })
}

// BenchmarkClientFilter hands two kinds of events over. Goal: 1.3.
func BenchmarkClientFilter(b *testing.B) {
	streamAll(b, func(event string) bool { return event == "Newchannel" || event == "Hangup" }, func(Message) {})
}

// BenchmarkClientWanted hands over what a daemon that follows calls wants, a third of all.
func BenchmarkClientWanted(b *testing.B) { streamAll(b, wanted, func(Message) {}) }

// BenchmarkClientWantedLooked also asks each for six headers.
func BenchmarkClientWantedLooked(b *testing.B) {
	streamAll(b, wanted, func(m Message) {
		for _, name := range []string{"Channel", "CallerIDNum", "CallerIDName", "Exten", "Uniqueid", "Linkedid"} {
			m.Get(name)
		}
	})
}

// wanted is about what a daemon that follows calls asks for.
func wanted(event string) bool {
	switch event {
	case "Newchannel", "Newstate", "NewConnectedLine", "NewCallerid", "DialBegin", "DialEnd", "DialState", "BridgeCreate", "BridgeEnter",
		"BridgeLeave", "BridgeDestroy", "Hangup", "HangupRequest", "Cdr", "DeviceStateChange":
		return true
	}
	return false
}

func BenchmarkMessageGet(b *testing.B) {
	r := NewReader(bytes.NewReader(loadSample(b)))
	if _, err := r.Banner(); err != nil {
		b.Fatal(err)
	}
	var m Message
	for m.Event() != "Newchannel" {
		var err error
		if m, err = r.Next(); err != nil {
			b.Fatal(err)
		}
	}
	for _, name := range []string{"Channel", "Exten", "Linkedid", "Nope"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Get(name)
			}
		})
	}
}
