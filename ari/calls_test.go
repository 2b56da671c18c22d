package ari_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ari"
	"github.com/dialbridge/dialbridge/ari/aritest"
	"github.com/google/go-cmp/cmp"
)

// dial makes a client of a server.
func dial(t *testing.T, srv *aritest.Server, change ...func(*ari.Options)) *ari.Client {
	t.Helper()
	o := srv.Options()
	for _, f := range change {
		f(&o)
	}
	c := ari.New(o)
	t.Cleanup(c.Close)
	return c
}

// A sent is what a call put on the wire.
type sent struct {
	Method, Path, Query string
	Body                any
}

// only is the result of a call of which the test looks at the error alone.
func only[T any](_ T, err error) error { return err }

// calls is every typed call, and what it must put on the wire.
var calls = []struct {
	name   string
	answer string
	make   func(ctx context.Context, c *ari.Client) error
	want   sent
}{
	{"originate into the application", `{"id":"a"}`, func(ctx context.Context, c *ari.Client) error {
		return only(c.Originate(ctx, ari.Originate{Endpoint: "PJSIP/801", ID: "a", Args: []string{"x", "y z"},
			CallerID: `"Zed" <900>`, Timeout: 1500 * time.Millisecond, Variables: map[string]string{"CALLERID(name)": "张三"}}))
	}, sent{"POST", "/channels", "", map[string]any{"endpoint": "PJSIP/801", "channelId": "a", "app": "dialbridge", "appArgs": "x,y z",
		"callerId": `"Zed" <900>`, "timeout": 2.0, "variables": map[string]any{"CALLERID(name)": "张三"}}}},
	{"originate into another application", `{"id":"a"}`, func(ctx context.Context, c *ari.Client) error {
		return only(c.Originate(ctx, ari.Originate{Endpoint: "Local/1@x", ID: "a", OtherID: "b", App: "other", Originator: "o", Formats: "ulaw"}))
	}, sent{"POST", "/channels", "", map[string]any{"endpoint": "Local/1@x", "channelId": "a", "otherChannelId": "b", "app": "other",
		"originator": "o", "formats": "ulaw"}}},
	{"originate into the dialplan", `{"id":"a"}`, func(ctx context.Context, c *ari.Client) error {
		return only(c.Originate(ctx, ari.Originate{Endpoint: "PJSIP/801", ID: "a", Place: ari.Place{Context: "from-internal", Exten: "802"}}))
	}, sent{"POST", "/channels", "", map[string]any{"endpoint": "PJSIP/801", "channelId": "a", "context": "from-internal",
		"extension": "802", "priority": 1.0}}},
	{"snoop", `{"id":"s"}`, func(ctx context.Context, c *ari.Client) error {
		return only(c.Snoop(ctx, "a/b", ari.Snoop{ID: "s", Spy: "both", Whisper: "out", Args: []string{"q"}}))
	}, sent{"POST", "/channels/a%2Fb/snoop", "", map[string]any{"snoopId": "s", "spy": "both", "whisper": "out", "app": "dialbridge", "appArgs": "q"}}},
	{"hang up with a cause", "", func(ctx context.Context, c *ari.Client) error { return c.Hangup(ctx, "a+b", 21) },
		sent{"DELETE", "/channels/a%2Bb", "reason=rejected", nil}},
	{"hang up with a rare cause", "", func(ctx context.Context, c *ari.Client) error { return c.Hangup(ctx, "a", 3) },
		sent{"DELETE", "/channels/a", "reason_code=3", nil}},
	{"hang up", "", func(ctx context.Context, c *ari.Client) error { return c.Hangup(ctx, "a b?c#d", 0) },
		sent{"DELETE", "/channels/a%20b%3Fc%23d", "", nil}},
	{"answer", "", func(ctx context.Context, c *ari.Client) error { return c.Answer(ctx, "a") }, sent{"POST", "/channels/a/answer", "", nil}},
	{"ring", "", func(ctx context.Context, c *ari.Client) error { return c.Ring(ctx, "a") }, sent{"POST", "/channels/a/ring", "", nil}},
	{"stop ringing", "", func(ctx context.Context, c *ari.Client) error { return c.StopRinging(ctx, "a") }, sent{"DELETE", "/channels/a/ring", "", nil}},
	{"hold", "", func(ctx context.Context, c *ari.Client) error { return c.Hold(ctx, "a") }, sent{"POST", "/channels/a/hold", "", nil}},
	{"unhold", "", func(ctx context.Context, c *ari.Client) error { return c.Unhold(ctx, "a") }, sent{"DELETE", "/channels/a/hold", "", nil}},
	{"start music", "", func(ctx context.Context, c *ari.Client) error { return c.StartMusic(ctx, "a", "jazz") },
		sent{"POST", "/channels/a/moh", "", map[string]any{"mohClass": "jazz"}}},
	{"stop music", "", func(ctx context.Context, c *ari.Client) error { return c.StopMusic(ctx, "a") }, sent{"DELETE", "/channels/a/moh", "", nil}},
	{"continue where it was", "", func(ctx context.Context, c *ari.Client) error { return c.Continue(ctx, "a", ari.Place{}) },
		sent{"POST", "/channels/a/continue", "", nil}},
	{"continue elsewhere", "", func(ctx context.Context, c *ari.Client) error {
		return c.Continue(ctx, "a", ari.Place{Context: "x", Exten: "s", Label: "here"})
	}, sent{"POST", "/channels/a/continue", "", map[string]any{"context": "x", "extension": "s", "label": "here"}}},
	{"move", "", func(ctx context.Context, c *ari.Client) error { return c.Move(ctx, "a", "other", "1", "2") },
		sent{"POST", "/channels/a/move", "", map[string]any{"app": "other", "appArgs": "1,2"}}},
	{"redirect", "", func(ctx context.Context, c *ari.Client) error { return c.Redirect(ctx, "a", "PJSIP/803") },
		sent{"POST", "/channels/a/redirect", "", map[string]any{"endpoint": "PJSIP/803"}}},
	{"set a variable", "", func(ctx context.Context, c *ari.Client) error { return c.SetVariable(ctx, "a", "X", "1&2") },
		sent{"POST", "/channels/a/variable", "", map[string]any{"variable": "X", "value": "1&2"}}},
	{"get a variable", `{"value":""}`, func(ctx context.Context, c *ari.Client) error { return only(c.Variable(ctx, "a", "A B+C&d=e")) },
		sent{"GET", "/channels/a/variable", "variable=A%20B%2BC%26d%3De", nil}},
	{"set a global variable", "", func(ctx context.Context, c *ari.Client) error { return c.SetGlobalVariable(ctx, "X", "") },
		sent{"POST", "/asterisk/variable", "", map[string]any{"variable": "X"}}},
	{"get a global variable", `{"value":""}`, func(ctx context.Context, c *ari.Client) error { return only(c.GlobalVariable(ctx, "X")) },
		sent{"GET", "/asterisk/variable", "variable=X", nil}},
	{"play", `{"id":"p"}`, func(ctx context.Context, c *ari.Client) error {
		return only(c.Play(ctx, "a", ari.Sound{ID: "p", Media: []string{"sound:x", "tone:y"}, Language: "fa", Offset: 2 * time.Second}))
	}, sent{"POST", "/channels/a/play", "", map[string]any{"playbackId": "p", "media": []any{"sound:x", "tone:y"}, "lang": "fa", "offsetms": 2000.0}}},
	{"stop a playback", "", func(ctx context.Context, c *ari.Client) error { return c.StopPlayback(ctx, "p") }, sent{"DELETE", "/playbacks/p", "", nil}},
	{"record", `{"name":"r"}`, func(ctx context.Context, c *ari.Client) error {
		return only(c.Record(ctx, "a", ari.Tape{Name: "d/r", Format: "wav", MaxLength: time.Minute, MaxSilence: time.Millisecond, IfExists: "append", Beep: true, EndDigits: "#"}))
	}, sent{"POST", "/channels/a/record", "", map[string]any{"name": "d/r", "format": "wav", "maxDurationSeconds": 60.0, "maxSilenceSeconds": 1.0,
		"ifExists": "append", "beep": true, "terminateOn": "#"}}},
	{"stop a recording", "", func(ctx context.Context, c *ari.Client) error { return c.StopRecording(ctx, "d/r") },
		sent{"POST", "/recordings/live/d%2Fr/stop", "", nil}},
	{"stored recordings", `[]`, func(ctx context.Context, c *ari.Client) error { return only(c.StoredRecordings(ctx)) },
		sent{"GET", "/recordings/stored", "", nil}},
	{"a stored recording", `{"name":"r"}`, func(ctx context.Context, c *ari.Client) error { return only(c.StoredRecording(ctx, "d/r")) },
		sent{"GET", "/recordings/stored/d%2Fr", "", nil}},
	{"delete a recording", "", func(ctx context.Context, c *ari.Client) error { return c.DeleteRecording(ctx, "r") },
		sent{"DELETE", "/recordings/stored/r", "", nil}},
	{"create a bridge", `{"id":"b"}`, func(ctx context.Context, c *ari.Client) error { return only(c.CreateBridge(ctx, "b", "mixing", "n")) },
		sent{"POST", "/bridges", "", map[string]any{"bridgeId": "b", "type": "mixing", "name": "n"}}},
	{"a bridge", `{"id":"b"}`, func(ctx context.Context, c *ari.Client) error { return only(c.Bridge(ctx, "b")) }, sent{"GET", "/bridges/b", "", nil}},
	{"bridges", `[]`, func(ctx context.Context, c *ari.Client) error { return only(c.Bridges(ctx)) }, sent{"GET", "/bridges", "", nil}},
	{"destroy a bridge", "", func(ctx context.Context, c *ari.Client) error { return c.DestroyBridge(ctx, "b") }, sent{"DELETE", "/bridges/b", "", nil}},
	{"add to a bridge", "", func(ctx context.Context, c *ari.Client) error { return c.AddToBridge(ctx, "b", "x", "y") },
		sent{"POST", "/bridges/b/addChannel", "", map[string]any{"channel": []any{"x", "y"}}}},
	{"remove from a bridge", "", func(ctx context.Context, c *ari.Client) error { return c.RemoveFromBridge(ctx, "b", "x") },
		sent{"POST", "/bridges/b/removeChannel", "", map[string]any{"channel": []any{"x"}}}},
	{"start music in a bridge", "", func(ctx context.Context, c *ari.Client) error { return c.StartBridgeMusic(ctx, "b", "") },
		sent{"POST", "/bridges/b/moh", "", nil}},
	{"stop music in a bridge", "", func(ctx context.Context, c *ari.Client) error { return c.StopBridgeMusic(ctx, "b") },
		sent{"DELETE", "/bridges/b/moh", "", nil}},
	{"play to a bridge", `{"id":"p"}`, func(ctx context.Context, c *ari.Client) error {
		return only(c.PlayToBridge(ctx, "b", ari.Sound{ID: "p", Media: []string{"sound:x"}}))
	}, sent{"POST", "/bridges/b/play", "", map[string]any{"playbackId": "p", "media": []any{"sound:x"}}}},
	{"record a bridge", `{"name":"r"}`, func(ctx context.Context, c *ari.Client) error {
		return only(c.RecordBridge(ctx, "b", ari.Tape{Name: "r", Format: "wav"}))
	}, sent{"POST", "/bridges/b/record", "", map[string]any{"name": "r", "format": "wav"}}},
	{"channels", `[]`, func(ctx context.Context, c *ari.Client) error { return only(c.Channels(ctx)) }, sent{"GET", "/channels", "", nil}},
	{"a channel", `{"id":"a"}`, func(ctx context.Context, c *ari.Client) error { return only(c.Channel(ctx, "a")) }, sent{"GET", "/channels/a", "", nil}},
	{"endpoints", `[]`, func(ctx context.Context, c *ari.Client) error { return only(c.Endpoints(ctx, "")) }, sent{"GET", "/endpoints", "", nil}},
	{"endpoints of a technology", `[]`, func(ctx context.Context, c *ari.Client) error { return only(c.Endpoints(ctx, "PJSIP")) },
		sent{"GET", "/endpoints/PJSIP", "", nil}},
	{"an endpoint", `{"resource":"1"}`, func(ctx context.Context, c *ari.Client) error { return only(c.Endpoint(ctx, "PJSIP", "1")) },
		sent{"GET", "/endpoints/PJSIP/1", "", nil}},
	{"a device", `{"name":"x"}`, func(ctx context.Context, c *ari.Client) error { return only(c.DeviceState(ctx, "PJSIP/801")) },
		sent{"GET", "/deviceStates/PJSIP%2F801", "", nil}},
	{"reload a module", "", func(ctx context.Context, c *ari.Client) error { return c.ReloadModule(ctx, "res_pjsip.so") },
		sent{"PUT", "/asterisk/modules/res_pjsip.so", "", nil}},
	{"an object", `[]`, func(ctx context.Context, c *ari.Client) error { return only(c.Object(ctx, phone811)) },
		sent{"GET", "/asterisk/config/dynamic/res_pjsip/endpoint/811", "", nil}},
	{"put an object", `[]`, func(ctx context.Context, c *ari.Client) error {
		return only(c.PutObject(ctx, phone811, []ari.Attribute{{Name: "allow", Value: "ulaw"}}))
	}, sent{"PUT", "/asterisk/config/dynamic/res_pjsip/endpoint/811", "",
		map[string]any{"fields": []any{map[string]any{"attribute": "allow", "value": "ulaw"}}}}},
	{"put an empty object", `[]`, func(ctx context.Context, c *ari.Client) error {
		return only(c.PutObject(ctx, ari.ObjectID{Class: "res_pjsip", Type: "aor", ID: "811"}, nil))
	}, sent{"PUT", "/asterisk/config/dynamic/res_pjsip/aor/811", "", map[string]any{"fields": []any{}}}},
	{"delete an object", "", func(ctx context.Context, c *ari.Client) error { return c.DeleteObject(ctx, phone811) },
		sent{"DELETE", "/asterisk/config/dynamic/res_pjsip/endpoint/811", "", nil}},
}

var phone811 = ari.ObjectID{Class: "res_pjsip", Type: "endpoint", ID: "811"}

func TestCalls(t *testing.T) {
	srv := aritest.Start(t)
	c := dial(t, srv)
	for _, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			answer := aritest.Done()
			if call.answer != "" {
				answer = aritest.OK(call.answer)
			}
			before := len(srv.Received(""))
			route := call.want.Method
			srv.HandleAll(func(aritest.Request) aritest.Answer { return answer })
			if err := call.make(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			received := srv.Received("")
			if len(received) != before+1 {
				t.Fatalf("%d requests, want 1", len(received)-before)
			}
			r := received[before]
			got := sent{Method: r.Method, Path: r.Path, Query: r.RawQuery}
			if r.Body != "" {
				if err := json.Unmarshal([]byte(r.Body), &got.Body); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(call.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", route, diff)
			}
		})
	}
	if dials := srv.Dials(); dials != 5 {
		t.Errorf("%d connections for %d requests, want one, and one after each that makes a channel", dials, len(calls))
	}
}

// TestCallsFail proves that every call hands on Asterisk's refusal, and an answer that is none.
func TestCallsFail(t *testing.T) {
	srv := aritest.Start(t)
	c := dial(t, srv)
	for _, call := range calls {
		srv.HandleAll(func(aritest.Request) aritest.Answer { return aritest.Refuse(http.StatusNotFound, "Gone") })
		var e *ari.Error
		if err := call.make(t.Context(), c); !errors.Is(err, ari.ErrNotFound) || !errors.As(err, &e) || e.Op != call.want.Method+" "+call.want.Path {
			t.Errorf("%s: error %v", call.name, err)
		}
		if call.answer == "" || call.answer == `{"value":""}` {
			continue
		}
		srv.HandleAll(func(aritest.Request) aritest.Answer { return aritest.OK(`17`) })
		err := call.make(t.Context(), c)
		if !errors.Is(err, ari.ErrForeign) || errors.Is(err, ari.ErrUnknown) != (call.want.Method != http.MethodGet) {
			t.Errorf("%s: error %v of an answer that is none", call.name, err)
		}
	}
}

// TestTranscript holds the decoding of answers against those of a real Asterisk 22.
func TestTranscript(t *testing.T) {
	srv := aritest.Start(t)
	srv.Answers("testdata/captures/22-ari.http.txt")
	c, ctx := dial(t, srv), t.Context()
	equal := func(what string, want, got any, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	channels, err := c.Channels(ctx)
	if err != nil || len(channels) != 2 {
		t.Fatalf("channels %+v, error %v", channels, err)
	}
	equal("channel", ari.Channel{
		ID: "ari-3", Name: "PJSIP/801-00000002", State: "Up",
		Caller: ari.Party{Name: "C2D", Number: "802"}, Connected: ari.Party{Name: "Phone 802", Number: "802"},
		Dialplan: ari.Dialplan{Context: "internal", Exten: "802", Priority: 3, App: "Dial", AppData: "PJSIP/802,25,tTkKxX"},
		Created:  time.Date(2026, 11, 21, 18, 43, 51, 518e6, time.UTC), Language: "en",
	}, channels[1], nil)
	bridge, err := c.Bridge(ctx, "x")
	if !errors.Is(err, ari.ErrNotFound) {
		t.Errorf("bridge %+v, error %v", bridge, err)
	}
	bridges, err := c.Bridges(ctx)
	equal("bridges", []ari.Bridge{{
		ID: "ce08de1f-d0e5-4824-97ca-1e449e233167", Type: "mixing", Technology: "simple_bridge", Class: "basic",
		Channels: []string{"1795286631.10", "ari-3"}, Created: time.Date(2026, 11, 21, 18, 43, 52, 334e6, time.UTC),
	}}, bridges, err)
	device, err := c.DeviceState(ctx, "PJSIP/801")
	equal("device", ari.DeviceState{Name: "PJSIP/801", State: "NOT_INUSE"}, device, err)
	endpoint, err := c.Endpoint(ctx, "PJSIP", "804")
	equal("endpoint", ari.Endpoint{Technology: "PJSIP", Resource: "804", State: "offline"}, endpoint, err)
	recording, err := c.RecordBridge(ctx, "ari-b1", ari.Tape{Name: "lab-bridge", Format: "wav"})
	equal("recording", ari.Recording{Name: "lab-bridge", Format: "wav", State: "queued", Target: "bridge:ari-b1"}, recording, err)
	playback, err := c.PlayToBridge(ctx, "ari-b1", ari.Sound{ID: "p", Media: []string{"sound:beep"}})
	equal("playback", ari.Playback{ID: "62fb41cb-d880-4e71-bb54-b69a94ed3c79", Media: "sound:beep", Target: "bridge:ari-b1",
		Language: "en", State: "queued"}, playback, err)
	value, err := c.Variable(ctx, "ari-1", "X")
	if value != "" || !errors.Is(err, ari.ErrNotFound) {
		t.Errorf("variable %q, error %v", value, err)
	}
	global, err := c.GlobalVariable(ctx, "TECH")
	equal("global variable", "PJSIP", global, err)
}

func TestObjects(t *testing.T) {
	srv := aritest.Start(t)
	srv.Answers("testdata/captures/22-ari-dynamic.http.txt")
	c := dial(t, srv)
	all, err := c.Object(t.Context(), ari.ObjectID{Class: "res_pjsip", Type: "auth", ID: "811"})
	if err != nil || len(all) != 12 || all[0] != (ari.Attribute{Name: "oauth_secret"}) {
		t.Errorf("%d attributes %v, error %v", len(all), all, err)
	}
	_, err = c.PutObject(t.Context(), ari.ObjectID{Class: "res_pjsip", Type: "endpoint", ID: "801"}, []ari.Attribute{{Name: "allow", Value: "ulaw"}})
	if !errors.Is(err, ari.ErrReadOnly) {
		t.Errorf("error %v, want ErrReadOnly", err)
	}
	_, err = c.PutObject(t.Context(), ari.ObjectID{Class: "nosuch", Type: "endpoint", ID: "801"}, nil)
	if !errors.Is(err, ari.ErrNotFound) {
		t.Errorf("error %v, want ErrNotFound", err)
	}
}
