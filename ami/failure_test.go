package ami_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

func TestHalfOpenPeerIsGivenUp(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		r := up(t, srv.Options())
		srv.Freeze()
		begin := time.Now()
		i := r.expect(t, ami.ItemDisconnected)
		if took := time.Since(begin); took > 15*time.Second || !errors.Is(i.Err, ami.ErrSilent) {
			t.Errorf("given up after %s: %v", took, i.Err)
		}
		if n := len(srv.Received("Ping")); n == 0 {
			t.Error("no Ping was sent")
		}
		r.expect(t, ami.ItemConnected)
	})
}

func TestPeerThatStopsReadingIsGivenUp(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		r := up(t, srv.Options())
		srv.Stall()
		begin := time.Now()
		for range 2 {
			go func() { _, _ = r.Do(t.Context(), ami.NewAction("Echo")) }()
			synctest.Wait()
		}
		stop := make(chan struct{})
		go func() { // It still sends, so that only the blocked write can tell.
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Second):
					srv.Event("Noise")
				}
			}
		}()
		defer close(stop)
		i := r.next(t)
		for i.Kind == ami.ItemEvent {
			i = r.next(t)
		}
		if took := time.Since(begin); took > 16*time.Second || i.Kind != ami.ItemDisconnected {
			t.Errorf("given up after %s: %v", took, i)
		}
	})
}

func TestAnyByteIsLife(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		r := up(t, srv.Options())
		srv.Silent("Ping")
		for range 60 {
			time.Sleep(4 * time.Second)
			srv.Send("\r\n")
		}
		if s := r.Status(); s.Phase != ami.Up {
			t.Errorf("status is %+v", s)
		}
		if n := len(srv.Received("Ping")); n != 0 {
			t.Errorf("%d Pings on a live link", n)
		}
	})
}

func TestQuietLinkIsKeptByPings(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		r := up(t, srv.Options())
		time.Sleep(10 * time.Minute)
		if n := srv.Logins(); n != 1 || r.Status().Phase != ami.Up {
			t.Errorf("%d logins, status %+v", n, r.Status())
		}
		if n := len(srv.Received("Ping")); n < 100 || n > 121 {
			t.Errorf("%d Pings in ten minutes", n)
		}
		if n := r.Stats().Late; n != 0 {
			t.Errorf("%d late answers", n)
		}
	})
}

func TestReconnectWithBackoff(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		var log bytes.Buffer
		o := srv.Options()
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		r := up(t, o)
		time.Sleep(time.Minute)
		before := srv.Dials()
		srv.Refuse()
		srv.Drop()
		r.expect(t, ami.ItemDisconnected)
		time.Sleep(time.Hour)
		tries := srv.Dials() - before
		if tries < 800 || tries > 8000 {
			t.Errorf("%d tries in an hour", tries)
		}
		if s := r.Status(); s.Err == nil || s.Phase == ami.Up {
			t.Errorf("status is %+v", s)
		}
		srv.Restart()
		begin := time.Now()
		r.expect(t, ami.ItemConnected)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("back after %s", took)
		}
		r.stop(t)
		if n := strings.Count(log.String(), "not connected"); n != 2 { // the loss, then the refusal
			t.Errorf("%d lines:\n%s", n, log.String())
		}
	})
}

func TestLoginsThatAreDroppedAtOnceAreNoTightLoop(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		var log bytes.Buffer
		o := srv.Options()
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		srv.Handle("Login", func(s *amitest.Session, a ami.Action) {
			s.Respond(a, "Success")
			s.Hangup()
		})
		r := run(t, o)
		go func() {
			for range r.Stream() {
				continue
			}
		}()
		time.Sleep(time.Minute)
		if n := srv.Dials(); n > 60 {
			t.Errorf("%d connections in a minute", n)
		}
		srv.Handle("Login", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success") })
		time.Sleep(time.Minute)
		r.stop(t)
		if n := strings.Count(log.String(), "is connected"); n != 2 { // the first, and the one that lasts
			t.Errorf("%d times connected", n)
		}
		if n := strings.Count(log.String(), "\n"); n > 4 {
			t.Errorf("%d lines:\n%s", n, log.String())
		}
	})
}

func TestWrongSecret(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		var log bytes.Buffer
		o := srv.Options()
		o.Secret = "wrong-and-hidden"
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		r := run(t, o)
		time.Sleep(time.Minute)
		if s := r.Status(); !errors.Is(s.Err, ami.ErrAuthentication) {
			t.Errorf("status is %+v", s)
		}
		if n := srv.Dials(); n > 60 || n < 10 {
			t.Errorf("%d tries in a minute", n)
		}
		srv.SetSecret("wrong-and-hidden") // an administrator mends it
		r.expect(t, ami.ItemConnected)
		r.stop(t)
		if n := strings.Count(log.String(), "authentication failed"); n != 1 || strings.Contains(log.String(), "hidden") {
			t.Errorf("log:\n%s", log.String())
		}
		for _, a := range srv.Received("Login") {
			if a.Get("Secret") != "" {
				t.Error("the secret was sent although there is a challenge")
			}
		}
	})
}

func TestShuttingDownIsNotAWrongSecret(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		r := up(t, srv.Options())
		srv.ShutDown()
		_, err := r.Do(t.Context(), ami.NewAction("CoreStatus"))
		if !errors.Is(err, ami.ErrShuttingDown) || errors.Is(err, ami.ErrAuthentication) {
			t.Errorf("Do: %v", err)
		}
		if i := r.expect(t, ami.ItemDisconnected); !errors.Is(i.Err, ami.ErrShuttingDown) {
			t.Errorf("closed for %v", i.Err)
		}
		time.Sleep(17 * time.Second)
		if s := r.Status(); !errors.Is(s.Err, ami.ErrShuttingDown) || errors.Is(s.Err, ami.ErrAuthentication) {
			t.Errorf("status is %+v", s)
		}
		if n := len(srv.Received("Login")); n != 1 {
			t.Errorf("%d logins, want none after the first", n-1)
		}
		srv.Restart()
		begin := time.Now()
		r.expect(t, ami.ItemConnected)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("back after %s", took)
		}
	})
}

func TestStuckConsumerEndsTheConnection(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		o := srv.Options()
		o.Queue = 100_000
		r := up(t, o)
		var sent int
		for r.Status().Phase == ami.Up {
			srv.Event("Noise", "N", fmt.Sprint(sent), "X", strings.Repeat("x", 1000))
			sent++
			time.Sleep(10 * time.Millisecond)
		}
		if n := r.Stats().Waiting; n > 101_000 {
			t.Errorf("%d bytes wait", n)
		}
		if s := r.Stats(); s.Refused != 1 || s.Events+s.Refused < uint64(sent) {
			t.Errorf("%d events were sent, stats are %+v", sent, s)
		}
		time.Sleep(time.Minute)
		if n := srv.Logins(); n != 1 {
			t.Errorf("%d logins while the consumer is stuck", n)
		}
		got := 0
		i := r.next(t)
		for ; i.Kind == ami.ItemEvent; i = r.next(t) {
			if n := i.Message.Get("N"); n != fmt.Sprint(got) {
				t.Fatalf("event %s, want %d", n, got)
			}
			got++
		}
		if i.Kind != ami.ItemDisconnected || !errors.Is(i.Err, ami.ErrStuck) || got < 80 {
			t.Errorf("%d events, then %v", got, i)
		}
		r.expect(t, ami.ItemConnected)
	})
}

func TestSleepingConsumerLosesNothing(t *testing.T) {
	const n = 20_000
	srv := amitest.Start(t)
	r := up(t, srv.Options())
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Event: Noise\r\nN: %d\r\nX: %s\r\n\r\n", i, strings.Repeat("x", 300))
	}
	srv.Send(b.String())
	srv.Handle("Echo", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success") })
	// The answer stands behind all events, and comes although nobody takes them.
	if _, err := r.Do(t.Context(), ami.NewAction("Echo")); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if m := r.expectEvent(t, "Noise"); m.Get("N") != fmt.Sprint(i) {
			t.Fatalf("event %d is %q", i, m)
		}
	}
}

func TestEndIsClean(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		srv.Silent("Originate")
		srv.Silent("Logoff")
		r := up(t, srv.Options())
		waiting := make(chan error, 1)
		go func() { _, err := r.Do(t.Context(), ami.NewAction("Originate")); waiting <- err }()
		srv.Wait("Originate")
		begin := time.Now()
		if items := r.stop(t); len(items) != 1 || items[0].Kind != ami.ItemDisconnected {
			t.Errorf("the stream ends with %v", items)
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("the end took %s", took)
		}
		if err := <-waiting; !errors.Is(err, ami.ErrUnknown) {
			t.Errorf("waiting: %v", err)
		}
	})
}

func TestEndWithoutConsumer(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		r := up(t, srv.Options())
		srv.Event("Noise")
		synctest.Wait()
		r.cancel()
		begin := time.Now()
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
		r.ended <- nil
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("the end took %s", took)
		}
		if s := r.Stats(); s.Events != 3 || s.Untaken != 1 || s.Waiting != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestEndAtEveryPhase(t *testing.T) {
	for name, prepare := range map[string]func(*amitest.Server, *ami.Options){
		"refused":   func(s *amitest.Server, _ *ami.Options) { s.Refuse() },
		"no answer": func(s *amitest.Server, _ *ami.Options) { s.Silent("Challenge") },
		"dialling": func(_ *amitest.Server, o *ami.Options) {
			o.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
				o := srv.Options()
				prepare(srv, &o)
				r := run(t, o)
				time.Sleep(time.Second)
				begin := time.Now()
				if items := r.stop(t); len(items) != 0 {
					t.Errorf("the stream has %v", items)
				}
				if took := time.Since(begin); took > 0 {
					t.Errorf("the end took %s", took)
				}
			})
		})
	}
}

func TestDeadAtTheLogin(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		srv.Silent("Challenge")
		r := run(t, srv.Options())
		time.Sleep(16 * time.Second)
		if s := r.Status(); s.Err == nil {
			t.Errorf("status is %+v", s)
		}
		srv.Handle("Challenge", nil)
		r.expect(t, ami.ItemConnected)
	})
}

func TestNotAsterisk(t *testing.T) {
	bubble(t, amitest.Options{Greeting: "SSH-2.0-OpenSSH_9.6\r\n"}, func(t *testing.T, srv *amitest.Server) {
		r := run(t, srv.Options())
		time.Sleep(time.Second)
		if s := r.Status(); s.Err == nil || !strings.Contains(s.Err.Error(), "SSH-2.0") {
			t.Errorf("status is %+v", s)
		}
	})
}

func TestManyStopsUnderLoad(t *testing.T) {
	srv := amitest.Start(t)
	for range 20 {
		r := run(t, srv.Options())
		r.expect(t, ami.ItemConnected)
		for range 100 {
			srv.Event("Noise", "X", strings.Repeat("x", 500))
		}
		r.stop(t)
	}
	srv.WaitGone()
}

func TestServerClosesAndTheClientComesBack(t *testing.T) {
	srv := amitest.Start(t)
	r := up(t, srv.Options())
	for range 3 {
		srv.Drop()
		if i := r.expect(t, ami.ItemDisconnected); i.Err == nil {
			t.Error("no reason")
		}
		r.expect(t, ami.ItemConnected)
		r.expectEvent(t, "FullyBooted")
		r.expectEvent(t, "SuccessfulAuth")
		if _, err := r.Do(t.Context(), ami.NewAction("Ping")); err != nil {
			t.Error(err)
		}
	}
}
