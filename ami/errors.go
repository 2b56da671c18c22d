package ami

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

var (
	// ErrOffline says that nothing was sent: there is no connection, or it was lost (or the deadline passed) before
	// the action was written. It is safe to try again.
	ErrOffline = errors.New("asterisk is not connected")
	// ErrUnknown says that the action was written and then the link was lost or the deadline passed: it may have been
	// carried out, and must not be repeated blindly.
	ErrUnknown = errors.New("outcome is unknown")
	// ErrPermission says that the manager user lacks the privilege for an action; a *ResponseError is one.
	ErrPermission = errors.New("permission denied")
	// ErrAuthentication says that the login was refused: unknown user, wrong secret, or an address that is not allowed.
	ErrAuthentication = errors.New("authentication failed")
	// ErrShuttingDown says that Asterisk refuses all work because it is about to end; a *ResponseError is one. It says
	// nothing about credentials or the action.
	ErrShuttingDown = errors.New("asterisk is shutting down")
	// ErrStuck is the end of a connection whose events nobody took: more than Options.Queue bytes were waiting.
	ErrStuck = errors.New("events are not taken")
	// ErrSilent is the end of a connection on which no byte came for Options.DeadAfter.
	ErrSilent = errors.New("peer is silent")
)

// Texts of Asterisk (main/manager.c) that decide what an error means.
const (
	textPermission     = "Permission denied"
	textAuthentication = "Authentication failed"
	textShuttingDown   = "Asterisk is shutting down"
)

// A ResponseError is an answer "Response: Error".
type ResponseError struct {
	Action   string  // name of the action
	Message  string  // Asterisk's reason, without blanks and line ends around it
	Response Message // the whole answer
}

// newResponseError makes the error of an answer to the action called name.
func newResponseError(name string, response Message) *ResponseError {
	return &ResponseError{Action: name, Message: strings.TrimSpace(response.Get("Message")), Response: response}
}

// Error names the action and Asterisk's reason.
func (e *ResponseError) Error() string {
	if e.Message == "" {
		return e.Action + ": refused by asterisk"
	}
	return e.Action + ": " + strconv.Quote(e.Message)
}

// Is reports whether the reason is the one that target stands for.
func (e *ResponseError) Is(target error) bool {
	switch target {
	case ErrPermission:
		return e.Message == textPermission
	case ErrAuthentication:
		return e.Message == textAuthentication
	case ErrShuttingDown:
		return e.Message == textShuttingDown
	}
	return false
}

// A FieldError is an action that was refused before anything of it was sent, because Asterisk would have read
// something else than was meant. The value is not in it: it may be a secret.
type FieldError struct {
	Action string
	Field  string // name of the header, "" if it is the whole action
	Reason string
}

// Error names the action, the header and what is wrong with it.
func (e *FieldError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%q: %s", e.Action, e.Reason)
	}
	return fmt.Sprintf("%q: header %q %s", e.Action, e.Field, e.Reason)
}

// A SizeError is a message longer than the reader takes (4 MiB). It was skipped up to its end.
type SizeError struct {
	Size int     // bytes
	Head Message // its first lines
}

// Error names the size.
func (e *SizeError) Error() string {
	return fmt.Sprintf("message of %d bytes is too long", e.Size)
}
