package pbx

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// campaignRig is a switch on a fake, with campaigns that run.
type campaignRig struct {
	*rig
	c *Campaigns
}

func newCampaignRig(t *testing.T, f *fake, path string) *campaignRig {
	t.Helper()
	return newCampaignRigIn(t, f, sqlite.Options{Path: path})
}

// newCampaignRigIn is newCampaignRig with a file of its own kind.
func newCampaignRigIn(t *testing.T, f *fake, file sqlite.Options) *campaignRig {
	t.Helper()
	r, run := newIdleCampaignsIn(t, f, file)
	run()
	return r
}

// newIdleCampaigns is newCampaignRig with campaigns that do not run before run is called.
func newIdleCampaigns(t *testing.T, f *fake, path string) (r *campaignRig, run func()) {
	t.Helper()
	return newIdleCampaignsIn(t, f, sqlite.Options{Path: path})
}

func newIdleCampaignsIn(t *testing.T, f *fake, file sqlite.Options) (r *campaignRig, run func()) {
	t.Helper()
	r = &campaignRig{}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	r.rig = newRigIn(t, f, file, func(sw *Switch, store *sqlite.DB) {
		rules := testRules()
		rules.Groups = []TrunkGroup{
			{Name: "one", Endpoints: []string{"PJSIP/trunk"}, Count: 1, CallerID: "5550000"},
			{Name: "two", Endpoints: []string{"PJSIP/a", "SIP/b", "DAHDI/g0/9{number}"}, Count: 2},
			{Name: "plain", Count: 5},
		}
		rules.Sounds = []string{"/var/lib/asterisk/sounds"}
		sw.Configure(rules)
		var err error
		if r.c, err = NewCampaigns(ctx, CampaignsOptions{Switch: sw, Store: store, Logger: sw.log}); err != nil {
			t.Fatal(err)
		}
	})
	stop := r.stop
	r.stop = sync.OnceFunc(func() { cancel(); wg.Wait(); stop() })
	t.Cleanup(r.stop)
	return r, func() { wg.Go(func() { _ = r.c.Run(ctx) }) }
}

// comesTo waits until the numbers of a campaign have come to something.
func (r *campaignRig) comesTo(id int64, want ...Outcome) (list []CampaignNumber) {
	r.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		list, err := r.c.Numbers(context.Background(), id, 0, 100)
		if err != nil {
			r.t.Fatal(err)
		}
		var got []Outcome
		for _, n := range list {
			if n.Outcome == OutcomeAnswered && n.Ended.IsZero() {
				n.Outcome = OutcomeTalking
			}
			got = append(got, n.Outcome)
		}
		if cmp.Equal(want, got) {
			return list
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			r.t.Fatalf("numbers are %v, want %v", got, want)
		}
	}
}

func (r *campaignRig) add(plan CampaignPlan, numbers ...string) int64 {
	r.t.Helper()
	id, err := r.c.Add(context.Background(), plan, numbers)
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// dialled lists the numbers that Asterisk was told to dial.
func (f *fake) dialled() (list []string) {
	for _, a := range f.Received("Originate") {
		list = append(list, strings.TrimPrefix(a.Get("Channel"), "PJSIP/"))
	}
	return list
}

// calls lets an ordered call end as status says.
func (f *fake) calls(status, cause string) {
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Originate successfully queued")
		id := a.Get("ChannelId")
		s.Message(row("Newchannel", "PJSIP/trunk-00000001", id, id, "0"))
		dest := []string{"DestChannel", "PJSIP/trunk-00000001", "DestUniqueid", id, "DestLinkedid", id, "DialString", "trunk"}
		s.Event("DialBegin", dest...)
		s.Event("DialEnd", append(dest, "DialStatus", status)...)
		s.Message(row("Hangup", "PJSIP/trunk-00000001", id, id, "6", "Cause", cause, "Cause-txt", "x"))
	})
}

// queued lets Asterisk take an order, of which nothing comes.
func (f *fake) queued() {
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Originate successfully queued")
	})
}

var play = CampaignPlan{Group: "one", Kind: CampaignPlay, File: "beep", Batch: "7"}

// TestCampaign: one line, so each number waits for the end of the one before it; results and records are kept.
func TestCampaign(t *testing.T) {
	f := newFake(t)
	f.calls("ANSWER", "16")
	r := newCampaignRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	id := r.add(play, "5550001", "5550002", "5550001", "803", "899", "801")
	list := r.comesTo(id, OutcomeAnswered, OutcomeAnswered, OutcomeUnregistered, OutcomeAbsent, OutcomeAnswered)
	if diff := cmp.Diff([]string{"5550001@trunk", "5550002@trunk", "801"}, f.dialled()); diff != "" {
		t.Error(diff)
	}
	a := f.Received("Originate")[0]
	want := []string{"CALLERID(num)=5550001", "CONNECTEDLINE(name,i)=5550000", "CONNECTEDLINE(num,i)=5550000", "OLA_OTHER_STR=7"}
	if diff := cmp.Diff(want, a.Values("Variable")); diff != "" || a.Get("Application") != "Playback" || a.Get("Data") != "beep" || a.Get("Timeout") != "30000" {
		t.Errorf("%s\n%s", diff, amitest.Text(a))
	}
	account, _, err := r.sw.Account(context.Background(), list[0].Call)
	if err != nil || account.Caller != "" || account.Called != "5550001" || account.Direction != Outbound || account.Remark != "7" {
		t.Errorf("account: %+v, %v", account.Account, err)
	}
	x, err := r.c.Get(context.Background(), id)
	if err != nil || x.Counts[OutcomeAnswered] != 3 || x.Stopped || x.Batch != "7" {
		t.Errorf("campaign: %+v, %v", x, err)
	}
}

// TestCampaignsTakeTurns: two campaigns are dialled by turns, and no faster than ten numbers a second.
func TestCampaignsTakeTurns(t *testing.T) {
	f := newFake(t)
	r, _ := newIdleCampaigns(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	plan := CampaignPlan{Group: "plain", Kind: CampaignPlay, File: "beep"}
	r.add(plan, "5550001", "5550002", "5550003")
	r.add(plan, "5560001", "5560002", "5560003")
	began := time.Now()
	for range 5 {
		if !r.c.round(t.Context()) {
			t.Fatal("nothing was dialled")
		}
	}
	if took := time.Since(began); took < 4*dialEvery {
		t.Errorf("five numbers in %v", took)
	}
	if r.c.round(t.Context()) {
		t.Error("more calls than the group has lines")
	}
	var got []string
	for _, number := range f.dialled() {
		got = append(got, strings.TrimSuffix(strings.TrimPrefix(number, "Local/"), "@internal/n"))
	}
	if diff := cmp.Diff([]string{"5550001", "5560001", "5550002", "5560002", "5550003"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestCampaignOutcomes: what Asterisk tells of the end of a call is its number's result.
func TestCampaignOutcomes(t *testing.T) {
	for _, tc := range []struct {
		status, cause string
		want          Outcome
	}{
		{"ANSWER", "16", OutcomeAnswered}, {"BUSY", "17", OutcomeBusy}, {"NOANSWER", "19", OutcomeNoAnswer}, {"NOANSWER", "21", OutcomeBusy},
		{"CONGESTION", "34", OutcomeFailed}, {"CHANUNAVAIL", "3", OutcomeFailed},
	} {
		t.Run(tc.status+tc.cause, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.calls(tc.status, tc.cause)
			r := newCampaignRig(t, f, filepath.Join(t.TempDir(), "a.db"))
			r.complete()
			if n := r.comesTo(r.add(play, "5550001"), tc.want)[0]; n.Cause != tc.cause || n.Ended.IsZero() {
				t.Errorf("%+v", n)
			}
		})
	}
}

// TestCampaignUnknown: a call of which it was not learnt whether it was dialled is told so, and not dialled again.
func TestCampaignUnknown(t *testing.T) {
	f := newFake(t)
	f.Handle("Originate", func(*amitest.Session, ami.Action) { f.Drop() })
	r := newCampaignRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	id := r.add(play, "5550001", "5550002")
	r.comesTo(id, OutcomeDialing, OutcomeWaiting)
	f.WaitLogins(2)
	r.complete()
	f.calls("ANSWER", "16")
	r.c.review(t.Context(), time.Now())
	r.comesTo(id, OutcomeDialing, OutcomeWaiting) // its line may be in use, for a moment more
	r.c.review(t.Context(), time.Now().Add(orderRest))
	r.comesTo(id, OutcomeUnknown, OutcomeAnswered)
	if diff := cmp.Diff([]string{"5550001@trunk", "5550002@trunk"}, f.dialled()); diff != "" {
		t.Error(diff)
	}
}

// TestCampaignAway: while Asterisk is away nothing is stored, what is stored waits, and goes on when it is back.
func TestCampaignAway(t *testing.T) {
	f := newFake(t)
	f.calls("ANSWER", "16")
	r := newCampaignRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Error", "Message", "Asterisk is shutting down")
		f.ShutDown()
	})
	id := r.add(play, "5550001", "5550002")
	f.Wait("Originate")
	r.comesTo(id, OutcomeWaiting, OutcomeWaiting)
	f.Drop()
	for r.sw.Status().Complete {
		<-time.After(2 * time.Millisecond)
	}
	if _, err := r.c.Add(context.Background(), play, []string{"5550001"}); !errors.Is(err, ErrOffline) {
		t.Errorf("Add while Asterisk is away: %v", err)
	}
	f.calls("ANSWER", "16")
	f.Restart()
	r.comesTo(id, OutcomeAnswered, OutcomeAnswered)
	if list, err := r.c.List(context.Background(), ""); err != nil || len(list) != 1 {
		t.Errorf("%d campaigns, %v", len(list), err)
	}
}

// TestCampaignRefused: what would fail for every number stops the campaign, and no number is used up.
func TestCampaignRefused(t *testing.T) {
	f := newFake(t)
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", "Permission denied") })
	r := newCampaignRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	id := r.add(play, "5550001", "5550002")
	r.comesTo(id, OutcomeStopped, OutcomeStopped)
	x, err := r.c.Get(context.Background(), id)
	if err != nil || !x.Stopped || !strings.Contains(x.Note, "privilege") {
		t.Errorf("%+v, %v", x, err)
	}
	f.queued()
	id = r.add(play, "5550001", "5550002")
	r.comesTo(id, OutcomeDialing, OutcomeWaiting)
	r.sw.Configure(testRules()) // without the group
	r.comesTo(id, OutcomeDialing, OutcomeStopped)
	if x, err = r.c.Get(context.Background(), id); err != nil || x.Note != "group: not found" {
		t.Errorf("%+v, %v", x, err)
	}
	if err := r.c.Stop(context.Background(), id+1); !errors.Is(err, ErrNotFound) {
		t.Errorf("Stop of none: %v", err)
	}
}

// TestCampaignOfAnEarlierProcess: the process ends between the mark and the call. The next one does not dial that number, and dials
// the others.
func TestCampaignOfAnEarlierProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	f := newFake(t)
	f.Silent("Originate")
	r := newCampaignRig(t, f, path)
	r.complete()
	id := r.add(CampaignPlan{Group: "two", Kind: CampaignPlay, File: "beep"}, "5550001", "5550002", "5550003")
	call := CallID(f.Wait("Originate").Get("ChannelId"))
	r.comesTo(id, OutcomeDialing, OutcomeWaiting, OutcomeWaiting)
	r.stop()
	f.calls("BUSY", "17")

	second := newCampaignRig(t, f, path)
	second.complete()
	list := second.comesTo(id, OutcomeUnknown, OutcomeBusy, OutcomeBusy)
	if list[0].Call != call {
		t.Errorf("call %s, want %s", list[0].Call, call)
	}
	if got := f.dialled(); len(got) != 3 {
		t.Errorf("dialled %v", got)
	}
}

// TestCampaignIsAdopted: the call that an earlier process has ordered rings when the next one starts: it is that of its number, with all
// that was to be kept with it, and takes its line.
func TestCampaignIsAdopted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	f := newFake(t)
	f.Silent("Originate")
	r := newCampaignRig(t, f, path)
	r.complete()
	id := r.add(play, "5550001", "5550002")
	call := f.Wait("Originate").Get("ChannelId")
	r.stop()
	f.calls("BUSY", "17")
	f.set(func() { f.channels = []ami.Message{row("CoreShowChannel", "PJSIP/trunk-00000009", call, call, "5")} })

	second := newCampaignRig(t, f, path)
	second.until(isStart)
	second.complete()
	second.comesTo(id, OutcomeDialing, OutcomeWaiting)
	f.set(func() { f.channels = nil })
	f.Event("DialEnd", "DestChannel", "PJSIP/trunk-00000009", "DestUniqueid", call, "DestLinkedid", call, "DialStatus", "NOANSWER")
	f.Send(row("Hangup", "PJSIP/trunk-00000009", call, call, "5", "Cause", "19").String() + "\r\n")
	second.comesTo(id, OutcomeNoAnswer, OutcomeBusy)
	account, _, err := second.sw.Account(context.Background(), CallID(call))
	if err != nil || account.Called != "5550001" || account.Remark != "7" {
		t.Errorf("account: %+v, %v", account.Account, err)
	}
}

// TestCampaignPlans: what cannot be done is refused with its name, and nothing is stored.
func TestCampaignPlans(t *testing.T) {
	f := newFake(t)
	r := newCampaignRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	many := make([]string, maxNumbers+1)
	for i := range many {
		many[i] = strconv.Itoa(5550000 + i)
	}
	with := func(change func(*CampaignPlan)) CampaignPlan { p := play; change(&p); return p }
	for name, tc := range map[string]struct {
		plan    CampaignPlan
		numbers []string
		want    string
	}{
		"group":   {with(func(p *CampaignPlan) { p.Group = "none" }), many[:1], "group: not found"},
		"kind":    {with(func(p *CampaignPlan) { p.Kind = "x" }), many[:1], "kind: ivr, play, queue or ai"},
		"queue":   {with(func(p *CampaignPlan) { p.Kind, p.Queue = CampaignQueue, "999" }), many[:1], "queue: not found"},
		"menu":    {with(func(p *CampaignPlan) { p.Kind, p.Menu = CampaignMenu, "1" }), many[:1], "menu: not found"},
		"robot":   {with(func(p *CampaignPlan) { p.Kind = CampaignAI }), many[:1], ErrNoRobot.Error()},
		"file":    {with(func(p *CampaignPlan) { p.File = "/etc/passwd" }), many[:1], "file: not a file below the folders of sounds"},
		"ring":    {with(func(p *CampaignPlan) { p.Ring = time.Hour }), many[:1], "ring: from 5 to 300 seconds"},
		"batch":   {with(func(p *CampaignPlan) { p.Batch = strings.Repeat("7", 65) }), many[:1], "batch: longer than 64 bytes"},
		"number":  {play, []string{"5550001", "555x", "y"}, `numbers: "555x" may not be dialled`},
		"numbers": {play, many, "numbers: more than 100000"},
		"nobody":  {play, nil, "numbers: none"},
	} {
		if _, err := r.c.Add(context.Background(), tc.plan, tc.numbers); err == nil || err.Error() != tc.want {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	if list, err := r.c.List(context.Background(), ""); err != nil || len(list) != 0 || len(f.Received("Originate")) != 0 {
		t.Errorf("%d campaigns, %v, dialled %v", len(list), err, f.dialled())
	}
}

// TestSounds: no name leads out of the folders, or is more than one name for Asterisk.
func TestSounds(t *testing.T) {
	rules := &Rules{Sounds: []string{"/var/lib/asterisk/sounds"}}
	for file, want := range map[string]string{
		"beep": "beep", "custom/greeting.wav": "custom/greeting", "/var/lib/asterisk/sounds/zh/欢迎.gsm": "/var/lib/asterisk/sounds/zh/欢迎",
		"a.b": "a.b", "/var/lib/asterisk/sounds//x.wav": "/var/lib/asterisk/sounds/x", "./beep": "beep",
		"": "", ".": "", "/": "", "..": "", "../x": "", "a/../../x": "", "/var/lib/asterisk/sounds/../x": "", "/var/lib/asterisk/soundsx": "", "/etc/passwd": "",
		"/var/lib/asterisk/sounds": "", "a&b": "", "a,skip": "", "a|b": "", "${X}": "", "http://x/y": "", "a\x00b": "", "a\nb": "", `a\b`: "", "a\"b": "",
		strings.Repeat("a", 256): "",
	} {
		if got, ok := rules.sound(file); ok != (want != "") || got != want {
			t.Errorf("%q: %q %v, want %q", file, got, ok, want)
		}
	}
}

// TestRoutes: endpoints take turns, extensions are dialled as such, and what looks like one never leaves the PBX.
func TestRoutes(t *testing.T) {
	f := newFake(t)
	r := newCampaignRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	groups := r.sw.TrunkGroups()
	for i, want := range []string{"PJSIP/5550001@a", "SIP/b/5550001", "DAHDI/g0/95550001", "PJSIP/5550001@a"} {
		if l, err := r.sw.lineFor(&groups[1], "5550001"); err != nil || l != (route{channel: want, outside: true}) {
			t.Errorf("turn %d: %+v %v, want %s", i, l, err, want)
		}
	}
	down := func(device, is string, want ...string) {
		t.Helper()
		f.Event("DeviceStateChange", "Device", device, "State", is)
		r.sw.await(t.Context(), func(st *state) bool { return st.devices[device] == deviceState(is) })
		for _, channel := range want {
			l, err := r.sw.lineFor(&groups[1], "5550001")
			if channel == "" && !errors.Is(err, ErrTrunkDown) || channel != "" && (err != nil || l.channel != channel) {
				t.Errorf("%s is %s: %+v %v, want %q", device, is, l, err, channel)
			}
		}
	}
	down("SIP/b", "UNAVAILABLE", "DAHDI/g0/95550001", "PJSIP/5550001@a", "DAHDI/g0/95550001")
	down("DAHDI/g0/9{number}", "UNAVAILABLE", "PJSIP/5550001@a", "PJSIP/5550001@a")
	down("PJSIP/a", "UNAVAILABLE", "", "")
	down("PJSIP/a", "NOT_INUSE", "PJSIP/5550001@a")
	for number, want := range map[string]string{
		"801": "{PJSIP/801 false false}", "803": "extension is not registered: 803", "899": "not found: extension 899", "55": "not found: extension 55",
		"5550001": "{Local/5550001@internal/n true true}",
	} {
		l, err := r.sw.lineFor(&groups[2], number)
		got := fmt.Sprint(l)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", number, got, want)
		}
	}
}

// TestConnectTakesLines: a call takes a line for each of its numbers outside, and one that has none left is refused before anything is
// sent.
func TestConnectTakesLines(t *testing.T) {
	f := newFake(t)
	r := newCampaignRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	connect := func(from, to, group string) error {
		_, err := r.sw.Connect(context.Background(), ConnectRequest{From: from, To: to, Group: group, Remark: "4711"})
		return err
	}
	if err := connect("5550001", "5550002", "one"); !errors.Is(err, ErrLinesBusy) {
		t.Errorf("two numbers over one line: %v", err)
	}
	if err := connect("5550001", "801", "none"); !errors.Is(err, ErrNotFound) || err.Error() != "group: not found" {
		t.Errorf("no such group: %v", err)
	}
	for range 3 {
		if err := connect("801", "802", "one"); err != nil {
			t.Errorf("two extensions: %v", err)
		}
	}
	if err := connect("5550001", "801", "one"); err != nil {
		t.Error(err)
	}
	if err := connect("801", "5550001", "one"); !errors.Is(err, ErrLinesBusy) {
		t.Errorf("the line is ordered: %v", err)
	}
	if n := len(f.Received("Originate")); n != 4 {
		t.Errorf("Asterisk was asked %d times", n)
	}
	a := f.Received("Originate")[3]
	if a.Get("Channel") != "PJSIP/5550001@trunk" || a.Get("Exten") != "801" || a.Values("Variable")[1] != "CONNECTEDLINE(name,i)=5550000" {
		t.Error(amitest.Text(a))
	}
	f.Handle("Originate", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", "Extension does not exist.") })
	if err := connect("5550001", "77", "two"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such number inside: %v", err)
	}
	f.Handle("Originate", func(*amitest.Session, ami.Action) { f.Drop() })
	if err := connect("5550001", "5550002", "two"); !errors.Is(err, ErrUnknown) {
		t.Errorf("lost after writing: %v", err)
	}
	f.WaitLogins(2)
	r.complete()
	if err := connect("5550001", "5550002", "two"); !errors.Is(err, ErrLinesBusy) {
		t.Errorf("the unknown call may be using both lines: %v", err)
	}
}

// TestFreeAgents counts who could take a call that is dialled now.
func TestFreeAgents(t *testing.T) {
	f := newFake(t)
	member := func(exten, paused string) ami.Message {
		return amitest.NewEvent("QueueMember", "Queue", "630", "Name", exten, "Location", "PJSIP/"+exten, "StateInterface", "PJSIP/"+exten, "Paused", paused, "Status", "1")
	}
	f.queues = []ami.Message{amitest.NewEvent("QueueParams", "Queue", "630"), member("801", "0"), member("802", "0"), member("803", "0")}
	r := newCampaignRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	free := func(want int, why string) {
		t.Helper()
		ok := r.sw.await(t.Context(), func(st *state) bool { return st.freeFor("630", time.Now()) == want })
		if !ok {
			r.sw.mu.RLock()
			defer r.sw.mu.RUnlock()
			t.Fatalf("%s: %d are free, want %d", why, r.sw.state.freeFor("630", time.Now()), want)
		}
	}
	free(2, "803 has no phone")
	f.Silent("Originate")
	r.add(CampaignPlan{Group: "two", Kind: CampaignQueue, Queue: "630"}, "5550001")
	call := f.Wait("Originate").Get("ChannelId")
	free(1, "one is on its way")
	if running, calls := r.c.Load(); running != 1 || calls != 1 {
		t.Errorf("%d campaigns and %d calls, want one of each", running, calls)
	}
	say := func(m ami.Message) { f.Send(m.String() + "\r\n") }
	say(row("Newchannel", "PJSIP/a-00000001", call, call, "0"))
	free(1, "it rings")
	say(row("QueueCallerJoin", "PJSIP/a-00000001", call, call, "6", "Queue", "630", "Position", "1", "Count", "1"))
	free(1, "it waits")
	dest := []string{"DestChannel", "PJSIP/801-00000002", "DestUniqueid", "9.2", "DestLinkedid", call}
	say(row("Newchannel", "PJSIP/801-00000002", "9.2", call, "5"))
	say(row("DialBegin", "PJSIP/a-00000001", call, call, "6", dest...))
	free(1, "it rings 801")
	say(row("DialEnd", "PJSIP/a-00000001", call, call, "6", append(dest, "DialStatus", "ANSWER")...))
	say(row("QueueCallerLeave", "PJSIP/a-00000001", call, call, "6", "Queue", "630"))
	free(1, "801 talks")
	say(amitest.NewEvent("QueueMemberPause", "Queue", "630", "MemberName", "802", "Interface", "PJSIP/802", "StateInterface", "PJSIP/802", "Paused", "1", "Status", "1"))
	free(0, "802 is paused")
	say(row("QueueCallerJoin", "PJSIP/trunk-00000003", "9.3", "9.3", "6", "Queue", "630", "Position", "1", "Count", "1"))
	free(-1, "another caller waits")
}

// TestCampaignOfMany: tens of thousands of numbers are stored in one piece, in their order, and each once.
func TestCampaignOfMany(t *testing.T) {
	f := newFake(t)
	r := newCampaignRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	numbers := make([]string, 60_000)
	for i := range numbers {
		numbers[i] = strconv.Itoa(13800000000 + i%50_000)
	}
	id := r.add(play, numbers...)
	f.Wait("Originate")
	x, err := r.c.Get(context.Background(), id)
	if err != nil || x.Counts[OutcomeWaiting]+x.Counts[OutcomeDialing] != 50_000 {
		t.Errorf("%+v, %v", x.Counts, err)
	}
	list, err := r.c.Numbers(context.Background(), id, 49_999, 10)
	if err != nil || len(list) != 1 || list[0].Number != "13800049999" {
		t.Errorf("%+v, %v", list, err)
	}
	if err := r.c.Stop(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	r.comesTo(r.add(CampaignPlan{Group: "plain", Kind: CampaignPlay, File: "beep"}, "5550001"), OutcomeDialing)
}
