package lab

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dialbridge/dialbridge/lab/phone"
)

// scenes are the ways through the dialplan.
var scenes = []struct {
	name string
	play func(s scene)
	tech string // "" is both
}{
	{name: "inside", play: inside},
	{name: "busy", play: busy},
	{name: "absent", play: absent},
	{name: "forwarded", play: forwarded},
	{name: "outbound", play: outbound},
	{name: "inbound", play: inbound},
	{name: "inbound recorded", play: inboundRecorded},
	{name: "inbound blacklisted", play: inboundBlacklisted},
	{name: "no such DID", play: noSuchDID},
	{name: "menu to queue to survey", play: menuToQueue},
	{name: "menu invalid", play: menuInvalid},
	{name: "menu timeout", play: menuTimeout},
	{name: "menu to phone", play: menuToPhone},
	{name: "queue login", play: queueLogin},
	{name: "features", play: features},
	{name: "codes in a call", play: inCall},
	{name: "parking", play: parking},
	{name: "conference", play: conference},
	{name: "phone made in files", play: madeInFiles},
	{name: "phone made by ARI", play: madeByARI, tech: "PJSIP"},
}

// TestCalls goes through the dialplan on each version. The calls of one version share an Asterisk, one after another.
func TestCalls(t *testing.T) {
	everyVersion(t, Options{}, func(t *testing.T, l *Lab) {
		for _, sc := range scenes {
			if sc.tech == "" || sc.tech == l.Tech {
				t.Run(sc.name, func(t *testing.T) { sc.play(newScene(t, l)) })
			}
		}
	})
}

func inside(s scene) {
	p := s.phones("801", "802")
	out, in := s.ring(p[0], "802", p[1])
	s.talk(out, in)
	if from := in.Info().Remote; from.Number != "801" || from.Name != "Phone 801" {
		s.Errorf("802 sees %q %s", from.Name, from.Number)
	}
	s.hangUp(out, in)
	s.record("801 to 802", func(f []string) bool { return f[1] == "801" && f[2] == "802" && f[14] == "ANSWERED" })
}

func busy(s scene) {
	p := s.phones("801", "802")
	p[1].Behave(phone.Behaviour{Status: 486})
	out, _ := s.ring(p[0], "802", p[1])
	end, err := out.Ended(s.ctx)
	s.must(err)
	if end.Code != 486 {
		s.Errorf("the caller is told %s", end)
	}
}

// A phone that is not there: the call record has no other side, and is written all the same.
func absent(s scene) {
	p := s.phones("801")
	out, err := p[0].Dial(s.ctx, "820")
	s.must(err)
	if end, err := out.Ended(s.ctx); err != nil || end.Code < 400 {
		s.Errorf("the caller is told %s, %v", end, err)
	}
	fields := s.record("801 to 820", func(f []string) bool { return f[1] == "801" && f[2] == "820" })
	if fields[6] != "" || fields[14] != "FAILED" {
		s.Errorf("the call record is %q", fields)
	}
}

func forwarded(s scene) {
	p := s.phones("801", "803")
	for _, command := range []string{"database put CF 802 803", "database put CF 803 802"} {
		mustCLI(s.T, s.lab, command)
	}
	out, err := p[0].Dial(s.ctx, "802")
	s.must(err)
	if end, err := out.Ended(s.ctx); err != nil || end.Code < 400 {
		s.Errorf("two phones forwarded to each other: %s %v", end, err)
	}
	mustCLI(s.T, s.lab, "database del CF 803")
	out, in := s.ring(p[0], "802", p[1])
	s.talk(out, in)
	s.hangUp(out, in)
	mustCLI(s.T, s.lab, "database del CF 802")
}

func outbound(s scene) {
	trunk := s.trunk()
	p := s.phones("801")
	out, in := s.ring(p[0], "02112345678", trunk)
	if dialled := in.Info().Dialled; dialled != "02112345678" {
		s.Errorf("the provider is asked for %s", dialled)
	}
	s.talk(out, in)
	s.hangUp(in, out)
}

func inbound(s scene) {
	trunk := s.trunk()
	p := s.phones("801")
	out, in := s.ring(trunk, "02188880001", p[0])
	s.talk(out, in)
	if from := in.Info().Remote.Number; from != caller {
		s.Errorf("801 sees %s", from)
	}
	s.hangUp(in, out)
	s.record("the DID", func(f []string) bool { return f[1] == caller && f[2] == "02188880001" && f[3] == "from-trunk" })
}

func inboundRecorded(s scene) {
	trunk := s.trunk()
	p := s.phones("802")
	out, in := s.ring(trunk, "02188880004", p[0])
	s.talk(out, in)
	s.hangUp(out, in)
	fields := s.record("the DID", func(f []string) bool { return f[2] == "02188880004" })
	s.mustBeRecorded(fields[16])
}

func inboundBlacklisted(s scene) {
	trunk := s.trunk()
	mustCLI(s.T, s.lab, "database put blacklist "+caller+" 1")
	out, err := trunk.DialWith(s.ctx, "02188880001", phone.DialOptions{Number: caller})
	s.must(err)
	end, err := out.Ended(s.ctx)
	s.must(err)
	if end.Code != 403 && end.Cause != 21 {
		s.Errorf("a listed caller is told %s", end)
	}
	mustCLI(s.T, s.lab, "database del blacklist "+caller)
}

func noSuchDID(s scene) {
	trunk := s.trunk()
	out, err := trunk.DialWith(s.ctx, "02188889999", phone.DialOptions{Number: caller})
	s.must(err)
	if end, err := out.Ended(s.ctx); err != nil || end.Code != 404 {
		s.Errorf("the caller is told %s, %v", end, err)
	}
}

// The whole way of a customer: menu, queue, agent, survey; and what is left of it.
func menuToQueue(s scene) {
	trunk := s.trunk()
	agents := s.phones("803", "804")
	agents[1].Behave(phone.Behaviour{Never: true})
	out := s.dialMenu(trunk, "1")
	in, err := agents[0].Accept(s.ctx)
	s.must(err)
	loser, err := agents[1].Accept(s.ctx)
	s.must(err)
	s.talk(out, in)
	if end, err := loser.Ended(s.ctx); err != nil || end.Method != "CANCEL" {
		s.Errorf("804 stops ringing with %s, %v", end, err)
	}
	s.must(in.Hangup(s.ctx))
	s.must(out.Heard(s.ctx, 20))
	s.must(out.SendDTMF(s.ctx, "4", phone.RFC2833))
	_, err = out.Ended(s.ctx)
	s.must(err)
	score := s.record("the survey", func(f []string) bool { return f[1] == caller && f[3] == "survey" })
	if score[17] != "4" {
		s.Errorf("the score is %q", score[17])
	}
	s.record("the queue", func(f []string) bool {
		return f[16] == score[16] && strings.Contains(f[6], "/803-") && f[14] == "ANSWERED"
	})
	s.mustBeRecorded(score[16])
}

func menuInvalid(s scene) {
	trunk := s.trunk()
	agents := s.phones("803")
	out := s.dialMenu(trunk, "9")
	in, err := agents[0].Accept(s.ctx)
	s.must(err)
	s.hangUp(out, in)
}

func menuTimeout(s scene) {
	trunk := s.trunk()
	agents := s.phones("804")
	out, in := s.ring(trunk, "02188880002", agents[0])
	s.hangUp(out, in)
}

func menuToPhone(s scene) {
	trunk := s.trunk()
	p := s.phones("801")
	out := s.dialMenu(trunk, "3")
	in, err := p[0].Accept(s.ctx)
	s.must(err)
	s.talk(out, in)
	s.hangUp(in, out)
}

func queueLogin(s scene) {
	trunk := s.trunk()
	p := s.phones("805")
	login := func() {
		call, err := p[0].Dial(s.ctx, "*45")
		s.must(err)
		_, err = call.Ended(s.ctx)
		s.must(err)
	}
	login()
	out := s.dialMenu(trunk, "2")
	in, err := p[0].Accept(s.ctx)
	s.must(err)
	s.talk(out, in)
	s.hangUp(out, in)
	login()
	if members := mustCLI(s.T, s.lab, "queue show 631"); strings.Contains(members, "/805") {
		s.Errorf("805 is still logged in: %s", members)
	}
}

func features(s scene) {
	p := s.phones("806", "801")
	press := func(code string) {
		s.Helper()
		call, err := p[0].Dial(s.ctx, code)
		s.must(err)
		_, err = call.Ended(s.ctx)
		s.must(err)
	}
	paused := func() bool { return strings.Contains(mustCLI(s.T, s.lab, "queue show 631"), "paused") }
	press("*45")
	press("*46")
	if !paused() {
		s.Error("*46 does not pause")
	}
	press("*46")
	if paused() {
		s.Error("*46 a second time does not go on")
	}
	press("*45")
	press("*78")
	out, err := p[1].Dial(s.ctx, "806")
	s.must(err)
	if end, err := out.Ended(s.ctx); err != nil || end.Code != 486 {
		s.Errorf("a phone that is not to be disturbed: %s, %v", end, err)
	}
	press("*79")
	out, in := s.ring(p[1], "806", p[0])
	s.talk(out, in)
	s.hangUp(out, in)
	echo, err := p[0].Dial(s.ctx, "*43")
	s.must(err)
	s.talk(echo)
	s.must(echo.Hangup(s.ctx))
}

// inCall holds that the feature codes of a call do what they should, whoever of the two presses them.
func inCall(s scene) {
	p := s.phones("807", "808", "809")
	out, in := s.ring(p[0], "808", p[1])
	s.talk(out, in)
	s.must(in.SendDTMF(s.ctx, "*1", phone.RFC2833))
	for !recorded(s) {
		s.must(pause(s.ctx))
	}
	s.must(in.SendDTMF(s.ctx, "#72", phone.RFC2833))
	for !strings.Contains(mustCLI(s.T, s.lab, "parking show default"), "/807-") {
		s.must(pause(s.ctx))
	}
	_, err := in.Ended(s.ctx)
	s.must(err)
	s.must(out.Hangup(s.ctx))

	out, in = s.ring(p[0], "808", p[1])
	s.talk(out, in)
	if err := out.SendDTMF(s.ctx, "**", phone.RFC2833); !errors.Is(err, phone.ErrState) { // it ends within the last key
		s.must(err)
	}
	_, err = out.Ended(s.ctx)
	s.must(err)
	_, err = in.Ended(s.ctx)
	s.must(err)

	p[1].Behave(phone.Behaviour{Never: true})
	out, err = p[0].Dial(s.ctx, "808")
	s.must(err)
	s.must(out.Ringing(s.ctx))
	taken, err := p[2].Dial(s.ctx, "*8")
	s.must(err)
	s.talk(taken, out)
	s.hangUp(taken, out)
}

// recorded reports whether automixmon has begun a file.
func recorded(s scene) bool {
	files, err := filepath.Glob(filepath.Join(s.lab.RecordingsDir, "auto-*"))
	s.must(err)
	return len(files) > 0
}

func parking(s scene) {
	p := s.phones("801", "802", "806")
	out, in := s.ring(p[0], "802", p[1])
	s.talk(out, in)
	s.must(in.Refer(s.ctx, "700"))
	_, err := in.Ended(s.ctx)
	s.must(err)
	for !strings.Contains(mustCLI(s.T, s.lab, "parking show default"), "701") {
		s.must(pause(s.ctx))
	}
	taken, err := p[2].Dial(s.ctx, "701")
	s.must(err)
	s.talk(taken, out)
	s.hangUp(taken, out)
}

func conference(s scene) {
	var calls []*phone.Call
	for _, p := range s.phones("801", "802", "803") {
		call, err := p.Dial(s.ctx, "900")
		s.must(err)
		s.must(call.Answered(s.ctx))
		calls = append(calls, call)
	}
	for {
		list := mustCLI(s.T, s.lab, "confbridge list 900")
		if strings.Count(list, s.lab.Tech+"/80") == len(calls) {
			break
		}
		if pause(s.ctx) != nil {
			s.Fatalf("want %d members: %s", len(calls), list)
		}
	}
	s.talk(calls...)
	for _, call := range calls {
		s.must(call.Hangup(s.ctx))
	}
}

// madePhone registers a phone that was made at run time and calls it.
func (s scene) madePhone(number, password string) {
	s.Helper()
	made, err := phone.New(s.ctx, phone.Config{Server: s.lab.SIPAddress, BindIP: s.lab.host(200), User: number, Password: password})
	s.must(err)
	s.closeAfter(made)
	s.must(made.Register(s.ctx))
	p := s.phones("801")
	out, err := made.Dial(s.ctx, "801")
	s.must(err)
	in, err := p[0].Accept(s.ctx)
	s.must(err)
	s.talk(out)
	s.hangUp(out, in)
}

// The files are those that AMI's UpdateConfig changes as well.
func madeInFiles(s scene) {
	file, lines, reload := "sip.conf", `
[830]
type = friend
host = dynamic
context = from-internal
secret = made
`, "sip reload"
	if s.lab.Tech == "PJSIP" {
		file, lines, reload = "pjsip_wizard.conf", `
[830]
type = wizard
accepts_registrations = yes
accepts_auth = yes
inbound_auth/username = 830
inbound_auth/password = made
endpoint/context = from-internal
endpoint/allow = ulaw
aor/max_contacts = 1
`, "module reload res_pjsip_config_wizard.so"
	}
	path := filepath.Join(s.lab.EtcDir, file)
	text, err := os.ReadFile(path)
	s.must(err)
	s.must(os.WriteFile(path, append(text, lines...), 0o644))
	mustCLI(s.T, s.lab, reload)
	s.madePhone("830", "made")
}

// Phones of chan_sip are in its file only.
func madeByARI(s scene) {
	for _, object := range []struct{ name, fields string }{
		{"auth", `["auth_type","userpass"],["username","831"],["password","pushed"]`},
		{"aor", `["max_contacts","1"]`},
		{"endpoint", `["auth","831"],["aors","831"],["context","from-internal"],["allow","ulaw"]`},
	} {
		fields := strings.NewReplacer(`["`, `{"attribute":"`, `","`, `","value":"`, `"]`, `"}`).Replace(object.fields)
		body := strings.NewReader(fmt.Sprintf(`{"fields":[%s]}`, fields))
		url := fmt.Sprintf("%s/asterisk/config/dynamic/res_pjsip/%s/831", s.lab.ARIURL, object.name)
		req, err := http.NewRequestWithContext(s.ctx, http.MethodPut, url, body)
		s.must(err)
		req.SetBasicAuth(s.lab.ARIUser, s.lab.ARIPassword)
		req.Header.Set("Content-Type", "application/json")
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		res, err := client.Do(req)
		s.must(err)
		s.must(res.Body.Close())
		if res.StatusCode != http.StatusOK {
			s.Fatalf("%s: %s", object.name, res.Status)
		}
	}
	s.madePhone("831", "pushed")
}

func TestPhones(t *testing.T) {
	t.Parallel()
	l := ForTest(t, "22", Options{})
	if _, err := l.Phone(t.Context(), "999"); err == nil || !strings.Contains(err.Error(), "999") {
		t.Errorf("a phone of no extension: %v", err)
	}
	for _, exten := range l.Extensions {
		if _, err := l.Phone(t.Context(), exten); err != nil {
			t.Error(err)
		}
	}
	want := fmt.Sprintf("Objects found: %d", len(l.Extensions))
	if got := mustCLI(t, l, "pjsip show contacts"); !strings.Contains(got, want) {
		t.Errorf("want %s: %s", want, got)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := l.Phone(t.Context(), "801"); !errors.Is(err, ErrStopped) {
		t.Errorf("a phone of a closed lab: %v", err)
	}
}
