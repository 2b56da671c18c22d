package ari

import (
	"errors"
	"time"
)

// An Event is what Asterisk tells on the socket.
type Event struct {
	Type      string    // such as "StasisStart"; the list is Asterisk's rest-api/api-docs/events.json
	Timestamp time.Time // when Asterisk says it happened, in UTC; zero when it does not say
	Raw       string    // the whole text, JSON
}

// ErrBroken says that a text is not the JSON that it should be.
var ErrBroken = errors.New("ari: not the json of an event")

// A Body is what is in an event, as far as it is known here. Which fields are set depends on the event's type. Strings
// share the event's memory.
type Body struct {
	Application string // whose event it is

	Channel  *Channel // whom it is about
	Caller   *Channel // Dial: who dials, nil when Asterisk itself does
	Peer     *Channel // Dial: who is dialled
	Replaced *Channel // StasisStart: whose place the channel has taken
	Bridge   *Bridge
	// BridgeBlindTransfer and BridgeAttendedTransfer: who was transferred, and to whom.
	Transferee, Target *Channel

	Args []string // StasisStart

	Cause     int    // ChannelDestroyed, ChannelHangupRequest: Q.850
	CauseText string // ChannelDestroyed
	Soft      bool   // ChannelHangupRequest

	DialStatus, DialString, Forward string // Dial: status is "" at its beginning

	Digit    string        // ChannelDtmfReceived
	Duration time.Duration // ChannelDtmfReceived, ChannelTalkingFinished

	Variable, Value string // ChannelVarset

	App, AppData string // ChannelDialplan
	MusicClass   string // ChannelHold

	Context, Exten string // BridgeBlindTransfer: whereto
	Result         string // of a transfer, "Success" is good

	EventName string // ChannelUserevent
	UserEvent string // ChannelUserevent: its fields as a JSON object

	PeerStatus  string // PeerStatusChange: Registered, Unregistered, Reachable, Unreachable ...
	Endpoint    *Endpoint
	Contact     *Contact     // ContactStatusChange
	DeviceState *DeviceState // DeviceStateChanged
	Playback    *Playback
	Recording   *Recording
}

// Decode takes out of the event what is known here. It fails with ErrBroken when the text is no JSON object, but it does
// not look for every mistake in it.
func (e Event) Decode() (Body, error) {
	var b Body
	if !walk(e.Raw, b.set) {
		return Body{}, ErrBroken
	}
	return b, nil
}

// set takes one member of the event.
func (b *Body) set(name, value string) {
	switch name {
	case "channel":
		b.Channel = newChannel(value)
	case "bridge":
		b.Bridge = newBridge(value)
	case "application":
		b.Application = plain(value)
	case "variable":
		b.Variable = plain(value)
	case "value":
		b.Value = plain(value)
	case "cause":
		b.Cause = number(value)
	case "cause_txt":
		b.CauseText = plain(value)
	case "soft":
		b.Soft = value == "true"
	case "dialplan_app":
		b.App = plain(value)
	case "dialplan_app_data":
		b.AppData = plain(value)
	case "args":
		b.Args = list(value)
	default:
		b.setRare(name, value)
	}
}

// setRare takes what most events have not.
func (b *Body) setRare(name, value string) {
	switch name {
	case "caller":
		b.Caller = newChannel(value)
	case "peer": // is a channel or a status
		if b.Peer = newChannel(value); b.Peer != nil && b.Peer.ID == "" {
			b.Peer, b.PeerStatus = nil, plain(member(value, "peer_status"))
		}
	case "replace_channel":
		b.Replaced = newChannel(value)
	case "transferee":
		b.Transferee = newChannel(value)
	case "transfer_target":
		b.Target = newChannel(value)
	case "endpoint":
		b.Endpoint = newEndpoint(value)
	case "contact_info":
		b.Contact = newContact(value)
	case "device_state":
		b.DeviceState = newDeviceState(value)
	case "playback":
		b.Playback = newPlayback(value)
	case "recording":
		b.Recording = newRecording(value)
	case "userevent":
		b.UserEvent = value
	default:
		b.setText(name, value)
	}
}

// setText takes the rest, which is flat.
func (b *Body) setText(name, value string) {
	switch name {
	case "dialstatus":
		b.DialStatus = plain(value)
	case "dialstring":
		b.DialString = plain(value)
	case "forward":
		b.Forward = plain(value)
	case "digit":
		b.Digit = plain(value)
	case "duration_ms", "duration":
		b.Duration = time.Duration(number(value)) * time.Millisecond
	case "musicclass":
		b.MusicClass = plain(value)
	case "context":
		b.Context = plain(value)
	case "exten":
		b.Exten = plain(value)
	case "result":
		b.Result = plain(value)
	case "eventname":
		b.EventName = plain(value)
	}
}

// list returns the strings of an array.
func list(value string) []string {
	var all []string
	elements(value, func(element string) { all = append(all, plain(element)) })
	return all
}
