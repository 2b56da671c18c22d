package bridge_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab/bridge"
)

// weight is what the daemon holds of the machine.
type weight struct {
	memory     float64 // MiB resident
	files      int     // open descriptors
	goroutines int
}

func (b *bench) weigh() (w weight) {
	b.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", b.d.Pid()))
	b.must(err)
	_, text, err := b.d.Get(b.ctx, "/metrics")
	b.must(err)
	for line := range strings.Lines(text) {
		if n, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			w.goroutines, err = strconv.Atoi(strings.TrimSpace(n))
			b.must(err)
		}
	}
	w.memory, w.files = resident(b.T, b.d.Pid()), len(files)
	return w
}

// settles waits until the daemon holds as many files and goroutines as before, but for a few of its own to and fro.
func (b *bench) settles(before weight) (after weight) {
	b.Helper()
	const slack = 8
	defer func() {
		if b.Failed() {
			b.Logf("before %+v, after %+v", before, after)
		}
	}()
	b.eventually("files and goroutines to be let go", func() bool {
		after = b.weigh()
		return after.files <= before.files+slack && after.goroutines <= before.goroutines+slack
	})
	return after
}

// from is a client with an address and a token of its own.
func (b *bench) from(ip string, connections int) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	transport := &http.Transport{DialContext: dialer.DialContext, MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections}
	b.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 40 * time.Second}
}

// ask sends one request and returns the status, with the answer's shape checked.
func (b *bench) ask(ctx context.Context, c *http.Client, method, path, token, body string) (code int, text string, err error) {
	r, err := http.NewRequestWithContext(ctx, method, b.d.URL+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 400 && !shaped(string(answer)) {
		err = fmt.Errorf("%s %s: %d in another shape: %.100q", method, path, resp.StatusCode, answer)
	}
	if err == nil && resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") == "" {
		err = fmt.Errorf("%s %s: 429 without Retry-After", method, path)
	}
	return resp.StatusCode, string(answer), err
}

// TestFlood sends ten thousand requests with wrong and right tokens over two hundred connections, while an honest client
// at another address goes on working.
func TestFlood(t *testing.T) {
	t.Parallel()
	b, _ := tapped(t, bridge.Options{WebKey: "asjdfjklkasdf"})
	token, err := b.d.Token(b.ctx)
	b.must(err)
	const requests, connections = 10_000, 200
	const list = api + "extensions/extension-hints-status"
	hostile, honest := b.from("127.77.0.1", connections), b.from("127.77.0.2", 1)
	slow := b.slowBody(token)
	before := b.weigh()

	stop, worst, answered := make(chan struct{}), time.Duration(0), 0
	var well sync.WaitGroup
	well.Go(func() {
		for {
			began := time.Now()
			code, body, err := b.ask(b.ctx, honest, "GET", list, token, "")
			if err != nil || code != http.StatusOK || !strings.Contains(body, `"extension":"801"`) {
				t.Errorf("the honest client: %d %.100s %v", code, body, err)
			}
			worst, answered = max(worst, time.Since(began)), answered+1
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	var mu sync.Mutex
	counts := map[int]int{}
	work, began, peak := make(chan bool), time.Now(), 0.0
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			for right := range work {
				value := "0123456789abcdef0123456789abcdef"
				if right {
					value = token
				}
				code, _, err := b.ask(b.ctx, hostile, "GET", list, value, "")
				mu.Lock()
				counts[code]++
				mu.Unlock()
				if err != nil || !right && code == http.StatusOK {
					t.Errorf("right token %v: %d %v", right, code, err)
				}
			}
		})
	}
	for i := range requests {
		work <- rand.IntN(2) == 0
		if i%500 == 0 {
			peak = max(peak, resident(t, b.d.Pid()))
		}
	}
	close(work)
	all.Wait()
	took := time.Since(began)
	close(stop)
	well.Wait()
	hostile.CloseIdleConnections()
	honest.CloseIdleConnections()
	after := b.settles(before)
	t.Logf("%d requests in %.1f s: %v; the honest one: %d answers, the slowest after %v", requests, took.Seconds(), counts, answered, worst)
	t.Logf("before %+v, at the most %.1f MiB, after %+v", before, peak, after)
	// Twenty failures a minute, and what was under way at once when the limit was reached; a second minute where it is slow.
	if counts[401] < 20 || counts[401] > (20+connections)*(1+int(took/time.Minute)) || counts[429] < requests/2 || counts[200]+counts[401]+counts[429] != requests {
		t.Errorf("answers: %v", counts)
	}
	if peak > before.memory+100 || worst > 5*time.Second {
		t.Errorf("%.1f MiB at the most, %.1f before; the honest client waited %v", peak, before.memory, worst)
	}
	if code, _, err := b.ask(b.ctx, b.from("127.77.0.3", 1), "GET", list, token, ""); err != nil || code != http.StatusOK {
		t.Errorf("a newcomer: %d %v", code, err)
	}
	if err := <-slow; err != nil {
		t.Error(err)
	}
}

// slowBody sends a body a byte a second, in the background, and wants 408 when the time for it is over.
func (b *bench) slowBody(token string) <-chan error {
	b.Helper()
	u, err := url.Parse(b.d.URL)
	b.must(err)
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.77.0.4")}}
	c, err := d.DialContext(b.ctx, "tcp", u.Host)
	b.must(err)
	done, ended := make(chan error, 1), make(chan struct{})
	began := time.Now()
	b.must(c.SetDeadline(began.Add(45 * time.Second)))
	_, err = fmt.Fprintf(c, "POST %sextensions/hangup HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: 1000\r\n\r\nextension=", api, token)
	b.must(err)
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if _, err := c.Write([]byte("8")); err != nil {
					return
				}
			case <-ended:
				return
			}
		}
	}()
	go func() {
		defer func() { close(ended); _ = c.Close() }()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			done <- fmt.Errorf("slow body: no answer after %v: %w", time.Since(began), err)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if took := time.Since(began); resp.StatusCode != http.StatusRequestTimeout || took > 35*time.Second || !shaped(string(text)) {
			err = fmt.Errorf("slow body: %d %q after %v", resp.StatusCode, text, took)
		}
		done <- err
	}()
	return done
}

// TestHugeBodies sends more than may be sent, with its length said and without.
func TestHugeBodies(t *testing.T) {
	t.Parallel()
	b, p := tapped(t, bridge.Options{})
	before := b.weigh()
	c := b.from("127.77.0.1", 20)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 5 {
				for _, length := range []int64{-1, 8 << 20} {
					body := io.LimitReader(zeros{}, 8<<20)
					r, err := http.NewRequestWithContext(b.ctx, "POST", b.d.URL+api+"extensions/click-number?src=801&dst=802", io.NopCloser(body))
					if err != nil {
						t.Error(err)
						return
					}
					r.ContentLength = length
					resp, err := c.Do(r)
					if err != nil {
						continue // the answer was lost: the daemon closes before all is sent
					}
					text, err := io.ReadAll(resp.Body)
					_ = resp.Body.Close()
					if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge || !shaped(string(text)) {
						t.Errorf("length %d: %d %q %v", length, resp.StatusCode, text, err)
					}
				}
			}
		})
	}
	all.Wait()
	for _, length := range []string{"Content-Length: 1048577", "Content-Length: 99999999999999", "Transfer-Encoding: chunked"} {
		body := ""
		if strings.HasPrefix(length, "T") {
			body = "100001\r\n" + strings.Repeat("a", 1<<20+1) + "\r\n"
		}
		if code, _, text := b.raw("POST " + api + "extensions/hangup HTTP/1.1\r\nHost: x\r\n" + length + "\r\n\r\n" + body); code != http.StatusRequestEntityTooLarge || !shaped(text) {
			t.Errorf("%s: %d %q", length, code, text)
		}
	}
	c.CloseIdleConnections()
	peak := resident(t, b.d.Pid())
	after := b.settles(before)
	t.Logf("before %+v, at the most %.1f MiB, after %+v", before, peak, after)
	if peak > before.memory+100 {
		t.Errorf("%.1f MiB, %.1f before", peak, before.memory)
	}
	for _, a := range p.actions() {
		if strings.HasPrefix(a, "Action: Originate") || strings.HasPrefix(a, "Action: Hangup") {
			t.Errorf("sent to Asterisk:\n%s", a)
		}
	}
}

// zeros is an endless body.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// reads are the endpoints that ask and do nothing.
var reads = []string{"extensions/current-calls", "extensions/extension-status", "extensions/extension-hints-status", "queues/queue-info"}

// TestWithoutAsterisk asks everything while Asterisk is away. What Asterisk is not needed for is answered as ever.
func TestWithoutAsterisk(t *testing.T) {
	t.Parallel()
	b, p := tapped(t, bridge.Options{})
	b.phone("801")
	b.idle("801")
	c := b.from("127.77.0.1", 10)
	b.must(b.lab.Stop(b.ctx))
	b.eventually("the daemon to see it", func() bool {
		code, _, err := b.ask(b.ctx, c, "GET", api+reads[0], "", "")
		return err == nil && code == http.StatusServiceUnavailable
	})
	sent := len(p.actions())
	timed := func(method, path, body string, want int) {
		t.Helper()
		began := time.Now()
		code, text, err := b.ask(b.ctx, c, method, api+path, "", body)
		if took := time.Since(began); err != nil || code != want || took > 10*time.Second { // it does not wait for Asterisk until the request's own end, 30 s
			t.Errorf("%s %s %s: %d %q %v after %v, want %d", method, path, body, code, text, err, took, want)
		}
	}
	for _, path := range reads {
		timed("GET", path, "", 503)
		timed("POST", path, "", 503)
	}
	for _, e := range endpoints {
		form := url.Values{}
		for _, param := range e.params {
			form.Set(param[0], param[1])
		}
		if !strings.HasPrefix(e.path, "blacklist/") {
			timed("POST", e.path, form.Encode(), 503)
			timed("POST", e.path, "", 400)
		}
	}
	timed("POST", "blacklist/create", "number=123", 200) // the list is the daemon's own, and told when Asterisk is back
	timed("GET", "blacklist/index", "", 200)
	timed("DELETE", "blacklist/delete", "number=123", 200)
	timed("DELETE", "blacklist/delete", "number=123", 404)
	timed("GET", "monitor/none.wav", "", 404)
	timed("GET", "nothing", "", 404)
	for _, a := range p.actions()[sent:] {
		if !strings.HasPrefix(a, "Action: Login") && !strings.HasPrefix(a, "Action: Challenge") {
			t.Errorf("sent while Asterisk was away:\n%s", a)
		}
	}
	b.must(b.lab.Boot(b.ctx))
	b.must(b.d.Ready(b.within(10 * time.Second)))
}

// TestFrozenAsterisk orders and asks while Asterisk hangs: nothing waits for ever or piles up, and all is well when it goes
// on.
func TestFrozenAsterisk(t *testing.T) {
	t.Parallel()
	b, _ := tapped(t, bridge.Options{})
	b.phone("801")
	b.phone("802")
	b.idle("801", "802")
	before := b.weigh()
	c := b.from("127.77.0.1", 100)
	b.must(b.lab.Freeze())
	t.Cleanup(func() { _ = b.lab.Thaw() }) // so that its end is not waited for in vain
	began := time.Now()
	var mu sync.Mutex
	counts, slowest := map[int]int{}, time.Duration(0)
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() {
			began := time.Now()
			path, body := api+"queues/agent-pause", "queue=630&member=803&state=on"
			if i%3 == 0 {
				path, body = api+"extensions/hangup", "extension=801"
			}
			code, text, err := b.ask(b.ctx, c, "POST", path, "", body)
			if err != nil {
				t.Errorf("%s: %v %s", path, err, text)
			}
			mu.Lock()
			defer mu.Unlock()
			counts[code]++
			slowest = max(slowest, time.Since(began))
		})
	}
	other := b.from("127.77.0.2", 1)
	for range 20 { // what needs no question is answered while it hangs
		if code, _, err := b.ask(b.ctx, other, "GET", api+"queues/queue-info", "", ""); err != nil || code != 200 && code != 503 {
			t.Errorf("queue-info: %d %v", code, err)
		}
	}
	all.Wait()
	peak := b.weigh()
	if counts[504] == 0 || counts[504]+counts[503] != 300 || slowest > 31*time.Second {
		t.Errorf("answers: %v, the slowest after %v", counts, slowest)
	}
	code, text, err := b.ask(b.ctx, c, "POST", api+"extensions/click-number", "", "src=801&dst=802")
	if err != nil || code != http.StatusServiceUnavailable {
		t.Errorf("with the link given up: %d %s %v", code, text, err)
	}
	b.must(b.lab.Thaw())
	thawed := time.Now()
	b.must(b.d.Ready(b.within(20 * time.Second)))
	t.Logf("frozen for %.1f s: %v, the slowest after %.1f s; ready %.2f s after it went on", thawed.Sub(began).Seconds(), counts, slowest.Seconds(), time.Since(thawed).Seconds())
	c.CloseIdleConnections()
	other.CloseIdleConnections()
	after := b.settles(before)
	t.Logf("before %+v, at the end of it %+v, after %+v", before, peak, after)
	if peak.memory > before.memory+60 {
		t.Errorf("%.1f MiB, %.1f before", peak.memory, before.memory)
	}
	b.does("queues/agent-login", "login extension success", "extension", "801", "queue", "631")
	if out := b.cli("queue show 631"); !strings.Contains(out, b.lab.Tech+"/801") {
		t.Errorf("Asterisk does not know the member:\n%s", out)
	}
}
