package ami

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestWaitingActionsAreJoinedIntoOneWrite reads from a pipe, whose reads end where the writes do.
func TestWaitingActionsAreJoinedIntoOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		l := newLink(near, Options{DeadAfter: time.Minute})
		ended := make(chan struct{})
		go func() { l.write(); close(ended) }()
		var calls []*call
		for _, name := range strings.Split("abcdefghij", "") {
			k := &call{id: name, wire: []byte(name), done: make(chan struct{})}
			calls = append(calls, k)
			l.submit(k)
			synctest.Wait() // the first blocks in its write, the others wait behind it
		}
		l.abandon(calls[4], io.EOF)
		var reads []string
		for range 2 {
			p := make([]byte, 100)
			n, err := far.Read(p)
			if err != nil {
				t.Fatal(err)
			}
			reads = append(reads, string(p[:n]))
		}
		if reads[0] != "a" || reads[1] != "bcdfghij" {
			t.Errorf("writes are %q", reads)
		}
		l.fail(io.ErrClosedPipe)
		<-ended
		for i, k := range calls {
			<-k.done
			if want := map[bool]error{true: ErrOffline, false: ErrUnknown}[i == 4]; !errors.Is(k.err, want) {
				t.Errorf("call %d: %v, want %v", i, k.err, want)
			}
		}
		if l.submit(&call{id: "late", done: make(chan struct{})}) {
			t.Error("a link that has ended takes calls")
		}
	})
}

func TestBareErrors(t *testing.T) {
	reset := errors.New("connection reset")
	if got := bare(&net.OpError{Op: "read", Net: "tcp", Source: &net.TCPAddr{Port: 43210}, Err: reset}); got.Error() != reset.Error() {
		t.Errorf("the error is %q", got)
	}
}

func TestNamesAreBounded(t *testing.T) {
	n := names{known: map[string]string{}}
	for i := range 3 * maxNames {
		name := fmt.Sprint("event", i)
		for range 2 {
			if got := n.of([]byte(name)); got != name {
				t.Fatalf("%q is %q", name, got)
			}
		}
		long := strings.Repeat("x", maxName+i%100)
		if got := n.of([]byte(long)); got != long {
			t.Fatalf("%q is %q", long, got)
		}
	}
	kept := 0
	for name := range n.known {
		kept += len(name)
	}
	for _, name := range n.recent {
		kept += len(name)
	}
	if len(n.known) != maxNames || kept > (maxNames+len(n.recent))*maxName {
		t.Errorf("%d names are kept, %d bytes", len(n.known), kept)
	}
	if got := n.of(nil); got != "" {
		t.Errorf("no name is %q", got)
	}
}
