package coocenter

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/internal/golden"
	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

// read is when all events of these tests were read from Asterisk.
var read = time.Date(2018, 8, 23, 2, 57, 39, 785012999, time.UTC)

// translated is what the dialect makes of one event of the core.
func translated(t *testing.T, rules Rules, stamp string, event pbx.Event) (webhook.Event, bool) {
	t.Helper()
	e, ok, err := rules.translate(pbx.Occurrence{Seq: 7, At: read, Stamp: stamp, Event: event})
	if err != nil {
		t.Fatal(err)
	}
	return e, ok
}

func legToSIP() pbx.Leg {
	return pbx.Leg{
		From: pbx.Party{Number: "18782985586", Name: "Zhang"}, FromName: "DAHDI/i1/18782985586-51",
		To: pbx.Party{Number: "886", Name: "Li"}, ToName: "SIP/886-00000065", ToID: "1534993059.630", DialString: "886",
	}
}

func legToPJSIP() pbx.Leg {
	return pbx.Leg{
		From: pbx.Party{Number: "808"}, FromName: "PJSIP/808-0000000a",
		To: pbx.Party{Number: "809"}, ToName: "PJSIP/809-0000000b", ToID: "1795286308.12", DialString: "809/sip:809@192.168.12.4:5060",
	}
}

func ended(l pbx.Leg, status string) pbx.DialEnded {
	l.Ended, l.Status = true, status
	return pbx.DialEnded{Call: "1534993030.626", Leg: l}
}

func channel(name, number, callerName, connected, connectedName string) pbx.Channel {
	return pbx.Channel{
		Name: name, ID: "1325747409.261", Linked: "1325747409.260",
		Caller: pbx.Party{Number: number, Name: callerName}, Connected: pbx.Party{Number: connected, Name: connectedName},
	}
}

func sampleCDR() pbx.CDR {
	return pbx.CDR{
		UniqueID: "1325747409.260", CallerID: `"808" <808>`, Source: "808", Destination: "809", DestinationContext: "from-internal",
		Channel: "SIP/808-00000001", DestinationChannel: "SIP/809-00000002", LastApplication: "Dial", LastData: "SIP/809,30",
		Start: "2012-01-05 15:10:09", Answer: "2012-01-05 15:10:10", End: "2012-01-05 15:10:11", Duration: "2", Billable: "1",
		Disposition: "ANSWERED",
	}
}

// sampleMenu is the stay in a menu of the vendor's page.
func sampleMenu() pbx.MenuLeft {
	entered := time.Date(2018, 11, 8, 10, 21, 29, 0, time.UTC)
	c := channel("SIP/trunk-00000001", "810", "", "", "")
	c.ID, c.Dialled = "1541643689.15", "123456"
	return pbx.MenuLeft{
		Call: pbx.Call{ID: "1541643689.15", First: c, Direction: pbx.Inbound}, Channel: c,
		Visit: pbx.Visit{
			Menu: pbx.Menu{ID: "610", Name: "working time"}, Context: "ivr-610", Number: 1, Digits: "0",
			Entered: entered, Left: entered.Add(3 * time.Second), Queue: "630",
		},
	}
}

// hungUpInMenu is the stay of a colleague who pressed nothing and went away.
func hungUpInMenu() pbx.MenuLeft {
	e := sampleMenu()
	e.Call.Direction, e.Visit.Queue, e.Visit.Digits, e.Visit.Menu.Name = pbx.Internal, "", "", ""
	return e
}

// TestVendorsSamples compares with the samples of the vendor's page, written as strict JSON.
func TestVendorsSamples(t *testing.T) {
	rules := sampleRules()
	call := pbx.Call{ID: "1325747409.260", First: channel("SIP/808-00000001", "808", "808", "809", "809")}
	for name, c := range map[string]struct {
		event pbx.Event
		want  string
	}{
		"dialbegin": {
			pbx.DialBegun{Call: "1534993030.626", Leg: legToSIP()},
			`{"event":"dialbegin","timestamp":"1534993059.785012","channel":"DAHDI/i1/18782985586-51","calleridnum":"18782985586","destchannel":"SIP/886-00000065","destcalleridnum":"886","destuniqueid":"1534993059.630","dialstring":"SIP/886","uniqueid":"1534993030.626","mac":"68:69:2e:05:0f:9a"}`,
		},
		"dialend": {
			ended(legToSIP(), "CANCEL"),
			`{"event":"dialend","timestamp":"1534993059.785012","channel":"DAHDI/i1/18782985586-51","calleridnum":"18782985586","destchannel":"SIP/886-00000065","destcalleridnum":"886","uniqueid":"1534993030.626","dialstatus":"hangup"}`,
		},
		"hangup": {
			pbx.CallEnded{Call: call},
			`{"event":"hangup","calleridnum":"808","calleridname":"808","connectedlinenum":"809","connectedlinename":"809","uniqueid":"1325747409.260"}`,
		},
		"extensionstatus": {
			pbx.ExtensionChanged{Exten: "808", State: pbx.Idle},
			`{"event":"extensionstatus","exten":"808","status":"0","statustext":"Idle"}`,
		},
		"ivr": {
			sampleMenu(),
			`{"event":"ivr","uuid":"1541643689.15","caller":"810","called":"","callType":"IN","queueCode":"630","startTime":"2018-11-08 10:21:29","endTime":"2018-11-08 10:21:32","duration":"3","ivrId":"610","ivrName":"working time","ivrDtmf":"0","trunkNumber":"123456","mac":"68:69:2e:05:0f:9a"}`,
		},
		"cdr": {
			pbx.CallRecorded{Call: "1325747409.260", CDR: sampleCDR()},
			`{"event":"cdr","callerid":"\"808\" <808>","source":"808","destination":"809","starttime":"2012-01-05 15:10:09","answertime":"2012-01-05 15:10:10","endtime":"2012-01-05 15:10:11","disposition":"ANSWERED","duration":"2","billableseconds":"1","calltype":"","recordfile":"","uniqueid":"1325747409.260"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, ok := translated(t, rules, "1534993059.785012", c.event)
			if diff := cmp.Diff(c.want, string(e.Body)); !ok || diff != "" {
				t.Errorf("pushed %v (-page +ours):\n%s", ok, diff)
			}
			if e.Kind != name {
				t.Errorf("kind = %q", e.Kind)
			}
		})
	}
}

const nonUTF8 = "Zo\xeb \xff\xfe"

// payloads are the cases that are kept as golden files.
var payloads = []struct {
	name  string
	rules func(*Rules)
	stamp string
	event pbx.Event
}{
	{"dialbegin-full", nil, "1534993059.785012", pbx.DialBegun{Call: "1534993030.626", Leg: legToSIP()}},
	{"dialbegin-empty", func(r *Rules) { r.MAC = "" }, "", pbx.DialBegun{}},
	{"dialbegin-clock", nil, "", pbx.DialBegun{Call: "1534993030.626", Leg: legToSIP()}},
	{"dialbegin-pjsip", nil, "", pbx.DialBegun{Call: "1795286308.11", Leg: legToPJSIP()}},
	{"dialbegin-pjsip-raw", func(r *Rules) { r.RawChannelNames = true }, "", pbx.DialBegun{Call: "1795286308.11", Leg: legToPJSIP()}},
	{"dialbegin-dialbegein", func(r *Rules) { r.DialBeginEvent = "dialbegein" }, "", pbx.DialBegun{Call: "1534993030.626", Leg: legToSIP()}},
	{"dialbegin-ordered", nil, "", pbx.DialBegun{Call: "1795286308.c0102030405060f", Leg: pbx.Leg{
		To: pbx.Party{Number: "808"}, ToName: "PJSIP/808-0000000c", ToID: "1795286308.c0102030405060f", DialString: "808",
	}}},
	{"dialbegin-unusual-text", nil, "", pbx.DialBegun{Call: "1.1", Leg: pbx.Leg{
		From: pbx.Party{Number: nonUTF8}, FromName: `SIP/"a\b"<&>-00000001`, To: pbx.Party{Number: "张三"}, ToName: "SIP/\u2028\x01-00000002",
		ToID: "1.2", DialString: "a\tb",
	}}},
	{"dialend-full", nil, "1534993059.785012", ended(legToSIP(), "ANSWER")},
	{"dialend-empty", nil, "", pbx.DialEnded{}},
	{"dialend-pjsip", nil, "", ended(legToPJSIP(), "NOANSWER")},
	{"dialend-pjsip-raw", func(r *Rules) { r.RawChannelNames = true }, "", ended(legToPJSIP(), "BUSY")},
	{"hangup-full", nil, "", pbx.CallEnded{Call: pbx.Call{ID: "1325747409.260", First: channel("SIP/808-00000001", "808", "Wang", "809", "Li")}, Cause: "16"}},
	{"hangup-empty", nil, "", pbx.CallEnded{}},
	{"hangup-unusual-text", nil, "", pbx.CallEnded{Call: pbx.Call{ID: "1.1", First: channel("SIP/808-00000001", "808", `a "b" \ <x> & 张三`, "", nonUTF8)}}},
	{"hangup-leg", func(r *Rules) { r.HangupLegs = true }, "", pbx.ChannelEnded{Call: "1325747409.260", Channel: channel("PJSIP/809-00000002", "809", "Li", "808", "Wang"), Cause: "16"}},
	{"extensionstatus-hold", nil, "1534993059.785012", pbx.ExtensionChanged{Exten: "808", State: pbx.OnHold}},
	{"extensionstatus-empty", nil, "", pbx.ExtensionChanged{}},
	{"ivr-full", nil, "", sampleMenu()},
	{"ivr-hung-up", nil, "", hungUpInMenu()},
	{"ivr-empty", nil, "", pbx.MenuLeft{}},
	{"cdr-full", nil, "", pbx.CallRecorded{Call: "1325747409.260", CDR: fullCDR()}},
	{"cdr-empty", nil, "", pbx.CallRecorded{}},
	{"cdr-unanswered", nil, "", pbx.CallRecorded{Call: "1325747409.260", CDR: unansweredCDR()}},
	{"cdr-recording-elsewhere", nil, "", pbx.CallRecorded{Call: "1.1", CDR: pbx.CDR{Recording: "/tmp/a.wav", Direction: pbx.Outbound}}},
	{"cc_cdr-full", nil, "", pbx.CallClosed{Account: fullAccount()}},
	{"cc_cdr-empty", nil, "", pbx.CallClosed{}},
	{"cc_cdr-missed", nil, "", pbx.CallClosed{Account: vendorsMiss()}},
	{"cc_cdr-unusual-text", nil, "", pbx.CallClosed{Account: pbx.Account{
		Caller: nonUTF8, Called: `"a\b"<&>`, CauseText: "张三\t\u2028", Menu: pbx.Menu{Name: "\x01"}, InMenu: true,
	}}},
	{"cdr-unusual-text", nil, "", pbx.CallRecorded{Call: "1.1", CDR: pbx.CDR{CallerID: `"a \"b\" ` + nonUTF8 + `" <808>`, Recording: "/var/spool/asterisk/monitor/张三 \"1\".wav"}}},
}

func fullCDR() pbx.CDR {
	c := sampleCDR()
	c.Direction, c.Recording = pbx.Inbound, "/var/spool/asterisk/monitor/2012/01/05/in-809-808.wav"
	return c
}

func unansweredCDR() pbx.CDR {
	c := sampleCDR()
	c.Answer, c.Billable, c.Disposition = "", "0", "NO ANSWER"
	return c
}

func TestPayloads(t *testing.T) {
	for _, c := range payloads {
		t.Run(c.name, func(t *testing.T) {
			rules := sampleRules()
			if c.rules != nil {
				c.rules(&rules)
			}
			e, ok := translated(t, rules, c.stamp, c.event)
			if !ok {
				t.Fatal("nothing is pushed")
			}
			if !json.Valid(e.Body) || !utf8.Valid(e.Body) {
				t.Errorf("no strict JSON: %q", e.Body)
			}
			golden.Compare(t, filepath.Join("testdata", "payloads", c.name+".json"), append(e.Body, '\n'))
		})
	}
}

// TestWhatIsPushed tells, for both ways to tell a hangup, which events of the core are pushed at all.
func TestWhatIsPushed(t *testing.T) {
	for _, c := range []struct {
		event     pbx.Event
		call, all bool // with hangup_legs=call, with hangup_legs=all
	}{
		{pbx.CallStarted{}, false, false},
		{pbx.DialBegun{}, true, true},
		{pbx.DialEnded{}, true, true},
		{pbx.ChannelEnded{}, false, true},
		{pbx.CallEnded{}, true, false},
		{pbx.CallEnded{Synthetic: true}, true, false},
		{pbx.CallRecorded{}, true, true},
		{pbx.CallClosed{}, true, true},
		{pbx.ExtensionChanged{}, true, true},
	} {
		rules := sampleRules()
		if _, ok := translated(t, rules, "", c.event); ok != c.call {
			t.Errorf("hangup_legs=call: %T is pushed: %v", c.event, ok)
		}
		rules.HangupLegs = true
		if _, ok := translated(t, rules, "", c.event); ok != c.all {
			t.Errorf("hangup_legs=all: %T is pushed: %v", c.event, ok)
		}
	}
}

// TestDelivery tells how the outbox treats each kind: what order is kept, what may be replaced, what is lost last.
func TestDelivery(t *testing.T) {
	type handling struct {
		Key         string
		Weight      int
		TTL, Newest bool
	}
	call := pbx.Call{ID: "1.1"}
	for _, c := range []struct {
		event pbx.Event
		want  handling
	}{
		{pbx.ExtensionChanged{Exten: "808"}, handling{Key: "ext:808", Weight: weightExtensionStatus, TTL: true, Newest: true}},
		{pbx.DialBegun{Call: "1.1"}, handling{Key: "1.1", Weight: weightDial, TTL: true}},
		{pbx.DialEnded{Call: "1.1"}, handling{Key: "1.1", Weight: weightDial, TTL: true}},
		{pbx.CallEnded{Call: call}, handling{Key: "1.1", Weight: weightHangup}},
		{pbx.CallRecorded{Call: "1.1"}, handling{Key: "1.1", Weight: webhook.Never}},
		{pbx.CallClosed{Account: pbx.Account{ID: "1.1"}}, handling{Key: "1.1", Weight: webhook.Never}},
	} {
		e, _ := translated(t, sampleRules(), "", c.event)
		if diff := cmp.Diff(c.want, handling{e.Key, e.Weight, e.TTL, e.Newest}); diff != "" {
			t.Errorf("%T (-want +got):\n%s", c.event, diff)
		}
		if !e.At.Equal(read) {
			t.Errorf("%T: At = %v", c.event, e.At)
		}
	}
}

func TestDialStatus(t *testing.T) {
	for status, want := range map[string]string{
		"ANSWER": "answer", "BUSY": "busy", "NOANSWER": "noanswer", "CONGESTION": "congestion", "CHANUNAVAIL": "chanunavail",
		"CANCEL": "hangup", "ABORT": "hangup", "CONTINUE": "continue", "GOTO": "goto", "": "",
	} {
		if got := dialStatus(status); got != want {
			t.Errorf("dialStatus(%q) = %q, want %q", status, got, want)
		}
	}
}

func TestStates(t *testing.T) {
	for state, want := range map[pbx.ExtenState]string{
		pbx.Idle: "0 Idle", pbx.InUse: "1 InUse", pbx.Busy: "2 Busy", pbx.Unavailable: "4 Unavailable", pbx.Ringing: "8 Ringing", pbx.OnHold: "16 Hold",
	} {
		e := extensionChanged(pbx.ExtensionChanged{Exten: "808", State: state})
		if got := e.Status + " " + e.StatusText; got != want {
			t.Errorf("%v is told as %q, want %q", state, got, want)
		}
	}
}

func TestDialString(t *testing.T) {
	for _, c := range []struct{ channel, dialled, sip, raw string }{
		{"SIP/886-00000065", "886", "SIP/886", "SIP/886"},
		{"SIP/886-00000065", "SIP/886", "SIP/886", "SIP/886"},
		{"PJSIP/886-00000065", "886", "SIP/886", "PJSIP/886"},
		{"PJSIP/886-00000065", "PJSIP/886", "SIP/886", "PJSIP/886"},
		{"PJSIP/886-00000065", "886/sip:886@10.0.0.1:5060;transport=tcp", "SIP/886", "PJSIP/886"},
		{"PJSIP/886-00000065", "886/sips:886@10.0.0.1", "SIP/886", "PJSIP/886"},
		{"PJSIP/trunk-00000001", "02155556666@trunk", "SIP/02155556666@trunk", "PJSIP/02155556666@trunk"},
		{"SIP/trunk-00000001", "trunk/02155556666", "SIP/trunk/02155556666", "SIP/trunk/02155556666"},
		{"DAHDI/i1/18782985586-51", "g0/18782985586", "DAHDI/g0/18782985586", "DAHDI/g0/18782985586"},
		{"IAX2/peer-00000001", "peer/100@ctx", "IAX2/peer/100@ctx", "IAX2/peer/100@ctx"},
		{"PJSIP/886-00000065", "", "SIP/886", "PJSIP/886"},
		{"", "", "", ""},
	} {
		leg := pbx.Leg{ToName: c.channel, DialString: c.dialled}
		sip, raw := Rules{}, Rules{RawChannelNames: true}
		if got := sip.dialString(leg); got != c.sip {
			t.Errorf("%s dialled as %q: %q, want %q", c.channel, c.dialled, got, c.sip)
		}
		if got := raw.dialString(leg); got != c.raw {
			t.Errorf("%s dialled as %q, raw: %q, want %q", c.channel, c.dialled, got, c.raw)
		}
	}
}

func TestRecordFile(t *testing.T) {
	for _, c := range []struct{ directory, file, want string }{
		{"/var/spool/asterisk/monitor", "/var/spool/asterisk/monitor/a.wav", "a.wav"},
		{"/var/spool/asterisk/monitor/", "/var/spool/asterisk/monitor/2026/11/a.wav", "2026/11/a.wav"},
		{"/var/spool/asterisk/monitor", "/var/spool/asterisk/monitor/./b//a.wav", "b/a.wav"},
		{"/var/spool/asterisk/monitor", "/var/spool/asterisk/monitor/../a.wav", ""},
		{"/var/spool/asterisk/monitor", "/var/spool/asterisk/monitor2/a.wav", ""},
		{"/var/spool/asterisk/monitor", "/var/spool/asterisk/monitor", ""},
		{"/var/spool/asterisk/monitor", "a.wav", ""},
		{"/var/spool/asterisk/monitor", "", ""},
		{"/", "/tmp/a.wav", "tmp/a.wav"},
	} {
		r := Rules{AsteriskDirectory: c.directory}
		if got := r.recordFile(c.file); got != c.want {
			t.Errorf("%s below %s: %q, want %q", c.file, c.directory, got, c.want)
		}
	}
}

// TestIDs tells which events are the same one: the id holds what happened, not when it was found out.
func TestIDs(t *testing.T) {
	id := func(e pbx.Event) string {
		out, _ := translated(t, sampleRules(), "", e)
		if !strings.HasPrefix(out.ID, "evt_") || len(out.ID) != len("evt_")+26 {
			t.Errorf("%T has the id %q", e, out.ID)
		}
		return out.ID
	}
	leg, other := legToSIP(), legToSIP()
	other.ToID = "1534993059.631"
	if id(pbx.DialBegun{Call: "1", Leg: leg}) == id(pbx.DialBegun{Call: "1", Leg: other}) {
		t.Error("two rung legs of a call have one id")
	}
	if id(pbx.DialBegun{Call: "1", Leg: leg}) == id(ended(leg, "ANSWER")) {
		t.Error("dialbegin and dialend have one id")
	}
	seen, synthetic := pbx.CallEnded{Call: pbx.Call{ID: "1"}, Cause: "16"}, pbx.CallEnded{Call: pbx.Call{ID: "1"}, Synthetic: true}
	if id(seen) != id(synthetic) {
		t.Error("the end of a call that was seen, and found again after a crash, has two ids")
	}
	a, b := sampleCDR(), sampleCDR()
	b.End = "2012-01-05 15:10:12"
	if id(pbx.CallRecorded{Call: "1", CDR: a}) == id(pbx.CallRecorded{Call: "1", CDR: b}) {
		t.Error("two records of a call have one id")
	}
}
