package ari_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ari"
	"github.com/dialbridge/dialbridge/ari/aritest"
)

// run runs a client until the test ends or the returned function is called, which returns what was still in the stream.
func run(t *testing.T, c *ari.Client) (stop func() []ari.Item) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stop = sync.OnceValue(func() (rest []ari.Item) {
		cancel()
		for batch := range c.Stream() {
			rest = append(rest, batch...)
		}
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		return rest
	})
	t.Cleanup(func() { stop() })
	return stop
}

// next returns the next item of the stream, which must be of a kind and alone in its batch.
func next(t *testing.T, c *ari.Client, kind ari.ItemKind) ari.Item {
	t.Helper()
	select {
	case batch := <-c.Stream():
		if len(batch) != 1 || batch[0].Kind != kind {
			t.Fatalf("got %+v, want one item of kind %d", batch, kind)
		}
		return batch[0]
	case <-time.After(time.Minute):
		t.Fatalf("nothing came, want an item of kind %d", kind)
	}
	return ari.Item{}
}

// take returns n items of the stream.
func take(t *testing.T, c *ari.Client, n int) (items []ari.Item) {
	t.Helper()
	for len(items) < n {
		select {
		case batch := <-c.Stream():
			items = append(items, batch...)
		case <-time.After(time.Minute):
			t.Fatalf("%d items came, want %d", len(items), n)
		}
	}
	if len(items) > n {
		t.Fatalf("%d items came, want %d: %+v", len(items), n, items[n:])
	}
	return items
}

// inBubble runs a test inside of synctest, with a fake that is reached by pipes.
func inBubble(t *testing.T, test func(t *testing.T, srv *aritest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, aritest.New(t)) })
}

func TestEventsComeInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *aritest.Server) {
		c := dial(t, srv)
		if s := c.Status(); s.Phase != ari.Idle || s.Err == nil {
			t.Errorf("status %+v before Run", s)
		}
		stop := run(t, c)
		next(t, c, ari.ItemConnected)
		if s := c.Status(); s.Phase != ari.Up || s.Err != nil || s.Since != time.Now() {
			t.Errorf("status %+v", s)
		}
		if r := srv.Wait("GET /events"); r.RawQuery != "app=dialbridge" {
			t.Errorf("asked for %q", r.RawQuery)
		}
		lines := aritest.Transcript(t, "testdata/captures/22-ari.jsonl")
		lines = lines[:len(lines)-1] // ApplicationReplaced
		for _, line := range lines {
			srv.Send(line)
		}
		for i, item := range take(t, c, len(lines)) {
			if item.Event.Raw != lines[i] || item.Kind != ari.ItemEvent || item.Gap || item.At.IsZero() || item.Event.Timestamp.IsZero() {
				t.Fatalf("item %d is %+v, want %s", i, item, lines[i])
			}
		}
		rest := stop()
		if len(rest) != 1 || rest[0].Kind != ari.ItemDisconnected || rest[0].Err == nil {
			t.Errorf("at the end: %+v", rest)
		}
		srv.WaitGone()
		if s := c.Stats(); s.Events != uint64(len(lines)) || s.Connections != 1 || s.Waiting != 0 || s.Untaken != 0 || s.Bytes == 0 {
			t.Errorf("stats %+v", s)
		}
		if s := c.Status(); s.Phase != ari.Idle || s.Err == nil {
			t.Errorf("status %+v after Run", s)
		}
		if err := c.Run(t.Context()); err == nil {
			t.Error("Run ran twice")
		}
	})
}

func TestOnlyWantedEventsCome(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *aritest.Server) {
		c := dial(t, srv, func(o *ari.Options) {
			o.SubscribeAll = true
			o.Want = func(kind string) bool { return strings.HasPrefix(kind, "Stasis") }
		})
		run(t, c)
		next(t, c, ari.ItemConnected)
		if r := srv.Wait("GET /events"); r.RawQuery != "app=dialbridge&subscribeAll=true" {
			t.Errorf("asked for %q", r.RawQuery)
		}
		srv.Play("testdata/captures/22-ari.jsonl")
		items := take(t, c, 16+1)
		for _, item := range items[:16] {
			if !strings.HasPrefix(item.Event.Type, "Stasis") {
				t.Errorf("%s came", item.Event.Type)
			}
		}
		if err := items[16].Err; !errors.Is(err, ari.ErrReplaced) {
			t.Errorf("the end is %v", err) // of the transcript's last line
		}
		if s := c.Stats(); s.Unwanted+s.Events+s.Replaced != 345 || s.Events != 16 || s.Replaced != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestReconnects(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *aritest.Server) {
		c := dial(t, srv)
		run(t, c)
		for range 5 {
			next(t, c, ari.ItemConnected)
			time.Sleep(6 * time.Second)
			srv.Drop()
			next(t, c, ari.ItemDisconnected)
			before := time.Now()
			srv.WaitSockets(srv.Sockets() + 1)
			if waited := time.Since(before); waited > 300*time.Millisecond {
				t.Errorf("waited %s after a connection that had lasted", waited)
			}
		}
	})
}

// TestBackoff proves that tries become rare, and not all at once after long.
func TestBackoff(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *aritest.Server) {
		var log safeBuffer
		c := dial(t, srv, func(o *ari.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		srv.Refuse()
		run(t, c)
		time.Sleep(10 * time.Minute)
		if n := srv.Dials(); n < 150 || n > 600 { // one every 2.5 s in the mean
			t.Errorf("%d tries in 10 minutes", n)
		}
		if s := c.Status(); s.Err == nil || !errors.Is(s.Err, ari.ErrUnreachable) {
			t.Errorf("status %+v", s)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("%d lines of log:\n%s", n, log.String())
		}
		srv.Restart()
		before := time.Now()
		next(t, c, ari.ItemConnected)
		if waited := time.Since(before); waited > 6*time.Second {
			t.Errorf("was back after %s", waited)
		}
	})
}

// TestWhyNot proves that the reasons for which nothing comes are told apart.
func TestWhyNot(t *testing.T) {
	for name, test := range map[string]struct {
		fault func(*aritest.Server)
		want  error
	}{
		"wrong password": {func(s *aritest.Server) { s.SetPassword("another") }, ari.ErrUnauthorized},
		"read only":      {func(s *aritest.Server) { s.RefuseSockets(aritest.Refuse(403, "Write access denied")) }, ari.ErrForbidden},
		"ARI off":        {func(s *aritest.Server) { s.RefuseSockets(aritest.Answer{Status: 404, Body: "<html>"}) }, ari.ErrDisabled},
		"shutting down":  {(*aritest.Server).ShutDown, ari.ErrShuttingDown},
		"nobody there":   {(*aritest.Server).Refuse, ari.ErrUnreachable},
		"a web page":     {func(s *aritest.Server) { s.RefuseSockets(aritest.OK("<html>")) }, ari.ErrForeign},
		"no handshake":   {func(s *aritest.Server) { s.RefuseSockets(aritest.Answer{Status: 101}) }, ari.ErrForeign},
		"no answer":      {(*aritest.Server).Hush, ari.ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *aritest.Server) {
				c := dial(t, srv)
				test.fault(srv)
				stop := run(t, c)
				time.Sleep(20 * time.Second)
				if s := c.Status(); s.Phase == ari.Up || !errors.Is(s.Err, test.want) {
					t.Errorf("status %+v, want %v", s, test.want)
				}
				if rest := stop(); len(rest) != 0 {
					t.Errorf("items %+v of a connection that never was", rest)
				}
			})
		})
	}
}

func TestSilentPeerIsNoticed(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *aritest.Server) {
		c := dial(t, srv)
		run(t, c)
		next(t, c, ari.ItemConnected)
		time.Sleep(time.Hour) // pings hold it
		if s := c.Status(); s.Phase != ari.Up || time.Since(s.Since) < time.Hour {
			t.Fatalf("status %+v", s)
		}
		srv.Freeze()
		before := time.Now()
		lost := next(t, c, ari.ItemDisconnected)
		if took := time.Since(before); !errors.Is(lost.Err, ari.ErrSilent) || took < 10*time.Second || took > 15*time.Second {
			t.Errorf("noticed after %s: %v", took, lost.Err)
		}
		next(t, c, ari.ItemConnected)
	})
}

// TestReplaced proves that a name that another program has taken is left to it, and that this is said once.
func TestReplaced(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *aritest.Server) {
		var log safeBuffer
		first := dial(t, srv, func(o *ari.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		run(t, first)
		next(t, first, ari.ItemConnected)
		second := dial(t, srv)
		run(t, second)
		next(t, second, ari.ItemConnected)
		for range 20 { // they take it from each other
			taken := time.Now()
			if lost := next(t, first, ari.ItemDisconnected); !errors.Is(lost.Err, ari.ErrReplaced) {
				t.Fatalf("the end is %v", lost.Err)
			}
			if s := first.Status(); s.Phase != ari.Waiting || !errors.Is(s.Err, ari.ErrReplaced) {
				t.Errorf("status %+v", s)
			}
			srv.Event("Heard")
			if e := next(t, second, ari.ItemEvent); e.Event.Type != "Heard" {
				t.Errorf("the second heard %+v", e.Event)
			}
			next(t, first, ari.ItemConnected)
			if waited := time.Since(taken); waited != 30*time.Second {
				t.Errorf("took it back after %s", waited)
			}
			next(t, second, ari.ItemDisconnected)
			next(t, second, ari.ItemConnected)
		}
		if n := strings.Count(log.String(), "another program"); n != 1 {
			t.Errorf("said %d times:\n%s", n, log.String())
		}
		if n := strings.Count(log.String(), "\n"); n != 2 {
			t.Errorf("%d lines of log:\n%s", n, log.String())
		}
	})
}

// TestStuck proves that a consumer who does not take gets an end with a reason, and then a new beginning.
func TestStuck(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *aritest.Server) {
		c := dial(t, srv, func(o *ari.Options) { o.Queue = 64 << 10 })
		run(t, c)
		srv.WaitSockets(1)
		synctest.Wait()
		sent := 0
		for ; c.Status().Phase == ari.Up; sent++ {
			srv.Event("Filler", `"x":"`+strings.Repeat("x", 1000)+`"`)
			synctest.Wait()
		}
		if s := c.Status(); !errors.Is(s.Err, ari.ErrStuck) {
			t.Errorf("status %+v", s)
		}
		time.Sleep(time.Hour)
		if n := srv.Sockets(); n != 1 {
			t.Errorf("%d sockets while nobody takes", n)
		}
		items := take(t, c, sent-1+2)
		if last := items[len(items)-1]; last.Kind != ari.ItemDisconnected || !errors.Is(last.Err, ari.ErrStuck) {
			t.Errorf("the end is %+v", last)
		}
		if s := c.Stats(); s.Events != uint64(sent-1) || s.Refused != 1 {
			t.Errorf("stats %+v of %d sent", s, sent)
		}
		next(t, c, ari.ItemConnected)
		srv.Event("More")
		next(t, c, ari.ItemEvent)
	})
}

// TestNobodyTakes proves that Run ends though nobody takes, and that what is lost is counted.
func TestNobodyTakes(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *aritest.Server) {
		c := dial(t, srv)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		srv.WaitSockets(1)
		for range 10 {
			srv.Event("Filler")
		}
		synctest.Wait()
		before := time.Now()
		cancel()
		if err := <-ended; err != nil || time.Since(before) > 3*time.Second {
			t.Errorf("Run: %v after %s", err, time.Since(before))
		}
		if s := c.Stats(); s.Events != 10 || s.Untaken != 10 || s.Waiting != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestNobodyTakesTheEnd proves that Run ends though the last item, which comes together with the end, is not taken.
func TestNobodyTakesTheEnd(t *testing.T) {
	for range 50 {
		inBubble(t, func(t *testing.T, srv *aritest.Server) {
			c := dial(t, srv)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- c.Run(ctx) }()
			next(t, c, ari.ItemConnected)
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
			if _, open := <-c.Stream(); open {
				t.Error("the stream is open")
			}
		})
	}
}

// TestStrangeMessages proves that what is no event is counted and seen, and does not end the connection.
func TestStrangeMessages(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *aritest.Server) {
		var log safeBuffer
		c := dial(t, srv, func(o *ari.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		run(t, c)
		next(t, c, ari.ItemConnected)
		for _, text := range []string{"", "no json", "[]", "{", `{"type":7}`, `{"type":""}`, `{"x":{"type":"Inner"}}`, "\xff\xfe"} {
			srv.Send(text)
			srv.Event("Good")
			if e := next(t, c, ari.ItemEvent); !e.Gap || e.Event.Type != "Good" {
				t.Errorf("after %q came %+v", text, e)
			}
		}
		srv.SendBinary([]byte(`{"type":"Binary"}`))
		srv.Send(`{"type":"Huge","x":"` + strings.Repeat("x", 2<<20) + `"}`)
		srv.Event("Good")
		if e := next(t, c, ari.ItemEvent); !e.Gap {
			t.Error("no gap after a binary and a huge message")
		}
		srv.Event("Good")
		if e := next(t, c, ari.ItemEvent); e.Gap {
			t.Error("a gap after a good message")
		}
		if s := c.Stats(); s.Garbled != 9 || s.Oversized != 1 || s.Connections != 1 || s.Events != 10 {
			t.Errorf("stats %+v", s)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings:\n%s", n, log.String())
		}
	})
}

// TestEndings proves that the ends of a connection are told apart, and that an equal end reads equally.
func TestEndings(t *testing.T) {
	for name, test := range map[string]struct {
		fault     func(*aritest.Server)
		want      string
		oversized uint64
	}{
		"closed with a code": {func(s *aritest.Server) { s.Hangup(1001) }, "closed the socket with code 1001", 0},
		"cut":                {(*aritest.Server).Drop, "connection lost", 0},
		"an endless message": {func(s *aritest.Server) { s.Send(strings.Repeat("x", 17<<20)) }, "too long", 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *aritest.Server) {
				c := dial(t, srv)
				run(t, c)
				next(t, c, ari.ItemConnected)
				test.fault(srv)
				if lost := next(t, c, ari.ItemDisconnected); !strings.Contains(lost.Err.Error(), test.want) {
					t.Errorf("the end is %q, want %q", lost.Err, test.want)
				}
				next(t, c, ari.ItemConnected)
				if got := c.Stats().Oversized; got != test.oversized {
					t.Errorf("%d messages were too long, want %d", got, test.oversized)
				}
			})
		})
	}
}

// TestReconnectIsAnnouncedInOrder lets connections come and go while nobody takes: what each has brought stands between its
// ItemConnected and its ItemDisconnected.
func TestReconnectIsAnnouncedInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *aritest.Server) {
		c := dial(t, srv)
		run(t, c)
		var want, got []string
		for n := range 6 {
			srv.WaitSockets(n + 1)
			synctest.Wait()
			want = append(want, "connected")
			for i := range n {
				srv.Event(fmt.Sprint("E", n, i))
				want = append(want, fmt.Sprint("E", n, i))
			}
			synctest.Wait()
			srv.Drop()
			synctest.Wait()
			want = append(want, "lost")
		}
		for _, item := range take(t, c, len(want)) {
			switch item.Kind {
			case ari.ItemConnected:
				got = append(got, "connected")
			case ari.ItemDisconnected:
				got = append(got, "lost")
			case ari.ItemEvent:
				got = append(got, item.Event.Type)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestFlapping proves that a peer that drops us at once is told of once, and not asked in a tight loop.
func TestFlapping(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *aritest.Server) {
		var log safeBuffer
		c := dial(t, srv, func(o *ari.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		run(t, c)
		begin := time.Now()
		for range 100 {
			next(t, c, ari.ItemConnected)
			srv.Drop()
			next(t, c, ari.ItemDisconnected)
		}
		if took := time.Since(begin); took < 100*time.Second {
			t.Errorf("100 connections in %s", took)
		}
		if n := strings.Count(log.String(), "\n"); n > 3 {
			t.Errorf("%d lines of log:\n%s", n, log.String())
		}
		next(t, c, ari.ItemConnected)
		time.Sleep(time.Minute)
		if n := strings.Count(log.String(), "level=INFO"); n != 2 {
			t.Errorf("said %d times that it is connected", n)
		}
	})
}

func TestRunNeedsAnApplication(t *testing.T) {
	for _, name := range []string{"", "a\r\nb"} {
		var refused *ari.ArgumentError
		if err := ari.New(ari.Options{URL: "http://127.0.0.1/ari", Application: name}).Run(t.Context()); !errors.As(err, &refused) {
			t.Errorf("application %q: error %v", name, err)
		}
	}
}

func TestPhasesHaveNames(t *testing.T) {
	for phase, want := range []string{"idle", "connecting", "up", "waiting"} {
		if got := ari.Phase(phase).String(); got != want {
			t.Errorf("phase %d is %q, want %q", phase, got, want)
		}
	}
}
