package phone

import (
	"errors"
	"fmt"
)

// Errors of a phone and its calls.
var (
	ErrClosed  = errors.New("phone is closed")
	ErrTimeout = errors.New("no answer from the other side") // 64*T1 passed (RFC 3261 timers B and F)
	ErrState   = errors.New("call is not in the right state")
	ErrMedia   = errors.New("no common media")
)

// StatusError is a request that was refused.
type StatusError struct {
	Method string // "REGISTER", "INVITE", "REFER" ...
	Code   int    // SIP status
	Reason string // its phrase
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("phone: %s refused: %d %s", e.Method, e.Code, e.Reason)
}

// EndedError is a wait that can no longer succeed because the call has ended.
type EndedError struct {
	For string // what was waited for
	End End
}

func (e *EndedError) Error() string {
	return fmt.Sprintf("phone: waiting for %s: call ended: %s", e.For, e.End)
}

// WaitError is a wait that was given up because its context ended; it wraps the context's error.
type WaitError struct {
	For  string // what was waited for
	Last string // the last known state
	Err  error
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("phone: waiting for %s: %v; last state: %s", e.For, e.Err, e.Last)
}

// Unwrap returns the context's error.
func (e *WaitError) Unwrap() error { return e.Err }
