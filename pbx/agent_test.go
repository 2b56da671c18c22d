package pbx

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/internal/golden"
)

// TestAgentsOfCaptures tells what the agents of real queues did, the same on Asterisk 16 and 22.
func TestAgentsOfCaptures(t *testing.T) {
	for _, name := range []string{"ivr-queue", "ivr-queue-agent-bye", "queue-ringnoanswer", "queue-local-wrapup", "queue-abandon", "queueadmin", "originate"} {
		t.Run(name, func(t *testing.T) {
			told := map[string]string{}
			for _, version := range []string{"16", "22"} {
				_, events := replay(t, filepath.Join(captures, version+"-"+name+".ami"), func(st *state) {
					st.posted, st.rules.AfterWork = true, 5*time.Second
				})
				var agents []Occurrence
				for _, o := range events {
					if _, is := o.Event.(AgentChanged); is {
						agents = append(agents, o)
					}
				}
				told[version] = story(agents)
			}
			if told["16"] != told["22"] {
				t.Errorf("Asterisk 16:\n%s\nAsterisk 22:\n%s", told["16"], told["22"])
			}
			golden.Compare(t, filepath.Join("testdata", "agents", name+".golden"), []byte(told["22"]))
		})
	}
}
