package coocenter

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/internal/golden"
)

// drawn is what differs from run to run.
var drawn = []golden.Drawn{
	{What: regexp.MustCompile(`\d{10}\.c[0-9a-f]{14}`), With: "ID"},
	{What: regexp.MustCompile(`(ActionID: .*)-\d+`), With: "$1-N"},
	{What: regexp.MustCompile(`"duration":"00:0[12]:\d\d"`), With: `"duration":"AGE"`},
}

// TestExchanges plays testdata/api/*.txtar.
func TestExchanges(t *testing.T) {
	golden.Exchanges(t, func(t *testing.T) golden.Stage {
		fake := newAsterisk(t)
		fake.channels = liveChannels()
		r := newRig(t, fake, rigOptions{}).complete().history()
		return golden.Stage{
			Request: r.request, Actions: r.told, After: r.nothingElse, Drawn: drawn,
			Headers: []string{"Content-Type", "Allow", "Retry-After", "X-Request-Id"},
		}
	})
}

// told are the actions of caused as text.
func (r *rig) told() (list []string) {
	for _, a := range r.caused() {
		list = append(list, amitest.Text(a))
	}
	return list
}

// nothingElse proves that no action came late: what Asterisk gets comes in its order.
func (r *rig) nothingElse(played *txtar.Archive) {
	r.t.Helper()
	known := 1
	for _, file := range played.Files {
		known += bytes.Count(file.Data, []byte("\nActionID: "))
	}
	r.request("POST", "/coocenter-api/extensions/hangup", "extension=810", "X-Request-Id", "request-1")
	if n := len(r.caused()); n != known {
		r.t.Errorf("Asterisk got %d actions, of which %d are known", n, known)
	}
}

// caused lists the actions that Asterisk has got, without those by which the picture is kept.
func (r *rig) caused() (list []ami.Action) {
	for _, a := range r.fake.Received("") {
		if strings.HasPrefix(a.Get("ActionID"), "request-") {
			list = append(list, a)
		}
	}
	return list
}

// liveChannels are two calls: 808 talks to 809 over a Local channel, and a caller from outside waits.
func liveChannels() []ami.Message {
	row := func(name, id, linked, bridge, state, desc, num, callerName, connected, connectedName, duration string) ami.Message {
		return amitest.NewEvent("CoreShowChannel", "BridgeId", bridge, "Channel", name, "ChannelState", state, "ChannelStateDesc", desc, "CallerIDNum", num,
			"CallerIDName", callerName, "ConnectedLineNum", connected, "ConnectedLineName", connectedName, "Context", "from-internal",
			"Exten", "809", "Uniqueid", id, "Linkedid", linked, "Duration", duration)
	}
	return []ami.Message{
		row("PJSIP/808-0000000a", "1795286308.1", "1795286308.1", "b1", "6", "Up", "808", "Wang", "809", "Li", "00:01:20"),
		row("Local/809@queue-00000001;1", "1795286308.2", "1795286308.1", "b1", "6", "Up", "809", "", "808", "Wang", "00:01:20"),
		row("Local/809@queue-00000001;2", "1795286308.3", "1795286308.1", "b2", "6", "Up", "808", "Wang", "809", "Li", "00:01:20"),
		row("PJSIP/809-0000000b", "1795286308.4", "1795286308.1", "b2", "6", "Up", "809", "Li", "808", "Wang", "00:01:20"),
		row("SIP/trunk-0000000c", "1795286310.5", "1795286310.5", "", "4", "Ring", "02112345678", `"张三" <x>`, "<unknown>", "<unknown>", "00:01:10"),
	}
}
