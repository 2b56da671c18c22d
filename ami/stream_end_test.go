package ami

import (
	"testing"
	"testing/synctest"
)

// TestStreamEndsWithoutATaker holds that the end of a stream does not wait for ever for who takes its last item, whenever
// it is closed.
func TestStreamEndsWithoutATaker(t *testing.T) {
	for _, wait := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newStream(1 << 20)
			done := make(chan struct{})
			s.mark(Item{Kind: ItemDisconnected}) // one signal for this and the close
			if !wait {
				s.close()
			}
			go func() { s.hand(); close(done) }()
			synctest.Wait()
			if wait {
				s.close()
			}
			<-done // synctest fails with a deadlock where nothing ends it
			if _, ok := <-s.out; ok {
				t.Error("an item came although nobody took one")
			}
		})
	}
}
