package pbx

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Exten is an internal number.
type Exten string

// ExtenState is the state of an extension reduced to what a lamp shows. The numbers are Asterisk's extension state
// bits (include/asterisk/pbx.h, enum ast_extension_states).
type ExtenState uint8

// The states of an extension.
const (
	Idle        ExtenState = 0
	InUse       ExtenState = 1
	Busy        ExtenState = 2
	Unavailable ExtenState = 4
	Ringing     ExtenState = 8
	OnHold      ExtenState = 16
)

// String returns Asterisk's word for the state.
func (s ExtenState) String() string {
	switch s {
	case Idle:
		return "Idle"
	case InUse:
		return "InUse"
	case Busy:
		return "Busy"
	case Ringing:
		return "Ringing"
	case OnHold:
		return "Hold"
	default:
		return "Unavailable"
	}
}

// hintState reduces the Status of an ExtensionStatus. Hold is left to Hold and Unhold, because chan_sip sets it on the
// phone that holds and chan_pjsip on the phone that is held: a held phone is a phone in use.
func hintState(status string) ExtenState {
	switch status {
	case "0":
		return Idle
	case "1", "16", "17":
		return InUse
	case "2":
		return Busy
	case "8", "9":
		return Ringing
	default: // 4 unavailable, -1 removed, -2 deactivated
		return Unavailable
	}
}

// deviceState reduces the State of a DeviceStateChange.
func deviceState(state string) ExtenState {
	switch state {
	case "NOT_INUSE", "UNKNOWN":
		return Idle
	case "INUSE", "ONHOLD":
		return InUse
	case "BUSY":
		return Busy
	case "RINGING", "RINGINUSE":
		return Ringing
	default: // UNAVAILABLE, INVALID
		return Unavailable
	}
}

// Extension is a copy of what is known of one internal number.
type Extension struct {
	Number Exten
	Name   string // caller id name where known, else the number
	Device string // PJSIP/801; "" when only a hint without a device is known
	State  ExtenState
}

// extension is the live record behind an Extension.
type extension struct {
	number  Exten
	device  string     // from the endpoint list, else the first device of the hint
	hinted  bool       // a hint exists: its state counts, else the device's
	hint    ExtenState // last state of the hint
	dev     ExtenState // last state of the device
	holding int        // channels of the device that pressed hold
	gone    bool       // its phone has unregistered, or does not answer any more
	away    bool       // as told of one who was never in a queue
	told    ExtenState // what subscribers know
	known   bool       // told was ever set
	changed time.Time  // when told came about, zero when nobody has seen it
	listed  bool       // seen in the current full query
}

func (x *extension) state() ExtenState {
	s := x.dev
	if x.hinted {
		s = x.hint
	}
	if x.holding > 0 && s != Ringing && s != Unavailable {
		return OnHold
	}
	return s
}

// phoneOf returns the device of an extension and its state; "" for one that is not known or has none.
func (s *state) phoneOf(n Exten) (device string, now ExtenState) {
	if x := s.extens[n]; x != nil && x.device != "" {
		return x.device, x.state()
	}
	return "", Unavailable
}

// away reports whether the phone of an extension cannot be reached. Of one that has none nothing is known.
func (s *state) away(n Exten) bool {
	x := s.extens[n]
	return x != nil && x.device != "" && (x.gone || x.state() == Unavailable)
}

// firstDevice returns the first dialable device of a hint such as "PJSIP/801&Custom:DND801".
func firstDevice(hint string) string {
	hint, _, _ = strings.Cut(hint, ",") // presence part
	for d := range strings.SplitSeq(hint, "&") {
		if strings.Contains(d, "/") {
			return d
		}
	}
	return ""
}

// byNumber orders extensions as a telephonist would: shorter numbers first, then by digits.
func byNumber(a, b Extension) int {
	return cmp.Or(cmp.Compare(len(a.Number), len(b.Number)), cmp.Compare(a.Number, b.Number))
}

func sortExtensions(list []Extension) { slices.SortFunc(list, byNumber) }
