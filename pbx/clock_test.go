package pbx

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami/amitest"
)

// stepped is a stored call of which a minute of talk, an open ring and a listener are known.
func stepped(wall time.Time) storedCall {
	return storedCall{
		ID: "1", Started: wall.Add(-2 * time.Minute), First: Channel{ID: "1", Created: wall.Add(-2 * time.Minute)},
		errand: errand{Spy: &spy{By: "803", On: "801", Ordered: wall.Add(-20 * time.Second)}},
		record: record{Spans: []Span{{Kind: SpanTalk, Start: wall.Add(-90 * time.Second), End: wall.Add(-30 * time.Second)}, {Kind: SpanRing, Start: wall.Add(-10 * time.Second)}}},
	}
}

// TestClockSteps stores a call and reads it in another process after the wall clock has stepped: what lasts has lasted as long as the
// machine's own count says, and no span has changed its length.
func TestClockSteps(t *testing.T) {
	wall := time.Date(2026, 10, 25, 2, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		step time.Duration // of the wall clock
		gone time.Duration // in truth
		boot string        // of the second process
		want time.Duration // since the call began
	}{
		{"no step", 0, 30 * time.Second, "a", 150 * time.Second},
		{"the clocks read a moment apart", 700 * time.Microsecond, 30 * time.Second, "a", 150*time.Second + 700*time.Microsecond}, // began when it began
		{"an hour forward", time.Hour, 30 * time.Second, "a", 150 * time.Second},
		{"a day back", -24 * time.Hour, 30 * time.Second, "a", 150 * time.Second},
		{"another boot, a day back", -24 * time.Hour, 30 * time.Second, "b", 2 * time.Minute},
		{"another boot", 0, 5 * time.Minute, "b", 7 * time.Minute},
	} {
		st := stepped(wall)
		st.level(reading{Wall: wall, Up: time.Hour, Boot: "a"})
		body, err := json.Marshal(st)
		if err != nil {
			t.Fatal(err)
		}
		var again storedCall
		if err := json.Unmarshal(body, &again); err != nil {
			t.Fatal(err)
		}
		at := reading{Wall: wall.Add(c.gone + c.step), Up: time.Hour + c.gone, Boot: c.boot}
		again.wind(at)
		if got := at.Wall.Sub(again.Started); got != c.want {
			t.Errorf("%s: the call has lasted %v, want %v", c.name, got, c.want)
		}
		if got := again.Spans[0].Length(); got != time.Minute {
			t.Errorf("%s: a minute of talk has become %v", c.name, got)
		}
		if got := at.Wall.Sub(again.Spans[1].Start); got != c.want-110*time.Second {
			t.Errorf("%s: it has rung for %v", c.name, got)
		}
		if got := at.Wall.Sub(again.Spy.Ordered); got != c.want-100*time.Second {
			t.Errorf("%s: its listener was ordered %v ago", c.name, got)
		}
		if !again.Spans[1].End.IsZero() {
			t.Errorf("%s: an open span has an end", c.name)
		}
	}
}

// TestStepWithinAProcess stores a call whose times were read before and after a step of the wall clock: the monotonic reading takes
// the step out.
func TestStepWithinAProcess(t *testing.T) {
	began := time.Now()
	r := now()
	st := storedCall{ID: "1", Started: began.Add(-time.Minute)}
	r.Wall = r.Wall.Add(0) // carries a monotonic reading, as the times of a live call do
	st.level(r)
	if st.Started.After(st.Clock.Wall.Add(-time.Minute)) || st.Clock.Wall.Sub(st.Started) > time.Minute+time.Second {
		t.Errorf("began %v before the reading, want a minute", st.Clock.Wall.Sub(st.Started))
	}
	if again := r.elapsed(r); again != 0 {
		t.Errorf("a reading is %v after itself", again)
	}
}

// TestDaylightSaving plays a call over the night in which the clock goes back: an hour comes twice and no length knows it.
func TestDaylightSaving(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	rules := testRules()
	rules.Location = zone
	for _, night := range []time.Time{time.Date(2026, 10, 25, 0, 59, 58, 0, time.UTC), time.Date(2026, 3, 29, 0, 59, 58, 0, time.UTC)} {
		st, at := newState(&rules), night
		for _, m := range amitest.Transcript(t, captures+"/22-internal.ami") {
			if m.Get("ActionID") == "" {
				at = at.Add(500 * time.Millisecond)
				st.apply(m, at)
			}
		}
		for _, o := range st.out {
			if e, ok := o.Event.(CallClosed); ok {
				checkAccount(t, &e.Account)
				if d := e.Account.Duration; d > 5*time.Minute || d != e.Account.End.Sub(e.Account.Start) {
					t.Errorf("%v: a call of %v", night, d)
				}
			}
		}
	}
}
