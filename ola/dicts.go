package ola

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/pbx"
)

// groupOf reads what an outbound group is to be. All but its id may be empty.
func groupOf(c echo.Context) (g pbx.Group, err error) {
	var given [6]string
	for i, name := range []string{"k", "v", "start_url", "end_url", "times", "hangup_dtmf"} {
		if given[i], err = value(c, name); err != nil {
			return g, err
		}
	}
	return pbx.Group{
		K: given[0], Name: given[1], StartURL: given[2], EndURL: given[3], Times: given[4], HangupDTMF: cmp.Or(given[5], "0"),
	}, nil
}

// insertGroup makes an outbound group.
func (a *API) insertGroup(c echo.Context) error {
	if _, err := need(c, "k", "v"); err != nil {
		return err
	}
	g, err := groupOf(c)
	if err != nil {
		return err
	}
	return a.changed(c, "group made", g.K, a.directory.AddGroup(traced(c), g))
}

// updateGroup replaces what is kept of an outbound group.
func (a *API) updateGroup(c echo.Context) error {
	if _, err := need(c, "k"); err != nil {
		return err
	}
	g, err := groupOf(c)
	if err != nil {
		return err
	}
	return a.changed(c, "group changed", g.K, a.directory.SetGroup(traced(c), g))
}

// deleteGroup takes an outbound group away.
func (a *API) deleteGroup(c echo.Context) error {
	v, err := need(c, "k")
	if err != nil {
		return err
	}
	return a.changed(c, "group removed", v[0], a.directory.RemoveGroup(traced(c), v[0]))
}

// groupRow is one outbound group, keys in the documented order.
type groupRow struct {
	Dict        string  `json:"dict"`
	K           string  `json:"k"`
	V           string  `json:"v"`
	Description *string `json:"description"`
	CreatedAt   string  `json:"created_at"`
	UpdatedAt   string  `json:"updated_at"`
	DeletedAt   *string `json:"deleted_at"`
	StartURL    string  `json:"start_url"`
	EndURL      string  `json:"end_url"`
	Times       string  `json:"times"`
	HangupDTMF  string  `json:"hangup_dtmf"`
	UserUUID    string  `json:"user_uuid"`
	Extensions  int     `json:"extn_count"`
}

// groups lists the outbound groups, or those whose name contains name.
func (a *API) groups(c echo.Context) error {
	name, err := value(c, "name")
	if err != nil {
		return err
	}
	list, err := a.directory.Groups(traced(c))
	if err != nil {
		return failure(err)
	}
	rows := []groupRow{}
	for _, g := range list {
		if strings.Contains(g.Name, name) {
			rows = append(rows, a.rules.Load().group(g))
		}
	}
	return c.JSON(http.StatusOK, rows)
}

func (r *Rules) group(g pbx.Group) groupRow {
	return groupRow{
		Dict: "FS_CONTEXT", K: g.K, V: g.Name, CreatedAt: r.date(g.Created), UpdatedAt: r.date(g.Updated),
		StartURL: g.StartURL, EndURL: g.EndURL, Times: g.Times, HangupDTMF: g.HangupDTMF, UserUUID: nobody, Extensions: g.Lines,
	}
}
