package ami

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// loadSample is what Asterisk 22 sends under 50 calls a second, with its banner.
func loadSample(t testing.TB) []byte {
	t.Helper()
	f, err := os.Open("testdata/load22.ami.gz")
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

// report turns the time of a run into events a second, and into a ratio to bufio.Scanner splitting the same bytes into
// lines, measured in the same run.
func report(b *testing.B, data []byte, rounds int) {
	b.Helper()
	b.StopTimer()
	events := bytes.Count(data, []byte("\r\n\r\n"))
	took := b.Elapsed()
	begin := time.Now()
	lines := 0
	for range rounds {
		s := bufio.NewScanner(&socket{data: data, left: 1})
		s.Buffer(make([]byte, bufferSize), bufferSize)
		for s.Scan() {
			lines += len(s.Bytes())
		}
	}
	limit := time.Since(begin)
	if lines == 0 {
		b.Fatal("no lines")
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took.Nanoseconds())/float64(rounds*events), "ns/event")
	b.ReportMetric(float64(rounds*events)/took.Seconds()/1e3, "kevents/s")
	b.ReportMetric(float64(limit)/float64(took), "x_scanner")
}

func BenchmarkReaderFrames(b *testing.B) {
	data := loadSample(b)
	r := NewReader(nil)
	b.ReportAllocs()
	b.ResetTimer()
	r.reset(&socket{data: data, left: b.N})
	for {
		frame, err := r.buffered()
		if err == nil && frame == nil {
			err = r.fill()
		}
		if err != nil {
			break
		}
	}
	report(b, data, b.N)
}

func BenchmarkReaderMessages(b *testing.B) {
	data := loadSample(b)
	b.ReportAllocs()
	b.ResetTimer()
	r := NewReader(&socket{data: data, left: b.N})
	for {
		if _, err := r.Next(); err != nil {
			break
		}
	}
	report(b, data, b.N)
}

// benchmarkClient is the whole way from the socket to who takes the batches.
func benchmarkClient(b *testing.B, want func(string) bool, use func(Message)) {
	data := loadSample(b)
	b.ReportAllocs()
	b.ResetTimer()
	c := New(Options{Want: want, Queue: 1 << 40})
	c.reader = NewReader(nil)
	c.reader.reset(&socket{data: data, left: b.N})
	l := newLink(&socket{}, c.o)
	done := make(chan int)
	go func() {
		n := 0
		for items := range c.Stream() {
			n += len(items)
			for i := range items {
				use(items[i].Message)
			}
		}
		done <- n
	}()
	go c.stream.hand()
	_ = c.read(l)
	c.stream.close()
	n := <-done
	report(b, data, b.N)
	b.ReportMetric(float64(n)/float64(b.N), "events")
}

func BenchmarkClientAll(b *testing.B) { benchmarkClient(b, nil, func(Message) {}) }

func BenchmarkClientAllLooked(b *testing.B) {
	benchmarkClient(b, nil, func(m Message) { _, _ = m.Event(), m.Get("Uniqueid") })
}

func BenchmarkClientWanted(b *testing.B) {
	benchmarkClient(b, wanted, func(Message) {})
}

func BenchmarkClientWantedLooked(b *testing.B) {
	benchmarkClient(b, wanted, func(m Message) {
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
