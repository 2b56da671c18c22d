package webhook

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var benchBody = bytes.Repeat([]byte("x"), 600)

// counter is the cheapest receiver.
type counter struct {
	n     atomic.Int64
	delay time.Duration
}

func (c *counter) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	_, _ = bytes.NewBuffer(nil).ReadFrom(req.Body)
	time.Sleep(c.delay)
	c.n.Add(1)
	w.WriteHeader(http.StatusOK)
}

// plain posts n bodies over so many connections with net/http alone and returns how many a second.
func plain(b *testing.B, url string, lanes, n int) float64 {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: lanes, MaxConnsPerHost: lanes}}
	defer client.CloseIdleConnections()
	start := time.Now()
	var wg sync.WaitGroup
	for range lanes {
		wg.Go(func() {
			for range n / lanes {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(benchBody))
				if err != nil {
					b.Error(err)
					return
				}
				req.Header.Set("Content-Type", "application/json")
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
	return float64(n/lanes*lanes) / time.Since(start).Seconds()
}

// BenchmarkDrain sends a stored backlog and compares in the same run with plain POSTs to the same receiver, and with the limit of posting what is in
// SQLite and deleting it durably.
func BenchmarkDrain(b *testing.B) {
	for _, bc := range []struct {
		lanes, n int
		delay    time.Duration
	}{{1, 5000, 0}, {8, 20000, 0}, {64, 20000, 0}, {8, 4000, 5 * time.Millisecond}, {8, 1000, 20 * time.Millisecond}} {
		b.Run(fmt.Sprintf("lanes=%d/receiver=%s", bc.lanes, bc.delay), func(b *testing.B) {
			c := &counter{delay: bc.delay}
			srv := httptest.NewServer(c)
			defer srv.Close()
			var drained, direct, raw float64
			for range b.N {
				r := newRig(b, rigOptions{})
				for i := 0; i < bc.n; i += 500 {
					batch := make([]Event, 500)
					for j := range batch {
						batch[j] = Event{ID: fmt.Sprintf("e%d", i+j), Kind: "cdr", Key: fmt.Sprintf("call%d", (i+j)/5), Body: benchBody, Weight: Never}
					}
					r.put(batch...)
				}
				start := time.Now()
				r.send(Target{URL: srv.URL, Concurrency: bc.lanes})
				done := int64(bc.n)
				r.waitFor("drain", func() bool { return c.n.Load() >= done })
				r.settle()
				drained += float64(bc.n) / time.Since(start).Seconds()
				r.close()
				c.n.Store(0)
				direct += plain(b, srv.URL, bc.lanes, bc.n)
				limit := newRig(b, rigOptions{})
				fillQueue(b, limit.db, bc.n)
				limit.close()
				raw += rawDrain(b, limit.path, srv.URL, bc.lanes, bc.n)
				c.n.Store(0)
			}
			b.ReportMetric(drained/float64(b.N), "events/s")
			b.ReportMetric(direct/float64(b.N), "plain/s")
			b.ReportMetric(raw/float64(b.N), "raw/s")
			b.ReportMetric(drained/direct, "ratio_plain")
			b.ReportMetric(drained/raw, "ratio_raw")
		})
	}
}

// BenchmarkHandOver measures from Put to the receiver's 200 at 200 events a second.
func BenchmarkHandOver(b *testing.B) {
	srv := httptest.NewServer(&counter{})
	defer srv.Close()
	r := newRig(b, rigOptions{})
	r.send(Target{URL: srv.URL})
	var mu sync.Mutex
	var durable []time.Duration
	const n = 1000
	for range b.N {
		tick := time.NewTicker(5 * time.Millisecond)
		for i := range n {
			<-tick.C
			start := time.Now()
			r.outbox.Put([]Event{{ID: fmt.Sprintf("h%d-%d", time.Now().UnixNano(), i), Key: fmt.Sprint(i / 5), Body: benchBody, At: start}}, func(error) {
				mu.Lock()
				defer mu.Unlock()
				durable = append(durable, time.Since(start))
			})
		}
		tick.Stop()
		r.waitFor("delivery", func() bool { return r.status().Total.Pending == 0 })
	}
	slices.Sort(durable)
	b.ReportMetric(float64(durable[len(durable)/2].Microseconds()), "durable_p50_µs")
	b.ReportMetric(float64(durable[len(durable)*99/100].Microseconds()), "durable_p99_µs")
	h := r.sender.Counters().Latency
	var total, late uint64
	for i, c := range h.Counts {
		total += c
		if i >= len(h.Bounds) || h.Bounds[i] > .01 {
			late += c
		}
	}
	b.ReportMetric(float64(late)/float64(total)*100, "%_over_10ms")
	b.ReportMetric(h.Sum/float64(total)*1e6, "delivered_mean_µs")
}

// BenchmarkStart opens a file with a long backlog and waits for the first request.
func BenchmarkStart(b *testing.B) {
	const n = 1_000_000
	r := newRig(b, rigOptions{maxSize: 4 << 30})
	for i := 0; i < n; i += 1000 {
		batch := make([]Event, 1000)
		for j := range batch {
			batch[j] = Event{ID: fmt.Sprintf("e%d", i+j), Kind: "cdr", Key: fmt.Sprintf("call%d", (i+j)/5), Body: benchBody, Weight: Never}
		}
		r.put(batch...)
	}
	path := r.path
	r.close()
	b.ResetTimer()
	for range b.N {
		first := make(chan struct{})
		var once sync.Once
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			once.Do(func() { close(first) })
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		start := time.Now()
		r := newRig(b, rigOptions{path: path, maxSize: 4 << 30})
		r.send(Target{URL: srv.URL})
		<-first
		b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "ms_to_first_POST")
		r.close()
		srv.Close()
	}
}

// BenchmarkPut measures durable storing by producers that wait for each event.
func BenchmarkPut(b *testing.B) {
	for _, producers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("producers=%d", producers), func(b *testing.B) {
			r := newRig(b, rigOptions{})
			var next atomic.Int64
			b.ResetTimer()
			var wg sync.WaitGroup
			for range producers {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						r.put(Event{ID: fmt.Sprintf("p%d", i), Key: fmt.Sprint(i / 5), Body: benchBody})
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(b.N)/float64(max(r.db.Stats().Commits, 1)), "events/commit")
		})
	}
}
