package ola

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// lineOf reads what an extension is to be. All but the number may be empty.
func lineOf(c echo.Context) (l pbx.Line, err error) {
	var given [7]string
	for i, name := range []string{"extn", "extnPwd", "context", "name", "transfer_phone", "if_auto_login", "if_auto_ready"} {
		if given[i], err = value(c, name); err != nil {
			return l, err
		}
	}
	l = pbx.Line{Exten: pbx.Exten(given[0]), Password: given[1], Context: given[2], Name: given[3], Transfer: given[4]}
	if l.AutoLogin, err = truth("if_auto_login", given[5]); err != nil {
		return l, err
	}
	l.AutoReady, err = truth("if_auto_ready", given[6])
	return l, err
}

// truth reads the document's booleans, which are words.
func truth(name, text string) (bool, error) {
	switch text {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	}
	return false, unusable(name + ": true or false")
}

// insertExtension makes an extension.
func (a *API) insertExtension(c echo.Context) error {
	if _, err := need(c, "extn", "extnPwd", "context", "name"); err != nil {
		return err
	}
	l, err := lineOf(c)
	if err != nil {
		return err
	}
	return a.changed(c, "extension made", string(l.Exten), a.directory.AddLine(traced(c), l))
}

// updateExtension replaces what belongs to an extension.
func (a *API) updateExtension(c echo.Context) error {
	if _, err := need(c, "extn"); err != nil {
		return err
	}
	l, err := lineOf(c)
	if err != nil {
		return err
	}
	old, err := a.directory.Line(traced(c), l.Exten)
	if err != nil && !errors.Is(err, pbx.ErrNotFound) {
		return failure(err)
	}
	err = a.directory.SetLine(traced(c), l)
	if l.Password != "" && l.Password != old.Password && (err == nil || errors.Is(err, pbx.ErrUnknown)) {
		a.users.End(pbx.Identity{Exten: l.Exten})
	}
	return a.changed(c, "extension changed", string(l.Exten), err)
}

// deleteExtension takes an extension away.
func (a *API) deleteExtension(c echo.Context) error {
	v, err := need(c, "extn")
	if err != nil {
		return err
	}
	err = a.directory.RemoveLine(traced(c), pbx.Exten(v[0]))
	if err == nil || errors.Is(err, pbx.ErrUnknown) {
		a.users.End(pbx.Identity{Exten: pbx.Exten(v[0])})
	}
	return a.changed(c, "extension removed", v[0], err)
}

// changed answers a change of what was made here, and notes who asked for it: it lasts, and takes a telephone away.
func (a *API) changed(c echo.Context, what, name string, err error) error {
	if err == nil {
		ctx := c.Request().Context()
		a.log.InfoContext(ctx, "directory changed", "change", what, "name", name, "request_id", httpd.RequestID(ctx))
	}
	return finish(c, err)
}

// extensionRow is one extension, keys in the documented order.
type extensionRow struct {
	Name        string `json:"name"`
	AutoLogin   string `json:"if_auto_login"`
	AutoReady   string `json:"if_auto_ready"`
	UUID        string `json:"uuid"`
	Number      string `json:"nbr"`
	Password    string `json:"password"`
	Type        string `json:"typ"`
	Context     string `json:"context"` // the name of the group, not its id
	K           string `json:"k"`
	CreatedAt   string `json:"created_at"`
	UpdatedAt   string `json:"updated_at"`
	Transfer    string `json:"transfer_phone"`
	Domain      string `json:"domain"`
	Priority    int    `json:"priority"`
	Description string `json:"description"` // its queues
}

// extensions lists the extensions that were made here, or the one of a number.
func (a *API) extensions(c echo.Context) error {
	extn, err := value(c, "extn")
	if err != nil {
		return err
	}
	return a.listExtensions(c, func(l pbx.Line) bool { return extn == "" || string(l.Exten) == extn })
}

func (a *API) listExtensions(c echo.Context, takes func(pbx.Line) bool) error {
	ctx := traced(c)
	lines, err := a.directory.Lines(ctx)
	if err != nil {
		return failure(err)
	}
	groups, err := a.directory.Groups(ctx)
	if err != nil {
		return failure(err)
	}
	names := make(map[string]string, len(groups))
	for _, g := range groups {
		names[g.K] = g.Name
	}
	rows := []extensionRow{}
	for _, l := range lines {
		if takes(l) {
			agent, _ := a.sw.Agent(l.Exten) // who is not known is in no queue
			rows = append(rows, a.rules.Load().extension(l, names[l.Context], agent.Queues))
		}
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.JSON(http.StatusOK, rows)
}

func (r *Rules) extension(l pbx.Line, group string, queues []pbx.QueueName) extensionRow {
	names := make([]string, 0, len(queues))
	for _, q := range queues {
		names = append(names, string(q))
	}
	return extensionRow{
		Name: l.Name, AutoLogin: strconv.FormatBool(l.AutoLogin), AutoReady: strconv.FormatBool(l.AutoReady), UUID: l.UUID, Number: string(l.Exten),
		Password: l.Password, Type: "sip", Context: group, K: l.Context, CreatedAt: r.date(l.Created), UpdatedAt: r.date(l.Updated),
		Transfer: l.Transfer, Domain: "127.0.0.1", Description: strings.Join(names, ","),
	}
}

// date renders a time without its parts of a second.
func (r *Rules) date(t time.Time) string { return t.In(r.Location).Format(time.DateTime) }

// groupExtensions lists the extensions of an outbound group, or those of all groups.
func (a *API) groupExtensions(c echo.Context) error {
	k, err := value(c, "k")
	if err != nil {
		return err
	}
	extn, err := value(c, "extn")
	if err != nil {
		return err
	}
	if k != "" {
		groups, err := a.directory.Groups(traced(c))
		if err != nil {
			return failure(err)
		}
		if !slices.ContainsFunc(groups, func(g pbx.Group) bool { return g.K == k }) {
			return &httpd.Error{Status: http.StatusNotFound, Message: textNotFound}
		}
	}
	return a.listExtensions(c, func(l pbx.Line) bool { return (k == "" || l.Context == k) && strings.Contains(string(l.Exten), extn) })
}
