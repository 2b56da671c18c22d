package ami_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestSyncStandsBehindWhatCameBefore holds that the item of a Sync comes out of the stream after the events that Asterisk
// sent before it answered, although the answer itself overtakes them.
func TestSyncStandsBehindWhatCameBefore(t *testing.T) {
	srv := amitest.Start(t)
	const events = 500
	srv.Handle("Ping", func(s *amitest.Session, a ami.Action) {
		for range events {
			s.Event("Newchannel", "Uniqueid", "1.1")
		}
		s.Respond(a, "Success", "Ping", "Pong")
		s.Event("Hangup", "Uniqueid", "1.1")
	})
	client := ami.New(srv.Options())
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = client.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	srv.WaitLogins(1)
	for client.Status().Phase != ami.Up {
		time.Sleep(time.Millisecond)
	}
	if err := client.Sync(ctx, 7); err != nil {
		t.Fatal(err)
	}
	before := 0
	for batch := range client.Stream() {
		for _, item := range batch {
			switch {
			case item.Kind == ami.ItemSync:
				if item.Mark != 7 || before != events {
					t.Errorf("the mark %d stands behind %d events, want 7 behind %d", item.Mark, before, events)
				}
				return
			case item.Kind == ami.ItemEvent && item.Message.Event() == "Newchannel":
				before++
			case item.Kind == ami.ItemEvent && item.Message.Event() == "Hangup":
				t.Error("the mark was overtaken")
			}
		}
	}
}

func TestSyncOffline(t *testing.T) {
	if err := ami.New(ami.Options{Address: "127.0.0.1:1"}).Sync(t.Context(), 1); !errors.Is(err, ami.ErrOffline) {
		t.Errorf("Sync = %v, want ErrOffline", err)
	}
}
