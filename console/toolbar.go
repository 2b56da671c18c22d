package console

import (
	"cmp"
	_ "embed" // for the document
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// pathToolbar is where the agent toolbar is; dirToolbar are its files.
const (
	pathToolbar = pathWeb + "/toolbar"
	dirToolbar  = "web/toolbar/"
)

// toolbarAPI is the toolbar's part of the OpenAPI document.
//
//go:embed toolbar.json
var toolbarAPI []byte

// ToolbarSettings are what an administrator chooses. The zero value pops nothing up and lets pages of the daemon's own address embed the
// toolbar alone.
type ToolbarSettings struct {
	PopURL   string   // screen pop with {caller} {called} {uniqueid}, "" = none; may hold a secret of the CRM
	PopFrame bool     // in a frame of the toolbar, else in a tab
	Answer   bool     // phones pick up when they are asked to: there is a button for it
	Origins  []string // of pages that may embed the toolbar and steer it, as browsers write them: https://crm.example
}

// ToolbarOptions are the parts that the toolbar asks. Calls are steered by the agents' socket, not from here.
type ToolbarOptions struct {
	Switch   *pbx.Switch
	Users    *pbx.Users
	Failures *httpd.Limiter // of log-ins by address, shared with the dialects
	Settings ToolbarSettings
}

// Toolbar serves the agent toolbar. Its methods are safe for concurrent use.
type Toolbar struct {
	sw       *pbx.Switch
	users    *pbx.Users
	failures *httpd.Limiter
	settings atomic.Pointer[ToolbarSettings]
}

// NewToolbar makes the toolbar.
func NewToolbar(o ToolbarOptions) *Toolbar {
	t := &Toolbar{sw: o.Switch, users: o.Users, failures: o.Failures}
	t.Configure(o.Settings)
	return t
}

// Configure replaces the settings. Pages that are open take the new address of the screen pop with the next call.
func (t *Toolbar) Configure(settings ToolbarSettings) { t.settings.Store(&settings) }

// Mount adds the page and what it asks for to a server.
func (t *Toolbar) Mount(s *httpd.Server) {
	g := s.Mount(httpd.Dialect{Prefix: pathToolbar})
	g.GET("", func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, "toolbar/") })
	for name, mimeType := range filesBelow(dirToolbar) {
		file, asset := strings.TrimPrefix(name, dirToolbar), httpd.NewAsset(web, name, mimeType)
		if file == "index.html" {
			g.GET("/", t.page(asset))
		} else {
			g.GET("/"+file, protected(asset))
		}
	}
	g.GET("/origins", t.origins)
	g.POST("/status", t.status)
	s.Reads(pathToolbar + "/status")
	s.Describe(toolbarAPI)
}

// page serves the page with a policy of its own: it is framed by the CRM, and may frame the screen pop.
func (t *Toolbar) page(a *httpd.Asset) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", t.settings.Load().policy())
		h.Set("Referrer-Policy", "same-origin")
		return a.Serve(c)
	}
}

// policy is webPolicy, but for who may frame the toolbar and what it may frame.
func (s *ToolbarSettings) policy() string {
	const own = "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'"
	policy := own + "; frame-ancestors " + strings.Join(append([]string{"'self'"}, s.Origins...), " ")
	if u, err := url.Parse(s.PopURL); s.PopFrame && err == nil && u.Host != "" {
		policy += "; frame-src " + u.Scheme + "://" + u.Host
	}
	return policy
}

// origins tells the page whose messages it may obey; the policy of the page tells everybody the same.
func (t *Toolbar) origins(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.JSON(http.StatusOK, map[string][]string{"origins": append([]string{}, t.settings.Load().Origins...)})
}

// toolbarStatus is what the page needs besides the socket. Spans are told instead of times, because clocks of agents' machines are wrong.
type toolbarStatus struct {
	Extension   pbx.Exten       `json:"extension"` // "" for a user who has not said which
	User        bool            `json:"user"`      // may listen to others
	PopURL      string          `json:"pop_url"`
	Pop         string          `json:"pop"` // "tab" or "frame"
	Answer      bool            `json:"answer"`
	Queues      []pbx.QueueName `json:"queues"`
	AfterCallMS int64           `json:"after_call_ms"` // left of the after-call work, 0 for none
	TalkingMS   int64           `json:"talking_ms"`    // since the two were connected, 0 for no call
}

// status checks the log-in of the socket once more, and tells what only an agent may know: a screen pop may hold a secret of the CRM.
func (t *Toolbar) status(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	remote := httpd.Remote(c.Request())
	if wait, blocked := t.failures.Blocked(remote); blocked {
		return httpd.TooMany(wait)
	}
	name, err := p.Require("username")
	if err != nil {
		return err
	}
	if !t.users.Knows(c.Request().Context(), t.sw, name) {
		httpd.Unknown(c, "username")
	}
	password, err := p.Require("password")
	if err != nil {
		return err
	}
	settings := t.settings.Load()
	answer := toolbarStatus{Pop: "tab", PopURL: settings.PopURL, Answer: settings.Answer}
	if settings.PopFrame {
		answer.Pop = "frame"
	}
	id, err := t.users.Identify(c.Request().Context(), t.sw, remote, name, password)
	if wait, blocked := t.failures.Blocked(remote); blocked {
		return httpd.TooMany(wait)
	}
	if errors.Is(err, pbx.ErrPassword) {
		t.failures.FailLogIn(c)
	}
	if err != nil {
		return logInFailure(err)
	}
	httpd.Actor(c, cmp.Or(id.User.Login, string(id.Exten)))
	if id.Exten == "" && !id.User.Role.AtLeast(pbx.RoleSupervisor) { // as on the socket
		return &httpd.Error{Status: http.StatusForbidden, Message: "your role may not do this"}
	}
	answer.Extension, answer.User = id.Exten, id.Exten == ""
	if answer.User {
		answer.Extension = pbx.Exten(p.Get("extn"))
	}
	err = t.fill(&answer)
	if errors.Is(err, pbx.ErrNotFound) {
		return &httpd.Error{Status: http.StatusNotFound, Message: "no such extension", Err: err}
	}
	if err != nil {
		return logInFailure(err)
	}
	return c.JSON(http.StatusOK, answer)
}

// fill asks the switch for what it knows of the extension.
func (t *Toolbar) fill(answer *toolbarStatus) error {
	queues, err := t.sw.Queues()
	if err != nil {
		return err
	}
	answer.Queues = make([]pbx.QueueName, 0, len(queues))
	for _, q := range queues {
		answer.Queues = append(answer.Queues, q.Name)
	}
	if answer.Extension == "" {
		return nil
	}
	agent, err := t.sw.Agent(answer.Extension)
	if err != nil {
		return err
	}
	if until := t.sw.AfterWorkUntil(answer.Extension); !until.IsZero() {
		answer.AfterCallMS = max(0, time.Until(until).Milliseconds())
	}
	if since := agent.Call.Answered; agent.State == pbx.AgentBusy && !since.IsZero() {
		answer.TalkingMS = max(1, time.Since(since).Milliseconds())
	}
	return nil
}
