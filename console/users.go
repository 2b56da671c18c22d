package console

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// userAnswer is a user as the console tells of him: nothing of his password.
type userAnswer struct {
	ID        int64      `json:"id"`
	Login     string     `json:"login"`
	Name      string     `json:"name"`
	Role      pbx.Role   `json:"role"`
	Disabled  bool       `json:"disabled"`
	Created   time.Time  `json:"created"`
	Updated   time.Time  `json:"updated"`
	LastLogin *time.Time `json:"last_login,omitempty"` // to a minute
}

func answerOfUser(u pbx.User) userAnswer {
	answer := userAnswer{ID: u.ID, Login: u.Login, Name: u.Name, Role: u.Role, Disabled: u.Disabled, Created: u.Created.UTC(), Updated: u.Updated.UTC()}
	if !u.LastLogin.IsZero() {
		last := u.LastLogin.UTC()
		answer.LastLogin = &last
	}
	return answer
}

func (a *API) listUsers(c echo.Context) error {
	list, err := a.users.List(c.Request().Context())
	if err != nil {
		return err
	}
	answer := make([]userAnswer, 0, len(list))
	for _, u := range list {
		answer = append(answer, answerOfUser(u))
	}
	return c.JSON(http.StatusOK, map[string][]userAnswer{"users": answer})
}

func (a *API) createUser(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	for _, name := range []string{"login", "role", "password"} {
		if _, err := p.Require(name); err != nil {
			return err
		}
	}
	for _, word := range []string{actorKey, kindLocal} {
		if strings.EqualFold(p.Get("login"), word) {
			return &httpd.Error{Status: http.StatusBadRequest, Message: "login: the audit log calls somebody else " + word}
		}
	}
	u, err := a.users.Create(c.Request().Context(), p.Get("login"), p.Get("name"), pbx.Role(p.Get("role")), p.Get("password"))
	if err != nil {
		return userFailure(err)
	}
	return c.JSON(http.StatusCreated, answerOfUser(u))
}

// changeUser changes what is given. Whoever is logged in as the user must log in again.
func (a *API) changeUser(c echo.Context) error {
	id, err := userID(c)
	if err != nil {
		return err
	}
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	var change pbx.UserChange
	if text, ok := p.Lookup("name"); ok {
		change.Name = &text
	}
	if text, ok := p.Lookup("role"); ok {
		role := pbx.Role(text)
		change.Role = &role
	}
	if text, ok := p.Lookup("password"); ok {
		change.Password = &text
	}
	if text, ok := p.Lookup("disabled"); ok {
		disabled, err := strconv.ParseBool(text)
		if err != nil {
			return &httpd.Error{Status: http.StatusBadRequest, Message: "disabled is neither true nor false"}
		}
		change.Disabled = &disabled
	}
	if change == (pbx.UserChange{}) {
		return &httpd.Error{Status: http.StatusBadRequest, Message: "name, role, password or disabled is missing"}
	}
	u, err := a.users.Change(c.Request().Context(), id, change)
	if err != nil {
		return userFailure(err)
	}
	return c.JSON(http.StatusOK, answerOfUser(u))
}

func (a *API) deleteUser(c echo.Context) error {
	id, err := userID(c)
	if err != nil {
		return err
	}
	if _, err := a.users.Delete(c.Request().Context(), id); err != nil {
		return userFailure(err)
	}
	return c.NoContent(http.StatusNoContent)
}

// ownPassword lets a user change his own password, with the one that he has. He must log in again.
func (a *API) ownPassword(c echo.Context) error {
	who := callerOf(c)
	if who.kind != kindCookie || who.who.Exten != "" {
		return &httpd.Error{Status: http.StatusConflict, Message: "only a user who has logged in has a password here"}
	}
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	old, err := p.Require("password")
	if err != nil {
		return err
	}
	fresh, err := p.Require("new_password")
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	if _, err := a.users.Authenticate(ctx, httpd.Remote(c.Request()), who.who.User.Login, old); errors.Is(err, pbx.ErrPassword) {
		a.failures.FailLogIn(c)
		return &httpd.Error{Status: http.StatusForbidden, Message: "password: not the one that you have"}
	} else if err != nil {
		return logInFailure(err)
	}
	if _, err := a.users.Change(ctx, who.who.User.ID, pbx.UserChange{Password: &fresh}); err != nil {
		return userFailure(err)
	}
	return c.NoContent(http.StatusNoContent)
}

func userID(c echo.Context) (int64, error) {
	text, err := httpd.PathParam(c, "id")
	if err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, &httpd.Error{Status: http.StatusNotFound, Message: "no such user"}
	}
	return id, nil
}

// userFailure gives an error of the users its status and text.
func userFailure(err error) error {
	var invalid *pbx.InvalidError
	switch {
	case errors.As(err, &invalid):
		return &httpd.Error{Status: http.StatusBadRequest, Message: err.Error()}
	case errors.Is(err, pbx.ErrNotFound):
		return &httpd.Error{Status: http.StatusNotFound, Message: "no such user"}
	case errors.Is(err, pbx.ErrTaken):
		return &httpd.Error{Status: http.StatusConflict, Message: "another user has that login"}
	case errors.Is(err, pbx.ErrManyUsers):
		return &httpd.Error{Status: http.StatusConflict, Message: "there are as many users as there may be"}
	case errors.Is(err, pbx.ErrLastAdmin):
		return &httpd.Error{Status: http.StatusConflict, Message: "the last administrator must stay one who may log in"}
	case errors.Is(err, pbx.ErrNoRoom):
		return &httpd.Error{Status: http.StatusInsufficientStorage, Message: "the database is full"}
	}
	return err
}
