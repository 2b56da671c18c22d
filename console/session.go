package console

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// caller is who asks.
type caller struct {
	kind string // how he is known: kindKey or kindLocal
	role pbx.Role
}

// How one who asks is known.
const (
	kindKey   = "key"   // the token of the day: a program
	kindLocal = "local" // nothing but that he is on this machine
)

// callerKey is where the caller is kept in echo's context.
const callerKey = "console.caller"

// callerOf is who asks. Below Prefix there is always one.
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

// sessionAnswer tells the one who asks who he is.
type sessionAnswer struct {
	Kind string   `json:"kind"`
	Role pbx.Role `json:"role"`
}

func (a *API) session(c echo.Context) error {
	who := callerOf(c)
	return c.JSON(http.StatusOK, sessionAnswer{Kind: who.kind, Role: who.role})
}
