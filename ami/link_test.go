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

// left says what a link still knows of its actions: all calls, those that are waited for, and lists.
func (l *link) left() [3]int {
	return [3]int{len(l.calls), int(l.waiting.Load()), int(l.lists.Load())}
}

// TestCancellationLeavesNothingBehind cancels an action and a list at each point of their lives.
func TestCancellationLeavesNothingBehind(t *testing.T) {
	list := func(l *link, event string) {
		l.item([]byte("k"), []byte("Event: "+event+"\r\nActionID: k\r\n"))
	}
	for name, c := range map[string]struct {
		list  bool
		until func(l *link) // what has happened when it is cancelled
		left  [3]int        // behind the cancellation
		after func(l *link) // what comes later and takes off the rest
	}{
		"waiting to be written":      {false, func(*link) {}, [3]int{}, nil},
		"written":                    {false, func(l *link) { l.next() }, [3]int{}, nil},
		"list waiting to be written": {true, func(*link) {}, [3]int{}, nil},
		"list written, then refused": {true, func(l *link) { l.next() }, [3]int{1, 0, 1},
			func(l *link) { l.answer("k", ParseMessage("Response: Error\r\n")) }},
		"list written, then no list": {true, func(l *link) { l.next() }, [3]int{1, 0, 1},
			func(l *link) { l.answer("k", ParseMessage("Response: Success\r\n")) }},
		"list begun, then completed": {true, func(l *link) {
			l.next()
			l.answer("k", ParseMessage("Response: Success\r\nEventList: start\r\n"))
			list(l, "X")
		}, [3]int{1, 0, 1}, func(l *link) { list(l, "X"); list(l, "XComplete") }},
		"list begun and never completed": {true, func(l *link) {
			l.next()
			l.answer("k", ParseMessage("Response: Success\r\nEventList: start\r\n"))
		}, [3]int{1, 0, 1}, func(l *link) { l.forget(time.Now().Add(2 * listKept)) }},
		"list never answered": {true, func(l *link) { l.next() }, [3]int{1, 0, 1}, func(l *link) { l.forget(time.Now().Add(2 * listKept)) }},
		"link lost later":     {true, func(l *link) { l.next() }, [3]int{1, 0, 1}, func(l *link) { l.fail(io.EOF) }},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLink(&socket{}, Options{Queue: 1 << 20})
			k := &call{id: "k", wire: []byte("k"), list: c.list, done: make(chan struct{})}
			l.submit(k)
			c.until(l)
			for range 2 { // the second finds nothing to do
				l.abandon(k, io.EOF)
				<-k.done
				if left := l.left(); left != c.left || k.items != nil || !errors.Is(k.err, io.EOF) {
					t.Fatalf("left are %v, %v, want %v", left, k.err, c.left)
				}
			}
			if c.after != nil {
				l.forget(time.Now()) // is too early
				if left := l.left(); left != c.left {
					t.Fatalf("forgotten at once: %v", left)
				}
				c.after(l)
			}
			if left := l.left(); left != [3]int{} || len(l.next()) != 0 {
				t.Fatalf("left are %v", left)
			}
		})
	}
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
