package console

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/dialbridge/dialbridge/audit"
)

// TestUsers: every fault of a request about users, and that it changes nothing.
func TestUsers(t *testing.T) {
	r := newRig(t, 100)
	v := r.enter("admin", adminPassword)
	ok := func(change ...string) string {
		values := append([]string{"login", "bob", "role", "agent", "password", "good enough"}, change...)
		return body(values...)
	}
	v.expect(201, http.MethodPost, "/users", ok("login", "ann"))
	before := v.ask(http.MethodGet, "/users", "").Body.String()
	for _, tc := range []struct {
		method, path, body string
		want               int
		text               string
	}{
		{http.MethodPost, "/users", ok("login", ""), 400, "login is missing"},
		{http.MethodPost, "/users", ok("login", "a b"), 400, "login: not 1 to 64"},
		{http.MethodPost, "/users", ok("login", "-ann"), 400, "login: not 1 to 64"},
		{http.MethodPost, "/users", ok("login", "a<script>"), 400, "login: not 1 to 64"},
		{http.MethodPost, "/users", ok("login", strings.Repeat("王", 65)), 400, "login: not 1 to 64"},
		{http.MethodPost, "/users", ok("login", "808"), 400, "login: digits alone"},
		{http.MethodPost, "/users", ok("login", "webkey"), 400, "login: the audit log"},
		{http.MethodPost, "/users", ok("login", "local"), 400, "login: the audit log"},
		{http.MethodPost, "/users", ok("login", "a\x00b"), 400, "control character"},
		{http.MethodPost, "/users", ok("login", "ann"), 409, "another user has that login"},
		{http.MethodPost, "/users", ok("role", ""), 400, "role is missing"},
		{http.MethodPost, "/users", ok("role", "root"), 400, "role: not admin"},
		{http.MethodPost, "/users", ok("password", ""), 400, "password is missing"},
		{http.MethodPost, "/users", ok("password", "short"), 400, "password: shorter than 8"},
		{http.MethodPost, "/users", ok("password", "七个字符不够长"), 400, "password: shorter than 8"},
		{http.MethodPost, "/users", ok("login", "somebody", "password", "Somebody"), 400, "password: the same as the login"},
		{http.MethodPost, "/users", ok("password", strings.Repeat("x", 1025)), 400, "password: longer than 1024"},
		{http.MethodPost, "/users", ok("name", strings.Repeat("x", 129)), 400, "name: not 1 to 128"},
		{http.MethodPost, "/users", ok("name", "a\r\nb"), 400, "control character"},
		{http.MethodPost, "/users", `{"login":"x"}{}`, 400, "something follows"},
		{http.MethodPost, "/users", strings.Repeat(" ", 1<<20+1), 413, "larger than"},
		{http.MethodPut, "/users/2", `{}`, 400, "name, role, password or disabled is missing"},
		{http.MethodPut, "/users/2", `{"role":"god"}`, 400, "role: not admin"},
		{http.MethodPut, "/users/2", `{"name":""}`, 400, "name: not 1 to 128"},
		{http.MethodPut, "/users/2", `{"disabled":"perhaps"}`, 400, "disabled is neither"},
		{http.MethodPut, "/users/2", `{"password":"short"}`, 400, "password: shorter than 8"},
		{http.MethodPut, "/users/99", `{"name":"x"}`, 404, "no such user"},
		{http.MethodPut, "/users/1", `{"role":"agent"}`, 409, "last administrator"},
		{http.MethodPut, "/users/1", `{"disabled":true}`, 409, "last administrator"},
		{http.MethodDelete, "/users/1", "", 409, "last administrator"},
		{http.MethodDelete, "/users/99", "", 404, "no such user"},
		{http.MethodDelete, "/users/0", "", 404, "no such user"},
		{http.MethodDelete, "/users/-1", "", 404, "no such user"},
		{http.MethodDelete, "/users/x", "", 404, "no such user"},
		{http.MethodDelete, "/users/99999999999999999999", "", 404, "no such user"},
		{http.MethodPut, "/session/password", body("password", "wrong", "new_password", "good enough"), 403, "not the one that you have"},
		{http.MethodPut, "/session/password", body("password", adminPassword, "new_password", "short"), 400, "password: shorter"},
		{http.MethodPut, "/session/password", body("password", adminPassword), 400, "new_password is missing"},
	} {
		if w := v.ask(tc.method, tc.path, tc.body); w.Code != tc.want || !strings.Contains(w.Body.String(), tc.text) {
			t.Errorf("%s %s %.60s: %d %s, want %d %s", tc.method, tc.path, tc.body, w.Code, w.Body, tc.want, tc.text)
		}
	}
	if after := v.ask(http.MethodGet, "/users", "").Body.String(); after != before || strings.Contains(after, "argon2") {
		t.Errorf("%s\n%s", before, after)
	}
	v.expect(204, http.MethodPut, "/session/password", body("password", adminPassword, "new_password", "good enough"))
	v.expect(401, http.MethodGet, "/session", "")
	v = r.enter("admin", "good enough")
	// With a second administrator the first one may go.
	v.expect(200, http.MethodPut, "/users/2", `{"role":"admin"}`)
	v.expect(204, http.MethodDelete, "/users/1", "")
	v.expect(401, http.MethodGet, "/users", "")
	r.enter("ann", "good enough").expect(409, http.MethodDelete, "/users/2", "")
}

// TestAuditLog: who has ordered what is there with its outcome, without secrets; what was only looked at is not.
func TestAuditLog(t *testing.T) {
	r := newRig(t, 100)
	r.request(http.MethodPost, Prefix+"/session", body("login", "admin", "password", "guessed"), "From", elsewhere)
	v := r.enter("admin", adminPassword)
	v.expect(201, http.MethodPost, "/users", body("login", "ann", "role", "agent", "password", "in the morning", "name", "安"), "X-Request-Id", "mine")
	v.expect(404, http.MethodDelete, "/users/77", "")
	v.expect(403, http.MethodDelete, "/users/2", "", headerCSRF, "")
	v.expect(200, http.MethodGet, "/users", "")
	v.expect(404, http.MethodPost, "/nothing", "")
	r.request(http.MethodPost, Prefix+"/outbox/replay", "")
	r.api.Configure(func(h http.Header) bool { return h.Get("Authorization") == "good" })
	r.request(http.MethodGet, Prefix+"/outbox", "", "Authorization", "guessed")
	r.request(http.MethodPost, Prefix+"/outbox/replay?state=dead", "", "Authorization", "good")

	type line struct {
		who, remote, action, param string
		status                     int
	}
	want := []line{
		{"WEBKEY", "127.0.0.1", "POST /console/api/outbox/replay", "dead", 200},
		{"", "127.0.0.1", "GET /console/api/outbox", "", 401},
		{"local", "127.0.0.1", "POST /console/api/outbox/replay", "", 200},
		{"admin", "10.0.0.1", "DELETE /console/api/users/:id", "2", 403},
		{"admin", "10.0.0.1", "DELETE /console/api/users/:id", "77", 404},
		{"admin", "10.0.0.1", "POST /console/api/users", "安", 201},
		{"admin", "10.0.0.1", "POST /console/api/session", "admin", 200},
		{"", "10.0.0.1", "POST /console/api/session", "admin", 401},
	}
	read := func(query string) (list []audit.Entry, next int64) {
		t.Helper()
		w := r.request(http.MethodGet, Prefix+"/audit"+query, "", "Authorization", "good")
		var page auditPage
		r.must(json.Unmarshal(w.Body.Bytes(), &page))
		if w.Code != 200 || strings.Contains(w.Body.String(), "guessed") || strings.Contains(w.Body.String(), "morning") || strings.Contains(w.Body.String(), adminPassword) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
		return page.Entries, page.Next
	}
	r.settled()
	have, _ := read("")
	if len(have) != len(want) {
		t.Fatalf("%+v", have)
	}
	for i, x := range want {
		e := have[i]
		param := ""
		for _, name := range []string{"name", "state", "id", "login"} {
			if param == "" {
				param = e.Params[name]
			}
		}
		if got := (line{e.Who, e.Remote, e.Action, param, e.Status}); got != x {
			t.Errorf("%+v, want %+v", got, x)
		}
		if e.Params["password"] != "" && e.Params["password"] != "***" {
			t.Errorf("%+v", e)
		}
	}
	if have[5].RequestID != "mine" {
		t.Errorf("%+v", have[5])
	}
	for query, n := range map[string]int{
		"?who=admin": 4, "?remote=127.0.0.1": 3, "?action=SESSION": 2, "?failed=true": 4, "?failed=true&who=admin": 2, "?since=2100-01-01T00:00:00Z": 0,
		"?until=2020-01-01T00:00:00Z": 0, "?until=2100-01-01T00:00:00Z&limit=1000": 8, "?action=%25": 0,
	} {
		if list, _ := read(query); len(list) != n {
			t.Errorf("%s: %d entries, want %d", query, len(list), n)
		}
	}
	var all []audit.Entry
	for next := int64(1 << 40); next > 0; {
		var list []audit.Entry
		list, next = read("?limit=3&before=" + jsonOf(next))
		all = append(all, list...)
	}
	if jsonOf(all) != jsonOf(have) {
		t.Errorf("%+v", all)
	}
	for _, bad := range []string{"?limit=0", "?limit=x", "?before=-1", "?since=now", "?until=x", "?failed=maybe", "?who=%ff", "?who=a%00"} {
		if w := r.request(http.MethodGet, Prefix+"/audit"+bad, "", "Authorization", "good"); w.Code != 400 {
			t.Errorf("%s: %d %s", bad, w.Code, w.Body)
		}
	}
}

// settled waits until all that was submitted is committed.
func (r *rig) settled() {
	r.t.Helper()
	r.must(r.db.Do(r.t.Context(), func(*sql.Tx) error { return nil }))
}

func jsonOf(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}
