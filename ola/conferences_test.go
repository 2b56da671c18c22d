package ola

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/pbx"
)

// handleConferences lets a fake have the contexts from-internal and out, and conferences whose members do as they are told.
func (f *asterisk) handleConferences() {
	f.Handle("ConfbridgeListRooms", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", "No active conferences.") })
	for action, event := range map[string]string{"ConfbridgeKick": "ConfbridgeLeave", "ConfbridgeMute": "ConfbridgeMute", "ConfbridgeUnmute": "ConfbridgeUnmute"} {
		f.Handle(action, func(s *amitest.Session, a ami.Action) {
			f.mu.Lock()
			defer f.mu.Unlock()
			var told []ami.Message
			for id, name := range f.inRoom[a.Get("Conference")] {
				if name == a.Get("Channel") || a.Get("Channel") == "all" {
					told = append(told, f.roomEvent(event, a.Get("Conference"), id, name))
					if action == "ConfbridgeKick" {
						delete(f.inRoom[a.Get("Conference")], id)
					}
				}
			}
			if len(told) == 0 {
				s.Respond(a, "Error", "Message", "No Channel by that name found in Conference.")
				return
			}
			s.Respond(a, "Success", "Message", "Done")
			for _, m := range told {
				s.Message(m)
			}
		})
	}
}

// roomEvent is an event of a member of a conference.
func (f *asterisk) roomEvent(event, room, id, name string) ami.Message {
	number := strings.TrimPrefix(name, "PJSIP/")[:3]
	return amitest.NewEvent(event, "Conference", room, "Channel", name, "ChannelState", "6", "CallerIDNum", number, "Uniqueid", id, "Linkedid", id,
		"Context", "dialbridge-room", "Exten", room, "Muted", "No")
}

// come lets a phone dial a conference.
func (f *asterisk) come(room, id, name string) {
	f.mu.Lock()
	if f.inRoom == nil {
		f.inRoom = map[string]map[string]string{}
	}
	if f.inRoom[room] == nil {
		f.inRoom[room] = map[string]string{}
	}
	f.inRoom[room][id] = name
	f.mu.Unlock()
	for _, event := range []string{"Newchannel", "ConfbridgeJoin"} {
		f.Send(f.roomEvent(event, room, id, name).String() + "\r\n")
	}
}

// attendance lists the members of a conference, "809 inMeeting".
func (r *rig) attendance(id pbx.ConferenceID) (list []string) {
	r.t.Helper()
	w := r.request(http.MethodGet, "/api/conferences/liveConf/"+string(id), "")
	var rows []attendeeRow
	decode(r.t, w.Body.Bytes(), &rows)
	for _, m := range rows {
		list = append(list, m.MemberNumber+" "+m.Typ)
	}
	return list
}

// meeting makes a conference into which 809 has come.
func (r *rig) meeting() pbx.Conference {
	r.t.Helper()
	c, err := r.sw.CreateConference(r.t.Context(), pbx.ConferenceSettings{Topic: "weekly"})
	r.must(err)
	r.fake.come(c.Number, "1795286400."+c.Number, "PJSIP/809-0"+c.Number)
	r.until("809 to be in the conference", func() bool { return slices.Contains(r.attendance(c.ID), "809 inMeeting") })
	return c
}

// TestConferences goes through the life of a conference and of its members.
func TestConferences(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	const path = "/api/conferences/"
	w := r.request(http.MethodPost, path+"saveConf", "topic=weekly&context=out&recording=t&showName=alias&blending=false")
	var made savedReply
	decode(t, w.Body.Bytes(), &made)
	detail := func() string {
		t.Helper()
		return r.request(http.MethodGet, path+"conference/detail?nbr="+made.Nbr, "").Body.String()
	}
	var row []conferenceRow
	decode(t, []byte(detail()), &row)
	if len(row) != 1 || *row[0].Context != "out" || !row[0].Recording || row[0].ShowName != "alias" || row[0].Blending != "false" || row[0].StartTime != nil {
		t.Fatalf("%s: %s", w.Body, detail())
	}
	w = r.request(http.MethodPost, path+"saveConf", "confUuid="+string(made.ConfUUID))
	if want := fmt.Sprintf(`{"code":200,"result":"success","confUuid":%q}`+"\n", made.ConfUUID); w.Body.String() != want {
		t.Errorf("change: %s, want %s", w.Body, want)
	}
	decode(t, []byte(detail()), &row)
	if row[0].Topic != "weekly" || row[0].Context != nil || row[0].Recording || row[0].ShowName != "extn" || row[0].Blending != "true" {
		t.Errorf("after the change: %s", detail())
	}
	id := string(made.ConfUUID)
	for _, step := range []struct {
		do     string
		code   int
		result string
		after  []string
	}{
		{"addConfMembers?confId=" + id + "&members=808,809,808", 200, "success", []string{"808 beInvited", "809 beInvited"}},
		{"addConfMembers?confld=" + id + "&members=808,%20810", 200, "success", []string{"808 beInvited", "810 beInvited"}},
		{"addConfMembers?confId=" + id + "&members=808,,810", 400, "members: number may not be dialled", []string{"808 beInvited", "810 beInvited"}},
		{"addConfMembers?confId=" + id + "&members=" + strings.Repeat("8", 40), 400, "members: number may not be dialled", []string{"808 beInvited", "810 beInvited"}},
		{"addConfMembers?confId=" + id + "&confld=x&members=808", 400, "confld is given twice with different values", []string{"808 beInvited", "810 beInvited"}},
		{"addConfMembers?confId=" + id + "&members=808," + made.Nbr, 400, "members: " + made.Nbr + " is a conference", []string{"808 beInvited", "810 beInvited"}},
		{"dialConf/808/" + id, 200, "ok", []string{"808 beInvited", "810 beInvited"}},
		{"dialConf/808/" + id, 409, "already in the conference", []string{"808 beInvited", "810 beInvited"}},
		{"dialConf/811/" + id, 409, "extension is not registered", []string{"808 beInvited", "810 beInvited"}},
		{"dialConf/899/" + id, 404, "not found", []string{"808 beInvited", "810 beInvited"}},
		{"dialConf/" + made.Nbr + "/" + id, 400, "member: is a conference", []string{"808 beInvited", "810 beInvited"}},
		{"oprConf/808/" + id + "/mute", 404, "not in the conference", []string{"808 beInvited", "810 beInvited"}},
		{"oprConf/809/" + id + "/kick", 404, "not in the conference", []string{"808 beInvited", "810 beInvited"}},
		{"oprConf/809/" + id + "/push", 400, "type: kick, mute or unmute", []string{"808 beInvited", "810 beInvited"}},
		{"oprConf/all/" + id + "/mute", 400, "type: kick for all", []string{"808 beInvited", "810 beInvited"}},
	} {
		r.expect(step.code, step.result, http.MethodPost, path+step.do, "")
		if got := r.attendance(made.ConfUUID); !slices.Equal(got, step.after) {
			t.Errorf("after %s: %q, want %q", step.do, got, step.after)
		}
	}
	if decode(t, []byte(detail()), &row); row[0].MemberDetail != "808,810" {
		t.Errorf("memberdetail: %s", detail())
	}
}

// TestMeeting mutes, kicks and ends what goes on.
func TestMeeting(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	c := r.meeting()
	for _, step := range []struct{ do, after string }{
		{"oprConf/809/ROOM/mute", "809 beMute"},
		{"oprConf/809/ROOM/mute", "809 beMute"}, // which he is
		{"oprConf/809/ROOM/unmute", "809 inMeeting"},
		{"oprConf/809/ROOM/kick", "809 outMeeting"},
	} {
		r.expect(200, "success", http.MethodPost, "/api/conferences/"+strings.ReplaceAll(step.do, "ROOM", string(c.ID)), "")
		if got := r.attendance(c.ID); !slices.Equal(got, []string{step.after}) {
			t.Errorf("after %s: %q, want %s", step.do, got, step.after)
		}
	}
	c = r.meeting()
	r.expect(200, "success", http.MethodPost, "/api/conferences/oprConf/all/"+string(c.ID)+"/kick", "")
	var rows []conferenceRow
	decode(t, r.request(http.MethodGet, "/api/conferences/conference/detail?nbr="+c.Number, "").Body.Bytes(), &rows)
	if rows[0].StartTime == nil || rows[0].CompletedAt == nil {
		t.Errorf("after the end: %+v", rows[0])
	}
	c = r.meeting()
	r.expect(200, "success", http.MethodPost, "/api/conferences/delConf/"+string(c.ID), "")
	for _, do := range []string{"POST delConf/ROOM", "GET liveConf/ROOM", "POST dialConf/808/ROOM", "POST oprConf/809/ROOM/kick", "POST oprConf/all/ROOM/kick", "POST saveConf?confId=ROOM", "POST addConfMembers?confId=ROOM&members=808"} {
		method, rest, _ := strings.Cut(strings.ReplaceAll(do, "ROOM", string(c.ID)), " ")
		r.expect(404, "not found", method, "/api/conferences/"+rest, "")
	}
	r.expect(200, "ok", http.MethodPost, "/api/special_phone/insert", "phone=13678267674&special_flag=3")
	c = r.meeting()
	before := len(r.fake.Received("Originate"))
	r.expect(403, "member: number is on the black list", http.MethodPost, "/api/conferences/dialConf/13678267674/"+string(c.ID), "")
	if n := len(r.fake.Received("Originate")); n != before {
		t.Errorf("%d were dialled", n-before)
	}
}

// TestConferencesWithoutAsterisk: what is stored can be read, and nothing else.
func TestConferencesWithoutAsterisk(t *testing.T) {
	f := newAsterisk(t)
	r := newRig(t, f, rigOptions{}).complete()
	c := r.meeting()
	f.Refuse()
	f.Drop()
	r.until("the link to be down", func() bool { return !r.sw.Status().Complete })
	const offline = "Asterisk is not connected, try again"
	for _, do := range []string{"POST saveConf?topic=x", "POST saveConf?confId=ROOM", "POST delConf/ROOM", "GET liveConf/ROOM", "POST dialConf/808/ROOM", "POST oprConf/809/ROOM/kick", "POST oprConf/809/ROOM/mute", "POST oprConf/all/ROOM/kick"} {
		method, rest, _ := strings.Cut(strings.ReplaceAll(do, "ROOM", string(c.ID)), " ")
		r.expect(503, offline, method, "/api/conferences/"+rest, "")
	}
	r.expect(200, "success", http.MethodPost, "/api/conferences/addConfMembers", "confId="+string(c.ID)+"&members=808")
	w := r.request(http.MethodGet, "/api/conferences/conference/detail", "")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"memberdetail":"808"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestHostileSettings holds that what is refused changes nothing and is not sent.
func TestHostileSettings(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	for _, bad := range []struct{ name, text, result string }{
		{"topic", strings.Repeat("周", 101), "topic: longer than 100 characters"},
		{"context", "from-internal,1)", "context: not the name of a context"},
		{"context", "a b", "context: not the name of a context"},
		{"context", strings.Repeat("a", 80), "context: not the name of a context"},
		{"context", "nowhere", "context: does not exist"},
		{"context", "dialbridge-room", "context: begins with dialbridge-, which is kept"},
		{"context", "dialbridge-conference", "context: begins with dialbridge-, which is kept"},
		{"recording", "yes", "recording: t or f"},
		{"showName", "both", "showName: extn or alias"},
		{"blending", "t", "blending: true or false"},
	} {
		form := url.Values{"topic": {"weekly"}}
		form.Set(bad.name, bad.text)
		r.expect(400, bad.result, http.MethodPost, "/api/conferences/saveConf", form.Encode(), "X-Request-Id", "request-1")
	}
	var rows []json.RawMessage
	if decode(t, r.request(http.MethodGet, "/api/conferences/conference/detail", "").Body.Bytes(), &rows); len(rows) != 0 {
		t.Errorf("%s", rows)
	}
	for _, a := range r.caused() {
		if a.Name != "ShowDialPlan" {
			t.Errorf("sent: %s", amitest.Text(a))
		}
	}
}
