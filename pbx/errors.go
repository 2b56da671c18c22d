package pbx

import (
	"errors"
	"fmt"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/internal/sqlite"
)

var (
	// ErrOffline says that Asterisk is not connected or not yet known in full: nothing was done, try again.
	ErrOffline = errors.New("asterisk is not connected")
	// ErrUnknown says that an action was sent and its outcome was not learnt: it must not be repeated blindly,
	// an Originate may have dialled.
	ErrUnknown = errors.New("outcome unknown")
	// ErrNotFound says that the extension, call or channel does not exist.
	ErrNotFound = errors.New("not found")
	// ErrNotRegistered says that the extension exists and no phone is registered for it.
	ErrNotRegistered = errors.New("extension is not registered")
	// ErrForbidden says that the manager user lacks the privilege for the action.
	ErrForbidden = errors.New("manager user lacks the privilege")
	// ErrNoRoom says that the database file or its disk is full: nothing was done.
	ErrNoRoom = sqlite.ErrNoRoom
)

// InvalidError says which parameter of a command is unusable and why.
type InvalidError struct {
	Field  string
	Reason string
}

// Error implements error.
func (e *InvalidError) Error() string { return e.Field + ": " + e.Reason }

// MissingError says which parameter of a command names what does not exist. It is an ErrNotFound.
type MissingError struct{ Field string }

// Error implements error.
func (e *MissingError) Error() string { return e.Field + ": not found" }

// Is makes it an ErrNotFound.
func (e *MissingError) Is(target error) bool { return target == ErrNotFound }

// RefusedError carries Asterisk's own words when it refused an action.
type RefusedError struct{ Text string }

// Error implements error.
func (e *RefusedError) Error() string { return "asterisk refused: " + e.Text }

// translate turns the errors of package ami into those of this package.
func translate(err error) error {
	var refused *ami.ResponseError
	var field *ami.FieldError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ami.ErrUnknown):
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	case errors.Is(err, ami.ErrOffline):
		return fmt.Errorf("%w: %w", ErrOffline, err)
	case errors.Is(err, ami.ErrPermission):
		return fmt.Errorf("%w: %w", ErrForbidden, err)
	case errors.As(err, &refused):
		return refusal(refused.Message)
	case errors.As(err, &field):
		return &InvalidError{Field: "parameter", Reason: field.Error()}
	default:
		return err
	}
}

// refusal gives Asterisk's words for what vanished between the look at the picture and the action their meaning: the
// queue, the member, the channel, or the talk of a channel.
func refusal(text string) error {
	meaning := map[string]error{
		"Unable to remove interface: Not there": ErrNotFound, "Interface not found": ErrNotFound,
		"Unable to add interface to queue: No such queue": ErrNoQueue, "Unable to remove interface from queue: No such queue": ErrNoQueue,
		"No such channel": ErrNoCall, "Channel specified does not exist": ErrNoCall, "Channel does not exist": ErrNoCall,
		"Redirect failed, channel not up.": ErrNoCall, // it ends
		"Asterisk is shutting down":        ErrOffline, "Channel not found": ErrNoCall, "Transfer invalid": ErrState,
	}[text]
	if meaning == nil {
		return &RefusedError{Text: text}
	}
	return fmt.Errorf("%w: asterisk says %q", meaning, text)
}
