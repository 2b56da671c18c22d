package bridge_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// `make wander` sets these.
var (
	wanderRounds = flag.Int("wander", 0, "rounds of TestWander in which pictures are compared; 0 is one round without")
	wanderSeed   = flag.Uint64("wander-seed", 1, "what TestWander draws its calls from")
	wanderKeep   = flag.String("wander-keep", "", "a directory for what Asterisk told in TestWander")
)

// wander is a company whose calls take any way: everybody dials, holds, transfers, parks, picks up, listens and hangs up as chance has it.
type wander struct {
	*olaBench
	tap      *tap
	phones   []*phone.Phone
	password string
	wall     *feed

	mu   sync.Mutex
	told []string // what was done in this round, for the report of a fault
}

// TestWander lets calls go on in ways that nobody has thought of. At the end each call has had one hangup and one record, in order, and nothing is left. With
// rounds it also holds the picture against itself: what was followed event by event must be what a daemon sees that asks Asterisk anew, because its
// link was lost or because it was killed. A difference is not always a fault: a call may go on in just that moment.
func TestWander(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		w := newWander(t, version)
		for round := range max(1, *wanderRounds) {
			w.told = nil
			w.round(round)
			if *wanderRounds > 0 {
				w.compareAfterLoss(round)
				w.compareAfterKill(round)
			}
			w.clear()
		}
		w.end()
	})
}

func newWander(t *testing.T, version string) *wander {
	t.Helper()
	b, p := severable(t, version, bridge.Options{Extra: "[ivr]\nivr-scenes = 610, working time\n"})
	w := &wander{olaBench: &olaBench{bench: b}, tap: p}
	if *wanderKeep != "" {
		kept, err := os.Create(filepath.Join(*wanderKeep, fmt.Sprintf("wander-%s-%d.ami", version, *wanderSeed)))
		w.must(err)
		t.Cleanup(func() { _ = kept.Close() })
		p.heard.kept = kept
	}
	w.password = w.login()
	b.out = b.trunk()
	furnish(b)
	var numbers []string
	for n := 801; n <= 820; n++ {
		numbers = append(numbers, strconv.Itoa(n))
		w.phones = append(w.phones, b.phone(strconv.Itoa(n)))
	}
	b.idle(numbers...)
	for _, n := range []string{"811", "812", "815"} {
		w.does("queues/agent-login", "login extension success", "extension", n, "queue", "631")
	}
	return w
}

// round lets eight people act at once, each with a chance of his own.
func (w *wander) round(round int) {
	r := rand.New(rand.NewPCG(*wanderSeed, uint64(round)))
	for _, p := range append([]*phone.Phone{w.out}, w.phones...) {
		p.Behave(mood(r))
	}
	var all sync.WaitGroup
	for i := range 8 {
		r := rand.New(rand.NewPCG(*wanderSeed*1000+uint64(round), uint64(i)))
		all.Go(func() {
			for range 6 {
				w.act(r)
				w.wait(100*time.Millisecond + pick(r, 900))
			}
		})
	}
	all.Wait()
}

func mood(r *rand.Rand) phone.Behaviour {
	switch r.IntN(8) {
	case 0:
		return phone.Behaviour{Status: 486}
	case 1:
		return phone.Behaviour{Never: true}
	default:
		return phone.Behaviour{RingFor: 50*time.Millisecond + pick(r, 900)}
	}
}

func (w *wander) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}

func (w *wander) anybody(r *rand.Rand) *phone.Phone { return w.phones[r.IntN(len(w.phones))] }

func oneOf(r *rand.Rand, list ...string) string { return list[r.IntN(len(list))] }

// talking draws one of the calls of the company's phones that are answered, nil when there is none.
func (w *wander) talking(r *rand.Rand) *phone.Call {
	for range 10 {
		calls := slices.DeleteFunc(w.anybody(r).Calls(), func(c *phone.Call) bool { return c.State() != phone.Answered })
		if len(calls) > 0 {
			return calls[r.IntN(len(calls))]
		}
	}
	return nil
}

// target is a phone as often as not, else a queue, the conference, a number outside, one that does not exist, parking, or a phone by a way of its own.
func (w *wander) target(r *rand.Rand) string {
	n := w.anybody(r).Number()
	return oneOf(r, n, n, n, n, n, n, "5"+n, "4"+n, "630", "631", "900", "02155550003", "999", "700")
}

// begins are ways in which calls begin, goesOn those in which one goes on.
var (
	begins = []func(*wander, context.Context, *rand.Rand){
		(*wander).fromOutside, (*wander).fromOutside, (*wander).fromInside, (*wander).fromInside,
		func(w *wander, ctx context.Context, r *rand.Rand) { w.dials(ctx, w.anybody(r), "*8") },
		func(w *wander, ctx context.Context, r *rand.Rand) { w.dials(ctx, w.anybody(r), "701") },
		func(w *wander, _ context.Context, r *rand.Rand) {
			w.order("extensions/click-number", "src", w.anybody(r).Number(), "dst", w.target(r))
		},
	}
	goesOn = []func(*wander, context.Context, *rand.Rand, *phone.Call){
		(*wander).holds, (*wander).holds, (*wander).unholds, (*wander).refers, (*wander).refers, (*wander).consults, (*wander).hangsUp, (*wander).hangsUp,
		(*wander).presses, (*wander).consultsByCommand, (*wander).consultsByCommand, (*wander).commands, (*wander).commands, (*wander).commands,
	}
)

// act does one thing.
func (w *wander) act(r *rand.Rand) {
	ctx, cancel := context.WithTimeout(w.ctx, 20*time.Second)
	defer cancel()
	if c := w.talking(r); c != nil && r.IntN(3) > 0 {
		goesOn[r.IntN(len(goesOn))](w, ctx, r, c)
		return
	}
	begins[r.IntN(len(begins))](w, ctx, r)
}

// What a phone answers to these is chance too: a call may have ended, or be on its way elsewhere.

func (w *wander) dials(ctx context.Context, p *phone.Phone, to string) {
	w.note("%s calls %s", p.Number(), to)
	_, _ = p.Dial(ctx, to)
}

func (w *wander) fromInside(ctx context.Context, r *rand.Rand) {
	w.dials(ctx, w.anybody(r), w.target(r))
}

func (w *wander) fromOutside(ctx context.Context, r *rand.Rand) {
	did := oneOf(r, "02188880001", "02188880002", "02188880003", "0219902805", "0219902806", "0219900650", "0219900651", "0219904000")
	from := fmt.Sprintf("0215%07d", r.IntN(9999999))
	w.note("%s calls %s", from, did)
	c, err := w.out.DialWith(ctx, did, phone.DialOptions{Number: from})
	if err == nil && did == "02188880002" && c.Answered(ctx) == nil { // else the menu would go on while all else is still
		w.wait(700 * time.Millisecond)
		_ = c.SendDTMF(ctx, oneOf(r, "1", "2", "3"), phone.RFC2833)
	}
}

func (w *wander) holds(ctx context.Context, _ *rand.Rand, c *phone.Call) {
	w.note("%s holds %v", c.Phone().Number(), c)
	_ = c.Hold(ctx)
}

func (w *wander) unholds(ctx context.Context, _ *rand.Rand, c *phone.Call) {
	w.note("%s takes back %v", c.Phone().Number(), c)
	_ = c.Unhold(ctx)
}

func (w *wander) hangsUp(ctx context.Context, _ *rand.Rand, c *phone.Call) {
	w.note("%s hangs up %v", c.Phone().Number(), c)
	_ = c.Hangup(ctx)
}

func (w *wander) refers(ctx context.Context, r *rand.Rand, c *phone.Call) {
	to := w.target(r)
	w.note("%s refers %v to %s", c.Phone().Number(), c, to)
	_ = c.Refer(ctx, to)
}

// consults asks somebody by the phone's second line, and joins him and the first one more often than not.
func (w *wander) consults(ctx context.Context, r *rand.Rand, c *phone.Call) {
	to := w.target(r)
	w.note("%s consults %s beside %v", c.Phone().Number(), to, c)
	_ = c.Hold(ctx)
	other, err := c.Phone().Dial(ctx, to)
	if err != nil {
		return
	}
	short, done := context.WithTimeout(ctx, 3*time.Second)
	defer done()
	if other.Answered(short) == nil && r.IntN(3) > 0 {
		w.wait(pick(r, 1000))
		w.note("%s joins", c.Phone().Number())
		_ = c.ReferReplaces(ctx, other)
	}
}

// presses uses the keys of features.conf.
func (w *wander) presses(ctx context.Context, r *rand.Rand, c *phone.Call) {
	keys := oneOf(r, "*2", "##", "#72", "**", "*1")
	w.note("%s presses %s in %v", c.Phone().Number(), keys, c)
	_ = c.SendDTMF(ctx, keys, phone.RFC2833)
	if keys == "*2" || keys == "##" {
		w.wait(500 * time.Millisecond)
		_ = c.SendDTMF(ctx, w.anybody(r).Number(), phone.RFC2833)
	}
}

func (w *wander) consultsByCommand(_ context.Context, r *rand.Rand, c *phone.Call) {
	src := c.Phone().Number()
	w.order("extensions/transfer", "src", src, "dst", w.target(r), "type", "attended")
	w.wait(pick(r, 2500))
	w.order("extensions/transfer", "src", src, "type", oneOf(r, "complete", "cancel"))
}

func (w *wander) commands(_ context.Context, r *rand.Rand, c *phone.Call) {
	n := c.Phone().Number()
	switch r.IntN(6) {
	case 0:
		w.order("extensions/hangup", "extension", n)
	case 1:
		w.order("extensions/transfer", "src", n, "dst", w.target(r))
	case 2:
		w.order("extensions/extenSpy", "src", w.anybody(r).Number(), "dst", n, "mode", oneOf(r, "listen", "whisper", "barge"))
	case 3:
		w.order("queues/agent-pause", "member", oneOf(r, "803", "804", "811", "812", "815"), "state", oneOf(r, "on", "off"))
	default:
		code, body, _ := w.ask(http.MethodPut, "/api/ola/agents/"+n+"/"+oneOf(r, "hold", "unhold"))
		w.note("hold or unhold of %s: %d %s", n, code, strings.TrimSpace(body))
	}
}

func (w *wander) order(path string, nameValue ...string) {
	code, body, err := w.d.Post(w.ctx, "/coocenter-api/"+path, nameValue...)
	w.note("%s %v: %d %s %v", path, nameValue, code, strings.TrimSpace(body), err)
}

// picture is all that is told of what goes on, by every interface, a line each, without what a new look at Asterisk cannot know: since when a phone has had its
// state, and to the second since when a caller has waited.
func (w *wander) picture() map[string]string {
	w.Helper()
	all := map[string]string{}
	add := func(section, id string, row map[string]any, without ...string) {
		row = maps.Clone(row)
		for _, key := range without {
			delete(row, key)
		}
		line, err := json.Marshal(row)
		w.must(err)
		all[section+" "+id] = string(line)
	}
	list := func(section, key, text string, without ...string) {
		var rows []map[string]any
		if err := json.Unmarshal([]byte(text), &rows); err != nil {
			w.Fatalf("%s: %v: %s", section, err, text)
		}
		for _, row := range rows {
			add(section, fmt.Sprint(row[key]), row, without...)
		}
	}
	get := func(path string) string {
		code, body, err := w.d.Get(w.ctx, path)
		if w.must(err); code != http.StatusOK {
			w.Fatalf("%s: %d %s", path, code, body)
		}
		return body
	}
	var calls struct{ Data json.RawMessage }
	w.must(json.Unmarshal([]byte(get("/coocenter-api/extensions/current-calls?channels=all")), &calls))
	list("channel", "channel", string(calls.Data), "duration")
	list("hint", "extension", get("/coocenter-api/extensions/extension-hints-status"))
	var agents struct{ Agent json.RawMessage }
	_, body, _ := w.ask(http.MethodGet, "/api/ola/agents")
	w.must(json.Unmarshal([]byte(body), &agents))
	list("agent", "extn", string(agents.Agent))
	for section, rows := range w.board() {
		for id, row := range rows {
			add("board "+section, id, row, map[string]string{"extensions": "since", "queues": "oldest"}[section])
		}
	}
	return all
}

// board copies what the wallboard shows.
func (w *wander) board() map[string]map[string]map[string]any {
	w.Helper()
	if w.wall == nil || w.wall.ended() {
		w.wall = w.followed()
	}
	all := map[string]map[string]map[string]any{}
	w.wall.until("a live picture", func() bool {
		for section, rows := range w.wall.rows {
			all[section] = maps.Clone(rows)
		}
		delete(all, "receivers")
		return w.wall.live
	})
	return all
}

func (f *feed) ended() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over
}

// calm waits until Asterisk has told nothing for a while and returns the picture.
func (w *wander) calm() map[string]string {
	w.Helper()
	for _, p := range w.phones {
		p.Behave(phone.Behaviour{Never: true})
	}
	began, since, last := time.Now(), time.Now(), w.tap.heard.bytes.Load()
	for time.Since(since) < 1500*time.Millisecond && time.Since(began) < 30*time.Second {
		w.wait(100 * time.Millisecond)
		if now := w.tap.heard.bytes.Load(); now != last {
			last, since = now, time.Now()
		}
	}
	return w.picture()
}

func (w *wander) compareAfterLoss(round int) {
	w.Helper()
	before, looks := w.calm(), w.looks()
	w.tap.cut()
	w.eventually("a new look at Asterisk", func() bool { return w.looks() != looks })
	w.compare(round, "a lost link", before)
}

func (w *wander) compareAfterKill(round int) {
	w.Helper()
	before := w.calm()
	w.must(w.d.Kill())
	w.must(w.d.Run(w.ctx))
	w.must(w.d.Ready(w.within(startTime)))
	w.loginWith(w.password)
	w.compare(round, "kill -9", before)
}

func (w *wander) compare(round int, after string, before map[string]string) {
	w.Helper()
	if diff := cmp.Diff(before, w.picture()); diff != "" {
		w.Errorf("round %d, after %s (-before +after):\n%s\nwhat was done:\n%s\nchannels:\n%s",
			round, after, diff, strings.Join(w.told, "\n"), w.cli("core show channels concise"))
	}
}

// looks is how often Asterisk was asked for everything.
func (w *wander) looks() string {
	w.Helper()
	_, body, err := w.d.Get(w.ctx, "/metrics")
	w.must(err)
	_, rest, _ := strings.Cut(body, "\ndialbridge_resyncs_total ")
	n, _, _ := strings.Cut(rest, "\n")
	return n
}

// clear ends all calls.
func (w *wander) clear() {
	w.Helper()
	for _, p := range append([]*phone.Phone{w.out}, w.phones...) {
		for _, c := range p.Calls() {
			_ = c.Hangup(w.ctx) // it may end by itself
		}
	}
	w.cli("channel request hangup all")
	w.eventually("no channel to be left", func() bool { return strings.HasPrefix(w.cli("core show channels count"), "0 active channels") })
	for _, p := range w.phones {
		for _, c := range p.Calls() {
			if _, err := c.Ended(w.within(40 * time.Second)); err != nil {
				w.Errorf("%s: %v", p.Number(), err)
			}
		}
	}
}

// end holds what was told against what must be: each call has one end and one record, and nobody is in a call any more.
func (w *wander) end() {
	w.Helper()
	_, err := w.rec.Until(w.within(60*time.Second), "the end and the record of each call", func(all []bridge.Event) bool {
		ended, recorded := map[string]bool{}, map[string]bool{}
		for _, e := range all {
			if id := e.Call(); id != "" {
				ended[id] = ended[id] || e.Kind == "hangup"
				recorded[id] = recorded[id] || e.Kind == "cc_cdr"
			}
		}
		for id := range ended {
			if !ended[id] || !recorded[id] {
				return false
			}
		}
		return true
	})
	if err != nil {
		w.Error(err)
	}
	checkOrder(w.T, w.rec.Events())
	var numbers []string
	for _, p := range w.phones {
		numbers = append(numbers, p.Number())
	}
	w.idle(numbers...)
	w.eventually("no call to be left on the wallboard", func() bool { return len(w.board()["calls"]) == 0 })
}
