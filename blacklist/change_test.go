package blacklist

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/pbx"
)

func TestAddAndRemove(t *testing.T) {
	a := newAsterisk(t)
	r := newRig(t, rigOptions{link: a.Options()})
	r.compared()
	start := time.Now().Truncate(time.Millisecond)
	for range 2 { // twice does no harm
		must(t, r.numbers.Add(r.ctx, " 123456 ", Inbound, "rings at night"))
		if diff := cmp.Diff(map[string]string{"/blacklist/123456": "1"}, withoutToken(a)); diff != "" {
			t.Fatalf("AstDB when Add has returned (-want +got):\n%s", diff)
		}
	}
	first, err := r.numbers.Get(r.ctx, "123456")
	must(t, err)
	if first.Ways != Inbound || first.Note != "rings at night" || first.CreatedAt.Before(start) || len(first.UUID) != 36 {
		t.Errorf("entry = %+v", first)
	}
	must(t, r.numbers.Add(r.ctx, "123456", Outbound, ""))
	both, err := r.numbers.Get(r.ctx, "123456")
	must(t, err)
	first.Ways = Both
	if diff := cmp.Diff(first, both); diff != "" {
		t.Errorf("the other way changed more than the ways (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"123456": "both"}, a.numbers()); diff != "" {
		t.Error(diff)
	}

	must(t, r.numbers.Remove(r.ctx, "123456", Inbound)) // leaves the other way
	if diff := cmp.Diff(map[string]string{"123456": "out"}, a.numbers()); diff != "" {
		t.Error(diff)
	}
	if err := r.numbers.Remove(r.ctx, "123456", Inbound); !errors.Is(err, pbx.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	must(t, r.numbers.Remove(r.ctx, "123456", Both))
	if got := r.listed(); len(got) != 0 || len(a.numbers()) != 0 {
		t.Errorf("listed = %v, AstDB = %v", got, a.numbers())
	}
	if _, err := r.numbers.Get(r.ctx, "123456"); !errors.Is(err, pbx.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	must(t, r.numbers.Add(r.ctx, "123456", Inbound, ""))
	again, err := r.numbers.Get(r.ctx, "123456")
	must(t, err)
	if again.UUID == first.UUID || again.Note != "" {
		t.Errorf("a number that was listed no more came back as it was: %+v", again)
	}
}

func withoutToken(a *asterisk) map[string]string {
	entries := a.copy()
	delete(entries, "/"+tokenFamily+"/"+tokenKey)
	return entries
}

func TestSet(t *testing.T) {
	a := newAsterisk(t)
	r := newRig(t, rigOptions{link: a.Options()})
	r.compared()
	if err := r.numbers.Set(r.ctx, "5551", Both); !errors.Is(err, pbx.ErrNotFound) {
		t.Errorf("unknown number: %v", err)
	}
	must(t, r.numbers.Add(r.ctx, "5551", Inbound, "n"))
	for ways, want := range map[Way]string{Outbound: "out", Both: "both", Inbound: "in"} {
		must(t, r.numbers.Set(r.ctx, "5551", ways))
		if diff := cmp.Diff(map[string]string{"5551": want}, a.numbers()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]string{"5551": want}, r.listed()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestList(t *testing.T) {
	r := newRig(t, rigOptions{idle: true})
	for number, ways := range map[string]Way{"1001": Inbound, "2001": Outbound, "1002": Both, "*30": Inbound} {
		must(t, r.numbers.Add(r.ctx, number, ways, ""))
	}
	for want, f := range map[string]Filter{
		"*30 1001 1002 2001": {},
		"*30 1001 1002":      {Ways: Inbound},
		"1002 2001":          {Ways: Outbound},
		"1002":               {Ways: Both},
		"*30 1001":           {Ways: Inbound, Exact: true},
		"1001 1002":          {Contains: "100"},
		"1001":               {Contains: "1", Ways: Inbound, Exact: true},
		"":                   {Contains: "%"},
	} {
		list, err := r.numbers.List(r.ctx, f)
		must(t, err)
		var got []string
		for _, e := range list {
			got = append(got, e.Number)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%+v: %v, want %s", f, got, want)
		}
	}
	for _, c := range []struct {
		number string
		ways   Way
		want   bool
	}{
		{"1001", Inbound, true}, {"1001", Outbound, false}, {"1001", Both, false}, {"1002", Both, true},
		{"+1001", Inbound, false}, {"001001", Inbound, false}, {"100", Inbound, false}, {"10011", Inbound, false},
		{"", Inbound, false}, {"' OR 1=1 --", Inbound, false},
	} {
		if got, err := r.numbers.Listed(r.ctx, c.number, c.ways); got != c.want || err != nil {
			t.Errorf("listed %q %d = %v, %v", c.number, c.ways, got, err)
		}
	}
}

func TestHostileParameters(t *testing.T) {
	a := newAsterisk(t)
	r := newRig(t, rigOptions{link: a.Options()})
	r.compared()
	sent := len(a.Received("DBPut")) + len(a.Received("DBGet"))
	for _, number := range []string{
		"", " ", "1/2", "../1", "1\r\nAction: Originate", "1\n2", "1\x00", "abc", "1 2", "۱۲۳", "１２３", strings.Repeat("1", 33), "${EVAL(1)}", "1%", "1_", "1-2",
	} {
		var invalid *pbx.InvalidError
		if err := r.numbers.Add(r.ctx, number, Inbound, ""); !errors.As(err, &invalid) || invalid.Field != "number" {
			t.Errorf("add %q: %v", number, err)
		}
		if err := r.numbers.Remove(r.ctx, number, Inbound); !errors.As(err, &invalid) {
			t.Errorf("remove %q: %v", number, err)
		}
		if err := r.numbers.Set(r.ctx, number, Inbound); !errors.As(err, &invalid) {
			t.Errorf("set %q: %v", number, err)
		}
		if _, err := r.numbers.Get(r.ctx, number); !errors.As(err, &invalid) {
			t.Errorf("get %q: %v", number, err)
		}
	}
	for _, note := range []string{"a\nb", "a\x00b", "\xff", strings.Repeat("长", 256)} {
		var invalid *pbx.InvalidError
		if err := r.numbers.Add(r.ctx, "1", Inbound, note); !errors.As(err, &invalid) || invalid.Field != "note" {
			t.Errorf("note %q: %v", note, err)
		}
	}
	for _, ways := range []Way{0, 4, 7, 255} {
		var invalid *pbx.InvalidError
		if err := r.numbers.Add(r.ctx, "1", ways, ""); !errors.As(err, &invalid) || invalid.Field != "direction" {
			t.Errorf("ways %d: %v", ways, err)
		}
	}
	if now := len(a.Received("DBPut")) + len(a.Received("DBGet")); now != sent {
		t.Errorf("asterisk was asked %d times", now-sent)
	}
	must(t, r.numbers.Add(r.ctx, strings.Repeat("+*#09", 6)+"12", Inbound, strings.Repeat("长", 255)))
}

// TestEnteredOnAPhone is what AstDB's other writers do while the link is up.
func TestEnteredOnAPhone(t *testing.T) {
	a := newAsterisk(t)
	r := newRig(t, rigOptions{link: a.Options()})
	r.compared()
	foreign := map[string]string{
		"/blacklist/dest": "app-blackhole,hangup,1", "/blacklist/blocked": "1", "/blacklist/Evil Corp": "1", "/blacklist/1/2": "1",
		"/blacklistXout/5559": "1", "/BLACKLIST/5558": "1",
	}
	a.edit(func(entries map[string]string) {
		entries["/blacklist/5551"] = "1"
		entries["/blacklist/5552"] = "sells windows, 推销"
		entries["/blacklist_out/5552"] = "x"
		entries["/blacklist/5553"] = "\xff"
		for key, value := range foreign {
			entries[key] = value
		}
	})
	if diff := cmp.Diff(map[string]string{"5551": "in", "5552": "both", "5553": "in"}, r.listed()); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if e, err := r.numbers.Get(r.ctx, "5552"); err != nil || e.Note != "sells windows, 推销" {
		t.Errorf("note of FreePBX: %+v, %v", e, err)
	}
	a.edit(func(entries map[string]string) { delete(entries, "/blacklist/5551") })
	if diff := cmp.Diff(map[string]string{"5552": "both", "5553": "in"}, r.listed()); diff != "" {
		t.Errorf("taken off on the phone (-want +got):\n%s", diff)
	}

	a.edit(func(entries map[string]string) { entries["/blacklist/5554"] = "1" })
	must(t, r.numbers.Remove(r.ctx, "5554", Inbound)) // although nobody has looked since
	if err := r.numbers.Remove(r.ctx, "5554", Inbound); !errors.Is(err, pbx.ErrNotFound) {
		t.Errorf("second remove: %v", err)
	}
	a.edit(func(entries map[string]string) { entries["/blacklist/5555"] = "1" })
	must(t, r.numbers.Set(r.ctx, "5555", Outbound))
	a.edit(func(entries map[string]string) { delete(entries, "/blacklist/5553") })
	must(t, r.numbers.Add(r.ctx, "5553", Inbound, "")) // listed as far as the table knows
	want := map[string]string{"5552": "both", "5553": "in", "5555": "out"}
	if diff := cmp.Diff(want, r.listed()); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	for key, value := range foreign {
		if got := a.copy()[key]; got != value {
			t.Errorf("%s = %q: others' entries were touched", key, got)
		}
	}
	if st, err := r.numbers.Status(r.ctx); err != nil || st.Ignored != 4 || st.Entries != 3 {
		t.Errorf("status = %+v, %v", st, err)
	}
}

// TestCallerDoesNotWaitForever is an Asterisk that takes an action and never answers.
func TestCallerDoesNotWaitForever(t *testing.T) {
	a := newAsterisk(t)
	r := newRig(t, rigOptions{link: a.Options()})
	r.compared()
	a.Silent("DBPut")
	start := time.Now()
	must(t, r.numbers.Add(r.ctx, "5551", Inbound, ""))
	if took := time.Since(start); took < patience {
		t.Errorf("it took %v, want the whole patience of %v", took, patience)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	if err := r.numbers.Refresh(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("refresh of somebody who has gone: %v", err)
	}
	if ok, err := r.numbers.Listed(r.ctx, "5551", Inbound); !ok || err != nil {
		t.Errorf("listed = %v, %v", ok, err)
	}
	a.Drop()
}

// TestPrivilegeIsMissing keeps changes until the manager user may make them.
func TestPrivilegeIsMissing(t *testing.T) {
	a := newAsterisk(t)
	refuse := func(s *amitest.Session, action ami.Action) {
		s.Respond(action, "Error", "Message", "Permission denied")
	}
	put := func(s *amitest.Session, action ami.Action) {
		a.edit(func(entries map[string]string) {
			entries["/"+action.Get("Family")+"/"+action.Get("Key")] = action.Get("Val")
		})
		s.Respond(action, "Success", "Message", "Updated database successfully")
	}
	a.Handle("DBPut", refuse)
	r := newRig(t, rigOptions{link: a.Options()})
	until(t, "the picture", func() bool { return r.sw.Status().Complete })
	must(t, r.numbers.Add(r.ctx, "5551", Inbound, ""))
	if st, err := r.numbers.Status(r.ctx); err != nil || st.Pending != 1 || !errors.Is(st.Err, pbx.ErrForbidden) {
		t.Errorf("status = %+v, %v", st, err)
	}
	a.Handle("DBPut", put)
	r.compared()
	if diff := cmp.Diff(map[string]string{"5551": "in"}, a.numbers()); diff != "" {
		t.Error(diff)
	}
}

// TestManyAtOnce adds and removes from many sides.
func TestManyAtOnce(t *testing.T) {
	a := newAsterisk(t)
	r := newRig(t, rigOptions{link: a.Options()})
	r.compared()
	want := map[string]string{}
	for i := range 8 {
		want[fmt.Sprintf("555%d", i)] = "in"
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			own, shared := fmt.Sprintf("555%d", i), "777"
			for range 20 {
				for _, err := range []error{
					r.numbers.Add(r.ctx, own, Both, ""), r.numbers.Add(r.ctx, shared, Inbound, ""), r.numbers.Remove(r.ctx, own, Outbound),
				} {
					if err != nil {
						t.Error(err)
					}
				}
				if err := r.numbers.Remove(r.ctx, shared, Inbound); err != nil && !errors.Is(err, pbx.ErrNotFound) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	r.compared()
	if diff := cmp.Diff(want, r.listed()); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, a.numbers()); diff != "" {
		t.Errorf("AstDB (-want +got):\n%s", diff)
	}
}

func TestNothingRuns(t *testing.T) {
	r := newRig(t, rigOptions{idle: true})
	start := time.Now()
	must(t, r.numbers.Add(r.ctx, "5551", Inbound, ""))
	if err := r.numbers.Refresh(r.ctx); !errors.Is(err, pbx.ErrOffline) {
		t.Errorf("refresh: %v", err)
	}
	if time.Since(start) > patience {
		t.Error("a change waited for a loop that does not run")
	}
}
