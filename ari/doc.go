// Package ari is a client of the Asterisk REST Interface. It uses the standard
// library alone and knows no rules of telephony. Its errors tell apart what a
// person would mend in different places: Asterisk's HTTP server, ari.conf, the
// password, or nothing but patience.
package ari

import (
	"errors"
	"fmt"
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
	// ErrDisabled: 404 for the interface itself. ARI is off in ari.conf, its
	// modules are not loaded, or the URL has another prefix.
	ErrDisabled = errors.New("ari: not enabled at this address")
	// ErrShuttingDown: 503, Asterisk is on its way out or not yet up.
	ErrShuttingDown = errors.New("ari: asterisk is shutting down or not yet up")
	// ErrForeign: something answered that is no ARI.
	ErrForeign = errors.New("ari: the answer is not that of an ARI")
)

// Error is a request that failed. Neither the password nor the URL's user
// information is part of it.
type Error struct {
	Op      string // method and path below the URL, such as "GET /asterisk/info"
	Status  int    // HTTP status, 0 without an answer
	Message string // what Asterisk said, "" when nothing
	Err     error  // one of the causes above, or nil for another status
	Cause   error  // the error of the network, nil with a Status
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
	if e.Err != nil {
		text += ": " + e.Err.Error()[len("ari: "):]
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause from the list above and that of the network.
func (e *Error) Unwrap() []error {
	var list []error
	for _, err := range []error{e.Err, e.Cause} {
		if err != nil {
			list = append(list, err)
		}
	}
	return list
}
