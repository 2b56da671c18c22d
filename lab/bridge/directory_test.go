package bridge_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// directoryBench is a client of the second dialect beside an Asterisk that nobody has prepared.
func directoryBench(t *testing.T, version, extra string) *olaBench {
	t.Helper()
	b := &olaBench{bench: setUp(t, version, lab.Options{}, bridge.Options{Extra: extra})}
	b.login()
	return b
}

// post sends a form to the dialect and wants an answer.
func (b *olaBench) post(path, want string, nameValue ...string) {
	b.Helper()
	if body := b.posted(path, nameValue...); body != want+"\n" {
		b.Fatalf("%s %v: %s, want %s", path, nameValue, body, want)
	}
}

func (b *olaBench) posted(path string, nameValue ...string) string {
	b.Helper()
	form := url.Values{}
	for i := 0; i < len(nameValue); i += 2 {
		form.Set(nameValue[i], nameValue[i+1])
	}
	_, body, _ := b.ask(http.MethodPost, "/api/ola/"+path+"?"+form.Encode())
	return body
}

// insert makes an extension that dials in a context, with its own number as the name of its user.
func (b *olaBench) insert(extn, password, context string, more ...string) {
	b.Helper()
	b.post("extensions/insert", olaOK, append([]string{"extn", extn, "extnPwd", password, "context", context, "name", extn}, more...)...)
}

// telephone makes the phone of an extension; it is not registered.
func (b *olaBench) telephone(extn, password string) *phone.Phone {
	b.Helper()
	p, err := b.lab.Telephone(b.ctx, extn, extn, password)
	return b.kept(p, err)
}

// refusesRegister wants Asterisk to let a phone not in.
func (b *olaBench) refusesRegister(extn, password string) {
	b.Helper()
	var refused *phone.StatusError
	err := b.telephone(extn, password).Register(b.within(5 * time.Second))
	if !errors.As(err, &refused) || refused.Code != 401 && refused.Code != 403 && refused.Code != 404 {
		b.Fatalf("register %s with %q: %v, want a refusal", extn, password, err)
	}
}

// registers lets a phone in.
func (b *olaBench) registers(extn, password string) *phone.Phone {
	b.Helper()
	p := b.telephone(extn, password)
	b.must(p.Register(b.within(5 * time.Second)))
	return p
}

// listed reports whether the first dialect has an extension at this moment, and its state.
func (b *olaBench) listed(extn string) string {
	b.Helper()
	_, body, err := b.d.Get(b.ctx, api+"extensions/extension-hints-status")
	b.must(err)
	var rows []struct{ Extension, Status string }
	b.must(json.Unmarshal([]byte(body), &rows))
	for _, r := range rows {
		if r.Extension == extn {
			return r.Status
		}
	}
	return "none"
}

// both hear each other, of two phones that send tones.
func (b *olaBench) speak(from, to *phone.Phone) {
	b.Helper()
	to.Behave(phone.Behaviour{RingFor: 50 * time.Millisecond})
	c := b.dial(from, to.Number())
	if err := c.Answered(b.within(10 * time.Second)); err != nil {
		b.Fatalf("%s to %s: %v", from.Number(), to.Number(), err)
	}
	b.must(c.Heard(b.within(10*time.Second), 10))
	b.must(c.Hangup(b.ctx))
}

const oddPassword = `!@#;a\;b=>"1"`

// TestDirectory makes an extension, uses it, changes it and takes it away: each counts at once, for all dialects, and over a restart of
// Asterisk and a reload of its dialplan.
func TestDirectory(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := directoryBench(t, version, "[dial]\ntimeout = 2s\n")
		other := b.phone("801")
		b.phone("802").Behave(phone.Behaviour{Manual: true})
		b.idle("801", "802")
		b.refusesRegister("821", oddPassword)
		b.insert("821", oddPassword, "from-internal", "transfer_phone", "802")
		if got := b.listed("821"); got != "4" {
			t.Errorf("the first dialect has 821 as %s, want 4", got)
		}
		p := b.registers("821", oddPassword)
		b.idle("821") // and not a minute later, when Asterisk asks the phone
		b.refusesRegister("821", "wrong")
		b.speak(p, other)
		b.speak(other, p)
		b.conflicts()
		b.forwards(other, p)
		b.renews(p, other)
		b.outlivesAsterisk(other)
		b.vanishes(other)
	})
}

// conflicts: what was made by hand is not touched, and nothing is made twice.
func (b *olaBench) conflicts() {
	b.Helper()
	exists := `{"code":409,"result":"already exists"}`
	for _, extn := range []string{"801", "821", "630"} {
		b.post("extensions/insert", exists, "extn", extn, "extnPwd", "x", "context", "from-internal", "name", extn)
	}
	byHand := `{"code":409,"result":"made by hand in Asterisk, not changed here"}`
	b.post("extensions/update", byHand, "extn", "801", "extnPwd", "x")
	b.post("extensions/delete", byHand, "extn", "801")
	b.post("extensions/delete", `{"code":404,"result":"not found"}`, "extn", "899")
	b.post("extensions/insert", `{"code":400,"result":"context: no such outbound group"}`, "extn", "822", "extnPwd", "x", "context", "nowhere", "name", "822")
	b.must(b.telephone("801", lab.Secret("801")).Register(b.within(5 * time.Second)))
	b.must(b.phone("801").Register(b.ctx))
}

// forwards: a call that is not answered goes to the transfer_phone.
func (b *olaBench) forwards(from, to *phone.Phone) {
	b.Helper()
	to.Behave(phone.Behaviour{Manual: true})
	third := b.phone("803")
	third.Behave(phone.Behaviour{})
	b.idle("803")
	b.post("extensions/update", olaOK, "extn", "821", "name", "821", "transfer_phone", "803")
	c := b.dial(from, "821")
	b.must(c.Answered(b.within(10 * time.Second)))
	b.must(c.Hangup(b.ctx))
	if out := b.cli("database show CFU"); !strings.Contains(out, "/CFU/821") {
		b.Errorf("AstDB:\n%s", out)
	}
}

// renews the password: the old one is refused, the new one let in, and a call that is up goes on.
func (b *olaBench) renews(p, other *phone.Phone) {
	b.Helper()
	other.Behave(phone.Behaviour{})
	c := b.dial(p, "801")
	b.must(c.Answered(b.within(10 * time.Second)))
	b.post("extensions/update", olaOK, "extn", "821", "extnPwd", ">new", "name", "821")
	b.refusesRegister("821", oddPassword)
	b.registers("821", ">new")
	b.must(c.Heard(b.within(10*time.Second), 10))
	b.must(c.Hangup(b.ctx))
}

// outlivesAsterisk: the extension is there after a restart, and can be called after a reload of the dialplan.
func (b *olaBench) outlivesAsterisk(other *phone.Phone) {
	b.Helper()
	b.must(b.lab.Stop(b.within(30 * time.Second)))
	b.must(b.lab.Boot(b.within(30 * time.Second)))
	p := b.registers("821", ">new")
	b.must(other.Register(b.ctx))
	inDialplan := func() bool { return strings.Contains(b.cli("dialplan show 821@from-internal"), "/821,2,tT") }
	b.eventually("821 to be callable after the restart", inDialplan)
	b.idle("801", "821")
	b.speak(other, p)
	b.cli("dialplan reload")
	b.eventually("821 to be callable after the reload", inDialplan)
	b.speak(other, p)
}

// vanishes: a call that is up goes on, the phone is refused from then on, and nothing is left for who gets the number next.
func (b *olaBench) vanishes(other *phone.Phone) {
	b.Helper()
	b.does("queues/agent-login", "login extension success", "extension", "821", "queue", "631")
	p := b.registers("821", ">new")
	b.idle("821")
	other.Behave(phone.Behaviour{})
	c := b.dial(p, "801")
	b.must(c.Answered(b.within(10 * time.Second)))
	b.post("extensions/delete", olaOK, "extn", "821")
	if got := b.listed("821"); got != "none" {
		b.Errorf("the first dialect has 821 as %s", got)
	}
	b.refusesRegister("821", ">new")
	b.must(c.Heard(b.within(10*time.Second), 10))
	if out := b.cli("queue show 631"); strings.Contains(out, "/821") {
		b.Errorf("the queue:\n%s", out)
	}
	left := b.cli("database show") + b.cli("dialplan show 821@from-internal")
	for _, word := range []string{"CFU/821", "contact/821", "Registry/821", "Dial"} {
		if strings.Contains(left, word) {
			b.Errorf("left behind: %s in\n%s", word, left)
		}
	}
	b.must(c.Hangup(b.ctx))
	b.eventually("the call to end", func() bool { return len(b.liveCalls()) == 0 })
	if got := b.listed("821"); got != "none" {
		b.Errorf("after its last call the first dialect has 821 as %s", got)
	}
	b.insert("821", "again", "from-internal")
	if got := b.listed("821"); got != "4" {
		b.Errorf("a new 821 is %s, want 4: nobody has registered for it", got)
	}
	b.post("extensions/delete", olaOK, "extn", "821")
	b.cli("module reload")
	b.eventually("the picture after a reload", func() bool { return b.listed("801") != "none" })
	if got := b.listed("821"); got != "none" {
		b.Errorf("after a reload the first dialect has 821 as %s", got)
	}
	n, looks, others := b.statesTold("821"), b.metric("dialbridge_resyncs_total"), b.statesTold("801")
	b.cli("core reload")
	b.eventually("another look at Asterisk", func() bool { return b.metric("dialbridge_resyncs_total") != looks })
	b.must(other.Unregister(b.ctx))
	b.eventually("the state of another phone", func() bool { return b.statesTold("801") > others })
	if again := b.statesTold("821"); again != n {
		b.Errorf("%d states of a phone that is no more", again-n)
	}
}

// passwords that a configuration file, the manager interface or a phone could take for something else.
var passwords = []string{
	";start", `\;x`, `a\`, `a\\`, ";--block", "a;--b--;c", "=eq", ">gt", "=>x", "[br]", "(t)", "#inc", `"q"`, "'q'", "a,b", "a b", "${X}", "$[1]", "%41",
	"&|^~`{}:<>?/*+-_.@!", "张三é", `a\;`, "+=x", "!@#123Qw", strings.Repeat("x", 64),
}

// TestPasswords: each password lets its phone in, and comes back as it was given.
func TestPasswords(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := directoryBench(t, version, "")
		b.insert("821", "first", "from-internal")
		for _, password := range passwords {
			b.post("extensions/update", olaOK, "extn", "821", "extnPwd", password)
			b.registers("821", password)
			b.refusesRegister("821", password+"x")
			var rows []struct{ Password, K, Context, Nbr string }
			_, body, _ := b.ask(http.MethodGet, "/api/ola/extensions_detail?extn=821")
			if err := json.Unmarshal([]byte(body), &rows); err != nil || len(rows) != 1 || rows[0].Password != password {
				t.Errorf("%q came back as %s", password, body)
			}
		}
		for _, password := range []string{strings.Repeat("x", 65), "a\nb", "a\x00b", "\xff", "a\rAction: Ping"} {
			if body := b.posted("extensions/update", "extn", "821", "extnPwd", password); !strings.HasPrefix(body, `{"code":400,"result":"extnPwd`) {
				t.Errorf("%q: %s", password, body)
			}
		}
		b.registers("821", passwords[len(passwords)-1])
		if log := b.d.Log(); strings.Contains(log, "123Qw") || strings.Contains(log, "block") {
			t.Errorf("a password is in the log:\n%s", log)
		}
	})
}

// TestOutboundGroups: a group that is made leads where all phones dial, one that the dialplan has is used as it is, and none goes that is
// in use.
func TestOutboundGroups(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := directoryBench(t, version, "")
		other := b.phone("801")
		b.post("dicts/insert", olaOK, "k", "out-1", "v", "呼出组", "times", "3")
		b.post("dicts/insert", `{"code":409,"result":"already exists"}`, "k", "out-1", "v", "x")
		b.post("dicts/insert", `{"code":400,"result":"k: must be 1 to 79 of letters, digits, _ and -, and not begin with dialbridge-"}`, "k", "a b", "v", "x")
		before := b.cli("dialplan show ext-local")
		b.post("dicts/insert", olaOK, "k", "ext-local", "v", "only inside")
		if version == "22" {
			b.post("extensions/insert", olaOK, "extn", "822", "extnPwd", "x", "context", "out-1", "name", "some.body@x")
		} else {
			b.post("extensions/insert", `{"code":400,"result":"name: must be the extension number, by which chan_sip knows a phone"}`,
				"extn", "822", "extnPwd", "x", "context", "out-1", "name", "some.body@x")
			b.insert("822", "x", "out-1")
		}
		user := map[string]string{"16": "822", "22": "some.body@x"}[version]
		p, err := b.lab.Telephone(b.ctx, "822", user, "x")
		b.kept(p, err)
		b.must(p.Register(b.ctx))
		b.speak(p, other)
		b.speak(other, p)
		b.post("extensions/update", olaOK, "extn", "822", "context", "ext-local", "name", user)
		b.speak(p, other)
		if _, err := b.dial(p, "*43").Ended(b.within(5 * time.Second)); err != nil { // which ext-local does not have
			t.Error(err)
		}
		var rows []struct {
			K, V, Times string
			Count       int `json:"extn_count"`
		}
		_, body, _ := b.ask(http.MethodGet, "/api/ola/dicts/detail")
		if err := json.Unmarshal([]byte(body), &rows); err != nil || len(rows) != 2 || rows[0].Count != 1 || rows[1].V != "呼出组" || rows[1].Times != "3" {
			t.Errorf("groups: %s", body)
		}
		b.post("dicts/delete", `{"code":409,"result":"in use"}`, "k", "ext-local")
		b.post("dicts/delete", olaOK, "k", "out-1")
		if out := b.cli("dialplan show out-1"); !strings.Contains(out, "no existence") {
			t.Errorf("the context of the removed group:\n%s", out)
		}
		b.post("extensions/delete", olaOK, "extn", "822")
		b.post("dicts/delete", olaOK, "k", "ext-local")
		if after := b.cli("dialplan show ext-local"); after != before {
			t.Errorf("ext-local has changed:\n%s\nbefore:\n%s", after, before)
		}
	})
}

// TestDirectoryMends: what Asterisk's file has lost is made again, what somebody else has put in its place is left alone, and what is in
// the way is told.
func TestDirectoryMends(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := directoryBench(t, version, "")
		file := filepath.Join(b.lab.EtcDir, map[string]string{"16": "sip.conf", "22": "pjsip_wizard.conf"}[version])
		plain, err := os.ReadFile(file)
		b.must(err)
		if version == "22" { // where no such file was ever written
			b.must(os.Remove(file))
		}
		b.insert("821", "one", "from-internal")
		b.insert("822", "two", "from-internal")
		b.must(b.lab.Kill(b.ctx))
		byHand := "\n[822]\ntype=friend\nhost=dynamic\nsecret=hand\ncontext=from-internal\n"
		if version == "22" {
			byHand = "\n[822]\ntype=wizard\naccepts_registrations=yes\naccepts_auth=yes\ninbound_auth/username=822\ninbound_auth/password=hand\n" +
				"endpoint/context=from-internal\nendpoint/allow=alaw\naor/max_contacts=1\n"
		}
		b.must(os.WriteFile(file, append(plain, byHand...), 0o600)) //nolint:gosec // in the lab's own folder
		b.must(b.lab.Boot(b.within(30 * time.Second)))
		b.eventually("821 to be made again", func() bool {
			return b.telephone("821", "one").Register(b.within(5*time.Second)) == nil
		})
		b.registers("822", "hand")
		b.refusesRegister("822", "two")
		if _, err := b.d.WaitLog(b.within(10*time.Second), "which was not made here"); err != nil {
			t.Error(err)
		}
		for _, verb := range []string{"update", "delete"} {
			b.post("extensions/"+verb, `{"code":409,"result":"made by hand in Asterisk, not changed here"}`, "extn", "822")
		}
		b.post("extensions/delete", olaOK, "extn", "821")
		if text, err := os.ReadFile(file); err != nil || strings.Contains(string(text), "[821]") || !strings.Contains(string(text), "hand") {
			t.Errorf("%v:\n%s", err, text)
		}
		b.must(b.lab.Stop(b.within(30 * time.Second)))
		b.eventually("the daemon to notice", func() bool { code, _, err := b.d.Get(b.ctx, "/readyz"); return err == nil && code != http.StatusOK })
		b.post("extensions/insert", `{"code":503,"result":"Asterisk is not connected, try again"}`, "extn", "823", "extnPwd", "x", "context", "from-internal", "name", "823")
		if _, body, _ := b.ask(http.MethodGet, "/api/ola/extensions/detail"); !strings.Contains(body, `"nbr":"822"`) {
			t.Errorf("without Asterisk: %s", body)
		}
	})
}

// TestDirectoryPrivileges: with the lines of the README the daemon may make extensions; without the class config it says so, and check
// names what lacks.
func TestDirectoryPrivileges(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		l := lab.ForTest(t, version, lab.Options{})
		b := &olaBench{bench: &bench{T: t, ctx: t.Context(), lab: l}}
		const read = "[%]\nsecret = modest-secret\nread = system,call,agent,user,dtmf,reporting,cdr,dialplan\nwrite = "
		b.allow(strings.Replace(read, "%", "readme", 1) + "system,call,agent,user,config,command,reporting,originate")
		b.allow(strings.Replace(read, "%", "modest", 1) + "system,call,agent,user,command,reporting,originate")
		for user, want := range map[string]struct{ insert, check string }{
			"readme": {olaOK, "ok    extensions      can be made by the API, in " + map[string]string{"16": "sip.conf", "22": "pjsip_wizard.conf"}[version]},
			"modest": {`{"code":500,"result":"the manager user of Asterisk lacks the privilege"}`, "note  extensions      cannot be made by the API: the manager user may not "},
		} {
			var err error
			b.d, err = bridge.Start(b.within(startTime), l, bridge.Options{Binary: binary, Dir: t.TempDir(), Username: user, Secret: "modest-secret"})
			b.must(err)
			b.login()
			b.post("extensions/insert", want.insert, "extn", "829", "extnPwd", "x", "context", "from-internal", "name", "829")
			if want.insert == olaOK {
				b.registers("829", "x")
				b.post("extensions/delete", olaOK, "extn", "829")
			}
			out, _ := exec.CommandContext(b.ctx, binary, "check", "--config", b.d.Config).Output() // recordings may lack
			if !strings.Contains(string(out), want.check) {
				t.Errorf("check:\n%s\nwant %q", out, want.check)
			}
			b.must(b.d.Stop())
		}
	})
}
