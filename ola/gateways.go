package ola

import (
	"crypto/sha1" //nolint:gosec // a name, no secret: RFC 9562 makes UUIDs of version 5 with it
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// gatewayRow is one trunk group, keys in the documented order.
type gatewayRow struct {
	UUID            string  `json:"uuid"`
	ParentUUID      *string `json:"parent_uuid"`
	Name            string  `json:"name"`
	Level           int     `json:"level"`
	Description     string  `json:"description"`
	GroupNbr        *string `json:"group_nbr"`
	Typ             string  `json:"typ"`
	DisplayOrder    int     `json:"display_order"`
	CreatedAt       string  `json:"created_at"`
	UpdatedAt       string  `json:"updated_at"`
	SyncedAt        *string `json:"synced_at"`
	Strategy        string  `json:"strategy"`
	UserUUID        string  `json:"user_uuid"`
	DateSettingUUID *string `json:"date_setting_uuid"`
	Count           int     `json:"count"`
}

// uuidOf is the uuid of a trunk group: of version 5 (RFC 9562), of its name, and so the same after every start.
func uuidOf(name string) string {
	sum := sha1.Sum(append([]byte("dialbridge\x00gateway"), "/"+name...)) //nolint:gosec // see the import
	b := sum[:16]
	b[6], b[8] = b[6]&0x0f|0x50, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// gatewayGroups lists the trunk groups, or those whose name contains name.
func (a *API) gatewayGroups(c echo.Context) error {
	name, err := value(c, "name")
	if err != nil {
		return err
	}
	rows := []gatewayRow{}
	for _, g := range a.sw.TrunkGroups() {
		if strings.Contains(g.Name, name) {
			rows = append(rows, gatewayRow{UUID: uuidOf(g.Name), Name: g.Name, Typ: "GATEWAY", Strategy: "polling", UserUUID: nobody, Count: g.Count})
		}
	}
	return c.JSON(http.StatusOK, rows)
}

// group reads the parameter that names a trunk group, by its name or its uuid, and returns the name.
func (a *API) group(c echo.Context, param string) (string, error) {
	v, err := need(c, param)
	if err != nil {
		return "", err
	}
	for _, g := range a.sw.TrunkGroups() {
		if v[0] == g.Name || strings.EqualFold(v[0], uuidOf(g.Name)) {
			return g.Name, nil
		}
	}
	return "", &httpd.Error{Status: http.StatusNotFound, Message: param + ": " + textNotFound}
}

type flowRow struct {
	ID   int    `json:"flow_id"`
	Name string `json:"flow_name"`
}

// ivrFlows lists the menus that a campaign can send its calls into.
func (a *API) ivrFlows(c echo.Context) error {
	if _, err := httpd.ReadParams(c); err != nil {
		return err
	}
	rows := []flowRow{}
	for _, m := range a.sw.Flows() {
		if id, err := strconv.Atoi(m.ID); err == nil {
			rows = append(rows, flowRow{ID: id, Name: m.Name})
		}
	}
	return c.JSON(http.StatusOK, rows)
}

// callFields are the names of makeCall.
var callFields = map[string]string{"src": "from", "dst": "to", "remark": "caller_id", "group": "gwGroup"}

// makeCall calls one number and, when it answers, the other one for it.
func (a *API) makeCall(c echo.Context) error {
	v, err := need(c, "from", "to")
	if err != nil {
		return err
	}
	mark, err := value(c, "caller_id")
	if err != nil {
		return err
	}
	group, err := a.group(c, "gwGroup")
	if err != nil {
		return err
	}
	id, err := a.sw.Connect(traced(c), pbx.ConnectRequest{From: v[0], To: v[1], Group: group, Remark: mark})
	if err != nil {
		return failureIn(err, callFields)
	}
	a.log.Info("call originated", "call", id, "request_id", httpd.RequestID(c.Request().Context()))
	return done(c)
}
