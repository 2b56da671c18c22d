package coocenter

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/blacklist"
	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

// Prefix is where all routes of the dialect begin.
const Prefix = "/coocenter-api"

// APIOptions are the parts that the dialect's requests need.
type APIOptions struct {
	Switch   *pbx.Switch
	Numbers  *blacklist.Numbers
	Outbox   *webhook.Outbox // its events can be read again
	Failures *httpd.Limiter  // by address, shared by all dialects
	Rules    Rules
	Now      func() time.Time // in the time zone in which the token's day is counted
	Logger   *slog.Logger
}

// API answers the dialect's requests.
type API struct {
	sw       *pbx.Switch
	numbers  *blacklist.Numbers
	outbox   *webhook.Outbox
	failures *httpd.Limiter
	log      *slog.Logger
	now      func() time.Time
	rules    atomic.Pointer[Rules]
	answers  *answers
}

// NewAPI makes the dialect's routes.
func NewAPI(o APIOptions) *API {
	a := &API{sw: o.Switch, numbers: o.Numbers, outbox: o.Outbox, failures: o.Failures, log: o.Logger, now: o.Now, answers: newAnswers()}
	a.rules.Store(&o.Rules)
	return a
}

// Configure replaces the rules.
func (a *API) Configure(r Rules) { a.rules.Store(&r) }

// Mount adds the routes to a server.
func (a *API) Mount(s *httpd.Server) {
	g := s.Mount(httpd.Dialect{Prefix: Prefix, Render: render}, a.authenticate)
	for _, r := range a.routes() {
		g.Match(r.methods, r.path, r.handler)
		if slices.Contains(r.methods, http.MethodGet) {
			s.Reads(Prefix + r.path) // by POST too
		}
	}
	s.Describe(openAPI)
	s.Echo().Pre(spelling)
	s.Lasting(Prefix + "/monitor/*") // a long recording over a slow line
}

// spelling accepts extenSpy in any case: clients of the vendor write it in several.
func spelling(next echo.HandlerFunc) echo.HandlerFunc {
	const spy = Prefix + "/extensions/extenSpy"
	return func(c echo.Context) error {
		if u := c.Request().URL; len(u.Path) == len(spy) && strings.EqualFold(u.Path, spy) {
			u.Path, u.RawPath = spy, ""
		}
		return next(c)
	}
}

// route is one endpoint of the dialect.
type route struct {
	methods []string
	path    string // below Prefix
	handler echo.HandlerFunc
}

// routes is the one table of endpoints; README.md lists the same.
func (a *API) routes() []route {
	read := []string{http.MethodGet, http.MethodPost} // the vendor's two documents differ
	post := []string{http.MethodPost}
	return []route{
		{read, "/extensions/current-calls", a.currentCalls},
		{read, "/extensions/extension-status", a.extensionStatus},
		{read, "/extensions/extension-hints-status", a.hintsStatus},
		{read, "/queues/queue-info", a.queueInfo},
		{post, "/queues/agent-pause", a.agentPause},
		{post, "/queues/agent-login", a.agentLogin},
		{post, "/queues/agent-logout", a.agentLogout},
		{post, "/extensions/click-number", a.once(a.clickNumber)},
		{post, "/extensions/hangup", a.hangup},
		{post, "/extensions/transfer", a.transfer},
		{post, "/extensions/extenSpy", a.extenSpy},
		{read, "/blacklist/index", a.blacklistIndex},
		{post, "/blacklist/create", a.blacklistCreate},
		{[]string{http.MethodDelete, http.MethodPost}, "/blacklist/delete", a.blacklistDelete},
		{[]string{http.MethodGet, http.MethodHead}, "/monitor/*", a.recording},
		// ours
		{read, "/calls", a.endedCalls},
		{read, "/calls/*", a.oneCall},
		{read, "/events", a.pushedEvents},
		// the newer paths of the same vendor
		{post, "/plugin-asterisk/extension/click-number", a.once(a.clickNumber)},
		{post, "/plugin-asterisk/extension/hangup", a.hangup},
		{post, "/plugin-asterisk/extension/transfer", a.transfer},
		{post, "/plugin-asterisk/extension/extension-spy", a.extenSpy},
	}
}

// authenticate refuses requests without the token of the day. With no key everything is open; that is said at start.
func (a *API) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		key := a.rules.Load().WebKey
		if key == "" {
			return next(c)
		}
		remote := httpd.Remote(c.Request())
		if wait, blocked := a.failures.Blocked(remote); blocked {
			return httpd.TooMany(wait)
		}
		if !Authorized(c.Request().Header, key, a.now()) {
			a.failures.FailLogIn(c)
			return &httpd.Error{Status: http.StatusUnauthorized, Message: "Unauthorized"}
		}
		httpd.Actor(c, "WEBKEY")
		return next(c)
	}
}

// need reads the parameters of a request and the values of those that it cannot do without, in their order.
func need(c echo.Context, names ...string) (httpd.Params, []string, error) {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return p, nil, err
	}
	values := make([]string, 0, len(names))
	for _, name := range names {
		v, err := p.Require(name)
		if err != nil {
			return p, nil, err
		}
		values = append(values, v)
	}
	return p, values, nil
}

// traced returns the request's context with its id on the manager actions that it causes.
func traced(c echo.Context) context.Context {
	ctx := c.Request().Context()
	return pbx.WithTrace(ctx, httpd.RequestID(ctx))
}
