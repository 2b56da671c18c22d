package bridge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// campaignBench is a client of the second dialect, with the provider and trunk groups: one over the trunk with a single line, one over
// the trunk, one through the dialplan.
func campaignBench(t *testing.T, version string) (b *olaBench, password string) {
	t.Helper()
	tech := map[string]string{"16": "SIP", "22": "PJSIP"}[version]
	b = &olaBench{bench: setUp(t, version, lab.Options{}, bridge.Options{Extra: "[ola_gateways]\none = " + tech + "/trunk, count=1, callerid=02188880009\n" +
		"wide = " + tech + "/trunk\nplain =\n[ivr]\nivr-610 = 610, working time\n"})}
	password = b.login()
	b.out = b.trunk()
	return b, password
}

// campaign begins one and returns its id.
func (b *olaBench) campaign(group, numbers string, nameValue ...string) (id string) {
	b.Helper()
	form := url.Values{"gatewayGrp": {group}, "numbers": {numbers}}
	for i := 0; i < len(nameValue); i += 2 {
		form.Set(nameValue[i], nameValue[i+1])
	}
	_, body, header := b.ask(http.MethodPut, "/api/ola/groupCall?"+form.Encode())
	id = strings.TrimPrefix(header.Get("Location"), "/api/ola/groupCall/")
	if body != olaOK+"\n" || id == "" {
		b.Fatalf("groupCall %v: %s, location %q", form, body, id)
	}
	return id
}

// campaignNumber is what the dialect tells of one number.
type campaignNumber struct {
	Number, State, Cause string
	Call                 string `json:"call_id"`
	Answered             string `json:"answered_at"`
}

func (b *olaBench) numbers(id string) (state string, list []campaignNumber) {
	b.Helper()
	var reply struct {
		Campaign struct{ State string }
		Numbers  []campaignNumber
	}
	_, body, _ := b.ask(http.MethodGet, "/api/ola/groupCall/"+id)
	if err := json.Unmarshal([]byte(body), &reply); err != nil {
		b.Fatalf("groupCall/%s: %s", id, body)
	}
	return reply.Campaign.State, reply.Numbers
}

// comesTo waits until the numbers of a campaign have come to something.
func (b *olaBench) comesTo(id string, want ...string) (list []campaignNumber) {
	b.Helper()
	var got []string
	ctx := b.within(25 * time.Second)
	for {
		_, list = b.numbers(id)
		got = got[:0]
		for _, n := range list {
			got = append(got, n.State)
		}
		if slices.Equal(got, want) {
			return list
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			b.Fatalf("campaign %s: %v, want %v", id, got, want)
		}
	}
}

// answers waits for a call at the provider to a number, and until it was answered.
func (b *olaBench) answers(number string) *phone.Call {
	b.Helper()
	c := b.incoming(b.out)
	if got := c.Info().Dialled; got != number {
		b.Fatalf("the provider was called for %s, want %s", got, number)
	}
	return c
}

// recorded is what is kept with a call.
func (b *olaBench) recorded(id string) (r struct {
	Caller, Called, CallType, OtherStr, HangupSide string
	Ended                                          bool
}) {
	b.Helper()
	reply := struct{ Data any }{&r}
	b.eventually("the record of "+id, func() bool {
		code, body, err := b.d.Get(b.ctx, api+"calls/"+id)
		b.must(err)
		return code == http.StatusOK && json.Unmarshal([]byte(body), &reply) == nil && r.Ended
	})
	return r
}

// TestMakeCall connects mobiles, land lines and extensions, over the trunk and through the dialplan.
func TestMakeCall(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b, _ := campaignBench(t, version)
		p := b.phone("801")
		b.idle("801")
		const mobile, other = "13800138000", "02155551234"
		makes := func(want string, nameValue ...string) {
			t.Helper()
			form := url.Values{}
			for i := 0; i < len(nameValue); i += 2 {
				form.Set(nameValue[i], nameValue[i+1])
			}
			if _, body, _ := b.ask(http.MethodPost, "/api/ola/makeCall?"+form.Encode()); body != want+"\n" {
				t.Fatalf("makeCall %v: %s, want %s", form, body, want)
			}
		}
		var groups []struct {
			UUID, Name string
			Count      int
		}
		_, body, _ := b.ask(http.MethodGet, "/api/ola/gateway_groups")
		if err := json.Unmarshal([]byte(body), &groups); err != nil || len(groups) != 3 || groups[0].Name != "one" || groups[0].Count != 1 || groups[2].Count != 9999999 {
			t.Fatalf("gateway_groups: %s", body)
		}
		if _, body, _ := b.ask(http.MethodGet, "/api/ola/ivr_flows"); body != `[{"flow_id":610,"flow_name":"working time"}]`+"\n" {
			t.Errorf("ivr_flows: %s", body)
		}
		both := func(a, c *phone.Call) {
			t.Helper()
			b.must(a.Heard(b.within(10*time.Second), 20))
			b.must(c.Heard(b.within(10*time.Second), 20))
			b.must(a.Hangup(b.ctx))
			b.over(c)
		}
		for _, group := range []string{groups[0].UUID, "plain"} {
			since := time.Now()
			makes(olaOK, "from", mobile, "to", "801", "caller_id", "order 4711", "gwGroup", group)
			first := b.answers(mobile)
			if shown := first.Info().From.Number; group != "plain" && shown != "02188880009" {
				t.Errorf("the mobile is shown %s", shown)
			}
			if group != "plain" {
				makes(`{"code":409,"result":"all lines of the trunk group are busy"}`, "from", mobile, "to", "801", "gwGroup", group)
			}
			second := b.incoming(p)
			if shown := second.Info().From.Number; shown != mobile {
				t.Errorf("801 is shown %s", shown)
			}
			id := b.callSince(since)
			both(first, second)
			if r := b.recorded(id); r.Caller != mobile || r.Called != "801" || r.CallType != "outgoing" || r.OtherStr != "order 4711" {
				t.Errorf("over %s: %+v", group, r)
			}
			b.idle("801")
		}
		for _, group := range []string{"wide", "plain"} {
			makes(olaOK, "from", "801", "to", other, "gwGroup", group)
			both(b.incoming(p), b.answers(other))
			b.idle("801")
			makes(olaOK, "from", mobile, "to", other, "gwGroup", group)
			both(b.answers(mobile), b.answers(other))
			b.eventually("the end of it", func() bool { return len(b.liveCalls()) == 0 })
		}
		makes(`{"code":409,"result":"all lines of the trunk group are busy"}`, "from", mobile, "to", other, "gwGroup", "one")
		makes(`{"code":404,"result":"gwGroup: not found"}`, "from", mobile, "to", other, "gwGroup", "none")
		makes(`{"code":409,"result":"extension is not registered"}`, "from", "802", "to", other, "gwGroup", "wide")
		makes(`{"code":404,"result":"not found"}`, "from", "100", "to", other, "gwGroup", "wide")
		b.ask(http.MethodPost, "/api/special_phone/insert?special_flag=3&phone="+other)
		makes(`{"code":403,"result":"to: number is on the black list"}`, "from", mobile, "to", other, "gwGroup", "wide")
		if calls := b.out.Calls(); len(calls) != 0 {
			t.Errorf("the provider has calls: %v", calls)
		}
		text, err := os.ReadFile(b.d.Config)
		b.must(err)
		b.must(os.WriteFile(b.d.Config, []byte(strings.Replace(string(text), "count=1,", "count=2,", 1)), 0o600))
		b.must(b.d.Signal(syscall.SIGHUP))
		b.eventually("the reload", func() bool {
			_, body, _ := b.ask(http.MethodGet, "/api/ola/gateway_groups?name=one")
			return strings.Contains(body, `"count":2}`) && strings.Contains(body, groups[0].UUID)
		})
	})
}

// callSince is the id of the call that was first told after a moment.
func (b *bench) callSince(at time.Time) (id string) {
	b.Helper()
	_, err := b.rec.Until(b.within(10*time.Second), "a call to be told", func(all []bridge.Event) bool {
		i := slices.IndexFunc(all, func(e bridge.Event) bool { return e.Kind == "dialbegin" && e.At.After(at) })
		if i >= 0 {
			id = all[i].Call()
		}
		return i >= 0
	})
	b.must(err)
	return id
}

// TestCampaigns lets each kind of campaign do what it is for, at the phones.
func TestCampaigns(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b, _ := campaignBench(t, version)
		agent := b.phone("805")
		agent.Behave(phone.Behaviour{Manual: true})
		b.idle("805")
		b.plays()
		b.asksMenu("wide")
		b.asksMenu("plain")
		b.refusesCampaigns()
		b.queues(agent)
		b.stops()
		b.waitsForTrunk()
	})
}

// plays a file to two numbers, one line: never two at once. One is busy, one is listed, one is no extension, one has no phone.
func (b *olaBench) plays() {
	b.Helper()
	b.out.BehaveFor("02155550002", phone.Behaviour{Status: 486})
	b.ask(http.MethodPost, "/api/special_phone/insert?special_flag=3&phone=02155550004")
	id := b.campaign("one", "02155550001,02155550002,02155550003,02155550004,02155550001,100,802", "OprType", "play", "file", "/usr/share/asterisk/sounds/beep.gsm",
		"batchAccept", "batch-7", "timeOut", "10", "daFlag", "true")
	first := b.answers("02155550001")
	if shown := first.Info().From.Number; shown != "02188880009" {
		b.Errorf("shown %s", shown)
	}
	b.must(first.Heard(b.within(10*time.Second), 5))
	b.over(first)
	busy := b.rings(b.out)
	b.over(busy)
	third := b.answers("02155550003")
	b.over(third)
	for _, pair := range [][2]*phone.Call{{first, busy}, {busy, third}} {
		if end, next := pair[0].Info().End.At, pair[1].Info().Created; next.Before(end) {
			b.Errorf("%s was called at %v, before the call to %s ended at %v", pair[1].Info().Dialled, next, pair[0].Info().Dialled, end)
		}
	}
	list := b.comesTo(id, "answered", "busy", "answered", "blacklisted", "absent", "unregistered")
	if list[0].Answered == "" || list[1].Cause != "17" || list[1].Answered != "" || list[3].Call != "" {
		b.Errorf("%+v", list)
	}
	if r := b.recorded(list[0].Call); r.Called != "02155550001" || r.Caller != "" || r.CallType != "outgoing" || r.OtherStr != "batch-7" {
		b.Errorf("record: %+v", r)
	}
	var rows []struct {
		ID, Total, Answered, Busy, Blacklisted int
		State                                  string
	}
	_, body, _ := b.ask(http.MethodGet, "/api/ola/groupCall?batchAccept=batch-7")
	if err := json.Unmarshal([]byte(body), &rows); err != nil || len(rows) != 1 || fmt.Sprint(rows[0]) != "{"+id+" 6 2 1 1 done}" {
		b.Errorf("groupCall: %s", body)
	}
	for i, how := range [][2]string{{"answer", "ANSWERED"}, {"busy", "BUSY"}} {
		n := list[i]
		by := map[string]string{"SIP": "SIP/trunk/" + n.Number, "PJSIP": "SIP/" + n.Number + "@trunk"}[b.lab.Tech]
		_, events := b.callEvents(1, func(e bridge.Event) bool { return e.Call() == n.Call })
		b.expect(events, "dialbegin  >"+n.Number+" SIP/trunk by "+by, "dialend  >"+n.Number+" SIP/trunk "+how[0],
			"cdr >"+n.Number+" "+how[1]+" outbound", "hangup "+n.Number+" 02188880009")
	}
	if n := len(b.out.Calls()); n != 0 {
		b.Errorf("the provider has %d calls", n)
	}
}

// asksMenu sends one that answers into a menu, where a key is pressed.
func (b *olaBench) asksMenu(group string) {
	b.Helper()
	since := time.Now()
	id := b.campaign(group, "02155550010", "OprType", "ivr", "flow_id", "610")
	c := b.answers("02155550010")
	b.press(c, "2")
	_, err := b.rec.Until(b.within(10*time.Second), "the menu of a campaign over "+group, func(all []bridge.Event) bool {
		return slices.ContainsFunc(all, func(e bridge.Event) bool {
			return e.Kind == "ivr" && e.At.After(since) && strings.Contains(e.Body, "610") && strings.Contains(e.Body, `"2"`)
		})
	})
	b.must(err)
	b.must(c.Hangup(b.ctx))
	list := b.comesTo(id, "answered")
	if r := b.recorded(list[0].Call); r.Called != "02155550010" || r.Caller != "610" || r.CallType != "outgoing" {
		b.Errorf("record of a menu over %s: %+v", group, r)
	}
}

func (b *olaBench) refusesCampaigns() {
	b.Helper()
	for _, c := range []struct{ query, want string }{
		{"numbers=02155550001&gatewayGrp=none&OprType=play&file=beep", `{"code":404,"result":"gatewayGrp: not found"}`},
		{"numbers=02155550001&gatewayGrp=wide&OprType=queue&queue=999", `{"code":404,"result":"queue: not found"}`},
		{"numbers=02155550001&gatewayGrp=wide&OprType=ivr&flow_id=1", `{"code":404,"result":"flow_id: not found"}`},
		{"numbers=02155550001&gatewayGrp=wide&OprType=ai&planId=1&companyId=1", `{"code":400,"result":"ai not supported"}`},
		{"numbers=02155550001&gatewayGrp=wide&OprType=play&file=/etc/passwd", `{"code":400,"result":"file: not a file below the folders of sounds"}`},
	} {
		if _, body, _ := b.ask(http.MethodPut, "/api/ola/groupCall?"+c.query); body != c.want+"\n" {
			b.Errorf("%s: %s, want %s", c.query, body, c.want)
		}
	}
}

// queues lets a campaign wait for the one agent: a number is dialled when he is ready, and he talks to who answers.
func (b *olaBench) queues(agent *phone.Phone) {
	b.Helper()
	b.does("queues/agent-login", "login extension success", "extension", "805", "queue", "631")
	b.put("805/go_break", olaOK)
	id := b.campaign("wide", "02155550020,02155550021", "OprType", "queue", "queue", "631", "batchAccept", "batch-8")
	b.wait(300 * time.Millisecond)
	b.comesTo(id, "waiting", "waiting")
	b.put("805/go_ready", olaOK)
	for i, number := range []string{"02155550020", "02155550021"} {
		customer := b.answers(number)
		in := b.rings(agent)
		if shown := in.Info().From.Number; shown != number {
			b.Errorf("the agent is shown %s", shown)
		}
		b.must(in.Answer(b.ctx))
		b.must(customer.Heard(b.within(10*time.Second), 20))
		b.must(in.Heard(b.within(10*time.Second), 20))
		want := []string{"talking", "waiting"}
		if i == 1 {
			want = []string{"answered", "talking"}
		}
		b.wait(300 * time.Millisecond) // in which the next number must not be dialled
		b.comesTo(id, want...)
		if n := len(b.out.Calls()); n != 1 {
			b.Errorf("the provider has %d calls while the agent talks", n)
		}
		first, second := customer, in
		if i == 1 {
			first, second = in, customer
		}
		b.must(first.Hangup(b.ctx))
		b.over(second)
	}
	list := b.comesTo(id, "answered", "answered")
	r := b.recorded(list[0].Call)
	if r.Called != "02155550020" || r.Caller != "631" || r.CallType != "outgoing" || r.OtherStr != "batch-8" {
		b.Errorf("record: %+v", r)
	}
	b.shares(list[0].Call, "805")
	if by, then := r.HangupSide, b.recorded(list[1].Call).HangupSide; by != "agent" || then != "caller" {
		b.Errorf("the customer, who is not the caller, hung up, and of the second call the agent: %s, %s", by, then)
	}
}

// stops a campaign whose first number rings.
func (b *olaBench) stops() {
	b.Helper()
	b.out.BehaveFor("02155550030", phone.Behaviour{Manual: true})
	id := b.campaign("one", "02155550030,02155550031,02155550032", "OprType", "play", "file", "beep")
	c := b.rings(b.out)
	b.comesTo(id, "dialing", "waiting", "waiting")
	if _, body, _ := b.ask(http.MethodPost, "/api/ola/groupCall/"+id+"/stop"); body != olaOK+"\n" {
		b.Errorf("stop: %s", body)
	}
	b.must(c.Answer(b.ctx))
	b.over(c)
	b.comesTo(id, "answered", "stopped", "stopped")
	if state, _ := b.numbers(id); state != "stopped" {
		b.Errorf("state %s", state)
	}
	if _, body, _ := b.ask(http.MethodPost, "/api/ola/groupCall/9999/stop"); body != `{"code":404,"result":"not found"}`+"\n" {
		b.Errorf("stop of none: %s", body)
	}
}

// waitsForTrunk dials nothing while the provider is away, so that no number is used up, and goes on when it is back.
func (b *olaBench) waitsForTrunk() {
	b.Helper()
	b.must(b.out.Unregister(b.ctx))
	b.eventually("the trunk to be away", func() bool {
		_, body, _ := b.ask(http.MethodPost, "/api/ola/makeCall?from=02155550050&to=805&gwGroup=wide")
		return body == `{"code":409,"result":"no trunk of the group can be reached"}`+"\n"
	})
	id := b.campaign("wide", "02155550051", "OprType", "play", "file", "beep")
	b.wait(1200 * time.Millisecond)
	b.comesTo(id, "waiting")
	b.must(b.out.Register(b.ctx))
	b.over(b.answers("02155550051"))
	b.comesTo(id, "answered")
}

// TestCampaignOutlives kills the daemon in the middle of a campaign, and Asterisk is away for a while: every number is called once.
func TestCampaignOutlives(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b, password := campaignBench(t, version)
		b.out.Behave(phone.Behaviour{Manual: true})
		numbers := []string{"02155550041", "02155550042", "02155550043", "02155550044"}
		id := b.campaign("one", strings.Join(numbers, ","), "OprType", "play", "file", "beep", "timeOut", "60")
		called := []string{}
		next := func() *phone.Call {
			t.Helper()
			c, err := b.out.Accept(b.within(10 * time.Second))
			if err != nil {
				_, list := b.numbers(id)
				t.Fatalf("nobody is called after %v: %v\n%+v\n%s", called, err, list, b.cli("core show channels concise")+b.cli("database show registrar"))
			}
			called = append(called, c.Info().Dialled)
			return c
		}
		first := next()
		b.comesTo(id, "dialing", "waiting", "waiting", "waiting")
		restart := func(meanwhile func()) {
			t.Helper()
			b.must(b.d.Kill())
			meanwhile()
			b.must(b.d.Run(b.within(20 * time.Second)))
			b.must(b.d.Ready(b.within(20 * time.Second)))
			b.loginWith(password)
		}
		restart(func() {})
		b.wait(500 * time.Millisecond) // in which nobody else may be called: the one line is in use
		b.comesTo(id, "dialing", "waiting", "waiting", "waiting")
		b.must(first.Answer(b.ctx))
		second := next()
		restart(func() { b.must(second.Reject(b.ctx, 486)); b.over(second) }) // its end is in Asterisk's own record at most
		third := next()
		b.must(b.lab.Kill(b.ctx))
		_ = third.Reject(b.ctx, 480) // nobody is there to hear it
		b.must(b.lab.Boot(b.ctx))
		b.must(b.out.Register(b.ctx))
		if version == "22" {
			b.cli("pjsip qualify trunk") // else Asterisk itself takes it for unreachable for up to 15 s
		}
		b.must(next().Answer(b.ctx))
		_, list := b.numbers(id)
		b.eventually("the end", func() bool { _, list = b.numbers(id); return list[3].State == "answered" })
		if list[0].State != "answered" || list[1].State == "waiting" || list[1].State == "dialing" || list[2].State == "waiting" || list[2].State == "dialing" {
			t.Errorf("%+v", list)
		}
		if !slices.Equal(called, numbers) {
			t.Errorf("called: %v", called)
		}
	})
}
