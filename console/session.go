package console

import (
	"cmp"
	"context"
	"crypto/md5" //nolint:gosec // the length of the token, which is one by contract
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

const (
	cookieName = "dialbridge_session"
	headerCSRF = "X-CSRF-Token"
	pathLogIn  = "/session"
)

// caller is who asks.
type caller struct {
	kind    string // how he is known
	name    string // for people
	role    pbx.Role
	who     pbx.Identity // of kindCookie
	session *session     // of kindCookie
}

// actor names the caller in the audit log.
func (who *caller) actor() string {
	return cmp.Or(who.who.User.Login, string(who.who.Exten), who.name, who.kind)
}

// owner is what bounds go by that hold for one user: all his sessions together. A program with the token is one, and so is who is on this machine.
func (who *caller) owner() string { return who.kind + " " + who.actor() }

// How one who asks is known.
const (
	kindKey    = "key"    // the token of the day: a program
	kindLocal  = "local"  // nothing but that he is on this machine
	kindCookie = "cookie" // a log-in
)

// actorKey is what the audit log calls a program with the token of the day, as coocenter does.
const actorKey = "WEBKEY"

// callerKey is where the caller is kept in echo's context.
const callerKey = "console.caller"

// callerOf is who asks; there is always one, but where one logs in.
func callerOf(c echo.Context) *caller {
	who, _ := c.Get(callerKey).(*caller)
	return who
}

// atLeast refuses those who have not the role that a route wants.
func atLeast(least pbx.Role) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if !callerOf(c).role.AtLeast(least) {
				return &httpd.Error{Status: http.StatusForbidden, Message: "your role may not do this: it takes " + string(least)}
			}
			return next(c)
		}
	}
}

// authenticate finds out who asks: a program by the token of the day, a browser by the cookie of its log-in, or, without a key, whoever is on
// this machine, but no page of another site that a browser on it shows. A log-in itself needs none of these.
func (a *API) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
		r, remote := c.Request(), httpd.Remote(c.Request())
		access := *a.access.Load()
		if access != nil && sendsToken(r.Header) {
			if wait, blocked := a.failures.Blocked(remote); blocked {
				return httpd.TooMany(wait)
			}
			if !access(r.Header) {
				a.failures.FailLogIn(c)
				return unauthorized()
			}
			return a.admit(c, next, &caller{kind: kindKey, name: actorKey, role: pbx.RoleAdmin})
		}
		if err := a.origin.Check(r); err != nil {
			return &httpd.Error{Status: http.StatusForbidden, Message: "the request comes from a page of another site"}
		}
		if r.Method == http.MethodPost && c.Path() == Prefix+pathLogIn {
			return next(c)
		}
		if cookie, err := r.Cookie(cookieName); err == nil {
			if s, leave := a.sessions.enter(cookie.Value); s != nil {
				defer leave()
				return a.inSession(c, next, s)
			}
		}
		if access == nil && fromHere(r) {
			return a.admit(c, next, &caller{kind: kindLocal, role: pbx.RoleAdmin})
		}
		return unauthorized()
	}
}

// sendsToken reports whether a request is meant to be known by the token of the day. What a proxy asks people for (Basic) is not that, though
// some programs write the word before the token.
func sendsToken(h http.Header) bool {
	given := cmp.Or(h.Get(echo.HeaderAuthorization), h.Get("Authentication"))
	scheme, rest, _ := strings.Cut(given, " ")
	return given != "" && (!strings.EqualFold(scheme, "Basic") || len(strings.TrimSpace(rest)) == 2*md5.Size)
}

func unauthorized() error {
	return &httpd.Error{Status: http.StatusUnauthorized, Message: "Unauthorized"}
}

func (a *API) admit(c echo.Context, next echo.HandlerFunc, who *caller) error {
	c.Set(callerKey, who)
	httpd.Actor(c, who.actor())
	return next(c)
}

// inSession serves a browser. A change must carry what the pages alone know; a read ends with the session, so that a stream does.
func (a *API) inSession(c echo.Context, next echo.HandlerFunc, s *session) error {
	r, who := c.Request(), &caller{kind: kindCookie, name: s.name, role: s.role, who: s.who, session: s}
	httpd.Actor(c, who.actor())
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get(headerCSRF)), []byte(s.csrf)) != 1 {
			return &httpd.Error{Status: http.StatusForbidden, Message: "the header " + headerCSRF + " is missing or not that of the session"}
		}
	} else {
		ctx, cancel := context.WithDeadlineCause(r.Context(), s.created.Add(sessionOldest), errSessionEnded)
		defer cancel()
		ctx, end := context.WithCancelCause(ctx)
		defer end(nil)
		stop := context.AfterFunc(s.ctx, func() { end(errSessionEnded) })
		defer stop()
		c.SetRequest(r.WithContext(ctx))
	}
	return a.admit(c, next, who)
}

// errSessionEnded is the cause of a read that ended with its session.
var errSessionEnded = errors.New("console: session has ended")

// sessionAnswer tells the one who asks who he is.
type sessionAnswer struct {
	Kind    string     `json:"kind"`
	Role    pbx.Role   `json:"role"`
	Name    string     `json:"name,omitempty"`
	Login   string     `json:"login,omitempty"`
	Exten   pbx.Exten  `json:"extension,omitempty"`
	CSRF    string     `json:"csrf,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`

	Clock []clockStretch `json:"clock"` // of the PBX
}

func (a *API) answerOf(who *caller) sessionAnswer {
	answer := sessionAnswer{Kind: who.kind, Role: who.role, Clock: clockOf(a.zone, time.Now())}
	if s := who.session; s != nil {
		expires := s.created.Add(sessionOldest).Truncate(time.Second).UTC()
		answer.Name, answer.Login, answer.Exten, answer.CSRF, answer.Expires = who.name, s.who.User.Login, s.who.Exten, s.csrf, &expires
	}
	return answer
}

func (a *API) whoAsks(c echo.Context) error { return c.JSON(http.StatusOK, a.answerOf(callerOf(c))) }

// logIn opens a session for a user, or for an agent with the password of his phone. The session of before ends: a token that was planted is worth
// nothing. An address that has failed too often is told nothing for a while, not even that a password was right.
func (a *API) logIn(c echo.Context) error {
	r, remote := c.Request(), httpd.Remote(c.Request())
	if wait, blocked := a.failures.Blocked(remote); blocked {
		return httpd.TooMany(wait)
	}
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	name, err := p.Require("login")
	if err != nil {
		return err
	}
	if !a.users.Knows(r.Context(), a.sw, name) {
		httpd.Unknown(c, "login")
	}
	password, err := p.Require("password")
	if err != nil {
		return err
	}
	id, err := a.users.Identify(r.Context(), a.sw, remote, name, password)
	if wait, blocked := a.failures.Blocked(remote); blocked {
		return httpd.TooMany(wait)
	}
	var token string
	var fresh *session
	if err == nil {
		err = a.users.Enter(id, func() { token, fresh = a.open(id) })
	}
	if errors.Is(err, pbx.ErrPassword) {
		a.failures.FailLogIn(c)
	}
	if err != nil {
		return logInFailure(err)
	}
	if cookie, err := r.Cookie(cookieName); err == nil {
		if old, leave := a.sessions.enter(cookie.Value); old != nil {
			leave()
			a.sessions.close(old)
		}
	}
	a.log.InfoContext(r.Context(), "somebody logged in to the console", "extension", id.Exten, "user_id", id.User.ID, "role", fresh.role,
		"remote", remote.String(), "request_id", httpd.RequestID(r.Context()))
	httpd.Actor(c, cmp.Or(id.User.Login, string(id.Exten)))
	c.SetCookie(a.cookie(r, token))
	return c.JSON(http.StatusOK, a.answerOf(&caller{kind: kindCookie, name: fresh.name, role: fresh.role, who: id, session: fresh}))
}

// open begins the session of one who has been identified.
func (a *API) open(id pbx.Identity) (token string, fresh *session) {
	if id.Exten == "" {
		return a.sessions.begin(id, cmp.Or(id.User.Name, id.User.Login), id.User.Role)
	}
	name := string(id.Exten)
	if x, err := a.sw.Extension(id.Exten); err == nil && x.Name != "" {
		name += " " + x.Name
	}
	return a.sessions.begin(id, name, pbx.RoleAgent)
}

// logInFailure gives the outcome of a log-in its status and text, which do not tell whether there is such a user.
func logInFailure(err error) error {
	var locked *pbx.LockedError
	switch {
	case errors.As(err, &locked):
		return httpd.TooMany(locked.Wait)
	case errors.Is(err, pbx.ErrPassword):
		return &httpd.Error{Status: http.StatusUnauthorized, Message: "wrong name or password"}
	case errors.Is(err, pbx.ErrDisabled):
		return &httpd.Error{Status: http.StatusForbidden, Message: "this user is disabled"}
	case errors.Is(err, pbx.ErrCrowded):
		return &httpd.Error{Status: http.StatusServiceUnavailable, Message: "too many log-ins at once, try again", RetryAfter: time.Second}
	case errors.Is(err, pbx.ErrOffline), errors.Is(err, pbx.ErrUnknown):
		return &httpd.Error{Status: http.StatusServiceUnavailable, Message: "Asterisk is not connected, which knows the passwords of phones: try again", Err: err}
	}
	return err
}

func (a *API) logOut(c echo.Context) error {
	if s := callerOf(c).session; s != nil {
		a.sessions.close(s)
		gone := a.cookie(c.Request(), "")
		gone.MaxAge = -1
		c.SetCookie(gone)
	}
	return c.NoContent(http.StatusNoContent)
}

// cookie holds a token. It goes to the console of this daemon alone, from its own pages alone, and no script reads it. Without a path of its own it
// has that of the log-in, below whatever prefix a proxy has added.
func (a *API) cookie(r *http.Request, token string) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: token, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"), // a proxy's word can only narrow it
	}
}
