package ola

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/internal/golden"
	"github.com/dialbridge/dialbridge/pbx"
)

// TestWhatGoesOnInACall holds how a hold, a consultation, a third party and a lost phone are told: in the event that clients know.
func TestWhatGoesOnInACall(t *testing.T) {
	at := time.UnixMilli(1795286308123)
	call := pbx.AgentCall{
		Channel: "1795286308.2", Other: "1795286308.1", Dialled: "4008000", Number: "13812345678", Trunk: "carrier", Picked: true, Answered: at, Remark: "order 7",
	}
	for name, now := range map[string]pbx.Situation{
		"talk":    {},
		"hold":    {Held: true},
		"pressed": {Held: true, Pressed: true},
		"consult": {Asks: true, Asking: "808", Question: "7f6bd195-0001"},
		"third":   {Third: []pbx.Exten{"808", "809"}},
	} {
		call.Now = now
		x := &pbx.Agent{Exten: "810", State: pbx.AgentBusy, Old: pbx.AgentReady, Queues: []pbx.QueueName{"630"}, Call: call, Away: name == "talk"}
		e := (&Rules{PrivateAnswer: "answer"}).happening(x, nil, at)
		golden.Compare(t, filepath.Join("testdata", "payloads", "event-"+name+".json"), append(encode(e), '\n'))
	}
}
