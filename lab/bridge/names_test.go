package bridge_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
)

// TestNamesOfWhoJoins: who listens to a call, and who takes one from a parking space, stand on the wallboard and in the list of ended calls with their own
// numbers and those of whom they hear, not with what their phones were shown, or dialled, on the way.
func TestNamesOfWhoJoins(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		b.out = b.trunk()
		furnish(b)
		b.since = time.Now()
		agent, taker, listener := b.phone("804"), b.phone("805"), b.phone("806")
		agent.Behave(ring(100 * time.Millisecond))
		listener.Behave(ring(100 * time.Millisecond))
		b.idle("804", "805", "806")
		f := b.followed()
		party := func(number, want string) {
			t.Helper()
			f.until(number+" with "+want, func() bool {
				x := f.rows["extensions"][number]
				sign := "<"
				if x["outbound"] == true {
					sign = ">"
				}
				return x["party"] != nil && sign+fmt.Sprint(x["party"]) == want
			})
		}
		c := b.fromOutside("02150000032", "0219902804")
		b.must(c.Answered(b.within(10 * time.Second)))
		in := b.incoming(agent)
		b.must(in.Heard(b.within(5*time.Second), 30))
		b.does("extensions/extenSpy", "spy extension success", "dst", "804", "src", "806")
		spy := b.incoming(listener)
		b.must(spy.Received(b.within(5*time.Second), 20))
		f.call("806", "up")
		f.until("the listener's own row", func() bool {
			return slices.ContainsFunc(b.rowsOf(f, "calls"), func(row map[string]any) bool {
				legs, _ := row["legs"].([]any)
				return row["caller"] == "806" && row["called"] == "804" && row["caller_name"] == nil && len(legs) == 1 && legs[0].(map[string]any)["name"] == nil
			})
		})
		party("804", "<02150000032")
		party("806", ">804")
		b.must(in.Refer(b.ctx, "700"))
		space := b.parked("02150000032")
		take := b.dial(taker, space)
		b.must(take.Heard(b.within(10*time.Second), 30))
		party("805", "<02150000032")
		b.must(c.Hangup(b.ctx))
		var have []string
		b.eventually("all three calls", func() bool {
			var page struct {
				Calls []struct {
					Caller, Called string
					Name           string `json:"caller_name"`
				}
			}
			b.console("/calls", &page)
			have = nil
			for _, x := range page.Calls {
				have = append(have, x.Caller+" ("+x.Name+") "+x.Called)
			}
			return len(have) == 3
		})
		if diff := cmp.Diff([]string{"805 (Phone 805) " + space, "806 () 804", "02150000032 () 805"}, have); diff != "" {
			t.Error(diff)
		}
	})
}

// rowsOf are all rows of a section. The caller holds f.mu.
func (b *bench) rowsOf(f *feed, section string) (list []map[string]any) {
	for _, row := range f.rows[section] {
		list = append(list, row)
	}
	return list
}
