package ola

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/dialbridge/dialbridge/internal/trial"
)

// good are values that each parameter of the dialect takes. A new parameter needs one, and has all the faults then.
var good = map[string]string{
	"username": "admin", "password": "correct horse", "extn": "808", "destNumber": "809", "other_str": "order 4711", "reason": "lunch", "state": "ready",
	"queue_name": "630", "name": "630", "uuid": "630", "phone": "13678267674", "special_flag": "2",
	"confId": "d2b8fb86", "topic": "weekly", "context": "out", "recording": "t", "showName": "extn", "blending": "true", "nbr": "300942914",
	"members": "808,809", "UUID": "d2b8fb86", "member": "808", "type": "kick",
	"extnPwd": "secret", "transfer_phone": "809", "if_auto_login": "true", "if_auto_ready": "true",
	"k": "out", "v": "Out", "start_url": "a.wav", "end_url": "b.wav", "times": "3", "hangup_dtmf": "1",
	"from": "808", "to": "13800138000", "caller_id": "4711", "gwGroup": "222", "id": "1", "after": "0", "limit": "10",
	"numbers": "13800138000", "batchAccept": "1", "gatewayGrp": "222", "OprType": "play", "file": "beep", "daFlag": "true", "timeOut": "30",
	"queue": "630", "flow_id": "29", "fileType": "text", "planId": "1", "companyId": "1",
}

// neededInBody are parameters outside of the path that a request cannot do without.
var neededInBody = map[string][]string{
	"/api/conferences/saveConf": {"topic"}, "/api/conferences/addConfMembers": {"confId", "members"},
	"/api/ola/extensions/insert": {"extn", "extnPwd", "context", "name"}, "/api/ola/extensions/delete": {"extn"}, "/api/ola/extensions/update": {"extn"},
	"/api/ola/dicts/insert": {"k", "v"}, "/api/ola/dicts/delete": {"k"}, "/api/ola/dicts/update": {"k"},
	"/api/ola/makeCall": {"from", "to", "gwGroup"}, "/api/ola/groupCall": {"numbers", "gatewayGrp", "OprType", "file"},
}

// TestFaultsOfEveryParameter puts every fault into every parameter that the OpenAPI document has, in the query, in a form and in JSON; those
// of the path with the placeholder left in it. Each is refused in the dialect's shape with the parameter's name, and nothing is sent to
// Asterisk.
func TestFaultsOfEveryParameter(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	form, object, tried := "application/x-www-form-urlencoded", "application/json", 0
	for operation, o := range ours(described(t, r)) {
		method, path, _ := strings.Cut(operation, " ")
		var names, needed []string
		for _, p := range o.Parameters {
			names = append(names, p.Value.Name)
			inPath := p.Value.In == "path" && path != "/api/ola/agents/{extn}" && path != "/api/ola/dicts/agent_detail/{k}" // lists, of all when nobody is named
			phone := strings.HasPrefix(path, "/api/special_phone/") && method == http.MethodPost && (p.Value.Name == "phone" || !strings.HasSuffix(path, "/delete"))
			if inPath || path == pathLogin || phone || slices.Contains(neededInBody[path], p.Value.Name) {
				needed = append(needed, p.Value.Name)
			}
		}
		path = strings.NewReplacer("{", "", "}", "").Replace(path)
		refused := func(what, query, body, kind, message string) {
			t.Helper()
			tried++
			target := path
			if query != "" {
				target += "?" + query
			}
			w := r.request(method, target, body, "Content-Type", kind, "X-Request-Id", "request-1")
			var answer reply
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusBadRequest || answer.Code != w.Code || !strings.Contains(answer.Result, message) {
				t.Errorf("%s, %s: %d %.200s, want 400 with %q", operation, what, w.Code, w.Body, message)
			}
		}
		for _, name := range names {
			if good[name] == "" {
				t.Fatalf("no good value for %s", name)
			}
			others, values := url.Values{}, map[string]string{}
			for _, n := range needed {
				if n != name {
					others.Set(n, good[n])
					values[n] = good[n]
				}
			}
			rest := others.Encode()
			with := func(text string) string { return strings.TrimPrefix(rest+"&"+text, "&") }
			for _, f := range trial.Faults {
				if f.Form != "" {
					refused(name+" "+f.Name+" in the query", with(name+"="+f.Form), "", form, name)
					refused(name+" "+f.Name+" in a form", "", with(name+"="+f.Form), form, name)
				}
				refused(name+" "+f.Name+" in JSON", "", inJSON(values, name, f.JSON), object, "")
			}
			refused(name+" twice in the query", with(name+"=1&"+name+"=2"), "", form, name+" is given twice")
			refused(name+" twice in a form", "", with(name+"=1&"+name+"=2"), form, name+" is given twice")
			refused(name+" in query and form", name+"=1", with(name+"=2"), form, name+" is given twice")
			refused(name+" twice in JSON", "", inJSON(values, name, `"1","`+name+`":"2"`), object, name+" is given twice")
			if !slices.Contains(needed, name) {
				continue
			}
			missing := "missing parameter: " + name
			refused(name+" missing in the query", rest, "", form, missing)
			refused(name+" missing in a form", "", with("x=y"), form, missing)
			refused(name+" missing in JSON", "", inJSON(values, "x", `"y"`), object, missing)
			refused(name+" empty", "", with(name+"="), form, missing)
			refused(name+" of blanks", "", with(name+"=+%09%c2%a0"), form, missing)
			refused(name+" null in JSON", "", inJSON(values, name, "null"), object, missing)
		}
	}
	if sent := r.caused(); len(sent) != 0 {
		t.Errorf("sent to Asterisk:\n%s", strings.Join(r.told(), ""))
	}
	if tried < 500 {
		t.Errorf("%d requests only", tried)
	}
	t.Logf("%d requests were refused", tried)
}

// TestFaultsOfThePath puts the faults into the path itself.
func TestFaultsOfThePath(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	for _, request := range []string{"PUT /api/ola/agents/X/go_break", "PUT /api/ola/agents/X/hangup", "PUT /api/ola/agents/808/dial/X", "GET /api/ola/queues/X/get_callers", "GET /api/ola/agents/X", "GET /api/ola/dicts/agent_detail/X",
		"POST /api/conferences/dialConf/X/d2b8fb86", "POST /api/conferences/dialConf/808/X", "POST /api/conferences/oprConf/808/X/kick", "GET /api/conferences/liveConf/X",
		"GET /api/ola/groupCall/X", "POST /api/ola/groupCall/X/stop"} {
		method, path, _ := strings.Cut(request, " ")
		for _, f := range []string{"%0d%0aAction:%20Originate", "808%00", "%ff%fe", "%1b[2J", strings.Repeat("8", 9000), "%20"} {
			w := r.request(method, strings.Replace(path, "X", f, 1), "", "X-Request-Id", "request-1")
			var answer reply
			if err := json.Unmarshal(w.Body.Bytes(), &answer); w.Code != http.StatusBadRequest && (f != "%20" || path != "/api/ola/agents/X" && path != "/api/ola/dicts/agent_detail/X") || err != nil && w.Code != http.StatusOK {
				t.Errorf("%s with %.20s: %d %.200s", request, f, w.Code, w.Body)
			}
		}
	}
	if sent := r.caused(); len(sent) != 0 {
		t.Errorf("sent to Asterisk:\n%s", strings.Join(r.told(), ""))
	}
}

// inJSON writes an object with one value as it is: an encoder would mend it.
func inJSON(values map[string]string, name, raw string) string {
	var fields []string
	for n, v := range values {
		fields = append(fields, `"`+n+`":"`+v+`"`)
	}
	return "{" + strings.Join(append(fields, `"`+name+`":`+raw), ",") + "}"
}
