package load

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

const (
	recorded   = "../../ami/testdata/load22.ami.gz"
	epochStart = "17952860" // with which all Uniqueids of that capture begin
	flood      = 150_000    // events a second: ten times what Asterisk can say
)

// replay is the whole calls of a recorded stream, as bytes that can be sent again as other calls.
type replay struct {
	text          []byte
	events, calls int
}

func readReplay(b *testing.B) replay {
	b.Helper()
	f, err := os.Open(recorded)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	r := ami.NewReader(z)
	if _, err := r.Banner(); err != nil {
		b.Fatal(err)
	}
	var all []ami.Message
	begun, ended := map[string]bool{}, map[string]int{}
	for {
		m, err := r.Next()
		if err != nil {
			break
		}
		all = append(all, m)
		switch id := m.Get("Linkedid"); m.Event() {
		case "Newchannel":
			begun[id] = true
		case "Hangup":
			ended[id]++
		}
	}
	var out replay
	whole := func(id string) bool { return id == "" || begun[id] && ended[id] == 2 }
	for _, m := range all {
		if m.Event() == "Cdr" && !begun[m.Get("UniqueID")] || !whole(m.Get("Linkedid")) || m.Event() == "" {
			continue
		}
		out.text = append(append(out.text, m.String()...), "\r\n"...)
		out.events++
	}
	for id := range begun {
		if whole(id) {
			out.calls++
		}
	}
	return out
}

// round returns the stream as it would be at another time.
func (r *replay) round(n int) string {
	return string(bytes.ReplaceAll(r.text, []byte(epochStart), fmt.Appendf(nil, "%08d", 10_000_000+n)))
}

// tally is the cheapest receiver: it counts the ids and kinds of what comes.
type tally struct {
	mu    sync.Mutex
	ids   map[string]bool
	kinds map[string]int
}

// ServeHTTP implements http.Handler.
func (c *tally) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the sender went away
	}
	kind, _, _ := strings.Cut(strings.TrimPrefix(string(body), `{"event":"`), `"`)
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := req.Header.Get("Webhook-Id"); !c.ids[id] {
		c.ids[id] = true
		c.kinds[kind]++
	}
	w.WriteHeader(http.StatusOK)
}

func (c *tally) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids, c.kinds = map[string]bool{}, map[string]int{}
}

func (c *tally) count(kind string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kinds[kind]
}

// BenchmarkDaemon floods the real program with a recorded stream of Asterisk 22 at 150,000 events a second, ten times what Asterisk can
// say, until each call of it has arrived at a receiver, and reports
//
//   - daemon_cpu_us/event: the program's CPU time for each manager event, with all that follows from it: picture, database, delivery;
//   - x_scanner_cpu: that, divided by the CPU time of bufio.Scanner splitting the same bytes into lines;
//   - pushed/s, and x_plain_post: that, divided by what plain POSTs over as many connections reach in the same run.
func BenchmarkDaemon(b *testing.B) {
	const rounds, lanes = 60, 8
	r := readReplay(b)
	c := &tally{}
	receiver := httptest.NewServer(c)
	defer receiver.Close()
	srv := switchboard(b, 2)
	for b.Loop() {
		c.reset()
		d := start(b, srv, &watcher{url: receiver.URL})
		before, began, peak := cpuTime(b, d.Pid()), time.Now(), 0.0
		every := time.Duration(r.events) * time.Second / flood
		for n := range rounds {
			text := r.round(n)
			time.Sleep(time.Until(began.Add(time.Duration(n) * every)))
			srv.Send(text)
		}
		sent := time.Since(began)
		for patience := time.Now().Add(5 * time.Minute); c.count("cc_cdr") < rounds*r.calls && time.Now().Before(patience); {
			peak = max(peak, resident(b, d.Pid()))
			time.Sleep(10 * time.Millisecond)
		}
		took, cpu := time.Since(began), cpuTime(b, d.Pid())-before
		if h, cc := c.count("hangup"), c.count("cc_cdr"); h != rounds*r.calls || cc != h {
			b.Fatalf("%d hangup and %d cc_cdr of %d calls", h, cc, rounds*r.calls)
		}
		events, pushed := float64(rounds*r.events), float64(len(c.ids))
		b.ReportMetric(events/sent.Seconds(), "events/s")
		b.ReportMetric(float64(cpu.Microseconds())/events, "daemon_cpu_us/event")
		b.ReportMetric(cpu.Seconds()/scanned(b, &r, rounds).Seconds(), "x_scanner_cpu")
		b.ReportMetric(pushed/took.Seconds(), "pushed/s")
		b.ReportMetric(pushed/took.Seconds()/plain(b, receiver.URL, lanes, 20_000), "x_plain_post")
		b.ReportMetric(peak, "MiB")
	}
	b.ReportMetric(0, "ns/op")
}

// scanned is the CPU time of splitting the same bytes into lines.
func scanned(b *testing.B, r *replay, rounds int) time.Duration {
	b.Helper()
	spent := func() time.Duration {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			b.Fatal(err)
		}
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	before, lines := spent(), 0
	for range rounds {
		s := bufio.NewScanner(bytes.NewReader(r.text))
		s.Buffer(make([]byte, 256<<10), 256<<10)
		for s.Scan() {
			lines++
		}
	}
	if lines < rounds {
		b.Fatal("no lines")
	}
	return spent() - before
}

// plain posts n bodies over so many connections with net/http alone and returns how many a second.
func plain(b *testing.B, url string, lanes, n int) float64 {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: lanes, MaxConnsPerHost: lanes}}
	defer client.CloseIdleConnections()
	body := `{"event":"plain","filler":"` + strings.Repeat("x", 600) + `"}`
	began := time.Now()
	var wg sync.WaitGroup
	for range lanes {
		wg.Go(func() {
			for range n / lanes {
				req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				res, err := client.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				_ = res.Body.Close()
			}
		})
	}
	wg.Wait()
	return float64(n/lanes*lanes) / time.Since(began).Seconds()
}
