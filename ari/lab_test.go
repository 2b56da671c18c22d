package ari_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ari"
	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// everyVersion runs a test on a fresh Asterisk of each version.
func everyVersion(t *testing.T, test func(t *testing.T, l *lab.Lab)) {
	t.Helper()
	for _, version := range []string{"22", "16"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			test(t, lab.ForTest(t, version, lab.Options{}))
		})
	}
}

// A listener is a client on a real Asterisk whose events are gathered.
type listener struct {
	*ari.Client
	t     *testing.T
	dials atomic.Int64
	items []ari.Item // taken so far
	at    int        // how far await has looked
}

// listen runs a client of the lab until the test ends.
func listen(t *testing.T, l *lab.Lab, change ...func(*ari.Options)) *listener {
	t.Helper()
	n := &listener{t: t}
	o := ari.Options{URL: l.ARIURL, Username: l.ARIUser, Password: l.ARIPassword, Application: "labtest", SubscribeAll: true}
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		n.dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	for _, f := range change {
		f(&o)
	}
	n.Client = ari.New(o)
	run(t, n.Client)
	n.await("the connection", func(i ari.Item, _ ari.Body) bool { return i.Kind == ari.ItemConnected })
	return n
}

// await returns the next item, from where the last one was found, that fits.
func (n *listener) await(what string, fits func(ari.Item, ari.Body) bool) (ari.Item, ari.Body) {
	n.t.Helper()
	limit := time.After(40 * time.Second)
	for {
		for ; n.at < len(n.items); n.at++ {
			item := n.items[n.at]
			var body ari.Body
			if item.Kind == ari.ItemEvent {
				var err error
				if body, err = item.Event.Decode(); err != nil {
					n.t.Fatalf("%v: %s", err, item.Event.Raw)
				}
			}
			if fits(item, body) {
				n.at++
				return item, body
			}
		}
		select {
		case batch := <-n.Stream():
			n.items = append(n.items, batch...)
		case <-limit:
			n.t.Fatalf("%s did not come; the last of %d items: %+v", what, len(n.items), n.items[max(0, len(n.items)-5):])
		}
	}
}

// event awaits an event of a type about a channel.
func (n *listener) event(kind, channel string) ari.Body {
	n.t.Helper()
	_, body := n.await(kind+" of "+channel, func(i ari.Item, b ari.Body) bool {
		return i.Event.Type == kind && b.Channel != nil && (channel == "" || b.Channel.ID == channel)
	})
	return body
}

func good(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func telephone(t *testing.T, l *lab.Lab, number string) *phone.Phone {
	t.Helper()
	p, err := l.Phone(t.Context(), number)
	good(t, err)
	return p
}

// TestLabCall follows a call between two phones that the dialplan connects.
func TestLabCall(t *testing.T) {
	everyVersion(t, func(t *testing.T, l *lab.Lab) {
		n := listen(t, l)
		alice := telephone(t, l, "801")
		telephone(t, l, "802")
		call, err := alice.Dial(t.Context(), "802")
		good(t, err)
		created := n.event("ChannelCreated", "")
		id := created.Channel.ID
		if created.Channel.Caller.Number != "801" || created.Channel.Dialplan.Context != "from-internal" {
			t.Errorf("channel %+v", created.Channel)
		}
		_, begin := n.await("Dial", func(i ari.Item, b ari.Body) bool { return i.Event.Type == "Dial" && b.DialStatus == "" })
		if begin.Caller == nil || begin.Caller.ID != id || begin.Peer == nil || begin.DialString == "" {
			t.Errorf("dial %+v", begin)
		}
		n.await("the answer", func(i ari.Item, b ari.Body) bool {
			return i.Event.Type == "Dial" && b.DialStatus == "ANSWER" && b.Peer.ID == begin.Peer.ID
		})
		n.event("ChannelEnteredBridge", "")
		good(t, call.Answered(t.Context()))
		good(t, call.Hangup(t.Context()))
		if gone := n.event("ChannelDestroyed", id); gone.Cause != 16 {
			t.Errorf("cause %d (%s)", gone.Cause, gone.CauseText)
		}
		ofCaller := func(i ari.Item) bool {
			b, err := i.Event.Decode()
			return err == nil && b.Channel != nil && b.Channel.ID == id
		}
		var last time.Time
		for _, i := range slices.DeleteFunc(slices.Clone(n.items), func(i ari.Item) bool { return !ofCaller(i) }) {
			if i.Event.Timestamp.Before(last) || time.Since(i.Event.Timestamp).Abs() > time.Minute {
				t.Errorf("%s of %s after %s", i.Event.Type, i.Event.Timestamp, last)
			}
			last = i.Event.Timestamp
		}
	})
}

// TestLabStasis has the say over a call from its beginning to its end.
func TestLabStasis(t *testing.T) {
	everyVersion(t, func(t *testing.T, l *lab.Lab) {
		ctx, n := t.Context(), listen(t, l)
		telephone(t, l, "801")
		telephone(t, l, "802")
		// The ids have all in them that must be escaped.
		first, second, bridge := ari.NewID("a+b c"), ari.NewID("second"), ari.NewID("bridge")
		made, err := n.Originate(ctx, ari.Originate{
			Endpoint: l.Tech + "/801", ID: first, Args: []string{"x", "y z"}, CallerID: `"张 \"q\" + é" <900>`,
			Variables: map[string]string{"V": `a&b=c+d"\{}`}, Timeout: 5 * time.Second,
		})
		good(t, err)
		if made.ID != first || made.State != "Down" {
			t.Errorf("made %+v", made)
		}
		start := n.event("StasisStart", first)
		if !slices.Equal(start.Args, []string{"x", "y z"}) || start.Application != "labtest" || start.Channel.State != "Up" {
			t.Errorf("start %+v", start)
		}
		if start.Channel.Caller != (ari.Party{Name: `张 "q" + é`, Number: "900"}) {
			t.Errorf("caller %+v", start.Channel.Caller)
		}
		value, err := n.Variable(ctx, first, "V")
		if good(t, err); value != `a&b=c+d"\{}` {
			t.Errorf("variable %q", value)
		}
		_, err = n.Originate(ctx, ari.Originate{Endpoint: l.Tech + "/802", ID: first})
		if !errors.Is(err, ari.ErrConflict) {
			t.Errorf("an id in use: %v", err)
		}
		_, err = n.Originate(ctx, ari.Originate{Endpoint: l.Tech + "/820", ID: ari.NewID("x")})
		if !errors.Is(err, ari.ErrAllocation) {
			t.Errorf("a phone that is not there: %v", err)
		}
		good(t, only(n.Originate(ctx, ari.Originate{Endpoint: l.Tech + "/802", ID: second, Originator: first})))
		n.event("StasisStart", second)
		good(t, only(n.CreateBridge(ctx, bridge, "mixing", "test bridge")))
		good(t, n.AddToBridge(ctx, bridge, first, second))
		n.event("ChannelEnteredBridge", second)
		got, err := n.Bridge(ctx, bridge)
		if good(t, err); len(got.Channels) != 2 || got.Name != "test bridge" || got.Class != "stasis" {
			t.Errorf("bridge %+v", got)
		}
		if err := n.AddToBridge(ctx, bridge, "nobody"); !errors.Is(err, ari.ErrNotFound) {
			t.Errorf("a channel that is not there: %v", err)
		}
		sounds(t, n, bridge)
		snoop(t, n, first)
		good(t, n.RemoveFromBridge(ctx, bridge, first))
		good(t, n.SetVariable(ctx, first, "X", "1"))
		for _, command := range []func(context.Context, string) error{n.Hold, n.Unhold, n.Ring, n.StopRinging, n.Answer} {
			good(t, command(ctx, first))
		}
		good(t, n.StartMusic(ctx, first, ""))
		good(t, n.StopMusic(ctx, first))
		good(t, n.Hangup(ctx, second, 21))
		if gone := n.event("ChannelDestroyed", second); gone.Cause != 21 {
			t.Errorf("cause %d (%s), want 21", gone.Cause, gone.CauseText)
		}
		good(t, n.DestroyBridge(ctx, bridge))
		leave(t, n, first)
		dials := n.dials.Load()
		for range 100 {
			good(t, only(n.Channels(ctx)))
		}
		if more := n.dials.Load() - dials; more > 1 {
			t.Errorf("%d connections for 100 requests", more)
		}
	})
}

// TestLabCauses hangs up for every reason that has a name, and for one that has none.
func TestLabCauses(t *testing.T) {
	everyVersion(t, func(t *testing.T, l *lab.Lab) {
		n := listen(t, l)
		for _, cause := range []int{0, 1, 16, 17, 18, 19, 21, 26, 28, 31, 34, 38, 58, 127, 3} {
			id := ari.NewID("call")
			good(t, only(n.Originate(t.Context(), ari.Originate{Endpoint: "Local/*43@from-internal", ID: id})))
			n.event("StasisStart", id)
			good(t, n.Hangup(t.Context(), id, cause))
			want := cause
			if cause == 0 || cause == 3 && l.Version == "16" {
				want = 16
			}
			if gone := n.event("ChannelDestroyed", id); gone.Cause != want {
				t.Errorf("hung up for %d, gone for %d", cause, gone.Cause)
			}
		}
	})
}

// sounds plays into a bridge and records it.
func sounds(t *testing.T, n *listener, bridge string) {
	t.Helper()
	ctx := t.Context()
	good(t, n.StartBridgeMusic(ctx, bridge, ""))
	good(t, n.StopBridgeMusic(ctx, bridge))
	playback, name := ari.NewID("playback"), "deep/"+ari.NewID("tape+1")
	good(t, only(n.PlayToBridge(ctx, bridge, ari.Sound{ID: playback, Media: []string{"sound:beep", "sound:hello-world"}})))
	good(t, n.StopPlayback(ctx, playback))
	n.await("PlaybackFinished", func(i ari.Item, b ari.Body) bool {
		return i.Event.Type == "PlaybackFinished" && b.Playback.ID == playback
	})
	good(t, only(n.RecordBridge(ctx, bridge, ari.Tape{Name: name, Format: "wav"})))
	n.await("RecordingStarted", func(i ari.Item, b ari.Body) bool {
		return i.Event.Type == "RecordingStarted" && b.Recording.Name == name
	})
	good(t, n.StopRecording(ctx, name))
	n.await("RecordingFinished", func(i ari.Item, b ari.Body) bool {
		return i.Event.Type == "RecordingFinished" && b.Recording.Name == name
	})
	all, err := n.StoredRecordings(ctx)
	if good(t, err); !slices.Contains(all, ari.Recording{Name: name, Format: "wav"}) {
		t.Errorf("stored recordings %+v", all)
	}
	good(t, only(n.StoredRecording(ctx, name)))
	good(t, n.DeleteRecording(ctx, name))
	if err := only(n.StoredRecording(ctx, name)); !errors.Is(err, ari.ErrNotFound) {
		t.Errorf("a deleted recording: %v", err)
	}
}

// snoop hears a channel.
func snoop(t *testing.T, n *listener, channel string) {
	t.Helper()
	id := ari.NewID("snoop")
	good(t, only(n.Snoop(t.Context(), channel, ari.Snoop{ID: id, Spy: "both", Args: []string{"spy"}})))
	if start := n.event("StasisStart", id); !slices.Equal(start.Args, []string{"spy"}) {
		t.Errorf("snoop %+v", start)
	}
	good(t, n.Hangup(t.Context(), id, 0))
	n.event("StasisEnd", id)
}

// leave moves a channel to the application again, and then leaves it to the dialplan.
func leave(t *testing.T, n *listener, channel string) {
	t.Helper()
	ctx := t.Context()
	good(t, n.Move(ctx, channel, "", "moved"))
	if start := n.event("StasisStart", channel); !slices.Equal(start.Args, []string{"moved"}) {
		t.Errorf("moved %+v", start)
	}
	good(t, n.Continue(ctx, channel, ari.Place{Context: "from-internal", Exten: "*43"}))
	n.event("StasisEnd", channel)
	if err := n.Hold(ctx, channel); !errors.Is(err, ari.ErrNotInStasis) {
		t.Errorf("a channel in the dialplan: %v", err)
	}
	snoop(t, n, channel)
	if err := n.SetVariable(ctx, channel, "X", "1"); !errors.Is(err, ari.ErrNotInStasis) {
		t.Errorf("a variable of a channel in the dialplan: %v", err)
	}
	if value, err := n.Variable(ctx, channel, "EXTEN"); err != nil || value != "*43" {
		t.Errorf("extension %q, error %v", value, err)
	}
	good(t, n.Hangup(ctx, channel, 17))
	if gone := n.event("ChannelDestroyed", channel); gone.Cause != 17 {
		t.Errorf("cause %d (%s), want 17", gone.Cause, gone.CauseText)
	}
	if err := n.Hangup(ctx, channel, 0); !errors.Is(err, ari.ErrNotFound) {
		t.Errorf("a second hangup: %v", err)
	}
}

// TestLabDialplan originates into the dialplan, and to a phone that refuses.
func TestLabDialplan(t *testing.T) {
	everyVersion(t, func(t *testing.T, l *lab.Lab) {
		ctx, n := t.Context(), listen(t, l)
		telephone(t, l, "801")
		busy := telephone(t, l, "802")
		id := ari.NewID("click")
		good(t, only(n.Originate(ctx, ari.Originate{Endpoint: l.Tech + "/801", ID: id, Place: ari.Place{Context: "from-internal", Exten: "*43"}})))
		n.await("Echo", func(i ari.Item, b ari.Body) bool {
			return i.Event.Type == "ChannelDialplan" && b.Channel.ID == id && b.App == "Echo"
		})
		good(t, n.Hangup(ctx, id, 0))
		n.event("ChannelDestroyed", id)
		busy.Behave(phone.Behaviour{Status: 486})
		id = ari.NewID("click")
		good(t, only(n.Originate(ctx, ari.Originate{Endpoint: l.Tech + "/802", ID: id})))
		if gone := n.event("ChannelDestroyed", id); gone.Cause != 17 {
			t.Errorf("cause of a busy phone %d (%s)", gone.Cause, gone.CauseText)
		}
	})
}

// TestLabSystem asks for what is there.
func TestLabSystem(t *testing.T) {
	everyVersion(t, func(t *testing.T, l *lab.Lab) {
		ctx, n := t.Context(), listen(t, l)
		telephone(t, l, "801")
		want := ari.DeviceState{Name: l.Tech + "/801", State: "NOT_INUSE"}
		n.await("the phone", func(i ari.Item, b ari.Body) bool {
			return i.Event.Type == "DeviceStateChanged" && *b.DeviceState == want
		})
		all, err := n.Endpoints(ctx, "")
		if good(t, err); len(all) < len(l.Extensions) {
			t.Errorf("%d endpoints", len(all))
		}
		endpoint, err := n.Endpoint(ctx, l.Tech, "801")
		if good(t, err); endpoint.State != "online" {
			t.Errorf("endpoint %+v", endpoint)
		}
		if err := only(n.Endpoint(ctx, l.Tech, "999")); !errors.Is(err, ari.ErrNotFound) {
			t.Errorf("an endpoint that is not there: %v", err)
		}
		if err := only(n.Endpoints(ctx, "NOPE")); !errors.Is(err, ari.ErrNotFound) {
			t.Errorf("a technology that is not there: %v", err)
		}
		device, err := n.DeviceState(ctx, l.Tech+"/801")
		if good(t, err); device != want {
			t.Errorf("device %+v", device)
		}
		good(t, n.ReloadModule(ctx, "res_pjsip.so"))
		if err := n.ReloadModule(ctx, "nope.so"); !errors.Is(err, ari.ErrNotFound) {
			t.Errorf("a module that is not there: %v", err)
		}
		good(t, n.SetGlobalVariable(ctx, "G", "a+b c&d"))
		value, err := n.GlobalVariable(ctx, "G")
		if good(t, err); value != "a+b c&d" {
			t.Errorf("global variable %q", value)
		}
		if err := only(n.Bridge(ctx, "nope")); !errors.Is(err, ari.ErrNotFound) {
			t.Errorf("a bridge that is not there: %v", err)
		}
	})
}

// TestLabObjects makes a phone at run time, which registers.
func TestLabObjects(t *testing.T) {
	l := lab.ForTest(t, "22", lab.Options{})
	ctx, n := t.Context(), listen(t, l)
	object := func(kind string) ari.ObjectID { return ari.ObjectID{Class: "res_pjsip", Type: kind, ID: "899"} }
	good(t, only(n.PutObject(ctx, object("auth"), []ari.Attribute{
		{Name: "auth_type", Value: "userpass"}, {Name: "username", Value: "899"}, {Name: "password", Value: "secret-899"}})))
	good(t, only(n.PutObject(ctx, object("aor"), []ari.Attribute{{Name: "max_contacts", Value: "1"}, {Name: "remove_existing", Value: "yes"}})))
	all, err := n.PutObject(ctx, object("endpoint"), []ari.Attribute{
		{Name: "allow", Value: "ulaw"}, {Name: "context", Value: "from-internal"}, {Name: "auth", Value: "899"}, {Name: "aors", Value: "899"}})
	if good(t, err); !slices.Contains(all, ari.Attribute{Name: "context", Value: "from-internal"}) {
		t.Errorf("endpoint %+v", all)
	}
	p, err := phone.New(ctx, phone.Config{Server: l.SIPAddress, BindIP: strings.TrimSuffix(l.IP, ".1") + ".150", User: "899", Password: "secret-899", Name: "899"})
	good(t, err)
	t.Cleanup(func() { good(t, p.Close()) })
	good(t, p.Register(ctx))
	n.await("the registration", func(i ari.Item, b ari.Body) bool {
		return i.Event.Type == "PeerStatusChange" && b.Endpoint.Resource == "899" && b.PeerStatus == "Reachable"
	})
	if err := only(n.PutObject(ctx, object("endpoint"), []ari.Attribute{{Name: "allow", Value: "ulaw"}, {Name: "nosuch", Value: "1"}})); !errors.Is(err, ari.ErrInvalid) {
		t.Errorf("an unknown attribute: %v", err)
	}
	inFile := ari.ObjectID{Class: "res_pjsip", Type: "endpoint", ID: "801"}
	if err := only(n.PutObject(ctx, inFile, []ari.Attribute{{Name: "allow", Value: "ulaw"}})); !errors.Is(err, ari.ErrReadOnly) {
		t.Errorf("an object in a file: %v", err)
	}
	if err := n.DeleteObject(ctx, inFile); !errors.Is(err, ari.ErrReadOnly) {
		t.Errorf("deleting one: %v", err)
	}
	for _, kind := range []string{"endpoint", "aor", "auth"} {
		good(t, n.DeleteObject(ctx, object(kind)))
		if err := only(n.Object(ctx, object(kind))); !errors.Is(err, ari.ErrNotFound) {
			t.Errorf("a deleted %s: %v", kind, err)
		}
	}
}

// TestLabRestart ends Asterisk under the client, softly and hard.
func TestLabRestart(t *testing.T) {
	everyVersion(t, func(t *testing.T, l *lab.Lab) {
		n := listen(t, l)
		for name, end := range map[string]func(context.Context) error{"stop": l.Stop, "kill": l.Kill} {
			good(t, end(t.Context()))
			lost, _ := n.await("the loss", func(i ari.Item, _ ari.Body) bool { return i.Kind == ari.ItemDisconnected })
			t.Logf("%s: %v", name, lost.Err)
			if err := only(n.Channels(t.Context())); !errors.Is(err, ari.ErrUnreachable) {
				t.Errorf("%s: error %v of a call", name, err)
			}
			good(t, l.Boot(t.Context()))
			booted := time.Now()
			n.await("the return", func(i ari.Item, _ ari.Body) bool { return i.Kind == ari.ItemConnected })
			if took := time.Since(booted); took > 6*time.Second {
				t.Errorf("%s: back after %s", name, took)
			}
			good(t, only(n.Channels(t.Context())))
		}
		if s := n.Stats(); s.Connections != 3 || s.Garbled+s.Oversized+s.Refused != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestLabReplaced has two programs with one name.
func TestLabReplaced(t *testing.T) {
	everyVersion(t, func(t *testing.T, l *lab.Lab) {
		first := listen(t, l)
		second := listen(t, l)
		lost, _ := first.await("the loss", func(i ari.Item, _ ari.Body) bool { return i.Kind == ari.ItemDisconnected })
		if !errors.Is(lost.Err, ari.ErrReplaced) {
			t.Errorf("the end is %v", lost.Err)
		}
		// The first one's going must not take the name from the second.
		telephone(t, l, "801")
		id := ari.NewID("call")
		good(t, only(second.Originate(t.Context(), ari.Originate{Endpoint: l.Tech + "/801", ID: id})))
		second.event("StasisStart", id)
		good(t, second.Hangup(t.Context(), id, 0))
		second.event("StasisEnd", id)
	})
}

// TestLabLogin proves how a real Asterisk refuses.
func TestLabLogin(t *testing.T) {
	everyVersion(t, func(t *testing.T, l *lab.Lab) {
		c := ari.New(ari.Options{URL: l.ARIURL, Username: l.ARIUser, Password: "wrong", Application: "labtest"})
		t.Cleanup(c.Close)
		if err := only(c.Info(t.Context())); !errors.Is(err, ari.ErrUnauthorized) {
			t.Errorf("error %v", err)
		}
		run(t, c)
		elsewhere := ari.New(ari.Options{URL: l.ARIURL + "/nowhere", Username: l.ARIUser, Password: l.ARIPassword, Application: "labtest"})
		t.Cleanup(elsewhere.Close)
		run(t, elsewhere)
		for c, want := range map[*ari.Client]error{c: ari.ErrUnauthorized, elsewhere: ari.ErrNotFound} {
			deadline := time.Now().Add(10 * time.Second)
			for !errors.Is(c.Status().Err, want) {
				if time.Now().After(deadline) {
					t.Fatalf("status %+v, want %v", c.Status(), want)
				}
				select {
				case <-t.Context().Done():
				case <-time.After(10 * time.Millisecond):
				}
			}
		}
	})
}
