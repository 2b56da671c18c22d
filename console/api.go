package console

import (
	"cmp"
	"context"
	_ "embed" // for the document
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/audit"
	"github.com/dialbridge/dialbridge/blacklist"
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

// openAPICalls is the part about ended calls and the black list.
//
//go:embed openapi_calls.json
var openAPICalls []byte

// Options are the parts that are looked after.
type Options struct {
	Switch     *pbx.Switch
	Numbers    *blacklist.Numbers
	Zone       *time.Location // whose clock calls are told by; nil = this machine's
	Users      *pbx.Users
	Audit      *audit.Log
	Outbox     *webhook.Outbox
	Senders    *webhook.Senders
	Failures   *httpd.Limiter // by address, shared with the dialects
	Access     Access
	Recordings Recordings
	Logger     *slog.Logger
}

// Access tells whether the header of a request holds the right token; nil = no key is set, and this machine may ask
// without.
type Access func(http.Header) bool

// API answers the console's requests.
type API struct {
	sw         *pbx.Switch
	numbers    *blacklist.Numbers
	zone       *time.Location
	exports    exports
	users      *pbx.Users
	audit      *audit.Log
	sessions   *sessions
	outbox     *webhook.Outbox
	senders    *webhook.Senders
	failures   *httpd.Limiter
	live       *live
	recordings atomic.Pointer[Recordings]
	log        *slog.Logger
	access     atomic.Pointer[Access]
	origin     *http.CrossOriginProtection
}

// New makes the routes.
func New(o Options) *API {
	a := &API{
		sw: o.Switch, numbers: o.Numbers, zone: cmp.Or(o.Zone, time.Local), exports: exports{under: map[string]bool{}},
		users: o.Users, audit: o.Audit, sessions: newSessions(), outbox: o.Outbox, senders: o.Senders, failures: o.Failures, log: o.Logger,
		origin: http.NewCrossOriginProtection(),
	}
	a.users.OnEnd(a.sessions.expel)
	a.live = newLive(o.Switch, o.Outbox, o.Logger)
	a.Configure(o.Access)
	a.ConfigureRecordings(o.Recordings)
	return a
}

// Run feeds the pages until ctx ends. It is to end before the server does: what streams would keep that waiting.
func (a *API) Run(ctx context.Context) error {
	a.live.run(ctx)
	return nil
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
	s.Lasting(Prefix+"/live", Prefix+"/calls/:id/recording", Prefix+"/calls.csv")
	mountWeb(s)
	s.Describe(openAPI)
	s.Describe(openAPICalls)
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
		{http.MethodGet, "/live", roleLive, a.liveFeed},
		{http.MethodGet, "/calls/:id", pbx.RoleSupervisor, a.call},
		{http.MethodGet, "/calls/:id/recording", pbx.RoleSupervisor, a.callRecording},
		{http.MethodGet, "/outbox", pbx.RoleSupervisor, a.status},
		{http.MethodGet, "/outbox/events", pbx.RoleSupervisor, a.list},
		{http.MethodGet, "/outbox/events/:id", pbx.RoleSupervisor, a.show},
		{http.MethodPost, "/outbox/replay", pbx.RoleAdmin, a.replay},
		{http.MethodPost, "/outbox/test", pbx.RoleAdmin, a.test},
		{http.MethodGet, "/calls", pbx.RoleSupervisor, a.calls},
		{http.MethodGet, "/calls.csv", pbx.RoleSupervisor, a.callsCSV},
		{http.MethodGet, "/stats", pbx.RoleSupervisor, a.stats},
		{http.MethodGet, "/blacklist", pbx.RoleSupervisor, a.numberList},
		{http.MethodPost, "/blacklist", pbx.RoleSupervisor, a.numberAdd},
		{http.MethodPut, "/blacklist", pbx.RoleSupervisor, a.numberNote},
		{http.MethodDelete, "/blacklist", pbx.RoleSupervisor, a.numberRemove},
	}
}
