package pbx

import (
	"path/filepath"
	"testing"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// chair is a channel as two lists tell it: where it is, and whether it is being held there.
type chair struct{ name, id, bridge, app, held string }

func (f *fake) seats(list ...chair) {
	var channels, plights []ami.Message
	for _, c := range list {
		channels = append(channels, row("CoreShowChannel", c.name, c.id, "1.1", "6", "BridgeId", c.bridge, "Application", c.app))
		if c.held != "" {
			plights = append(plights, amitest.NewEvent("Status", "Channel", c.name, "Uniqueid", c.id, "BridgeID", c.bridge, "Variable", "CHANNEL(onhold)="+c.held))
		}
	}
	f.set(func() { f.channels = channels })
	f.Handle("Status", func(s *amitest.Session, a ami.Action) {
		s.List(a, "Channel status will follow", plights, "StatusComplete")
	})
}

// TestPressedUnseen holds what is taken over from who is being held, and what stays as it was because nothing can be told.
func TestPressedUnseen(t *testing.T) {
	const hers, his, third = "PJSIP/801-00000001", "PJSIP/802-00000002", "PJSIP/803-00000003"
	talk := []chair{{hers, "1.1", "b1", "Dial", "0"}, {his, "1.2", "b1", "AppDial", "0"}}
	for name, test := range map[string]struct {
		pressed bool    // by 802, before the link is lost
		then    []chair // when it is back
		want    bool
	}{
		"began":                  {false, []chair{{hers, "1.1", "b1", "Dial", "1"}, {his, "1.2", "b1", "AppDial", "0"}}, true},
		"ended":                  {true, talk, false},
		"the other's":            {true, []chair{{hers, "1.1", "b1", "Dial", "0"}, {his, "1.2", "b1", "AppDial", "1"}}, false},
		"not told":               {true, []chair{{hers, "1.1", "b1", "Dial", ""}, {his, "1.2", "b1", "AppDial", ""}}, true},
		"a third in the bridge":  {true, append([]chair{{third, "1.3", "b1", "AppDial", "0"}}, talk...), true},
		"a conference":           {true, []chair{{hers, "1.1", "b1", "ConfBridge", "0"}, {his, "1.2", "b1", "ConfBridge", "0"}}, true},
		"another bridge by then": {false, []chair{{hers, "1.1", "b1", "Dial", "0"}, {his, "1.2", "b2", "AppDial", "0"}, {third, "1.3", "b2", "AppDial", "1"}}, true},
		"asks by its own keys": {
			true, []chair{{hers, "1.1", "b1", "Dial", "1"}, {his, "1.2", "b2", "AppDial", "0"}, {"Local/804@internal-1;1", "1.4", "b2", "", "0"}}, true,
		},
		"asked, and who was held has gone": {true, []chair{{his, "1.2", "b2", "AppDial", "0"}, {"Local/804@internal-1;1", "1.4", "b2", "", "0"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.seats(talk...)
			r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
			r.complete()
			if test.pressed {
				f.say(row("Hold", his, "1.2", "1.1", "6"))
				r.await(func(st *state) bool { return st.channels["1.2"].Holding })
			}
			f.seats(test.then...)
			r.again(f)
			r.await(func(st *state) bool {
				holding := 0
				if test.want {
					holding = 1
				}
				return st.channels["1.2"].Holding == test.want && st.extens["802"].holding == holding
			})
		})
	}
}

// TestHoldsAnotherThanPressed: who was held by a phone has been replaced since. Asterisk does not hold the new one, and the phone still does.
func TestHoldsAnotherThanPressed(t *testing.T) {
	const hers, his, third = "PJSIP/801-00000001", "PJSIP/802-00000002", "PJSIP/803-00000003"
	for name, then := range map[string][]ami.Message{
		"in the same bridge": {row("BridgeEnter", third, "1.3", "1.1", "6", "BridgeUniqueid", "b1"), row("BridgeLeave", hers, "1.1", "1.1", "6", "BridgeUniqueid", "b1")},
		"in another bridge": {
			row("BridgeLeave", his, "1.2", "1.1", "6", "BridgeUniqueid", "b1"), row("BridgeEnter", third, "1.3", "1.1", "6", "BridgeUniqueid", "b2"),
			row("BridgeEnter", his, "1.2", "1.1", "6", "BridgeUniqueid", "b2"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.seats(chair{hers, "1.1", "b1", "Dial", "0"}, chair{his, "1.2", "b1", "AppDial", "0"}, chair{third, "1.3", "", "Dial", "0"})
			r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
			r.complete()
			f.say(row("Hold", his, "1.2", "1.1", "6"))
			bridge := ""
			for _, m := range then {
				f.say(m)
				bridge = m.Get("BridgeUniqueid")
			}
			r.await(func(st *state) bool {
				other := st.peerOf(st.channels["1.2"])
				return st.channels["1.2"].Holding && other != nil && other.ID == "1.3"
			})
			f.seats(chair{his, "1.2", bridge, "AppDial", "0"}, chair{third, "1.3", bridge, "Dial", "0"})
			r.again(f)
			r.await(func(st *state) bool { return st.channels["1.1"] == nil && st.channels["1.2"].Holding })
			f.say(row("Unhold", his, "1.2", "1.1", "6"))
			r.await(func(st *state) bool { return !st.channels["1.2"].Holding })
		})
	}
}

// TestAskingHoldsUnseen: the hold that is a part of a consultation by command is not taken for one that the phone has pressed.
func TestAskingHoldsUnseen(t *testing.T) {
	r, f := consultRig(t, "b3")
	if err := r.sw.Consult(t.Context(), "802", "801"); err != nil {
		t.Fatal(err)
	}
	f.seats(chair{"PJSIP/801-00000001", "1.1", "b1", "Dial", "1"}, chair{"PJSIP/802-00000002", "1.2", "b3", "AppDial", "0"},
		chair{"Local/801@from-internal-1;1", "1.9", "b3", "", "0"})
	r.again(f)
	r.await(func(st *state) bool {
		ch := st.channels["1.2"]
		now := st.situation("802", ch)
		return ch.Holding && ch.Parted && now.Asks && !now.Held && !now.Pressed
	})
}
