package ola

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// notes are what the audit log is told.
type notes struct {
	mu   sync.Mutex
	list []httpd.Note
}

func (n *notes) add(x httpd.Note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, x)
}

// lines are all that matters of the notes.
func (n *notes) lines() (list []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, x := range n.list {
		var params []string
		for name, value := range x.Params {
			params = append(params, name+"="+value)
		}
		slices.Sort(params)
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %d %s", x.Who, x.Action, x.Status, strings.Join(params, " "))))
	}
	return list
}

// TestCommandsAreNoted: those of requests and of sockets, and attempts to log in, without secrets; what only looks is not.
func TestCommandsAreNoted(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	r.expect(401, "auth failed!", http.MethodGet, "/api/login?username=admin&password=guessed", "", headerToken, "")
	r.expect(401, "auth failed!", http.MethodGet, "/api/login?username=typed-as-name&password=guessed", "", headerToken, "")
	r.expect(400, "missing parameter: password", http.MethodGet, "/api/login?username=typed-as-name", "", headerToken, "")
	r.token = r.expect(200, "ok", http.MethodGet, login+"correct+horse", "", headerToken, "").Get(headerToken)
	r.expect(401, textUnauthorized, http.MethodPut, "/api/ola/agents/808/go_break", "", headerToken, "x")
	r.expect(200, "ok", http.MethodPut, "/api/ola/agents/808/go_break", "")
	r.request(http.MethodGet, "/api/ola/agents", "")
	r.request(http.MethodPost, "/coocenter-api/extensions/current-calls", "")
	r.request(http.MethodPost, "/coocenter-api/extensions/click-number", "src=808&dst=nonsense")
	c := r.connect(r.serve())
	c.wants(401, textUnauthorized, `{"cmd":"auth","args":{}}`)
	c.wants(401, "auth failed!", `{"cmd":"auth","args":{"username":"808","password":"guessed"}}`)
	c.wants(401, "auth failed!", `{"cmd":"auth","args":{"username":"typed-as-name","password":"guessed"}}`)
	c.as("808")
	c.wants(200, "pong", `{"cmd":"ping"}`)
	c.wants(200, "ok", `{"cmd":"subscribe","args":{"key":"ola.agent.808"}}`)
	c.wants(403, "not your extension", `{"cmd":"go_ready","args":{"extn":"809"}}`)
	c.wants(200, "ok", `{"cmd":"go_ready","args":{"deep":{"password":"guessed"}}}`)
	c.wants(400, "cmd: not a command", `{"cmd":"nonsense"}`)
	want := []string{
		"GET /api/login 401 password=*** username=admin",
		"GET /api/login 401 password=*** username=unknown name",
		"GET /api/login 400 username=unknown name",
		"admin GET /api/login 200 password=*** username=admin",
		"PUT /api/ola/agents/:extn/go_break 401 extn=808",
		"admin PUT /api/ola/agents/:extn/go_break 200 extn=808",
		"POST /coocenter-api/extensions/click-number 400 dst=nonsense src=808",
		"socket auth 401 password=*** username=808",
		"socket auth 401 password=*** username=unknown name",
		"808 socket auth 200 accept=application/json password=*** username=808",
		"808 socket go_ready 403 extn=809",
		"808 socket go_ready 200 deep=",
	}
	r.until("the last note", func() bool { return len(r.notes.lines()) >= len(want) })
	if diff := cmp.Diff(want, r.notes.lines()); diff != "" {
		t.Error(diff)
	}
}

// TestAChangedUserIsOut: his tokens and sockets end, and those of others stay. One without the role is not let in.
func TestAChangedUserIsOut(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	_, err := r.users.Create(t.Context(), "ann", "", pbx.RoleSupervisor, "in the morning")
	r.must(err)
	token := r.expect(200, "ok", http.MethodPost, "/api/login", "username=ann&password=in the morning").Get(headerToken)
	url := r.serve()
	auth := `{"cmd":"auth","args":{"username":"ann","password":"in the morning"}}`
	c, other := r.connect(url), r.connect(url).as("808")
	c.wants(200, "ok", auth)
	role := pbx.RoleAgent
	_, err = r.users.Change(t.Context(), 2, pbx.UserChange{Role: &role})
	r.must(err)
	if _, _, err := c.conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("the socket ended with %v", err)
	}
	r.expect(401, textUnauthorized, http.MethodGet, "/api/ola/agents", "", headerToken, token)
	r.expect(403, "your role may not do this", http.MethodPost, "/api/login", "username=ann&password=in the morning")
	r.connect(url).wants(403, "your role may not do this", auth)
	other.wants(200, "pong", `{"cmd":"ping"}`)
	if w := r.request(http.MethodGet, "/api/ola/agents", ""); w.Code != 200 {
		t.Errorf("another's token: %d", w.Code)
	}
}
