package pbx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// archive is a switch that is connected to nothing, and the file with its ended calls.
type archive struct {
	testing.TB
	db *sqlite.DB
	sw *Switch
}

func newArchive(t testing.TB, path string) *archive {
	t.Helper()
	a := &archive{TB: t}
	log := slog.New(slog.DiscardHandler)
	var err error
	a.db, err = sqlite.Open(context.Background(), sqlite.Options{Path: path, MaxSize: 8 << 30, Logger: log})
	a.must(err)
	a.sw, err = New(context.Background(), Options{Store: a.db, Rules: testRules(), Logger: log})
	a.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.db.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		a.must(<-ended)
		a.must(a.db.Close())
	})
	return a
}

func (a *archive) must(err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}

// keep stores accounts as the core does when calls end.
func (a *archive) keep(accounts ...Account) {
	a.Helper()
	r := run{Switch: a.sw}
	a.must(a.db.Do(context.Background(), func(tx *sql.Tx) error {
		for i := range accounts {
			f := r.finished(&accounts[i])
			if err := f.insert(tx); err != nil {
				return err
			}
		}
		return nil
	}))
}

// kathmandu is 5:45 h from UTC, so that no hour of its clock is one of UTC's.
var kathmandu = time.FixedZone("Kathmandu", (5*60+45)*60)

func local(hour, minute, second int) time.Time {
	return time.Date(2026, 11, 20, hour, minute, second, 0, kathmandu)
}

// dayOfCalls is a set that was counted by hand; see TestStatistics.
func dayOfCalls() []Account {
	const s = time.Second
	call := func(id string, at time.Time, queue QueueName, answered bool, miss Miss, talk time.Duration, agents ...Share) Account {
		return Account{
			ID: CallID(id), Caller: "13800000001", Called: "801", Direction: Inbound, Queue: queue, Answered: answered, Miss: miss,
			Talk: talk, Start: at, End: at.Add(talk + 10*s), Agents: agents,
		}
	}
	return []Account{
		call("1", local(8, 59, 59), "630", true, "", 100*s, Share{Exten: "801", Queue: "630", Rings: 1, Answered: true, Talk: 100 * s}), // before the span
		call("2", local(9, 0, 0), "630", true, "", 60*s, Share{Exten: "801", Queue: "630", Rings: 1, Answered: true, Talk: 60 * s, Hold: 5 * s, AfterWork: 20 * s}),
		call("3", local(9, 59, 59), "630", false, MissUnanswered, 0, Share{Exten: "801", Queue: "630", Rings: 2}, Share{Exten: "802", Queue: "630", Rings: 1}),
		call("4", local(10, 0, 0), "631", false, MissGaveUp, 0),
		call("5", local(10, 30, 0), "", true, "", 30500*time.Millisecond, Share{Exten: "802", Talk: 30500 * time.Millisecond}), // 802 called
		call("6", local(10, 45, 0), "", false, "", 0, Share{Exten: "802", Rings: 1}),
		call("7", local(12, 15, 0), "631", true, "", 90*s, Share{Exten: "801", Queue: "631", Rings: 1}, Share{Exten: "802", Queue: "631", Rings: 1, Answered: true, Talk: 90 * s}),
		call("8", local(13, 0, 0), "630", true, "", 100*s, Share{Exten: "801", Queue: "630", Rings: 1, Answered: true, Talk: 100 * s}), // behind it
	}
}

func TestStatistics(t *testing.T) {
	a := newArchive(t, filepath.Join(t.TempDir(), "test.db"))
	a.keep(dayOfCalls()...)
	const s = time.Second
	for name, tc := range map[string]struct {
		queue QueueName
		want  Statistics
	}{
		"all": {"", Statistics{
			Total: Tally{6, 3, 2, 180500 * time.Millisecond},
			Hours: []HourTally{
				{local(9, 0, 0), Tally{2, 1, 1, 60 * s}}, {local(10, 0, 0), Tally{3, 1, 1, 30500 * time.Millisecond}},
				{local(11, 0, 0), Tally{}}, {local(12, 0, 0), Tally{1, 1, 0, 90 * s}},
			},
			Agents: []AgentTally{
				{Exten: "801", Calls: 3, Answered: 1, Missed: 2, Talk: 60 * s, Hold: 5 * s, AfterWork: 20 * s},
				{Exten: "802", Calls: 4, Answered: 1, Missed: 2, Talk: 120500 * time.Millisecond},
			},
		}},
		"of a queue": {"630", Statistics{
			Total:  Tally{2, 1, 1, 60 * s},
			Hours:  []HourTally{{local(9, 0, 0), Tally{2, 1, 1, 60 * s}}, {local(10, 0, 0), Tally{}}, {local(11, 0, 0), Tally{}}, {local(12, 0, 0), Tally{}}},
			Agents: []AgentTally{{Exten: "801", Calls: 2, Answered: 1, Missed: 1, Talk: 60 * s, Hold: 5 * s, AfterWork: 20 * s}, {Exten: "802", Calls: 1, Missed: 1}},
		}},
		"of none": {"699", Statistics{Hours: []HourTally{{Start: local(9, 0, 0)}, {Start: local(10, 0, 0)}, {Start: local(11, 0, 0)}, {Start: local(12, 0, 0)}}}},
	} {
		have, err := a.sw.Statistics(t.Context(), StatisticsFilter{From: local(9, 0, 0), To: local(13, 0, 0), Queue: tc.queue, Zone: kathmandu})
		tc.want.Oldest = local(8, 59, 59)
		if diff := cmp.Diff(tc.want, have); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

// TestStatisticsSpans holds what may be asked for.
func TestStatisticsSpans(t *testing.T) {
	a := newArchive(t, filepath.Join(t.TempDir(), "test.db"))
	from := local(9, 30, 0)
	for _, tc := range []struct {
		to    time.Time
		hours int
	}{{from, 0}, {from.Add(-1), 0}, {from.Add(1), 1}, {from.Add(30*time.Minute + 1), 2}, {from.Add(LongestStatistics), 746}, {from.Add(LongestStatistics + 1), 0}} {
		st, err := a.sw.Statistics(t.Context(), StatisticsFilter{From: from, To: tc.to, Zone: kathmandu})
		invalid := (*InvalidError)(nil)
		if len(st.Hours) != tc.hours || errors.As(err, &invalid) != (tc.hours == 0) || !st.Oldest.IsZero() {
			t.Errorf("%v: %d hours, %v", tc.to.Sub(from), len(st.Hours), err)
		}
	}
}

// TestHoursWhenTheClockIsSet: the hour that is there twice is two, that which is left out is none, and no call is lost.
func TestHoursWhenTheClockIsSet(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	a := newArchive(t, filepath.Join(t.TempDir(), "test.db"))
	for name, day := range map[string]time.Time{"back": time.Date(2026, 10, 25, 0, 0, 0, 0, berlin), "forth": time.Date(2026, 3, 29, 0, 0, 0, 0, berlin)} {
		end := day.AddDate(0, 0, 1)
		want := int(end.Sub(day) / time.Hour)
		for i := range want * 4 {
			a.keep(Account{ID: CallID(fmt.Sprint(name, i)), Start: day.Add(time.Duration(i) * quarter), End: end})
		}
		st, err := a.sw.Statistics(t.Context(), StatisticsFilter{From: day, To: end, Zone: berlin})
		a.must(err)
		if len(st.Hours) != want || want == 24 || st.Total.Calls != want*4 {
			t.Errorf("%s: %d hours, %d calls; want %d hours", name, len(st.Hours), st.Total.Calls, want)
		}
		for _, h := range st.Hours {
			if h.Calls != 4 {
				t.Errorf("%s: %d calls in the hour of %v", name, h.Calls, h.Start)
			}
		}
	}
}

// TestLatest reads calls backwards, in pages of every size, by all that a filter has.
func TestLatest(t *testing.T) {
	a := newArchive(t, filepath.Join(t.TempDir(), "test.db"))
	yes, no := true, false
	accounts := dayOfCalls()
	accounts[2].Start = accounts[1].Start // two at one moment
	accounts[3].Recording, accounts[3].CallerName, accounts[3].DID = "/x.wav", "Åsa Öberg", "12345"
	accounts[4].Direction, accounts[4].Called, accounts[4].CalledName = Outbound, "02155556666", "王小明 100%_"
	slices.SortStableFunc(accounts, func(x, y Account) int { return strings.Compare(string(y.ID), string(x.ID)) }) // told in another order than begun
	a.keep(accounts...)
	for name, tc := range map[string]struct {
		f    CallFilter
		want string
	}{
		"all":                 {CallFilter{}, "8 7 6 5 4 2 3 1"}, // 2 was told after 3
		"from":                {CallFilter{From: local(10, 30, 0)}, "8 7 6 5"},
		"to":                  {CallFilter{To: local(10, 30, 0)}, "4 2 3 1"},
		"extension":           {CallFilter{Exten: "802"}, "7 6 5 3"},
		"queue":               {CallFilter{Queue: "631"}, "7 4"},
		"direction":           {CallFilter{Direction: "outbound"}, "5"},
		"answered":            {CallFilter{Answered: &yes}, "8 7 5 2 1"},
		"not answered":        {CallFilter{Answered: &no, Queue: "630"}, "3"},
		"number":              {CallFilter{Number: "02155556666"}, "5"},
		"part of a number":    {CallFilter{Number: "0215555"}, ""},
		"DID":                 {CallFilter{Number: "12345"}, "4"},
		"recorded":            {CallFilter{Recorded: &yes}, "4"},
		"not recorded":        {CallFilter{Recorded: &no, To: local(10, 30, 0)}, "2 3 1"},
		"text in a number":    {CallFilter{Text: "5555"}, "5"},
		"text in a DID":       {CallFilter{Text: "234"}, "4"},
		"text in a name":      {CallFilter{Text: "ÅSA ö"}, "4"},
		"Chinese":             {CallFilter{Text: "小明"}, "5"},
		"no wildcards":        {CallFilter{Text: "0%_"}, "5"},
		"a percent is none":   {CallFilter{Text: "0%1"}, ""},
		"a name is no number": {CallFilter{Number: "åsa öberg"}, ""},
	} {
		for size := range 10 {
			var have []string
			var place CallPlace
			for more := true; more; {
				tc.f.Limit, more = size, false
				a.must(a.sw.Latest(t.Context(), tc.f, place, func(e *EndedCall) error {
					have, place, more = append(have, string(e.ID)), e.Place(), size > 0
					return nil
				}))
				again, err := ParseCallPlace(place.String())
				if a.must(err); again != place {
					t.Fatalf("%v became %v", place, again)
				}
			}
			if got := strings.Join(have, " "); got != tc.want {
				t.Errorf("%s by %d: %s, want %s", name, size, got, tc.want)
			}
		}
	}
	stop := errors.New("stop")
	if err := a.sw.Latest(t.Context(), CallFilter{}, CallPlace{}, func(*EndedCall) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("ended with %v", err)
	}
	invalid := (*InvalidError)(nil)
	if err := a.sw.Latest(t.Context(), CallFilter{Exten: "trunk"}, CallPlace{}, nil); !errors.As(err, &invalid) {
		t.Errorf("not an extension: %v", err)
	}
	for _, text := range []string{"", "1", ".", "1.", ".1", "1.2.3", "x.1", "1.x", "01.1", "+1.1", " 1.1", "99999999999999999999.1"} {
		if _, err := ParseCallPlace(text); !errors.As(err, &invalid) {
			t.Errorf("place %q: %v", text, err)
		}
	}
}

// TestOldCallsAreCounted opens a file of the version before the search.
func TestOldCallsAreCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.Index(schema, searchSchema)
	err = errors.Join(db.Migrate(t.Context(), "pbx", schema[:i]), db.Prepare(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO pbx_calls (call, started, ended, caller, called, did, direction, queue, answered, body) VALUES
			('1', 1795286000000, 1795286060000, '801', '802', '', 'internal', '', 1, CAST('{"ID":"1","Talk":5000000000,"Recording":"/r.wav","Miss":""}' AS BLOB)),
			('2', 1795286001000, 1795286060000, '801', '802', '', 'internal', '630', 0, CAST('{"ID":"2","Talk":0,"Recording":"","Miss":"nobody"}' AS BLOB)),
			('3', 1795286002000, 1795286060000, '801', '802', '', 'internal', '', 0, CAST('{}' AS BLOB));
			INSERT INTO pbx_call_agents (exten, seq, queue, rings, ring, talk, hold, afterwork, answered) VALUES ('802', 1, '', 1, 9, 5000, 0, 0, 1)`)
		return err
	}), db.Close())
	if err != nil {
		t.Fatal(err)
	}
	a := newArchive(t, path)
	from := time.Unix(1795286000, 0)
	st, err := a.sw.Statistics(t.Context(), StatisticsFilter{From: from, To: from.Add(time.Minute), Zone: time.UTC})
	a.must(err)
	if want := (Tally{3, 1, 1, 5 * time.Second}); st.Total != want || len(st.Agents) != 1 || st.Agents[0].Talk != 5*time.Second {
		t.Errorf("%+v", st)
	}
	recorded, have := true, ""
	a.must(a.sw.Latest(t.Context(), CallFilter{Recorded: &recorded}, CallPlace{}, func(e *EndedCall) error {
		have += string(e.ID)
		return nil
	}))
	if have != "1" {
		t.Errorf("recorded: %q", have)
	}
}

// TestSearchReadsOneIndex: neither a list nor a count may touch the accounts of calls that are not chosen.
func TestSearchReadsOneIndex(t *testing.T) {
	a := newArchive(t, filepath.Join(t.TempDir(), "test.db"))
	yes := true
	f := CallFilter{From: local(9, 0, 0), To: local(10, 0, 0), Queue: "630", Direction: "inbound", Answered: &yes, Recorded: &yes, Number: "1", Text: "x", Limit: 10}
	list, args := f.latest(CallPlace{1, 1})
	for query, tc := range map[string]struct {
		args []any
		want string
	}{
		list:        {args, "SEARCH pbx_calls USING INDEX pbx_calls_started (started>? AND started<?)"},
		hourQuery:   {[]any{1, 1, ""}, "SEARCH pbx_calls USING COVERING INDEX pbx_calls_started (started>? AND started<?)"},
		agentQuery:  {[]any{1, 1, "", "801"}, "SEARCH pbx_call_agents USING COVERING INDEX pbx_call_agents_started (exten=? AND started>? AND started<?)"},
		nextAgent:   {[]any{""}, "SEARCH pbx_call_agents USING COVERING INDEX pbx_call_agents_started (exten>?)"},
		oldestQuery: {nil, "SCAN pbx_calls USING COVERING INDEX pbx_calls_started"},
	} {
		var plan []string
		a.must(sqlite.Each(t.Context(), a.db.Reader(), "EXPLAIN QUERY PLAN "+query, func(row *sql.Rows) error {
			var id, parent, unused int
			var detail string
			err := row.Scan(&id, &parent, &unused, &detail)
			plan = append(plan, detail)
			return err
		}, tc.args...))
		if len(plan) == 0 || plan[0] != tc.want || len(plan) != 1 {
			t.Errorf("%q for %s", plan, query)
		}
	}
}

// TestSearchesAreFew: those who read through the ended calls wait for each other, and nobody else waits for them.
func TestSearchesAreFew(t *testing.T) {
	a := newArchive(t, filepath.Join(t.TempDir(), "test.db"))
	for range maxSearches {
		done, err := a.sw.search(t.Context())
		a.must(err)
		defer done()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	none := func(*EndedCall) error { return nil }
	if err := a.sw.Latest(ctx, CallFilter{}, CallPlace{}, none); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a search: %v", err)
	}
	if _, err := a.sw.Statistics(ctx, StatisticsFilter{From: time.Unix(0, 0), To: time.Unix(1, 0), Zone: time.UTC}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("statistics: %v", err)
	}
	if _, _, err := a.sw.Account(t.Context(), "1.1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("one call: %v", err)
	}
	<-a.sw.searches
	err := a.sw.Latest(t.Context(), CallFilter{}, CallPlace{}, none)
	a.sw.searches <- struct{}{}
	a.must(err)
}
