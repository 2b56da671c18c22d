package pbx

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestOrderFromOutside rings an outside number first: its limit is kept, and the one dialled then is rung by that number.
// Asterisk tells the ringing of the number and that of the Local channel before it in either order.
func TestOrderFromOutside(t *testing.T) {
	const outside, half = "02155551111", "Local/02155551111@internal-00000001;"
	rules := testRules()
	begins := []string{half + "2", ""}
	for range 2 {
		s := newState(&rules)
		s.asked["7.c1"] = order{from: outside, number: "802", limit: 2 * time.Second}
		born := func(name, id string) { s.apply(row("Newchannel", name, id, "7.c1", "0"), time.Now()) }
		dial := func(event, from, to, id string) {
			more := []string{"DestChannel", to, "DestUniqueid", id, "DestLinkedid", "7.c1", "DialStatus", "ANSWER"}
			s.apply(row(event, from, "", "7.c1", "6", more...), time.Now())
		}
		born(half+"1", "7.c1")
		born(half+"2", "7.2")
		born("PJSIP/trunk-00000001", "7.3")
		for _, from := range begins {
			if from == "" {
				dial("DialBegin", "", half+"1", "7.c1")
			} else {
				dial("DialBegin", from, "PJSIP/trunk-00000001", "7.3")
			}
		}
		dial("DialEnd", half+"2", "PJSIP/trunk-00000001", "7.3")
		dial("DialEnd", "", half+"1", "7.c1")
		born("PJSIP/802-00000002", "7.4")
		dial("DialBegin", half+"1", "PJSIP/802-00000002", "7.4")
		dial("DialEnd", half+"1", "PJSIP/802-00000002", "7.4")
		var from []string
		for _, o := range s.out {
			if d, ok := o.Event.(DialBegun); ok {
				from = append(from, d.Leg.FromName)
			}
		}
		if want := []string{"", "PJSIP/trunk-00000001"}; !slices.Equal(from, want) {
			t.Errorf("%q first: rung by %q, want %q", begins[0], from, want)
		}
		if want := []limit{{half + "1", 2*time.Second + ringAllowance}, {half + "1", 2 * time.Second}}; !slices.Equal(s.limits, want) {
			t.Errorf("%q first: limits %v, want %v", begins[0], s.limits, want)
		}
		slices.Reverse(begins)
	}
}

// TestRecordsOfAnOrderFromOutside holds that such an order that is not answered has one record, with the number it was meant
// for and the end of its ringing, whether Asterisk tells its two before the end of the call or behind it; and that the same
// records of a call that nobody ordered here are told as they are.
func TestRecordsOfAnOrderFromOutside(t *testing.T) {
	const outside, half = "02155551111", "Local/02155551111@internal-00000001;"
	type record struct{ Source, Destination, Disposition string }
	ordered := []record{{outside, "802", "NO ANSWER"}}
	foreign := []record{{outside, outside, "FAILED"}, {"802", outside, "NO ANSWER"}}
	for _, c := range []struct {
		ordered, late bool
		want          []record
	}{{true, false, ordered}, {true, true, ordered}, {false, false, foreign}, {false, true, foreign}} {
		s := compositionState(cdrManager)
		if c.ordered {
			s.asked["7.c1"] = order{from: outside, number: "802"}
		}
		channels := [][2]string{{half + "1", "7.c1"}, {half + "2", "7.2"}, {"PJSIP/trunk-00000001", "7.3"}}
		for _, ch := range channels {
			s.apply(row("Newchannel", ch[0], ch[1], "7.c1", "0"), s.at)
		}
		s.apply(row("DialBegin", half+"2", "7.2", "7.c1", "4", "DestChannel", channels[2][0], "DestUniqueid", "7.3", "DestLinkedid", "7.c1"), s.at)
		told := func() {
			for i, r := range foreign {
				s.apply(amitest.NewEvent("Cdr", "UniqueID", channels[i][1], "Channel", channels[i][0], "Source", r.Source, "Destination", r.Destination,
					"Disposition", r.Disposition), s.at)
			}
		}
		if !c.late {
			told()
		}
		s.apply(row("DialEnd", half+"2", "7.2", "7.c1", "4", "DestChannel", channels[2][0], "DestUniqueid", "7.3", "DestLinkedid", "7.c1", "DialStatus", "CANCEL"), s.at)
		for _, ch := range channels {
			s.apply(row("Hangup", ch[0], ch[1], "7.c1", "4", "Cause", "0"), s.at)
		}
		if c.late {
			told()
		}
		var got []record
		for _, r := range records(s) {
			got = append(got, record{r.Source, r.Destination, r.Disposition})
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("ordered %v, late %v: %v, want %v", c.ordered, c.late, got, c.want)
		}
	}
}

// TestLimitsComeInOrder holds that the exact limit of a call comes behind the rough one, although both phones answer at once:
// Asterisk keeps the last one.
func TestLimitsComeInOrder(t *testing.T) {
	f := newFake(t)
	f.Handle("AbsoluteTimeout", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Timeout Set")
	})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	for range 20 {
		id, err := r.sw.Dial(context.Background(), DialRequest{From: "801", To: "802", Limit: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		own, other := string(id), "9."+string(id)
		dial := func(event, from, to, dest string) string {
			return row(event, from, own, own, "6", "DestChannel", to, "DestUniqueid", dest, "DestLinkedid", own, "DialStatus", "ANSWER").String() + "\r\n"
		}
		f.Send(row("Newchannel", "PJSIP/801-1", own, own, "0").String() + "\r\n" + dial("DialBegin", "", "PJSIP/801-1", own) + dial("DialEnd", "", "PJSIP/801-1", own) +
			row("Newchannel", "PJSIP/802-1", other, own, "0").String() + "\r\n" + dial("DialBegin", "PJSIP/801-1", "PJSIP/802-1", other) + dial("DialEnd", "PJSIP/801-1", "PJSIP/802-1", other))
		f.Wait("AbsoluteTimeout")
		if a := f.Wait("AbsoluteTimeout"); a.Get("Timeout") != "2" {
			t.Fatalf("the last limit is %s s", a.Get("Timeout"))
		}
		f.Send(row("Hangup", "PJSIP/802-1", other, own, "6").String() + "\r\n" + row("Hangup", "PJSIP/801-1", own, own, "6").String() + "\r\n")
	}
}
