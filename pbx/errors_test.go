package pbx

import (
	"errors"
	"testing"

	"github.com/dialbridge/dialbridge/ami"
)

// TestWhatVanishedMeanwhile holds that Asterisk's words for what is not there any more have their meaning.
func TestWhatVanishedMeanwhile(t *testing.T) {
	for text, want := range map[string]error{
		"Unable to remove interface: Not there": ErrNotFound, "Interface not found": ErrNotFound,
		"Unable to add interface to queue: No such queue": ErrNoQueue, "Channel specified does not exist": ErrNoCall,
		"No such channel": ErrNoCall, "Redirect failed, channel not up.": ErrNoCall, "Transfer invalid": ErrState, "Asterisk is shutting down": ErrOffline,
	} {
		if err := translate(&ami.ResponseError{Message: text}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	var refused *RefusedError
	if err := translate(&ami.ResponseError{Message: "Invalid channel"}); !errors.As(err, &refused) || refused.Text != "Invalid channel" {
		t.Errorf("%v", err)
	}
}
