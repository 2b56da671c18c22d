package pbx

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestHangupIsSeen holds that who is told that a phone was hung up is not shown its call any more.
func TestHangupIsSeen(t *testing.T) {
	f := newFake(t)
	talking(f)
	f.Handle("Hangup", func(s *amitest.Session, a ami.Action) {
		s.List(a, "Channels hung up will follow", []ami.Message{amitest.NewEvent("ChannelHungup", "Channel", "PJSIP/802-00000002")}, "ChannelsHungupListComplete")
		s.Message(row("Hangup", "PJSIP/802-00000002", "1.2", "1.1", "6", "Cause", "16"))
	})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	if n, err := r.sw.HangupExtension(context.Background(), "802"); n != 1 || err != nil {
		t.Fatalf("HangupExtension = %d, %v", n, err)
	}
	calls, err := r.sw.Calls()
	if err != nil || len(calls) != 1 || len(calls[0].Channels) != 1 {
		t.Errorf("calls = %+v, %v", calls, err)
	}
}

// TestWhatIsNotSeenIsUnknown holds that nobody is told of an end or of a transfer that Asterisk has accepted and not made.
func TestWhatIsNotSeenIsUnknown(t *testing.T) {
	f := newFake(t)
	talking(f)
	f.Handle("Getvar", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "Value", "1") })
	f.Handle("BlindTransfer", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "Message", "Transfer succeeded") })
	f.Handle("Hangup", func(s *amitest.Session, a ami.Action) {
		s.List(a, "Channels hung up will follow", []ami.Message{amitest.NewEvent("ChannelHungup", "Channel", "PJSIP/802-00000002")}, "ChannelsHungupListComplete")
	})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	if _, err := r.sw.HangupExtension(context.Background(), "802"); !errors.Is(err, ErrUnknown) {
		t.Errorf("HangupExtension = %v", err)
	}
	if err := r.sw.Transfer(context.Background(), "802", "801"); !errors.Is(err, ErrUnknown) {
		t.Errorf("Transfer = %v", err)
	}
}
