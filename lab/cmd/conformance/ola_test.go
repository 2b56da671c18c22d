package main

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// addresses are the request addresses of the second vendor's page in its order, and their methods.
var addresses = strings.Fields(`
GET/api/login
PUT/api/ola/agents/extn/dial/destNumber PUT/api/ola/agents/extn/hangup PUT/api/ola/agents/extn/go_break
PUT/api/ola/agents/extn/go_ready PUT/api/ola/agents/extn/hold PUT/api/ola/agents/extn/unhold
POST/api/ola/extensions/insert POST/api/ola/extensions/delete POST/api/ola/extensions/update GET/api/ola/extensions/detail GET/api/ola/extensions_detail
GET/api/ola/agents/extn
POST/api/ola/dicts/insert POST/api/ola/dicts/delete POST/api/ola/dicts/update GET/api/ola/dicts/detail GET/api/ola/dicts/agent_detail/k
GET/api/ola/all_queues GET/api/ola/queues/uuid/get_callers GET/api/ola/gateway_groups GET/api/ola/ivr_flows
POST/api/conferences/saveConf POST/api/conferences/delConf/uuid POST/api/conferences/saveConf GET/api/conferences/conference/detail
POST/api/conferences/addConfMembers GET/api/conferences/liveConf/UUID POST/api/conferences/dialConf/member/UUID
POST/api/conferences/oprConf/member/uuid/type POST/api/conferences/oprConf/all/uuid/kick
POST/api/special_phone/insert POST/api/special_phone/delete POST/api/special_phone/update GET/api/special_phone/special_phone_detail
PUT/api/ola/groupCall POST/api/ola/makeCall`)

// methods are those of the second vendor's script in the page's order.
var methods = strings.Split(`ola.connect(websocket_url)
ola.auth(extn, extnPwd)
ola.subscribe(routeKey)
ola.onMessage
ola.unsubscribe(routeKey)
ola.login(queue, extn, params)
ola.logout()
ola.go_ready()
ola.go_break()
ola.dial(destNum, otherStr)
ola.hangup()
ola.hold()
ola.unhold()
ola.ping()
ola.collect_dtmf(extn, soundFile)
ola.transfer(transNum)
ola.intercept(destNum, extn)
ola.monitor(extn, beMonExtn)
ola.unmonitor(extn)
ola.three_way(threeExtn, extn, [gw])
ola.exit_three_way(threeExtn)
ola.take_call(uuid)
ola.kill([uuid], [extn])`, "\n")

func TestEveryAddressIsPlayed(t *testing.T) {
	second := played(t)[1]
	used := map[int]bool{}
	for _, st := range second.steps {
		used[st.line] = true
		if st.instead != "" && !strings.Contains(second.lines[st.line-1], st.instead) {
			t.Errorf("%s: no %q in the line", st.name, st.instead)
		}
		if st.body == nil || st.effect == nil {
			t.Errorf("%s is not judged", st.name)
		}
	}
	var asked []string
	base := &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	for i, line := range second.lines {
		method, path := endpoint(line)
		asked = append(asked, method+path)
		if !used[i+1] {
			t.Errorf("line %d is not played", i+1)
		}
		if token := strings.Contains(line, `-H "X-Auth-Token: $token"`); token != (i > 0) {
			t.Errorf("line %d has a token: %v", i+1, token)
		}
		if got := here(line, base, nil); strings.Contains(got, "ip:port") || !strings.Contains(got, `"http://127.0.0.1:1/api/`) {
			t.Errorf("line %d asks %s", i+1, got)
		}
	}
	slices.Sort(asked)
	if want := slices.Sorted(slices.Values(addresses)); !slices.Equal(asked, want) {
		t.Errorf("asked is\n%q, the page has\n%q", asked, want)
	}
}

func TestEveryMethodIsPlayed(t *testing.T) {
	lines, err := linesOf(framesText, framesCount)
	if err != nil {
		t.Fatal(err)
	}
	used, ids := map[int]bool{}, map[string]bool{}
	for _, st := range frameSteps() {
		if used[st.line] = true; st.effect == nil {
			t.Errorf("%s is not judged", st.name)
		}
	}
	var called []string
	for i, line := range lines {
		method, frame, has := strings.Cut(line, " {")
		called = append(called, method)
		if !used[i+1] || has == (method == "ola.connect(websocket_url)" || method == "ola.onMessage") {
			t.Errorf("line %d is not played, or has a frame: %v", i+1, has)
		}
		if _, id, _ := strings.Cut(frame, `"uuid":`); has && ids[id] {
			t.Errorf("line %d has the uuid %s of another", i+1, id)
		} else {
			ids[id] = true
		}
	}
	slices.Sort(called)
	if want := slices.Sorted(slices.Values(methods)); !slices.Equal(called, want) {
		t.Errorf("called is\n%q, the page has\n%q", called, want)
	}
}

func TestAnswersUnlikeTheSample(t *testing.T) {
	const sample = `{"code":200,"result":"ok","rows":[{"a":"x","at":"2020-03-19 16:59:32","yes":"true","n":1,"none":null,"words":["1"],"any":{},"real":false}]}`
	const good = `{"code":200,"result":"ok","rows":[{"a":"","at":"2026-01-02 03:04:05","yes":"false","n":0,"none":null,"words":[],"any":{"k":1},"real":true}]}`
	if err := likeSample(sample, []byte(good)); err != nil {
		t.Error(err)
	}
	for _, change := range [][2]string{
		{`"code":200`, `"code":"200"`}, {`"code":200`, `"code":201`}, {`"ok"`, `"success"`}, {`"a":""`, `"a":1`}, {`"a":""`, `"a":null`}, {`"a":""`, `"b":""`},
		{`"a":"",`, ``}, {`"a":""`, `"a":"","more":1`}, {`2026-01-02 03`, `2026-01-02T03`}, {`03:04:05`, `03:04:05.123456`}, {`"yes":"false"`, `"yes":false`},
		{`"yes":"false"`, `"yes":"no"`}, {`"n":0`, `"n":"0"`}, {`"n":0`, `"n":0.5`}, {`"none":null`, `"none":1`}, {`"words":[]`, `"words":null`},
		{`"words":[]`, `"words":[1]`}, {`"any":{"k":1}`, `"any":[]`}, {`"real":true`, `"real":"true"`}, {`[{`, `{`},
	} {
		if bad := strings.Replace(good, change[0], change[1], 1); bad == good || likeSample(sample, []byte(bad)) == nil {
			t.Errorf("%s is taken for\n%s", bad, sample)
		}
	}
	if likeSample(`[{"a":""}]`, []byte(`[]`)) == nil {
		t.Error("an empty list is as good as the printed one")
	}
}

func TestEndpointsWithPlaceholders(t *testing.T) {
	described := map[string]bool{"PUT /api/ola/agents/{extn}/hold": true, "GET /coocenter-api/monitor/{filePath}": true}
	for asked, want := range map[string]bool{
		"PUT /api/ola/agents/extn/hold": true, "GET /coocenter-api/monitor/${filePath}": true,
		"GET /api/ola/agents/extn/hold": false, "PUT /api/ola/agents/extn": false, "PUT /api/ola/agents/extn/unhold": false, "PUT /api/ola/agents/extn/hold/x": false,
	} {
		method, path, _ := strings.Cut(asked, " ")
		if isDescribed(described, method, path) != want {
			t.Errorf("%s: want %v", asked, want)
		}
	}
}

func TestAnswersToFrames(t *testing.T) {
	const frame = `{"cmd":"ping","uuid":"7"}`
	good := reply{Name: "command/reply", Type: "command/reply", Cmd: "ping", UUID: "7", Code: 200, Result: "pong"}
	if err := answers(frame, good); err != nil {
		t.Error(err)
	}
	for _, bad := range []reply{
		{Type: good.Type, Cmd: "ping", UUID: "7", Code: 200, Result: "pong"}, {Name: good.Name, Type: good.Type, Cmd: "ping", UUID: "8", Code: 200, Result: "pong"},
		{Name: good.Name, Type: good.Type, Cmd: "ping", UUID: "7", Code: 501, Result: "not implemented"}, {Name: good.Name, Type: good.Type, Cmd: "ping", UUID: "7", Code: 200, Result: "ok"},
	} {
		if answers(frame, bad) == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
