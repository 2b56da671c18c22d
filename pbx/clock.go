package pbx

import (
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// reading is one look at both clocks of the machine: the wall clock, which may step, and the time since the machine began,
// which does not and goes on when this process ends.
type reading struct {
	Wall time.Time     `json:"wall"`
	Up   time.Duration `json:"up"`
	Boot string        `json:"boot,omitempty"` // which start of the machine Up counts from, "" when it is not known
}

// bootID is one for each start of the machine.
var bootID = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
})

func now() reading {
	r := reading{Wall: time.Now(), Boot: bootID()}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		r.Boot = ""
	}
	r.Up = time.Duration(ts.Nano())
	return r
}

// elapsed is how long ago an earlier reading was, never negative. Without a common start of the machine the wall clocks
// must do.
func (r reading) elapsed(since reading) time.Duration {
	if r.Boot != "" && r.Boot == since.Boot {
		return max(0, r.Up-since.Up)
	}
	return max(0, r.Wall.Sub(since.Wall))
}

// level writes all times of a call as the wall clock of one moment sees them: a step of the clock since then is
// taken out.
func (st *storedCall) level(at reading) {
	st.Clock = reading{Wall: at.Wall.Round(0), Up: at.Up, Boot: at.Boot}
	st.eachTime(func(t *time.Time) { *t = st.Clock.Wall.Add(-at.Wall.Sub(*t)) })
}

// smallStep is the least difference of the clocks that is a step: they cannot be read in the same instant, and without one a time is to be
// what it was.
const smallStep = 50 * time.Millisecond

// wind gives all times of a call their place on the clocks of this process.
func (st *storedCall) wind(at reading) {
	if st.Clock.Wall.IsZero() {
		return // written by a version that knew one clock
	}
	gone := at.elapsed(st.Clock)
	if plain := at.Wall.Round(0).Sub(st.Clock.Wall); (plain - gone).Abs() < smallStep {
		gone = plain
	}
	st.eachTime(func(t *time.Time) { *t = at.Wall.Add(-gone - st.Clock.Wall.Sub(*t)) })
}

// eachTime calls do with every time that a stored call holds and that is set. What is shared with the live call is copied first.
func (st *storedCall) eachTime(do func(*time.Time)) {
	set := func(list ...*time.Time) {
		for _, t := range list {
			if !t.IsZero() {
				do(t)
			}
		}
	}
	channel := func(c *Channel) { set(&c.Created, &c.Answered, &c.Visit.Entered, &c.Visit.Left) }
	spans := func(list []Span) []Span {
		list = append([]Span(nil), list...)
		for i := range list {
			set(&list[i].Start, &list[i].End)
		}
		return list
	}
	set(&st.Started)
	channel(&st.First)
	st.Channels = append([]Channel(nil), st.Channels...)
	for i := range st.Channels {
		channel(&st.Channels[i])
	}
	st.Spans = spans(st.Spans)
	if st.Spy != nil {
		listener := *st.Spy
		set(&listener.Ordered)
		st.Spy = &listener
	}
	for i := range st.Wraps {
		set(&st.Wraps[i].Since, &st.Wraps[i].Until)
	}
	if st.Closed != nil {
		closed := *st.Closed
		set(&closed.Start, &closed.End)
		closed.Spans = spans(closed.Spans)
		st.Closed = &closed
	}
}
