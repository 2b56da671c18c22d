package ola

import (
	"net/http"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/pbx"
)

// TestQueueOverlay holds that the list of queues tells what the configuration says of a queue, each value in its type, and finds it by its name.
func TestQueueOverlay(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{rules: Rules{PrivateAnswer: "answer", Location: time.UTC, Queues: map[pbx.QueueName]map[string]string{
		"630": {"name": "销售", "agenttimeout": "25", "moh": "jazz", "takecallmanual": "true"},
	}}}).complete()
	var rows []map[string]any
	decode(t, r.request(http.MethodGet, "/api/ola/all_queues?name=销", "").Body.Bytes(), &rows)
	if len(rows) != 1 || rows[0]["uuid"] != 630.0 || rows[0]["name"] != "销售" || rows[0]["agenttimeout"] != 25.0 || rows[0]["moh"] != "jazz" ||
		rows[0]["takecallmanual"] != "true" || rows[0]["aidtmf"] != nil || rows[0]["chimfreq"] != 60.0 {
		t.Errorf("%v", rows)
	}
	decode(t, r.request(http.MethodGet, "/api/ola/all_queues", "").Body.Bytes(), &rows)
	if len(rows) != 3 {
		t.Errorf("%d queues", len(rows))
	}
}
