package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// step is a line of a page, in a state in which it must succeed.
type step struct {
	line          int // of the page's, from 1
	name          string
	instead, with string // a word of the line that is replaced, "" = none
	before        func(context.Context, *stage) error
	body          func(*stage) error                  // what is wrong with the answer
	effect        func(context.Context, *stage) error // what is wrong with Asterisk
	keep          bool                                // the calls go on
}

// steps are the lines in the order of the first page.
func steps() []step {
	return []step{
		{line: 1, name: "live calls", before: talking("801", "802"), effect: listsTheCall, body: documented(
			`{"status":"success","message":"Channels will follow","data":[{"calleridname":"896","calleridnum":"896","channel":"SIP/896-0000000b","channelstate":"6","channelstatedesc":"Up","connectedlinename":"897","connectedlinenum":"897","duration":"00:02:58"}]}`)},
		{line: 2, name: "registrations", effect: listsRegistrations, body: documented(
			`{"status":"success","message":"Peer status list will follow","data":[{"Exten":"800","Type":"SIP","IPAddr":"-none-","Status":"UNKNOWN"}]}`)},
		{line: 3, name: "states", before: talking("801", "802"), effect: listsStates, body: documented(
			`[{"agentName":"800","extension":"800","extenType":"analogCallCenter","status":"0"}]`)},
		{line: 4, name: "queue members", effect: listsMembers, body: documented(
			`{"status":"success","message":"Queue status will follow","data":{"*":[{"name":"sip/876","paused":"0","penalty":"0"}]}}`)},
		{line: 5, name: "pause", before: memberOf630, effect: paused(true), body: documented(`{"status":"success","message":"Interface paused successfully"}`)},
		{line: 6, name: "unpause, as printed", effect: paused(true), body: documented(`{"status":"success","message":"Interface paused successfully"}`)},
		{line: 6, name: "unpause, state=off", instead: "state=on", with: "state=off", effect: paused(false), body: documented(`{"status":"success","message":"Interface unpaused successfully"}`)},
		{line: 7, name: "log in", effect: inQueue(true), body: documented(`{"status":"success","message":"login extension success"}`)},
		{line: 8, name: "log out", effect: inQueue(false), body: documented(`{"status":"success","message":"logout extension success"}`)},
		{line: 9, name: "click to dial", effect: dialled, body: documented(`{"status":"success","message":"Originate successfully queued","data":{"uniqueid":""}}`)},
		{line: 10, name: "hang up, over TLS", before: talking("801", "802"), effect: hungUp, body: documented(`{"status":"success","message":"hangup extension success"}`)},
		{line: 11, name: "transfer, over TLS", before: talking("806", "802"), effect: transferred, body: documented(`{"status":"success","message":"tansfer extension success"}`)},
		{line: 12, name: "listen", before: talking("802", "806"), effect: listening, body: documented(`{"status":"success","message":"spy extension success"}`)},
		{line: 13, name: "black list", before: shutOut, effect: listed("123456", true), body: documented(`{"status":"success","data":["123456"]}`)},
		{line: 14, name: "black list: delete", effect: letIn, body: documented(`{"status":"success","message":"Key deleted successfully"}`)},
		{line: 15, name: "black list: add", effect: turnedAway, body: documented(`{"status":"success","message":"Updated database successfully"}`)},
		{line: 16, name: "recording", before: recorded, effect: sameFile, body: isSound},
	}
}

func documented(text string) func(*stage) error {
	return func(s *stage) error {
		if !strings.HasPrefix(s.answer.kind, "application/json") {
			return fmt.Errorf("Content-Type is %q", s.answer.kind)
		}
		return likeDocumented(text, s.answer.body)
	}
}

func talking(from, to string) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		_, err := s.talk(ctx, from, to)
		return err
	}
}

var channelName = regexp.MustCompile(`(?:SIP|PJSIP)/801-[0-9a-f]{8}`)

func listsTheCall(ctx context.Context, s *stage) error {
	var reply struct {
		Data []struct{ CallerIDNum, ConnectedLineNum, Channel, ChannelState, Duration string }
	}
	if err := json.Unmarshal(s.answer.body, &reply); err != nil {
		return err
	}
	if len(reply.Data) != 1 {
		return fmt.Errorf("%d rows, want 1", len(reply.Data))
	}
	out, err := s.lab.CLI(ctx, "core show channels concise")
	if err != nil {
		return err
	}
	row, name := reply.Data[0], strings.TrimPrefix(channelName.FindString(out), "PJ")
	if row.CallerIDNum != "801" || row.ConnectedLineNum != "802" || row.Channel != name || row.ChannelState != "6" || !strings.HasPrefix(row.Duration, "00:00:") {
		return fmt.Errorf("%+v, and Asterisk has %s", row, out)
	}
	return nil
}

func listsRegistrations(ctx context.Context, s *stage) error {
	var reply struct {
		Data []struct{ Exten, IPAddr, Status string }
	}
	if err := json.Unmarshal(s.answer.body, &reply); err != nil {
		return err
	}
	if len(reply.Data) != len(s.lab.Extensions) {
		return fmt.Errorf("%d rows, want %d", len(reply.Data), len(s.lab.Extensions))
	}
	for _, row := range reply.Data {
		p := s.phones[row.Exten]
		switch {
		case p == nil && (row.IPAddr != "-none-" || row.Status != "UNKNOWN"),
			p != nil && (row.IPAddr != p.Addr().Addr().String() || !strings.HasPrefix(row.Status, "OK (")):
			return fmt.Errorf("%+v", row)
		}
	}
	command := map[string]string{"SIP": "sip show peers", "PJSIP": "pjsip show contacts"}[s.lab.Tech]
	return s.shows(ctx, command, "801", s.phones["801"].Addr().Addr().String())
}

func listsStates(ctx context.Context, s *stage) error {
	var rows []struct{ Extension, Status string }
	if err := json.Unmarshal(s.answer.body, &rows); err != nil {
		return err
	}
	if len(rows) != len(s.lab.Extensions) {
		return fmt.Errorf("%d rows, want %d", len(rows), len(s.lab.Extensions))
	}
	for _, row := range rows {
		want := "4"
		if s.phones[row.Extension] != nil {
			want = "0"
		}
		if row.Extension == "801" || row.Extension == "802" {
			want = "1"
		}
		if row.Status != want {
			return fmt.Errorf("%+v, want %s", row, want)
		}
	}
	return s.shows(ctx, "core show hints", "801@ext-local", "State:InUse")
}

func listsMembers(ctx context.Context, s *stage) error {
	var reply struct {
		Data map[string][]struct{ Name, Paused string }
	}
	if err := json.Unmarshal(s.answer.body, &reply); err != nil {
		return err
	}
	for _, members := range reply.Data { // Asterisk's order is that of its hash table
		slices.SortFunc(members, func(a, b struct{ Name, Paused string }) int { return strings.Compare(a.Name, b.Name) })
	}
	if got := fmt.Sprint(reply.Data); got != "map[630:[{sip/803 0} {sip/804 0}] 631:[]]" {
		return errors.New(got)
	}
	return errors.Join(s.shows(ctx, "queue show 630", s.lab.Tech+"/803"), s.shows(ctx, "queue show 630", s.lab.Tech+"/804"))
}

// memberOf630 makes 808 a member by Asterisk's console, and waits until the daemon has seen it.
func memberOf630(ctx context.Context, s *stage) error {
	if _, err := s.lab.CLI(ctx, "queue add member "+s.lab.Tech+"/808 to 630"); err != nil {
		return err
	}
	return s.eventually(ctx, "808 in queue-info", func(ctx context.Context) (bool, error) {
		_, body, err := s.daemon.Get(ctx, "/coocenter-api/queues/queue-info?queue=630")
		return strings.Contains(body, "sip/808"), err
	})
}

func paused(want bool) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		if want {
			return s.shows(ctx, "queue show 630", s.lab.Tech+"/808", "(paused")
		}
		return s.hides(ctx, "queue show 630", s.lab.Tech+"/808", "(paused")
	}
}

func inQueue(want bool) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		return s.printed(ctx, "queue show 630", want, []string{s.lab.Tech + "/" + agent})
	}
}

// dialled wants the phone of src to ring first, showing dst, and then both to hear each other.
func dialled(ctx context.Context, s *stage) error {
	return s.clicked(ctx, "808", "809")
}

func (s *stage) clicked(ctx context.Context, from, to string) error {
	src, err := s.rings(ctx, from)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	dst, err := s.rings(ctx, to)
	if err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	switch a, b := src.Info(), dst.Info(); {
	case a.Answered.After(b.Created):
		return fmt.Errorf("%s rang before %s had answered", to, from)
	case b.Remote.Number != from:
		return fmt.Errorf("%s shows %q", to, b.Remote.Number)
	}
	return nil
}

func hungUp(ctx context.Context, s *stage) error {
	return errors.Join(s.hides(ctx, "core show channels concise", "/801-"), s.noCall(ctx, "801"))
}

// noCall waits until a phone has no call any more.
func (s *stage) noCall(ctx context.Context, number string) error {
	return s.eventually(ctx, "the end of the call of "+number, func(context.Context) (bool, error) { return len(s.phones[number].Calls()) == 0, nil })
}

// transferred wants the one who talked to 802 to talk to 801, and 802 to be released.
func transferred(ctx context.Context, s *stage) error {
	c, err := s.rings(ctx, "801")
	if err != nil {
		return fmt.Errorf("801: %w", err)
	}
	first := s.phones["806"].Calls()
	if len(first) != 1 {
		return fmt.Errorf("806 has %d calls", len(first))
	}
	return errors.Join(s.noCall(ctx, "802"), first[0].Heard(ctx, 10), c.Heard(ctx, 10), s.shows(ctx, "core show channels concise", s.lab.Tech+"/801-", "Up"))
}

func listening(ctx context.Context, s *stage) error {
	c, err := s.rings(ctx, "801") // and hears the two
	if err != nil {
		return fmt.Errorf("801: %w", err)
	}
	if name := c.Info().Remote.Name; name != "Spy-806" {
		return fmt.Errorf("801 shows %q", name)
	}
	return s.shows(ctx, "core show channels concise", s.lab.Tech+"/801-", "ChanSpy", s.lab.Tech+"/806-")
}

func shutOut(ctx context.Context, s *stage) error {
	code, body, err := s.daemon.Post(ctx, "/coocenter-api/blacklist/create", "number", "123456")
	if err == nil && code != 200 {
		err = fmt.Errorf("%d %s", code, body)
	}
	return err
}

func listed(number string, want bool) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		return s.printed(ctx, "database show blacklist", want, []string{"/blacklist/" + number + " "})
	}
}

// calls lets a caller outside call 801.
func (s *stage) calls(ctx context.Context, number string) (*phone.Call, error) {
	return s.outside.DialWith(ctx, "02188880001", phone.DialOptions{Number: number})
}

func letIn(ctx context.Context, s *stage) error {
	if err := listed("123456", false)(ctx, s); err != nil {
		return err
	}
	c, err := s.calls(ctx, "123456")
	if err != nil {
		return err
	}
	_, rung := s.rings(ctx, "801")
	return errors.Join(c.Answered(ctx), rung)
}

func turnedAway(ctx context.Context, s *stage) error {
	if err := listed("123123", true)(ctx, s); err != nil {
		return err
	}
	return s.turnsAway(ctx, "123123")
}

// turnsAway wants a caller outside not to reach 801.
func (s *stage) turnsAway(ctx context.Context, number string) error {
	c, err := s.calls(ctx, number)
	if err != nil {
		return err
	}
	end, err := c.Ended(ctx)
	if err != nil {
		return err
	}
	// The cause is 21, which chan_pjsip tells the caller; chan_sip tells its SIP status alone.
	if end.Cause != 21 && (s.lab.Tech != "SIP" || end.Code != 403) {
		return fmt.Errorf("the call ended with %s, cause %d, want 21", end, end.Cause)
	}
	if n := len(s.phones["801"].Calls()); n != 0 {
		return fmt.Errorf("801 has %d calls", n)
	}
	return nil
}

// recorded makes a recorded call and takes the path from its call record, as a customer would.
func recorded(ctx context.Context, s *stage) error {
	c, err := s.outside.DialWith(ctx, "02188880004", phone.DialOptions{Number: "02112345678"})
	if err != nil {
		return err
	}
	if err := errors.Join(c.Answered(ctx), c.Heard(ctx, 50), c.Hangup(ctx)); err != nil {
		return err
	}
	_, err = s.receiver.Until(ctx, "a call record with a recording", func(events []bridge.Event) bool {
		for _, e := range events {
			if e.Kind == "cdr" && e.Fields["recordfile"] != "" {
				s.words["filePath"] = e.Fields["recordfile"]
			}
		}
		return s.words["filePath"] != ""
	})
	return err
}

func isSound(s *stage) error {
	if s.answer.kind != "audio/wav" || !bytes.HasPrefix(s.answer.body, []byte("RIFF")) || len(s.answer.body) < 8000 {
		return fmt.Errorf("%d bytes of %q", len(s.answer.body), s.answer.kind)
	}
	return nil
}

func sameFile(_ context.Context, s *stage) error {
	file, err := os.ReadFile(filepath.Join(s.lab.RecordingsDir, filepath.FromSlash(s.words["filePath"])))
	if err != nil {
		return err
	}
	if !bytes.Equal(file, s.answer.body) {
		return fmt.Errorf("%d bytes, Asterisk's file has %d", len(s.answer.body), len(file))
	}
	return nil
}
