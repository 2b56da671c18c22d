package pbx

import (
	"path/filepath"
	"testing"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestParticulars: what a full query learns of a channel that the list of channels does not say.
func TestParticulars(t *testing.T) {
	for name, test := range map[string]struct {
		more               []string
		dialled, recording string
	}{
		"all of it":               {[]string{"DNID", "02188880001", "Variable", "MIXMONITOR_FILENAME=/var/a=b.wav"}, "02188880001", "/var/a=b.wav"},
		"nothing":                 {[]string{"DNID", "", "Variable", "MIXMONITOR_FILENAME=(null)"}, "802", ""},
		"a call without a number": {[]string{"DNID", "s"}, "802", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.channels = []ami.Message{row("CoreShowChannel", "PJSIP/trunk-00000001", "1.1", "1.1", "6")}
			f.Handle("Status", func(s *amitest.Session, a ami.Action) {
				s.List(a, "Channel status will follow", []ami.Message{row("Status", "PJSIP/trunk-00000001", "1.1", "1.1", "6", test.more...)}, "StatusComplete")
			})
			r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
			r.complete()
			r.await(func(st *state) bool { return st.channels["1.1"] != nil })
			calls, err := r.sw.Calls()
			if err != nil || len(calls) != 1 || calls[0].First.Dialled != test.dialled || calls[0].Recording != test.recording {
				t.Errorf("%+v, %v", calls, err)
			}
		})
	}
}
