package console

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/pbx"
)

// visitor is a browser with its cookie, on another machine.
type visitor struct {
	r      *rig
	cookie string
	csrf   string
}

const elsewhere = "10.0.0.1:4000"

// enter logs in and keeps what a browser would.
func (r *rig) enter(login, password string) *visitor {
	r.t.Helper()
	w := r.request(http.MethodPost, Prefix+"/session", body("login", login, "password", password), "From", elsewhere)
	if w.Code != http.StatusOK {
		r.t.Fatalf("%d %s", w.Code, w.Body)
	}
	v := &visitor{r: r, cookie: strings.SplitN(w.Header().Get("Set-Cookie"), ";", 2)[0]}
	v.csrf = v.session(w).CSRF
	return v
}

func (v *visitor) session(w *httptest.ResponseRecorder) (s sessionAnswer) {
	v.r.t.Helper()
	v.r.must(json.Unmarshal(w.Body.Bytes(), &s))
	return s
}

// ask sends a request with the cookie and the token.
func (v *visitor) ask(method, path, body string, header ...string) *httptest.ResponseRecorder {
	v.r.t.Helper()
	return v.r.request(method, Prefix+path, body, append([]string{"From", elsewhere, "Host", "pbx.example:8000", "Cookie", v.cookie, headerCSRF, v.csrf}, header...)...)
}

func (v *visitor) expect(status int, method, path, body string, header ...string) {
	v.r.t.Helper()
	if w := v.ask(method, path, body, header...); w.Code != status {
		v.r.t.Errorf("%s %s: %d %s, want %d", method, path, w.Code, w.Body, status)
	}
}

// body is a JSON object of names and values by turns.
func body(pairs ...string) string {
	values := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	text, _ := json.Marshal(values)
	return string(text)
}

func TestLogIn(t *testing.T) {
	r := newRig(t, 100)
	for _, tc := range []struct {
		body string
		want int
		text string
	}{
		{body("login", "admin", "password", "wrong"), 401, "wrong name or password"},
		{body("login", "nobody", "password", "wrong"), 401, "wrong name or password"},
		{body("login", "ADMIN", "password", adminPassword), 401, "wrong name or password"},
		{body("login", "808", "password", "wrong"), 503, "Asterisk is not connected"},
		{body("login", "admin"), 400, "password is missing"},
		{body("password", adminPassword), 400, "login is missing"},
		{body("login", "admin", "password", "x\ny"), 400, "control character"},
		{body("login", "admin", "password", strings.Repeat("x", 9000)), 400, "longer than"},
		{`{"login":{"$ne":""},"password":"x"}`, 400, "login is a JSON value"},
		{`{"login":"\ud800","password":"` + "\xff" + `"}`, 400, "UTF-8"},
		{`{"login":`, 400, "no JSON object"},
		{"", 400, "login is missing"},
	} {
		if w := r.request(http.MethodPost, Prefix+"/session", tc.body, "From", elsewhere); w.Code != tc.want || !strings.Contains(w.Body.String(), tc.text) || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %s %v, want %d %s", tc.body, w.Code, w.Body, w.Header(), tc.want, tc.text)
		}
	}
	for scheme, secure := range map[string]bool{"http": false, "https": true} {
		w := r.request(http.MethodPost, Prefix+"/session", body("login", "admin", "password", adminPassword), "From", elsewhere, "X-Forwarded-Proto", scheme)
		set := w.Header().Get("Set-Cookie")
		if w.Code != 200 || !strings.Contains(set, "; HttpOnly") || strings.Contains(set, "Path") || !strings.Contains(set, "SameSite=Strict") || strings.Contains(set, "Secure") != secure ||
			w.Header().Get("Cache-Control") != "no-store" || strings.Contains(set, "Max-Age") || strings.Contains(set, "Domain") {
			t.Errorf("%s: %d %v", scheme, w.Code, w.Header())
		}
	}
	v := r.enter("admin", adminPassword)
	s := v.session(v.ask(http.MethodGet, "/session", ""))
	if s.Kind != kindCookie || s.Role != pbx.RoleAdmin || s.Login != "admin" || s.CSRF != v.csrf || s.Expires == nil {
		t.Errorf("%+v", s)
	}
	v.expect(200, http.MethodGet, "/outbox", "")
	v.expect(204, http.MethodDelete, "/session", "")
	v.expect(401, http.MethodGet, "/session", "")
	v.expect(401, http.MethodGet, "/outbox", "")
}

// TestHostileBrowser: what other sites and thieves of cookies cannot do.
func TestHostileBrowser(t *testing.T) {
	r := newRig(t, 100)
	v := r.enter("admin", adminPassword)
	making := body("login", "eve", "role", "admin", "password", "let me in now")
	for _, tc := range []struct {
		name   string
		header []string
		want   int
	}{
		{"no token", []string{headerCSRF, ""}, 403},
		{"another token", []string{headerCSRF, v.csrf[1:] + "A"}, 403},
		{"a page of another site", []string{"Origin", "https://evil.example"}, 403},
		{"the same, as new browsers say it", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403},
		{"a page of a neighbour", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://crm.example:8000"}, 403},
		{"a page in a sandbox", []string{"Origin", "null"}, 403},
		{"a form, which needs no leave", []string{"Content-Type", "text/plain", "Origin", "https://evil.example"}, 403},
		{"no cookie", []string{"Cookie", ""}, 401},
		{"a cookie that nobody has given", []string{"Cookie", cookieName + "=" + strings.Repeat("A", 52)}, 401},
		{"an empty cookie", []string{"Cookie", cookieName + "="}, 401},
		{"its own page", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://pbx.example:8000"}, 201},
	} {
		if w := v.ask(http.MethodPost, "/users", making, tc.header...); w.Code != tc.want {
			t.Errorf("%s: %d %s, want %d", tc.name, w.Code, w.Body, tc.want)
		}
	}
	// Another site cannot log a browser in as somebody else.
	if w := r.request(http.MethodPost, Prefix+"/session", body("login", "eve", "password", "let me in now"), "From", elsewhere, "Origin", "https://evil.example"); w.Code != 403 {
		t.Errorf("a log-in from another site: %d", w.Code)
	}
	// The token of the log-in of before is worth nothing after the next one, nor is one that was planted.
	w := v.ask(http.MethodPost, "/session", body("login", "admin", "password", adminPassword))
	fresh := strings.SplitN(w.Header().Get("Set-Cookie"), ";", 2)[0]
	if w.Code != 200 || fresh == v.cookie {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	v.expect(401, http.MethodGet, "/session", "")
	// Nor can one session's token be used with another's cookie.
	v.cookie = fresh
	v.expect(403, http.MethodDelete, "/users/2", "")
}

func TestSessionsRunOut(t *testing.T) {
	r := newRig(t, 100)
	now := time.Now()
	r.api.sessions.now = func() time.Time { return now }
	v := r.enter("admin", adminPassword)
	for range 24 {
		now = now.Add(sessionIdle - time.Minute)
		if now.Sub(v.began(r)) >= sessionOldest {
			break
		}
		v.expect(200, http.MethodGet, "/session", "")
	}
	now = now.Add(time.Hour)
	v.expect(401, http.MethodGet, "/session", "")
	v = r.enter("admin", adminPassword)
	now = now.Add(sessionIdle)
	v.expect(401, http.MethodGet, "/session", "")

	// One who watches a stream is not idle, and is let go of with his session.
	v = r.enter("admin", adminPassword)
	s, leave := r.api.sessions.enter(strings.TrimPrefix(v.cookie, cookieName+"="))
	now = now.Add(2 * sessionIdle)
	v.expect(200, http.MethodGet, "/session", "")
	leave()
	v.expect(204, http.MethodDelete, "/session", "")
	if s.ctx.Err() == nil {
		t.Error("the session has not ended")
	}
}

// began is when the only session began.
func (v *visitor) began(r *rig) time.Time {
	r.api.sessions.mu.Lock()
	defer r.api.sessions.mu.Unlock()
	return r.api.sessions.order.Front().Value.(*session).created
}

func TestSessionsAreBounded(t *testing.T) {
	s := newSessions()
	first, _ := s.begin(pbx.Identity{Exten: "801"}, "", pbx.RoleAgent)
	for range maxOfOne {
		s.begin(pbx.Identity{Exten: "801"}, "", pbx.RoleAgent)
	}
	if x, _ := s.enter(first); x != nil || s.order.Len() != maxOfOne {
		t.Errorf("%d sessions of one agent", s.order.Len())
	}
	second, _ := s.begin(pbx.Identity{Exten: "802"}, "", pbx.RoleAgent)
	for i := range maxSessions {
		s.begin(pbx.Identity{User: pbx.User{ID: int64(i) + 1}}, "", pbx.RoleAdmin)
	}
	if x, _ := s.enter(second); x != nil || s.order.Len() != maxSessions || len(s.known) != maxSessions {
		t.Errorf("%d sessions, %d known", s.order.Len(), len(s.known))
	}
}

// TestChangesEndSessions: whoever is changed, disabled or deleted must log in again, at once, and only he.
func TestChangesEndSessions(t *testing.T) {
	r := newRig(t, 100)
	admin := r.enter("admin", adminPassword)
	admin.expect(201, http.MethodPost, "/users", body("login", "ann", "role", "supervisor", "password", "in the morning"))
	for _, change := range []string{`{"name":"Ann"}`, `{"password":"in the evening"}`, `{"role":"agent"}`, `{"disabled":true}`} {
		password := "in the morning"
		if strings.Contains(change, "role") || strings.Contains(change, "disabled") {
			password = "in the evening"
		}
		ann := r.enter("ann", password)
		admin.expect(200, http.MethodPut, "/users/2", change)
		ann.expect(401, http.MethodGet, "/session", "")
	}
	if w := r.request(http.MethodPost, Prefix+"/session", body("login", "ann", "password", "in the evening"), "From", elsewhere); w.Code != 403 {
		t.Errorf("a disabled user: %d %s", w.Code, w.Body)
	}
	if w := r.request(http.MethodPost, Prefix+"/session", body("login", "ann", "password", "wrong"), "From", elsewhere); w.Code != 401 {
		t.Errorf("a disabled user with a wrong password: %d %s", w.Code, w.Body)
	}
	admin.expect(200, http.MethodPut, "/users/2", `{"disabled":"false"}`)
	ann := r.enter("ann", "in the evening")
	admin.expect(204, http.MethodDelete, "/users/2", "")
	ann.expect(401, http.MethodGet, "/session", "")
	admin.expect(200, http.MethodGet, "/session", "")
}

// TestRoles: each role may do what its routes say, and nothing else.
func TestRoles(t *testing.T) {
	r := newRig(t, 100)
	r.api.live.end() // who may read is told so, and not kept by a stream
	admin := r.enter("admin", adminPassword)
	visitors := map[pbx.Role]*visitor{pbx.RoleAdmin: admin}
	for _, role := range []pbx.Role{pbx.RoleAgent, pbx.RoleSupervisor} {
		admin.expect(201, http.MethodPost, "/users", body("login", string(role), "role", string(role), "password", "in the morning"))
		visitors[role] = r.enter(string(role), "in the morning")
	}
	for _, x := range r.api.routes() {
		if x.role == "" || x.path == pathLogIn {
			continue
		}
		for role, v := range visitors {
			if role == pbx.RoleAdmin && x.method != http.MethodGet {
				continue
			}
			path := strings.NewReplacer(":id", "99").Replace(x.path)
			if got := v.ask(x.method, path, "").Code; (got == http.StatusForbidden) == role.AtLeast(x.role) {
				t.Errorf("%s %s as %s: %d", x.method, x.path, role, got)
			}
		}
	}
}

// TestLockOut: an address and a name are locked each by itself, a name that nobody has like any other; who is in stays in.
func TestLockOut(t *testing.T) {
	r := newRig(t, 15)
	v := r.enter("admin", adminPassword)
	try := func(want int, from, login, password string) {
		t.Helper()
		w := r.request(http.MethodPost, Prefix+"/session", body("login", login, "password", password), "From", from)
		if w.Code != want || (want == 429) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%s as %s: %d %s, want %d", from, login, w.Code, w.Body, want)
		}
	}
	for n, login := range []string{"admin", "nobody"} {
		for i := range 50 { // ten from each of five addresses
			from := "192.0.2." + strconv.Itoa(10*n+i/10) + ":1"
			try(401, from, login, "wrong")
			if i == 9 {
				try(429, from, login, adminPassword)
			}
		}
		try(429, "192.0.2.99:1", login, adminPassword)
	}
	try(200, elsewhere, "admin", adminPassword) // where he has come in from before strangers do not keep him out
	v.expect(200, http.MethodGet, "/session", "")
	for i := range 15 {
		try(401, "198.51.100.1:1", "name"+strconv.Itoa(i), "wrong")
	}
	try(429, "198.51.100.1:1", "admin", adminPassword)
	v.expect(200, http.MethodPut, "/users/1", body("password", "another horse")) // an administrator opens the lock
	try(200, "192.0.2.99:1", "admin", "another horse")
}

// TestAgentLogsIn: with the password of his phone, as long as that is it.
func TestAgentLogsIn(t *testing.T) {
	f := amitest.Start(t)
	files := f.ServeFiles(amitest.WizardFile)
	phones := f.ServePhones(files, "808")
	f.Handle("PJSIPShowEndpoints", func(s *amitest.Session, a ami.Action) {
		var list []ami.Message
		for _, n := range phones.Loaded() {
			list = append(list, amitest.NewEvent("EndpointList", "ObjectName", n))
		}
		s.List(a, "will follow", list, "EndpointListComplete")
	})
	f.Handle("PJSIPShowEndpoint", func(s *amitest.Session, a ami.Action) {
		s.List(a, "will follow", []ami.Message{amitest.NewEvent("AuthDetail", "ObjectName", "808", "Username", "808", "Password", "of the phone")}, "EndpointDetailComplete")
	})
	for _, action := range []string{"ExtensionStateList", "DeviceStateList", "CoreShowChannels", "PJSIPShowContacts", "QueueStatus"} {
		f.Handle(action, func(s *amitest.Session, a ami.Action) { s.List(a, "will follow", nil, a.Name+"Complete") })
	}
	r := newRigOn(t, 100, f.Options())
	stop := r.run()
	defer stop()
	v := r.enter("808", "of the phone")
	s := v.session(v.ask(http.MethodGet, "/session", ""))
	if s.Role != pbx.RoleAgent || s.Exten != "808" || s.Login != "" || !strings.HasPrefix(s.Name, "808") {
		t.Errorf("%+v", s)
	}
	v.expect(403, http.MethodGet, "/users", "")
	v.expect(409, http.MethodPut, "/session/password", body("password", "of the phone", "new_password", "another one"))
	if w := r.request(http.MethodPost, Prefix+"/session", body("login", "808", "password", "wrong"), "From", elsewhere); w.Code != 401 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	r.users.End(pbx.Identity{Exten: "808"})
	v.expect(401, http.MethodGet, "/session", "")
}

// run connects the rig to its Asterisk until stop is called.
func (r *rig) run() (stop func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- r.client.Run(ctx) }()
	go func() { ended <- r.sw.Run(context.Background()) }()
	for deadline := time.Now().Add(20 * time.Second); !r.sw.Status().Complete; {
		if time.Now().After(deadline) {
			r.t.Fatal("the picture does not get complete: ", r.sw.Status().Reason)
		}
		<-time.After(5 * time.Millisecond)
	}
	return func() {
		cancel()
		r.must(<-ended)
		r.must(<-ended)
		r.sw.Settle()
	}
}

// TestBelowAPrefix: a browser that a proxy shows the console below a prefix of its own stays logged in, and logs out.
func TestBelowAPrefix(t *testing.T) {
	r := newRig(t, 100)
	r.api.Configure(func(http.Header) bool { return false })
	proxy := httptest.NewServer(http.StripPrefix("/pbx", r.web))
	defer proxy.Close()
	jar, err := cookiejar.New(nil)
	r.must(err)
	client := &http.Client{Jar: jar}
	ask := func(want int, method, path, body, csrf string) (s sessionAnswer) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, proxy.URL+"/pbx"+Prefix+path, strings.NewReader(body))
		r.must(err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(headerCSRF, csrf)
		resp, err := client.Do(req)
		r.must(err)
		if resp.StatusCode != want {
			t.Errorf("%s %s: %d, want %d", method, path, resp.StatusCode, want)
		}
		_ = json.NewDecoder(resp.Body).Decode(&s)
		r.must(resp.Body.Close())
		return s
	}
	ask(401, http.MethodGet, "/users", "", "")
	s := ask(200, http.MethodPost, "/session", body("login", "admin", "password", adminPassword), "")
	ask(200, http.MethodGet, "/users", "", "")
	ask(200, http.MethodGet, "/outbox/events", "", "")
	ask(204, http.MethodDelete, "/session", "", s.CSRF)
	if here, _ := url.Parse(proxy.URL + "/pbx" + Prefix + "/session"); len(jar.Cookies(here)) > 0 {
		t.Error("the cookie is left")
	}
}
