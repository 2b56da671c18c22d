package coocenter

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

const (
	pathEnded  = "/coocenter-api/calls"
	pathEvents = "/coocenter-api/events"
)

// pastCalls are calls of which the database knows, in the order of their ends.
func pastCalls() []pbx.Account {
	missed := vendorsMiss()
	missed.Agents = append(missed.Agents, pbx.Share{Exten: "808", Queue: "630", Rings: 1, Ring: time.Second})
	return []pbx.Account{
		{ID: "1.4", Caller: "808", Called: "809", Direction: pbx.Internal, Side: pbx.SideCaller, Cause: "16", CauseText: "Normal Clearing", Start: at(-60), End: at(-50), Duration: 10 * time.Second, Agents: []pbx.Share{{Exten: "808"}, {Exten: "809", Rings: 1}}},
		fullAccount(),
		missed,
		{ID: "1.6", Caller: "808", Called: "02155556666", Direction: pbx.Outbound, Answered: true, Stage: pbx.StageTalk, Side: pbx.SideCaller, Start: at(50000), End: at(50060), Duration: time.Minute, Talk: 50 * time.Second, Agents: []pbx.Share{{Exten: "808"}}},
		{ID: "1.5", Caller: "02112345678", Called: "123456", Direction: pbx.Inbound, DID: "123456", Side: pbx.SideSystem, LinkLost: true, Start: at(60000), End: at(60000)},
	}
}

// remember puts calls into the database as the core does.
func (r *rig) remember(calls []pbx.Account) {
	r.t.Helper()
	r.must(r.db.Do(r.t.Context(), func(tx *sql.Tx) error {
		for i := range calls {
			if err := insertCall(tx, &calls[i]); err != nil {
				return err
			}
		}
		return nil
	}))
}

func insertCall(tx *sql.Tx, a *pbx.Account) error {
	ctx := context.Background()
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO pbx_calls (call, started, ended, caller, called, did, direction, queue, answered, search, body)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, lower(char(10) || ?4 || char(10) || ?5 || char(10) || ?6 || char(10)), ?10)`,
		a.ID, a.Start.UnixMilli(), a.End.UnixMilli(), a.Caller, a.Called, a.DID, a.Direction.String(), a.Queue, a.Answered, body)
	if err != nil {
		return err
	}
	seq, err := res.LastInsertId()
	if err != nil {
		return err
	}
	for _, sh := range a.Agents {
		if _, err := tx.ExecContext(ctx, `INSERT INTO pbx_call_agents (exten, seq, queue, rings, ring, talk, hold, afterwork, answered)
			VALUES (?, ?, ?, 0, 0, 0, 0, 0, 0)`, sh.Exten, seq, sh.Queue); err != nil {
			return err
		}
	}
	return nil
}

// push puts events into the outbox behind those of the extensions that the fake has by itself.
func (r *rig) push(events ...webhook.Event) {
	r.t.Helper()
	r.until("the states of the extensions", func() bool {
		list, err := r.outbox.List(r.t.Context(), webhook.Filter{Kind: "extensionstatus"})
		r.must(err)
		return len(list) == 4
	})
	done := make(chan error, 1)
	r.outbox.Put(events, func(err error) { done <- err })
	r.must(<-done)
}

func pastEvents() []webhook.Event {
	event := func(id, kind, call string, second float64) webhook.Event {
		return webhook.Event{ID: id, Kind: kind, Key: call, At: at(second), Weight: webhook.Never, Body: fmt.Appendf(nil, `{"event":%q,"callerid":"\"808\" <808>","uniqueid":%q}`, kind, call)}
	}
	return []webhook.Event{
		event("evt_one", "dialbegin", "1.1", 0), event("evt_two", "cdr", "1.1", 1.5), event("evt_three", "cc_cdr", "1.1", 2), event("evt_four", "cdr", "1.2", 3),
	}
}

// history is a rig with past calls and events.
func (r *rig) history() *rig {
	r.t.Helper()
	r.remember(pastCalls())
	r.push(pastEvents()...)
	return r
}

// get decodes the answer to a request that succeeds.
func (r *rig) get(target string, into any, header ...string) {
	r.t.Helper()
	w := r.request(http.MethodGet, target, "", header...)
	if w.Code != http.StatusOK {
		r.t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	r.must(json.Unmarshal(w.Body.Bytes(), into))
}

// rowPage and eventPage are what a client sees.
type rowPage struct {
	Data []map[string]any
	Next string
}

type eventPage struct {
	Data []struct {
		ID, State, Time string
		Body            json.RawMessage
	}
	Next string
}

// TestListIsWhatWasPushed plays a call: its row in the list, its record alone, and the event that is read again tell what was
// pushed.
func TestListIsWhatWasPushed(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	r.play(filepath.Join(captures, "22-ivr-queue.ami"))
	var pushed map[string]any
	for _, rec := range r.stored() {
		if rec.Kind == "cc_cdr" {
			r.must(json.Unmarshal(rec.Body, &pushed))
		}
	}
	var list rowPage
	r.until("the call", func() bool {
		r.get(pathEnded, &list)
		return len(list.Data) > 0
	})
	var story struct{ Data map[string]any }
	r.get(pathEnded+"/"+fmt.Sprint(pushed["uuid"]), &story)
	if story.Data["ended"] != true || story.Data["answered"] != true || len(story.Data["timeline"].([]any)) != 6 {
		t.Errorf("%v", story.Data)
	}
	for _, key := range []string{"ended", "truncated", "answered", "agents", "timeline"} {
		delete(story.Data, key)
	}
	if list.Data[0]["id"] != list.Next {
		t.Errorf("next is %s behind %v", list.Next, list.Data[0]["id"])
	}
	delete(list.Data[0], "id")
	var again eventPage
	r.get(pathEvents+"?event=cc_cdr", &again)
	var body map[string]any
	r.must(json.Unmarshal(again.Data[0].Body, &body))
	if diff := cmp.Diff(pushed, body); diff != "" {
		t.Errorf("event (-pushed +read again):\n%s", diff)
	}
	delete(pushed, "event")
	if diff := cmp.Diff(pushed, list.Data[0]); diff != "" {
		t.Errorf("row (-pushed +listed):\n%s", diff)
	}
	if diff := cmp.Diff(pushed, story.Data); diff != "" {
		t.Errorf("call (-pushed +asked for):\n%s", diff)
	}
}

// TestLiveCall asks for a call that goes on: what is not over has no end yet.
func TestLiveCall(t *testing.T) {
	fake := newAsterisk(t)
	fake.channels = liveChannels()
	r := newRig(t, fake, rigOptions{}).complete()
	var story struct {
		Data struct {
			UUID, Caller, HangupSide, HangupCause, StartTime, EndTime string
			Ended, Answered                                           bool
			Agents                                                    []agentRow
			Timeline                                                  []spanRow
		}
	}
	r.get(pathEnded+"/1795286308.1", &story)
	d := story.Data
	if d.UUID != "1795286308.1" || d.Caller != "808" || d.Ended || !d.Answered || d.EndTime != "" || d.StartTime == "" || d.HangupSide != "" || d.HangupCause != "" {
		t.Errorf("%+v", d)
	}
	if len(d.Agents) != 2 || len(d.Timeline) != 2 {
		t.Fatalf("%+v", d)
	}
	for _, sp := range d.Timeline {
		if sp.Type != "talk" || sp.EndTime != "" || sp.StartTime == "" || sp.Duration < 0 {
			t.Errorf("%+v", sp)
		}
	}
	var list rowPage
	if r.get(pathEnded, &list); len(list.Data) != 0 || list.Next != "0" {
		t.Errorf("a live call is among the ended ones: %+v", list)
	}
}

// TestAfterCallWorkIsWaitedFor: a call that is over and whose agent still works on it has its end, and is not final.
func TestAfterCallWorkIsWaitedFor(t *testing.T) {
	rules, a := sampleRules(), fullAccount()
	over, lives, done := rules.story(&a, true), a, rules.story(&a, false)
	lives.Side = ""
	if s := rules.story(&lives, true); s.Ended || s.EndTime != "" {
		t.Errorf("a live call: %+v", s)
	}
	if over.Ended || over.EndTime != "2018-11-05 10:00:54" || !done.Ended {
		t.Errorf("a call that is over: ended %v at %q", over.Ended, over.EndTime)
	}
}

// TestPagesLeaveNothingOut walks through more calls than are read at once, and through the events.
func TestPagesLeaveNothingOut(t *testing.T) {
	const n = 230
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	var calls []pbx.Account
	var events []webhook.Event
	for i := range n {
		id := fmt.Sprintf("7.%03d", i)
		calls = append(calls, pbx.Account{ID: pbx.CallID(id), Start: at(float64(i)), End: at(float64(i))})
		events = append(events, webhook.Event{ID: "evt_" + id, Kind: "cdr", Key: id, Body: []byte(`{}`), Weight: webhook.Never})
	}
	r.remember(calls)
	r.push(events...)
	for _, limit := range []int{1, 7, 50, 51, 100, 229, 230, 1000} {
		var got []string
		for next := "0"; ; {
			var p rowPage
			r.get(fmt.Sprintf("%s?after=%s&limit=%d", pathEnded, next, limit), &p)
			if len(p.Data) == 0 {
				if p.Next != next {
					t.Errorf("nothing came, and next is %s, not %s", p.Next, next)
				}
				break
			}
			for _, row := range p.Data {
				got = append(got, fmt.Sprint(row["uuid"]))
			}
			next = p.Next
		}
		if len(got) != n || got[0] != "7.000" || got[n-1] != "7.229" {
			t.Errorf("limit %d: %d calls", limit, len(got))
		}
		got = nil
		for next := ""; ; {
			var p eventPage
			r.get(fmt.Sprintf("%s?event=cdr&after=%s&limit=%d", pathEvents, next, limit), &p)
			if len(p.Data) == 0 {
				break
			}
			for _, row := range p.Data {
				got = append(got, row.ID)
			}
			next = p.Next
		}
		if len(got) != n || got[0] != "evt_7.000" || got[n-1] != "evt_7.229" {
			t.Errorf("limit %d: %d events", limit, len(got))
		}
	}
}

// TestHistoryNeedsNoAsterisk asks while Asterisk refuses the login, and with the key of the day alone.
func TestHistoryNeedsNoAsterisk(t *testing.T) {
	fake, rules := newAsterisk(t), sampleRules()
	fake.Refuse()
	rules.WebKey = sampleKey
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	r := newRig(t, fake, rigOptions{rules: &rules, now: func() time.Time { return noon }})
	r.remember(pastCalls())
	done := make(chan error, 1)
	r.outbox.Put(pastEvents(), func(err error) { done <- err })
	r.must(<-done)
	for _, target := range []string{pathEnded, pathEnded + "/1.1", pathEvents} {
		r.expect(401, unauthorized, http.MethodGet, target, "")
		var answer map[string]any
		r.get(target, &answer, "Authorization", tokenToday)
	}
}

// TestTimesAreOfThePBX asks in a zone other than UTC, and after a change of the rules.
func TestTimesAreOfThePBX(t *testing.T) {
	rules := sampleRules()
	rules.Location = time.FixedZone("box", 8*3600)
	r := newRig(t, newAsterisk(t), rigOptions{rules: &rules}).complete().history()
	var list rowPage
	r.get(pathEnded+"?from=2018-11-05+18:00:00&to=2018-11-05+18:00:01", &list)
	if len(list.Data) != 1 || list.Data[0]["uuid"] != "1.1" || list.Data[0]["startTime"] != "2018-11-05 18:00:00" {
		t.Errorf("%+v", list)
	}
	var events eventPage
	r.get(pathEvents+"?uniqueid=1.1&limit=1", &events)
	if events.Data[0].Time != "2018-11-05 18:00:00" {
		t.Errorf("%+v", events)
	}
}

// TestLongParameters holds the longest text that is read of each parameter, and of a call's id.
func TestLongParameters(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{})
	long := strings.Repeat("1", 8193)
	for path, names := range map[string][]string{
		pathEnded:  {"after", "limit", "from", "to", "extension", "queue", "direction", "answered", "number"},
		pathEvents: {"after", "limit", "event", "uniqueid"},
	} {
		for _, name := range names {
			r.expect(400, name+" is longer than 8192 bytes", http.MethodPost, path, name+"="+long)
			if w := r.request(http.MethodPost, path, name+"="+long[1:]); w.Code != 400 && name+path != "after"+pathEvents {
				t.Errorf("%s of 8192 bytes: %d %s", name, w.Code, w.Body)
			}
		}
	}
	r.expect(404, "No such event", http.MethodPost, pathEvents, "after="+long[1:])
	r.expect(404, "No such call", http.MethodGet, pathEnded+"/"+long, "")
	r.expect(404, "No such call", http.MethodGet, pathEnded+"/"+long[:151], "")
}

// TestLongAccountsAreBounded lists calls with as many spans as are kept of one: what is in memory for an answer does not grow
// with them.
func TestLongAccountsAreBounded(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	long := fullAccount()
	for range 99 {
		long.Spans = append(long.Spans, fullAccount().Spans...)
	}
	body, err := json.Marshal(long)
	r.must(err)
	const n = 120
	r.must(r.db.Do(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO pbx_calls (call, started, ended, caller, called, did, direction, queue, answered, body)
			SELECT '8.' || i, 0, 0, '', '', '', 'inbound', '', 1, ? FROM n`, n-1, body)
		return err
	}))
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := r.request(http.MethodGet, pathEnded+"?limit=1000", "")
	if got := strings.Count(w.Body.String(), `"uuid"`); got != n {
		t.Errorf("%d calls, %d %.200s", got, w.Code, w.Body)
	}
	runtime.ReadMemStats(&after)
	if used, all := int(after.HeapSys-min(before.HeapSys, after.HeapSys)), n*len(body); used > 2*all {
		t.Errorf("the heap has grown by %d bytes for %d bytes of accounts", used, all)
	}
	var story struct{ Data callStory }
	r.get(pathEnded+"/8.7", &story)
	if len(story.Data.Timeline) != len(long.Spans) {
		t.Errorf("%d of %d spans", len(story.Data.Timeline), len(long.Spans))
	}
}
