package load

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/lab/bridge"
)

var seats = flag.Int("agents", 1000, "connected agents of TestSockets")

// agentsPerQueue is how many agents share a queue.
const agentsPerQueue = 100

// staff makes agents of n extensions, all of them ready, with their own numbers as passwords.
func staff(srv *amitest.Server, n int) {
	var items []ami.Message
	for i := range n {
		queue := fmt.Sprintf("q%d", i/agentsPerQueue)
		if i%agentsPerQueue == 0 {
			items = append(items, amitest.NewEvent("QueueParams", "Queue", queue))
		}
		phone := "PJSIP/" + exten(i)
		items = append(items, amitest.NewEvent("QueueMember", "Queue", queue, "Name", phone, "Location", phone, "StateInterface", phone,
			"Membership", "dynamic", "Penalty", "0", "Paused", "0", "Status", "1"))
	}
	srv.Handle("QueueStatus", func(s *amitest.Session, a ami.Action) { s.List(a, "will follow", items, "QueueStatusComplete") })
	srv.Handle("PJSIPShowEndpoint", func(s *amitest.Session, a ami.Action) {
		n := a.Get("Endpoint")
		s.List(a, "will follow", []ami.Message{amitest.NewEvent("AuthDetail", "Username", n, "Password", n)}, "EndpointDetailComplete")
	})
}

// crowd is the agents at the other ends of the sockets.
type crowd struct {
	mu     sync.Mutex
	caused map[string]time.Time // when the last event that an agent is told of was sent to the daemon
	told   map[string][]string  // states, by extension
	waits  []time.Duration
	frames int
	bad    error
}

// cause notes the events that change what an agent does.
func (w *crowd) cause(p Party, e *Event) {
	if e.Name != "Newchannel" && e.Name != "Newstate" && e.Name != "BridgeEnter" && e.Name != "Hangup" && e.Name != "DialBegin" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.caused[p.Caller], w.caused[p.Called] = p.Time, p.Time
}

// seat connects one agent, and reads until the socket ends.
func (w *crowd) seat(ctx context.Context, url, n string) error {
	conn, _, err := websocket.Dial(ctx, url, nil) //nolint:bodyclose // the socket is what there is to close
	if err != nil {
		return err
	}
	for _, frame := range []string{
		`{"cmd":"auth","args":{"username":"` + n + `","password":"` + n + `"},"uuid":"1"}`,
		`{"cmd":"subscribe","args":{"key":"ola.agent.` + n + `"},"uuid":"2"}`,
	} {
		if err := conn.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
			return err
		}
	}
	for range 3 { // two answers and the snapshot
		_, text, err := conn.Read(ctx)
		if err != nil || strings.Contains(string(text), `"code":4`) {
			return fmt.Errorf("agent %s: %w %s", n, err, text)
		}
	}
	go func() {
		for {
			_, text, err := conn.Read(ctx)
			if err != nil {
				return
			}
			w.hear(n, text, time.Now())
		}
	}()
	return nil
}

func (w *crowd) hear(n string, text []byte, at time.Time) {
	var e struct{ State, Extn string }
	err := json.Unmarshal([]byte(strings.Replace(string(text), `"agent_extn"`, `"extn"`, 1)), &e)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || e.Extn != n {
		w.bad = fmt.Errorf("agent %s was told %s: %w", n, text, err)
	}
	if e.State == "ready" && len(w.told[n]) == 0 {
		return // one more snapshot, for one who came before the picture was complete
	}
	w.frames++
	w.told[n] = append(w.told[n], e.State)
	w.waits = append(w.waits, at.Sub(w.caused[n]))
}

// TestSockets connects agents to the real program and lets them have 50 calls a second: each agent is told his states, all of them and
// in their order. How long that takes, and what an agent costs, is logged; the memory is bounded.
func TestSockets(t *testing.T) {
	const rate, most = 50, 64.0 // calls a second, KiB an agent
	c, err := Load(capture, talk)
	if err != nil {
		t.Fatal(err)
	}
	n, total := max(*seats, extens(rate)), int(rate*span.Seconds())
	srv := switchboard(t, n)
	staff(srv, n)
	d := start(t, srv, newWatcher(t, answer))
	w := &crowd{caused: map[string]time.Time{}, told: map[string][]string{}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := resident(t, d.Pid())
	began := time.Now()
	w.fill(ctx, t, d, n)
	connected := time.Since(began)
	peak := resident(t, d.Pid())
	cpu, began := cpuTime(t, d.Pid()), time.Now()
	sendAll(srv, c, rate, total, w.cause)
	used := 100 * (cpuTime(t, d.Pid()) - cpu).Seconds() / time.Since(began).Seconds()
	w.settled(t, total)
	peak = max(peak, resident(t, d.Pid()))
	each := (peak - before) * 1024 / float64(n)
	slices.Sort(w.waits)
	t.Logf("%d agents connected in %v; %d frames: p50 %v, p99 %v, most %v; %.1f KiB an agent, %.1f MiB in all, %.0f %% of a core",
		n, connected.Round(time.Millisecond), w.frames, w.waits[len(w.waits)/2], w.waits[len(w.waits)*99/100], w.waits[len(w.waits)-1], each, peak, used)
	if each >= most {
		t.Errorf("%.1f KiB an agent, want less than %.0f", each, most)
	}
}

// fill connects the agents, some at once.
func (w *crowd) fill(ctx context.Context, t *testing.T, d *bridge.Daemon, n int) {
	t.Helper()
	url, lanes := "ws"+strings.TrimPrefix(d.URL, "http")+"/ola_socket", make(chan string)
	var connecting sync.WaitGroup
	for range 16 {
		connecting.Go(func() {
			for x := range lanes {
				if err := w.seat(ctx, url, x); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		lanes <- exten(i)
	}
	close(lanes)
	connecting.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// settled waits until all agents are ready again, and compares what they were told.
func (w *crowd) settled(t *testing.T, total int) {
	t.Helper()
	story := []string{"busy", "busy", "busy", "ready"} // of the caller and of the called one: called, picked up or connected, over
	over := func() (n int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, states := range w.told {
			for _, s := range states {
				if s == "ready" {
					n++
				}
			}
		}
		return n
	}
	for patience := time.Now().Add(30 * time.Second); over() < 2*total && time.Now().Before(patience); {
		time.Sleep(10 * time.Millisecond)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bad != nil {
		t.Error(w.bad)
	}
	ends := 0
	for n, states := range w.told {
		for i, s := range states {
			if s == "ready" {
				ends++
				if i == 0 || states[i-1] != "busy" {
					t.Errorf("agent %s was told %q", n, states)
				}
			}
		}
	}
	if ends != 2*total || w.frames > len(story)*2*total {
		t.Errorf("%d ends of %d calls with two agents each, %d frames", ends, total, w.frames)
	}
}
