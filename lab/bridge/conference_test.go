package bridge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// What each member sounds like.
const tone801, tone802, tone803, tone804 = 500, 700, 900, 1100

var voices = []int{tone801, tone802, tone803, tone804, outsideTone}

// room is a conference as a client of the second dialect sees it.
type room struct {
	*olaBench
	id, number string
}

const olaSuccess = `{"code":200,"result":"success"}`

// confer makes a conference.
func (b *olaBench) confer(settings string) *room {
	b.Helper()
	var made struct {
		Code          int
		Result        string
		ConfUUID, Nbr string
	}
	_, body, _ := b.ask(http.MethodPost, "/api/conferences/saveConf?"+settings)
	b.must(json.Unmarshal([]byte(body), &made))
	if made.Code != http.StatusOK || made.Result != "success" || len(made.ConfUUID) != 36 || len(made.Nbr) != 9 {
		b.Fatalf("saveConf: %s", body)
	}
	return &room{b, made.ConfUUID, made.Nbr}
}

// posts wants an answer of the dialect.
func (r *room) posts(path, want string) {
	r.Helper()
	path = strings.ReplaceAll(path, "ROOM", r.id)
	if _, body, _ := r.ask(http.MethodPost, "/api/conferences/"+path); body != want+"\n" {
		r.Fatalf("%s: %s, want %s", path, body, want)
	}
}

// members is who is on the list and what became of him, "801 inMeeting".
func (r *room) members() (list []string) {
	r.Helper()
	var rows []struct {
		Typ    string
		Number string  `json:"member_number"`
		Joined *string `json:"joined_at"`
		Left   *string `json:"left_at"`
	}
	code, body, _ := r.ask(http.MethodGet, "/api/conferences/liveConf/"+r.id)
	if err := json.Unmarshal([]byte(body), &rows); err != nil || code != http.StatusOK {
		r.Fatalf("liveConf: %d %s", code, body)
	}
	for _, m := range rows {
		joined, left := m.Typ == "inMeeting" || m.Typ == "beMute" || m.Typ == "outMeeting", m.Typ == "outMeeting" || m.Typ == "beCancel"
		if joined != (m.Joined != nil) || left != (m.Left != nil) {
			r.Errorf("%s is %s with the times %v and %v", m.Number, m.Typ, m.Joined, m.Left)
		}
		list = append(list, m.Number+" "+m.Typ)
	}
	return list
}

// shows waits until some members are as they should be.
func (r *room) shows(want ...string) {
	r.Helper()
	r.eventually(fmt.Sprint(want), func() bool {
		have := r.members()
		return !slices.ContainsFunc(want, func(m string) bool { return !slices.Contains(have, m) })
	})
}

func (r *room) hears(what string, c *phone.Call, wanted ...int) {
	r.Helper()
	if err := c.Hears(r.within(15*time.Second), voices, wanted...); err != nil {
		r.Fatalf("%s: %v", what, err)
	}
}

// sounding is a phone with a voice of its own.
func (b *bench) sounding(number string, hz int) *phone.Phone {
	b.Helper()
	p, err := phone.New(b.ctx, phone.Config{
		Server: b.lab.SIPAddress, BindIP: b.lab.IP, User: number, Password: lab.Secret(number), Name: "Phone " + number, Tone: hz,
	})
	b.must(err)
	p.Behave(phone.Behaviour{})
	b.must(p.Register(b.ctx))
	return b.kept(p, nil)
}

// TestConference brings phones and a number outside into a room in every way that there is, and puts them out of it in every way.
func TestConference(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := &olaBench{bench: setUp(t, version, lab.Options{}, bridge.Options{})}
		b.login()
		b.out = b.trunk()
		p := map[string]*phone.Phone{}
		for n, hz := range map[string]int{"801": tone801, "802": tone802, "803": tone803, "804": tone804} {
			p[n] = b.sounding(n, hz)
		}
		p["805"] = b.phone("805")
		b.idle("801", "802", "803", "804", "805")
		r := b.confer("topic=" + url.QueryEscape("周会, 1") + "&recording=t")
		in := r.comeTogether(p)
		r.areMuted(in)
		r.doNotCome(p)
		r.posts("oprConf/803/ROOM/kick", olaSuccess)
		r.over(in["803"])
		r.shows("803 outMeeting", "801 inMeeting", "802 inMeeting", "02155551111 inMeeting")
		r.posts("oprConf/803/ROOM/mute", `{"code":404,"result":"not in the conference"}`)
		r.outlives(p, in)
		r.isRecorded()
		r.ends(p, in)
	})
}

// comeTogether lets two phones and a number outside be rung, and one phone dial the number.
func (r *room) comeTogether(p map[string]*phone.Phone) map[string]*phone.Call {
	r.Helper()
	r.posts("addConfMembers?confld=ROOM&members=801,802,02155551111", olaSuccess)
	if got := r.members(); !slices.Equal(got, []string{"801 beInvited", "802 beInvited", "02155551111 beInvited"}) {
		r.Errorf("members: %q", got)
	}
	in := map[string]*phone.Call{}
	for _, n := range []string{"801", "802", "02155551111"} {
		r.posts("dialConf/"+n+"/ROOM", olaOK)
		if n == "02155551111" {
			in[n] = r.incoming(r.out)
		} else {
			in[n] = r.incoming(p[n])
		}
	}
	r.shows("801 inMeeting", "802 inMeeting", "02155551111 inMeeting")
	r.posts("dialConf/801/ROOM", `{"code":409,"result":"already in the conference"}`)
	in["803"] = r.dial(p["803"], r.number)
	r.shows("803 inMeeting")
	r.hears("801", in["801"], tone802, tone803, outsideTone)
	r.hears("803", in["803"], tone801, tone802, outsideTone)
	r.hears("the number outside", in["02155551111"], tone801, tone802, tone803)
	return in
}

func (r *room) areMuted(in map[string]*phone.Call) {
	r.Helper()
	for _, n := range []string{"802", "02155551111"} {
		r.posts("oprConf/"+n+"/ROOM/mute", olaSuccess)
	}
	if got := r.members(); !slices.Contains(got, "802 beMute") || !slices.Contains(got, "02155551111 beMute") {
		r.Errorf("muted: %q", got)
	}
	r.hears("801", in["801"], tone803)
	r.hears("802, who is muted", in["802"], tone801, tone803)
	for _, n := range []string{"802", "02155551111"} {
		r.posts("oprConf/"+n+"/ROOM/unmute", olaSuccess)
	}
	r.hears("801", in["801"], tone802, tone803, outsideTone)
	r.shows("802 inMeeting", "02155551111 inMeeting")
}

// doNotCome rings those who refuse, who are called off, and who may not be called.
func (r *room) doNotCome(p map[string]*phone.Phone) {
	r.Helper()
	p["804"].Behave(phone.Behaviour{Status: 486})
	r.posts("dialConf/804/ROOM", olaOK)
	r.shows("804 beCancel")
	p["805"].Behave(phone.Behaviour{Never: true})
	r.posts("dialConf/805/ROOM", olaOK)
	c := r.rings(p["805"])
	r.shows("805 beInvited")
	r.posts("oprConf/805/ROOM/mute", `{"code":404,"result":"not in the conference"}`)
	r.posts("oprConf/805/ROOM/kick", olaSuccess)
	r.over(c)
	r.shows("805 beCancel")
	r.posts("dialConf/819/ROOM", `{"code":409,"result":"extension is not registered"}`)
	r.posts("dialConf/899/ROOM", `{"code":404,"result":"not found"}`)
	r.posts("dialConf/"+r.number+"/ROOM", `{"code":400,"result":"member: is a conference"}`)
	if _, body, _ := r.ask(http.MethodPost, "/api/special_phone/insert?special_flag=3&phone=02155552222"); body != olaOK+"\n" {
		r.Fatal(body)
	}
	r.posts("dialConf/02155552222/ROOM", `{"code":403,"result":"member: number is on the black list"}`)
}

// outlives kills the daemon while members come and go, and reloads the dialplan, which then lacks the number for a moment.
func (r *room) outlives(p map[string]*phone.Phone, in map[string]*phone.Call) {
	r.Helper()
	p["805"].Behave(phone.Behaviour{Never: true})
	r.posts("dialConf/805/ROOM", olaOK)
	rung := r.rings(p["805"])
	password := r.admin()
	r.must(r.d.Kill())
	r.must(in["801"].Hangup(r.ctx))
	r.must(rung.Reject(r.ctx, 486))
	in["803"] = r.dial(p["803"], r.number)
	r.must(in["803"].Answered(r.within(10 * time.Second)))
	r.eventually("803 to be in the room", func() bool { return strings.Contains(r.cli("confbridge list "+r.number), r.lab.Tech+"/803") })
	r.must(r.d.Run(r.within(20 * time.Second)))
	r.must(r.d.Ready(r.within(20 * time.Second)))
	r.loginWith(password)
	r.shows("801 outMeeting", "802 inMeeting", "803 inMeeting", "804 beCancel", "805 beCancel", "02155551111 inMeeting")
	r.posts("oprConf/802/ROOM/mute", olaSuccess)
	r.hears("803", in["803"], outsideTone)
	r.posts("oprConf/802/ROOM/unmute", olaSuccess)
	r.cli("dialplan reload")
	if there := r.cli("dialplan show " + r.number + "@from-internal"); !strings.Contains(there, "no existence") {
		r.Errorf("the dialplan keeps the number: %s", there)
	}
	r.posts("dialConf/801/ROOM", olaOK) // which does not wait for that
	in["801"] = r.incoming(p["801"])
	r.shows("801 inMeeting")
	r.must(in["803"].Hangup(r.ctx))
	r.shows("803 outMeeting")
	r.cli("dialplan reload")
	r.eventually("the number in the dialplan", func() bool {
		return strings.Contains(r.cli("dialplan show "+r.number+"@from-internal"), "dialbridge-conference")
	})
	in["803"] = r.dial(p["803"], r.number)
	r.hears("803", in["803"], tone801, tone802, outsideTone)
}

// admin gives the user a password that outlives the daemon.
func (r *room) admin() string {
	r.Helper()
	line, err := r.d.WaitLog(r.within(time.Second), "user admin was made")
	r.must(err)
	var said struct{ Password string }
	r.must(json.Unmarshal([]byte(line), &said))
	return said.Password
}

// isRecorded finds the sound of the meeting in a file of its number.
func (r *room) isRecorded() {
	r.Helper()
	r.eventually("a recording", func() bool {
		files, err := filepath.Glob(filepath.Join(r.lab.RecordingsDir, "confbridge-"+r.number+"-*.wav"))
		r.must(err)
		if len(files) == 0 {
			return false
		}
		info, err := os.Stat(files[0])
		return err == nil && info.Size() > 10_000
	})
}

// ends calls the meeting off, and then the conference while it goes on once more. Nobody is left, and every call is told as one.
func (r *room) ends(p map[string]*phone.Phone, in map[string]*phone.Call) {
	r.Helper()
	r.posts("oprConf/all/ROOM/kick", olaSuccess)
	for _, c := range in {
		r.over(c)
	}
	r.shows("801 outMeeting", "802 outMeeting", "803 outMeeting", "02155551111 outMeeting")
	r.idle("801", "802", "803", "804", "805")
	again := r.dial(p["803"], r.number)
	r.shows("803 inMeeting")
	r.posts("dialConf/805/ROOM", olaOK)
	rung := r.rings(p["805"])
	r.posts("delConf/ROOM", olaSuccess)
	r.over(again)
	r.over(rung)
	r.posts("delConf/ROOM", `{"code":404,"result":"not found"}`)
	if there := r.cli("dialplan show " + r.number + "@from-internal"); !strings.Contains(there, "no existence") {
		r.Errorf("the dialplan still has the number: %s", there)
	}
	if _, err := r.dial(p["803"], r.number).Ended(r.within(10 * time.Second)); err != nil {
		r.Errorf("the number of a conference that is no more: %v", err)
	}
	r.calls()
}

// calls holds that each member's call has one beginning, one end, and the right direction.
func (r *room) calls() {
	r.Helper()
	r.eventually("no call to be left", func() bool { return len(r.liveCalls()) == 0 && r.cli("core show channels concise") == "" })
	var all []bridge.Event
	_, err := r.rec.Until(r.within(15*time.Second), "the end of every call", func(events []bridge.Event) bool {
		all = events
		return len(open(events)) == 0 && len(unrecorded(events)) == 0
	})
	r.must(err)
	checkOrder(r.T, all)
	ways := map[string]bool{}
	for _, e := range all {
		if e.Kind != "cc_cdr" {
			continue
		}
		if list := kinds(all, e.Call()); count(list, "cc_cdr") != 1 {
			r.Errorf("a call has more than one account: %v", list)
		}
		if e.Fields["called"] == r.number {
			ways[e.Fields["caller"]+" "+e.Fields["callType"]] = true
		}
	}
	for _, way := range []string{"801 internal", "802 internal", "803 internal", "804 internal", "805 internal", "02155551111 outgoing"} {
		if !ways[way] {
			r.Errorf("no call %s: %v", way, ways)
		}
	}
}

// TestConferenceNumber holds that the number of a conference is where phones dial: in the context that it is given, in one that includes
// it, and again after Asterisk was started anew.
func TestConferenceNumber(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := &olaBench{bench: setUp(t, version, lab.Options{}, bridge.Options{})}
		b.login()
		r := b.confer("topic=weekly")
		in := func(place string) bool {
			t.Helper()
			return !strings.Contains(r.cli("dialplan show "+r.number+"@"+place), "no existence")
		}
		r.dialplan("[elsewhere]\nexten => 7778,1,Hangup\n[including]\ninclude => dialbridge-conference\n")
		r.posts("saveConf?confId=ROOM&context=nowhere", `{"code":400,"result":"context: does not exist"}`)
		r.posts("saveConf?confId=ROOM&context=elsewhere", `{"code":200,"result":"success","confUuid":"`+r.id+`"}`)
		if !in("elsewhere") || !in("from-internal") || !in("including") {
			t.Errorf("elsewhere %v, from-internal %v, including %v", in("elsewhere"), in("from-internal"), in("including"))
		}
		r.cli("channel originate Local/" + r.number + "@including/n application Wait 30")
		r.shows(" inMeeting") // who shows no number
		r.must(r.lab.Kill(r.ctx))
		r.must(r.lab.Boot(r.within(30 * time.Second)))
		r.must(r.d.Ready(r.within(30 * time.Second)))
		r.shows(" outMeeting")
		r.eventually("the number in the dialplan of the new Asterisk", func() bool { return in("elsewhere") && in("from-internal") })
		r.posts("saveConf?confId=ROOM", `{"code":200,"result":"success","confUuid":"`+r.id+`"}`)
		if in("elsewhere") || !in("from-internal") {
			t.Errorf("without a context: elsewhere %v, from-internal %v", in("elsewhere"), in("from-internal"))
		}
		r.posts("delConf/ROOM", olaSuccess)
		if in("elsewhere") || in("from-internal") || in("dialbridge-conference") {
			t.Error("the number is still there")
		}
	})
}
