package ari_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ari"
	"github.com/dialbridge/dialbridge/ari/aritest"
)

// TestArgumentsAreRefused proves that nothing of a request is sent that Asterisk would read otherwise than it was meant.
func TestArgumentsAreRefused(t *testing.T) {
	srv := aritest.Start(t)
	c, ctx := dial(t, srv), t.Context()
	good := ari.Originate{Endpoint: "PJSIP/801", ID: "a"}
	with := func(change func(*ari.Originate)) error {
		o := good
		change(&o)
		return only(c.Originate(ctx, o))
	}
	for name, err := range map[string]error{
		"empty id":                  c.Answer(ctx, ""),
		"climbing id":               c.Hangup(ctx, "..", 0),
		"climbing name":             c.DeleteRecording(ctx, "a/../../secret"),
		"climbing name of a tape":   only(c.Record(ctx, "a", ari.Tape{Name: "../x", Format: "wav"})),
		"empty name of a tape":      only(c.RecordBridge(ctx, "a", ari.Tape{Format: "wav"})),
		"line end in a path":        c.Ring(ctx, "a\r\nX: secret"),
		"NUL in a path":             only(c.Endpoint(ctx, "PJSIP", "80\x001")),
		"not UTF-8 in a path":       c.Ring(ctx, "\xff"),
		"line end in a query":       only(c.Variable(ctx, "a", "x\nsecret")),
		"line end in a body":        c.SetVariable(ctx, "a", "x", "secret\rsecret"),
		"not UTF-8 in a body":       c.SetVariable(ctx, "a", "x", "secret\xff"),
		"line end in a variable":    with(func(o *ari.Originate) { o.Variables = map[string]string{"x": "secret\n"} }),
		"line end in its name":      with(func(o *ari.Originate) { o.Variables = map[string]string{"secret\n": "x"} }),
		"line end in a list":        c.AddToBridge(ctx, "b", "x", "secret\n"),
		"line end in an object":     only(c.PutObject(ctx, phone811, []ari.Attribute{{Name: "allow", Value: "secret\n"}})),
		"no channel for a bridge":   c.RemoveFromBridge(ctx, "b"),
		"no id of a channel":        with(func(o *ari.Originate) { o.ID = "" }),
		"comma in an argument":      with(func(o *ari.Originate) { o.Args = []string{"secret,b"} }),
		"comma in one of a move":    c.Move(ctx, "a", "x", "secret,"),
		"comma in one of a snoop":   only(c.Snoop(ctx, "a", ari.Snoop{ID: "s", Args: []string{","}})),
		"no id of a snoop":          only(c.Snoop(ctx, "a", ari.Snoop{})),
		"no id of a bridge":         only(c.CreateBridge(ctx, "", "", "")),
		"no id of a playback":       only(c.Play(ctx, "a", ari.Sound{Media: []string{"sound:x"}})),
		"nothing to play":           only(c.Play(ctx, "a", ari.Sound{ID: "p"})),
		"endpoint without allow":    only(c.PutObject(ctx, phone811, nil)),
		"endpoint with empty allow": only(c.PutObject(ctx, phone811, []ari.Attribute{{Name: "allow"}})),
		"long path":                 only(c.DeviceState(ctx, strings.Repeat("secret", 1000))),
		"long query":                only(c.Variable(ctx, "a", strings.Repeat("secret", 1000))),
		"long body":                 c.SetVariable(ctx, "a", "x", strings.Repeat("secret", 10000)),
	} {
		var refused *ari.ArgumentError
		if !errors.As(err, &refused) || refused.Op == "" || refused.Name == "" || refused.Reason == "" {
			t.Errorf("%s: error %v, want an *ArgumentError", name, err)
		} else if strings.Contains(err.Error(), "secret") && name != "long path" {
			t.Errorf("%s: the error shows the value: %v", name, err)
		}
	}
	if received := srv.Received(""); len(received) != 0 {
		t.Errorf("%d requests were sent: %+v", len(received), received)
	}
}

// TestOutcome proves that it is told apart what was never sent, what may have been done, and what was refused.
func TestOutcome(t *testing.T) {
	originate := func(c *ari.Client, ctx context.Context) error {
		return only(c.Originate(ctx, ari.Originate{Endpoint: "PJSIP/801", ID: "a"}))
	}
	list := func(c *ari.Client, ctx context.Context) error { return only(c.Channels(ctx)) }
	for _, test := range []struct {
		name             string
		fault            func(*aritest.Server)
		call             func(*ari.Client, context.Context) error
		outcome          error
		status           int
		repeat, answered bool
	}{
		{"refused connection", (*aritest.Server).Close, originate, ari.ErrOffline, 0, true, false},
		{"list from nobody", (*aritest.Server).Close, list, ari.ErrOffline, 0, true, false},
		{"cut while it is asked", lose, originate, ari.ErrUnknown, 0, false, false},
		{"cut while a list is asked", lose, list, nil, 0, true, false},
		{"no answer", (*aritest.Server).Hush, originate, ari.ErrUnknown, 0, false, false},
		{"no list", (*aritest.Server).Hush, list, nil, 0, true, false},
		{"refusal", func(s *aritest.Server) { s.HandleAll(refuse(500, "Allocation failed")) }, originate, nil, 500, false, true},
		{"shutting down", (*aritest.Server).ShutDown, originate, nil, 503, true, true},
		{"a proxy that gave up", func(s *aritest.Server) { s.HandleAll(refuse(504, "")) }, originate, ari.ErrUnknown, 504, false, true},
		{"accepted, and a broken answer", func(s *aritest.Server) { s.HandleAll(answer(`{"id":`)) }, originate, ari.ErrUnknown, 200, false, true},
		{"accepted, and a long answer", func(s *aritest.Server) { s.HandleAll(answer(`"` + strings.Repeat("x", 2000) + `"`)) },
			originate, ari.ErrUnknown, 200, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := aritest.Start(t)
			test.fault(srv)
			c := dial(t, srv, func(o *ari.Options) { o.Timeout, o.MaxAnswer = 50*time.Millisecond, 1000 })
			err := test.call(c, t.Context())
			var e *ari.Error
			if !errors.As(err, &e) || e.Status != test.status || e.Repeatable() != test.repeat {
				t.Fatalf("error %v, status %d, repeatable %v", err, e.Status, e.Repeatable())
			}
			if test.outcome != nil && !errors.Is(err, test.outcome) || test.outcome == nil && e.Outcome != nil {
				t.Errorf("outcome %v, want %v", e.Outcome, test.outcome)
			}
			if errors.Is(err, ari.ErrUnreachable) == test.answered {
				t.Errorf("error %v: unreachable is wrong", err)
			}
		})
	}
}

func lose(s *aritest.Server) {
	s.HandleAll(func(aritest.Request) aritest.Answer { return aritest.Lost() })
}

func refuse(status int, text string) aritest.Handler {
	return func(aritest.Request) aritest.Answer { return aritest.Refuse(status, text) }
}

func answer(body string) aritest.Handler {
	return func(aritest.Request) aritest.Answer { return aritest.OK(body) }
}

// TestWaitForAConnection proves that a request that never got a connection was not sent.
func TestWaitForAConnection(t *testing.T) {
	srv := aritest.Start(t)
	srv.HandleAll(func(r aritest.Request) aritest.Answer { <-r.Gone(); return aritest.Lost() })
	c := dial(t, srv)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if err := c.Answer(ctx, "a"); !errors.Is(err, ari.ErrUnknown) {
				t.Errorf("error %v of what was sent", err)
			}
		})
	}
	for range 16 {
		srv.Wait("POST /channels/a/answer")
	}
	short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	if err := c.Answer(short, "b"); !errors.Is(err, ari.ErrOffline) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v of what had no connection", err)
	}
	cancel()
	all.Wait()
}

// TestTimeoutReadsTheSame proves that what a request ran into can be asked for.
func TestTimeoutReadsTheSame(t *testing.T) {
	srv := aritest.Start(t)
	srv.Hush()
	c := dial(t, srv, func(o *ari.Options) { o.Timeout = 20 * time.Millisecond })
	if err := c.Answer(t.Context(), "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want a time-out", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Answer(ctx, "a"); !errors.Is(err, context.Canceled) || !errors.Is(err, ari.ErrOffline) {
		t.Errorf("error %v, want canceled and not sent", err)
	}
}

// TestLostIdleConnection proves that a request that met a closing connection is not made twice, and that the next one
// finds a new connection.
func TestLostIdleConnection(t *testing.T) {
	srv := aritest.Start(t)
	srv.HandleAll(answer(`{"id":"a"}`))
	c := dial(t, srv)
	for round := range 20 {
		err := only(c.Originate(t.Context(), ari.Originate{Endpoint: "PJSIP/801", ID: "a"}))
		if err != nil && !errors.Is(err, ari.ErrUnknown) {
			t.Fatalf("round %d: %v", round, err)
		}
		srv.Drop()
	}
	if n := len(srv.Received("POST /channels")); n > 20 {
		t.Errorf("%d calls were made of 20", n)
	}
}

// TestSecretsStaySecret runs everything that can fail with a password that must not be seen.
func TestSecretsStaySecret(t *testing.T) {
	const secret = "hunter2-and-more"
	srv := aritest.Start(t, aritest.Options{Password: secret})
	var log safeBuffer
	c := dial(t, srv, func(o *ari.Options) {
		o.URL = strings.Replace(o.URL, "http://", "http://u:"+secret+"@", 1) + "?api_key=u:" + secret
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	if _, err := c.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, r := range srv.Received("") {
		if strings.Contains(r.Path+r.RawQuery, secret) {
			t.Errorf("the password is in the URL %s?%s", r.Path, r.RawQuery)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	next(t, c, ari.ItemConnected)
	srv.SetPassword("another")
	srv.Drop()
	lost := next(t, c, ari.ItemDisconnected)
	srv.WaitDials(4)
	err := c.Answer(ctx, "a")
	if !errors.Is(err, ari.ErrUnauthorized) {
		t.Errorf("error %v", err)
	}
	cancel()
	running.Wait()
	for _, text := range []string{log.String(), err.Error(), lost.Err.Error()} {
		if strings.Contains(text, secret) {
			t.Errorf("the password is shown: %s", text)
		}
	}
}

// safeBuffer is a bytes.Buffer for several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestManyAtOnce proves that requests of many goroutines share a bounded number of connections.
func TestManyAtOnce(t *testing.T) {
	srv := aritest.Start(t)
	srv.HandleAll(func(r aritest.Request) aritest.Answer { return aritest.OK(`{"id":"` + r.Part(1) + `"}`) })
	var mu sync.Mutex
	open, most := 0, 0
	c := dial(t, srv, func(o *ari.Options) {
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			open++
			most = max(most, open)
			return counted{conn, sync.OnceFunc(func() { mu.Lock(); open--; mu.Unlock() })}, nil
		}
	})
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range 10 {
				id := ari.NewID("x")
				if got, err := c.Channel(t.Context(), id); err != nil || got.ID != id {
					t.Errorf("channel %q, error %v, want %q", got.ID, err, id)
				}
			}
		})
	}
	all.Wait()
	if most > 16 {
		t.Errorf("%d connections at once", most)
	}
}

// counted is a connection that tells when it is closed.
type counted struct {
	net.Conn
	closed func()
}

func (c counted) Close() error {
	c.closed()
	return c.Conn.Close()
}

func TestBadURL(t *testing.T) {
	for _, text := range []string{"", "127.0.0.1:8088/ari", "ftp://x/ari", "http://", "http://u:p%zz@h/", "http://bad host/"} {
		c := ari.New(ari.Options{URL: text, Application: "a"})
		if err := c.Answer(t.Context(), "a"); !errors.Is(err, ari.ErrOffline) {
			t.Errorf("%q: error %v", text, err)
		}
		if err := c.Run(t.Context()); err == nil {
			t.Errorf("%q: Run has run", text)
		}
		if _, open := <-c.Stream(); open {
			t.Errorf("%q: the stream is open", text)
		}
	}
}

func TestTLS(t *testing.T) {
	srv := aritest.Start(t, aritest.Options{TLS: true})
	c := dial(t, srv)
	if _, err := c.Info(t.Context()); err != nil {
		t.Error(err)
	}
	strange := dial(t, srv, func(o *ari.Options) { o.TLS = nil })
	if _, err := strange.Info(t.Context()); !errors.Is(err, ari.ErrUnreachable) || !errors.Is(err, ari.ErrOffline) {
		t.Errorf("error %v of a certificate that nobody knows", err)
	}
	run(t, c)
	next(t, c, ari.ItemConnected)
}

func TestNewID(t *testing.T) {
	a, b := ari.NewID("call"), ari.NewID("call")
	if a == b || len(a) != len("call-")+16 || !strings.HasPrefix(a, "call-") {
		t.Errorf("ids %q and %q", a, b)
	}
}
