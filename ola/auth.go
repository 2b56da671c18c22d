package ola

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// headerToken carries the token, in the answer to a log-in and in every request after it.
const headerToken = "X-Auth-Token"

// login gives out a token for a login and a password. An address that has failed too often is told nothing for a while, not even that
// a password was right: attempts that wait for their turn when it is blocked do not count either.
func (a *API) login(c echo.Context) error {
	remote := httpd.Remote(c.Request())
	if wait, blocked := a.failures.Blocked(remote); blocked {
		return httpd.TooMany(wait)
	}
	ctx := c.Request().Context()
	if name, err := value(c, "username"); err != nil {
		return err
	} else if name != "" && !a.users.Knows(ctx, a.sw, name) {
		httpd.Unknown(c, "username")
	}
	v, err := need(c, "username", "password")
	if err != nil {
		return err
	}
	user, err := a.users.Authenticate(ctx, remote, v[0], v[1])
	if wait, blocked := a.failures.Blocked(remote); blocked {
		return httpd.TooMany(wait)
	}
	if errors.Is(err, pbx.ErrPassword) {
		a.failures.FailLogIn(c)
	}
	if err != nil {
		return loginFailure(err)
	}
	httpd.Actor(c, user.Login)
	token := ""
	if err := a.enter(pbx.Identity{User: user}, func() { token = a.tokens.issue(user) }); err != nil {
		return loginFailure(err)
	}
	a.log.Info("user logged in", "user_id", user.ID, "remote", remote.String(), "request_id", httpd.RequestID(ctx))
	h := c.Response().Header()
	h.Set(headerToken, token)
	h.Set(echo.HeaderAccessControlExposeHeaders, headerToken)
	h.Set(echo.HeaderCacheControl, "no-store")
	return done(c)
}

// enter lets somebody in. A user here may steer everybody, which takes a supervisor.
func (a *API) enter(id pbx.Identity, do func()) error {
	if id.Exten == "" && !id.User.Role.AtLeast(pbx.RoleSupervisor) {
		return &httpd.Error{Status: http.StatusForbidden, Message: "your role may not do this"}
	}
	return a.users.Enter(id, do)
}

// loginFailure gives the outcome of a log-in its status and text.
func loginFailure(err error) error {
	var answer *httpd.Error
	var locked *pbx.LockedError
	switch {
	case errors.As(err, &answer):
		return err
	case errors.As(err, &locked):
		return httpd.TooMany(locked.Wait)
	case errors.Is(err, pbx.ErrPassword):
		return &httpd.Error{Status: http.StatusUnauthorized, Message: "auth failed!"}
	case errors.Is(err, pbx.ErrDisabled):
		return &httpd.Error{Status: http.StatusForbidden, Message: "account not enable!"}
	case errors.Is(err, pbx.ErrCrowded):
		return &httpd.Error{Status: http.StatusServiceUnavailable, Message: "too many log-ins at once, try again", RetryAfter: time.Second}
	}
	return failure(err)
}

// authenticate refuses requests without a token. A wrong one is not counted as a failed log-in: after a restart of the daemon every
// client has a wrong one, and nobody guesses 122 bits.
func (a *API) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		user, valid := a.tokens.user(strings.TrimSpace(c.Request().Header.Get(headerToken)))
		if !valid {
			return &httpd.Error{Status: http.StatusUnauthorized, Message: textUnauthorized}
		}
		httpd.Actor(c, user.Login)
		return next(c)
	}
}
