package ari

import (
	"context"
	"net/http"
)

// Bridges lists all bridges, those of the dialplan too.
func (c *Client) Bridges(ctx context.Context) ([]Bridge, error) {
	return many(ctx, c, newBridge, "bridges")
}

// Bridge returns one bridge. It fails with ErrNotFound when there is none of this id.
func (c *Client) Bridge(ctx context.Context, id string) (Bridge, error) {
	return one(ctx, c, http.MethodGet, newBridge, nil, "bridges", id)
}

// CreateBridge makes a bridge. Kind is a comma separated list: mixing or holding, dtmf_events, proxy_media; "" is mixing.
// An id that is in use is ErrConflict in Asterisk 22; 16 gives that bridge another name instead, so take a new one (NewID).
func (c *Client) CreateBridge(ctx context.Context, id, kind, name string) (Bridge, error) {
	if id == "" {
		return Bridge{}, &ArgumentError{Op: "POST /bridges", Name: "bridgeId", Reason: "is empty"}
	}
	return one(ctx, c, http.MethodPost, newBridge, form{"bridgeId": id, "type": kind, "name": name}, "bridges")
}

// DestroyBridge ends a bridge; its channels stay in Stasis.
func (c *Client) DestroyBridge(ctx context.Context, id string) error {
	return c.done(ctx, http.MethodDelete, nil, "bridges", id)
}

// AddToBridge puts channels in Stasis into a bridge. It fails with ErrNotFound when the bridge or a channel is not
// there, and with ErrNotInStasis.
func (c *Client) AddToBridge(ctx context.Context, id string, channels ...string) error {
	return c.members(ctx, id, "addChannel", channels)
}

// RemoveFromBridge takes channels out of a bridge; they stay in Stasis.
func (c *Client) RemoveFromBridge(ctx context.Context, id string, channels ...string) error {
	return c.members(ctx, id, "removeChannel", channels)
}

func (c *Client) members(ctx context.Context, id, command string, channels []string) error {
	if len(channels) == 0 {
		return &ArgumentError{Op: "POST /bridges/.../" + command, Name: "channel", Reason: "is empty"}
	}
	return c.done(ctx, http.MethodPost, form{"channel": channels}, "bridges", id, command)
}

// StartBridgeMusic plays music on hold to all in a bridge; class "" is the default one.
func (c *Client) StartBridgeMusic(ctx context.Context, id, class string) error {
	return c.done(ctx, http.MethodPost, form{"mohClass": class}, "bridges", id, "moh")
}

// StopBridgeMusic ends what StartBridgeMusic began.
func (c *Client) StopBridgeMusic(ctx context.Context, id string) error {
	return c.done(ctx, http.MethodDelete, nil, "bridges", id, "moh")
}

// PlayToBridge plays sounds to all in a bridge; see Play.
func (c *Client) PlayToBridge(ctx context.Context, id string, s Sound) (Playback, error) {
	return c.play(ctx, "bridges", id, s)
}

// RecordBridge records what is heard in a bridge.
func (c *Client) RecordBridge(ctx context.Context, id string, t Tape) (Recording, error) {
	return c.record(ctx, "bridges", id, t)
}
