package pbx

import (
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami/amitest"
)

// TestNoExtensionOfAMachine sends the device states of what looks like a number and is no phone, as a conference of that number
// makes them: no extension comes of it.
func TestNoExtensionOfAMachine(t *testing.T) {
	rules := testRules()
	st := newState(&rules)
	for _, device := range []string{"CBAnn/900", "CBRec/900", "confbridge:900", "Local/900", "Queue:630", "Custom:DND801"} {
		for _, state := range []string{"INUSE", "NOT_INUSE"} {
			st.apply(amitest.NewEvent("DeviceStateChange", "Device", device, "State", state), time.Now())
		}
		if len(st.extens) != 0 || len(st.out) != 0 {
			t.Errorf("%s: extensions %v, events %v", device, st.extens, st.out)
		}
	}
	st.apply(amitest.NewEvent("DeviceStateChange", "Device", "PJSIP/801", "State", "NOT_INUSE"), time.Now())
	if len(st.extens) != 1 || len(st.out) != 1 {
		t.Errorf("PJSIP/801: extensions %v, events %v", st.extens, st.out)
	}
}
