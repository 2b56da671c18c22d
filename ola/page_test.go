package ola

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/dop251/goja"
	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/pbx"
)

// page is a browser's page with ola_api.js in it, the file as it is served: a JavaScript engine, real sockets, and a clock that the test
// moves. All of it happens on the test's goroutine; what sockets bring waits until the test looks.
type page struct {
	r       *rig
	url     string
	vm      *goja.Runtime
	ctx     context.Context
	jobs    chan func()
	running sync.WaitGroup
	now     float64 // milliseconds
	timers  map[int]*pageTimer
	last    int
	opened  []float64 // when sockets were asked for
	sent    []string  // frames, without their uuid
	void    bool      // frames go nowhere, either way, and nobody is told
	missed  map[*goja.Promise]bool
}

type pageTimer struct {
	at, every float64
	do        goja.Callable
}

// pagePrelude is what tests use in a page: log holds what was told to it.
const pagePrelude = `
var log = [];
function note(what, promise) {
  promise.then(function (r) { log.push(what + ': ' + (r ? r.code + ' ' + r.result : 'done')); },
    function (e) { log.push(what + ': ' + e.code + ' ' + e.result + (e instanceof ola.OlaError && e instanceof Error ? '' : ' (no OlaError)')); });
}
ola.onConnect = function () { log.push('connected'); };
ola.onClose = function (evt) { log.push('closed ' + evt.code); };
ola.onError = function (err) { log.push('error ' + err.code + ' ' + err.result); };
ola.onMessage = function (evt) {
  var data = JSON.parse(evt.data);
  if (data.event_type === 'agent_state') { log.push(data.agent_extn + ' ' + data.state); }
  if (data.event_type === 'agent_caller_state') { log.push('caller ' + data.action + ' ' + data.caller.cid_number); }
};
`

// online serves a rig whose sockets know what agents do.
func online(t *testing.T, f *asterisk, o rigOptions) (r *rig, url string) {
	t.Helper()
	r = newRig(t, f, o).complete()
	r.until("what agents do", func() bool { return r.api.sockets.agent("809").State != pbx.AgentLogout })
	return r, r.serve()
}

// open loads the client into a new page.
func (r *rig) open(url string) *page {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &page{
		r: r, url: url, vm: goja.New(), ctx: ctx, jobs: make(chan func()), timers: map[int]*pageTimer{}, missed: map[*goja.Promise]bool{},
	}
	r.t.Cleanup(func() {
		cancel()
		p.running.Wait()
		if len(p.missed) > 0 {
			r.t.Errorf("%d promises were rejected and nobody was told", len(p.missed))
		}
	})
	p.vm.SetPromiseRejectionTracker(func(promise *goja.Promise, op goja.PromiseRejectionOperation) {
		if op == goja.PromiseRejectionReject {
			p.missed[promise] = true
		} else {
			delete(p.missed, promise)
		}
	})
	p.vm.SetRandSource(func() float64 { return 0.5 }) // waits are neither shorter nor longer
	source, err := os.ReadFile("web/ola_api.js")
	r.must(err)
	for name, value := range map[string]any{
		"WebSocket": p.newSocket, "URL": url,
		"setTimeout":    func(do goja.Callable, ms float64) int { return p.schedule(do, ms, 0) },
		"setInterval":   func(do goja.Callable, ms float64) int { return p.schedule(do, ms, ms) },
		"clearTimeout":  func(id int) { delete(p.timers, id) },
		"clearInterval": func(id int) { delete(p.timers, id) },
	} {
		r.must(p.vm.Set(name, value))
	}
	p.run(string(source))
	p.run(pagePrelude)
	return p
}

func (p *page) schedule(do goja.Callable, ms, every float64) int {
	p.last++
	p.timers[p.last] = &pageTimer{p.now + ms, every, do}
	return p.last
}

// run runs a script.
func (p *page) run(script string) goja.Value {
	p.r.t.Helper()
	v, err := p.vm.RunString(script)
	if err != nil {
		p.r.t.Fatalf("%.300s: %v", script, err)
	}
	return v
}

// advance moves the clock, and does on the way what is due.
func (p *page) advance(d time.Duration) {
	p.r.t.Helper()
	until := p.now + float64(d/time.Millisecond)
	for {
		due, at := 0, math.Inf(1)
		for id, timer := range p.timers {
			if timer.at <= until && (timer.at < at || timer.at == at && id < due) {
				due, at = id, timer.at
			}
		}
		if due == 0 {
			p.now = until
			return
		}
		timer := p.timers[due]
		p.now = timer.at
		if timer.at += timer.every; timer.every == 0 {
			delete(p.timers, due)
		}
		if _, err := timer.do(goja.Undefined()); err != nil {
			p.r.t.Fatal(err)
		}
	}
}

// until does what sockets bring until a condition, in JavaScript, holds.
func (p *page) until(condition string) {
	p.r.t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for !p.run(condition).ToBoolean() {
		select {
		case job := <-p.jobs:
			job()
		case <-limit.C:
			p.r.t.Fatalf("waited for %s; told so far: %s; sent: %q\n%s", condition, p.run("log.join(', ')"), p.sent, p.r.log)
		}
	}
}

// told waits until the page was told as much, compares it, and forgets it.
func (p *page) told(want ...string) {
	p.r.t.Helper()
	p.until(fmt.Sprintf("log.length >= %d", len(want)))
	var got []string
	p.r.must(p.vm.ExportTo(p.run("log.splice(0)"), &got))
	if diff := cmp.Diff(want, got); diff != "" {
		p.r.t.Errorf("told (-want +got):\n%s", diff)
	}
}

// sorted is told for what may come in any order.
func (p *page) sorted(want ...string) {
	p.r.t.Helper()
	p.until(fmt.Sprintf("log.length >= %d", len(want)))
	p.run("log.sort()")
	p.told(want...)
}

// wrote compares the frames that were sent, and forgets them.
func (p *page) wrote(want ...string) {
	p.r.t.Helper()
	if diff := cmp.Diff(want, p.sent); diff != "" {
		p.r.t.Errorf("sent (-want +got):\n%s", diff)
	}
	p.sent = nil
}

// as connects and logs in.
func (p *page) as(name, password string) *page {
	p.r.t.Helper()
	p.r.must(p.vm.Set("PASSWORD", password))
	p.run("ola.connect(URL, '" + name + "', PASSWORD)")
	p.told("connected")
	p.sent = nil
	return p
}

// later has something done by the page's goroutine.
func (p *page) later(job func()) {
	select {
	case p.jobs <- job:
	case <-p.ctx.Done():
	}
}

// newSocket is the page's class WebSocket, as much of it as there is need for.
func (p *page) newSocket(call goja.ConstructorCall) *goja.Object {
	o, url := call.This, call.Argument(0).String()
	if !strings.HasPrefix(url, "ws") {
		panic(p.vm.NewGoError(errors.New("not an address: " + url)))
	}
	p.opened = append(p.opened, p.now)
	ctx, cancel := context.WithCancel(p.ctx)
	var conn *websocket.Conn
	set := func(name string, value any) { p.r.must(o.Set(name, value)) }
	fire := func(handler string, event map[string]any) {
		if do, ok := goja.AssertFunction(o.Get(handler)); ok {
			if _, err := do(o, p.vm.ToValue(event)); err != nil {
				p.r.t.Error(err)
			}
		}
	}
	set("readyState", 0)
	set("send", func(text string) {
		if conn == nil {
			panic(p.vm.NewGoError(errors.New("InvalidStateError")))
		}
		p.sent = append(p.sent, withoutUUID(text))
		if !p.void {
			_ = conn.Write(ctx, websocket.MessageText, []byte(text)) // an error ends Read too
		}
	})
	set("close", func() { set("readyState", 2); cancel() })
	p.running.Add(1)
	go func() {
		defer p.running.Done()
		defer cancel()
		c, _, err := websocket.Dial(ctx, url, nil) //nolint:bodyclose // the socket is what there is to close
		if err == nil {
			defer func() { _ = c.CloseNow() }()
			p.later(func() { conn = c; set("readyState", 1); fire("onopen", nil) })
		}
		for err == nil {
			var text []byte
			if _, text, err = c.Read(ctx); err == nil {
				p.later(func() {
					if !p.void {
						fire("onmessage", map[string]any{"data": string(text)})
					}
				})
			}
		}
		code := max(websocket.CloseStatus(err), 0)
		if code == 0 {
			code = websocket.StatusAbnormalClosure
		}
		p.later(func() {
			set("readyState", 3)
			fire("onclose", map[string]any{"code": int(code), "reason": "", "wasClean": false, "type": "close"})
		})
	}()
	return nil
}

// withoutUUID cuts off the end of a frame, which differs.
func withoutUUID(text string) string {
	head, _, _ := strings.Cut(text, `,"uuid":"`)
	return head + "}"
}

// drop cuts all sockets of the rig, as a network does.
func (r *rig) drop() {
	s := r.api.sockets
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.sessions {
		_ = c.conn.CloseNow()
	}
}

// frames are those of a page that logs in and subscribes.
func frames(name, password string, keys ...string) (list []string) {
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(password)
	list = append(list, `{"cmd":"auth","args":{"username":"`+name+`","password":"`+quoted+`","accept":"application/json"}}`)
	for _, key := range keys {
		list = append(list, `{"cmd":"subscribe","args":{"key":"`+key+`"}}`)
	}
	return list
}
