package bridge_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// soakCalls is how many calls TestSoak makes on each version: `make soak` makes 2000.
var soakCalls = flag.Int("soak", 150, "calls of TestSoak")

// soak is a company that makes calls of all kinds at once.
type soak struct {
	*bench
	tap *tap

	mu    sync.Mutex
	made  map[string]int // calls by the number that made them, as the phones count them
	left  int
	next  int  // numbers the callers from outside
	still bool // nobody may begin a call
	dials int  // calls that were begun and that Asterisk has not taken
	link  sync.Mutex
	desks []*phone.Phone
}

// TestSoak makes mixed calls while the link to Asterisk is cut every few seconds and Asterisk itself is killed once. Each call has
// one hangup and one cc_cdr, none is missing and none invented, as the phones count; the daemon holds nothing afterwards.
func TestSoak(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		s := newSoak(t, version)
		before := s.heap()
		s.work()
		s.must(s.d.Ready(s.within(startTime)))
		s.compare()
		heap := s.heap()
		t.Logf("%d calls; Go heap %.1f MiB before, %.1f MiB after; resident %.1f MiB, the database's cache included", *soakCalls, before, heap, resident(t, s.d.Pid()))
		if heap > before+8 {
			t.Errorf("the heap has grown from %.1f to %.1f MiB", before, heap)
		}
		if rows := s.liveCalls(); len(rows) != 0 {
			t.Errorf("ghosts: %+v", rows)
		}
	})
}

func newSoak(t *testing.T, version string) *soak {
	t.Helper()
	bin, err := plain()
	if err != nil {
		t.Fatal(err)
	}
	b, tp := severable(t, version, bridge.Options{Binary: bin, Extra: "[ami]\nping = 1s\ndead_after = 3s\n[ivr]\nivr-scenes = 610, working time\n"})
	b.out = b.trunk()
	furnish(b)
	return &soak{bench: b, tap: tp, made: map[string]int{}, left: *soakCalls}
}

// work makes the calls: eight desks at once, while the link is cut and, half-way, Asterisk is killed.
func (s *soak) work() {
	ctx, stop := context.WithCancel(s.ctx)
	defer stop()
	var helpers, desks sync.WaitGroup
	for i, pair := range [][2]string{{"801", "802"}, {"803", "804"}, {"805", "806"}, {"807", "808"}, {"809", "810"}} {
		from, to := s.phone(pair[0]), s.phone(pair[1])
		s.desks = append(s.desks, from, to)
		desks.Go(func() { s.desk(rand.New(rand.NewPCG(uint64(i), 7)), from, to) })
	}
	for i := range 3 {
		desks.Go(func() { s.outsider(rand.New(rand.NewPCG(uint64(i), 8))) })
	}
	helpers.Go(func() { s.cutAgainAndAgain(ctx) })
	helpers.Go(func() { s.restartOnce(ctx) })
	desks.Wait()
	stop()
	helpers.Wait()
}

// desk calls a colleague in all the ways that calls go.
func (s *soak) desk(r *rand.Rand, from, to *phone.Phone) {
	for s.take() {
		switch r.IntN(5) {
		case 0:
			to.Behave(phone.Behaviour{Status: 486})
		case 1:
			to.Behave(phone.Behaviour{Never: true})
		default:
			to.Behave(phone.Behaviour{RingFor: pick(r, 300), HangupAfter: time.Millisecond + pick(r, 3000)})
		}
		s.call(from, to.Number(), from.Number(), 200*time.Millisecond+pick(r, 2500))
	}
}

// outsider calls in: through the menu to a queue that nobody serves, straight to a phone, or to a number that does not exist.
func (s *soak) outsider(r *rand.Rand) {
	for s.take() {
		s.mu.Lock()
		s.next++
		caller := fmt.Sprintf("0217%07d", s.next)
		s.mu.Unlock()
		target := []string{"0219901643", "0219900643", "0219902811", "02188889999"}[r.IntN(4)]
		s.call(s.out, target, caller, 200*time.Millisecond+pick(r, 3000))
	}
}

func pick(r *rand.Rand, most int) time.Duration {
	return time.Duration(r.IntN(most)) * time.Millisecond
}

// call makes one call, which lasts as long as patience at most, and counts it when Asterisk has taken it.
func (s *soak) call(p *phone.Phone, number, caller string, patience time.Duration) {
	c, err := p.DialWith(s.ctx, number, phone.DialOptions{Number: caller})
	s.mu.Lock()
	s.dials--
	s.mu.Unlock()
	if err != nil {
		s.Errorf("%s calls %s: %v", caller, number, err)
		return
	}
	s.mu.Lock()
	s.made[caller]++
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	if _, err := c.Ended(ctx); err == nil {
		return
	}
	_ = c.Hangup(s.ctx) // it may end by itself at this moment
	if _, err := c.Ended(s.within(40 * time.Second)); err != nil {
		s.Errorf("%s calls %s: %v", caller, number, err)
	}
}

// take begins one of the calls that are left; it waits while nobody may.
func (s *soak) take() bool {
	for {
		s.mu.Lock()
		free, more := !s.still, s.left > 0
		if free && more {
			s.left--
			s.dials++
		}
		s.mu.Unlock()
		if free {
			return more
		}
		s.wait(50 * time.Millisecond)
	}
}

// cutAgainAndAgain closes the daemon's connection every few seconds. Every fifth time it only goes silent, and after that Asterisk
// reads its configuration again.
func (s *soak) cutAgainAndAgain(ctx context.Context) {
	r := rand.New(rand.NewPCG(1, 9))
	for n := 1; ; n++ {
		select {
		case <-time.After(time.Second + pick(r, 4000)):
			s.disturb(ctx, n)
		case <-ctx.Done():
			return
		}
	}
}

func (s *soak) disturb(ctx context.Context, n int) {
	s.link.Lock()
	defer s.link.Unlock()
	switch {
	case ctx.Err() != nil:
	case n%5 == 0:
		s.tap.goDeaf()
	case n%5 == 1 && n > 1:
		if _, err := s.lab.CLI(ctx, "core reload"); err != nil && ctx.Err() == nil {
			s.Errorf("reload: %v", err)
		}
	default:
		s.tap.cut()
	}
}

// restartOnce kills Asterisk in the middle of calls, when half of them are made. Nobody begins one until it is back: what it does not
// live to write down, nobody could know.
func (s *soak) restartOnce(ctx context.Context) {
	for {
		s.mu.Lock()
		half := s.left <= *soakCalls/2
		s.mu.Unlock()
		if half {
			break
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
	s.hold(true)
	defer s.hold(false)
	s.link.Lock() // nothing else disturbs it meanwhile
	defer s.link.Unlock()
	for begun := 1; begun > 0; s.wait(50 * time.Millisecond) {
		s.mu.Lock()
		begun = s.dials
		s.mu.Unlock()
	}
	ready := func() error { return s.d.Ready(s.within(startTime)) }
	for _, step := range []func() error{ready, func() error { return s.lab.Kill(s.ctx) }, func() error { return s.lab.Boot(s.ctx) }, ready, s.registered} {
		if err := step(); err != nil {
			s.Errorf("the restart: %v", err)
			return
		}
	}
}

func (s *soak) hold(on bool) {
	s.mu.Lock()
	s.still = on
	s.mu.Unlock()
}

// registered lets the phones register again: a killed Asterisk may have forgotten them.
func (s *soak) registered() error {
	for _, p := range s.desks {
		if err := p.Register(s.within(10 * time.Second)); err != nil {
			return err
		}
	}
	return nil
}

// heap is what the daemon's Go heap holds, in MiB, garbage included: the collector leaves at most as much again as is in use.
func (s *soak) heap() float64 {
	s.Helper()
	_, body, err := s.d.Get(s.ctx, "/metrics")
	s.must(err)
	for line := range strings.Lines(body) {
		if v, ok := strings.CutPrefix(line, "go_memstats_heap_alloc_bytes "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			s.must(err)
			return n / (1 << 20)
		}
	}
	s.Fatal("no go_memstats_heap_alloc_bytes")
	return 0
}

// compare counts ends and records by the number that called.
func (s *soak) compare() {
	s.Helper()
	want := 0
	for _, n := range s.made {
		want += n
	}
	tally := func(all []bridge.Event, kind, field string) (map[string]int, int) {
		by, seen := map[string]int{}, map[string]bool{}
		for _, e := range all {
			if e.Kind == kind && !seen[e.ID] {
				seen[e.ID] = true
				by[e.Fields[field]]++
			}
		}
		return by, len(seen)
	}
	_, err := s.rec.Until(s.within(60*time.Second), fmt.Sprintf("%d ends and records", want), func(all []bridge.Event) bool {
		_, hangups := tally(all, "hangup", "calleridnum")
		_, records := tally(all, "cc_cdr", "caller")
		return hangups >= want && records >= want
	})
	events := s.rec.Events()
	hangups, _ := tally(events, "hangup", "calleridnum")
	records, _ := tally(events, "cc_cdr", "caller")
	if diff := cmp.Diff(s.made, hangups); diff != "" {
		s.Errorf("hangups (-calls of the phones +hangups): %v\n%s", err, diff)
	}
	if diff := cmp.Diff(s.made, records); diff != "" {
		s.Errorf("records (-calls of the phones +records): %v\n%s", err, diff)
	}
	checkOrder(s.T, events)
}
