package ola

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/blacklist"
	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// pathLogin is the one route that needs no token.
const pathLogin = "/api/login"

// prefixes are where the dialect's routes begin. /api itself is shared with other dialects.
var prefixes = []string{pathLogin, "/api/ola", "/api/conferences", "/api/special_phone"}

// pathSocket is where agents connect.
const pathSocket = "/ola_socket"

// Rules are the settings of the dialect. They may change while it runs.
type Rules struct {
	PrivateAnswer string                              // private_data of an agent who talks: "answer" or "answered"
	AfterWork     time.Duration                       // how long an agent is paused after a call out of a queue
	Location      *time.Location                      // of all times
	Queues        map[pbx.QueueName]map[string]string // what the list of queues tells besides, by its keys
}

// APIOptions are the parts that the dialect's requests need.
type APIOptions struct {
	Switch    *pbx.Switch
	Directory *pbx.Directory
	Campaigns *pbx.Campaigns
	Users     *pbx.Users
	Numbers   *blacklist.Numbers
	Failures  *httpd.Limiter // failed log-ins by address, shared by all dialects
	Rules     Rules
	Logger    *slog.Logger
}

// API answers the dialect's requests.
type API struct {
	sw        *pbx.Switch
	directory *pbx.Directory
	campaigns *pbx.Campaigns
	users     *pbx.Users
	numbers   *blacklist.Numbers
	failures  *httpd.Limiter
	log       *slog.Logger
	tokens    *tokens
	sockets   *Sockets
	note      func(httpd.Note) // of commands of sockets; set by Mount
	rules     atomic.Pointer[Rules]
}

// NewAPI makes the dialect's routes.
func NewAPI(o APIOptions) *API {
	a := &API{
		sw: o.Switch, directory: o.Directory, campaigns: o.Campaigns, users: o.Users, numbers: o.Numbers, failures: o.Failures, log: o.Logger, tokens: newTokens(),
	}
	a.rules.Store(&o.Rules)
	a.sockets = newSockets(o.Switch, a.rules.Load, o.Logger)
	a.users.OnEnd(a.end)
	return a
}

// Run keeps the sockets until ctx ends, and closes them. It must be called.
func (a *API) Run(ctx context.Context) error { return a.sockets.Run(ctx) }

// Sockets is how many sockets are open.
func (a *API) Sockets() int { return a.sockets.Count() }

// Configure replaces the rules.
func (a *API) Configure(r Rules) { a.rules.Store(&r) }

// end ends what is open of one who may no longer do what he may.
func (a *API) end(id pbx.Identity) {
	if id.Exten == "" {
		a.tokens.end(id.User.ID)
	}
	a.sockets.expel(id)
}

// Mount adds the routes to a server.
func (a *API) Mount(s *httpd.Server) {
	for _, prefix := range prefixes {
		guard := []echo.MiddlewareFunc{a.authenticate}
		if prefix == pathLogin {
			guard = nil
		}
		g := s.Mount(httpd.Dialect{Prefix: prefix, Render: render}, guard...)
		for _, r := range a.routes() {
			if rest, ok := strings.CutPrefix(r.path, prefix); ok {
				g.Match(r.methods, rest, r.handler)
			}
		}
	}
	s.Mount(httpd.Dialect{Prefix: pathSocket, Render: render}).GET("", a.socket)
	s.Changes(pathLogin) // by GET too
	a.note = s.Note
	mountWeb(s)
	s.Describe(openAPI)
}

// route is one endpoint of the dialect.
type route struct {
	methods []string
	path    string
	handler echo.HandlerFunc
}

// routes is the one table of endpoints; README.md lists the same.
func (a *API) routes() []route {
	get, put, post := []string{http.MethodGet}, []string{http.MethodPut}, []string{http.MethodPost}
	return []route{
		{[]string{http.MethodGet, http.MethodPost}, pathLogin, a.login}, // POST keeps the password out of the address
		{put, "/api/ola/agents/:extn/dial/:destNumber", a.dial},
		{put, "/api/ola/agents/:extn/hangup", a.hangup},
		{put, "/api/ola/agents/:extn/go_break", a.goBreak},
		{put, "/api/ola/agents/:extn/go_ready", a.goReady},
		{put, "/api/ola/agents/:extn/hold", a.hold},
		{put, "/api/ola/agents/:extn/unhold", a.unhold},
		{get, "/api/ola/agents", a.agents},
		{get, "/api/ola/agents/:extn", a.agents},
		{post, "/api/ola/extensions/insert", a.insertExtension},
		{post, "/api/ola/extensions/delete", a.deleteExtension},
		{post, "/api/ola/extensions/update", a.updateExtension},
		{get, "/api/ola/extensions/detail", a.extensions},
		{get, "/api/ola/extensions_detail", a.extensions},
		{post, "/api/ola/dicts/insert", a.insertGroup},
		{post, "/api/ola/dicts/delete", a.deleteGroup},
		{post, "/api/ola/dicts/update", a.updateGroup},
		{get, "/api/ola/dicts/detail", a.groups},
		{get, "/api/ola/dicts/agent_detail/:k", a.groupExtensions},
		{get, "/api/ola/all_queues", a.allQueues},
		{get, "/api/ola/queues/:uuid/get_callers", a.callers},
		{get, "/api/ola/gateway_groups", a.gatewayGroups},
		{get, "/api/ola/ivr_flows", a.ivrFlows},
		{post, "/api/ola/makeCall", a.makeCall},
		{put, "/api/ola/groupCall", a.groupCall},
		{get, "/api/ola/groupCall", a.groupCalls},
		{get, "/api/ola/groupCall/:id", a.groupCallOf},
		{post, "/api/ola/groupCall/:id/stop", a.stopGroupCall},
		{post, "/api/special_phone/insert", a.insertPhone},
		{post, "/api/special_phone/delete", a.deletePhone},
		{post, "/api/special_phone/update", a.updatePhone},
		{get, "/api/special_phone/special_phone_detail", a.phones},
		{post, "/api/conferences/saveConf", a.saveConference},
		{post, "/api/conferences/delConf/:uuid", a.deleteConference},
		{get, "/api/conferences/conference/detail", a.conferences},
		{post, "/api/conferences/addConfMembers", a.addMembers},
		{get, "/api/conferences/liveConf/:UUID", a.attendees},
		{post, "/api/conferences/dialConf/:member/:UUID", a.dialMember},
		{post, "/api/conferences/oprConf/:member/:uuid/:type", a.changeMember},
	}
}

// need reads the values of parameters that a request cannot do without, in their order. One that stands in the path wins its place there;
// where the client has left the placeholder as it is printed, or gives it once more, the query and the body are asked too.
func need(c echo.Context, names ...string) ([]string, error) {
	values := make([]string, 0, len(names))
	for _, name := range names {
		v, err := value(c, name)
		if err != nil {
			return nil, err
		}
		if v == "" {
			return nil, unusable("missing parameter: " + name)
		}
		values = append(values, v)
	}
	return values, nil
}

// value reads one parameter, from the path or from the query and the body; "" when it is not given.
func value(c echo.Context, name string) (string, error) {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return "", err
	}
	inPath, err := httpd.PathParam(c, name)
	if err != nil {
		return "", err
	}
	given := p.Get(name)
	switch {
	case inPath == "" || inPath == name:
		return given, nil
	case given != "" && given != inPath:
		return "", unusable(name + " is given twice with different values")
	}
	return inPath, nil
}

func unusable(message string) error {
	return &httpd.Error{Status: http.StatusBadRequest, Message: message}
}

// traced returns the request's context with its id on the manager actions that it causes.
func traced(c echo.Context) context.Context {
	ctx := c.Request().Context()
	return pbx.WithTrace(ctx, httpd.RequestID(ctx))
}
