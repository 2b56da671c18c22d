package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/lab/bridge"
)

// wanted is what each call must bring, by kind of event, besides the states of the extensions.
var wanted = []map[string]int{
	{"dialbegin": 1, "dialend": 1, "hangup": 1, "cdr": 1, "cc_cdr": 1},
	{"dialbegin": 2, "dialend": 2, "hangup": 1, "cdr": 1, "cc_cdr": 1},
	{"dialbegin": 1, "dialend": 1, "hangup": 1, "cdr": 1, "cc_cdr": 1},
}

// stepper prints the steps of the set-up with their times.
type stepper struct{ began time.Time }

func (s *stepper) begin(what string) {
	s.end()
	fmt.Printf("  starting %s ...", what)
	s.began = time.Now()
}

func (s *stepper) end() {
	if !s.began.IsZero() {
		fmt.Printf(" %.1f s\n", time.Since(s.began).Seconds())
	}
	s.began = time.Time{}
}

// screen prints events as they arrive.
type screen struct {
	receiver *bridge.Receiver
	shown    int
	began    time.Time
	latency  []time.Duration
	counts   map[string]int // by kind, of the call that is on
	total    map[string]int
	ids      map[string]bool // calls of the present title
}

func newScreen(r *bridge.Receiver) *screen {
	return &screen{receiver: r, shown: len(r.Events()), total: map[string]int{}}
}

func (s *screen) title(n int, text string) {
	fmt.Printf("\n%d. %s\n", n, text)
	s.began, s.counts, s.ids = time.Now(), map[string]int{}, map[string]bool{}
}

// settle prints what comes until the call's events are complete and both phones are free again.
func (s *screen) settle(ctx context.Context, call int) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	_, err := s.receiver.Until(ctx, "all events of the call", func(events []bridge.Event) bool {
		for _, e := range events[s.shown:] {
			s.show(e)
		}
		s.shown = len(events)
		for kind, n := range wanted[call] {
			if s.counts[kind] < n {
				return false
			}
		}
		return free(events, "801") && free(events, "802")
	})
	if err != nil {
		return fmt.Errorf("%w; wanted %v, got %v", err, wanted[call], s.counts)
	}
	for kind, n := range wanted[call] {
		if s.counts[kind] != n {
			return fmt.Errorf("%d %s events came, want %d", s.counts[kind], kind, n)
		}
	}
	if len(s.ids) != 1 {
		return fmt.Errorf("the events of one call carry %d ids", len(s.ids))
	}
	return nil
}

func (s *screen) show(e bridge.Event) {
	s.counts[e.Kind]++
	s.total[e.Kind]++
	if id := e.Call(); id != "" {
		s.ids[id] = true
	}
	if at, ok := seconds(e.Fields["timestamp"]); ok {
		s.latency = append(s.latency, e.At.Sub(at))
	}
	fmt.Printf("  %7.3f s  %-15s  %s\n", e.At.Sub(s.began).Seconds(), e.Kind, describe(e))
}

// seconds reads Asterisk's own time of an event.
func seconds(stamp string) (time.Time, bool) {
	f, err := strconv.ParseFloat(stamp, 64)
	if err != nil {
		return time.Time{}, false
	}
	whole, part := math.Modf(f)
	return time.Unix(int64(whole), int64(part*1e9)), true
}

// describe says who and what.
func describe(e bridge.Event) string {
	f := e.Fields
	or := func(s, other string) string {
		if s == "" {
			return other
		}
		return s
	}
	switch e.Kind {
	case "dialbegin":
		return fmt.Sprintf("%s rings %s (%s)", or(f["calleridnum"], "the PBX"), f["destcalleridnum"], f["destchannel"])
	case "dialend":
		return fmt.Sprintf("%s -> %s: %s", or(f["calleridnum"], "the PBX"), f["destcalleridnum"], f["dialstatus"])
	case "hangup":
		return fmt.Sprintf("%s %s with %s %s, call %s", f["calleridnum"], f["calleridname"], f["connectedlinenum"], f["connectedlinename"], f["uniqueid"])
	case "cdr":
		return fmt.Sprintf("%s -> %s: %s, %s s, %s s of talk, %s", f["source"], f["destination"], f["disposition"], f["duration"], f["billableseconds"], or(f["calltype"], "internal"))
	case "cc_cdr":
		return fmt.Sprintf("%s -> %s, %s: rang %s s, talked %s s, %s hung up", f["caller"], f["called"], f["callType"], f["ringTime"], f["talkingTime"], f["hangupSide"])
	case "extensionstatus":
		return f["exten"] + " is " + f["statustext"]
	}
	return e.Body
}

// summary prints the counts and how long events took from Asterisk to the receiver.
func (s *screen) summary() error {
	kinds := make([]string, 0, len(s.total))
	events := 0
	for k, n := range s.total {
		kinds = append(kinds, fmt.Sprintf("%d %s", n, k))
		events += n
	}
	slices.Sort(kinds)
	fmt.Printf("\n3 calls, %d events: %s\n", events, strings.Join(kinds, ", "))
	if len(s.latency) == 0 {
		return fmt.Errorf("no event carried Asterisk's time")
	}
	slices.Sort(s.latency)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	fmt.Printf("From Asterisk's event to the receiver: median %.1f ms, slowest %.1f ms (%d events with Asterisk's own time)\n",
		ms(s.latency[len(s.latency)/2]), ms(s.latency[len(s.latency)-1]), len(s.latency))
	fmt.Println("Every expected event came, once, each call under one id.")
	return nil
}
