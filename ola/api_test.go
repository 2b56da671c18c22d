package ola

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/internal/golden"
	"github.com/dialbridge/dialbridge/pbx"
)

const login = "/api/login?username=admin&password="

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestTokens(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	header := r.expect(200, "ok", http.MethodGet, login+"correct+horse", "", headerToken, "")
	token := header.Get(headerToken)
	if !uuidForm.MatchString(token) || header.Get("Access-Control-Expose-Headers") != headerToken || header.Get("Cache-Control") != "no-store" {
		t.Errorf("token %q, headers %v", token, header)
	}
	if again := r.expect(200, "ok", http.MethodGet, login+"correct+horse", "").Get(headerToken); again == token {
		t.Error("one token was given out twice")
	}
	for _, path := range []string{"/api/ola/agents", "/api/ola/all_queues"} {
		if w := r.request(http.MethodGet, path, "", headerToken, token); w.Code != http.StatusOK {
			t.Errorf("%s with the token: %d %s", path, w.Code, w.Body)
		}
		for _, wrong := range []string{"", "x", token[1:], strings.ToUpper(token), strings.Repeat("a", 9000)} {
			r.expect(401, textUnauthorized, http.MethodGet, path, "", headerToken, wrong)
		}
	}
	for _, path := range []string{"/api/ola/none", "/api/conferences/none", "/api/special_phone/none", "/api/ola/agents/808/hold"} {
		r.expect(401, textUnauthorized, http.MethodPut, path, "", headerToken, "")
	}
	if log := r.log.String(); strings.Contains(log, token) || strings.Contains(log, "correct") {
		t.Errorf("a secret is in the log:\n%s", log)
	}
}

func TestTheOldestTokenGoes(t *testing.T) {
	tokens := newTokens()
	first := tokens.issue(pbx.User{ID: 1})
	second := tokens.issue(pbx.User{ID: 1})
	for range maxTokens - 2 {
		tokens.issue(pbx.User{ID: 1})
	}
	valid := func(token string) bool {
		_, ok := tokens.user(token)
		return ok
	}
	if !valid(first) || !valid(second) {
		t.Fatal("a token ended before there were too many")
	}
	last := tokens.issue(pbx.User{ID: 1})
	if valid(first) || !valid(second) || !valid(last) || len(tokens.known) != maxTokens {
		t.Errorf("of %d tokens the wrong one ended", len(tokens.known))
	}
}

// TestTokensEndWithTheProcess holds what the document says: a restart ends all tokens. The password stays.
func TestTokensEndWithTheProcess(t *testing.T) {
	fake := newAsterisk(t)
	r := newRig(t, fake, rigOptions{}).complete()
	token := r.expect(200, "ok", http.MethodGet, login+"correct+horse", "").Get(headerToken)
	r.close()
	r = newRig(t, fake, rigOptions{path: r.path}).complete()
	r.expect(401, textUnauthorized, http.MethodGet, "/api/ola/agents", "", headerToken, token)
	r.expect(200, "ok", http.MethodGet, login+"correct+horse", "")
}

func TestDisabledUser(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	r.must(r.db.Do(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), `UPDATE pbx_users SET disabled = 1`)
		return err
	}))
	r.expect(403, "account not enable!", http.MethodGet, login+"correct+horse", "")
	r.expect(401, "auth failed!", http.MethodGet, login+"wrong", "")
}

// TestTooManyFailures: an address that has failed too often is told nothing any more, and who has a token works on.
func TestTooManyFailures(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{limit: 5}).complete()
	for range 30 {
		r.expect(401, textUnauthorized, http.MethodGet, "/api/ola/agents", "", headerToken, "old") // which is no failed log-in
	}
	for range 5 {
		r.expect(401, "auth failed!", http.MethodGet, login+"wrong", "")
	}
	for _, password := range []string{"wrong", "correct+horse", ""} {
		header := r.expect(429, "too many failed attempts, try again later", http.MethodGet, login+password, "")
		if after := header.Get("Retry-After"); !regexp.MustCompile(`^([1-9]|[1-5]\d|60)$`).MatchString(after) || header.Get(headerToken) != "" {
			t.Errorf("Retry-After %q, token %q", after, header.Get(headerToken))
		}
	}
	if w := r.request(http.MethodGet, "/api/ola/agents", ""); w.Code != http.StatusOK {
		t.Errorf("with a token: %d %s", w.Code, w.Body)
	}
}

// TestManyAtOnce: of many log-ins at once each is answered, a few may be told to come again, and no right one is refused for good.
func TestManyAtOnce(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	for range 60 {
		wg.Go(func() {
			w := r.request(http.MethodGet, login+"correct+horse", "")
			mu.Lock()
			defer mu.Unlock()
			codes[w.Code]++
			if w.Code == 503 && w.Header().Get("Retry-After") != "1" {
				t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
			}
		})
	}
	wg.Wait()
	if codes[200] == 0 || codes[200]+codes[503] != 60 {
		t.Errorf("answers by status: %v", codes)
	}
}

// agent is what O12 tells of one agent.
func (r *rig) agent(extn string) (row agentRow) {
	r.t.Helper()
	w := r.request(http.MethodGet, "/api/ola/agents/"+extn, "")
	var list agentList
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Agent) != 1 {
		r.t.Fatalf("agent %s: %d %s", extn, w.Code, w.Body)
	}
	return list.Agent[0]
}

const coocenterAPI = "/coocenter-api/queues/"

// TestPauseIsOne: there is one pause, whichever dialect it comes by, and each sees it in its first look.
func TestPauseIsOne(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	queueInfo := func(want string) {
		t.Helper()
		if w := r.request(http.MethodGet, coocenterAPI+"queue-info?queue=630", ""); !strings.Contains(w.Body.String(), `{"name":"sip/808","paused":"`+want+`"`) {
			t.Errorf("queue-info: %s, want paused %s", w.Body, want)
		}
	}
	for range 20 {
		r.expect(200, "ok", http.MethodPut, "/api/ola/agents/808/go_break", "")
		queueInfo("1")
		r.expect(200, "ok", http.MethodPut, "/api/ola/agents/808/go_ready", "")
		queueInfo("0")
		for state, want := range map[string]pbx.AgentState{"on": pbx.AgentUnready, "off": pbx.AgentReady} {
			if w := r.request(http.MethodPost, coocenterAPI+"agent-pause", "member=808&state="+state); w.Code != http.StatusOK {
				t.Fatalf("agent-pause: %d %s", w.Code, w.Body)
			}
			if got := r.agent("808"); got.State != want {
				t.Errorf("after agent-pause %s: %s", state, got.State)
			}
		}
		if w := r.request(http.MethodPost, coocenterAPI+"agent-pause", "member=808&state=off"); w.Code != http.StatusOK {
			t.Fatalf("agent-pause: %d %s", w.Code, w.Body)
		}
	}
}

// TestStaticMemberWhoHasLeft: coocenter's agent-logout pauses a member that Asterisk cannot remove. He is not signed in, and go_ready does
// not sign him in.
func TestStaticMemberWhoHasLeft(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	if w := r.request(http.MethodPost, coocenterAPI+"agent-logout", "extension=808"); w.Code != http.StatusOK {
		t.Fatalf("agent-logout: %d %s", w.Code, w.Body)
	}
	if got := r.agent("808"); got.State != pbx.AgentLogout || got.OldState != pbx.AgentReady || len(got.Queue) != 0 || got.CreatedAt != undefined {
		t.Errorf("after agent-logout: %+v", got)
	}
	r.expect(404, textSignedOut, http.MethodPut, "/api/ola/agents/808/go_ready", "")
	r.expect(404, textSignedOut, http.MethodPut, "/api/ola/agents/808/dial/809", "")
}

// TestAgentsOutliveTheDaemon: since when, and what before, is not Asterisk's to know.
func TestAgentsOutliveTheDaemon(t *testing.T) {
	fake := newAsterisk(t)
	r := newRig(t, fake, rigOptions{}).complete()
	r.expect(200, "ok", http.MethodPut, "/api/ola/agents/808/go_break", "")
	before := r.agent("808")
	if before.State != pbx.AgentUnready || before.OldState != pbx.AgentReady || before.CreatedAt >= before.UpdatedAt {
		t.Errorf("before: %+v", before)
	}
	r.close()
	r = newRig(t, fake, rigOptions{path: r.path}).complete()
	if diff := cmp.Diff(before, r.agent("808")); diff != "" {
		t.Errorf("after a restart (-before +after):\n%s", diff)
	}
	r.close()
	fake.mu.Lock()
	clear(fake.paused)
	fake.mu.Unlock()
	r = newRig(t, fake, rigOptions{path: r.path}).complete()
	if got := r.agent("808"); got.State != pbx.AgentReady || got.OldState != pbx.AgentUnready || got.CreatedAt != before.CreatedAt || got.UpdatedAt <= before.UpdatedAt {
		t.Errorf("released while the daemon was down: %+v, before %+v", got, before)
	}
}

// everything is a request for each endpoint that needs Asterisk.
var everything = []string{
	"PUT /api/ola/agents/808/dial/809", "PUT /api/ola/agents/810/hangup", "PUT /api/ola/agents/808/go_break", "PUT /api/ola/agents/808/go_ready",
	"GET /api/ola/agents", "GET /api/ola/agents/808", "GET /api/ola/all_queues", "GET /api/ola/queues/630/get_callers",
}

func TestNothingIsAnsweredOfAnUnknownAsterisk(t *testing.T) {
	fake := newAsterisk(t, amitest.Options{Booting: true})
	r := newRig(t, fake, rigOptions{})
	fake.WaitLogins(1)
	for _, request := range everything {
		method, path, _ := strings.Cut(request, " ")
		r.expect(503, "Asterisk is not connected, try again", method, path, "")
	}
	r.expect(200, "ok", http.MethodGet, login+"correct+horse", "") // which needs none
	fake.Boot()
	r.complete()
	for _, request := range everything {
		method, path, _ := strings.Cut(request, " ")
		if w := r.request(method, path, ""); w.Code != http.StatusOK {
			t.Errorf("%s after the boot: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestOutcomeUnknown(t *testing.T) {
	for action, path := range map[string]string{"Originate": "808/dial/809", "QueuePause": "808/go_break", "Hangup": "810/hangup"} {
		fake := newAsterisk(t)
		fake.Handle(action, func(s *amitest.Session, _ ami.Action) { s.Close() })
		r := newRig(t, fake, rigOptions{}).complete()
		r.expect(504, "the outcome is unknown, do not repeat blindly", http.MethodPut, "/api/ola/agents/"+path, "")
		fake.WaitLogins(2)
		if n := len(fake.Received(action)); n != 1 {
			t.Errorf("%s was sent %d times", action, n)
		}
		r.close()
	}
}

func TestRefusals(t *testing.T) {
	for says, want := range map[string]string{
		"Permission denied": "the manager user of Asterisk lacks the privilege", "Channel not specified": "Channel not specified",
	} {
		fake := newAsterisk(t)
		fake.Handle("Originate", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", says) })
		r := newRig(t, fake, rigOptions{}).complete()
		r.expect(500, want, http.MethodPut, "/api/ola/agents/808/dial/809", "")
		r.expect(500, want, http.MethodPut, "/api/ola/agents/808/dial/809", "") // a refused order does not leave him busy
		r.close()
	}
}

// TestRemarkStaysInOnePiece: Asterisk splits variables at commas and calls functions. None of that comes out of a remark.
func TestRemarkStaysInOnePiece(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	r.expect(200, "ok", http.MethodPut, "/api/ola/agents/808/dial/809", `other_str=a,SHELL(id)="x\[1]`)
	var got []string
	for _, f := range r.fake.Wait("Originate").Fields {
		if f.Name == "Variable" && strings.Contains(f.Value, "OTHER") {
			got = append(got, f.Value)
		}
	}
	if want := []string{`OLA_OTHER_STR=a\,SHELL\(id\)=\"x\\\[1\]`}; !slices.Equal(got, want) {
		t.Errorf("variables %q, want %q", got, want)
	}
	r.expect(400, "other_str: longer than 400 bytes", http.MethodPut, "/api/ola/agents/809/dial/808", "other_str="+strings.Repeat("x", 401))
}

// TestPayloads holds keys, order and types against the samples of the document.
func TestPayloads(t *testing.T) {
	at := time.Date(2020, 7, 23, 14, 20, 50, 776364000, time.UTC)
	rules := Rules{PrivateAnswer: "answered", AfterWork: 5 * time.Second, Location: time.UTC}
	phone := pbx.Registration{Address: "182.138.88.98", Reachable: pbx.Reachable}
	call := pbx.AgentCall{Channel: "1595485250.7", Outbound: true, Number: "13812345678", Trunk: "telecom", Picked: true}
	sampled := samples()
	talks := call
	talks.Outbound, talks.Answered = false, at.Add(9*time.Second)
	for name, payload := range map[string]any{
		"agents-sample": agentList{Code: "200", Agent: []agentRow{rules.agent(pbx.Agent{
			Exten: "1007", State: pbx.AgentUnready, SignedIn: at, Queues: []pbx.QueueName{"10010", "10023"},
		}, phone)}},
		"agents-ring":   rules.agent(pbx.Agent{Exten: "1007", State: pbx.AgentBusy, Old: pbx.AgentReady, SignedIn: at, Changed: at, Call: call}, phone),
		"agents-answer": rules.agent(pbx.Agent{Exten: "1007", State: pbx.AgentBusy, Old: pbx.AgentReady, SignedIn: at, Changed: at, Call: talks}, phone),
		"agents-logout": rules.agent(pbx.Agent{Exten: "1007", State: pbx.AgentLogout}, pbx.Registration{}),
		"agents-empty":  agentList{Code: "200", Agent: []agentRow{}},
		"queues":        []queueRow{rowOf(pbx.Queue{Name: "10010"}), rowOf(pbx.Queue{Name: "0100"}), rowOf(pbx.Queue{Name: `a"b`})},
		"callers": rules.callers(pbx.Queue{Callers: []pbx.Waiting{
			{ID: "33333131", Caller: pbx.Party{Number: "13012345678"}, Since: time.Date(2020, 2, 1, 0, 0, 0, 0, time.UTC)},
		}}, time.Date(2020, 2, 1, 0, 0, 20, 900, time.UTC)),
		"callers-empty": rules.callers(pbx.Queue{}, at),
		"conferences": []conferenceRow{
			rules.conference(pbx.Conference{ID: "d2b8fb86-ff85-11ed-a941-000c29147fde", Number: "300942914", Created: at, ConferenceSettings: pbx.ConferenceSettings{
				Topic: "111112", ShowName: "extn", Blending: true}}),
			rules.conference(pbx.Conference{ID: "d2b8fb86-ff85-11ed-a941-000c29147fdf", Number: "300942915", Created: at, Started: at, Completed: at.Add(time.Hour),
				Members: []string{"1002", "13012345678"}, ConferenceSettings: pbx.ConferenceSettings{Topic: `周 "1"`, Context: "out", Recording: true, ShowName: "alias"}}),
		},
		"conference-members": []attendeeRow{
			rules.attendee("d2b8fb86", pbx.Attendee{ID: "7f6bd195", Number: "1002", State: pbx.Cancelled, Created: at, Left: at.Add(time.Second)}),
			rules.attendee("d2b8fb86", pbx.Attendee{ID: "7f6bd196", Number: "1003", State: pbx.Invited, Created: at}),
			rules.attendee("d2b8fb86", pbx.Attendee{ID: "7f6bd197", Number: "", State: pbx.Attending, Created: at, Joined: at}),
			rules.attendee("d2b8fb86", pbx.Attendee{ID: "7f6bd198", Number: "1004", State: pbx.Muted, Created: at, Joined: at}),
			rules.attendee("d2b8fb86", pbx.Attendee{ID: "7f6bd199", Number: "1005", State: pbx.Left, Created: at, Joined: at, Left: at.Add(time.Hour)}),
		},
		"conference-saved": savedReply{Code: 200, Result: textSuccess, ConfUUID: "d2b8fb86-ff85-11ed-a941-000c29147fde", Nbr: "300942914"},
	} {
		sampled[name] = payload
	}
	for name, payload := range sampled {
		body, err := json.MarshalIndent(payload, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, filepath.Join("testdata", "payloads", name+".json"), append(body, '\n'))
	}
}

// TestOneOrderAtATime: of many orders for one agent at once one is dialled.
func TestOneOrderAtATime(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	for range 20 {
		wg.Go(func() {
			w := r.request(http.MethodPut, "/api/ola/agents/808/dial/809", "")
			mu.Lock()
			defer mu.Unlock()
			codes[w.Code]++
		})
	}
	wg.Wait()
	if n := len(r.fake.Received("Originate")); n != 1 || codes[200] != 1 || codes[409] != 19 {
		t.Errorf("%d calls were ordered; answers by status: %v", n, codes)
	}
}
