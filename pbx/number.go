package pbx

import (
	"regexp"
	"strings"
	"time"
)

// Rules are the settings that tell numbers apart and steer dialling. They may change while the switch runs.
type Rules struct {
	Technology      string          // PJSIP or SIP; "" = found out from Asterisk
	Context         string          // where click-to-dial sends the answered caller
	Timeout         time.Duration   // how long the caller's phone rings
	Allow           *regexp.Regexp  // what may be dialled
	Extensions      *regexp.Regexp  // which numbers are extensions
	QueueMember     string          // interface of an agent in a queue: {tech}/{exten}; "" = the device
	InboundContexts *regexp.Regexp  // a call whose first channel starts there is inbound
	Menus           map[string]Menu // dialplan contexts that are menus
	MenuContexts    *regexp.Regexp  // and contexts that are menus by their name; the first group is the id. nil = none
	Feedback        *regexp.Regexp  // contexts in which callers rate a call; nil = none
	AfterWork       time.Duration   // how long an agent is paused after a call out of a queue; 0 = not at all
	HoldLimit       time.Duration   // how long Hold lets a caller hear music before the two are joined again; 0 = 30 minutes
	Groups          []TrunkGroup    // ways out for Connect and campaigns
	AIContext       string          // context of a voice robot, for campaigns; "" = none
	Sounds          []string        // folders, as Asterisk names them, below which a campaign may play files
	Location        *time.Location  // time zone of composed call records, and of the day that queues are counted by
	ServiceLevel    time.Duration   // who waits no longer in a queue is answered in time, see Board; 0 = 20 s, an hour at most
}

// outside matches what can only be a number of the public network; shorter ones may be services of the PBX.
var outside = regexp.MustCompile(`^\+?[0-9]{7,}$`)

func (r *Rules) isExten(number string) bool { return r.Extensions.MatchString(number) }

// isOutside reports whether a dialled number leaves the PBX.
func (r *Rules) isOutside(number string) bool {
	return !r.isExten(number) && outside.MatchString(number)
}

// extenOf returns the extension behind a device or channel name, "" when it is none.
func (r *Rules) extenOf(device string) Exten {
	tech, resource, ok := strings.Cut(device, "/")
	if !ok || tech == "Local" || tech == "Custom" || !r.isExten(resource) {
		return ""
	}
	return Exten(resource)
}
