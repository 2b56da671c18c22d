package ari

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// captured is every event of the captures, in their order.
func captured(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/captures/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("captures: %v, %v", files, err)
	}
	var all []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.Split(strings.TrimSpace(string(data)), "\n")...)
	}
	return all
}

// The types below are what encoding/json needs for the same events: it is the judge of the decoder, and what it is
// measured against.
type jsonBody struct {
	Type            string
	Timestamp       jsonTime
	Application     string
	Channel         *jsonChannel
	Caller, Peer    *jsonChannel
	Replaced        *jsonChannel `json:"replace_channel"`
	Bridge          *jsonBridge
	Transferee      *jsonChannel
	Target          *jsonChannel `json:"transfer_target"`
	Args            []string
	Cause           int
	CauseText       string `json:"cause_txt"`
	Soft            bool
	DialStatus      string `json:"dialstatus"`
	DialString      string `json:"dialstring"`
	Forward         string
	Digit           string
	DurationMS      int `json:"duration_ms"`
	Variable, Value string
	App             string `json:"dialplan_app"`
	AppData         string `json:"dialplan_app_data"`
	MusicClass      string `json:"musicclass"`
	Context         string
	Exten           string
	Result          string
	EventName       string
	UserEvent       json.RawMessage
	Endpoint        *jsonEndpoint
	Contact         *jsonContact `json:"contact_info"`
	DeviceState     *jsonDevice  `json:"device_state"`
	Playback        *jsonPlayback
	Recording       *jsonRecording
}

type jsonTime time.Time

func (t *jsonTime) UnmarshalText(text []byte) error {
	parsed, err := time.Parse("2006-01-02T15:04:05.000-0700", string(text))
	*t = jsonTime(parsed.UTC())
	return err
}

type jsonChannel struct {
	ID, Name, State   string
	PeerStatus        string `json:"peer_status"`
	Caller, Connected struct{ Name, Number string }
	Account           string `json:"accountcode"`
	Dialplan          struct {
		Context, Exten string
		Priority       int
		App            string `json:"app_name"`
		AppData        string `json:"app_data"`
	}
	Created   jsonTime `json:"creationtime"`
	Language  string
	Variables json.RawMessage `json:"channelvars"`
}

type jsonBridge struct {
	ID, Name, Technology, Creator string
	Type                          string `json:"bridge_type"`
	Class                         string `json:"bridge_class"`
	Channels                      []string
	Created                       jsonTime `json:"creationtime"`
}

type jsonEndpoint struct {
	Technology, Resource, State string
	Channels                    []string `json:"channel_ids"`
}

type jsonContact struct {
	URI       string
	Status    string `json:"contact_status"`
	AOR       string
	RoundTrip string `json:"roundtrip_usec"`
}

type jsonDevice struct{ Name, State string }

type jsonPlayback struct {
	ID       string
	Media    string `json:"media_uri"`
	Target   string `json:"target_uri"`
	Language string
	State    string
}

type jsonRecording struct {
	Name, Format, State, Cause string
	Target                     string `json:"target_uri"`
	Duration                   int
}

func (c *jsonChannel) plain() *Channel {
	if c == nil || c.ID == "" {
		return nil
	}
	return &Channel{
		ID: c.ID, Name: c.Name, State: c.State, Caller: Party(c.Caller), Connected: Party(c.Connected), Account: c.Account,
		Dialplan: Dialplan(c.Dialplan), Created: time.Time(c.Created), Language: c.Language, Variables: string(c.Variables),
	}
}

// plain is the judge's result in our types.
func (j *jsonBody) plain() Body {
	b := Body{
		Application: j.Application, Channel: j.Channel.plain(), Caller: j.Caller.plain(), Peer: j.Peer.plain(),
		Replaced: j.Replaced.plain(), Transferee: j.Transferee.plain(), Target: j.Target.plain(), Args: j.Args,
		Cause: j.Cause, CauseText: j.CauseText, Soft: j.Soft, DialStatus: j.DialStatus, DialString: j.DialString,
		Forward: j.Forward, Digit: j.Digit, Duration: time.Duration(j.DurationMS) * time.Millisecond, Variable: j.Variable,
		Value: j.Value, App: j.App, AppData: j.AppData, MusicClass: j.MusicClass, Context: j.Context, Exten: j.Exten,
		Result: j.Result, EventName: j.EventName, UserEvent: string(j.UserEvent),
	}
	if j.Peer != nil {
		b.PeerStatus = j.Peer.PeerStatus
	}
	if j.Bridge != nil {
		b.Bridge = &Bridge{j.Bridge.ID, j.Bridge.Name, j.Bridge.Type, j.Bridge.Technology, j.Bridge.Class, j.Bridge.Creator,
			j.Bridge.Channels, time.Time(j.Bridge.Created)}
	}
	if j.Endpoint != nil {
		b.Endpoint = new(Endpoint(*j.Endpoint))
	}
	if j.Contact != nil {
		b.Contact = &Contact{j.Contact.URI, j.Contact.Status, j.Contact.AOR, time.Duration(number(j.Contact.RoundTrip)) * time.Microsecond}
	}
	if j.DeviceState != nil {
		b.DeviceState = new(DeviceState(*j.DeviceState))
	}
	if j.Playback != nil {
		b.Playback = new(Playback(*j.Playback))
	}
	if j.Recording != nil {
		b.Recording = &Recording{j.Recording.Name, j.Recording.Format, j.Recording.Target, j.Recording.State, j.Recording.Cause,
			time.Duration(j.Recording.Duration) * time.Second}
	}
	return b
}

// written returns the same event as Asterisk wrote it, with white space, and with its members in another order and
// characters escaped.
func written(t *testing.T, line string) []string {
	t.Helper()
	var spaced bytes.Buffer
	if err := json.Indent(&spaced, []byte(line), "\r", "\t "); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	var members map[string]any
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if members["value"] != nil {
		members["value"] = "<\"\\\u2028\x01😀&>"
	}
	sorted, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return []string{line, spaced.String(), string(sorted)}
}

// TestDecodeAgreesWithTheStandardLibrary holds every captured event, written in several ways, against encoding/json.
func TestDecodeAgreesWithTheStandardLibrary(t *testing.T) {
	var lines []string
	for _, line := range captured(t) {
		lines = append(lines, written(t, line)...)
	}
	for _, line := range lines {
		var judge jsonBody
		if err := json.Unmarshal([]byte(line), &judge); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		got, err := Event{Raw: line}.Decode()
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if got.Peer != nil && got.Peer.ID == "" {
			t.Errorf("a peer that is no channel: %s", line)
		}
		if diff := cmp.Diff(judge.plain(), got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s\n(-want +got):\n%s", line, diff)
		}
		if kind := string(inner(member([]byte(line), "type"))); kind != judge.Type {
			t.Errorf("type %q, want %q", kind, judge.Type)
		}
		if stamp := parseTime(inner(member([]byte(line), "timestamp"))); !stamp.Equal(time.Time(judge.Timestamp)) || stamp.IsZero() {
			t.Errorf("timestamp %v, want %v", stamp, time.Time(judge.Timestamp))
		}
	}
}

// TestDecodeOldAndRare is what the captures have not.
func TestDecodeOldAndRare(t *testing.T) {
	for raw, want := range map[string]Body{
		`{"type":"StasisStart","args":[],"channel":{"id":"a","channelvars":{"X":"1"}},"replace_channel":{"id":"b"}}`: {
			Channel: &Channel{ID: "a", Variables: `{"X":"1"}`}, Replaced: &Channel{ID: "b"}},
		`{ "type" : "ChannelHangupRequest" , "soft" : true , "cause" : -1 }`: {Soft: true, Cause: -1},
		`{"type":"ChannelTalkingFinished","duration":1500}`:                  {Duration: 1500 * time.Millisecond},
		`{"recording":{"name":"r","cause":"No","state":"failed","duration":3}}`: {
			Recording: &Recording{Name: "r", Cause: "No", State: "failed", Duration: 3 * time.Second}},
		`{"contact_info":{"uri":"sip:x","roundtrip_usec":"1250"}}`:                         {Contact: &Contact{URI: "sip:x", RoundTrip: 1250 * time.Microsecond}},
		`{"variable":"A\"B\\\u5f20\ud83d\ude00","value":"{\"type\":\"x\"}"}`:               {Variable: "A\"B\\张😀", Value: `{"type":"x"}`},
		`{"channel":null,"bridge":7,"args":"x","cause":"17","application":3,"digit":null}`: {},
		`{"value":"` + "\xff" + `"}`:                                                       {Value: "\ufffd"},
		`{}`:                                                                               {},
	} {
		got, err := Event{Raw: raw}.Decode()
		if err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", raw, diff)
		}
	}
}

func TestDecodeBroken(t *testing.T) {
	for _, raw := range []string{"", " ", "[]", "null", `"x"`, "{", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":}`, `{"a":"x}`, `{"a":[1}`, `{a:1}`, `{"a" 1}`, `{"a":,}`, `{"a":"\`} {
		if b, err := (Event{Raw: raw}).Decode(); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %+v, error %v", raw, b, err)
		}
	}
}

func TestTypeIsThatOfTheTopLevel(t *testing.T) {
	for raw, want := range map[string]string{
		`{"value":"\",\"type\":\"Spoof\"","type":"Real"}`:         "Real",
		`{"value":{"type":"Spoof"},"type":"Real"}`:                "Real",
		`{"x":[{"type":"Spoof"}],"n":-1.5e3,"b":true,"type":"R"}`: "R",
		`{"value":"\\","type":"Real"}`:                            "Real",
		"{ \"typ\" : 1 , \r\n\t\"type\" : \"Real\" }":             "Real",
		`{"x":1}`:       "",
		`{"type":null}`: "",
	} {
		raw = " " + raw + "\n"
		if got := string(inner(member([]byte(raw), "type"))); got != want {
			t.Errorf("%s: type %q, want %q", raw, got, want)
		}
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2026-11-21T18:43:42.446+0000": time.Date(2026, 11, 21, 18, 43, 42, 446e6, time.UTC),
		"2026-11-21T18:43:42.446+0330": time.Date(2026, 11, 21, 15, 13, 42, 446e6, time.UTC),
		"2026-12-31T23:43:42.007-0700": time.Date(2027, 1, 1, 6, 43, 42, 7e6, time.UTC),
		"2026-11-21T18:43:42+0000":     {},
		"2026-11-21 18:43:42.446+0000": {},
		"2026-11-21T18:4x:42.446+0000": {},
		"2026-11-21T18:43:42.446*0000": {},
		"":                             {},
	} {
		if got := parseTime(text); !got.Equal(want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestNamesAreBounded(t *testing.T) {
	n := names{}
	kept := 0
	for i := range 10 * maxNames {
		n.of([]byte(fmt.Sprint("type", i)))
		n.of([]byte(strings.Repeat("x", i)))
	}
	for name := range n {
		kept += len(name)
	}
	if len(n) != maxNames || kept > maxNames*maxName {
		t.Errorf("%d names are kept, %d bytes", len(n), kept)
	}
}

// TestUnwantedCostNothing holds that of an event that nobody wants only the type is looked for.
func TestUnwantedCostNothing(t *testing.T) {
	asked := 0
	c := New(Options{Want: func(string) bool { asked++; return false }})
	r := reader{c: c}
	var lines [][]byte
	for _, line := range captured(t) {
		if !strings.Contains(line, "ApplicationReplaced") {
			lines = append(lines, []byte(line))
		}
	}
	all := func() {
		for _, r.buffer = range lines {
			if err := r.event(time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	all() // meets each type for the first time
	asked = 0
	if allocs := testing.AllocsPerRun(1, all); allocs != 0 || asked != 2*len(lines) || c.Stats().Unwanted != uint64(3*len(lines)) {
		t.Errorf("%v allocations, asked for %d of %d, stats %+v", allocs, asked, len(lines), c.Stats())
	}
}

// hasTwins reports whether an object has a name twice: encoding/json takes the last, the scan the first.
func hasTwins(data []byte) bool {
	twins := false
	seen := map[string]bool{}
	walk(string(data), func(name, _ string) {
		twins = twins || seen[name]
		seen[name] = true
	})
	return twins
}

// FuzzDecode proves that no text makes the scan run away, and that of JSON it says what encoding/json says.
func FuzzDecode(f *testing.F) {
	for i, line := range captured(f) {
		if i%7 == 0 {
			f.Add([]byte(line))
		}
	}
	for _, seed := range []string{"", "{", "[]", `{"type":"a","x":[{},"\"",-1e5,null]}`, `{"a":"\u0000\ud800"}`, "{\"type\":\"\xff\"}", `{"\u0074ype":"x"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		raw := string(data)
		body, err := Event{Raw: raw}.Decode()
		parseAll(raw, newChannel)
		kind, stamp := member(data, "type"), member(raw, "timestamp")
		parseTime(inner(stamp))
		if !json.Valid(data) {
			return
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(data, &members) != nil || members == nil {
			if err == nil {
				t.Fatalf("decoded %q", raw)
			}
			return
		}
		if err != nil {
			t.Fatalf("%v: %q", err, raw)
		}
		if !utf8.Valid(data) || strings.Contains(raw, `\`) || hasTwins(data) {
			return
		}
		if want := string(members["type"]); string(kind) != want {
			t.Fatalf("type %q, want %q", kind, want)
		}
		if want := string(members["timestamp"]); stamp != want {
			t.Fatalf("timestamp %q, want %q", stamp, want)
		}
		for name, got := range map[string]string{"application": body.Application, "variable": body.Variable, "value": body.Value} {
			var want string
			if json.Unmarshal(members[name], &want) != nil {
				want = ""
			}
			if got != want {
				t.Fatalf("%s is %q, want %q", name, got, want)
			}
		}
	})
}
