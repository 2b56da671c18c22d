package pbx

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// parties replays a capture with one agent, and returns with whom he was told to be, each change once. before is called with each event that
// is about to come.
func parties(t *testing.T, capture string, n Exten, before func(*state, ami.Message)) (list []string) {
	t.Helper()
	var st *state
	_, events := sift(t, filepath.Join(captures, capture+".ami"), func(s *state) {
		st, s.posted = s, true
		technology := map[string]string{"16": "SIP/", "22": "PJSIP/"}[capture[:2]]
		s.apply(amitest.NewEvent("QueueMemberAdded", "Queue", "630", "MemberName", "Agent", "Interface", technology+string(n), "Status", "1", "Paused", "0"),
			time.Unix(1795285000, 0))
	}, func(m ami.Message) bool {
		before(st, m)
		return true
	})
	for _, o := range events {
		if e, is := o.Event.(AgentChanged); is && e.Agent.Exten == n && e.Agent.Call.Channel != "" {
			if number := e.Agent.Call.Number; len(list) == 0 || list[len(list)-1] != number {
				list = append(list, number)
			}
		}
	}
	return list
}

// TestPartyOfWhoIsGivenACall: who takes a parked call, or is asked and then given the caller, is told whom he has.
func TestPartyOfWhoIsGivenACall(t *testing.T) {
	for _, version := range []string{"16", "22"} {
		for capture, want := range map[string][]string{
			"park":   {"701", "02112345678"},
			"atxfer": {"801", "02112345678", "801"}, // given the caller the first time alone
		} {
			if diff := cmp.Diff(want, parties(t, version+"-"+capture, "802", func(*state, ami.Message) {})); diff != "" {
				t.Errorf("%s of Asterisk %s: %s", capture, version, diff)
			}
		}
	}
}

// TestPartyOfWhoAsks: an agent has his caller while he asks somebody, when he is back, and to a daemon that is started meanwhile.
func TestPartyOfWhoAsks(t *testing.T) {
	for _, version := range []string{"16", "22"} {
		for _, restarts := range []bool{false, true} {
			restarted := map[*channel]bool{}
			got := parties(t, version+"-atxfer", "801", func(st *state, m ami.Message) {
				ch, a := st.channels[m.Get("Uniqueid")], st.agents["801"]
				switch {
				case ch == nil || ch.line != "801":
				case m.Event() == "Hold": // as Consult does
					ch.Aside = ch.Bridge
				case restarts && ch.Consulting && !restarted[ch]:
					restarted[ch] = true
					a.Call, a.shown = AgentCall{}, ""
				}
			})
			if diff := cmp.Diff([]string{"02112345678"}, got); diff != "" {
				t.Errorf("Asterisk %s, restarts %v: %s", version, restarts, diff)
			}
		}
	}
}
