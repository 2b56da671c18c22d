package pbx

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestAnswer asks phones of both channel drivers to pick up. That real ones do is tried in lab/bridge.
func TestAnswer(t *testing.T) {
	f := newFake(t)
	rings := func(name, id string) ami.Message {
		return amitest.NewEvent("CoreShowChannel", "Channel", name, "ChannelState", "5", "CallerIDNum", "801", "Context", "from-internal", "Uniqueid", id, "Linkedid", id)
	}
	f.channels = []ami.Message{rings("PJSIP/801-00000001", "1.1")}
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	ctx := context.Background()
	for n, want := range map[Exten]error{"802": ErrNoCall, "801": ErrCannotAsk} {
		f.Handle("PJSIPNotify", func(s *amitest.Session, a ami.Action) {
			s.Respond(a, "Error", "Message", "Invalid/unknown command: PJSIPNotify. Use Action: ListCommands to show available commands.")
		})
		if err := r.sw.Answer(ctx, n); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", n, err, want)
		}
	}
	var invalid *InvalidError
	if err := r.sw.Answer(ctx, "80x"); !errors.As(err, &invalid) {
		t.Errorf("no number: %v", err)
	}
	f.Handle("PJSIPNotify", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "NOTIFY sent")
		if got := a.Get("Channel") + " " + a.Get("Variable"); got != "PJSIP/801-00000001 Event=talk" {
			t.Errorf("asked %s", got)
		}
	})
	if err := r.sw.Answer(ctx, "801"); !errors.Is(err, ErrRingsOn) {
		t.Errorf("a phone that does not obey: %v", err)
	}
	f.Handle("PJSIPNotify", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "NOTIFY sent")
		f.say(row("Newstate", "PJSIP/801-00000001", "1.1", "1.1", "6"))
	})
	if err := r.sw.Answer(ctx, "801"); err != nil {
		t.Errorf("a phone that obeys: %v", err)
	}
}
