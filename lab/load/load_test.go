package load

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
)

var (
	rates  = flag.String("rates", "20", "calls a second of TestLoad, one run each")
	span   = flag.Duration("span", 5*time.Second, "how long each run of TestLoad is")
	boards = flag.Int("boards", 0, "wallboards that are open during TestLoad")
	extra  = flag.String("extra", "", "more lines of api.conf, separated by |")
)

const (
	capture = "../../ami/testdata/captures/22-hangup.ami"
	answer  = 5 * time.Millisecond // of the receiver
	talk    = time.Second
)

// extens is how many extensions there are, for n calls a second: nobody is in two calls.
func extens(n int) int { return 2 * n * 4 }

func exten(i int) string { return strconv.Itoa(1000 + i) }

// switchboard is an Asterisk 22 whose extensions are all free.
func switchboard(t testing.TB, n int) *amitest.Server {
	t.Helper()
	srv := amitest.Start(t)
	list := func(action, complete string, items func() []ami.Message) {
		srv.Handle(action, func(s *amitest.Session, a ami.Action) { s.List(a, "will follow", items(), complete) })
	}
	var endpoints, devices, hints []ami.Message
	for i := range n {
		x := exten(i)
		endpoints = append(endpoints, amitest.NewEvent("EndpointList", "ObjectName", x))
		devices = append(devices, amitest.NewEvent("DeviceStateChange", "Device", "PJSIP/"+x, "State", "NOT_INUSE"))
		hints = append(hints, amitest.NewEvent("ExtensionStatus", "Exten", x, "Context", "hints", "Hint", "PJSIP/"+x, "Status", "0", "StatusText", "Idle"))
	}
	list("PJSIPShowEndpoints", "EndpointListComplete", func() []ami.Message { return endpoints })
	list("DeviceStateList", "DeviceStateListComplete", func() []ami.Message { return devices })
	list("ExtensionStateList", "ExtensionStateListComplete", func() []ami.Message { return hints })
	none := func() []ami.Message { return nil }
	list("CoreShowChannels", "CoreShowChannelsComplete", none)
	list("QueueStatus", "QueueStatusComplete", none)
	list("BridgeList", "BridgeListComplete", none)
	list("PJSIPShowContacts", "ContactListComplete", none)
	srv.Handle("CoreSettings", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "AsteriskVersion", "22.0.0") })
	srv.Handle("CoreStatus", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "CoreStartupDate", "2026-11-21", "CoreStartupTime", "12:00:00")
	})
	srv.Handle("Command", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Command output follows", "Output", "  Log unanswered calls:       Yes", "Output", "    cdr_manager")
	})
	return srv
}

// result is what one run has shown.
type result struct {
	rate, calls, events, pushed int
	p50, p99, most              time.Duration
	cpu                         float64 // percent of a core
	idle, peak                  float64 // MiB resident
	behind                      time.Duration
	tenths                      []weight // of the span
}

// weight is what the program took in a stretch of time.
type weight struct {
	memory float64 // MiB resident, the most
	cpu    float64 // percent of a core
}

// weigh looks at the program every 100 ms, for a tenth of the span ten times.
func weigh(t testing.TB, pid int, span time.Duration) (list []weight) {
	t.Helper()
	for range 10 {
		before, began, w := cpuTime(t, pid), time.Now(), weight{}
		for time.Since(began) < span/10 {
			w.memory = max(w.memory, resident(t, pid))
			time.Sleep(100 * time.Millisecond)
		}
		w.cpu = 100 * (cpuTime(t, pid) - before).Seconds() / time.Since(began).Seconds()
		list = append(list, w)
	}
	return list
}

// runLoad makes rate calls a second for a while and waits until the receiver has everything.
func runLoad(t testing.TB, rate int, span time.Duration) result {
	t.Helper()
	c, err := Load(capture, talk)
	if err != nil {
		t.Fatal(err)
	}
	srv, w := switchboard(t, extens(rate)), newWatcher(t, answer)
	d := start(t, srv, w)
	res := result{rate: rate, idle: resident(t, d.Pid())}
	shown := openBoards(t, d, *boards)

	before, began := cpuTime(t, d.Pid()), time.Now()
	total := int(float64(rate) * span.Seconds())
	res.calls, res.events = total, total*c.Events
	weighed := make(chan struct{})
	go func() {
		defer close(weighed)
		res.tenths = weigh(t, d.Pid(), span)
	}()
	sendAll(srv, c, rate, total, func(p Party, e *Event) {
		switch e.Name {
		case "DialBegin", "DialEnd", "Cdr", "Hangup":
			w.told(ID(p.Number), e.Name)
		}
	})
	res.cpu = 100 * (cpuTime(t, d.Pid()) - before).Seconds() / time.Since(began).Seconds()
	ended, patience := time.Now(), time.Now().Add(2*time.Minute)
	for w.done() < total && time.Now().Before(patience) {
		time.Sleep(time.Millisecond)
	}
	res.behind = time.Since(ended)
	<-weighed
	if *boards > 0 {
		if shown.Load() == 0 {
			t.Error("the wallboards were told nothing")
		}
		t.Logf("%d wallboards, each was told %.1f kB a second", *boards, float64(shown.Load())/float64(*boards)/1000/time.Since(began).Seconds())
	}
	for _, tenth := range res.tenths {
		res.peak = max(res.peak, tenth.memory)
	}
	res.p50, res.p99, res.most = w.percentiles()
	res.pushed = w.events
	if n := w.done(); n != total || w.disorder > 0 || w.twice > 0 {
		t.Errorf("%d of %d calls are complete, %d events out of order, %d twice; %v", n, total, w.disorder, w.twice, w.missing())
	}
	return res
}

// openBoards reads the feed of the wallboard so many times, and counts the bytes.
func openBoards(t testing.TB, d *bridge.Daemon, n int) *atomic.Int64 {
	t.Helper()
	var bytes atomic.Int64
	var done sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	for range n {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL+"/console/api/live", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		done.Go(func() {
			defer func() { _ = answer.Body.Close() }()
			buf := make([]byte, 64<<10)
			for {
				n, err := answer.Body.Read(buf)
				bytes.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("a wallboard: %s", answer.Status)
		}
	}
	return &bytes
}

// sendAll makes the calls. What is due is looked for every 2 ms; events go out one by one, as from Asterisk, and note hears of each first.
func sendAll(srv *amitest.Server, c *Call, rate, total int, note func(Party, *Event)) {
	type due struct {
		number, phase int
	}
	queues := make([][]due, len(c.Phases))
	at := func(n, phase int) time.Duration {
		d := time.Duration(n) * time.Second / time.Duration(rate)
		for _, p := range c.Phases[:phase+1] {
			d += p.After
		}
		return d
	}
	for n := range total {
		for p := range c.Phases {
			queues[p] = append(queues[p], due{n, p})
		}
	}
	began, left := time.Now(), total*len(c.Phases)
	var buf []byte
	for left > 0 {
		now := time.Since(began)
		for p := range queues {
			for len(queues[p]) > 0 && at(queues[p][0].number, p) <= now {
				n := queues[p][0].number
				queues[p] = queues[p][1:]
				left--
				pair := n % (extens(rate) / 2)
				for i := range c.Phases[p].Events {
					e := &c.Phases[p].Events[i]
					party := Party{Number: n, Caller: exten(2 * pair), Called: exten(2*pair + 1), Time: time.Now()}
					note(party, e)
					buf = e.Append(buf[:0], party)
					srv.Send(string(buf))
				}
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// start runs the real program beside the switchboard.
func start(t testing.TB, srv *amitest.Server, w *watcher) *bridge.Daemon {
	t.Helper()
	bin, err := bridge.Build(t.Context(), t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	o, dir := srv.Options(), t.TempDir()
	l := &lab.Lab{
		IP: "127.0.0.1", AMIAddress: o.Address, AMIUser: o.Username, AMISecret: o.Secret, ARIURL: "http://127.0.0.1:1/ari",
		RecordingsDir: dir, AsteriskRecordingsDir: dir, CDRCSV: filepath.Join(dir, "none.csv"),
	}
	d, err := bridge.Start(t.Context(), l, bridge.Options{
		Binary: bin, Dir: dir, Receiver: &bridge.Receiver{URL: w.url}, Extra: strings.ReplaceAll(*extra, "|", "\n") + "\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(d.Log())
		}
	})
	return d
}

// TestLoad lets an Asterisk that makes calls all the time push through the real program to a receiver that answers after 5 ms.
func TestLoad(t *testing.T) {
	var table strings.Builder
	fmt.Fprintf(&table, "%8s %8s %9s %9s %8s %8s %8s %7s %7s %7s %7s\n", "calls/s", "calls", "AMI ev/s", "pushed/s", "p50 ms", "p99 ms", "max ms",
		"CPU %", "start M", "peak M", "behind")
	for text := range strings.SplitSeq(*rates, ",") {
		rate, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(text, func(t *testing.T) {
			r := runLoad(t, rate, *span)
			ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
			fmt.Fprintf(&table, "%8d %8d %9.0f %9.0f %8.1f %8.1f %8.1f %7.1f %7.1f %7.1f %7.2f\n", r.rate, r.calls, float64(r.events)/span.Seconds(),
				float64(r.pushed)/span.Seconds(), ms(r.p50), ms(r.p99), ms(r.most), r.cpu, r.idle, r.peak, r.behind.Seconds())
			fmt.Fprint(&table, "         by tenths, MiB and % of a core:")
			for _, w := range r.tenths {
				fmt.Fprintf(&table, " %.0f/%.0f", w.memory, w.cpu)
			}
			fmt.Fprintln(&table)
			if r.peak >= 60 {
				t.Errorf("%.1f MiB resident, want less than 60", r.peak)
			}
		})
	}
	t.Logf("\n%s", &table)
}

// cpuTime is the CPU time that a process has had.
func cpuTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	d, err := bridge.CPUTime(pid)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// resident is the resident size of a process in MiB.
func resident(t testing.TB, pid int) float64 {
	t.Helper()
	size, err := bridge.Resident(pid)
	if err != nil {
		t.Fatal(err)
	}
	return size
}
