package pbx

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestTakeCallAtOnce holds that of two who take the same caller one has him, and that a refusal lets the next one try.
func TestTakeCallAtOnce(t *testing.T) {
	f := newFake(t)
	f.channels = []ami.Message{row("CoreShowChannel", "PJSIP/trunk-00000001", "9.9", "9.9", "6", "Application", "Queue")}
	f.queues = []ami.Message{
		amitest.NewEvent("QueueParams", "Queue", "630"),
		amitest.NewEvent("QueueEntry", "Queue", "630", "Uniqueid", "9.9", "CallerIDNum", "0211234567"),
	}
	f.Handle("Getvar", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "Value", "1") })
	f.Handle("Redirect", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Error", "Message", "Redirect failed, channel not up.")
	})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	ctx := context.Background()
	if err := r.sw.TakeCall(ctx, "801", "9.9"); !errors.Is(err, ErrNoCall) {
		t.Errorf("a caller who hangs up: %v", err)
	}
	f.Wait("Redirect")
	f.Handle("Redirect", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "Message", "Redirect successful") })
	first := make(chan error, 1)
	go func() { first <- r.sw.TakeCall(ctx, "801", "9.9") }()
	f.Wait("Redirect")
	if err := r.sw.TakeCall(ctx, "802", "9.9"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the second: %v", err)
	}
	f.say(row("QueueCallerLeave", "PJSIP/trunk-00000001", "9.9", "9.9", "6", "Queue", "630"))
	if err := <-first; err != nil {
		t.Errorf("the first: %v", err)
	}
	if n := len(f.Received("Redirect")); n != 2 {
		t.Errorf("%d were sent, want the refused one and another", n)
	}
}
