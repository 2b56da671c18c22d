package pbx

import (
	"maps"
	"slices"

	"github.com/dialbridge/dialbridge/ami"
)

// frequent are events that come with each call, each registration or each second of talk. They are excluded for as long as
// they are not wanted. Events that are rare, or of which nobody knows yet, are let through: an exclusion costs a little for
// every event.
var frequent = []string{
	"BridgeCreate", "BridgeDestroy", "ChallengeSent", "ContactStatus", "DTMFBegin", "DialState", "LocalBridge", "MusicOnHoldStart",
	"MusicOnHoldStop", "RTCPReceived", "RTCPSent", "SIPQualifyPeerDone", "SoftHangupRequest", "SuccessfulAuth", "TestEvent",
}

// Excluded lists what Asterisk need not send, for ami.Options.Exclude: what Wanted refuses, and variables of no meaning to the
// switch, which are two thirds of all. Newexten stays, though most of it is of no use: any of it may be the step into a menu.
func Excluded() []ami.Exclusion {
	list := []ami.Exclusion{{Event: "VarSet", Header: "Variable", Except: slices.Sorted(maps.Keys(variables))}}
	for _, event := range frequent {
		if !Wanted(event) {
			list = append(list, ami.Exclusion{Event: event})
		}
	}
	return list
}
