package pbx

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/dialbridge/dialbridge/ami"
)

// CauseRejected is the Q.850 cause "call rejected"; SIP callers get a 403 for it.
const CauseRejected = 21

// EndChannel ends the one channel with the given Uniqueid (Channel.ID), and with it what only lives for it. The cause is a
// Q.850 number. Errors: InvalidError, ErrNotFound (it has ended), ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) EndChannel(ctx context.Context, id string, cause int) error {
	if !uniqueID(id) {
		return &InvalidError{Field: "channel", Reason: "not a channel's id"}
	}
	_, err := s.client.Do(ctx, ami.NewAction("Hangup", "Channel", id, "Cause", strconv.Itoa(cause)))
	var refused *ami.ResponseError
	if errors.As(err, &refused) && refused.Message == "No such channel" {
		return fmt.Errorf("%w: channel %s", ErrNotFound, id)
	}
	return translate(err)
}

// uniqueID reports whether a text may be a Uniqueid. Asterisk takes the same field for a name or, between slashes, for a
// pattern that may fit the channels of others.
func uniqueID(id string) bool {
	for _, c := range id {
		if c == '/' || c <= ' ' {
			return false
		}
	}
	return id != ""
}
