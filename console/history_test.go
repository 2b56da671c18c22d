package console

import (
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/pbx"
)

// at is a moment of a day on the PBX's clock.
func at(hour, minute, second int) time.Time {
	return time.Date(2026, 11, 20, hour, minute, second, 0, shanghai)
}

// pastCalls are calls of a day. Some callers have chosen names that are not for reading.
func pastCalls() []pbx.Account {
	const s = time.Second
	return []pbx.Account{
		{ID: "1.1", Caller: "13800000001", CallerName: "王小明", Called: "801", CalledName: "Ann", Direction: pbx.Inbound, DID: "4000000", Queue: "630", Agent: "801",
			Answered: true, Side: pbx.SideCaller, Start: at(9, 0, 0), End: at(9, 1, 30), Duration: 90 * s, Waiting: 10 * s, Ring: 4500 * time.Millisecond, Talk: 80 * s,
			Recording: "/var/spool/asterisk/monitor/1.wav", Score: "5", Agents: []pbx.Share{{Exten: "801", Queue: "630", Rings: 1, Answered: true, Talk: 80 * s}}},
		{ID: "1.2", Caller: "+8613800000002", CallerName: `=HYPERLINK("http://evil.example","x")`, Called: "801", Direction: pbx.Inbound, DID: "4000000", Queue: "630",
			Miss: pbx.MissGaveUp, Side: pbx.SideCaller, Start: at(9, 10, 0), End: at(9, 10, 8), Duration: 8 * s, Waiting: 8 * s},
		{ID: "1.3", Caller: "801", CallerName: "-1+2", Called: "02155556666", CalledName: "@SUM(1,2)", Direction: pbx.Outbound, Answered: true, Side: pbx.SideCalled,
			Start: at(10, 0, 0), End: at(10, 5, 0), Duration: 300 * s, Talk: 290 * s, Agents: []pbx.Share{{Exten: "801", Talk: 290 * s}}},
		{ID: "1.4", Caller: "802", CallerName: "a \"b\", c\nd", Called: "801", CalledName: "　＝1", Direction: pbx.Internal, Side: pbx.SideSystem, LinkLost: true,
			Start: at(11, 0, 0), End: at(11, 0, 9), Duration: 9 * s, Agents: []pbx.Share{{Exten: "802"}, {Exten: "801", Rings: 1}}},
	}
}

// remember puts calls into the database as the core does.
func (r *rig) remember(calls ...pbx.Account) {
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
	search := strings.ToLower("\n" + strings.Join([]string{a.Caller, a.Called, a.DID, a.CallerName, a.CalledName}, "\n") + "\n")
	res, err := tx.ExecContext(ctx, `INSERT INTO pbx_calls (call, started, ended, caller, called, did, direction, queue, answered, talk, abandoned, recorded, search, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, a.ID, a.Start.UnixMilli(), a.End.UnixMilli(), a.Caller, a.Called, a.DID, a.Direction.String(), a.Queue,
		a.Answered, a.Talk.Milliseconds(), a.Miss != "", a.Recording != "", search, body)
	if err != nil {
		return err
	}
	seq, err := res.LastInsertId()
	if err != nil {
		return err
	}
	for _, sh := range a.Agents {
		if _, err := tx.ExecContext(ctx, `INSERT INTO pbx_call_agents (exten, seq, started, queue, rings, ring, talk, hold, afterwork, answered)
			VALUES (?, ?, ?, ?, ?, 0, ?, 0, 0, ?)`, sh.Exten, seq, a.Start.UnixMilli(), sh.Queue, sh.Rings, sh.Talk.Milliseconds(), sh.Answered); err != nil {
			return err
		}
	}
	return nil
}

// get decodes the answer to a request that succeeds.
func (r *rig) get(target string, into any) {
	r.t.Helper()
	w := r.request(http.MethodGet, Prefix+target, "")
	if w.Code != http.StatusOK {
		r.t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	r.must(json.Unmarshal(w.Body.Bytes(), into))
}

func (r *rig) listed(query string) (ids string, next string) {
	r.t.Helper()
	var p callPage
	r.get("/calls"+query, &p)
	for _, row := range p.Calls {
		ids += strings.TrimPrefix(row.ID, "1.")
	}
	return ids, p.Next
}

func TestCalls(t *testing.T) {
	r := newRig(t, 20)
	r.remember(pastCalls()...)
	for query, want := range map[string]string{
		"":                               "4321",
		"?from=2026-11-20+09:10:00":      "432",
		"?to=2026-11-20T01:10:00Z":       "1",
		"?extension=801":                 "431",
		"?extension=PJSIP/802":           "4",
		"?queue=630":                     "21",
		"?direction=Inbound":             "21",
		"?answered=no":                   "42",
		"?answered=1&direction=outbound": "3",
		"?number=4000000":                "21",
		"?recorded=yes":                  "1",
		"?text=%E5%B0%8F":                "1",
		"?text=555566":                   "3",
		"?text=ann":                      "1",
		"?text=%25":                      "",
		"?text=&queue=&from=":            "4321",
		"?text=8613800000002&number=%2B8613800000002": "2",
	} {
		if have, next := r.listed(query); have != want || next != "" {
			t.Errorf("%s: %s and %q, want %s", query, have, next, want)
		}
	}
	var all string
	next := ""
	for range 5 {
		var have string
		have, next = r.listed("?limit=1&before=" + next)
		if all += have; next == "" {
			break
		}
	}
	if all != "4321" {
		t.Errorf("by pages: %s", all)
	}
	var p callPage
	r.get("/calls?text=%E5%B0%8F", &p)
	want := []pastCall{{
		ID: "1.1", Start: "2026-11-20T09:00:00+08:00", End: "2026-11-20T09:01:30+08:00", Direction: "inbound", Caller: "13800000001", CallerName: "王小明",
		Called: "801", CalledName: "Ann", DID: "4000000", Queue: "630", Agent: "801", Answered: true, EndedBy: "caller", Duration: 90, Waiting: 10, Ring: 4.5,
		Talk: 80, Score: "5", Recording: true,
	}}
	if diff := cmp.Diff(want, p.Calls); diff != "" {
		t.Error(diff)
	}
}

// TestFaultsInParameters: each fault of each parameter is told by its name, and nothing else is answered.
func TestFaultsInParameters(t *testing.T) {
	r := newRig(t, 20)
	filters := map[string]string{
		"from=yesterday": "from is no time", "to=2026-13-01+00:00:00": "to is no time", "from=1969-12-31T00:00:00Z": "from is no time",
		"from=2026-11-20+10:00:00&to=2026-11-20+09:00:00": "to is before from",
		"extension=trunk": "extension: not an extension number", "extension=SIP/": "extension: not an extension number", "extension=" + strings.Repeat("1", 81): "extension is longer than 80 bytes",
		"queue=" + strings.Repeat("1", 81): "queue is longer", "number=" + strings.Repeat("1", 81): "number is longer", "text=" + strings.Repeat("1", 101): "text is longer",
		"direction=up": "direction: inbound, outbound or internal", "answered=perhaps": "answered: yes or no", "recorded=2": "recorded: yes or no",
		"text=%ff": "text is not UTF-8", "text=a%0db": "text holds a control character", "text=%00": "text holds a control character", "text=a&text=b": "text is given twice",
		"queue=%zz": "the query has a badly encoded value",
	}
	pages := map[string]string{
		"limit=0": "limit is no number from 1 to 200", "limit=201": "limit is no number", "limit=x": "limit is no number", "limit=-1": "limit is no number",
		"before=1": "before: not what an answer has given as next", "before=x.y": "before: not", "before=1.1.1": "before: not",
	}
	spans := map[string]string{
		"from=2026-11-20+00:00:00&to=2026-11-20+00:00:00": "to: is not after from", "from=2026-10-01+00:00:00&to=2026-11-20+00:00:00": "to: is more than 31 days after from",
		"from=2999-01-01+00:00:00": "to: is not after from", "from=never": "from is no time", "to=never": "to is no time", "queue=" + strings.Repeat("1", 81): "queue is longer",
	}
	numbers := map[string]string{
		"limit=0": "limit is no number from 1 to 1000", "limit=1001": "limit is no number", "direction=internal": "direction: inbound, outbound or both",
		"text=" + strings.Repeat("1", 101): "text is longer", "after=" + strings.Repeat("1", 81): "after is longer", "text=%00": "text holds",
	}
	adds := map[string]string{
		"": "number is missing", "number=1": "direction is missing", "number=1&direction=up": "direction: inbound", "direction=both": "number is missing",
		"number=12a&direction=both": "number: must be 1 to 32 of the characters", "number=" + strings.Repeat("1", 33) + "&direction=both": "number: must be",
		"number=1&direction=both&note=" + strings.Repeat("n", 256): "note: must be", "number=1%0a&direction=both": "number holds a control character",
		"number=1&direction=both&note=%ff": "note is not UTF-8", "number=1&number=2&direction=both": "number is given twice", "number=1&direction=both&note=" + strings.Repeat("n", 8193): "note is longer",
	}
	removes := map[string]string{"": "number is missing", "number=x": "number: must be", "number=1&direction=up": "direction: inbound"}
	for _, tc := range []struct {
		method, path string
		faults       map[string]string
	}{
		{http.MethodGet, "/calls", filters}, {http.MethodGet, "/calls.csv", filters}, {http.MethodGet, "/calls", pages}, {http.MethodGet, "/stats", spans},
		{http.MethodGet, "/blacklist", numbers}, {http.MethodPost, "/blacklist", adds}, {http.MethodDelete, "/blacklist", removes},
	} {
		for query, want := range tc.faults {
			w := r.request(tc.method, Prefix+tc.path+"?"+query, "")
			var answer struct{ Status, Message string }
			r.must(json.Unmarshal(w.Body.Bytes(), &answer))
			if w.Code != http.StatusBadRequest || answer.Status != "error" || !strings.HasPrefix(answer.Message, want) {
				t.Errorf("%s %s?%.60s: %d %s, want %q", tc.method, tc.path, query, w.Code, w.Body, want)
			}
		}
	}
	var p numberPage
	if r.get("/blacklist", &p); len(p.Numbers) != 0 {
		t.Errorf("a fault has left %+v", p.Numbers)
	}
}

func TestExport(t *testing.T) {
	r := newRig(t, 20)
	r.remember(pastCalls()...)
	w := r.request(http.MethodGet, Prefix+"/calls.csv?from=2026-11-20+09:00:00", "")
	const want = "\uFEFFid,start,end,direction,caller,caller_name,called,called_name,did,queue,agent,answered,miss,ended_by,duration,waiting,ring,talk,hold,score,recording\r\n" +
		"1.4,2026-11-20 11:00:00,2026-11-20 11:00:09,internal,802,\"a \"\"b\"\", c\r\nd\",801,'　＝1,,,,no,,system,9,0,0,0,0,,no\r\n" +
		"1.3,2026-11-20 10:00:00,2026-11-20 10:05:00,outbound,801,'-1+2,02155556666,\"'@SUM(1,2)\",,,,yes,,called,300,0,0,290,0,,no\r\n" +
		"1.2,2026-11-20 09:10:00,2026-11-20 09:10:08,inbound,'+8613800000002,\"'=HYPERLINK(\"\"http://evil.example\"\",\"\"x\"\")\",801,,4000000,630,,no,gave-up,caller,8,8,0,0,0,,no\r\n" +
		"1.1,2026-11-20 09:00:00,2026-11-20 09:01:30,inbound,13800000001,王小明,801,Ann,4000000,630,801,yes,,caller,90,10,5,80,0,5,yes\r\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Error(diff)
	}
	h := w.Header()
	if h.Get("Content-Type") != "text/csv; charset=utf-8; header=present" || !strings.HasPrefix(h.Get("Content-Disposition"), `attachment; filename="calls-2`) {
		t.Errorf("%v", h)
	}
	if w := r.request(http.MethodGet, Prefix+"/calls.csv?text=nobody", ""); w.Code != http.StatusOK || strings.Count(w.Body.String(), "\r\n") != 1 {
		t.Errorf("of no call: %d %q", w.Code, w.Body)
	}
}

// TestHarmless: whatever a caller calls himself, no cell begins as a formula does.
func TestHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "Ann": "Ann", "801": "801", "a=1": "a=1", "'=1": "'=1", " ": " ", "\ufffd": "\ufffd",
		"a;b": "a;b", ";": ";", "a;=1;b; @c;": "a;'=1;b;' @c;", "a;\" \"=1": "a;'\" \"=1", "=1;=2": "'=1;'=2",
		"=1": "'=1", "+1": "'+1", "-1": "'-1", "@a": "'@a", "\t=1": "'\t=1", "\r=1": "'\r=1", "\n=1": "'\n=1", "  =1": "'  =1", "\u00a0=1": "'\u00a0=1",
		"＝1": "'＝1", "＋1": "'＋1", "－1": "'－1", "＠a": "'＠a", "　＝1": "'　＝1",
	} {
		if have := harmless(text); have != want {
			t.Errorf("%q became %q, want %q", text, have, want)
		}
	}
}

// bulk stores many calls with long accounts.
func (r *rig) bulk(n, size int) {
	r.t.Helper()
	a := pastCalls()[0]
	a.Remark = strings.Repeat("x", size)
	r.many(n, a)
}

// many stores a call many times.
func (r *rig) many(n int, a pbx.Account) {
	r.t.Helper()
	body, err := json.Marshal(a)
	r.must(err)
	r.must(r.db.Do(r.t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO pbx_calls (call, started, ended, caller, called, did, direction, queue, answered, body)
			SELECT '8.' || i, i, i, '', '', '', 'inbound', '', 1, ? FROM n`, n-1, body)
		return err
	}))
}

// TestExportIsBounded: an export many times as large as what it may hold in memory comes whole.
func TestExportIsBounded(t *testing.T) {
	r := newRig(t, 20)
	const n, size = 800, 50 << 10
	r.bulk(n, size)
	server := httptest.NewServer(r.web)
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+Prefix+"/calls.csv", nil)
	r.must(err)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	resp, err := server.Client().Do(req)
	r.must(err)
	reader := csv.NewReader(resp.Body)
	rows, most := -1, uint64(0)
	for {
		if _, err := reader.Read(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if rows++; rows%200 == 0 {
			runtime.ReadMemStats(&after)
			most = max(most, after.HeapAlloc-min(before.HeapAlloc, after.HeapAlloc))
		}
	}
	r.must(resp.Body.Close())
	if rows != n || most > n*size/4 {
		t.Errorf("%d rows, %d bytes of memory for %d", rows, most, n*size)
	}
}

// TestExportsAreFew: a user has one at a time, all together two; who comes beyond is told so, and others are served.
func TestExportsAreFew(t *testing.T) {
	r := newRig(t, 20)
	refused := func(status int, text string) {
		t.Helper()
		for _, method := range []string{http.MethodHead, http.MethodGet} {
			w := r.request(method, Prefix+"/calls.csv", "")
			if w.Code != status || w.Header().Get("Retry-After") != "10" || method == http.MethodGet && !strings.Contains(w.Body.String(), text) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
	}
	r.must(r.api.exports.begin("local local"))
	refused(http.StatusTooManyRequests, "another export of yours")
	ann := r.enter("admin", adminPassword)
	ann.expect(http.StatusOK, http.MethodGet, "/calls.csv", "")
	r.api.exports.end("local local")
	r.must(r.api.exports.begin("cookie ann"))
	r.must(r.api.exports.begin("cookie bob"))
	refused(http.StatusServiceUnavailable, "other exports")
	r.api.exports.end("cookie ann")
	for range 3 {
		if w := r.request(http.MethodGet, Prefix+"/calls.csv", ""); w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

// TestBrokenExport: what fails before the first row is an error, and later it is a connection that breaks off.
func TestBrokenExport(t *testing.T) {
	r := newRig(t, 20)
	r.bulk(300, 10<<10)
	server := httptest.NewServer(r.web)
	defer server.Close()
	spoil := func(seq int) {
		r.must(r.db.Do(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(context.Background(), `UPDATE pbx_calls SET body = 'no JSON' WHERE seq = ?`, seq)
			return err
		}))
	}
	ask := func() (status int, err error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+Prefix+"/calls.csv", nil)
		r.must(err)
		resp, err := server.Client().Do(req)
		r.must(err)
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, errors.Join(err, resp.Body.Close())
	}
	spoil(10)
	if status, err := ask(); status != http.StatusOK || err == nil {
		t.Errorf("a row that cannot be read near the end: %d, %v", status, err)
	}
	spoil(300)
	if status, err := ask(); status != http.StatusInternalServerError || err != nil {
		t.Errorf("the first row cannot be read: %d, %v", status, err)
	}
	if len(r.api.exports.under) != 0 {
		t.Error("a broken export still counts")
	}
}
