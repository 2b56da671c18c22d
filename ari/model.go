package ari

import "time"

// A Channel is one leg of a call.
type Channel struct {
	ID        string // Uniqueid
	Name      string // such as "PJSIP/801-00000001"
	State     string // Down, Rsrvd, OffHook, Dialing, Ring, Ringing, Up, Busy ...
	Caller    Party
	Connected Party
	Account   string
	Dialplan  Dialplan
	Created   time.Time
	Language  string
	// Variables are those of ari.conf's channelvars, as a JSON object; "" when there are none.
	Variables string
}

// A Party is who is on a line.
type Party struct{ Name, Number string }

// A Dialplan is where a channel is.
type Dialplan struct {
	Context, Exten string
	Priority       int
	App, AppData   string // what runs
}

// A Bridge is where channels hear each other.
type Bridge struct {
	ID         string
	Name       string
	Type       string // mixing or holding
	Technology string // such as simple_bridge, native_rtp, softmix
	Class      string // "stasis" for those that were made over ARI, "basic" for those of Dial
	Creator    string
	Channels   []string // ids
	Created    time.Time
}

// An Endpoint is who can be called.
type Endpoint struct {
	Technology string // such as PJSIP
	Resource   string // such as 801
	State      string // online, offline or unknown
	Channels   []string
}

// A Contact is where an endpoint is registered.
type Contact struct {
	URI       string
	Status    string // Reachable, Unreachable, NonQualified, Removed, Unknown, Created ...
	AOR       string
	RoundTrip time.Duration // 0 when it was not measured
}

// A DeviceState is what a device does.
type DeviceState struct {
	Name  string // such as PJSIP/801
	State string // NOT_INUSE, INUSE, BUSY, INVALID, UNAVAILABLE, RINGING, RINGINUSE, ONHOLD, UNKNOWN
}

// A Playback is a sound on its way to a channel or bridge.
type Playback struct {
	ID       string
	Media    string // such as sound:beep
	Target   string // such as channel:ID
	Language string
	State    string // queued, playing, continuing, done, failed
}

// A Recording is a file, or is on its way to be one.
type Recording struct {
	Name     string // without its ending
	Format   string // such as wav
	Target   string // such as channel:ID; "" for a stored one
	State    string // queued, recording, paused, done, failed, canceled; "" for a stored one
	Cause    string // why it failed
	Duration time.Duration
}

// An Attribute is one setting of a dynamic object.
type Attribute struct {
	Name  string `json:"attribute"`
	Value string `json:"value"`
}
