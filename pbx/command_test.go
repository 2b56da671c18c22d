package pbx

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

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

// TestHangupOfAnOrderedCall holds that a hang-up right behind an order ends the ordered call, whose channel comes a moment later.
func TestHangupOfAnOrderedCall(t *testing.T) {
	f := newFake(t)
	const name = "PJSIP/801-00000001"
	var id string // of the channel, while there is one
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Originate successfully queued")
		time.AfterFunc(100*time.Millisecond, func() {
			f.set(func() { id = a.Get("ChannelId") })
			s.Message(row("Newchannel", name, a.Get("ChannelId"), a.Get("ChannelId"), "0"))
		})
	})
	f.Handle("Hangup", func(s *amitest.Session, a ami.Action) {
		var ended []ami.Message
		f.set(func() {
			if id != "" {
				ended = []ami.Message{amitest.NewEvent("ChannelHungup", "Channel", name)}
			}
		})
		s.List(a, "Channels hung up will follow", ended, "ChannelsHungupListComplete")
		if len(ended) > 0 {
			s.Message(row("Hangup", name, id, id, "0", "Cause", "16"))
		}
	})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	if _, err := r.sw.Dial(context.Background(), DialRequest{From: "801", To: "802"}); err != nil {
		t.Fatal(err)
	}
	if n, err := r.sw.HangupExtension(context.Background(), "801"); n != 1 || err != nil {
		t.Errorf("HangupExtension = %d, %v", n, err)
	}
}
