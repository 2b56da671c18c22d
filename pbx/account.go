package pbx

import (
	"cmp"
	"slices"
	"time"
)

// Stage is where a call has come to.
type Stage string

// The stages of a call, "" before the first.
const (
	StageMenu     Stage = "ivr"
	StageQueue    Stage = "queue"
	StageTalk     Stage = "talk"
	StageFeedback Stage = "feedback"
)

// Side is who ended the last conversation of a call, or the call where there was none.
type Side string

// The sides of a call.
const (
	SideSystem Side = "system" // the dialplan, a command, a time-out or Asterisk's end
	SideCaller Side = "caller"
	SideCalled Side = "called" // who was called, or to whom the call was transferred
)

// other turns a side round, for calls whose first channel is that of who was called.
func (s Side) other() Side {
	switch s {
	case SideCaller:
		return SideCalled
	case SideCalled:
		return SideCaller
	case SideSystem:
	}
	return s
}

// Account is the whole of an ended call. Durations are counted by a clock that does not step. At each moment a call talks,
// is in the survey, in a menu or waits in a queue, the first of these that is true: they add up to no more than Duration. Ringing
// is counted beside waiting: what rings for a queue is both.
type Account struct {
	ID             CallID
	Caller, Called string
	CallerName     string // as the phone or the trunk showed it, "" when it showed none
	CalledName     string
	Direction      Direction
	DID            string    // number that an inbound call asked for
	Queue          QueueName // last one entered, or refused by
	Agent          Exten     // of a queue call: who talked last, else who was rung last
	Answered       bool      // two parties have talked
	Stage          Stage     // the last one
	Side           Side
	Cause          string // Q.850 number of the last channel's end
	CauseText      string // and Asterisk's words for it
	LinkLost       bool   // the end was not seen: End is the last moment at which the call was known to live, or as in its record
	Truncated      bool   // the call had too many spans: later ones are not counted

	Start, End time.Time
	Duration   time.Duration
	Talk       time.Duration
	Feedback   time.Duration
	Menus      time.Duration
	Waiting    time.Duration // in queues
	Ring       time.Duration
	Hold       time.Duration
	AfterWork  time.Duration // of all its agents

	InMenu        bool // it was in one; Menu is the last and Digits its keys
	Menu          Menu
	Digits        string
	Score         string // last key of the survey
	Voicemail     bool   // a message was left
	ForwardType   string
	ForwardNumber string
	Miss          Miss // why nobody answered a queue call, "" when one did
	Recording     string
	Remark        string // what was to be kept with an ordered call

	Agents []Share
	Spans  []Span   // in the order of their beginning
	IDs    []string // Uniqueids of all its channels
}

// Share is what an extension had of a call.
type Share struct {
	Exten     Exten
	Queue     QueueName // that rang it last, "" for none
	Rings     int       // how often it was rung
	Ring      time.Duration
	Talk      time.Duration
	Hold      time.Duration // while it had pressed hold
	AfterWork time.Duration
	Answered  bool
}

// account draws up the account of a call that ends.
func (s *state) account(c *call, e CallEnded, at time.Time) Account {
	a := Account{
		ID: c.id, Direction: e.Call.Direction, Queue: c.Queue, Stage: c.Stage, Side: c.endedBy(),
		Cause: cmp.Or(c.Cause, e.Cause), CauseText: cmp.Or(c.CauseText, e.CauseText), LinkLost: e.Synthetic, Truncated: c.Truncated,
		Start: c.started, End: latest(at, c.started), Score: c.Score, Voicemail: c.Voicemail, Recording: c.recording, Remark: c.remark,
		ForwardType: c.ForwardType, ForwardNumber: c.ForwardNumber, Spans: c.Spans, IDs: c.ids,
	}
	a.Duration = max(0, at.Sub(c.started))
	if a.Direction == Inbound {
		a.DID = c.first.Dialled
	}
	a.name(s, c)
	if c.Alone {
		a.Side = a.Side.other()
	} else if n := Exten(a.Caller); s.extens[n] != nil {
		a.Agents = append(a.Agents, Share{Exten: n})
	}
	a.measure()
	a.share()
	return a
}

// measure adds up the spans.
func (a *Account) measure() {
	talk, feedback, menus, queue := a.between(SpanTalk), a.between(SpanFeedback), a.between(SpanMenu), a.between(SpanQueue)
	a.Talk = talk.length()
	a.Feedback = feedback.length() - feedback.common(talk)
	busy := talk.with(feedback)
	a.Menus = menus.length() - menus.common(busy)
	busy = busy.with(menus)
	a.Waiting = queue.length() - queue.common(busy)
	a.Ring = a.between(SpanRing).length()
	a.Hold = a.between(SpanHold).length()
	for i := range a.Spans {
		sp := &a.Spans[i]
		switch sp.Kind {
		case SpanMenu:
			a.InMenu, a.Menu, a.Digits = true, Menu{ID: sp.Place, Name: sp.Name}, sp.Digits
		case SpanTalk:
			a.Answered = true
		case SpanQueue:
			a.Miss = Miss(sp.Outcome)
		default:
		}
	}
	if a.Answered || a.Miss == queueConnected {
		a.Miss = ""
	}
}

// share tells what each extension had of the call, in the order of their coming. Two phones of one extension that ring at once are
// one ring.
func (a *Account) share() {
	for i := range a.Spans {
		sp := &a.Spans[i]
		if sp.Exten == "" {
			continue
		}
		sh := a.of(sp.Exten)
		switch sp.Kind {
		case SpanRing:
			sh.Answered = sh.Answered || sp.Outcome == "ANSWER"
			sh.Queue = QueueName(cmp.Or(sp.Place, string(sh.Queue)))
		case SpanAfterWork:
			sh.AfterWork += sp.until(a.End)
			a.AfterWork += sp.until(a.End)
		default:
		}
	}
	for i := range a.Agents {
		sh := &a.Agents[i]
		sh.Rings, sh.Ring = a.rings(sh.Exten), a.when(SpanRing, sh.Exten).length()
		sh.Talk, sh.Hold = a.when(SpanTalk, sh.Exten).length(), a.when(SpanHold, sh.Exten).length()
	}
}

func (a *Account) of(n Exten) *Share {
	for i := range a.Agents {
		if a.Agents[i].Exten == n {
			return &a.Agents[i]
		}
	}
	a.Agents = append(a.Agents, Share{Exten: n})
	return &a.Agents[len(a.Agents)-1]
}

// name finds out who called whom, and which agent answers for a queue call.
func (a *Account) name(s *state, c *call) {
	caller, self := c.first.Caller.Number, s.rules.extenOf(c.first.Device())
	if self != "" {
		caller = string(self)
	}
	if c.Listens != "" { // what its channel shows is for the display of his phone
		a.Caller, a.Called = caller, string(c.Listens)
		return
	}
	if a.Caller = cmp.Or(c.orderer, caller); c.Alone {
		a.Caller = c.orderer
	}
	talked, rung := a.last(SpanTalk, a.anybody), a.last(SpanRing, a.anybody)
	reached := cmp.Or(talked.Party, rung.Party)
	asked := cmp.Or(c.requested, c.first.Dialled)
	direct := a.Direction != Inbound && a.Queue == "" && !c.had(SpanMenu)
	switch {
	case c.Alone:
		a.Called = c.requested
	case direct && (s.rules.isExten(asked) || s.rules.isOutside(asked)):
		a.Called = asked
	default:
		a.Called = cmp.Or(reached, asked)
	}
	if a.Queue != "" {
		a.Agent = Exten(cmp.Or(string(a.last(SpanTalk, a.colleague).Exten), string(a.last(SpanRing, a.colleague).Exten)))
	}
	if a.CalledName = c.nameOf(a.Called); a.Caller == caller {
		a.CallerName = c.first.Caller.Name
	} else {
		a.CallerName = c.nameOf(a.Caller)
	}
}

// nameOf is the name under which a number was shown last in the call.
func (c *call) nameOf(number string) string {
	if number == "" {
		return ""
	}
	for _, l := range slices.Backward(c.legs) {
		for _, p := range []Party{l.To, l.From} {
			if p.Number == number && p.Name != "" {
				return p.Name
			}
		}
	}
	if first := c.first.Caller; first.Number == number {
		return first.Name
	}
	return ""
}

// last returns the span of a kind that began last among those that are wanted.
func (a *Account) last(kind SpanKind, wanted func(Span) bool) Span {
	for _, sp := range slices.Backward(a.Spans) {
		if sp.Kind == kind && wanted(sp) {
			return sp
		}
	}
	return Span{}
}

// anybody wants the spans of all but the caller.
func (a *Account) anybody(sp Span) bool { return sp.Party != "" && sp.Party != a.Caller }

// colleague wants those of extensions.
func (a *Account) colleague(sp Span) bool { return sp.Exten != "" && a.anybody(sp) }

// had reports whether a call was ever in a span of the kind.
func (c *call) had(kind SpanKind) bool {
	return slices.ContainsFunc(c.Spans, func(sp Span) bool { return sp.Kind == kind })
}

// endedBy is who ended the call.
func (c *call) endedBy() Side {
	if c.Completed != "" {
		return c.Completed
	}
	if c.Side == "" {
		return SideSystem
	}
	return c.Side
}
