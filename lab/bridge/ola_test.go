package bridge_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// olaAgent is what the second dialect tells of an agent.
type olaAgent struct {
	Extn, State, Device, Gateway string
	Channel                      string `json:"channel_uuid"`
	Old                          string `json:"old_state"`
	Private                      string `json:"private_data"`
	Registered                   string `json:"sip_state"`
	Address                      string `json:"sip_ip"`
	SignedIn                     string `json:"created_at"`
	Changed                      string `json:"updated_at"`
	Direction                    string `json:"call_direction"`
	Other                        string `json:"other_number"`
	AnsweredAt                   string `json:"answered_at"`
	Queue                        []string
}

// does is one word for all that matters of an agent's state.
func (a olaAgent) does() string {
	return strings.TrimSpace(strings.Join([]string{a.State, a.Private, strings.TrimPrefix(a.Direction, "undefined"), a.Other}, " "))
}

// olaBench is an Asterisk, a daemon, and a client of the second dialect that has logged in.
type olaBench struct {
	*bench
	token string
}

func (b *olaBench) ask(method, path string) (code int, body string, header http.Header) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.ctx, method, b.d.URL+path, http.NoBody)
	b.must(err)
	req.Header.Set("X-Auth-Token", b.token)
	resp, err := http.DefaultClient.Do(req)
	b.must(err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	b.must(err)
	return resp.StatusCode, string(text), resp.Header
}

// put wants an answer of the dialect.
func (b *olaBench) put(path, want string) {
	b.Helper()
	if _, body, _ := b.ask(http.MethodPut, "/api/ola/agents/"+path); body != want+"\n" {
		b.Fatalf("%s: %s, want %s", path, body, want)
	}
}

const olaOK = `{"code":200,"result":"ok"}`

// login reads the password that was drawn at the first start, and takes a token for it.
func (b *olaBench) login() (password string) {
	b.Helper()
	line, err := b.d.WaitLog(b.within(10*time.Second), "user admin was made")
	b.must(err)
	var said struct{ Password string }
	b.must(json.Unmarshal([]byte(line), &said))
	b.loginWith(said.Password)
	return said.Password
}

func (b *olaBench) loginWith(password string) {
	b.Helper()
	code, body, header := b.ask(http.MethodGet, "/api/login?username=admin&password="+password)
	if b.token = header.Get("X-Auth-Token"); code != http.StatusOK || body != olaOK+"\n" || len(b.token) != 36 {
		b.Fatalf("login: %d %s, token %q", code, body, b.token)
	}
}

func (b *olaBench) agent(exten string) olaAgent {
	b.Helper()
	var list struct{ Agent []olaAgent }
	_, body, _ := b.ask(http.MethodGet, "/api/ola/agents/"+exten)
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Agent) != 1 {
		b.Fatalf("agent %s: %s", exten, body)
	}
	return list.Agent[0]
}

// becomes waits until an agent does something and returns him.
func (b *olaBench) becomes(exten, want string) (a olaAgent) {
	b.Helper()
	b.eventually(exten+" to be "+want, func() bool { a = b.agent(exten); return a.does() == want })
	return a
}

// pausedIn is what Asterisk's console says of the members of a queue.
func (b *olaBench) pausedIn(queue string) string { return strings.Join(b.membersOf(queue), " ") }

// TestOLA uses the second dialect on real Asterisks: log-in, pauses that Asterisk and the first dialect see at once, an order that rings
// both phones, a hang-up, and what O12 and O19 tell during a call out of a queue.
func TestOLA(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := &olaBench{bench: setUp(t, version, lab.Options{}, bridge.Options{Extra: "[enable]\npausetime = yes\npausetime_max = 3\n"})}
		if code, body, _ := b.ask(http.MethodGet, "/api/ola/agents"); code != http.StatusUnauthorized || body != `{"code":401,"result":"Authorization Required!"}`+"\n" {
			t.Errorf("without a token: %d %s", code, body)
		}
		password := b.login()
		b.out = b.trunk()
		furnish(b.bench)
		agent := b.phone("806") // a static member of 646
		agent.Behave(phone.Behaviour{Manual: true})
		other := b.phone("812")
		other.Behave(phone.Behaviour{Manual: true})
		b.idle("812", "806")
		b.pauses()
		b.lists()
		b.dialsFor(agent, other)
		b.servesWith(agent)
		b.outlives(password)
	})
}

// lists a number by this dialect: Asterisk has it, no dialect dials it, and the first dialect can let it in again.
func (b *olaBench) lists() {
	b.Helper()
	post := func(what, want string) {
		b.Helper()
		if _, body, _ := b.ask(http.MethodPost, "/api/special_phone/"+what); body != want+"\n" {
			b.Fatalf("%s: %s, want %s", what, body, want)
		}
	}
	const number, done = "02155559999", `{"code":200,"result":"ok"}`
	post("insert?special_flag=4&phone="+number, done)
	for _, family := range []string{"blacklist", "blacklist_out"} {
		b.eventually(family+" to have the number", func() bool { return strings.Contains(b.cli("database show "+family), number) })
	}
	b.put("806/dial/"+number, `{"code":403,"result":"destNumber: number is on the black list"}`)
	if code, body, err := b.d.Post(b.ctx, api+"extensions/click-number", "src", "806", "dst", number); err != nil || code != http.StatusForbidden {
		b.Errorf("click-number: %d %s %v", code, body, err)
	}
	b.does("blacklist/create", "Updated database successfully", "number", number)
	post("delete?phone="+number, done)
	post("delete?phone="+number, `{"code":404,"result":"not found"}`)
	for _, family := range []string{"blacklist", "blacklist_out"} {
		b.eventually(family+" to have it no more", func() bool { return !strings.Contains(b.cli("database show "+family), number) })
	}
}

// pauses moves the one pause by both dialects and on Asterisk's console.
func (b *olaBench) pauses() {
	b.Helper()
	b.put("812/go_break", `{"code":404,"result":"agent not login"}`)
	if a := b.agent("812"); a.State != "logout" || a.SignedIn != "undefined" || a.Registered != "true" || a.Address == "" || len(a.Queue) != 0 {
		b.Errorf("812 before he signs in: %+v", a)
	}
	b.does("queues/agent-login", "login extension success", "extension", "806", "queue", "631")
	in := b.agent("806")
	if in.does() != "ready" || strings.Join(in.Queue, " ") != "631 646" {
		b.Errorf("806 signed in: %+v", in)
	}
	b.put("806/go_break", olaOK)
	if a, one, two := b.agent("806"), b.pausedIn("631"), b.pausedIn("646"); a.does() != "unready" || a.Old != "ready" || a.SignedIn != in.SignedIn || one != "paused" || two != "paused" {
		b.Errorf("after go_break: %+v, Asterisk has %s and %s", a, one, two)
	}
	if b.told("806") != "paused 1" {
		b.Errorf("queue-info after go_break: %v", b.queueInfo())
	}
	b.put("806/go_ready", olaOK)
	if a, one, two := b.agent("806"), b.pausedIn("631"), b.pausedIn("646"); a.does() != "ready" || a.Old != "unready" || one != "free" || two != "free" || b.told("806") != "paused 0" {
		b.Errorf("after go_ready: %+v, Asterisk has %s and %s", a, one, two)
	}
	b.does("queues/agent-pause", "Interface paused successfully", "member", "806", "state", "on")
	if a := b.agent("806"); a.does() != "unready" {
		b.Errorf("after agent-pause: %+v", a)
	}
	b.does("queues/agent-pause", "Interface unpaused successfully", "member", "806", "state", "off")
	if a := b.agent("806"); a.does() != "ready" {
		b.Errorf("after the end of agent-pause: %+v", a)
	}
	b.cli("queue pause member " + b.lab.Tech + "/806 queue 631")
	b.cli("queue pause member " + b.lab.Tech + "/806 queue 646")
	b.becomes("806", "unready")
	b.cli("queue unpause member " + b.lab.Tech + "/806 queue 631")
	b.becomes("806", "ready")
	b.put("806/go_ready", olaOK)
}

// dialsFor orders a call for the agent; the phones tell what became of it.
func (b *olaBench) dialsFor(agent, callee *phone.Phone) {
	b.Helper()
	b.put("806/hangup", `{"code":404,"result":"no call"}`)
	b.dialplan("[from-internal](+)\nexten => 7777,1,NoOp()\n same => n,Set(GLOBAL(SEEN)=${OLA_OTHER_STR})\n same => n,Dial(" + b.lab.Tech + "/812,30)\n")
	b.put("806/dial/7777?other_str=a,SHELL(id)%20%22x%5C%5B1", olaOK)
	own := b.rings(agent)
	b.becomes("806", "busy ring outbound 7777")
	b.put("806/dial/812", `{"code":409,"result":"agent is busy"}`)
	b.must(own.Answer(b.ctx))
	other := b.rings(callee)
	if a := b.agent("806"); a.does() != "busy ring outbound 7777" || a.AnsweredAt != "" {
		b.Errorf("while the other side rings: %+v", a)
	}
	if out := b.cli("dialplan show globals"); !strings.Contains(out, `SEEN=a,SHELL(id) "x\[1`) {
		b.Errorf("the dialplan has not seen the remark:\n%s", out)
	}
	b.must(other.Answer(b.ctx))
	if a := b.becomes("806", "busy answer outbound 7777"); a.AnsweredAt == "" || a.Channel == "" {
		b.Errorf("while they talk: %+v", a)
	}
	call := b.agent("806").Channel // which began it
	b.put("806/hangup", olaOK)
	b.over(own)
	b.over(other)
	if a := b.becomes("806", "acw"); a.Old != "busy" || a.Channel != "" {
		b.Errorf("after the call that he ordered: %+v", a)
	}
	if a := b.becomes("806", "ready"); a.Old != "acw" || a.Channel != "" {
		b.Errorf("after the call: %+v", a)
	}
	var record struct {
		Data struct {
			Caller, Called, OtherStr string
			Ended                    bool
		}
	}
	b.eventually("the record of the call", func() bool { // which is away for a moment between the call and the file
		_, body, err := b.d.Get(b.ctx, api+"calls/"+call)
		b.must(err)
		return json.Unmarshal([]byte(body), &record) == nil && record.Data.Ended
	})
	if r := record.Data; r.OtherStr != `a,SHELL(id) "x\[1` || r.Caller != "806" {
		b.Errorf("record: %+v", r)
	}
}

// servesWith lets a caller wait in the agent's queue, talk to him, and hang up.
func (b *olaBench) servesWith(agent *phone.Phone) {
	b.Helper()
	b.put("806/go_break", olaOK)
	c := b.fromOutside("02150000099", "0219900646")
	var list struct {
		Count   string
		Callers []struct {
			UUID   string
			Number string `json:"caller_number"`
			Since  string `json:"created_at"`
			Wait   string `json:"wait_time"`
		}
	}
	b.eventually("the caller to wait", func() bool {
		_, body, _ := b.ask(http.MethodGet, "/api/ola/queues/646/get_callers")
		b.must(json.Unmarshal([]byte(body), &list))
		return list.Count == "1" && len(list.Callers) == 1 && list.Callers[0].Wait != "0"
	})
	if w := list.Callers[0]; w.Number != "02150000099" || !strings.Contains(b.cli("core show channels concise"), w.UUID) || len(w.Since) != len(time.DateTime) {
		b.Errorf("waiting: %+v", w)
	}
	b.put("806/go_ready", olaOK)
	in := b.rings(agent)
	if a := b.becomes("806", "busy ring inbound 02150000099"); a.Old != "ready" || !strings.Contains(b.cli("core show channels concise"), "/"+a.Gateway+"-") {
		b.Errorf("while he is rung: %+v", a)
	}
	b.must(in.Answer(b.ctx))
	if a := b.becomes("806", "busy answer inbound 02150000099"); a.AnsweredAt == "" {
		b.Errorf("while they talk: %+v", a)
	}
	b.must(c.Hangup(b.ctx))
	b.over(in)
	if a := b.becomes("806", "acw"); a.Old != "busy" {
		b.Errorf("after the call: %+v", a)
	}
	if a := b.becomes("806", "ready"); a.Old != "acw" {
		b.Errorf("after after-call work: %+v", a)
	}
	if _, body, _ := b.ask(http.MethodGet, "/api/ola/queues/646/get_callers"); body != `{"count":"0","callers":[]}`+"\n" {
		b.Errorf("nobody waits: %s", body)
	}
}

// outlives starts the daemon again: the token ends, the password and the agents' times stay, and the password is shown no more.
func (b *olaBench) outlives(password string) {
	b.Helper()
	before := b.agent("806")
	b.must(b.d.Stop())
	b.must(b.d.Run(b.within(20 * time.Second)))
	b.must(b.d.Ready(b.within(20 * time.Second)))
	if code, _, _ := b.ask(http.MethodGet, "/api/ola/agents"); code != http.StatusUnauthorized {
		b.Errorf("the token of before the restart: %d", code)
	}
	b.loginWith(password)
	if a := b.agent("806"); a.State != before.State || a.Old != before.Old || a.SignedIn != before.SignedIn || a.Changed != before.Changed {
		b.Errorf("after a restart: %+v, before %+v", a, before)
	}
	if log := b.d.Log(); strings.Contains(log, password) || strings.Contains(log, b.token) {
		b.Errorf("a secret is in the log:\n%s", log)
	}
}
