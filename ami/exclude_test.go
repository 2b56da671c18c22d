package ami_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

var exclusions = []ami.Exclusion{
	{Event: "RTCPSent"},
	{Event: "VarSet", Header: "Variable", Except: []string{"VMSTATUS", "VMAIL", "QUEUESTATUS", "VARIOUS"}},
	{Event: "DialState"},
}

var exclusionLines = []string{
	"!^Event: VarSet[[:cntrl:]].*[[:cntrl:]]Variable: ([^QV]|Q[^U]|V[^MMA])",
	"!^Event: (RTCPSent|DialState)[[:cntrl:]]",
}

func TestExclusionsAreFewLines(t *testing.T) {
	if diff := cmp.Diff(exclusionLines, ami.Filters(exclusions)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := ami.Filters(nil); got != nil {
		t.Errorf("of nothing: %q", got)
	}
}

// TestExclusionsHoldNoMoreThanNames keeps out what would be another line of the wire, or has a meaning in an expression.
func TestExclusionsHoldNoMoreThanNames(t *testing.T) {
	long := make([]ami.Exclusion, 200)
	for i := range long {
		long[i].Event = fmt.Sprintf("Event%d", i)
	}
	for _, list := range [][]ami.Exclusion{
		{{}}, {{Event: "A"}}, {{Event: "Dial\r\n\r\nAction: Reload"}}, {{Event: ".*"}}, {{Event: "Dial|Hangup"}}, {{Event: "Ab\x00"}},
		{{Event: "VarSet", Header: "Variable"}}, {{Event: "VarSet", Header: "V\nx", Except: []string{"ABC"}}},
		{{Event: "VarSet", Header: "Variable", Except: []string{"A"}}}, {{Event: "VarSet", Header: "Variable", Except: []string{"A]"}}}, long,
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("taken: %+v", list)
				}
			}()
			ami.New(ami.Options{Exclude: list})
		}()
	}
}

// TestFiltersAreAskedForFirst holds that the filters are set on each connection, and before any other action.
func TestFiltersAreAskedForFirst(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		o := srv.Options()
		o.Exclude = exclusions
		r := up(t, o)
		synctest.Wait()
		for n := 1; n <= 2; n++ {
			if !r.Status().Filtered {
				t.Errorf("connection %d: not filtered", n)
			}
			var got []string
			for _, a := range srv.Received("Filter") {
				if a.Get("Operation") != "Add" {
					t.Errorf("action %v", a)
				}
				got = append(got, a.Get("Filter"))
			}
			want := exclusionLines
			if n == 2 {
				want = append(want[:2:2], want...)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("connection %d (-want +got):\n%s", n, diff)
			}
			if n == 2 {
				break
			}
			srv.Drop()
			r.expect(t, ami.ItemDisconnected)
			if r.Status().Filtered {
				t.Error("filtered without a connection")
			}
			r.expect(t, ami.ItemConnected)
			if _, err := r.Do(t.Context(), ami.NewAction("Ping")); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
	})
}

// TestActionsComeBehindTheFilters orders an action as early as can be.
func TestActionsComeBehindTheFilters(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		var order []string
		for _, name := range []string{"Filter", "CoreStatus"} {
			srv.Handle(name, func(s *amitest.Session, a ami.Action) {
				order = append(order, name)
				s.Respond(a, "Success")
			})
		}
		o := srv.Options()
		o.Exclude = exclusions
		r := run(t, o)
		for {
			if _, err := r.Do(t.Context(), ami.NewAction("CoreStatus")); !errors.Is(err, ami.ErrOffline) {
				break
			}
			r.expect(t, ami.ItemConnected)
		}
		synctest.Wait()
		if got := strings.Join(order, " "); got != "Filter Filter CoreStatus" {
			t.Errorf("Asterisk saw %s", got)
		}
	})
}

// TestWithoutFilters holds that an Asterisk that does not filter is as good as any, and told of once.
func TestWithoutFilters(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		srv.Handle("Filter", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", "Permission denied") })
		var log bytes.Buffer
		o := srv.Options()
		o.Exclude, o.Logger = exclusions, slog.New(slog.NewTextHandler(&log, nil))
		o.Want = func(event string) bool { return event != "DialState" }
		r := up(t, o)
		for range 2 {
			srv.Event("DialState")
			srv.Event("Hangup")
			r.expectEvent(t, "Hangup")
			if s := r.Status(); s.Phase != ami.Up || s.Err != nil || s.Filtered {
				t.Errorf("status is %+v", s)
			}
			srv.Drop()
			r.expect(t, ami.ItemDisconnected)
			r.expect(t, ami.ItemConnected)
			r.expectEvent(t, "FullyBooted")
			r.expectEvent(t, "SuccessfulAuth")
		}
		if n := r.Stats().Unwanted; n != 2 {
			t.Errorf("%d unwanted events", n)
		}
		r.stop(t)
		if n := strings.Count(log.String(), "sends events that nobody needs"); n != 1 {
			t.Errorf("told %d times:\n%s", n, &log)
		}
		for _, line := range exclusionLines {
			if !strings.Contains(log.String(), "eventfilter = "+line) {
				t.Errorf("the log does not tell the line %s:\n%s", line, &log)
			}
		}
		if strings.Contains(log.String(), "level=WARN msg=\"asterisk sends") {
			t.Errorf("it is a warning:\n%s", &log)
		}
	})
}

// TestFiltersThatAreNeverAnswered end with the connection, and are no news.
func TestFiltersThatAreNeverAnswered(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		srv.Silent("Filter")
		var log bytes.Buffer
		o := srv.Options()
		o.Exclude, o.Logger = exclusions, slog.New(slog.NewTextHandler(&log, nil))
		r := up(t, o)
		srv.Wait("Filter")
		if _, err := r.Do(t.Context(), ami.NewAction("Ping")); err != nil {
			t.Error(err)
		}
		if r.Status().Filtered {
			t.Error("filtered without an answer")
		}
		r.stop(t)
		if strings.Contains(log.String(), "nobody needs") {
			t.Errorf("told:\n%s", &log)
		}
	})
}
