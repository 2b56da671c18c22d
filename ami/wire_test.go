package ami_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

func TestAnswerInTheMiddleOfAnEvent(t *testing.T) {
	srv := amitest.Start(t)
	r := up(t, srv.Options())
	srv.Handle("Setvar", func(s *amitest.Session, a ami.Action) {
		s.Send("Event: VarSet\r\nPrivilege: dialplan,all\r\nChannel: a\r\nCoResponse: Success\r\nActionID: " +
			a.Get("ActionID") + "\r\nMessage: Variable Set\r\n\r\n")
	})
	m, err := r.Do(t.Context(), ami.NewAction("Setvar"))
	if err != nil || m.Get("Message") != "Variable Set" {
		t.Errorf("Do is %q, %v", m, err)
	}
	if m := r.expectEvent(t, "VarSet"); m.Get("Channel") != "a" || strings.Contains(m.String(), "Co") {
		t.Errorf("VarSet is %q", m)
	}
	srv.Event("Hangup")
	if i := r.expect(t, ami.ItemEvent); !i.Gap {
		t.Error("the event behind the gap does not say so")
	}
	srv.Event("Hangup")
	if i := r.expect(t, ami.ItemEvent); i.Gap || r.Stats().Torn != 1 {
		t.Errorf("gap %v, %d torn messages", i.Gap, r.Stats().Torn)
	}
}

func TestOriginateResponseIsNoAnswer(t *testing.T) {
	srv := amitest.Start(t)
	r := up(t, srv.Options())
	srv.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		id := a.Get("ActionID")
		s.Event("OriginateResponse", "Privilege", "call,all", "ActionID", id, "Response", "Failure", "Reason", "0")
		s.Respond(a, "Success", "Message", "Originate successfully queued")
	})
	if _, err := r.Do(t.Context(), ami.NewAction("Originate")); err != nil {
		t.Error(err)
	}
	if m := r.expectEvent(t, "OriginateResponse"); m.Get("Reason") != "0" {
		t.Errorf("OriginateResponse is %q", m)
	}
}

// TestCapturesThroughTheClient plays every capture and compares the stream with the events of the file.
func TestCapturesThroughTheClient(t *testing.T) {
	srv := amitest.Start(t)
	r := up(t, srv.Options())
	for _, path := range transcripts(t) {
		srv.Play(path)
		srv.Send("Event: EndOfTranscript\r\n\r\n")
		names := map[string]int{}
		for {
			i := r.expect(t, ami.ItemEvent)
			if i.Message.Event() == "EndOfTranscript" {
				break
			}
			names[i.Message.Event()]++
		}
		want, lists := map[string]int{}, map[string]bool{}
		for _, m := range amitest.Transcript(t, path) {
			if id := m.Get("ActionID"); strings.HasPrefix(m.String(), "Response: ") {
				lists[id] = lists[id] || strings.EqualFold(m.Get("EventList"), "start")
			} else if id == "" || !lists[id] {
				want[m.Event()]++
			}
		}
		if diff := cmp.Diff(want, names); diff != "" && !strings.HasSuffix(path, "-channelvars.ami") {
			t.Errorf("%s (-file +stream):\n%s", path, diff)
		}
		for name, n := range want {
			if names[name] < n && !strings.Contains(name, "Event: ") && name != "" {
				t.Errorf("%s: %d %s, the file has %d", path, names[name], name, n)
			}
		}
	}
	if n := r.Stats().Torn; n < 3 {
		t.Errorf("%d torn messages were noticed", n)
	}
}

func TestTornCaptureLosesNoCall(t *testing.T) {
	srv := amitest.Start(t)
	r := up(t, srv.Options())
	srv.Play("testdata/captures/22-channelvars.ami")
	srv.Event("EndOfTranscript")
	channels, ended := map[string]bool{}, map[string]bool{}
	for {
		m := r.expect(t, ami.ItemEvent).Message
		switch m.Event() {
		case "Newchannel":
			channels[m.Get("Channel")] = true
		case "Hangup":
			ended[m.Get("Channel")] = true
		case "EndOfTranscript":
			if diff := cmp.Diff(channels, ended); diff != "" || len(channels) == 0 {
				t.Errorf("channels (-begun +ended):\n%s", diff)
			}
			return
		}
	}
}

func TestWantIsAskedByNameAlone(t *testing.T) {
	srv := amitest.Start(t)
	o := srv.Options()
	asked := make(chan string, 100)
	o.Want = func(event string) bool { asked <- event; return event == "Hangup" }
	r := run(t, o)
	r.expect(t, ami.ItemConnected)
	srv.WaitLogins(1)
	srv.Send("Event: VarSet\r\nEvent: Hangup\r\n\r\nX: y\r\n\r\nEvent: Hangup\r\n\r\n")
	r.expectEvent(t, "Hangup")
	var names []string
	for len(asked) > 0 {
		names = append(names, <-asked)
	}
	if diff := cmp.Diff([]string{"FullyBooted", "SuccessfulAuth", "VarSet", "", "Hangup"}, names); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if s := r.Stats(); s.Unwanted != 4 || s.Events != 1 || s.Torn != 1 {
		t.Errorf("stats are %+v", s)
	}
}

func TestTooLongMessages(t *testing.T) {
	srv := amitest.Start(t)
	r := up(t, srv.Options())
	long := strings.Repeat("x", 5<<20)
	srv.Handle("Getvar", func(s *amitest.Session, a ami.Action) {
		s.Event("Long", "X", long)
		s.Respond(a, "Success", "Value", long)
		s.Event("After")
	})
	var size *ami.SizeError
	if _, err := r.Do(t.Context(), ami.NewAction("Getvar")); !errors.As(err, &size) || size.Size < len(long) {
		t.Errorf("Do: %v", err)
	}
	r.expectEvent(t, "After")
	if n := r.Stats().Oversized; n != 2 {
		t.Errorf("%d were too long", n)
	}
}

func TestItemsOfOneReadHaveOneTime(t *testing.T) {
	srv := amitest.Start(t)
	r := up(t, srv.Options())
	begin := time.Now()
	srv.Send("Event: A\r\n\r\nEvent: B\r\n\r\n")
	a, b := r.expect(t, ami.ItemEvent), r.expect(t, ami.ItemEvent)
	if !a.At.Equal(b.At) || a.At.Before(begin) || time.Since(a.At) < 0 {
		t.Errorf("read at %s and %s", a.At, b.At)
	}
}

func TestRestartOfAsterisk(t *testing.T) {
	srv := amitest.Start(t)
	r := up(t, srv.Options())
	srv.Play("testdata/captures/16-restart.ami")
	srv.Drop()
	last := ""
	i := r.next(t)
	for ; i.Kind == ami.ItemEvent; i = r.next(t) {
		last = i.Message.Event()
	}
	if i.Kind != ami.ItemDisconnected || i.Err == nil {
		t.Errorf("after %s came %v", last, i)
	}
	r.expect(t, ami.ItemConnected)
	r.expectEvent(t, "FullyBooted")
}

func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "asterisk"}, DNSNames: []string{"asterisk.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	srv := amitest.Start(t, amitest.Options{TLS: &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}})
	o := srv.Options()
	o.TLS = &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "asterisk.test"}
	o.TLS.RootCAs.AddCert(leaf)
	r := up(t, o)
	srv.Event("Hangup")
	r.expectEvent(t, "Hangup")
	if _, err := r.Do(t.Context(), ami.NewAction("Ping")); err != nil {
		t.Error(err)
	}
	r.stop(t)

	o.TLS = &tls.Config{ServerName: "asterisk.test"}
	failed := make(failures, 10)
	o.Logger = slog.New(failed)
	run(t, o)
	if reason := <-failed; !strings.Contains(reason, "unknown authority") {
		t.Errorf("an unknown certificate: %s", reason)
	}
}

// failures is a log that passes on why the link is not up.
type failures chan string

func (f failures) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (f failures) WithAttrs([]slog.Attr) slog.Handler               { return f }
func (f failures) WithGroup(string) slog.Handler                    { return f }

func (f failures) Handle(_ context.Context, record slog.Record) error {
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" {
			f <- a.Value.String()
		}
		return true
	})
	return nil
}

func TestPhases(t *testing.T) {
	for p, want := range map[ami.Phase]string{
		ami.Idle: "idle", ami.Connecting: "connecting", ami.LoggingIn: "logging in", ami.Up: "up", ami.Waiting: "waiting",
	} {
		if got := fmt.Sprint(p); got != want {
			t.Errorf("phase is %q, want %q", got, want)
		}
	}
}

func TestErrorsSayNoPorts(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	failed := make(failures, 10)
	run(t, ami.Options{Address: address, Username: "u", Secret: "s", Logger: slog.New(failed)})
	if reason := <-failed; !strings.Contains(reason, address) || strings.Contains(reason, "->") {
		t.Errorf("refused: %s", reason)
	}
}
