package pbx

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestRingingUnseen: a phone that rings, and whose ringing began unseen, is told as rung, once, also when what Asterisk says of its beginning comes
// behind the list. Where it cannot be told who rings it, nothing is.
func TestRingingUnseen(t *testing.T) {
	const caller, rung = "PJSIP/801-00000001", "PJSIP/802-00000002"
	in := func(name, id, app, data string) ami.Message {
		return row("CoreShowChannel", name, id, "1.1", "6", "Application", app, "ApplicationData", data)
	}
	queued := in("PJSIP/trunk-00000004", "1.4", "Queue", "630,t")
	for name, test := range map[string]struct {
		by       string // what has made the channel that rings
		channels []ami.Message
		from     string // "" = not told
	}{
		"by a phone":             {"AppDial", []ami.Message{in(caller, "1.1", "Dial", "PJSIP/802,30,tT")}, caller},
		"one of two":             {"AppDial", []ami.Message{in(caller, "1.1", "Dial", "PJSIP/803&PJSIP/802,30")}, caller},
		"at its address":         {"AppDial", []ami.Message{in(caller, "1.1", "Dial", "PJSIP/802/sip:802@192.0.2.1:5060;ob&PJSIP/802/sip:802@192.0.2.2,,HhTtr")}, caller},
		"as a trunk":             {"AppDial", []ami.Message{in(caller, "1.1", "Dial", "PJSIP/02155550001@802,30")}, caller},
		"out of a queue":         {"AppQueue", []ami.Message{in(caller, "1.1", "Queue", "630,t")}, caller},
		"by who has answered":    {"AppDial", []ami.Message{in(caller, "1.1", "Dial", "PJSIP/802"), queued}, caller},
		"by who cannot be told":  {"AppDial", []ami.Message{in(caller, "1.1", "Dial", "${X}"), queued}, ""},
		"by somebody else":       {"AppDial", []ami.Message{in(caller, "1.1", "Dial", "PJSIP/8021,30")}, ""},
		"by two, who both do so": {"AppQueue", []ami.Message{in(caller, "1.1", "Queue", "630"), in("PJSIP/803-00000003", "1.3", "Queue", "631")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.channels = append(slices.Clone(test.channels), row("CoreShowChannel", rung, "1.2", "1.1", "5", "Application", test.by, "ApplicationData", "(Outgoing Line)"))
			r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
			r.complete()
			f.say(amitest.NewEvent("DialBegin", "Channel", caller, "Uniqueid", "1.1", "Linkedid", "1.1", "DestChannel", rung, "DestUniqueid", "1.2", "DestLinkedid", "1.1",
				"DialString", "802"))
			f.say(amitest.NewEvent("DialEnd", "Channel", caller, "Uniqueid", "1.1", "Linkedid", "1.1", "DestChannel", rung, "DestUniqueid", "1.2", "DestLinkedid", "1.1",
				"DialStatus", "CANCEL"))
			var began, atOnce []string
			for _, o := range r.until(func(e Event) bool { _, is := e.(DialEnded); return is }) {
				switch e := o.Event.(type) {
				case DialBegun:
					began = append(began, e.Leg.FromName+" "+e.Leg.ToName+" "+e.Leg.DialString)
				case PictureCompleted:
					atOnce = slices.Clone(began)
				}
			}
			if want := []string{caller + " " + rung + " 802"}; !slices.Equal(began, want) {
				t.Errorf("told %q, want %q", began, want)
			}
			if told := len(atOnce) > 0; told != (test.from != "") {
				t.Errorf("told with the list: %v", atOnce)
			}
		})
	}
}

// TestParkedUnseen: who was parked, and who was retrieved, while nobody listened.
func TestParkedUnseen(t *testing.T) {
	const parkee = "PJSIP/801-00000001"
	f := newFake(t)
	f.channels = []ami.Message{row("CoreShowChannel", parkee, "1.1", "1.1", "6", "BridgeId", "b1")}
	parked := []ami.Message{amitest.NewEvent("ParkedCall", "ParkeeChannel", parkee, "ParkeeUniqueid", "1.1", "ParkingSpace", "701", "ParkingDuration", "60")}
	f.Handle("ParkedCalls", func(s *amitest.Session, a ami.Action) {
		s.List(a, "Parked calls will follow", parked, "ParkedCallsComplete")
	})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	r.await(func(st *state) bool {
		sp := st.calls["1.1"].openSpan(SpanPark, "1.1")
		return sp != nil && sp.Place == "701" && st.at.Sub(sp.Start).Seconds() >= 60
	})
	f.Handle("ParkedCalls", func(s *amitest.Session, a ami.Action) {
		s.List(a, "Parked calls will follow", nil, "ParkedCallsComplete")
	})
	r.again(f)
	r.await(func(st *state) bool {
		return st.calls["1.1"].openSpan(SpanPark, "1.1") == nil && st.calls["1.1"].had(SpanPark)
	})
}
