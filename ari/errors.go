package ari

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Causes of a failed request, for errors.Is.
var (
	// ErrUnreachable: no answer came at all. Asterisk does not run, or its HTTP
	// server (http.conf) is off or elsewhere.
	ErrUnreachable = errors.New("ari: no answer")
	// ErrUnauthorized: 401, the user or its password is not that of ari.conf.
	ErrUnauthorized = errors.New("ari: user or password refused")
	// ErrForbidden: 403, the user of ari.conf may only read, or not from here.
	ErrForbidden = errors.New("ari: not permitted to this user")
	// ErrReadOnly: 403 for a dynamic object that is in a file, or whose type has
	// no database in sorcery.conf.
	ErrReadOnly = errors.New("ari: the object cannot be changed at run time")
	// ErrDisabled: 404 for the interface itself. ARI is off in ari.conf, its
	// modules are not loaded, or the URL has another prefix.
	ErrDisabled = errors.New("ari: not enabled at this address")
	// ErrShuttingDown: 503, Asterisk is on its way out or not yet up.
	ErrShuttingDown = errors.New("ari: asterisk is shutting down or not yet up")
	// ErrForeign: something answered that is no ARI.
	ErrForeign = errors.New("ari: the answer is not that of an ARI")
	// ErrInvalid: 400 or 422, Asterisk does not take an argument.
	ErrInvalid = errors.New("ari: asterisk does not take an argument")
	// ErrNotFound: 404, there is no such channel, bridge, recording ...
	ErrNotFound = errors.New("ari: not found")
	// ErrConflict: 409, the id is in use or the state of the thing forbids it.
	ErrConflict = errors.New("ari: in conflict with what is there")
	// ErrNotInStasis: the application has no say over the channel.
	ErrNotInStasis = errors.New("ari: the channel is not in stasis")
	// ErrState: 412, the channel is not up, or otherwise not in the state for it.
	ErrState = errors.New("ari: not in the state for it")
	// ErrAllocation: Asterisk could not make the channel. The technology or the
	// endpoint does not exist, or no phone is registered.
	ErrAllocation = errors.New("ari: the endpoint is unknown or not registered")
)

// What became of a request that failed, for errors.Is.
var (
	// ErrOffline: nothing was sent. It is safe to try again.
	ErrOffline = errors.New("ari: nothing was sent")
	// ErrUnknown: a request that changes something was sent, and no answer came.
	// It may have been carried out, and must not be repeated blindly.
	ErrUnknown = errors.New("ari: outcome is unknown")
)

// Ends of a connection for events.
var (
	// ErrReplaced: another program has connected with the application's name.
	ErrReplaced = errors.New("ari: another program has taken the application's name")
	// ErrStuck: more than Options.Queue bytes of events were waiting.
	ErrStuck = errors.New("ari: events are not taken")
	// ErrSilent: no byte came for Options.DeadAfter, pings notwithstanding.
	ErrSilent = errors.New("ari: peer is silent")
	// ErrTooLong: an answer or a message was too long to be read.
	ErrTooLong = errors.New("ari: too long")
)

// Texts of Asterisk (res/ari, res/res_stasis*.c) that decide what an error means.
const (
	textNotInStasis = "Channel not in Stasis application"
	textNoChannel   = "Channel not found"
	textAllocation  = "Allocation failed"
	textNoUpdate    = "Cannot update sorcery objects"
	textNoDelete    = "Could not delete object"
	textBridgeTaken = "Unable to create bridge. Possible duplicate"
)

// Error is a request that failed. Neither the password nor the URL's user
// information is part of it.
type Error struct {
	Op      string // method and path below the URL, such as "GET /asterisk/info"
	Status  int    // HTTP status, 0 without an answer
	Message string // what Asterisk said, "" when nothing
	Err     error  // one of the causes above, or nil for another status
	Cause   error  // the error of the network or of the answer's text, or nil
	Outcome error  // ErrOffline, ErrUnknown, or nil: refused, or nothing was to be changed
}

// Error returns operation, cause and what Asterisk said.
func (e *Error) Error() string {
	text := "ari: " + e.Op
	if e.Status != 0 {
		text += fmt.Sprintf(": status %d", e.Status)
	}
	if e.Message != "" {
		text += fmt.Sprintf(" (%s)", e.Message)
	}
	for _, err := range e.Unwrap() {
		text += ": " + strings.TrimPrefix(err.Error(), "ari: ")
	}
	return text
}

// Unwrap returns the cause from the list above, the outcome, and the cause of the network.
func (e *Error) Unwrap() []error {
	var list []error
	for _, err := range []error{e.Err, e.Outcome, e.Cause} {
		if err != nil {
			list = append(list, err)
		}
	}
	return list
}

// Repeatable reports whether the same request may be made again without anything being done twice, and with some hope:
// it was never sent, it was to change nothing, or Asterisk was not up.
func (e *Error) Repeatable() bool {
	if errors.Is(e.Outcome, ErrUnknown) {
		return false
	}
	return errors.Is(e.Err, ErrUnreachable) || errors.Is(e.Err, ErrShuttingDown)
}

// An ArgumentError is a request that was refused before anything of it was sent. The value is not in it: it may be a
// secret.
type ArgumentError struct {
	Op     string // method and path, as far as the path is sound
	Name   string // of the argument
	Reason string
}

// Error names the request, the argument and what is wrong with it.
func (e *ArgumentError) Error() string {
	return fmt.Sprintf("ari: %s: %s %s", e.Op, e.Name, e.Reason)
}

// refusal tells the statuses apart.
func refusal(op string, status int, body []byte) *Error {
	e := &Error{Op: op, Status: status, Message: message(body)}
	switch status {
	case http.StatusUnauthorized:
		e.Err = ErrUnauthorized
	case http.StatusForbidden:
		e.Err = ErrForbidden
		if strings.HasPrefix(e.Message, textNoUpdate) || strings.HasPrefix(e.Message, textNoDelete) {
			e.Err = ErrReadOnly
		}
	case http.StatusNotFound:
		e.Err = ErrNotFound
		if e.Message == "" { // ARI's own 404 is JSON; the web server's is a page
			e.Err = ErrDisabled
		}
	case http.StatusServiceUnavailable:
		e.Err = ErrShuttingDown
	default:
		e.Err = cause(status, e.Message)
	}
	return e
}

// cause tells apart what Asterisk has against a request itself.
func cause(status int, said string) error {
	switch {
	case status < http.StatusBadRequest:
		return ErrForeign
	case said == textNotInStasis:
		return ErrNotInStasis
	case status == http.StatusBadRequest && said == textNoChannel:
		return ErrNotFound // that is how addChannel says it
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity:
		return ErrInvalid
	case status == http.StatusConflict, strings.HasPrefix(said, textBridgeTaken):
		return ErrConflict
	case status == http.StatusPreconditionFailed:
		return ErrState
	case status == http.StatusInternalServerError && said == textAllocation:
		return ErrAllocation
	}
	return nil
}
