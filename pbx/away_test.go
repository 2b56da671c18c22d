package pbx

import (
	"path/filepath"
	"slices"
	"testing"
)

// TestPhonesComeAndGo: an agent whose phone unregisters is away until it is back, and told so once each time, the same by both drivers.
func TestPhonesComeAndGo(t *testing.T) {
	for _, version := range []string{"16", "22"} {
		_, events := replay(t, filepath.Join(captures, version+"-registration.ami"), func(st *state) {
			tech := map[string]string{"16": "SIP/", "22": "PJSIP/"}[version]
			x := st.exten("805")
			x.device, x.dev = tech+"805", Idle
			st.posted = true
			st.agents["805"] = &agent{Agent: Agent{Exten: "805", State: AgentLogout}}
		})
		var told []bool
		for _, o := range events {
			if e, is := o.Event.(AgentMoved); is && e.Agent.Exten == "805" {
				told = append(told, e.Agent.Away)
			}
		}
		if once := slices.Compact(slices.Clone(told)); len(told) < 2 || !slices.Equal(told, once) {
			t.Errorf("Asterisk %s: away %v", version, told)
		}
		t.Logf("Asterisk %s: away %v", version, told)
	}
}
