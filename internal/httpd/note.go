package httpd

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Note is what is told of one command, after its answer, to who keeps an audit log.
type Note struct {
	At        time.Time
	Who       string // as the dialect has said with Actor; "" = nobody who is known
	Remote    netip.Addr
	Action    string            // method and route template, or what a socket calls its command
	Params    map[string]string // of the path, the query and the body, without secrets
	Status    int
	BrokeOff  string // why the answer ended before its end, BrokenByClient and so on; "" = it did not
	Taken     bool   // nothing was ordered: something went out that is worth a note
	RequestID string
}

const (
	actorKey   = "dialbridge.actor"
	worthKey   = "dialbridge.worth"
	unknownKey = "dialbridge.unknown"
)

// Actor says who makes a request, for the audit log.
func Actor(c echo.Context, who string) { c.Set(actorKey, who) }

// FailLogIn counts a failed log-in against the address of a request, and has it noted even where the request would have changed nothing.
func (l *Limiter) FailLogIn(c echo.Context) {
	l.Fail(Remote(c.Request()))
	Noteworthy(c)
}

// Noteworthy has a request noted though it changes nothing.
func Noteworthy(c echo.Context) { c.Set(worthKey, true) }

// UnknownName stands in a note for what was given as the name of one whom nobody knows.
const UnknownName = "unknown name"

// Unknown says that a parameter of a request, which was to be somebody's name, is nobody's, so that it is not kept: people type their passwords there.
func Unknown(c echo.Context, param string) { c.Set(unknownKey, param) }

// Reads says of routes that they change nothing, though their method does not tell. The paths are route templates in full.
func (s *Server) Reads(paths ...string) { s.say(false, paths) }

// Changes says of routes that they change something, though their method is GET.
func (s *Server) Changes(paths ...string) { s.say(true, paths) }

func (s *Server) say(changes bool, paths []string) {
	for _, path := range paths {
		s.changing[path] = changes
	}
}

// Note tells of a command that came by another way than a request.
func (s *Server) Note(n Note) {
	if s.options.Audit != nil {
		s.options.Audit(n)
	}
}

// note tells of a request that was answered, when it was a command or is worth it.
func (s *Server) note(c echo.Context, start time.Time, broke string) {
	r := c.Request()
	worth, _ := c.Get(worthKey).(bool)
	worth = worth || s.commands(c)
	who, _ := c.Get(actorKey).(string)
	taken := s.options.Audit != nil && !worth && s.takes(c, who)
	if s.options.Audit == nil || !worth && !taken {
		return
	}
	given := map[string]string{}
	if p, ok := c.Get(paramsKey).(Params); ok {
		for name, value := range p.values {
			given[name] = value
		}
	}
	for _, name := range c.ParamNames() {
		if value := c.Param(name); value != "" {
			given[name] = value
		}
	}
	if name, ok := c.Get(unknownKey).(string); ok {
		given[name] = UnknownName
	}
	s.Note(Note{
		At: start, Who: who, Remote: Remote(r), Action: method(r) + " " + c.Path(), Params: Redact(given),
		Status: c.Response().Status, BrokeOff: broke, Taken: taken, RequestID: RequestID(r.Context()),
	})
}

// commands reports whether a request is one that changes something. What no route fits does not.
func (s *Server) commands(c echo.Context) bool {
	if status := c.Response().Status; strings.HasSuffix(c.Path(), "*") && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed) {
		return false
	}
	if changes, said := s.changing[c.Path()]; said {
		return changes
	}
	return !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, c.Request().Method)
}

// secretWords are in the names of parameters whose values nobody is to read.
var secretWords = []string{"pass", "pwd", "secret", "token", "auth", "credential"}

// Redact hides the values of parameters that are secret by their names. It changes the map that it is given, and returns it.
func Redact(params map[string]string) map[string]string {
	for name, value := range params {
		lower := strings.ToLower(name)
		if value != "" && slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(lower, word) }) {
			params[name] = "***"
		}
	}
	return params
}
