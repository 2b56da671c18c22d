package conf

import (
	"strconv"
	"strings"
)

const overlaySection = "ola_queues"

// Overlay is one line of the section [ola_queues]: QUEUE.KEY = VALUE, what a queue is to have in a list of the ola dialect that Asterisk
// does not know of it.
type Overlay struct {
	Queue string
	Key   string
	Value string
}

// overlayKeys are the keys of a queue in that list, and whether they are numbers there.
var overlayKeys = map[string]bool{
	"agenttimeout": true, "callurl": false, "chimagentanswer": false, "chimfreq": true, "chimhangup": false, "chimvoicemail": false,
	"enablevoicemail": false, "hidencallernumber": false, "judgeflag": true, "moh": false, "name": false, "user_uuid": false,
	"recordafterhangup": true, "repeatdtmf": false, "takecallmanual": false, "timeouttype": true, "ttsagentanswer": true, "waitcallurl": false,
	"waitplay": true, "chim_bye": false, "created_at": false, "updated_at": false, "before_url": false, "end_url": false, "times": false,
	"transfer_agent_timeout": false, "transfer_unready": false, "rule": false, "waitwarn": false, "fronturl": false, "rearurl": false,
	"aidtmf": false, "timeout_phone": false, "strategy": false, "vmaildtmf": false, "callname": false,
}

// addOverlay takes one line of [ola_queues].
func (c *Config) addOverlay(e entry, fault *Error) *Error {
	i := strings.LastIndexByte(e.name, '.')
	if i <= 0 {
		fault.Reason = wrong(e.name, "names no key of a queue", "QUEUE.KEY = VALUE").Error()
		return fault
	}
	o := Overlay{Queue: e.name[:i], Key: strings.ToLower(e.name[i+1:]), Value: e.value}
	number, known := overlayKeys[o.Key]
	_, err := strconv.Atoi(o.Value)
	switch {
	case !known:
		fault.Reason = wrong(o.Key, "is no key of a queue", "one of those in the list of queues of the ola dialect").Error()
		return fault
	case number && err != nil:
		fault.Reason = wrong(o.Value, "is no number", "a whole number").Error()
		return fault
	}
	c.Overlays = append(c.Overlays, o)
	return nil
}
