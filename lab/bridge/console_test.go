package bridge_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
)

// visitor is a browser at the console.
type visitor struct {
	b      *olaBench
	client *http.Client
	csrf   string
}

func (b *olaBench) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	b.must(err)
	return &visitor{b: b, client: &http.Client{Jar: jar}}
}

func (v *visitor) ask(method, path, body string) (code int, text string) {
	v.b.Helper()
	req, err := http.NewRequestWithContext(v.b.ctx, method, v.b.d.URL+"/console/api/"+path, strings.NewReader(body))
	v.b.must(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-CSRF-Token", v.csrf)
	resp, err := v.client.Do(req)
	v.b.must(err)
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	v.b.must(err)
	return resp.StatusCode, string(answer)
}

// enter logs in and returns the role.
func (v *visitor) enter(name, password string) (role string) {
	v.b.Helper()
	body, err := json.Marshal(map[string]string{"login": name, "password": password})
	v.b.must(err)
	code, text := v.ask(http.MethodPost, "session", string(body))
	var s struct{ Role, CSRF string }
	if err := json.Unmarshal([]byte(text), &s); code != http.StatusOK || err != nil {
		return text
	}
	v.csrf = s.CSRF
	return s.Role
}

// TestConsoleKnowsWhoAsks: an agent logs in with the password of his phone, an administrator with his own; what they and a program order is in the audit
// log, the last thing before a clean stop too.
func TestConsoleKnowsWhoAsks(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := &olaBench{bench: setUp(t, version, lab.Options{}, bridge.Options{WebKey: "k"})}
		password := b.login()
		agent, admin := b.visitor(), b.visitor()
		if text := agent.enter("801", "wrong"); !strings.Contains(text, "wrong name or password") {
			t.Errorf("a wrong password: %s", text)
		}
		if role := agent.enter("801", lab.Secret("801")); role != "agent" {
			t.Fatalf("agent: %s", role)
		}
		if code, text := agent.ask(http.MethodGet, "users", ""); code != http.StatusForbidden {
			t.Errorf("an agent looks at users: %d %s", code, text)
		}
		if role := admin.enter("admin", password); role != "admin" {
			t.Fatalf("admin: %s", role)
		}
		code, text, err := b.d.Post(b.ctx, "/coocenter-api/queues/agent-pause", "extension", "801", "queue", "nonesuch", "paused", "true")
		if err != nil || code == http.StatusUnauthorized {
			t.Fatalf("%d %s %v", code, text, err)
		}
		b.must(b.d.Stop())
		b.must(b.d.Run(b.ctx))
		b.must(b.d.Ready(b.within(30 * time.Second)))
		if code, _ := admin.ask(http.MethodGet, "audit", ""); code != http.StatusUnauthorized {
			t.Errorf("a session outlives the daemon: %d", code)
		}
		if role := admin.enter("admin", password); role != "admin" {
			t.Fatalf("admin: %s", role)
		}
		var log struct {
			Entries []struct{ Who, Action string }
		}
		_, text = admin.ask(http.MethodGet, "audit", "")
		b.must(json.Unmarshal([]byte(text), &log))
		var have []string
		for _, e := range log.Entries {
			have = append(have, strings.TrimSpace(e.Who+" "+e.Action))
		}
		want := []string{
			"admin POST /console/api/session", "WEBKEY POST /coocenter-api/queues/agent-pause", "admin POST /console/api/session", "801 POST /console/api/session",
			"POST /console/api/session", "admin GET /api/login",
		}
		if !slices.Equal(have, want) && !slices.Equal(have, want[1:]) { // the last log-in may not be written yet
			t.Errorf("%q", have)
		}
		if strings.Contains(text, password) || strings.Contains(text, lab.Secret("801")) {
			t.Errorf("a secret is in %s", text)
		}
	})
}
