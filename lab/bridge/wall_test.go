package bridge_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/browser"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// feed is a reader of the console's live feed: what it has been told so far.
type feed struct {
	b *bench

	mu    sync.Mutex
	moved chan struct{}
	live  bool
	bye   string
	over  bool
	rows  map[string]map[string]map[string]any // by section and id
}

// followed opens a feed.
func (b *bench) followed() *feed {
	b.Helper()
	req, err := http.NewRequestWithContext(b.ctx, http.MethodGet, b.d.URL+"/console/api/live", nil)
	b.must(err)
	answer, err := http.DefaultClient.Do(req) //nolint:bodyclose // closed by the clean-up
	b.must(err)
	if answer.StatusCode != http.StatusOK {
		b.Fatalf("the feed: %s", answer.Status)
	}
	f := &feed{b: b, moved: make(chan struct{}), rows: map[string]map[string]map[string]any{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, 1<<20)
		event := ""
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				event = name
			} else if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				f.take(event, data)
			}
		}
		f.take("", "{}")
	}()
	b.Cleanup(func() {
		_ = answer.Body.Close()
		<-done
	})
	return f
}

// take applies one event; "" is the end.
func (f *feed) take(event, data string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer func() {
		close(f.moved)
		f.moved = make(chan struct{})
	}()
	var body map[string]json.RawMessage
	if event == "" || json.Unmarshal([]byte(data), &body) != nil {
		f.over = true
		return
	}
	var head struct{ Live bool }
	if text, told := body["head"]; told && json.Unmarshal(text, &head) == nil {
		f.live = head.Live
	}
	_ = json.Unmarshal(body["reason"], &f.bye) // of a farewell
	for _, section := range []string{"queues", "extensions", "calls", "receivers"} {
		var part struct {
			Set  []map[string]any
			Gone []string
		}
		if event == "snapshot" {
			f.rows[section] = map[string]map[string]any{}
			_ = json.Unmarshal(body[section], &part.Set) // a test will wait for it in vain
		} else {
			_ = json.Unmarshal(body[section], &part)
		}
		for _, row := range part.Set {
			f.rows[section][fmt.Sprint(row["id"])] = row
		}
		for _, id := range part.Gone {
			delete(f.rows[section], id)
		}
	}
}

// until waits for a condition on what was told.
func (f *feed) until(what string, ok func() bool) {
	f.b.Helper()
	ctx := f.b.within(20 * time.Second)
	for {
		f.mu.Lock()
		is, moved := ok(), f.moved
		f.mu.Unlock()
		if is {
			return
		}
		select {
		case <-moved:
		case <-ctx.Done():
			f.mu.Lock()
			defer f.mu.Unlock()
			f.b.Fatalf("the feed does not tell %s; it has told: %v", what, f.rows)
		}
	}
}

// queue waits until the row of a queue has values, "waiting=1 answered=0".
func (f *feed) queue(name, values string) {
	f.b.Helper()
	f.until("of queue "+name+" "+values, func() bool {
		row := f.rows["queues"][name]
		for v := range strings.FieldsSeq(values) {
			key, want, _ := strings.Cut(v, "=")
			have := row[key]
			if agents, ok := row["agents"].(map[string]any); ok && agents[key] != nil {
				have = agents[key]
			}
			if fmt.Sprint(have) != want {
				return false
			}
		}
		return row != nil
	})
}

// call waits until the call of a number is in a state, and returns its id.
func (f *feed) call(caller, state string) (id string) {
	f.b.Helper()
	f.until("that "+caller+" is in "+state, func() bool {
		for key, row := range f.rows["calls"] {
			if row["caller"] == caller && row["state"] == state {
				id = key
				return true
			}
		}
		return false
	})
	return id
}

// TestWallboard plays a call through a menu, a queue, an agent who holds it, and a survey, and one that gives up in the queue: the feed and
// the page tell each step, and the page of the call draws it.
func TestWallboard(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{Extra: "[ivr]\nivr-scenes = 610, working time\n"})
		b.out = b.trunk()
		furnish(b)
		agent := b.phone("801")
		agent.Behave(ring(time.Second))
		b.idle("801")
		f := b.followed()
		f.queue("640", "waiting=0 ready=1 answered=0 abandoned=0")
		page := browser.ForTest(t, browser.Options{}).Open(b.d.URL + "/console/#/wall")
		board := "[aria-labelledby=queue-640] "
		page.WaitText(board, "1 ready")

		c := b.fromOutside("02150000001", "0219901640")
		id := f.call("02150000001", "ivr")
		b.press(c, "1")
		f.queue("640", "waiting=1")
		f.call("02150000001", "queue")
		page.Wait(board + ".alarm")
		in := b.rings(agent)
		b.must(in.Answered(b.within(10 * time.Second)))
		f.queue("640", "waiting=0 busy=1 answered=1 abandoned=0 in_time=1 level=1")
		f.call("02150000001", "talk")
		page.WaitText(board, "1 busy")
		page.WaitText("li.call", "02150000001")
		page.WaitText("li.exten", "02150000001")
		page.Accessible()
		b.must(in.Hold(b.ctx))
		f.call("02150000001", "hold")
		page.WaitText("li.call .tag", "hold")
		b.must(in.Unhold(b.ctx))
		f.call("02150000001", "talk")
		b.must(in.Hangup(b.ctx))
		f.call("02150000001", "feedback")
		b.must(c.Hangup(b.ctx))
		f.until("that the call is over", func() bool { return len(f.rows["calls"]) == 0 })
		f.queue("640", "ready=1 answered=1")
		page.WaitGone("li.call")

		agent.Behave(phone.Behaviour{Never: true})
		long := "02150000002" + strings.Repeat("0", 50) // trunks bring names and numbers of any length
		c = b.fromOutside(long, "0219900640")
		f.queue("640", "waiting=1")
		page.Size(360, 640)
		page.WaitText("li.exten", long)
		page.Until("a page that is no wider than its window", "document.documentElement.scrollWidth <= innerWidth")
		page.Eval("document.querySelector('li.call a').click()", nil)
		page.WaitText("h1", long)
		page.Until("a call that is no wider than its window", "document.documentElement.scrollWidth <= innerWidth")
		page.Eval("location.hash = '#/wall'", nil)
		page.Size(1280, 800)
		b.must(c.Hangup(b.ctx))
		f.queue("640", "waiting=0 answered=1 abandoned=1 level=0.5")

		b.drawn(page, id)
		b.stopped(f, page)
	})
}

// drawn looks at the page of the call, which has ended.
func (b *bench) drawn(page *browser.Page, id string) {
	b.Helper()
	code, body, err := b.d.Get(b.ctx, "/console/api/calls/"+id)
	b.must(err)
	var call struct {
		State     string
		Recording struct{ There bool }
		Timeline  []struct{ Kind string }
	}
	b.must(json.Unmarshal([]byte(body), &call))
	var kinds []string
	for _, sp := range call.Timeline {
		kinds = append(kinds, sp.Kind)
	}
	if code != http.StatusOK || call.State != "ended" || !call.Recording.There {
		b.Errorf("the call: %d %s", code, body)
	}
	page.Eval("location.hash = '#/call/"+id+"'", nil)
	for _, kind := range []string{"ivr", "queue", "ring", "talk", "hold", "feedback"} {
		if !slices.Contains(kinds, kind) {
			b.Errorf("no %s in the timeline: %v", kind, kinds)
			continue
		}
		page.Wait(".timeline .stretch." + kind)
	}
	var rows, shown int
	page.Eval("document.querySelectorAll('.timeline .stretch, .timeline .mark').length", &shown)
	page.Eval("document.querySelectorAll('[aria-labelledby=call-timeline] tbody tr').length", &rows)
	if rows != len(kinds) || shown != len(kinds) {
		b.Errorf("%d bars and %d rows of %d stretches", shown, rows, len(kinds))
	}
	page.Until("a player that has taken nothing before somebody wants to hear", "document.querySelector('audio').readyState === 0")
	page.Eval("(() => { const a = document.querySelector('audio'); a.preload = 'metadata'; a.load(); })()", nil)
	page.Until("the player to know how long the recording is", "document.querySelector('audio').duration > 0")
	page.Accessible()
}

// stopped freezes the daemon, which the page must notice by itself, and then ends it, which the feed is told.
func (b *bench) stopped(f *feed, page *browser.Page) {
	b.Helper()
	page.Eval("location.hash = '#/wall'", nil)
	page.Wait(".notice.good")
	page.Expect("/console/api/") // which is lost
	b.must(b.d.Signal(syscall.SIGSTOP))
	w := watch()
	page.WaitText(".notice.bad", "The numbers are as of")
	page.Wait(".wall.stale")
	b.Logf("the lost link was seen after %v", w.lap())
	b.must(b.d.Signal(syscall.SIGCONT))
	page.Wait(".notice.good")
	page.WaitGone(".stale")
	b.must(b.d.Stop())
	b.Logf("the daemon stopped in %v", w.lap())
	f.until("the farewell", func() bool { return f.over && f.bye == "stop" })
	page.WaitText(".notice.bad", "The numbers are as of")
	b.must(b.d.Run(b.within(20 * time.Second))) // on another port: the page stays without one
}
