package pbx

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// conferenceFake is an Asterisk with a dialplan that takes what it is given. in is who is in rooms, for who asks.
type conferenceFake struct {
	*fake
	in   []ami.Message
	lost bool // the dialplan has no number of a conference
}

func newConferenceFake(t *testing.T) *conferenceFake {
	t.Helper()
	f := &conferenceFake{fake: newFake(t)}
	for _, action := range []string{"DialplanExtensionAdd", "DialplanExtensionRemove", "Hangup"} {
		f.Handle(action, func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success", "Message", "Done") })
	}
	f.Handle("ShowDialPlan", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Error", "Message", "Did not find extension 300000000@"+a.Get("Context"))
	})
	f.Handle("Getvar", func(s *amitest.Session, a ami.Action) {
		f.mu.Lock()
		defer f.mu.Unlock()
		value := "1"
		if f.lost || strings.Contains(a.Get("Variable"), "02155550000") {
			value = "0"
		}
		s.Respond(a, "Success", "Value", value)
	})
	f.Handle("ConfbridgeKick", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Error", "Message", "No active conferences.")
	})
	f.Handle("ConfbridgeListRooms", func(s *amitest.Session, a ami.Action) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.in) == 0 {
			s.Respond(a, "Error", "Message", "No active conferences.")
			return
		}
		s.List(a, "will follow", []ami.Message{
			amitest.NewEvent("ConfbridgeListRooms", "Conference", "900"), amitest.NewEvent("ConfbridgeListRooms", "Conference", f.in[0].Get("Conference")),
		}, "ConfbridgeListRoomsComplete")
	})
	f.Handle("ConfbridgeList", func(s *amitest.Session, a ami.Action) {
		f.mu.Lock()
		defer f.mu.Unlock()
		s.List(a, "will follow", f.in, "ConfbridgeListComplete")
	})
	return f
}

// conferenceRig is a switch with one conference.
func conferenceRig(t *testing.T, settings ConferenceSettings) (*rig, *conferenceFake, Conference) {
	t.Helper()
	f := newConferenceFake(t)
	r := newRig(t, f.fake, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	settings.Topic = "weekly"
	c, err := r.sw.CreateConference(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	return r, f, c
}

// roomRow is an event of a member of a room; of two values of one header the first counts.
func roomRow(event string, c Conference, name, id string, first ...string) ami.Message {
	return amitest.NewEvent(event, append(first, "Conference", c.Number, "Muted", "No", "Channel", name, "ChannelState", "6", "CallerIDNum", "801",
		"Context", roomContext, "Exten", c.Number, "Uniqueid", id, "Linkedid", id)...)
}

// members lists the members, "801 invited".
func (r *rig) members(id ConferenceID) (list []string) {
	r.t.Helper()
	all, err := r.sw.Attendees(id)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, a := range all {
		list = append(list, a.Number+" "+string(a.State))
	}
	return list
}

func (r *rig) membersAre(id ConferenceID, want ...string) {
	r.t.Helper()
	var got []string
	deadline := time.Now().Add(10 * time.Second)
	for got = r.members(id); !slices.Equal(got, want) && time.Now().Before(deadline); got = r.members(id) {
		r.sw.await(context.Background(), func(*state) bool { return false })
	}
	if !slices.Equal(got, want) {
		r.t.Fatalf("members %q, want %q", got, want)
	}
}

// invite rings a number and returns the id of its channel.
func (r *rig) invite(f *conferenceFake, id ConferenceID, number string) string {
	r.t.Helper()
	if err := r.sw.Invite(context.Background(), id, number); err != nil {
		r.t.Fatal(err)
	}
	return f.Wait("Originate").Get("ChannelId")
}

// TestConferenceSurvives starts the daemon again in the middle: who came, went, was muted and was not reached meanwhile is known.
func TestConferenceSurvives(t *testing.T) {
	r, f, c := conferenceRig(t, ConferenceSettings{})
	if err := r.sw.SetMembers(t.Context(), c.ID, []string{"801", "802", "803"}); err != nil {
		t.Fatal(err)
	}
	stays := r.invite(f, c.ID, "801")
	f.say(row("Newchannel", "PJSIP/801-1", stays, stays, "0"))
	f.say(roomRow("ConfbridgeJoin", c, "PJSIP/801-1", stays))
	f.say(roomRow("ConfbridgeMute", c, "PJSIP/801-1", stays))
	f.say(row("Newchannel", "PJSIP/804-1", "4.1", "4.1", "6"))
	f.say(roomRow("ConfbridgeJoin", c, "PJSIP/804-1", "4.1"))
	rung := r.invite(f, c.ID, "802")
	f.say(row("Newchannel", "PJSIP/802-1", rung, rung, "5"))
	r.membersAre(c.ID, "801 muted", "802 invited", "803 invited", "804 attending")
	r.await(func(st *state) bool { return st.channels[rung] != nil })
	before, err := r.sw.Conference(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	path := r.store.Path()
	r.stop()
	f.set(func() {
		f.channels = []ami.Message{row("CoreShowChannel", "PJSIP/801-1", stays, stays, "6"), row("CoreShowChannel", "PJSIP/805-1", "5.1", "5.1", "6")}
		f.in = []ami.Message{roomRow("ConfbridgeList", c, "PJSIP/801-1", stays), roomRow("ConfbridgeList", c, "PJSIP/805-1", "5.1", "Muted", "Yes")}
	})
	r = newRig(t, f.fake, path)
	r.complete()
	r.membersAre(c.ID, "801 attending", "802 cancelled", "803 invited", "804 left", "805 muted")
	after, err := r.sw.Conference(c.ID)
	if err != nil || !after.Started.Equal(before.Started.Truncate(time.Microsecond)) || !after.Completed.IsZero() || strings.Join(after.Members, " ") != "801 802 803" {
		t.Errorf("after the restart %+v (%v), before %+v", after, err, before)
	}
	r.until(isEnd) // of 804's call: nothing of the first run was acknowledged
	f.say(roomRow("ConfbridgeLeave", c, "PJSIP/801-1", stays))
	f.say(amitest.NewEvent("ConfbridgeEnd", "Conference", c.Number))
	r.membersAre(c.ID, "801 left", "802 cancelled", "803 invited", "804 left", "805 left")
	if after, _ = r.sw.Conference(c.ID); after.Completed.IsZero() {
		t.Error("the meeting is not over")
	}
}

// TestInviteThatIsRefused holds that a refused order leaves the members as they were, and one whose outcome is unknown does not.
func TestInviteThatIsRefused(t *testing.T) {
	r, f, c := conferenceRig(t, ConferenceSettings{Context: "out"})
	if err := r.sw.SetMembers(t.Context(), c.ID, []string{"801"}); err != nil {
		t.Fatal(err)
	}
	says := "Permission denied"
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", says) })
	for _, n := range []string{"801", "802", "02155551111"} {
		if err := r.sw.Invite(t.Context(), c.ID, n); !errors.Is(err, ErrForbidden) {
			t.Errorf("Invite %s = %v", n, err)
		}
		r.membersAre(c.ID, "801 invited")
	}
	if a := f.Received("Originate")[2]; a.Get("Channel") != "Local/02155551111@out/n" || a.Get("Context") != numberContext || a.Get("Exten") != c.Number {
		t.Errorf("rung: %s", amitest.Text(a))
	}
	for number, why := range map[string]error{"02155550000": ErrNotFound, "803": ErrNotRegistered, "899": ErrNotFound, c.Number: &InvalidError{}, "8 1": &InvalidError{}} {
		err := r.sw.Invite(t.Context(), c.ID, number)
		var invalid *InvalidError
		if errors.As(why, &invalid) != errors.As(err, &invalid) || invalid != nil && errors.As(err, &invalid) && invalid.Field != "member" || !errors.As(why, &invalid) && !errors.Is(err, why) {
			t.Errorf("Invite %s = %v, want %v", number, err, why)
		}
	}
	if n := len(f.Received("Originate")); n != 3 {
		t.Errorf("%d were rung", n)
	}
	says = "Extension does not exist." // the conference is being deleted
	if err := r.sw.Invite(t.Context(), c.ID, "801"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Invite = %v", err)
	}
	r.membersAre(c.ID, "801 invited")
	f.Handle("Originate", func(s *amitest.Session, _ ami.Action) { s.Close() })
	if err := r.sw.Invite(t.Context(), c.ID, "801"); !errors.Is(err, ErrUnknown) {
		t.Errorf("Invite = %v", err)
	}
	f.WaitLogins(2)
	r.complete()
	r.membersAre(c.ID, "801 invited")
	if err := r.sw.Invite(t.Context(), c.ID, "801"); !errors.Is(err, ErrAttending) {
		t.Errorf("Invite once more = %v", err)
	}
	r.sw.mu.Lock()
	r.sw.state.tickInvited(time.Now().Add(2 * orderPatience))
	r.sw.mu.Unlock()
	r.membersAre(c.ID, "801 cancelled")
}

// TestMembersWhoDoNotCome tells them from one another: a phone that vanished, one that refuses, one that is called off.
func TestMembersWhoDoNotCome(t *testing.T) {
	r, f, c := conferenceRig(t, ConferenceSettings{})
	gone := r.invite(f, c.ID, "801")
	order := f.Received("Originate")[0]
	f.say(amitest.NewEvent("OriginateResponse", "ActionID", order.Get("ActionID"), "Response", "Failure", "Reason", "0", "Uniqueid", "<unknown>"))
	r.membersAre(c.ID, "801 cancelled")
	if again := r.invite(f, c.ID, "801"); again == gone {
		t.Error("one id for two calls")
	}
	id := f.Received("Originate")[1].Get("ChannelId")
	f.say(row("Newchannel", "PJSIP/801-1", id, id, "5"))
	f.say(row("Hangup", "PJSIP/801-1", id, id, "5", "Cause", "17"))
	r.membersAre(c.ID, "801 cancelled")
	id = r.invite(f, c.ID, "802")
	f.say(row("Newchannel", "PJSIP/802-1", id, id, "5"))
	f.Handle("Hangup", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Channel Hungup")
		s.Message(row("Hangup", "PJSIP/802-1", a.Get("Channel"), a.Get("Channel"), "5", "Cause", "16"))
	})
	if err := r.sw.Kick(t.Context(), c.ID, "802"); err != nil {
		t.Error(err)
	}
	r.membersAre(c.ID, "801 cancelled", "802 cancelled")
	for name, do := range map[string]func() error{
		"kick": func() error { return r.sw.Kick(t.Context(), c.ID, "802") }, "mute": func() error { return r.sw.Mute(t.Context(), c.ID, "802", true) },
		"kick of nobody": func() error { return r.sw.Kick(t.Context(), c.ID, "") },
	} {
		if err := do(); !errors.Is(err, ErrNotAttending) {
			t.Errorf("%s = %v", name, err)
		}
	}
}

// TestConferenceThatCannotBe holds that what Asterisk refuses leaves nothing behind, and what it does not delete stays.
func TestConferenceThatCannotBe(t *testing.T) {
	r, f, c := conferenceRig(t, ConferenceSettings{})
	deny := func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", "Permission denied") }
	f.Handle("DialplanExtensionAdd", deny)
	if _, err := r.sw.CreateConference(t.Context(), ConferenceSettings{Topic: "x"}); !errors.Is(err, ErrForbidden) {
		t.Errorf("create = %v", err)
	}
	if err := r.sw.UpdateConference(t.Context(), c.ID, ConferenceSettings{Topic: "x"}); !errors.Is(err, ErrForbidden) {
		t.Errorf("update = %v", err)
	}
	f.Handle("DialplanExtensionRemove", deny)
	if err := r.sw.DeleteConference(t.Context(), c.ID); !errors.Is(err, ErrForbidden) {
		t.Errorf("delete = %v", err)
	}
	list := r.sw.Conferences(ConferenceFilter{})
	if len(list) != 1 || list[0].Topic != "weekly" {
		t.Errorf("conferences: %+v", list)
	}
	for _, action := range []string{"DialplanExtensionAdd", "DialplanExtensionRemove"} {
		f.Handle(action, func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success") })
	}
	if err := r.sw.SetMembers(t.Context(), c.ID, []string{"801"}); err != nil {
		t.Errorf("a conference that was not deleted: %v", err)
	}
	if err := r.sw.DeleteConference(t.Context(), c.ID); err != nil {
		t.Error(err)
	}
	path := r.store.Path()
	r.stop()
	if left := newRig(t, f.fake, path).sw.Conferences(ConferenceFilter{}); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

// TestConferencesAreEnteredAgain after a reload of the dialplan, and only then.
func TestConferencesAreEnteredAgain(t *testing.T) {
	r, f, c := conferenceRig(t, ConferenceSettings{Recording: true})
	entered := func() (n int) {
		for _, a := range f.Received("DialplanExtensionAdd") {
			if a.Get("Extension") == c.Number {
				n++
			}
		}
		return n
	}
	keeper := &run{Switch: r.sw}
	keeper.restoreRooms(true, c.Number) // as the login has done, or is about to
	before := entered()
	keeper.restoreRooms(false, c.Number)
	if n := entered(); n != before {
		t.Errorf("%d entered where nothing was lost", n-before)
	}
	f.set(func() { f.lost = true })
	keeper.restoreRooms(false, c.Number)
	if n := entered(); n < before+2 { // in numberContext, and where phones dial
		t.Errorf("%d entered, want 2", n-before)
	}
}

// TestConferenceIsBounded fills what is bounded.
func TestConferenceIsBounded(t *testing.T) {
	r, f, c := conferenceRig(t, ConferenceSettings{})
	for i := range maxAttended + 50 {
		id := fmt.Sprintf("7.%d", i)
		f.say(row("Newchannel", "PJSIP/trunk-1", id, id, "6"))
		f.say(roomRow("ConfbridgeJoin", c, "PJSIP/trunk-1", id, "CallerIDNum", fmt.Sprint("0215555", 1000+i)))
		f.say(roomRow("ConfbridgeLeave", c, "PJSIP/trunk-1", id))
		f.say(row("Hangup", "PJSIP/trunk-1", id, id, "6", "Cause", "16"))
	}
	last := fmt.Sprint("0215555", 1000+maxAttended+49, " left")
	r.await(func(st *state) bool {
		list := st.conferences[c.ID].attendees
		a := list[max(0, len(list)-1):]
		return len(a) == 1 && a[0].Number+" "+string(a[0].State) == last
	})
	if n := len(r.members(c.ID)); n != maxAttended {
		t.Errorf("%d members are kept", n)
	}
	if err := r.store.Do(t.Context(), (&change{}).apply); err != nil { // behind all that waits
		t.Fatal(err)
	}
	var rows int
	if err := r.store.Reader().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pbx_conference_members`).Scan(&rows); err != nil || rows != maxAttended {
		t.Errorf("%d rows, %v", rows, err)
	}
	for i := range maxAttending {
		id := fmt.Sprintf("8.%d", i)
		f.say(roomRow("ConfbridgeJoin", c, "PJSIP/trunk-1", id, "CallerIDNum", fmt.Sprint("0216666", 1000+i)))
	}
	r.await(func(st *state) bool { return st.conferences[c.ID].in() == maxAttending })
	if err := r.sw.Invite(t.Context(), c.ID, "801"); !errors.Is(err, ErrConferenceFull) {
		t.Errorf("one too many: %v", err)
	}
	r.sw.mu.Lock()
	for i := range maxConferences {
		id := ConferenceID(fmt.Sprint(i))
		r.sw.state.conferences[id] = &conference{Conference: Conference{ID: id}}
	}
	r.sw.mu.Unlock()
	if _, err := r.sw.CreateConference(t.Context(), ConferenceSettings{Topic: "x"}); !errors.Is(err, ErrTooMany) {
		t.Errorf("one conference too many: %v", err)
	}
}

// TestConferenceIsInside: its number looks like one of the public network, and a call to it does not leave the PBX.
func TestConferenceIsInside(t *testing.T) {
	s := newState(&Rules{})
	*s.rules = testRules()
	s.addConference(&conference{Conference: Conference{ID: "x", Number: "300942914"}})
	for _, test := range []struct {
		number, place string
		out           bool
	}{{"300942914", "from-internal", false}, {"300942915", "from-internal", true}, {"300942915", roomContext, false}, {"300942915", numberContext, false}, {"801", "from-internal", false}} {
		if got := s.leadsOut(test.number, test.place); got != test.out {
			t.Errorf("%s in %s leads out: %v", test.number, test.place, got)
		}
	}
}
