package pbx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// Drivers names the SIP channel drivers that Asterisk has loaded.
type Drivers struct{ PJSIP, SIP bool }

// snapshot is everything that a full query learnt. A part that could not be asked has its flag unset and changes
// nothing; why is in missing.
type snapshot struct {
	asterisk    string    // version, "" when it may not be asked
	began       time.Time // Asterisk; zero when it does not say
	drivers     Drivers
	endpoints   map[string]string // device -> extension-like resource name
	down        map[string]bool   // device -> it cannot be dialled
	hints       []ami.Message
	devices     []ami.Message
	queues      []ami.Message
	channels    []ami.Message
	rooms       []ami.Message          // who is in conferences of ours
	holding     map[string]bool        // bridges whose channels do not hear each other, by id
	particulars map[string]particulars // by Uniqueid
	parked      []ami.Message
	cdrs        cdrSource
	records     []CDR    // from Asterisk's own file
	place       position // up to which they were read
	hasPlace    bool
	unread      string // why they could not be read, "" when they were
	missing     []string

	hasEndpoints, hasHints, hasQueues, hasRooms, hasParked, hasChannels bool
}

// query asks Asterisk for everything. Channels come last, so that they are the freshest part. It fails only when the
// link does; a privilege that is missing leaves a gap.
func query(ctx context.Context, c *ami.Client, file string, from position) (*snapshot, error) {
	s := &snapshot{endpoints: map[string]string{}, down: map[string]bool{}}
	steps := []func(context.Context, *ami.Client) error{
		s.askVersion, s.askEndpoints, s.askHints, s.askDevices, s.askCDR, s.askQueues, s.askBridges, s.askRooms, s.askParked, s.askParticulars, s.askChannels,
	}
	for _, step := range steps {
		if err := step(ctx, c); err != nil {
			return nil, err
		}
	}
	s.readRecords(file, from)
	return s, nil
}

// readRecords reads what Asterisk wrote into its own file while nobody listened. It is needed only where Asterisk tells
// its records: elsewhere they are composed.
func (s *snapshot) readRecords(file string, from position) {
	if s.cdrs != cdrManager && s.cdrs != cdrAnswered {
		return
	}
	list, to, err := missed(file, from, maxRecords)
	if err != nil {
		s.unread = err.Error()
	}
	if err != nil && !errors.Is(err, errTooMany) {
		s.missing = append(s.missing, "call records of the time without a link: "+err.Error())
		return
	}
	s.records, s.place, s.hasPlace = list, to, true
}

// gap turns an answer "no" into a gap of the snapshot and lets the loss of the link through.
func (s *snapshot) gap(what string, err error) error {
	var refused *ami.ResponseError
	if errors.As(err, &refused) {
		s.missing = append(s.missing, fmt.Sprintf("%s: %s", what, refused.Message))
		return nil
	}
	return err
}

func (s *snapshot) askVersion(ctx context.Context, c *ami.Client) error {
	m, err := c.Do(ctx, ami.NewAction("CoreSettings"))
	s.asterisk = m.Get("AsteriskVersion")
	return s.gap("CoreSettings", err)
}

// askEndpoints lists the phones of both drivers. An unknown action means that the driver is not there; "no endpoints"
// is an Error too and means an empty list.
func (s *snapshot) askEndpoints(ctx context.Context, c *ami.Client) error {
	for _, ask := range []struct {
		action, tech string
		loaded       *bool
	}{{"PJSIPShowEndpoints", "PJSIP", &s.drivers.PJSIP}, {"SIPpeers", "SIP", &s.drivers.SIP}} {
		list, err := c.List(ctx, ami.NewAction(ask.action))
		var refused *ami.ResponseError
		switch {
		case errors.As(err, &refused):
			if errors.Is(err, ami.ErrPermission) {
				s.missing = append(s.missing, ask.action+": "+refused.Message)
			}
			continue
		case err != nil:
			return err
		}
		*ask.loaded, s.hasEndpoints = true, true
		for _, m := range list {
			if name := m.Get("ObjectName"); name != "" {
				s.endpoints[ask.tech+"/"+name] = name
				s.down[ask.tech+"/"+name] = unreachable(m)
			}
		}
	}
	return nil
}

// unreachable reports whether a listed endpoint cannot be dialled: PJSIP says so, of chan_sip's it is one without an address, or one that
// does not answer.
func unreachable(m ami.Message) bool {
	return m.Get("DeviceState") == "Unavailable" || m.Get("IPaddress") == "-none-" || strings.HasPrefix(m.Get("Status"), "UNREACHABLE")
}

func (s *snapshot) askHints(ctx context.Context, c *ami.Client) error {
	list, err := c.List(ctx, ami.NewAction("ExtensionStateList"))
	s.hints, s.hasHints = list, err == nil
	return s.gap("ExtensionStateList", err)
}

func (s *snapshot) askDevices(ctx context.Context, c *ami.Client) error {
	list, err := c.List(ctx, ami.NewAction("DeviceStateList"))
	s.devices = list
	return s.gap("DeviceStateList", err)
}

// askCDR finds out whether Asterisk sends Cdr events: the backend registers itself only when it is enabled.
func (s *snapshot) askCDR(ctx context.Context, c *ami.Client) error {
	m, err := c.Do(ctx, ami.NewAction("Command", "Command", "cdr show status"))
	if err != nil {
		return s.gap("cdr show status", err)
	}
	s.cdrs = cdrComposed
	unanswered := true
	for _, line := range m.Output() {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case key == "Log unanswered calls":
			unanswered = strings.TrimSpace(value) == "Yes"
		case strings.HasPrefix(key, "cdr_manager") && !strings.Contains(line, "suspended"):
			s.cdrs = cdrManager
		}
	}
	if s.cdrs == cdrManager && !unanswered {
		s.cdrs = cdrAnswered
	}
	return nil
}

func (s *snapshot) askQueues(ctx context.Context, c *ami.Client) error {
	list, err := c.List(ctx, ami.NewAction("QueueStatus"))
	s.queues, s.hasQueues = list, err == nil
	return s.gap("QueueStatus", err)
}

// askBridges learns which bridges only hold their channels. Without an answer none does.
func (s *snapshot) askBridges(ctx context.Context, c *ami.Client) error {
	list, _, err := unlessRefused(c.List(ctx, ami.NewAction("BridgeList")))
	s.holding = map[string]bool{}
	for _, m := range list {
		s.holding[m.Get("BridgeUniqueid")] = m.Get("BridgeTechnology") == holdingBridge
	}
	return err
}

// unlessRefused turns an answer "no" into an empty list that tells nothing, and lets the loss of the link through.
func unlessRefused(list []ami.Message, err error) (_ []ami.Message, told bool, _ error) {
	if refused := (*ami.ResponseError)(nil); errors.As(err, &refused) {
		return nil, false, nil
	}
	return list, err == nil, err
}

func (s *snapshot) askChannels(ctx context.Context, c *ami.Client) error {
	list, err := c.List(ctx, ami.NewAction("CoreShowChannels"))
	s.channels, s.hasChannels = list, err == nil
	return s.gap("CoreShowChannels", err)
}

// fates holds the Uniqueids whose Newchannel or Hangup was read and not yet applied: those channels come and go by
// their own events, which know more than a list does.
type fates struct{ born, ending map[string]bool }

// reconcile takes a snapshot over and tells the differences.
func (s *state) reconcile(snap *snapshot, f fates, at time.Time) {
	s.at, s.stamp = at, ""
	s.cdrs = snap.cdrs
	s.reconcileExtensions(snap)
	if snap.hasQueues {
		s.reconcileQueues(snap.queues)
	}
	snap.records = slices.DeleteFunc(snap.records, func(r CDR) bool { return f.born[r.UniqueID] }) // its own events follow
	gap := s.newGap(snap.records)
	if snap.hasChannels {
		if snap.unread != "" && gap.since.Before(at) {
			s.emit(RecordsMissed{Since: gap.since, Reason: snap.unread})
		}
		s.reconcileChannels(snap, f, gap)
		s.reconcileWaiting(snap.queues, snap.hasQueues, f)
	}
	s.reconcileRooms(snap, f)
	if snap.hasQueues {
		s.reconcileWraps(snap.began)
	}
	for _, r := range snap.records {
		s.record(r)
	}
	gap.tellUnseen(s)
	s.recount(snap.hasQueues)
	s.seen = at
}

func (s *state) reconcileExtensions(snap *snapshot) {
	for _, x := range s.extens {
		x.listed = false
	}
	for device := range snap.endpoints {
		delete(s.uprooted, device)
		if n := s.rules.extenOf(device); n != "" {
			x := s.exten(n)
			x.device, x.listed, x.gone = device, true, snap.down[device]
		}
	}
	for _, m := range snap.devices {
		s.deviceIs(m.Get("Device"), m.Get("State"))
	}
	for device, down := range snap.down {
		s.trunkIs(device, down)
	}
	for _, m := range snap.hints {
		if s.rules.isExten(m.Get("Exten")) {
			if x := s.hinted(m); x != nil {
				x.listed = true
			}
		}
	}
	for n, x := range s.extens {
		if x.device != "" {
			x.dev = s.deviceOr(x.device)
		}
		if snap.hasHints && snap.hasEndpoints && !x.listed {
			x.hinted, x.hint, x.dev, x.holding = false, Unavailable, Unavailable, 0
			s.tell(x)
			s.removed = append(s.removed, n)
			delete(s.extens, n)
			continue
		}
		s.tell(x)
	}
}

func (s *state) reconcileChannels(snap *snapshot, f fates, gap *gap) {
	list := snap.channels
	live := make(map[string]bool, len(list))
	for _, m := range list {
		live[m.Get("Uniqueid")] = true
	}
	dead := map[*channel]time.Time{}
	for id, ch := range s.channels {
		if !live[id] && !f.ending[id] {
			dead[ch] = gap.endOf(s, ch)
			s.bury(ch, dead[ch]) // before a change of another channel ends what it was in
		}
	}
	slices.SortStableFunc(list, func(a, b ami.Message) int { return cmp.Compare(naming(a), naming(b)) })
	for _, m := range list {
		if id := m.Get("Uniqueid"); !isPseudo(m.Get("Channel")) && (s.channels[id] != nil || !f.born[id]) {
			s.reconcileChannel(m, snap)
		}
	}
	for ch, at := range dead {
		s.dropChannel(ch, ChannelEnded{}, true, at)
	}
	s.reconcileHolds(list)
	s.reconcilePressed(snap.particulars)
	s.reconcileParticulars(snap.particulars)
	if snap.hasParked {
		s.reconcileParked(snap.parked)
	}
	s.reconcileRinging()
	for _, c := range s.calls { // stored at the moment when its last channel had gone
		if len(c.channels) == 0 {
			s.endCall(c, CallEnded{Synthetic: true}, s.seen)
		}
	}
}

// naming puts the channels that name their calls first: a call is known by where it began.
func naming(m ami.Message) int {
	if m.Get("Uniqueid") == m.Get("Linkedid") {
		return 0
	}
	return 1
}

func (s *state) reconcileChannel(m ami.Message, snap *snapshot) {
	ch := s.touch(m)
	fresh := ch == nil
	if fresh {
		ch = channelFrom(m, s.at.Add(-clock(m.Get("Duration"))))
		ch.Dialled = cmp.Or(snap.particulars[ch.ID].dialled, ch.Dialled) // it may have gone on since
		s.addChannel(ch)
	}
	if app := m.Get("Application"); app != "" {
		news := app != ch.App
		if ch.App, ch.AppData = app, m.Get("ApplicationData"); news {
			s.runs(ch)
		}
		switch app {
		case "AppDial", "AppQueue":
			ch.Called = true
		case "ChanSpy":
			s.hears(ch.ID) // which may have begun unseen
		}
	}
	if fresh {
		s.wayOf(ch)
	}
	if id := m.Get("BridgeId"); id != ch.Bridge {
		s.enterBridge(ch, id, snap.holding[id])
	}
	s.consult(ch) // which may have ended unseen
	s.walk(ch)
	if ch.State != up {
		return
	}
	if ch.Answered.IsZero() {
		ch.Answered = s.at
		ch.call.dirty = true
	}
	if leg := ch.call.leg(ch.ID); leg != nil {
		s.endLeg(ch.call, leg, "ANSWER") // it was answered while nobody listened
	}
}

// clock parses Asterisk's hh:mm:ss.
func clock(text string) time.Duration {
	var h, m, sec int
	if _, err := fmt.Sscanf(text, "%d:%d:%d", &h, &m, &sec); err != nil {
		return 0
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second
}
