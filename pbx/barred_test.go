package pbx

import (
	"context"
	"errors"
	"testing"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestBarred proves that nothing of an order to call a barred number reaches Asterisk, and that others are as before.
func TestBarred(t *testing.T) {
	r, f := consultRig(t, "b3")
	f.Handle("BlindTransfer", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Transfer succeeded")
		s.Message(row("Hangup", "PJSIP/802-00000002", "1.2", "1.1", "6", "Cause", "16"))
	})
	asked := map[string]bool{}
	r.sw.barred = func(_ context.Context, number string) (bool, error) {
		asked[number] = true
		return number == "5559999" || number == "118", nil
	}
	dial := func(from, to string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := r.sw.Dial(ctx, DialRequest{From: from, To: to})
			return err
		}
	}
	transfer := func(to string) func(context.Context) error {
		return func(ctx context.Context) error { return r.sw.Transfer(ctx, "802", to) }
	}
	consult := func(to string) func(context.Context) error {
		return func(ctx context.Context) error { return r.sw.Consult(ctx, "802", to) }
	}
	sent := func() int {
		return len(f.Received("Originate")) + len(f.Received("Getvar")) + len(f.Received("BlindTransfer")) + len(f.Received("Atxfer"))
	}
	for name, c := range map[string]struct {
		do    func(context.Context) error
		field string
	}{
		"dial":            {dial("801", "5559999"), "dst"},
		"dial from there": {dial("5559999", "801"), "src"},
		"a short number":  {dial("801", "118"), "dst"},
		"transfer":        {transfer("5559999"), "dst"},
		"consult":         {consult("5559999"), "dst"},
	} {
		var barred *BarredError
		if err := c.do(context.Background()); !errors.As(err, &barred) || barred.Field != c.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := sent(); n != 0 {
		t.Errorf("asterisk was asked %d times", n)
	}
	for name, do := range map[string]func(context.Context) error{"dial": dial("801", "5559998"), "dial from there": dial("5559998", "801"), "transfer": transfer("5559998")} {
		before := sent()
		if err := do(context.Background()); err != nil || sent() == before {
			t.Errorf("%s of a number that is not barred: %v, %d actions", name, err, sent()-before)
		}
	}
	if asked["801"] || asked["802"] || !asked["5559998"] {
		t.Errorf("asked for %v", asked)
	}
}

// TestBarredUnknown dials nothing while it cannot be learnt whether the number is barred, and reads a number as the
// dialplan does.
func TestBarredUnknown(t *testing.T) {
	broken := errors.New("disk")
	var asked string
	s := &Switch{barred: func(_ context.Context, number string) (bool, error) {
		asked = number
		return false, broken
	}}
	rules := testRules()
	if err := s.mayCall(context.Background(), &rules, "dst", "555-99-99"); !errors.Is(err, broken) || asked != "5559999" {
		t.Errorf("asked for %s: %v", asked, err)
	}
	s.barred = nil
	if err := s.mayCall(context.Background(), &rules, "dst", "5559999"); err != nil {
		t.Errorf("without a list: %v", err)
	}
}
