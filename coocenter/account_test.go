package coocenter

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/pbx"
)

// at is a moment of the sample calls, seconds after 10:00:00.
func at(s float64) time.Time {
	return time.Date(2018, 11, 5, 10, 0, 0, 0, time.UTC).Add(time.Duration(s * float64(time.Second)))
}

// vendorsMiss is the call of the vendor's page: 85322361 gave up after seven seconds in queue 630, while 100 rang.
func vendorsMiss() pbx.Account {
	start := time.Date(2018, 11, 5, 19, 5, 31, 0, time.UTC)
	rung := pbx.Span{Kind: pbx.SpanRing, Channel: "1541415929.808", Party: "100", Exten: "100", Place: "630", Outcome: "CANCEL", Start: start.Add(time.Second), End: start.Add(8 * time.Second)}
	return pbx.Account{
		ID: "1541415929.807", Caller: "85322361", Called: "100", Direction: pbx.Inbound, Queue: "630", Agent: "100", Stage: pbx.StageQueue,
		Side: pbx.SideCaller, Cause: "16", CauseText: "ANALOG ANALOG_EVENT_ONHOOK", Start: start, End: start.Add(8 * time.Second), Duration: 8 * time.Second,
		Waiting: 7 * time.Second, Ring: 7 * time.Second, Miss: pbx.MissGaveUp,
		Agents: []pbx.Share{{Exten: "100", Queue: "630", Rings: 1, Ring: 7 * time.Second}},
		Spans: []pbx.Span{
			{Kind: pbx.SpanQueue, Channel: "1541415929.807", Party: "85322361", Place: "630", Outcome: string(pbx.MissGaveUp), Rang: true, Start: start.Add(time.Second), End: start.Add(8 * time.Second)},
			rung,
		},
		IDs: []string{"1541415929.807", "1541415929.808"},
	}
}

// fullAccount has something in every field: menu, queue, talk with hold, survey, forwarding, after-call work.
func fullAccount() pbx.Account {
	span := func(kind pbx.SpanKind, channel, party string, from, to float64) pbx.Span {
		sp := pbx.Span{Kind: kind, Channel: channel, Party: party, Start: at(from), End: at(to)}
		if len(party) == 3 {
			sp.Exten = pbx.Exten(party)
		}
		return sp
	}
	menu, queue := span(pbx.SpanMenu, "1.1", "02112345678", 1, 4.5), span(pbx.SpanQueue, "1.1", "02112345678", 4.5, 20.25)
	menu.Place, menu.Name, menu.Digits = "610", "working time", "1"
	queue.Place, queue.Outcome, queue.Rang = "630", "connected", true
	first, second := span(pbx.SpanRing, "1.2", "808", 5, 15), span(pbx.SpanRing, "1.3", "809", 15.125, 20.25)
	first.Place, first.Outcome, second.Place, second.Outcome = "630", "NOANSWER", "630", "ANSWER"
	sent := span(pbx.SpanForward, "1.2", "808", 5.5, 5.5)
	sent.Place = "02188880002"
	rated := span(pbx.SpanFeedback, "1.1", "02112345678", 50.75, 54)
	rated.Digits = "5"
	return pbx.Account{
		ID: "1.1", Caller: "02112345678", Called: "809", Direction: pbx.Inbound, DID: "123456", Queue: "630", Agent: "809", Answered: true,
		Stage: pbx.StageFeedback, Side: pbx.SideCalled, Cause: "16", CauseText: "Normal Clearing", Start: at(0), End: at(54), Duration: 54 * time.Second,
		Talk: 30500 * time.Millisecond, Feedback: 3250 * time.Millisecond, Menus: 3500 * time.Millisecond, Waiting: 15750 * time.Millisecond,
		Ring: 15125 * time.Millisecond, Hold: 6 * time.Second, AfterWork: 12 * time.Second,
		InMenu: true, Menu: pbx.Menu{ID: "610", Name: "working time"}, Digits: "1", Score: "5", Voicemail: true,
		ForwardType: "busy", ForwardNumber: "02188880002", Recording: "/var/spool/asterisk/monitor/2018/11/05/in-630.wav",
		Agents: []pbx.Share{
			{Exten: "808", Queue: "630", Rings: 1, Ring: 10 * time.Second},
			{Exten: "809", Queue: "630", Rings: 1, Ring: 5125 * time.Millisecond, Talk: 30500 * time.Millisecond, Hold: 6 * time.Second, AfterWork: 12 * time.Second, Answered: true},
		},
		Spans: []pbx.Span{
			menu, queue, first, sent, second, span(pbx.SpanTalk, "1.1", "02112345678", 20.25, 50.75), span(pbx.SpanTalk, "1.3", "809", 20.25, 50.75),
			span(pbx.SpanHold, "1.3", "809", 30, 36), rated, span(pbx.SpanAfterWork, "", "809", 50.75, 62.75),
		},
		IDs: []string{"1.1", "1.2", "1.3"},
	}
}

// TestVendorsCallLog compares with the vendor's page byte for byte; two dates and the cause have the blanks that it lost.
func TestVendorsCallLog(t *testing.T) {
	rules := sampleRules()
	rules.MAC = "68:69:2e:03:8b:3e"
	e, _ := translated(t, rules, "", pbx.CallClosed{Account: vendorsMiss()})
	want := `{"event":"cc_cdr","uuid":"1541415929.807","caller":"85322361","called":"100","queueCode":"630","agentCode":"100",` +
		`"callType":"incoming","cdrState":"queue","hangupSide":"caller","hangupCause":"ANALOG ANALOG_EVENT_ONHOOK",` +
		`"startTime":"2018-11-05 19:05:31","endTime":"2018-11-05 19:05:39","duration":"8","queueTime":"7","feedbackTime":"0","ivrTime":"",` +
		`"ringTime":"7","holdTime":0,"pauseTime":0,"talkingTime":"0","voicemailState":"0","ivrId":"","ivrName":"","ivrDtmf":"0","fwType":"",` +
		`"score":"0","trunkNumber":"","forwardNumber":"","filePath":"","missCause":"MEMBER_CANCEL","mac":"68:69:2e:03:8b:3e"}`
	if string(e.Body) != want {
		t.Errorf("\n%s\nwant\n%s", e.Body, want)
	}
}

// TestCallLogWords holds the words of the call log and what they stand for.
func TestCallLogWords(t *testing.T) {
	for _, c := range []struct {
		account pbx.Account
		want    string
	}{
		{pbx.Account{Direction: pbx.Internal}, `"callType":"internal","cdrState":"","hangupSide":""`},
		{pbx.Account{Direction: pbx.Inbound, Stage: pbx.StageMenu, Side: pbx.SideSystem}, `"callType":"incoming","cdrState":"ivr","hangupSide":"system"`},
		{pbx.Account{Direction: pbx.Outbound, Stage: pbx.StageTalk, Side: pbx.SideCaller}, `"callType":"outgoing","cdrState":"bridged","hangupSide":"caller"`},
		{pbx.Account{Stage: pbx.StageQueue, Side: pbx.SideCalled}, `"cdrState":"queue","hangupSide":"agent"`},
		{pbx.Account{Stage: pbx.StageFeedback}, `"cdrState":"feedback"`},
		{pbx.Account{Miss: pbx.MissNobody}, `"missCause":"NO_AGENT_LOGIN"`},
		{pbx.Account{Miss: pbx.MissGaveUp}, `"missCause":"MEMBER_CANCEL"`},
		{pbx.Account{Miss: pbx.MissUnanswered}, `"missCause":"NO_AGENT_ANSWER"`},
		{pbx.Account{Miss: pbx.MissUnassigned}, `"missCause":"NO_ASSIGN"`},
		{pbx.Account{CauseText: "Normal Clearing", LinkLost: true}, `"hangupCause":"LINK_LOST"`},
		{pbx.Account{InMenu: true, Menu: pbx.Menu{ID: "610"}}, `"ivrId":"610","ivrName":"","ivrDtmf":"0"`},
		{pbx.Account{InMenu: true}, `"ivrTime":"0"`},
		{pbx.Account{Voicemail: true}, `"voicemailState":"1"`},
		{pbx.Account{Recording: "/tmp/elsewhere.wav"}, `"filePath":""`},
	} {
		e, _ := translated(t, sampleRules(), "", pbx.CallClosed{Account: c.account})
		if !strings.Contains(string(e.Body), c.want) {
			t.Errorf("%s is not in %s", c.want, e.Body)
		}
	}
}

// TestPartsAreNoMoreThanTheWhole: seconds are rounded to the nearest, and so that the stages fit into the whole.
func TestPartsAreNoMoreThanTheWhole(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, c := range []struct {
		name    string
		account pbx.Account
		want    string // duration, talk, feedback, menus, waiting, ring, hold, after-call work
	}{
		{"nearest", pbx.Account{Duration: ms(7600), Talk: ms(1900), Feedback: ms(1900), Menus: ms(1900), Waiting: ms(1900), Hold: ms(1400), AfterWork: ms(2500)}, "8 2 2 2 2 0 1 3"},
		{"halves", pbx.Account{Duration: ms(2000), Talk: ms(500), Feedback: ms(500), Menus: ms(500), Waiting: ms(500)}, "2 1 1 0 0 0 0 0"},
		{"the nearest to the next gets it", pbx.Account{Duration: ms(1400), Talk: ms(600), Menus: ms(800)}, "1 0 0 1 0 0 0 0"},
		{"a moment", pbx.Account{Duration: ms(400), Talk: ms(400), Ring: ms(600)}, "0 0 0 0 0 0 0 0"},
		{"negative", pbx.Account{Duration: -1, Talk: -1, AfterWork: -1}, "0 0 0 0 0 0 0 0"},
	} {
		c.account.InMenu = true
		e, _ := translated(t, sampleRules(), "", pbx.CallClosed{Account: c.account})
		var log map[string]any
		if err := json.Unmarshal(e.Body, &log); err != nil {
			t.Fatal(err)
		}
		got := strings.TrimSpace(fmt.Sprintln(log["duration"], log["talkingTime"], log["feedbackTime"], log["ivrTime"], log["queueTime"], log["ringTime"], log["holdTime"], log["pauseTime"]))
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
