package ari

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// Channels lists all channels.
func (c *Client) Channels(ctx context.Context) ([]Channel, error) {
	return many(ctx, c, newChannel, "channels")
}

// Channel returns one channel. It fails with ErrNotFound when there is none of this id.
func (c *Client) Channel(ctx context.Context, id string) (Channel, error) {
	return one(ctx, c, http.MethodGet, newChannel, nil, "channels", id)
}

// An Originate is a call to be made: to Endpoint, and when it has answered into the application or into the dialplan.
type Originate struct {
	Endpoint string // technology and resource, such as PJSIP/801; Local/802@from-internal runs a dialplan
	ID       string // of the channel; required, see NewID
	OtherID  string // of the second half of a Local channel; "" is ID with ";2"

	// Place is where in the dialplan the channel goes. When it is empty, the channel goes into an application.
	Place Place
	App   string   // "" is the client's own; an application that nobody listens for hangs up
	Args  []string // what its StasisStart carries; no commas

	CallerID   string            // shown to who is called, such as "Name" <number>; "" is the endpoint's own
	Timeout    time.Duration     // how long it may ring, rounded up to seconds; 0 is Asterisk's default, 30 s
	Variables  map[string]string // of the new channel; functions such as CALLERID(name) too
	Originator string            // id of the channel on whose behalf it is
	Formats    string            // codecs that are asked for, such as "ulaw,alaw"
}

// A Place is a point in the dialplan.
type Place struct {
	Context, Exten string
	Priority       int    // 0 is 1
	Label          string // instead of Priority
}

func (p Place) addTo(f form) form {
	f["context"], f["extension"], f["label"] = p.Context, p.Exten, p.Label
	if f["priority"] = p.Priority; p.Priority == 0 && p.Label == "" && p.Exten != "" {
		f["priority"] = 1
	}
	return f
}

// Originate makes a channel, and returns it before it rings. What becomes of it is told by events alone: StasisStart when
// it has answered for an application, ChannelDestroyed with a cause when it has not. It fails with ErrAllocation when the
// endpoint is unknown or not registered, with ErrConflict when ID is in use, and with ErrInvalid.
func (c *Client) Originate(ctx context.Context, o Originate) (Channel, error) {
	args := form{
		"endpoint": o.Endpoint, "channelId": o.ID, "otherChannelId": o.OtherID, "callerId": o.CallerID,
		"timeout": seconds(o.Timeout), "variables": o.Variables, "originator": o.Originator, "formats": o.Formats,
	}
	if o.Place != (Place{}) {
		o.Place.addTo(args)
	} else if err := c.addApp(args, "POST /channels", o.App, o.Args); err != nil {
		return Channel{}, err
	}
	if o.ID == "" {
		return Channel{}, &ArgumentError{Op: "POST /channels", Name: "channelId", Reason: "is empty"}
	}
	return one(ctx, c, http.MethodPost, newChannel, args, "channels")
}

// addApp adds an application and its arguments, which Asterisk tells apart by commas.
func (c *Client) addApp(args form, op, app string, list []string) error {
	if app == "" {
		app = c.o.Application
	}
	for _, arg := range list {
		if strings.Contains(arg, ",") {
			return &ArgumentError{Op: op, Name: "appArgs", Reason: "has a comma in it"}
		}
	}
	args["app"], args["appArgs"] = app, strings.Join(list, ",")
	return nil
}

// A Snoop is a channel to be made that hears another one.
type Snoop struct {
	ID      string // of the new channel; required, see NewID
	Spy     string // what is heard: in, out, both, or "" for nothing
	Whisper string // to whom its own sound goes: in, out, both, or "" for nobody
	App     string // where it goes, "" is the client's own
	Args    []string
}

// Snoop makes a channel that hears the channel called id, which need not be in Stasis, and returns it. It ends with it.
func (c *Client) Snoop(ctx context.Context, id string, s Snoop) (Channel, error) {
	const op = "POST /channels/.../snoop"
	if s.ID == "" {
		return Channel{}, &ArgumentError{Op: op, Name: "snoopId", Reason: "is empty"}
	}
	args := form{"snoopId": s.ID, "spy": s.Spy, "whisper": s.Whisper}
	if err := c.addApp(args, op, s.App, s.Args); err != nil {
		return Channel{}, err
	}
	return one(ctx, c, http.MethodPost, newChannel, args, "channels", id, "snoop")
}

// Hangup ends a channel, in Stasis or not. Cause is that of Q.850, such as 16, 17 or 21; 0 is normal clearing. Asterisk 16
// knows 1, 16, 17, 18, 19, 21, 26, 28, 31, 34, 38, 58 and 127, and takes others for 16.
func (c *Client) Hangup(ctx context.Context, id string, cause int) error {
	args := form{"reason": reason(cause)}
	if args["reason"] == "" {
		args["reason_code"] = cause
	}
	return c.done(ctx, http.MethodDelete, args, "channels", id)
}

// reason is the name of a cause that all versions know (res/ari/resource_channels.c), "" if it has none.
func reason(cause int) string {
	switch cause {
	case 1:
		return "unallocated"
	case 16:
		return "normal"
	case 17:
		return "busy"
	case 18:
		return "timeout"
	case 19:
		return "no_answer"
	case 21:
		return "rejected"
	case 26:
		return "answered_elsewhere"
	case 28:
		return "number_incomplete"
	case 31:
		return "normal_unspecified"
	case 34:
		return "congestion"
	case 38:
		return "failure"
	case 58:
		return "codec_mismatch"
	case 127:
		return "interworking"
	}
	return ""
}

// Answer answers a channel in Stasis.
func (c *Client) Answer(ctx context.Context, id string) error { return c.post(ctx, id, "answer") }

// Ring indicates ringing to a channel in Stasis.
func (c *Client) Ring(ctx context.Context, id string) error { return c.post(ctx, id, "ring") }

// StopRinging ends what Ring began.
func (c *Client) StopRinging(ctx context.Context, id string) error { return c.take(ctx, id, "ring") }

// Hold tells a channel in Stasis that it is held; its phone decides what it plays.
func (c *Client) Hold(ctx context.Context, id string) error { return c.post(ctx, id, "hold") }

// Unhold ends what Hold began.
func (c *Client) Unhold(ctx context.Context, id string) error { return c.take(ctx, id, "hold") }

// StartMusic plays music on hold to a channel in Stasis; class "" is the default one.
func (c *Client) StartMusic(ctx context.Context, id, class string) error {
	return c.done(ctx, http.MethodPost, form{"mohClass": class}, "channels", id, "moh")
}

// StopMusic ends what StartMusic began.
func (c *Client) StopMusic(ctx context.Context, id string) error { return c.take(ctx, id, "moh") }

// Continue leaves a channel in Stasis to the dialplan; an empty place is where it came from.
func (c *Client) Continue(ctx context.Context, id string, to Place) error {
	return c.done(ctx, http.MethodPost, to.addTo(form{}), "channels", id, "continue")
}

// Move gives a channel in Stasis to another application; Asterisk takes one that nobody listens for.
func (c *Client) Move(ctx context.Context, id, app string, appArgs ...string) error {
	args := form{}
	if err := c.addApp(args, "POST /channels/.../move", app, appArgs); err != nil {
		return err
	}
	return c.done(ctx, http.MethodPost, args, "channels", id, "move")
}

// Redirect asks the phone of a channel in Stasis to call endpoint, such as PJSIP/803, instead (SIP 302 or REFER). It
// returns before the phone has answered; other commands to the channel wait until it has, chan_pjsip's for long.
func (c *Client) Redirect(ctx context.Context, id, endpoint string) error {
	return c.done(ctx, http.MethodPost, form{"endpoint": endpoint}, "channels", id, "redirect")
}

// Variable returns a variable of a channel, in Stasis or not. It fails with ErrNotFound when it is not set. A dialplan
// function, such as CDR(duration), is evaluated: name must not come from outside.
func (c *Client) Variable(ctx context.Context, id, name string) (string, error) {
	answer, err := c.call(ctx, http.MethodGet, []string{"channels", id, "variable"}, form{"variable": name})
	return plain(member(answer, "value")), err
}

// SetVariable sets a variable or function of a channel in Stasis.
func (c *Client) SetVariable(ctx context.Context, id, name, value string) error {
	return c.done(ctx, http.MethodPost, form{"variable": name, "value": value}, "channels", id, "variable")
}

// post and take are the commands to a channel that need nothing else.
func (c *Client) post(ctx context.Context, id, command string) error {
	return c.done(ctx, http.MethodPost, nil, "channels", id, command)
}

func (c *Client) take(ctx context.Context, id, command string) error {
	return c.done(ctx, http.MethodDelete, nil, "channels", id, command)
}

// seconds rounds up: a wait that is too short breaks what a longer one does not.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
