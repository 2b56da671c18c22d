package pbx

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestSpiesAtOnce holds that two orders at once of the same two make one listener.
func TestSpiesAtOnce(t *testing.T) {
	f := newFake(t)
	talking(f)
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Originate successfully queued")
	})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if err := r.sw.Spy(context.Background(), SpyRequest{By: "801", On: "802", Mode: Listen}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(f.Received("Originate")); n != 1 {
		t.Errorf("%d listeners", n)
	}
	if err := r.sw.Spy(context.Background(), SpyRequest{By: "801", On: "802", Mode: Barge}); !errors.Is(err, ErrState) {
		t.Errorf("another mode before it exists: %v", err)
	}
}
