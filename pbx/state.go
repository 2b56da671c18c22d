package pbx

import (
	"slices"
	"strings"
	"time"
)

// channel is the live record behind a Channel.
type channel struct {
	Channel
	call       *call
	leaving    bool  // its party has hung up
	moving     bool  // it is being put on hold, or taken back, by command
	releasing  bool  // it is being taken back by command
	line       Exten // its extension, "" for none
	collecting *collection
	keys       []string // that were collected from its peer
}

// call is the live record behind a Call.
type call struct {
	id         CallID
	first      *channel // keeps its last known values after it has ended
	inbound    bool
	outward    bool          // it has rung a party outside
	originated bool          // begun by a command, not by a phone
	requested  string        // number that the command asked for
	remark     string        // and what was to be kept with the call
	orderer    string        // and for whom
	work       bool          // who is an agent, with after-call work
	limit      time.Duration // of the conversation, 0 = none; 0 once Asterisk keeps it
	started    time.Time
	recording  string
	held       []CDR // records that wait for its end
	channels   []*channel
	legs       []*Leg
	ids        []string // Uniqueids of all channels that ever belonged to it
	aliases    []string // Linkedids under which it is known
	dirty      bool     // differs from what is stored
	errand
	record
}

// record is what of a call goes into its account.
type record struct {
	Spans         []Span    `json:"spans,omitempty"`
	Truncated     bool      `json:"truncated,omitempty"`
	Queue         QueueName `json:"queue,omitempty"`
	Stage         Stage     `json:"stage,omitempty"`
	Side          Side      `json:"side,omitempty"`      // who ended the conversation first
	Parted        bool      `json:"parted,omitempty"`    // it was a conversation that they ended
	Completed     Side      `json:"completed,omitempty"` // and what the queue says of it
	Serving       []service `json:"services,omitempty"`  // conversations out of a queue whose end the queue has not told
	Cause         string    `json:"cause,omitempty"`     // of the last channel that ended
	CauseText     string    `json:"cause_text,omitempty"`
	Score         string    `json:"score,omitempty"`
	Voicemail     bool      `json:"voicemail,omitempty"`
	ForwardType   string    `json:"forward_type,omitempty"`
	ForwardNumber string    `json:"forward_number,omitempty"`
}

// dialler is who rings through a Local channel.
type dialler struct {
	party Party
	name  string
}

// finished remembers a call after its end, for records that come late.
type finished struct {
	call      CallID
	direction Direction
	recording string
	requested string
	outside   outsideOrder
	alone     aloneOrder
	at        time.Time
	ids       []string
}

// ending is the end of a call and the event that told it.
type ending struct {
	call CallID
	seq  uint64
}

// order is a call that was asked for by command.
type order struct {
	from, number string
	remark       string
	limit        time.Duration // of the conversation, 0 = none
	work         bool          // who ordered it is an agent, with after-call work
	at           time.Time
	failed       time.Time // when Asterisk said so; zero while it has not
	rest         time.Time // it is awaited no longer than this; zero = orderPatience after at
	errand
}

// lateness is how long after the end of a call a record of it may still come, and maxEndings how many ended calls are remembered for
// that: at 200 calls a second those of the last 100 s.
const (
	lateness   = 5 * time.Minute
	maxEndings = 20_000
)

// state is the live picture. It has one writer and no I/O; what it wants told is left in out.
type state struct {
	rules    *Rules
	channels map[string]*channel // by Uniqueid
	calls    map[CallID]*call
	linked   map[string]*call   // by Linkedid, aliases included
	owners   map[string]*call   // by Uniqueid of every channel that a live call ever had
	dialling map[string]dialler // by base name of a Local channel
	extens   map[Exten]*extension
	queues   map[QueueName]*queue
	spies    map[string]*spy // by Uniqueid of the listening channel
	bridges  map[string][]*channel
	halves   map[string]*channel // of Local channels, by name
	wraps    map[Exten]*wrap
	kept     map[CallID]*keptAccount
	agents   map[Exten]*agent
	lines    map[Exten][]*channel // channels of each extension's phone
	uprooted map[string]bool      // devices that were removed by command and that Asterisk has not listed since
	signing  map[Exten]int        // who is being signed in, by so many requests
	restless map[Exten]bool       // agents who may do something else now
	leaving  map[string]time.Time // channels that may yet leave their peers for an attended transfer, by Uniqueid, and until when
	claimed  map[string]bool      // who waits in a queue and is being taken out of it, by Uniqueid
	tallies  map[QueueName]*tally // of the calls that have ended since tallied
	tallied  time.Time            // when the day began

	conferences map[ConferenceID]*conference
	rooms       map[string]*conference // by number
	attending   map[string]attendance  // by Uniqueid of the channel

	posted  bool // the queues and their members are known
	devices map[string]ExtenState
	ended   map[string]*finished // by Uniqueid
	endings []*finished          // oldest first
	asked   map[CallID]order     // calls that were ordered and have no channel yet
	cdrs    cdrSource
	waiting []pendingCDR

	seen  time.Time // when Asterisk was last heard of
	at    time.Time // of the message that is being applied
	stamp string
	out   []Occurrence
	seq   uint64

	limits  []limit // to be set in Asterisk
	voices  []loudness
	pauses  []pauseOrder
	closed  []Account // not yet stored
	gone    []ending  // ended calls whose stored row is to go
	moved   []*extension
	removed []Exten

	agentsMoved []agentRow
	agentsGone  []Exten

	applied   map[string]*uint64 // events of Asterisk since the start, by name
	synthetic uint64             // ends that were told without Asterisk's word, since the start

	conferencesMoved map[*conference]bool // their rows differ from what is stored
	conferencesGone  []ConferenceID
	attendeesGone    []string
}

func newState(rules *Rules) *state {
	return &state{
		rules:    rules,
		channels: map[string]*channel{},
		calls:    map[CallID]*call{},
		linked:   map[string]*call{},
		owners:   map[string]*call{},
		dialling: map[string]dialler{},
		extens:   map[Exten]*extension{},
		queues:   map[QueueName]*queue{},
		spies:    map[string]*spy{},
		bridges:  map[string][]*channel{},
		halves:   map[string]*channel{},
		wraps:    map[Exten]*wrap{},
		kept:     map[CallID]*keptAccount{},
		agents:   map[Exten]*agent{},
		lines:    map[Exten][]*channel{},
		restless: map[Exten]bool{},
		uprooted: map[string]bool{},
		signing:  map[Exten]int{},
		leaving:  map[string]time.Time{},
		claimed:  map[string]bool{},
		devices:  map[string]ExtenState{},
		ended:    map[string]*finished{},
		asked:    map[CallID]order{},
		applied:  appliedNames(),

		conferences:      map[ConferenceID]*conference{},
		rooms:            map[string]*conference{},
		attending:        map[string]attendance{},
		conferencesMoved: map[*conference]bool{},
	}
}

func (s *state) emit(e Event) {
	s.seq++
	if end, is := e.(CallEnded); is && end.Synthetic {
		s.synthetic++
	}
	s.out = append(s.out, Occurrence{Seq: s.seq, At: s.at, Stamp: s.stamp, Event: e})
}

// callFor returns the call of a Linkedid and makes it when it is new.
func (s *state) callFor(linked string) (c *call, isNew bool) {
	if c, ok := s.linked[linked]; ok {
		return c, false
	}
	o := s.asked[CallID(linked)]
	c = &call{id: CallID(linked), started: s.at, requested: o.number, remark: o.remark, orderer: o.from, limit: o.limit, work: o.work, errand: o.errand, originated: o.Group != ""}
	delete(s.asked, c.id)
	s.calls[c.id] = c
	s.alias(c, linked)
	return c, true
}

func (s *state) alias(c *call, linked string) {
	s.linked[linked] = c
	c.aliases = append(c.aliases, linked)
}

func (s *state) own(c *call, id string) {
	s.owners[id] = c
	c.ids = append(c.ids, id)
}

// addChannel enters a channel that was not known and tells the beginning of its call where it is the first.
func (s *state) addChannel(ch *channel) {
	c, isNew := s.callFor(ch.Linked)
	s.own(c, ch.ID)
	ch.call = c
	c.channels = append(c.channels, ch)
	c.dirty = true
	s.channels[ch.ID] = ch
	s.addLine(ch)
	if p := s.spies[ch.ID]; p != nil {
		s.unrest(p.On)
	}
	if ch.Local() {
		s.halves[ch.Name] = ch
	}
	if isNew {
		c.first = ch
		c.started = ch.Created
		if p := s.spies[ch.ID]; p != nil {
			c.Listens, c.Spy = p.On, p
		}
		c.inbound = s.rules.InboundContexts.MatchString(ch.FirstContext)
		s.emit(CallStarted{Call: s.copyCall(c)})
	} else if c.first.ID != c.idString() && ch.ID == c.idString() {
		c.first = ch // the channel that named the call was learnt after another one
		c.inbound = s.rules.InboundContexts.MatchString(ch.FirstContext)
		if ch.Created.Before(c.started) {
			c.started = ch.Created
		}
	}
}

func (c *call) idString() string { return string(c.id) }

// moveChannel follows a change of a channel's Linkedid: it joins the call of that id; an emptied call ends.
func (s *state) moveChannel(ch *channel, linked string) {
	ch.Linked = linked
	from := ch.call
	to, ok := s.linked[linked]
	if !ok {
		s.alias(from, linked) // one more name of the same call
		return
	}
	if to == from {
		return
	}
	from.channels = without(from.channels, ch)
	to.channels = append(to.channels, ch)
	s.own(to, ch.ID)
	s.carrySpans(ch, from, to)
	ch.call = to
	from.dirty, to.dirty = true, true
	if len(from.channels) == 0 {
		to.Serving, from.Serving = append(to.Serving, from.Serving...), nil
		s.servesOn(from.id, to.id)
		s.endCall(from, CallEnded{Cause: "16", CauseText: "Normal Clearing"}, s.at)
		for _, name := range from.aliases { // Asterisk may go on to use it
			s.alias(to, name)
		}
	}
}

// dropChannel takes a channel out of the picture. at is when it ended, as far as it is known.
func (s *state) dropChannel(ch *channel, end ChannelEnded, synthetic bool, at time.Time) {
	if ch.Serves != "" {
		s.beginWrap(ch.call.id, ch.Serves)
	}
	s.tellVisit(ch, "")
	s.leaveBridge(ch)
	s.leaveQueue(ch, true)
	delete(s.channels, ch.ID)
	s.dropLine(ch)
	s.unspy(ch.ID)
	s.leaves(ch.ID)
	c := ch.call
	c.channels = without(c.channels, ch)
	c.dirty = true
	s.setHold(ch, false, "")
	c.finishChannel(ch.ID, at)
	if base := localBase(ch.Name); base != "" {
		delete(s.dialling, base)
		delete(s.halves, ch.Name)
	} else {
		c.Cause, c.CauseText = end.Cause, end.CauseText
		end.Call, end.Channel = c.id, ch.Channel
		s.emit(end)
		s.compose(ch, end.Cause)
	}
	if len(c.channels) == 0 {
		s.endCall(c, CallEnded{Cause: end.Cause, CauseText: end.CauseText, Synthetic: synthetic}, at)
	}
}

// endCall tells the one end of a call, and its account, and remembers it for late records.
func (s *state) endCall(c *call, e CallEnded, at time.Time) {
	e.Call = s.copyCall(c)
	s.recordOutside(c, e.Cause)
	s.emit(e)
	delete(s.calls, c.id)
	for _, linked := range c.aliases {
		delete(s.linked, linked)
	}
	f := &finished{call: c.id, direction: e.Call.Direction, recording: c.recording, requested: c.requested, outside: c.outsideOrder(), alone: c.aloneOrder(), at: s.at}
	for _, id := range c.ids {
		if s.owners[id] == c { // else it went on to another call
			delete(s.owners, id)
			f.ids = append(f.ids, id)
		}
	}
	s.remember(f)
	s.closeCall(c, e, at)
}

// remember keeps an ended call. What it keeps must not hold the texts of the events that it came in.
func (s *state) remember(f *finished) {
	f.call, f.recording, f.requested = CallID(strings.Clone(string(f.call))), strings.Clone(f.recording), strings.Clone(f.requested)
	for i, id := range f.ids {
		f.ids[i] = strings.Clone(id)
		s.ended[f.ids[i]] = f
	}
	s.endings = append(s.endings, f)
	for len(s.endings) > maxEndings || s.at.Sub(s.endings[0].at) > lateness {
		for _, id := range s.endings[0].ids {
			if s.ended[id] == s.endings[0] {
				delete(s.ended, id)
			}
		}
		s.endings[0] = nil
		s.endings = s.endings[1:]
	}
}

// directionOf decides by where the call began and whom it rang.
func (s *state) directionOf(c *call) Direction {
	if c.inbound && !c.originated {
		return Inbound
	}
	if c.outward {
		return Outbound // rung over a trunk
	}
	if len(c.legs) == 0 && s.leadsOut(c.first.Dialled, c.first.Context) {
		return Outbound // it did not come as far as a trunk
	}
	if len(c.legs) == 0 && c.Alone && s.rules.extenOf(c.first.Device()) == "" {
		return Outbound // a call of a campaign whose record has overtaken its ringing: Asterisk tells the two from different threads
	}
	return Internal
}

func (s *state) copyCall(c *call) Call {
	out := Call{ID: c.id, First: c.first.Channel, Direction: s.directionOf(c), Started: c.started, Recording: c.recording}
	for _, ch := range c.channels {
		out.Channels = append(out.Channels, ch.Channel)
	}
	return out
}

// exten returns the record of an internal number, a new one if need be.
func (s *state) exten(n Exten) *extension {
	x, ok := s.extens[n]
	if !ok {
		x = &extension{number: n, dev: Unavailable}
		s.extens[n] = x
	}
	return x
}

// tell emits the state of an extension when it differs from what was told.
func (s *state) tell(x *extension) {
	now := x.state()
	if x.known && now == x.told {
		return
	}
	if x.known {
		x.changed = s.at
	}
	x.known, x.told = true, now
	s.unrest(x.number)
	s.moved = append(s.moved, x)
	s.emit(ExtensionChanged{Exten: x.number, State: now})
}

// setHold notes that the phone of a channel has pressed hold, and that a helper holds it from outside. It counts the legs of an
// extension that are on hold, by one or the other.
func (s *state) setHold(ch *channel, pressed bool, by string) {
	if ch.Holding == pressed && ch.Held == by {
		return
	}
	was := ch.OnHold()
	ch.Holding, ch.Held = pressed, by
	ch.call.dirty = true
	s.unrest(ch.line)
	on := ch.OnHold()
	if on == was {
		return
	}
	if on {
		s.begin(ch.call, s.spanOf(SpanHold, ch))
	} else {
		s.finish(ch.call, SpanHold, ch.ID, "")
	}
	n := s.rules.extenOf(ch.Device())
	if n == "" {
		return
	}
	x := s.exten(n)
	if on {
		x.holding++
	} else {
		x.holding--
	}
	s.tell(x)
}

func without[T comparable](list []T, x T) []T {
	if i := slices.Index(list, x); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}
