package blacklist

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/pbx"
)

func TestSuspect(t *testing.T) {
	r := newRig(t, rigOptions{idle: true})
	at := time.Now()
	inbound := pbx.Call{ID: "1.1", Direction: pbx.Inbound, First: pbx.Channel{
		ID: "1.1", Name: "PJSIP/trunk-1", State: "4", Caller: pbx.Party{Number: "5551"}, Context: "from-trunk", Exten: "123456", Dialled: "123456",
	}}
	outbound := pbx.Call{ID: "1.1", Direction: pbx.Outbound, First: pbx.Channel{
		ID: "1.1", Name: "PJSIP/801-1", State: "4", Caller: pbx.Party{Number: "801"}, Context: "from-internal", Exten: "5552", Dialled: "5552",
	}}
	for name, change := range map[string]func(*pbx.Call){
		"as it is":                 func(*pbx.Call) {},
		"chan_sip":                 func(c *pbx.Call) { c.First.State = "0" },
		"analogue line":            func(c *pbx.Call) { c.First.Exten = "s" },
		"dialled by a command":     func(c *pbx.Call) { c.First.State, c.First.Exten = "0", "s" },
		"without an extension":     func(c *pbx.Call) { c.First.State, c.First.Exten = "0", "" },
		"answered":                 func(c *pbx.Call) { c.First.State = "6" },
		"answered long ago":        func(c *pbx.Call) { c.First.Answered = at },
		"internal":                 func(c *pbx.Call) { c.Direction = pbx.Internal },
		"number withheld":          func(c *pbx.Call) { c.First.Caller.Number = "" },
		"another channel is known": func(c *pbx.Call) { c.First.ID = "1.2" },
		"a leg that was rung":      func(c *pbx.Call) { c.First.Called = true },
		"through a Local channel":  func(c *pbx.Call) { c.First.Name = "Local/123456@from-trunk-1;1" },
		"to an extension":          func(c *pbx.Call) { c.First.Dialled = "802" },
		"nothing dialled":          func(c *pbx.Call) { c.First.Dialled = "" },
		"another line":             func(c *pbx.Call) { c.First.Name = "PJSIP/gateway-1" },
	} {
		want := map[string][2]string{
			"as it is": {"5551", "5552"}, "chan_sip": {"5551", "5552"}, "analogue line": {"5551", "5552"}, "internal": {"", "5552"},
			"number withheld": {"", "5552"}, "to an extension": {"5551", ""}, "nothing dialled": {"5551", ""}, "another line": {"5551", ""},
		}[name]
		for i, call := range []pbx.Call{inbound, outbound} {
			change(&call)
			number, way := r.numbers.suspect(call)
			if number != want[i] || number != "" && way != []Way{Inbound, Outbound}[i] || number == "" && way != 0 {
				t.Errorf("%s, call %d: number %q way %d, want %q", name, i, number, way, want[i])
			}
		}
	}
}

// TestGuardOfTheWayOut lets phones dial many numbers and counts which calls are refused.
func TestGuardOfTheWayOut(t *testing.T) {
	a := newAsterisk(t)
	hangUps(a)
	r := newRig(t, rigOptions{link: a.Options(), guard: true})
	r.compared()
	for number, ways := range map[string]Way{"02155501": Inbound, "02155502": Outbound, "02155503": Both, "118": Outbound, "1180": Outbound} {
		must(t, r.numbers.Add(r.ctx, number, ways, ""))
	}
	dials(a, "1.1", "PJSIP/801", "02155501") // shut out of the other way only
	dials(a, "1.2", "PJSIP/801", "002155502")
	dials(a, "1.3", "PJSIP/801", "0215550")
	dials(a, "1.4", "PJSIP/801", "118") // an extension
	dials(a, "1.5", "PJSIP/gateway", "02155502")
	dials(a, "1.6", "PJSIP/801", "02155502")
	dials(a, "1.7", "SIP/802", "02155503")
	dials(a, "1.8", "PJSIP/801", "1180")
	for range 3 {
		a.Wait("Hangup")
	}
	r.numbers.Configure(false)
	dials(a, "2.1", "PJSIP/801", "02155502")
	until(t, "the call to be in the picture", func() bool {
		calls, err := r.sw.Calls()
		return err == nil && slices.ContainsFunc(calls, func(c pbx.Call) bool { return c.ID == "2.1" })
	})
	must(t, r.numbers.Remove(r.ctx, "02155502", Outbound))
	r.numbers.Configure(true)
	dials(a, "2.2", "PJSIP/801", "02155502")
	dials(a, "2.3", "PJSIP/801", "02155503")
	a.Wait("Hangup")
	r.stop()
	if got := refused(a); got != "1.6 1.7 1.8 2.3" {
		t.Errorf("refused: %s", got)
	}
	if cause := a.Received("Hangup")[0].Get("Cause"); cause != "21" {
		t.Errorf("cause %s", cause)
	}
}

// dials tells of a phone, or of another line, that dials.
func dials(a *asterisk, id, device, number string) {
	a.Event("Newchannel", "Channel", device+"-"+id, "ChannelState", "4", "ChannelStateDesc", "Ring", "CallerIDNum", "801",
		"CallerIDName", "<unknown>", "ConnectedLineNum", "<unknown>", "Context", "from-internal", "Exten", number, "Priority", "1",
		"Uniqueid", id, "Linkedid", id)
}

// TestGuard lets calls of many numbers in and counts who is refused.
func TestGuard(t *testing.T) {
	a := newAsterisk(t)
	hangUps(a)
	r := newRig(t, rigOptions{link: a.Options(), guard: true})
	r.compared()
	must(t, r.numbers.Add(r.ctx, "02155501", Inbound, ""))
	must(t, r.numbers.Add(r.ctx, "02155502", Outbound, ""))
	must(t, r.numbers.Add(r.ctx, "02155503", Both, ""))
	begin(a, "1.1", "from-trunk", "02155502")   // shut out of the other way only
	begin(a, "1.2", "from-trunk", "+02155501")  // another number
	begin(a, "1.3", "from-trunk", "0002155501") // another
	begin(a, "1.4", "from-trunk", "2155501")
	begin(a, "1.5", "from-internal", "02155501") // not from outside
	begin(a, "1.6", "from-trunk", "<unknown>")
	begin(a, "1.7", "from-trunk", "02155501")
	begin(a, "1.8", "from-trunk", "02155503")
	a.Wait("Hangup")
	a.Wait("Hangup")
	if got := refused(a); got != "1.7 1.8" {
		t.Errorf("refused: %s", got)
	}
	if cause := a.Received("Hangup")[0].Get("Cause"); cause != "21" {
		t.Errorf("cause %s", cause)
	}

	r.numbers.Configure(false)
	begin(a, "2.1", "from-trunk", "02155501")
	until(t, "the call to be in the picture", func() bool {
		calls, err := r.sw.Calls()
		return err == nil && slices.ContainsFunc(calls, func(c pbx.Call) bool { return c.ID == "2.1" })
	})
	must(t, r.numbers.Remove(r.ctx, "02155501", Inbound)) // before the guard is back, which may hear of 2.1 only now
	r.numbers.Configure(true)
	begin(a, "2.2", "from-trunk", "02155501")
	begin(a, "2.3", "from-trunk", "02155503")
	a.Wait("Hangup")
	r.stop()
	if got := refused(a); got != "1.7 1.8 2.3" {
		t.Errorf("refused: %s", got)
	}
}

// TestGuardAtTheStart ends what rings already, and leaves alone who talks.
func TestGuardAtTheStart(t *testing.T) {
	a := newAsterisk(t)
	hangUps(a)
	channel := func(id, state string) ami.Message {
		return amitest.NewEvent("CoreShowChannel", "Channel", "PJSIP/trunk-"+id, "Uniqueid", id, "Linkedid", id, "ChannelState", state,
			"CallerIDNum", "02155501", "Context", "from-trunk", "Exten", "123456", "Duration", "00:00:05")
	}
	a.Handle("CoreShowChannels", func(s *amitest.Session, m ami.Action) {
		s.List(m, "Channels will follow", []ami.Message{channel("1.1", "6"), channel("1.2", "4")}, "CoreShowChannelsComplete")
	})
	path := filepath.Join(t.TempDir(), "a.db")
	off := newRig(t, rigOptions{path: path, idle: true})
	must(t, off.numbers.Add(off.ctx, "02155501", Inbound, ""))
	off.stop()
	r := newRig(t, rigOptions{link: a.Options(), path: path, guard: true})
	if got := a.Wait("Hangup").Get("Channel"); got != "1.2" {
		t.Errorf("refused: %s", got)
	}
	r.compared()
	begin(a, "1.3", "from-trunk", "02155501")
	a.Wait("Hangup")
	r.stop()
	if got := refused(a); got != "1.2 1.3" {
		t.Errorf("refused: %s", got)
	}
}

// refused lists the channels that were ended, in the order of their ids.
func refused(a *asterisk) string {
	var ids []string
	for _, action := range a.Received("Hangup") {
		ids = append(ids, action.Get("Channel"))
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// begin tells of a channel that begins.
func begin(a *asterisk, id, context, caller string) {
	a.Event("Newchannel", "Channel", "PJSIP/trunk-"+id, "ChannelState", "4", "ChannelStateDesc", "Ring", "CallerIDNum", caller,
		"CallerIDName", "<unknown>", "ConnectedLineNum", "<unknown>", "Context", context, "Exten", "123456", "Priority", "1",
		"Uniqueid", id, "Linkedid", id)
}

func hangUps(a *asterisk) {
	a.Handle("Hangup", func(s *amitest.Session, m ami.Action) { s.Respond(m, "Success", "Message", "Channel Hungup") })
}
