package ami_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestActionsAreTimed: each action is counted once, under what its error says, with the time that it took.
func TestActionsAreTimed(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		srv.Silent("Originate")
		srv.Handle("Hangup", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", "No such channel") })
		r := up(t, srv.Options())
		for range 3 {
			if err := r.Sync(t.Context(), 7); err != nil {
				t.Fatal(err)
			}
			r.expect(t, ami.ItemSync)
		}
		if _, err := r.Do(t.Context(), ami.NewAction("Hangup")); err == nil {
			t.Fatal("a refused action succeeds")
		}
		short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := r.Do(short, ami.NewAction("Originate")); !errors.Is(err, ami.ErrUnknown) {
			t.Fatal(err)
		}
		if _, err := r.Do(short, ami.NewAction("Originate")); !errors.Is(err, ami.ErrOffline) {
			t.Fatal(err)
		}
		if _, err := r.List(t.Context(), ami.NewAction("Originate", "Channel", "a\r\nb")); err == nil {
			t.Fatal("an action of two lines is sent")
		}
		var got []string
		for _, a := range r.Actions() {
			n, slow := uint64(0), uint64(0)
			for i, c := range a.Counts {
				n += c
				if i >= len(ami.ActionBounds) || ami.ActionBounds[i] >= 2 {
					slow += c
				}
			}
			got = append(got, fmt.Sprintf("%s %s %d, %d of them 2 s and longer, %.0f s in all", a.Action, a.Outcome, n, slow, a.Sum))
		}
		want := "Hangup refused 1, 0 of them 2 s and longer, 0 s in all\n" +
			"Originate failed 1, 0 of them 2 s and longer, 0 s in all\n" +
			"Originate unknown 1, 1 of them 2 s and longer, 2 s in all\n" +
			"Originate unsent 1, 0 of them 2 s and longer, 0 s in all\n" +
			"Ping done 3, 0 of them 2 s and longer, 0 s in all"
		if text := strings.Join(got, "\n"); text != want {
			t.Errorf("got:\n%s\nwant:\n%s", text, want)
		}
	})
}

// TestActionNamesAreBounded: who makes names up does not fill the memory.
func TestActionNamesAreBounded(t *testing.T) {
	c := ami.New(ami.Options{})
	for i := range 1000 {
		if _, err := c.Do(t.Context(), ami.NewAction(fmt.Sprintf("Name%d", i))); !errors.Is(err, ami.ErrOffline) {
			t.Fatal(err)
		}
	}
	list := c.Actions()
	if len(list) != 257 {
		t.Fatalf("%d names, want 256 and one for the others", len(list))
	}
	for _, a := range list {
		n := uint64(0)
		for _, c := range a.Counts {
			n += c
		}
		if a.Action == "other" && n != 1000-256 || a.Action != "other" && n != 1 {
			t.Errorf("%s %s: %d", a.Action, a.Outcome, n)
		}
	}
}
