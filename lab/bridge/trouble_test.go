package bridge_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// TestTroubles: what docs/troubleshooting.md says that a fault in the set-up looks like, it looks like, on real Asterisks. First the users of
// the manager who lack something, each with what /readyz and check say; then a sound one with keys that do not fit the dialplan.
func TestTroubles(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		l := lab.ForTest(t, version, lab.Options{})
		b := &bench{T: t, ctx: t.Context(), lab: l}
		const read, write = "system,call,agent,user,dtmf,reporting,cdr,dialplan", "system,call,agent,user,config,command,reporting,originate"
		user := func(name, read, write string) {
			b.allow("[" + name + "]\nsecret = " + name + "-secret\nread = " + read + "\nwrite = " + write + "\n")
		}
		user("unbooted", strings.TrimPrefix(read, "system,"), write)
		user("blind", read, "agent,user")
		user("agentless", strings.Replace(read, "agent,", "", 1), write)
		user("deaf", read, write)
		b.allow("deny = 0.0.0.0/0.0.0.0\npermit = 192.0.2.1/255.255.255.255")
		for _, c := range []struct{ user, secret, ready, check string }{
			{"unbooted", "unbooted-secret", "asterisk does not say that it is fully booted: the manager user needs read = system, or asterisk is still loading", "FAIL  fully booted "},
			{"blind", "blind-secret", "not allowed or not there: ", "FAIL  privileges      the manager user may not "},
			{"agentless", "agentless-secret", `"asterisk":{"ok":true,`, "FAIL  events          the manager user does not get the events of agent"},
			{"deaf", "deaf-secret", "authentication failed", "FAIL  ami "},
			{"agentless", "another", "authentication failed", "FAIL  ami "},
		} {
			d, err := bridge.Prepare(l, bridge.Options{Binary: binary, Dir: t.TempDir(), Username: c.user, Secret: c.secret})
			b.must(err)
			b.must(d.Run(b.within(startTime)))
			b.d = d
			b.says(c.ready)
			if said := b.checkup(); !strings.Contains(said, c.check) {
				t.Errorf("check of %s:\n%s\nwant %q", c.user, said, c.check)
			}
			b.must(d.Stop())
		}
		b.misfits(version)
	})
}

// misfits are keys of api.conf that are not those of the dialplan.
func (b *bench) misfits(version string) {
	b.Helper()
	rec, err := bridge.NewReceiver(b.ctx, b.lab.IP)
	b.must(err)
	b.rec, b.since = rec, time.Now()
	b.Cleanup(func() { b.must(rec.Close()) })
	b.d, err = bridge.Start(b.within(startTime), b.lab, bridge.Options{
		Binary: binary, Dir: b.TempDir(), Receiver: rec, WebKey: "key", Username: "agentless", Secret: "agentless-secret",
		Extra: "[calls]\ninbound_contexts = ^from-carrier$\n[general]\ntimezone = Pacific/Kiritimati\n", // which is always a day ahead of Pago Pago
	})
	b.must(err)
	b.out = b.trunk()
	answering := b.phone("803")
	answering.Behave(phone.Behaviour{RingFor: 100 * time.Millisecond})
	b.idle("803")

	// Without the class agent a call out of a queue has no agent of the queue, and without its context it does not come in.
	c := b.fromOutside("02155550077", "02188880003")
	b.must(c.Answered(b.within(15 * time.Second)))
	b.must(c.Hangup(b.ctx))
	account := b.accountOf("02155550077")
	if account["queueCode"] != "" || account["callType"] == "incoming" {
		b.Errorf("a queue call of a user without the class agent, from a context that is not known: %v", account)
	}

	for _, want := range []struct{ src, dst, answer string }{
		{"803", "899", `"message":"Extension does not exist."`},
		{"806", "803", `"message":"extension is not registered"`},
		{"8", "803", `"message":"Extension does not exist."`},
		{"803", "80a", `"message":"dst: number may not be dialled"`},
	} {
		if _, body, err := b.d.Post(b.ctx, "/coocenter-api/extensions/click-number", "src", want.src, "dst", want.dst); err != nil || !strings.Contains(body, want.answer) {
			b.Errorf("click-number %s to %s on %s: %s %v, want %s", want.src, want.dst, version, body, err, want.answer)
		}
	}

	// The day is that of the zone: where it is another one, the token of the daemon's zone alone is good.
	there, err := time.LoadLocation("Pacific/Pago_Pago")
	b.must(err)
	for day, status := range map[string]int{"": http.StatusOK, time.Now().In(there).Format(time.DateOnly): http.StatusUnauthorized} {
		args := []string{"token", "--config", b.d.Config}
		if day != "" {
			args = append(args, "--date", day)
		}
		token, err := exec.CommandContext(b.ctx, binary, args...).Output() //nolint:gosec // our own
		b.must(err)
		req, err := http.NewRequestWithContext(b.ctx, http.MethodPost, b.d.URL+"/coocenter-api/extensions/current-calls", nil)
		b.must(err)
		req.Header.Set("Authorization", strings.TrimSpace(string(token)))
		res, err := http.DefaultClient.Do(req)
		b.must(err)
		b.must(res.Body.Close())
		if res.StatusCode != status {
			b.Errorf("with the token of %q: %d, want %d", day, res.StatusCode, status)
		}
	}
	b.must(b.d.Stop())
}

// says waits for a text in /readyz; some come ten seconds after the log-in.
func (b *bench) says(text string) {
	b.Helper()
	ctx, body, err := b.within(30*time.Second), "", error(nil)
	for !strings.Contains(body, text) {
		select {
		case <-time.After(50 * time.Millisecond):
			_, body, err = b.d.Get(ctx, "/readyz")
		case <-ctx.Done():
			b.Fatalf("/readyz never says %q but %s %v", text, body, err)
		}
	}
}

// checkup is what dialbridge check prints.
func (b *bench) checkup() string {
	out, _ := exec.CommandContext(b.ctx, binary, "check", "--config", b.d.Config).CombinedOutput() //nolint:gosec // our own; it fails as it should
	return string(out)
}
