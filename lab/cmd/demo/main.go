// Command demo shows the whole chain at work: a real Asterisk, real calls, and their events as they arrive at a
// customer's URL. It exits 0 only when every expected event came.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

// stage is everything that the demo needs, and what ends it.
type stage struct {
	lab      *lab.Lab
	receiver *bridge.Receiver
	daemon   *bridge.Daemon
	ann, bob *phone.Phone // 801 and 802
	outside  *phone.Phone // the provider: the public telephone network
	screen   *screen
	closers  []func() error
}

func run(ctx context.Context) (err error) {
	s := &stage{}
	defer func() {
		for i := len(s.closers) - 1; i >= 0; i-- {
			err = errors.Join(err, s.closers[i]())
		}
		if err == nil {
			fmt.Println("\nEverything is stopped and gone.")
		}
	}()
	if err := s.setUp(ctx); err != nil {
		return err
	}
	calls := []struct {
		title string
		make  func(context.Context) error
	}{
		{"A customer calls 021 8888 0001; Ann (801) answers, they talk, the customer hangs up.", s.inbound},
		{"The CRM clicks to dial: Ann's phone rings first, then Bob's (802); Bob hangs up.", s.click},
		{"Another customer calls; nobody answers, he gives up.", s.missed},
	}
	for i, c := range calls {
		s.screen.title(i+1, c.title)
		if err := c.make(ctx); err != nil {
			return fmt.Errorf("call %d: %w", i+1, err)
		}
		if err := s.screen.settle(ctx, i); err != nil {
			return fmt.Errorf("call %d: %w", i+1, err)
		}
	}
	return s.screen.summary()
}

func (s *stage) closeLater(f func() error) { s.closers = append(s.closers, f) }

// setUp starts Asterisk, the daemon and the receiver, and registers the phones.
func (s *stage) setUp(ctx context.Context) (err error) {
	fmt.Println("dialbridge demo: a real Asterisk 22, three real calls, their events at a customer's URL")
	fmt.Println()
	step := stepper{}
	defer step.end()
	step.begin("Asterisk 22 (Debian's package; the first time it is installed into a folder of its own, about a minute)")
	quiet := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if s.lab, err = lab.Start(ctx, lab.Options{Version: "22", Logger: quiet}); err != nil {
		return err
	}
	s.closeLater(s.lab.Close)
	step.begin("dialbridge, from this checkout")
	dir, err := os.MkdirTemp("", "dialbridge-demo-")
	if err != nil {
		return err
	}
	s.closeLater(func() error { return os.RemoveAll(dir) })
	binary, err := bridge.Build(ctx, dir, false)
	if err != nil {
		return err
	}
	if s.receiver, err = bridge.NewReceiver(ctx, s.lab.IP); err != nil {
		return err
	}
	s.closeLater(s.receiver.Close)
	start, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if s.daemon, err = bridge.Start(start, s.lab, bridge.Options{Binary: binary, Dir: dir, Receiver: s.receiver, WebKey: "asjdfjklkasdf"}); err != nil {
		return err
	}
	s.closeLater(s.daemon.Stop)
	step.begin("three telephones")
	if err := s.connect(ctx); err != nil {
		return err
	}
	step.end()
	fmt.Printf("\n  Asterisk  %s (manager), %s (SIP)\n  dialbridge %s/coocenter-api\n  receiver  %s\n", s.lab.AMIAddress, s.lab.SIPAddress, s.daemon.URL, s.receiver.URL)
	s.screen = newScreen(s.receiver)
	return nil
}

func (s *stage) connect(ctx context.Context) (err error) {
	if s.ann, err = s.lab.Phone(ctx, "801"); err != nil {
		return err
	}
	if s.bob, err = s.lab.Phone(ctx, "802"); err != nil {
		return err
	}
	if s.outside, err = s.lab.Trunk(ctx); err != nil {
		return err
	}
	_, err = s.receiver.Until(ctx, "the phones to be seen as registered", func(events []bridge.Event) bool {
		return free(events, "801") && free(events, "802")
	})
	return err
}

// free reports whether the last word about an extension is that it is idle.
func free(events []bridge.Event, exten string) bool {
	last := ""
	for _, e := range events {
		if e.Kind == "extensionstatus" && e.Fields["exten"] == exten {
			last = e.Fields["status"]
		}
	}
	return last == "0"
}

func (s *stage) inbound(ctx context.Context) error {
	s.ann.Behave(phone.Behaviour{RingFor: time.Second})
	c, err := s.outside.DialWith(ctx, "02188880001", phone.DialOptions{Number: "02155551234", Name: "Zhang San"})
	if err != nil {
		return err
	}
	if err := c.Answered(ctx); err != nil {
		return err
	}
	if err := c.Heard(ctx, 50); err != nil { // a second of Ann's voice
		return err
	}
	return c.Hangup(ctx)
}

func (s *stage) click(ctx context.Context) error {
	s.ann.Behave(phone.Behaviour{RingFor: time.Second})
	s.bob.Behave(phone.Behaviour{RingFor: time.Second, HangupAfter: 1500 * time.Millisecond})
	const path = "/coocenter-api/extensions/click-number"
	fmt.Printf("        curl -X POST %s%s -H \"Authorization: $(dialbridge token)\" -d 'src=801&dst=802'\n", s.daemon.URL, path)
	code, body, err := s.daemon.Post(ctx, path, "src", "801", "dst", "802")
	if err != nil {
		return err
	}
	if code != 200 {
		return fmt.Errorf("click-number: %d %s", code, body)
	}
	fmt.Printf("        %s", body)
	c, err := s.bob.Accept(ctx)
	if err != nil {
		return err
	}
	_, err = c.Ended(ctx)
	return err
}

func (s *stage) missed(ctx context.Context) error {
	s.ann.Behave(phone.Behaviour{Never: true})
	c, err := s.outside.DialWith(ctx, "02188880001", phone.DialOptions{Number: "02155559876", Name: "Li Si"})
	if err != nil {
		return err
	}
	if err := c.Ringing(ctx); err != nil {
		return err
	}
	select {
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.Cancel(ctx)
}
