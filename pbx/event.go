package pbx

import "time"

// Event is one of the types below: the closed set of what the core tells. Names are in the past tense.
type Event interface{ event() }

// Occurrence is an event with its place in the stream.
type Occurrence struct {
	Seq   uint64    // rises by one with every event of the process
	At    time.Time // when the cause was read from Asterisk's socket
	Stamp string    // Asterisk's own Timestamp header (seconds.microseconds), "" where timestampevents is off
	Event Event
}

// CallStarted tells that the first channel of a call exists.
type CallStarted struct{ Call Call }

// DialBegun tells that a leg is being rung.
type DialBegun struct {
	Call CallID
	Leg  Leg
}

// DialEnded tells how the ringing of a leg ended; Leg.Status is Asterisk's DialStatus (ANSWER, BUSY, NOANSWER, CANCEL ...).
type DialEnded struct {
	Call CallID
	Leg  Leg
}

// ChannelEnded tells that one non-Local channel of a call has ended. Cause is a Q.850 number.
type ChannelEnded struct {
	Call      CallID
	Channel   Channel
	Cause     string
	CauseText string
}

// CallEnded tells that the last channel of a call has ended. It comes exactly once for each call. Synthetic is set
// when the end was found out after the link or the daemon had been down: its cause is unknown and At is the time of
// the discovery.
type CallEnded struct {
	Call      Call
	Cause     string
	CauseText string
	Synthetic bool
}

// CallClosed carries the account of an ended call. It comes exactly once for each call, with its CallEnded or, where an
// agent does after-call work, when that is over.
type CallClosed struct{ Account Account }

// CallRecorded carries one call detail record; Asterisk may write several for one call.
type CallRecorded struct {
	Call CallID
	CDR  CDR
}

// RecordsMissed tells that Asterisk was not heard from Since to now and that its own records of that time cannot be read: calls
// that began and ended in it are not known.
type RecordsMissed struct {
	Since  time.Time
	Reason string
}

// ExtensionChanged tells the new state of an extension; it comes only when the state differs from the last one told.
type ExtensionChanged struct {
	Exten Exten
	State ExtenState
}

// QueueMemberChanged tells that a member of a queue was added, changed or removed.
type QueueMemberChanged struct {
	Queue   QueueName
	Member  Member
	Removed bool
}

// PictureCompleted tells that a full query of Asterisk has been taken over: what differs from before has been told by the events before
// it. Resyncs is that of Status from then on.
type PictureCompleted struct{ Resyncs uint64 }

// CallerQueued tells that a caller has begun to wait in a queue.
type CallerQueued struct {
	Queue   QueueName
	Waiting Waiting
}

// CallerUnqueued tells that a caller does not wait any more: somebody has answered him, or he has gone.
type CallerUnqueued struct {
	Queue   QueueName
	Waiting Waiting
}

// AgentMoved tells that an agent is a member of other queues than before, or that his phone came or went, and that he does what he did. Of one who was
// never in a queue it tells the phone.
type AgentMoved struct{ Agent Agent }

// AgentChanged tells that an agent does something else, or how the call of a busy one goes on: whom it is with, whether he has picked
// up, whether the two are connected, its Situation, whether his phone is still there. Agent.Old and Agent.Changed are those of the last change of Agent.State.
type AgentChanged struct{ Agent Agent }

// MenuLeft tells that a caller has left an IVR menu. It comes when it is known where the caller went.
type MenuLeft struct {
	Call    Call
	Channel Channel
	Visit   Visit
}

func (MenuLeft) event()           {}
func (CallStarted) event()        {}
func (DialBegun) event()          {}
func (DialEnded) event()          {}
func (ChannelEnded) event()       {}
func (CallEnded) event()          {}
func (CallClosed) event()         {}
func (RecordsMissed) event()      {}
func (CallRecorded) event()       {}
func (ExtensionChanged) event()   {}
func (QueueMemberChanged) event() {}
func (PictureCompleted) event()   {}
func (CallerQueued) event()       {}
func (CallerUnqueued) event()     {}
func (AgentChanged) event()       {}
func (AgentMoved) event()         {}
