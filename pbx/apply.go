package pbx

import (
	"cmp"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// appliers maps the name of each AMI event that matters to what it does to the picture.
var appliers = map[string]func(*state, ami.Message){
	"Newchannel":        (*state).newChannel,
	"Newstate":          (*state).newState,
	"NewCallerid":       (*state).update,
	"NewConnectedLine":  (*state).update,
	"Newexten":          (*state).newExten,
	"Rename":            (*state).rename,
	"BridgeEnter":       (*state).bridgeEnter,
	"BridgeLeave":       (*state).bridgeLeave,
	"DTMFEnd":           (*state).key,
	"Hold":              func(s *state, m ami.Message) { s.hold(m, true) },
	"Unhold":            func(s *state, m ami.Message) { s.hold(m, false) },
	"Hangup":            (*state).hangup,
	"DialBegin":         (*state).dialBegin,
	"DialEnd":           (*state).dialEnd,
	"OriginateResponse": (*state).originateResponse,
	"Cdr":               (*state).cdr,
	"VarSet":            (*state).varSet,
	"ExtensionStatus":   (*state).extensionStatus,
	"DeviceStateChange": (*state).deviceStateChange,
	"PeerStatus":        (*state).peerStatus,

	"QueueMemberAdded":   (*state).queueMember,
	"QueueMemberStatus":  (*state).queueMember,
	"QueueMemberPause":   (*state).queueMember,
	"QueueMemberPenalty": (*state).queueMember,
	"QueueMemberRemoved": (*state).queueMemberRemoved,
	"QueueCallerJoin":    (*state).queueCallerJoin,
	"QueueCallerLeave":   (*state).queueCallerLeave,
	"QueueCallerAbandon": (*state).queueCallerAbandon,
	"AgentCalled":        (*state).agentRung,
	"AgentRingNoAnswer":  (*state).agentRung,
	"AgentConnect":       (*state).agentConnect,
	"AgentComplete":      (*state).agentComplete,
	"HangupRequest":      (*state).hangupRequest,
	"ParkedCall":         (*state).parked,
	"ParkedCallSwap":     (*state).parked, // in the place of who has parked himself
	"UnParkedCall":       func(s *state, m ami.Message) { s.unparked(m, "retrieved") },
	"ParkedCallTimeOut":  func(s *state, m ami.Message) { s.unparked(m, "timeout") },
	"ParkedCallGiveUp":   func(s *state, m ami.Message) { s.unparked(m, "gave-up") },
	"BlindTransfer":      (*state).blindTransfer,
	"UserEvent":          (*state).userEvent,
	"AttendedTransfer":   (*state).attendedTransfer,
	"Pickup":             (*state).pickup,
	"ChanSpyStart":       (*state).spyStart,
	"ChanSpyStop":        (*state).spyStop,

	"ConfbridgeJoin":   (*state).joins,
	"ConfbridgeLeave":  func(s *state, m ami.Message) { s.touch(m); s.leaves(m.Get("Uniqueid")) },
	"ConfbridgeMute":   func(s *state, m ami.Message) { s.mutes(m, Muted) },
	"ConfbridgeUnmute": func(s *state, m ami.Message) { s.mutes(m, Attending) },
	"ConfbridgeEnd":    (*state).ends,
}

// Wanted reports whether the switch needs an AMI event, by name; it is meant for ami.Options.Want.
func Wanted(event string) bool {
	switch event {
	case "FullyBooted", "Reload":
		return true
	}
	_, ok := appliers[event]
	return ok
}

// apply changes the picture by one event that was read at the given time.
func (s *state) apply(m ami.Message, at time.Time) {
	name := m.Event()
	do, ok := appliers[name]
	if !ok {
		return
	}
	*s.applied[name]++
	s.at, s.seen, s.stamp = at, at, m.Get("Timestamp")
	do(s, m)
	s.judgeAgents()
}

// touch brings a known channel up to date from the snapshot that most events carry; nil when it is not known. A
// channel is never made here: events of a channel may still come after its Hangup.
func (s *state) touch(m ami.Message) *channel {
	ch := s.channels[m.Get("Uniqueid")]
	if ch == nil {
		return nil
	}
	ch.fill(m)
	s.unrest(ch.line)
	if ch == ch.call.first {
		ch.call.dirty = true
	}
	if linked := m.Get("Linkedid"); linked != "" && linked != ch.Linked {
		s.moveChannel(ch, linked)
	}
	return ch
}

func (c *Channel) fill(m ami.Message) {
	c.State, c.StateText = m.Get("ChannelState"), m.Get("ChannelStateDesc")
	c.Caller = Party{Number: known(m.Get("CallerIDNum")), Name: known(m.Get("CallerIDName"))}
	c.Connected = Party{Number: known(m.Get("ConnectedLineNum")), Name: known(m.Get("ConnectedLineName"))}
	c.Context, c.Exten = m.Get("Context"), m.Get("Exten")
}

// Numbers of the channel states "Ringing" and "Up" (include/asterisk/channelstate.h).
const (
	ringing = "5"
	up      = "6"
)

func channelFrom(m ami.Message, at time.Time) *channel {
	ch := &channel{Channel: Channel{Name: m.Get("Channel"), ID: m.Get("Uniqueid"), Linked: m.Get("Linkedid"), Created: at}}
	ch.fill(m)
	ch.FirstContext = ch.Context
	ch.asked(ch.Exten)
	if ch.Linked == "" {
		ch.Linked = ch.ID
	}
	return ch
}

// asked notes the first real number that a channel asks the dialplan for.
func (c *Channel) asked(exten string) {
	if c.Dialled == "" {
		c.Dialled = realNumber(exten)
	}
}

// realNumber is an extension of the dialplan that somebody has dialled, "" for one that the dialplan goes to by itself.
func realNumber(exten string) string {
	if exten == "s" || exten == "h" {
		return ""
	}
	return exten
}

func (s *state) newChannel(m ami.Message) {
	if isPseudo(m.Get("Channel")) || m.Get("Uniqueid") == "" || s.touch(m) != nil || s.isPast(m) {
		return
	}
	s.addChannel(channelFrom(m, s.at))
}

// isPast reports whether a new channel belongs to a call whose end was told, from Asterisk's own record of it: where the machine is
// busy, events may come behind the record that was written after them.
func (s *state) isPast(m ami.Message) bool {
	linked := cmp.Or(m.Get("Linkedid"), m.Get("Uniqueid"))
	return s.linked[linked] == nil && (s.ended[linked] != nil || s.ended[m.Get("Uniqueid")] != nil)
}

func (s *state) update(m ami.Message) { s.touch(m) }

func (s *state) newState(m ami.Message) {
	if ch := s.touch(m); ch != nil && ch.State == up && ch.Answered.IsZero() {
		ch.Answered = s.at
		ch.call.dirty = true
	}
}

func (s *state) newExten(m ami.Message) {
	if isHolder(m.Get("Channel")) {
		s.overheld(m)
		s.promptEnded(m)
		return
	}
	ch := s.touch(m)
	if ch == nil {
		return
	}
	if !ch.Called {
		ch.asked(m.Get("Extension"))
	}
	s.walk(ch)
	if ch.Exten != "h" {
		ch.App, ch.AppData = m.Get("Application"), m.Get("AppData")
		s.runs(ch)
	}
}

// runs notes applications that are a part of the call's story.
func (s *state) runs(ch *channel) {
	s.finish(ch.call, SpanVoicemail, ch.ID, "")
	switch ch.App {
	case "Queue":
		s.triesQueue(ch, ch.AppData)
	case "VoiceMail":
		box, _, _ := strings.Cut(ch.AppData, ",")
		sp := s.spanOf(SpanVoicemail, ch)
		sp.Place = box
		s.begin(ch.call, sp)
	}
}

func (s *state) rename(m ami.Message) {
	ch := s.channels[m.Get("Uniqueid")]
	if ch == nil {
		return
	}
	if s.halves[ch.Name] == ch {
		delete(s.halves, ch.Name)
	}
	s.dropLine(ch)
	ch.Name = m.Get("Newname")
	s.addLine(ch)
	if ch.Local() {
		s.halves[ch.Name] = ch
	}
	ch.call.dirty = true
}

func (s *state) bridgeEnter(m ami.Message) {
	if ch := s.touch(m); ch != nil {
		id := m.Get("BridgeUniqueid")
		if m.Get("BridgeType") == basicBridge {
			s.unite(ch, s.bridges[id])
		}
		s.exchange(ch, id)
		s.enterBridge(ch, id, m.Get("BridgeTechnology") == holdingBridge)
		s.consult(ch)
	}
}

// bridgeLeave takes a channel out of the bridge that it leaves: it may be in its next one already.
func (s *state) bridgeLeave(m ami.Message) {
	if ch := s.touch(m); ch != nil && ch.Bridge == m.Get("BridgeUniqueid") {
		s.leaveBridge(ch)
	}
}

func (s *state) hold(m ami.Message, on bool) {
	if ch := s.touch(m); ch != nil {
		s.press(ch, on, ch.Bridge)
	}
}

func (s *state) hangup(m ami.Message) {
	exten := ""
	if ch := s.channels[m.Get("Uniqueid")]; ch != nil {
		exten = ch.Exten
	}
	ch := s.touch(m)
	if ch == nil {
		return
	}
	if ch.Exten == "h" {
		ch.Exten = exten // the hangup handler is not where the caller was
	}
	s.dropChannel(ch, ChannelEnded{Cause: m.Get("Cause"), CauseText: m.Get("Cause-txt")}, false, s.at)
}

// variables maps the few variables by which applications tell what has no event to what they do to a call: app_mixmonitor
// tells where a recording goes, app_voicemail whether a message was left, app_queue why a caller is not let in.
var variables = map[string]func(*state, *channel, string){
	recordingFile: func(_ *state, ch *channel, value string) { ch.call.recording = value },
	"VMSTATUS": func(_ *state, ch *channel, value string) {
		ch.call.Voicemail = ch.call.Voicemail || value == "SUCCESS"
	},
	"QUEUESTATUS": (*state).refused,
}

func (s *state) varSet(m ami.Message) {
	do, value := variables[m.Get("Variable")], m.Get("Value")
	if do == nil || value == "" {
		return
	}
	if ch := s.channels[m.Get("Uniqueid")]; ch != nil {
		do(s, ch, value)
		ch.call.dirty = true
	}
}

func (s *state) extensionStatus(m ami.Message) {
	n := m.Get("Exten")
	if !s.rules.isExten(n) {
		return
	}
	if x := s.hinted(m); x != nil {
		s.tell(x)
	}
}

// hinted takes over the state of a hint and returns its extension; nil for a hint that watches a parking space,
// a conference or a queue. A removed hint (-1, -2) leaves the extension to its device.
func (s *state) hinted(m ami.Message) *extension {
	n, device, status := Exten(m.Get("Exten")), firstDevice(m.Get("Hint")), m.Get("Status")
	if s.extens[n] == nil && (device == "" && !strings.Contains(m.Get("Hint"), "Custom:") || s.uprooted[device]) {
		return nil
	}
	x := s.exten(n)
	x.hinted = !strings.HasPrefix(status, "-")
	x.hint = hintState(status)
	if x.device == "" {
		x.device = device
		x.dev = s.deviceOr(x.device)
	}
	return x
}

func (s *state) deviceOr(device string) ExtenState {
	if d, ok := s.devices[device]; ok {
		return d
	}
	return Unavailable
}

func (s *state) deviceStateChange(m ami.Message) {
	device := m.Get("Device")
	if x := s.deviceIs(device, m.Get("State")); x != nil {
		s.tell(x)
	}
}

// peerStatus notes that a phone came or went. With chan_pjsip the state of a device does not tell that while it has a call.
func (s *state) peerStatus(m ami.Message) {
	device := m.Get("Peer")
	x := s.extens[s.rules.extenOf(device)]
	if x == nil || x.device != device {
		return
	}
	switch m.Get("PeerStatus") {
	case "Registered", "Reachable", "Lagged":
		x.gone = false
	case "Unregistered", "Unreachable":
		x.gone = true
	}
	s.unrest(x.number)
}

// deviceIs notes a device's state and returns the extension that it belongs to, nil for none.
func (s *state) deviceIs(device, to string) *extension {
	if strings.ContainsRune(device, ':') || !strings.ContainsRune(device, '/') || isPseudo(device) {
		return nil // Custom:..., Queue:..., park:..., and the announcer of a conference (CBAnn/900) are no phones
	}
	s.devices[device] = deviceState(to)
	n := s.rules.extenOf(device)
	if n == "" || to == "INVALID" || s.uprooted[device] {
		return nil
	}
	x := s.exten(n)
	if x.device == "" {
		x.device = device
	}
	if x.device != device {
		return nil
	}
	x.dev = s.devices[device]
	return x
}
