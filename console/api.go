package console

import (
	_ "embed" // for the document
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/audit"
	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

// Prefix is where all routes begin.
const Prefix = "/console/api"

// openAPI is this interface's part of the OpenAPI document.
//
//go:embed openapi.json
var openAPI []byte

// Options are the parts that are looked after.
type Options struct {
	Switch   *pbx.Switch
	Users    *pbx.Users
	Audit    *audit.Log
	Outbox   *webhook.Outbox
	Senders  *webhook.Senders
	Failures *httpd.Limiter // by address, shared with the dialects
	Access   Access
	Logger   *slog.Logger
}

// Access tells whether the header of a request holds the right token; nil = no key is set, and this machine may ask
// without.
type Access func(http.Header) bool

// API answers the console's requests.
type API struct {
	sw       *pbx.Switch
	users    *pbx.Users
	audit    *audit.Log
	sessions *sessions
	outbox   *webhook.Outbox
	senders  *webhook.Senders
	failures *httpd.Limiter
	log      *slog.Logger
	access   atomic.Pointer[Access]
	origin   *http.CrossOriginProtection
}

// New makes the routes.
func New(o Options) *API {
	a := &API{
		sw: o.Switch, users: o.Users, audit: o.Audit, sessions: newSessions(), outbox: o.Outbox, senders: o.Senders, failures: o.Failures, log: o.Logger,
		origin: http.NewCrossOriginProtection(),
	}
	a.users.OnEnd(a.sessions.expel)
	a.Configure(o.Access)
	return a
}

// Configure replaces the access.
func (a *API) Configure(access Access) { a.access.Store(&access) }

// Mount adds the routes to a server. Errors have the shape of the paths outside of the dialects.
func (a *API) Mount(s *httpd.Server) {
	g := s.Mount(httpd.Dialect{Prefix: Prefix}, a.authenticate)
	for _, r := range a.routes() {
		var guard []echo.MiddlewareFunc
		if r.role != "" {
			guard = append(guard, atLeast(r.role))
		}
		g.Add(r.method, r.path, r.handler, guard...)
	}
	mountWeb(s)
	s.Describe(openAPI)
}

// route is one endpoint.
type route struct {
	method, path string   // below Prefix
	role         pbx.Role // the least that may ask; "" = anybody
	handler      echo.HandlerFunc
}

// routes is the one table of endpoints; README.md and the OpenAPI document list the same.
func (a *API) routes() []route {
	return []route{
		{http.MethodGet, pathLogIn, pbx.RoleAgent, a.whoAsks},
		{http.MethodPost, pathLogIn, "", a.logIn},
		{http.MethodDelete, pathLogIn, pbx.RoleAgent, a.logOut},
		{http.MethodPut, pathLogIn + "/password", pbx.RoleAgent, a.ownPassword},
		{http.MethodGet, "/users", pbx.RoleAdmin, a.listUsers},
		{http.MethodPost, "/users", pbx.RoleAdmin, a.createUser},
		{http.MethodPut, "/users/:id", pbx.RoleAdmin, a.changeUser},
		{http.MethodDelete, "/users/:id", pbx.RoleAdmin, a.deleteUser},
		{http.MethodGet, "/audit", pbx.RoleAdmin, a.auditLog},
		{http.MethodGet, "/outbox", pbx.RoleSupervisor, a.status},
		{http.MethodGet, "/outbox/events", pbx.RoleSupervisor, a.list},
		{http.MethodGet, "/outbox/events/:id", pbx.RoleSupervisor, a.show},
		{http.MethodPost, "/outbox/replay", pbx.RoleAdmin, a.replay},
		{http.MethodPost, "/outbox/test", pbx.RoleAdmin, a.test},
	}
}
