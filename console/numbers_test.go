package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

// numbers lists what the black list has, as number:direction:note.
func (r *rig) numbers(query string) (list []string, p numberPage) {
	r.t.Helper()
	r.get("/blacklist"+query, &p)
	for _, n := range p.Numbers {
		list = append(list, n.Number+":"+n.Direction+":"+n.Note)
	}
	return list, p
}

// TestBlackList changes the list step by step, as a form and as JSON.
func TestBlackList(t *testing.T) {
	r := newRig(t, 20)
	for _, step := range []struct {
		method, body string
		code         int
		answer       string // a part of it
		want         []string
	}{
		{http.MethodPost, `number=13800000001&direction=inbound&note=sells windows`, 200, `"direction":"inbound","note":"sells windows"`, []string{"13800000001:inbound:sells windows"}},
		{http.MethodPost, `{"number":" 13800000001 ","direction":"outbound"}`, 200, `"direction":"both","note":"sells windows"`, []string{"13800000001:both:sells windows"}},
		{http.MethodPost, `{"number":"13800000001","direction":"inbound","note":"卖窗户"}`, 200, `"direction":"both","note":"卖窗户"`, []string{"13800000001:both:卖窗户"}},
		{http.MethodPost, `{"number":"+98912","direction":"both"}`, 200, `"number":"+98912","direction":"both","note":""`, []string{"+98912:both:", "13800000001:both:卖窗户"}},
		{http.MethodDelete, `{"number":"13800000001","direction":"inbound"}`, 200, `{"removed":"inbound"}`, []string{"+98912:both:", "13800000001:outbound:卖窗户"}},
		{http.MethodDelete, `{"number":"13800000001","direction":"inbound"}`, 404, `there is none`, []string{"+98912:both:", "13800000001:outbound:卖窗户"}},
		{http.MethodDelete, `number=%2B98912`, 200, `{"removed":"both"}`, []string{"13800000001:outbound:卖窗户"}},
		{http.MethodDelete, `number=%2B98912`, 404, `there is none`, []string{"13800000001:outbound:卖窗户"}},
		{http.MethodDelete, `number=13800000001`, 200, `{"removed":"both"}`, nil},
	} {
		if w := r.request(step.method, Prefix+"/blacklist", step.body); w.Code != step.code || !strings.Contains(w.Body.String(), step.answer) {
			t.Errorf("%s %s: %d %s", step.method, step.body, w.Code, w.Body)
		}
		list, p := r.numbers("")
		if diff := cmp.Diff(step.want, list); diff != "" || p.Entries != len(step.want) {
			t.Errorf("after %s %s: %d entries %s", step.method, step.body, p.Entries, diff)
		}
	}
}

// TestBlackListPages searches among many numbers, and reads them all in pages.
func TestBlackListPages(t *testing.T) {
	r := newRig(t, 20)
	for i := range 30 {
		body := fmt.Sprintf(`{"number":"138%04d","direction":%q,"note":"Note %d"}`, i, []string{"inbound", "outbound", "both"}[i%3], i)
		if w := r.request(http.MethodPost, Prefix+"/blacklist", body); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	for query, want := range map[string]int{
		"": 30, "?text=0001": 1, "?text=NOTE+1": 11, "?text=nobody": 0, "?direction=inbound": 20, "?direction=outbound": 20, "?direction=both": 10,
		"?direction=both&text=note+2": 5, "?text=%25": 0, "?after=1380019": 10, "?after=9": 0,
	} {
		list, p := r.numbers(query)
		if len(list) != want || p.Entries != 30 || p.Next != "" || p.Pending != 40 {
			t.Errorf("%s: %d of %d, %d pending, next %q; want %d", query, len(list), p.Entries, p.Pending, p.Next, want)
		}
	}
	for _, limit := range []int{1, 7, 29, 30, 31} {
		var all []string
		for next, more := "", true; more; {
			list, p := r.numbers("?limit=" + strconv.Itoa(limit) + "&after=" + next)
			all, next, more = append(all, list...), p.Next, p.Next != ""
		}
		if len(all) != 30 || !strings.HasPrefix(all[29], "1380029") {
			t.Errorf("by %d: %q", limit, all)
		}
	}
}

func TestStats(t *testing.T) {
	r := newRig(t, 20)
	r.remember(pastCalls()...)
	var have statistics
	r.get("/stats?from=2026-11-20+09:00:00&to=2026-11-20+12:00:00", &have)
	want := statistics{
		From: "2026-11-20T09:00:00+08:00", To: "2026-11-20T12:00:00+08:00", Oldest: "2026-11-20T09:00:00+08:00", Total: tally{4, 2, 1, 370},
		Hours:  []hourRow{{"2026-11-20T09:00:00+08:00", tally{2, 1, 1, 80}}, {"2026-11-20T10:00:00+08:00", tally{1, 1, 0, 290}}, {"2026-11-20T11:00:00+08:00", tally{1, 0, 0, 0}}},
		Agents: []agentTally{{"801", 3, 1, 1, 370, 0, 0}, {Extension: "802", Calls: 1}},
	}
	if diff := cmp.Diff(want, have, cmp.AllowUnexported(hourRow{})); diff != "" {
		t.Error(diff)
	}
	r.get("/stats?from=2026-11-20T01:00:00Z&to=2026-11-20T04:00:00Z&queue=630", &have)
	if have.Total != (tally{2, 1, 1, 80}) || len(have.Agents) != 1 || len(have.Hours) != 3 || have.From != want.From {
		t.Errorf("of a queue: %+v", have)
	}
	have = statistics{}
	if r.get("/stats", &have); !strings.Contains(have.From, "T00:00:00+08:00") || len(have.Hours) == 0 || len(have.Hours) > 24 || have.Agents == nil {
		t.Errorf("of today: %+v", have)
	}
	have = statistics{}
	if r.get("/stats?to=2026-11-21+00:00:00", &have); have.From != "2026-11-20T00:00:00+08:00" || len(have.Hours) != 24 {
		t.Errorf("up to midnight: from %s, %d hours", have.From, len(have.Hours))
	}
}

// TestCallAnswersAreAsDescribed compares one answer of each status with the document.
func TestCallAnswersAreAsDescribed(t *testing.T) {
	r := newRig(t, 20)
	doc := described(t, r)
	r.remember(pastCalls()...)
	const get, post, remove = http.MethodGet, http.MethodPost, http.MethodDelete
	for _, tc := range []struct {
		want               int
		method, path, rest string
		body               string
	}{
		{200, get, "/calls", "", ""}, {200, get, "/calls", "?limit=2", ""}, {200, get, "/calls", "?text=nobody", ""}, {400, get, "/calls", "?limit=0", ""},
		{400, get, "/calls.csv", "?from=x", ""},
		{200, get, "/stats", "", ""}, {200, get, "/stats", "?from=2026-11-20+00:00:00&to=2026-11-21+00:00:00", ""}, {400, get, "/stats", "?from=x", ""},
		{200, post, "/blacklist", "", `{"number":"1","direction":"both"}`}, {400, post, "/blacklist", "", `{"number":"x","direction":"both"}`},
		{413, post, "/blacklist", "", strings.Repeat(" ", 1<<20+1)}, {413, remove, "/blacklist", "", strings.Repeat(" ", 1<<20+1)},
		{200, get, "/blacklist", "?limit=1", ""}, {400, get, "/blacklist", "?limit=0", ""},
		{400, remove, "/blacklist", "", ""}, {404, remove, "/blacklist", "?number=2", ""}, {200, remove, "/blacklist", "?number=1", ""},
	} {
		w := r.request(tc.method, Prefix+tc.path+tc.rest, tc.body)
		answer := doc.Paths.Find(Prefix + tc.path).GetOperation(tc.method).Responses.Value(strconv.Itoa(w.Code))
		if w.Code != tc.want || answer == nil {
			t.Errorf("%s %s%s: %d %s, want %d; described: %v", tc.method, tc.path, tc.rest, w.Code, w.Body, tc.want, answer != nil)
			continue
		}
		var value any
		r.must(json.Unmarshal(w.Body.Bytes(), &value))
		if err := doc.ValidateSchemaJSON(answer.Value.Content.Get("application/json").Schema.Value, value, openapi3.EnableJSONSchema2020()); err != nil {
			t.Errorf("%s %s%s: %s: %v", tc.method, tc.path, tc.rest, w.Body, err)
		}
	}
}
