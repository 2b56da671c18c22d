package ari

import (
	"context"
	"net/http"
	"time"
)

// Info is what Asterisk tells about itself.
type Info struct {
	Version  string    // such as "22.10.1~dfsg+~cs6.15.60671435-1"
	EntityID string    // the hardware address that Asterisk goes by
	Started  time.Time // zero when Asterisk does not say
	Reloaded time.Time // zero when Asterisk does not say
}

// Info asks GET /asterisk/info, which also proves that the user may log in.
func (c *Client) Info(ctx context.Context) (Info, error) {
	path := []string{"asterisk", "info"}
	answer, err := c.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return Info{}, err
	}
	var i Info
	walk(answer, func(name, part string) {
		switch name {
		case "system", "status":
			walk(part, i.set)
		}
	})
	if i.Version == "" {
		return Info{}, &Error{Op: "GET /asterisk/info", Status: http.StatusOK, Err: ErrForeign}
	}
	return i, nil
}

func (i *Info) set(name, value string) {
	switch name {
	case "version":
		i.Version = plain(value)
	case "entity_id":
		i.EntityID = plain(value)
	case "startup_time":
		i.Started = parseTime(plain(value))
	case "last_reload_time":
		i.Reloaded = parseTime(plain(value))
	}
}
