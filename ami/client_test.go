package ami_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// running is a client whose Run has been started and whose stream nobody takes yet.
type running struct {
	*ami.Client
	cancel context.CancelFunc
	ended  chan error
	buffer []ami.Item
}

// run starts a client. It is ended, and its stream emptied, at the end of the test at the latest.
func run(t *testing.T, o ami.Options) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{Client: ami.New(o), cancel: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- r.Run(ctx) }()
	t.Cleanup(func() { r.stop(t) })
	return r
}

// stop ends the client and returns what was still in the stream.
func (r *running) stop(t *testing.T) []ami.Item {
	t.Helper()
	r.cancel()
	var items []ami.Item
	for batch := range r.Stream() {
		items = append(items, batch...)
	}
	select {
	case err := <-r.ended:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		r.ended <- nil
	case <-time.After(10 * time.Second):
		t.Fatal("Run did not return")
	}
	return items
}

// next returns the next item of the stream.
func (r *running) next(t *testing.T) ami.Item {
	t.Helper()
	for len(r.buffer) == 0 {
		select {
		case batch, ok := <-r.Stream():
			if !ok {
				t.Fatal("the stream is closed")
			}
			r.buffer = batch
		case <-time.After(time.Minute):
			t.Fatal("nothing in the stream")
		}
	}
	i := r.buffer[0]
	r.buffer = r.buffer[1:]
	return i
}

// expect takes the next item, which must be of the kind given.
func (r *running) expect(t *testing.T, kind ami.ItemKind) ami.Item {
	t.Helper()
	i := r.next(t)
	if i.Kind != kind {
		t.Fatalf("item is %v %q (%v), want kind %v", i.Kind, i.Message, i.Err, kind)
	}
	return i
}

// expectEvent takes the next item, which must be the event called name.
func (r *running) expectEvent(t *testing.T, name string) ami.Message {
	t.Helper()
	i := r.expect(t, ami.ItemEvent)
	if got := i.Message.Event(); got != name {
		t.Fatalf("event is %q, want %q", got, name)
	}
	return i.Message
}

// up starts a client and takes what comes with the login.
func up(t *testing.T, o ami.Options) *running {
	t.Helper()
	r := run(t, o)
	r.expect(t, ami.ItemConnected)
	r.expectEvent(t, "FullyBooted")
	r.expectEvent(t, "SuccessfulAuth")
	return r
}

func TestLoginIsAnnouncedBeforeItsEvents(t *testing.T) {
	srv := amitest.Start(t)
	r := run(t, srv.Options())
	if got := r.expect(t, ami.ItemConnected).Version; got != "11.0.0" {
		t.Errorf("version is %q", got)
	}
	// FullyBooted comes in the segment of the login answer.
	if m := r.expectEvent(t, "FullyBooted"); m.Get("uptime") != "11" {
		t.Errorf("FullyBooted is %q", m)
	}
	r.expectEvent(t, "SuccessfulAuth")
	login := srv.Wait("Login")
	if login.Get("AuthType") != "MD5" || login.Get("Secret") != "" || login.Get("Events") != "on" {
		t.Errorf("login is %v", login)
	}
	if s := r.Status(); s.Phase != ami.Up || s.Err != nil || s.Version != "11.0.0" {
		t.Errorf("status is %+v", s)
	}
	srv.Event("Hangup", "Cause", "16")
	if m := r.expectEvent(t, "Hangup"); m.Get("Cause") != "16" {
		t.Errorf("Hangup is %q", m)
	}
	items := r.stop(t)
	if len(items) != 1 || items[0].Kind != ami.ItemDisconnected || items[0].Err == nil {
		t.Errorf("the stream ends with %v", items)
	}
	if len(srv.Received("Logoff")) != 1 {
		t.Error("no Logoff was sent")
	}
}

func TestPlainLoginWhereAsteriskHasNoChallenge(t *testing.T) {
	srv := amitest.Start(t, amitest.Options{NoMD5: true})
	up(t, srv.Options())
	if login := srv.Wait("Login"); login.Get("Secret") != "secret" || login.Get("Key") != "" {
		t.Errorf("login is %v", login)
	}
}

func TestFullyBootedMayComeLate(t *testing.T) {
	srv := amitest.Start(t, amitest.Options{Booting: true})
	r := run(t, srv.Options())
	r.expect(t, ami.ItemConnected)
	r.expectEvent(t, "SuccessfulAuth")
	srv.Boot()
	r.expectEvent(t, "FullyBooted")
}

func TestDo(t *testing.T) {
	srv := amitest.Start(t)
	r := up(t, srv.Options())
	srv.Handle("Getvar", func(s *amitest.Session, a ami.Action) {
		// ActionID last, and foreign events around.
		s.Event("Newstate", "Channel", "PJSIP/801-1")
		s.Send("Response: Success\r\nVariable: TECH\r\nValue:  a: b \r\nActionID: " + a.Get("ActionID") + "\r\n\r\n")
		s.Event("Hangup", "Channel", "PJSIP/801-1")
	})
	m, err := r.Do(ami.WithTrace(t.Context(), "req-7"), ami.NewAction("Getvar", "Variable", "TECH"))
	if err != nil || m.Get("Value") != " a: b " {
		t.Fatalf("Do is %q, %v", m, err)
	}
	if id := srv.Wait("Getvar").Get("ActionID"); !strings.HasPrefix(id, "req-7-") {
		t.Errorf("ActionID is %q", id)
	}
	r.expectEvent(t, "Newstate")
	r.expectEvent(t, "Hangup")
}

func TestResponseErrors(t *testing.T) {
	srv := amitest.Start(t)
	r := up(t, srv.Options())
	srv.Handle("Park", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Error", "Message", "Park action failed\n")
	})
	srv.Handle("DBGet", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Error", "Message", "Permission denied")
	})
	var refused *ami.ResponseError
	_, err := r.Do(t.Context(), ami.NewAction("Park"))
	if !errors.As(err, &refused) || refused.Message != "Park action failed" || errors.Is(err, ami.ErrPermission) {
		t.Errorf("Park: %v", err)
	}
	if _, err = r.List(t.Context(), ami.NewAction("DBGet")); !errors.Is(err, ami.ErrPermission) {
		t.Errorf("DBGet: %v", err)
	}
	if _, err = r.Do(t.Context(), ami.NewAction("Nope")); !errors.As(err, &refused) || errors.Is(err, ami.ErrUnknown) {
		t.Errorf("Nope: %v", err)
	}
}

func TestInjectionIsRefusedBeforeAnythingIsSent(t *testing.T) {
	srv := amitest.Start(t)
	r := up(t, srv.Options())
	long := strings.Repeat("x", 1022-len("Value: "))
	many := ami.NewAction("Setvar")
	for range 127 {
		many = many.With("V", "1")
	}
	for name, a := range map[string]ami.Action{
		"CR":            ami.NewAction("Setvar", "Value", "a\rb"),
		"LF":            ami.NewAction("Setvar", "Value", "a\nAction: Ping"),
		"NUL":           ami.NewAction("Setvar", "Value", "a\x00"),
		"CRLF in name":  ami.NewAction("Setvar", "Value\r\nX", "a"),
		"in the action": ami.NewAction("Setvar\r\nX: y"),
		"colon in name": ami.NewAction("Setvar", "A: b", "c"),
		"no name":       ami.NewAction("Setvar", "", "c"),
		"1023 bytes":    ami.NewAction("Setvar", "Value", long+"x"),
		"129 headers":   many,
	} {
		var field *ami.FieldError
		if _, err := r.Do(t.Context(), a); !errors.As(err, &field) || strings.Contains(err.Error(), "Action: Ping") {
			t.Errorf("%s: %v", name, err)
		}
	}
	var field *ami.FieldError
	if _, err := r.Do(ami.WithTrace(t.Context(), "a\r\nb"), ami.NewAction("Ping")); !errors.As(err, &field) {
		t.Errorf("trace: %v", err)
	}
	srv.Handle("Setvar", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success") })
	many.Fields = many.Fields[1:]
	for name, a := range map[string]ami.Action{
		"1022 bytes":  ami.NewAction("Setvar", "Value", long),
		"128 headers": many,
		"any bytes":   ami.NewAction("Setvar", "Value", "张三\xff\x01\t: ;=|\\\" ", "CHANNEL(x)", ""),
	} {
		if _, err := r.Do(t.Context(), a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(srv.Received("Setvar")); n != 3 {
		t.Errorf("%d actions were sent, want 3", n)
	}
	if n := len(srv.Received("Ping")); n != 0 {
		t.Errorf("%d actions were smuggled", n)
	}
}

func TestOffline(t *testing.T) {
	c := ami.New(ami.Options{Address: "127.0.0.1:1", Username: "u", Secret: "s"})
	if _, err := c.Do(t.Context(), ami.NewAction("Ping")); !errors.Is(err, ami.ErrOffline) {
		t.Errorf("Do: %v", err)
	}
	if s := c.Status(); s.Phase != ami.Idle || !errors.Is(s.Err, ami.ErrOffline) {
		t.Errorf("status is %+v", s)
	}
}

func TestUnsendableCredentials(t *testing.T) {
	c := ami.New(ami.Options{Address: "127.0.0.1:1", Username: "u", Secret: "hidden\n"})
	var field *ami.FieldError
	if err := c.Run(t.Context()); !errors.As(err, &field) || strings.Contains(err.Error(), "hidden") {
		t.Errorf("Run: %v", err)
	}
	if _, ok := <-c.Stream(); ok {
		t.Error("the stream is open")
	}
	if err := c.Run(t.Context()); err == nil {
		t.Error("Run ran twice")
	}
}

func TestJoinedWrites(t *testing.T) {
	srv := amitest.Start(t)
	r := up(t, srv.Options())
	var all sync.WaitGroup
	failed := make(chan error, 500)
	for i := range 500 {
		all.Go(func() {
			want := fmt.Sprint("v", i)
			srv := "Echo"
			m, err := r.Do(t.Context(), ami.NewAction(srv, "Value", want))
			if err != nil || m.Get("Value") != want {
				failed <- fmt.Errorf("%d: %q, %w", i, m, err)
			}
		})
		if i == 0 {
			srv.Handle("Echo", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "Value", a.Get("Value")) })
		}
	}
	all.Wait()
	close(failed)
	for err := range failed {
		if !strings.HasPrefix(err.Error(), "0: ") {
			t.Error(err)
		}
	}
}

// bubble runs a test in a synctest bubble with a server that is reached by pipe.
func bubble(t *testing.T, o amitest.Options, f func(t *testing.T, srv *amitest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, amitest.New(t, o)) })
}

func TestDeadlinesAreExact(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		srv.Silent("Originate")
		r := up(t, srv.Options())
		begin := time.Now()
		_, err := r.Do(t.Context(), ami.NewAction("Originate"))
		if !errors.Is(err, ami.ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no deadline: %v", err)
		}
		if took := time.Since(begin); took != 30*time.Second {
			t.Errorf("the default deadline is %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 1234*time.Millisecond)
		defer cancel()
		begin = time.Now()
		if _, err = r.Do(ctx, ami.NewAction("Originate")); !errors.Is(err, ami.ErrUnknown) {
			t.Errorf("deadline: %v", err)
		}
		if took := time.Since(begin); took != 1234*time.Millisecond {
			t.Errorf("the deadline came after %s", took)
		}
		if _, err = r.Do(ctx, ami.NewAction("Originate")); !errors.Is(err, ami.ErrOffline) {
			t.Errorf("after the deadline: %v", err)
		}
		if n := len(srv.Received("Originate")); n != 2 {
			t.Errorf("%d were sent", n)
		}
	})
}

func TestCancelledActionAndItsLateAnswer(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		srv.Silent("Originate")
		r := up(t, srv.Options())
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("the request is gone")
		ended := make(chan error, 1)
		go func() { _, err := r.Do(ctx, ami.NewAction("Originate")); ended <- err }()
		a := srv.Wait("Originate")
		cancel(cause)
		if err := <-ended; !errors.Is(err, ami.ErrUnknown) || !errors.Is(err, cause) {
			t.Errorf("cancelled: %v", err)
		}
		id := a.Get("ActionID")
		srv.Send("Response: Success\r\nActionID: " + id + "\r\n\r\n")
		srv.Event("OriginateResponse", "ActionID", id)
		if m := r.expectEvent(t, "OriginateResponse"); m.Get("ActionID") != id {
			t.Errorf("OriginateResponse is %q", m)
		}
		if n := r.Stats().Late; n != 1 {
			t.Errorf("%d late answers", n)
		}
	})
}

func TestWrittenAndLost(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		srv.Handle("Originate", func(s *amitest.Session, _ ami.Action) { s.Close() })
		r := up(t, srv.Options())
		if _, err := r.Do(t.Context(), ami.NewAction("Originate")); !errors.Is(err, ami.ErrUnknown) || errors.Is(err, ami.ErrOffline) {
			t.Errorf("lost: %v", err)
		}
		r.expect(t, ami.ItemDisconnected)
		if _, err := r.Do(t.Context(), ami.NewAction("Originate")); !errors.Is(err, ami.ErrOffline) {
			t.Errorf("offline: %v", err)
		}
		r.expect(t, ami.ItemConnected)
		if n := len(srv.Received("Originate")); n != 1 {
			t.Errorf("%d were sent", n)
		}
	})
}

func TestLostBeforeWriting(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		r := up(t, srv.Options())
		srv.Stall()
		results := make(chan error, 3)
		for range 3 {
			// The first is read by a Read that has begun, the second blocks in the write, the third stays in the queue.
			go func() { _, err := r.Do(t.Context(), ami.NewAction("Echo")); results <- err }()
			synctest.Wait()
		}
		srv.Drop()
		unknown, offline := 0, 0
		for range 3 {
			var refused *ami.ResponseError
			switch err := <-results; {
			case errors.As(err, &refused): // the server has no Echo
			case errors.Is(err, ami.ErrUnknown):
				unknown++
			case errors.Is(err, ami.ErrOffline):
				offline++
			}
		}
		if unknown != 1 || offline != 1 {
			t.Errorf("%d unknown, %d offline", unknown, offline)
		}
	})
}

func TestCancelledBeforeWriting(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		r := up(t, srv.Options())
		srv.Stall()
		for range 2 {
			go func() { _, _ = r.Do(t.Context(), ami.NewAction("Echo")) }()
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := r.Do(ctx, ami.NewAction("Originate"))
		if !errors.Is(err, ami.ErrOffline) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cancelled in the queue: %v", err)
		}
		srv.Resume()
		synctest.Wait()
		if n := len(srv.Received("Originate")); n != 0 {
			t.Errorf("%d were sent after all", n)
		}
	})
}

func TestActionsWhileEventsStream(t *testing.T) {
	srv := amitest.Start(t)
	r := up(t, srv.Options())
	srv.Handle("Echo", func(s *amitest.Session, a ami.Action) {
		s.Event("Noise", "Value", "not yours", "Response", "Success")
		s.Respond(a, "Success", "Value", a.Get("Value"))
		s.Event("Noise")
	})
	for i := range 200 {
		want := fmt.Sprint(i)
		m, err := r.Do(t.Context(), ami.NewAction("Echo", "Value", want))
		if err != nil || m.Get("Value") != want || m.Event() != "" {
			t.Fatalf("answer %d is %q, %v", i, m, err)
		}
	}
	for range 400 {
		r.expectEvent(t, "Noise")
	}
}

func TestActionsInARowAreNotHeldUp(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		r := up(t, srv.Options())
		for range 200 {
			if _, err := r.Do(t.Context(), ami.NewAction("Ping")); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		for range 1000 {
			if _, err := r.Do(t.Context(), ami.NewAction("Ping")); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took > 0 {
			t.Errorf("the answers were held up for %s", took)
		}
	})
}

// TestEventsGatherUnderLoad counts batches: one each without a pause.
func TestEventsGatherUnderLoad(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		r := up(t, srv.Options())
		go func() {
			for range 10_000 {
				srv.Event("Noise")
				time.Sleep(100 * time.Microsecond)
			}
		}()
		batches, events := 0, 0
		for events < 10_000 {
			batches++
			for _, i := range <-r.Stream() {
				events++
				if late := time.Since(i.At); late > 0 {
					t.Fatalf("handed over %s after the read", late)
				}
			}
		}
		if batches > 2000 {
			t.Errorf("%d batches", batches)
		}
	})
}
