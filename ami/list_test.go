package ami_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

func TestListAmongForeignEvents(t *testing.T) {
	srv := amitest.Start(t)
	o := srv.Options()
	o.Want = func(event string) bool { return event != "QueueMember" && event != "QueueStatusComplete" }
	r := up(t, o)
	srv.Handle("QueueStatus", func(s *amitest.Session, a ami.Action) {
		id := a.Get("ActionID")
		s.Event("Newstate", "N", "1")
		s.Respond(a, "Success", "EventList", "start", "Message", "Queue status will follow")
		s.Event("QueueParams", "Queue", "630", "ActionID", id)
		s.Event("Hangup", "N", "2")
		s.Event("QueueMember", "ActionID", "another-1", "Name", "not ours")
		s.Event("QueueMember", "Queue", "630", "Name", "Agent 801", "ActionID", id) // last, as Asterisk has it
		s.Event("AgentComplete", "N", "3")
		s.Event("QueueStatusComplete", "ActionID", id, "EventList", "Complete", "ListItems", "2")
		s.Event("Newstate", "N", "4")
	})
	items, err := r.List(t.Context(), ami.NewAction("QueueStatus"))
	if err != nil || len(items) != 2 || items[0].Event() != "QueueParams" || items[1].Get("Name") != "Agent 801" {
		t.Fatalf("list is %q, %v", items, err)
	}
	for n, name := range []string{"Newstate", "Hangup", "AgentComplete", "Newstate"} {
		if m := r.expectEvent(t, name); m.Get("N") != string(rune('1'+n)) {
			t.Errorf("event %d is %q", n, m)
		}
	}
}

func TestListsOfAllKinds(t *testing.T) {
	for name, c := range map[string]struct {
		answer string // %ID% is the ActionID
		want   int
		err    string
	}{
		"empty":        {"Response: Success\r\n%ID%EventList: start\r\n\r\nEvent: XComplete\r\n%ID%EventList: Complete\r\nListItems: 0\r\n\r\n", 0, ""},
		"Start":        {"Response: Success\r\n%ID%EventList: Start\r\n\r\nEvent: X\r\n%ID%\r\nEvent: XComplete\r\n%ID%EventList: Complete\r\n\r\n", 1, ""},
		"cancelled":    {"Response: Success\r\n%ID%EventList: start\r\n\r\nEvent: X\r\n%ID%\r\nEvent: XEnd\r\n%ID%EventList: cancelled\r\n\r\n", 1, ""},
		"old DBGet":    {"Response: Success\r\n%ID%Message: Result will follow\r\n\r\nEvent: DBGetResponse\r\n%ID%Val: 1\r\n\r\nEvent: DBGetComplete\r\n%ID%\r\n", 1, ""},
		"Hangup regex": {"Response: Success\r\n%ID%EventList: start\r\nMessage: Channels hung up will follow\r\n\r\nEvent: ChannelHungup\r\n%ID%\r\nEvent: ChannelsHungupListComplete\r\n%ID%EventList: Complete\r\n\r\n", 1, ""},
		"no list":      {"Response: Success\r\n%ID%Ping: Pong\r\n\r\n", 0, ""},
		"error":        {"Response: Error\r\n%ID%Message: No active conferences.\r\n\r\n", 0, "No active conferences."},
		"error LF":     {"Response: Error\r\n%ID%Message: No endpoints found\n\r\n\r\n", 0, "No endpoints found"},
		"by its name":  {"Response: Success\r\n%ID%EventList: start\r\n\r\nEvent: X\r\n%ID%\r\nEvent: StatusComplete\r\nItems: 1\r\n%ID%\r\n", 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			srv := amitest.Start(t)
			r := up(t, srv.Options())
			srv.Handle("X", func(s *amitest.Session, a ami.Action) {
				s.Send(strings.ReplaceAll(c.answer, "%ID%", "ActionID: "+a.Get("ActionID")+"\r\n"))
				s.Event("After")
			})
			items, err := r.List(t.Context(), ami.NewAction("X"))
			var refused *ami.ResponseError
			if errors.As(err, &refused) != (c.err != "") || c.err != "" && refused.Message != c.err || len(items) != c.want {
				t.Errorf("list is %q, %v", items, err)
			}
			r.expectEvent(t, "After")
		})
	}
}

// TestEveryRecordedList asks for each list that the captures hold and counts its items as Asterisk did.
func TestEveryRecordedList(t *testing.T) {
	lists := 0
	for _, path := range transcripts(t) {
		sent := strings.TrimSuffix(path, ".ami") + ".sent"
		if _, err := os.Stat(sent); err != nil {
			continue
		}
		srv := amitest.Start(t)
		srv.Answers(path, sent)
		r := run(t, srv.Options())
		r.expect(t, ami.ItemConnected)
		asked := map[string]bool{}
		for _, m := range amitest.Transcript(t, sent) {
			name := ami.ParseAction(m).Name
			if asked[name] || strings.EqualFold(name, "Logoff") || strings.EqualFold(name, "Login") {
				continue
			}
			asked[name] = true
			want, ok := recorded(t, path, sent, name)
			if !ok {
				continue
			}
			items, err := r.List(t.Context(), ami.NewAction(name))
			if err != nil || len(items) != want {
				t.Errorf("%s: %s has %d items, %v, want %d", path, name, len(items), err, want)
			}
			lists++
		}
		r.stop(t)
	}
	if lists < 60 {
		t.Errorf("only %d lists", lists)
	}
}

// transcripts returns the paths of all captures.
func transcripts(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/captures/*.ami")
	if err != nil || len(paths) < 80 {
		t.Fatalf("%d captures: %v", len(paths), err)
	}
	return paths
}

// recorded returns how many items the last answer to the action called name has, false if that was no list.
func recorded(t *testing.T, path, sent, name string) (int, bool) {
	t.Helper()
	ids := map[string]bool{}
	for _, m := range amitest.Transcript(t, sent) {
		if a := ami.ParseAction(m); strings.EqualFold(a.Name, name) {
			ids[a.Get("ActionID")] = true
		}
	}
	items, open, last := 0, false, ""
	for _, m := range amitest.Transcript(t, path) {
		id := m.Get("ActionID")
		switch {
		case !ids[id]:
		case strings.HasPrefix(m.String(), "Response: "):
			last, items, open = id, 0, strings.EqualFold(m.Get("EventList"), "start")
		case id == last && open && m.Get("EventList") != "Complete":
			items++
		}
	}
	return items, open
}

func TestAbandonedListStaysOutOfTheStream(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		r := up(t, srv.Options())
		var session *amitest.Session
		srv.Handle("Status", func(s *amitest.Session, a ami.Action) {
			session = s
			s.Respond(a, "Success", "EventList", "start")
			s.Event("Status", "ActionID", a.Get("ActionID"))
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if items, err := r.List(ctx, ami.NewAction("Status")); !errors.Is(err, ami.ErrUnknown) || items != nil {
			t.Fatalf("list is %q, %v", items, err)
		}
		a := srv.Wait("Status")
		session.Event("Status", "ActionID", a.Get("ActionID"))
		session.Complete(a, "StatusComplete", 2)
		session.Event("Hangup", "ActionID", a.Get("ActionID"))
		r.expectEvent(t, "Hangup")
	})
}

func TestAbandonedListIsForgotten(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		r := up(t, srv.Options())
		srv.Silent("Status")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.List(ctx, ami.NewAction("Status")); !errors.Is(err, ami.ErrUnknown) {
			t.Fatalf("list: %v", err)
		}
		id := srv.Wait("Status").Get("ActionID")
		time.Sleep(2 * time.Minute)
		srv.Send("Response: Success\r\nActionID: " + id + "\r\nEventList: start\r\n\r\n")
		srv.Event("Status", "ActionID", id)
		r.expectEvent(t, "Status") // is an event as any other
		if n := r.Stats().Late; n != 1 {
			t.Errorf("%d late answers", n)
		}
	})
}

func TestListAcrossTheLossOfTheLink(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		r := up(t, srv.Options())
		srv.Handle("Status", func(s *amitest.Session, a ami.Action) {
			s.Respond(a, "Success", "EventList", "start")
			s.Event("Status", "ActionID", a.Get("ActionID"))
			s.Hangup()
		})
		if items, err := r.List(t.Context(), ami.NewAction("Status")); !errors.Is(err, ami.ErrUnknown) || items != nil {
			t.Errorf("list is %q, %v", items, err)
		}
		r.expect(t, ami.ItemDisconnected)
	})
}

func TestListIsBounded(t *testing.T) {
	bubble(t, amitest.Options{}, func(t *testing.T, srv *amitest.Server) {
		o := srv.Options()
		o.Queue = 10_000
		r := up(t, o)
		srv.Handle("Status", func(s *amitest.Session, a ami.Action) {
			s.Respond(a, "Success", "EventList", "start")
			for range 100 {
				s.Event("Status", "ActionID", a.Get("ActionID"), "X", strings.Repeat("x", 100))
			}
			s.Complete(a, "StatusComplete", 100)
		})
		if items, err := r.List(t.Context(), ami.NewAction("Status")); err == nil || items != nil {
			t.Errorf("list has %d items, %v", len(items), err)
		}
		synctest.Wait()
		if s := r.Status(); s.Phase != ami.Up {
			t.Errorf("status is %+v", s)
		}
	})
}
