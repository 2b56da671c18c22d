package pbx

import (
	"context"
	"strings"

	"github.com/dialbridge/dialbridge/ami"
)

// onHold is the function of Asterisk's dialplan that says whether a channel is being held. It is in the core, and alike for all drivers.
const onHold = "CHANNEL(onhold)"

// recordingFile is the variable in which app_mixmonitor leaves where a recording goes.
const recordingFile = "MIXMONITOR_FILENAME"

// unset is what Status shows of a variable that a channel does not have.
const unset = "(null)"

// particulars is what Status tells of a channel and the list of channels does not.
type particulars struct {
	bridge     string
	held, told bool   // it is being held in that bridge, and whether Asterisk has said so or the contrary
	dialled    string // the number that it asked the dialplan for first
	recording  string
}

// askParticulars learns them of all channels. Without an answer nothing is known of any.
func (s *snapshot) askParticulars(ctx context.Context, c *ami.Client) error {
	list, _, err := unlessRefused(c.List(ctx, ami.NewAction("Status", "Variables", onHold+","+recordingFile)))
	s.particulars = make(map[string]particulars, len(list))
	for _, m := range list {
		p := particulars{bridge: m.Get("BridgeID"), dialled: realNumber(m.Get("DNID"))}
		for name, value := range m.All() {
			if name == "Variable" {
				p.take(value)
			}
		}
		s.particulars[m.Get("Uniqueid")] = p
	}
	return err
}

// take reads one of the variables that were asked for, name=value.
func (p *particulars) take(text string) {
	name, value, _ := strings.Cut(text, "=")
	switch name {
	case onHold:
		p.held, p.told = value == "1", value == "0" || value == "1"
	case recordingFile:
		if value != unset {
			p.recording = value
		}
	}
}

// reconcileParticulars takes over of which recordings nobody has told.
func (s *state) reconcileParticulars(all map[string]particulars) {
	for _, c := range s.calls {
		for _, ch := range c.channels {
			if p := all[ch.ID]; c.recording == "" && p.recording != "" {
				c.recording, c.dirty = p.recording, true
			}
		}
	}
}
