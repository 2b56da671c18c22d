package pbx

import (
	"strings"
	"time"
)

// CallID identifies a call for its whole life: the Linkedid of the first channel with which it was seen.
type CallID string

// Party is a number and a name as Asterisk shows them; both are "" when unknown.
type Party struct {
	Number string `json:"number,omitempty"`
	Name   string `json:"name,omitempty"`
}

// Direction tells where a call comes from and goes to, seen from the company.
type Direction uint8

// The directions of a call.
const (
	Internal Direction = iota // between extensions and services of this PBX
	Inbound                   // began in an inbound context
	Outbound                  // goes to a number that is not an extension
)

// String returns the direction in lower case.
func (d Direction) String() string {
	return [...]string{"internal", "inbound", "outbound"}[d]
}

// Channel is a copy of one leg of a call as it stands. Times are the daemon's clock.
type Channel struct {
	Name      string    `json:"name"`     // Asterisk's name, PJSIP/801-0000000a
	ID        string    `json:"id"`       // Uniqueid
	Linked    string    `json:"linked"`   // Linkedid as of the last event
	State     string    `json:"state"`    // ChannelState, a number: 4 Ring, 5 Ringing, 6 Up
	StateText string    `json:"state_tx"` // ChannelStateDesc
	Caller    Party     `json:"caller"`
	Connected Party     `json:"connected"`
	Context   string    `json:"context,omitempty"`
	Exten     string    `json:"exten,omitempty"`
	Bridge    string    `json:"bridge,omitempty"`
	Created   time.Time `json:"created"`
	Answered  time.Time `json:"answered,omitzero"` // when it was first Up; zero before
	Holding   bool      `json:"holding,omitempty"` // this leg pressed hold
	Pressed   string    `json:"pressed,omitempty"` // bridge in which it was then
	Held      string    `json:"held,omitempty"`    // Uniqueid of what plays music to its peer: it was put on hold from outside

	FirstContext string `json:"first_context,omitempty"` // where the dialplan began
	Dialled      string `json:"dialled,omitempty"`       // the number that the leg asked for
	App          string `json:"app,omitempty"`           // last application run
	AppData      string `json:"app_data,omitempty"`
	Called       bool   `json:"called,omitempty"`     // rung on behalf of another channel
	Visit        Visit  `json:"visit,omitzero"`       // the menu it is in or has just left
	Waits        bool   `json:"waits,omitempty"`      // its bridge holds those who hear music and not each other
	Aside        string `json:"aside,omitempty"`      // bridge in which it has left its peer, or is about to, for an attended transfer by command
	Consulting   bool   `json:"consulting,omitempty"` // it has left that bridge and not come back
	Parted       bool   `json:"parted,omitempty"`     // its hold is Asterisk's own doing, for that
	Question     string `json:"question,omitempty"`   // bridge in which it then was first: names this consultation
	Serves       Exten  `json:"serves,omitempty"`     // agent whose after-call work begins when it ends
}

// Local reports whether the channel is one half of a Local channel.
func (c *Channel) Local() bool { return strings.HasPrefix(c.Name, "Local/") }

// Device returns what Asterisk would dial to reach the channel's peer, PJSIP/801 of PJSIP/801-0000000a.
func (c *Channel) Device() string { return deviceOf(c.Name) }

// Leg is one attempt to ring a device on behalf of a call.
type Leg struct {
	From       Party  `json:"from"`
	FromName   string `json:"from_name,omitempty"` // channel name; "" when the call was originated by command
	To         Party  `json:"to"`
	ToName     string `json:"to_name"`
	ToID       string `json:"to_id"`       // Uniqueid of the rung channel
	DialString string `json:"dial_string"` // what was dialled, as the driver was told
	Ended      bool   `json:"ended,omitempty"`
	Answered   bool   `json:"answered,omitempty"`
	Status     string `json:"status,omitempty"` // Asterisk's DialStatus
	Unseen     bool   `json:"unseen,omitempty"` // it was found ringing, and its beginning not told by Asterisk
}

// Call is a copy of a call as it stands.
type Call struct {
	ID        CallID    `json:"id"`
	First     Channel   `json:"first"` // the channel that gives the call its identity, as last seen
	Direction Direction `json:"direction"`
	Started   time.Time `json:"started"`
	Recording string    `json:"recording,omitempty"` // file as Asterisk names it, "" when none
	Channels  []Channel `json:"channels"`            // live ones, in order of their beginning
}

// pseudo lists channel technologies that are machinery of Asterisk and belong to no caller: conference announcers and
// recorders, masquerade stand-ins, media taps, what plays to a held caller.
var pseudo = [...]string{"CBAnn/", "CBRec/", "Announcer/", "Recorder/", "Surrogate/", "Snoop/", "Message/", "UnicastRTP/", "MulticastRTP/", "Bridge/", "DAHDI/pseudo"}

func isPseudo(name string) bool {
	for _, p := range pseudo {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return isHolder(name)
}

// deviceOf cuts the counter from a channel name: PJSIP/801-0000000a is a channel of PJSIP/801.
func deviceOf(name string) string {
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		return name[:i]
	}
	return name
}

// localBase returns the common part of the two halves of a Local channel, "" for any other.
func localBase(name string) string {
	if !strings.HasPrefix(name, "Local/") {
		return ""
	}
	base, _, _ := strings.Cut(name, ";")
	return base
}

// known turns Asterisk's ways to say "no caller id" into "".
func known(s string) string {
	if s == "<unknown>" || s == "unknown" {
		return ""
	}
	return s
}
