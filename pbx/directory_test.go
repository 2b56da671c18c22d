package pbx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// directoryRig is a directory on an Asterisk that has the phones 801 to 803 by hand, and nothing from us.
type directoryRig struct {
	*rig
	d     *Directory
	files *amitest.Files
	plan  *amitest.Dialplan
	set   *amitest.Phones
	early atomic.Bool // the next look at the phones comes before the last reload counts
}

// newDirectoryRig runs a directory on a database, which a second one may go on with.
func newDirectoryRig(t *testing.T, path string) *directoryRig {
	t.Helper()
	f := newFake(t)
	files := f.ServeFiles(amitest.WizardFile)
	x := &directoryRig{files: files, plan: f.ServeDialplan("internal"), set: f.ServePhones(files, "801", "802", "803")}
	f.Handle("PJSIPShowEndpoints", func(s *amitest.Session, a ami.Action) {
		var list []ami.Message
		early := x.early.Swap(false)
		for _, n := range x.set.Loaded() {
			if early && x.files.Value(amitest.WizardFile, n, "endpoint/context") != "" {
				continue
			}
			list = append(list, amitest.NewEvent("EndpointList", "ObjectName", n))
		}
		s.List(a, "will follow", list, "EndpointListComplete")
	})
	f.Handle("DBGetTree", func(s *amitest.Session, a ami.Action) { s.List(a, "Result will follow", nil, "DBGetTreeComplete") })
	f.Handle("Command", func(s *amitest.Session, a ami.Action) {
		if !x.plan.Command(s, a) {
			s.Respond(a, "Success", "Message", "Command output follows", "Output", "    cdr_manager")
		}
	})
	x.rig = newRig(t, f, path)
	d, err := NewDirectory(context.Background(), DirectoryOptions{Switch: x.sw, Store: x.store, Logger: x.sw.log})
	if err != nil {
		t.Fatal(err)
	}
	x.d = d
	x.complete()
	x.plan.Put("internal", "801", "1", "Dial", "PJSIP/801")
	return x
}

func (x *directoryRig) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// numbers lists the lines that the directory has.
func (x *directoryRig) numbers() string {
	x.t.Helper()
	list, err := x.d.Lines(context.Background())
	x.must(err)
	var out []string
	for _, l := range list {
		out = append(out, string(l.Exten))
	}
	return strings.Join(out, " ")
}

func line821() Line {
	return Line{Exten: "821", Password: ">a;b", Context: "internal", Transfer: "802"}
}

func TestLineIsMadeAndTakenAway(t *testing.T) {
	x := newDirectoryRig(t, filepath.Join(t.TempDir(), "a.db"))
	ctx := context.Background()
	x.must(x.d.AddLine(ctx, line821()))
	list, err := x.sw.Extensions()
	if err != nil || !slices.ContainsFunc(list, func(e Extension) bool { return e.Number == "821" && e.Device == "PJSIP/821" }) {
		t.Errorf("the picture has not 821: %v %v", list, err)
	}
	want := "821 hint PJSIP/821\n821 1 Dial PJSIP/821,30,tT\n" +
		`821 2 GotoIf $["${DIALSTATUS}" != "NOANSWER" | "${DB(CFU/821)}" = "" | "${DIALBRIDGE_FORWARDED}" != ""]?5` + "\n" +
		"821 3 Set __DIALBRIDGE_FORWARDED=821\n821 4 Goto internal,${DB(CFU/821)},1\n821 5 Hangup ${HANGUPCAUSE}"
	if diff := cmp.Diff(want, x.plan.Text(lineContext)); diff != "" {
		t.Errorf("dialplan (-want +got):\n%s", diff)
	}
	if x.set.Forward("821") != "802" || !strings.Contains(x.plan.Text("internal"), "include "+lineContext) {
		t.Errorf("forward %q, dialplan %s", x.set.Forward("821"), x.plan.Text("internal"))
	}
	l, err := x.d.Line(ctx, "821")
	if err != nil || l.Name != "821" || l.Password != ">a;b" || l.UUID == "" || l.Created.IsZero() {
		t.Errorf("line %#v, %v", l, err)
	}
	x.must(x.d.SetLine(ctx, Line{Exten: "821", Name: "other"}))
	if got := x.files.Value(amitest.WizardFile, "821", "inbound_auth/username"); got != "other" || x.set.Forward("821") != "" {
		t.Errorf("user %s, forward %q", got, x.set.Forward("821"))
	}
	changed, err := x.d.Line(ctx, "821")
	changed.Name, changed.Transfer, changed.Updated, changed.revision = l.Name, l.Transfer, l.Updated, l.revision
	if diff := cmp.Diff(l, changed, cmp.AllowUnexported(Line{})); err != nil || diff != "" {
		t.Errorf("what a change has left, %v (-before +after):\n%s", err, diff)
	}
	x.must(x.d.RemoveLine(ctx, "821"))
	if text := x.plan.Text(lineContext); text != "" || x.numbers() != "" || len(x.files.Categories(amitest.WizardFile)) != 0 || x.sw.known("821") {
		t.Errorf("left behind: dialplan %q, lines %q, file %v", text, x.numbers(), x.files.Categories(amitest.WizardFile))
	}
	if s := fmt.Sprintf("%v %+v %s", l, l, l); strings.Contains(s, ">a;b") || strings.Contains(x.logged.String(), ">a;b") {
		t.Errorf("the password is told: %s", s)
	}
}

// TestWhatIsThereStays: nothing that somebody else has made is changed, or led elsewhere.
// TestLookThatIsEarly holds that a phone is in the picture when it was made, though the look after the reload has not found it yet.
func TestLookThatIsEarly(t *testing.T) {
	x := newDirectoryRig(t, filepath.Join(t.TempDir(), "a.db"))
	x.early.Store(true)
	x.must(x.d.AddLine(context.Background(), line821()))
	if x.early.Load() {
		t.Error("nobody has looked")
	}
	if !x.sw.known("821") {
		t.Error("the picture has not 821")
	}
}

func TestWhatIsThereStays(t *testing.T) {
	x := newDirectoryRig(t, filepath.Join(t.TempDir(), "a.db"))
	ctx := context.Background()
	x.files.Put(amitest.WizardFile, "824", "type", "wizard")
	x.plan.Put("internal", "821", "hint", "PJSIP/821&Custom:DND821", "")
	x.plan.Put("internal", "821", "1", "Gosub", "phone")
	x.must(x.d.AddLine(ctx, line821()))
	if text := x.plan.Text(lineContext); text != "none" || strings.Contains(x.plan.Text("internal"), "include") {
		t.Errorf("added to a dialplan that leads there: %s\n%s", text, x.plan.Text("internal"))
	}
	for n, want := range map[Exten]error{"801": ErrExists, "821": ErrExists, "824": ErrExists} {
		l := line821()
		if l.Exten = n; !errors.Is(x.d.AddLine(ctx, l), want) {
			t.Errorf("%s was made", n)
		}
	}
	for _, verb := range []func() error{
		func() error { return x.d.SetLine(ctx, Line{Exten: "801"}) },
		func() error { return x.d.RemoveLine(ctx, "801") },
	} {
		if err := verb(); !errors.Is(err, ErrForeign) {
			t.Errorf("801: %v", err)
		}
	}
	x.files.Put(amitest.WizardFile, "821", "type", "wizard", "inbound_auth/password", "hand")
	x.set.Load()
	x.must(x.d.settle(ctx, true))
	x.must(x.d.settle(ctx, true))
	if err := x.d.RemoveLine(ctx, "821"); !errors.Is(err, ErrForeign) || x.files.Value(amitest.WizardFile, "821", "inbound_auth/password") != "hand" {
		t.Errorf("a line that somebody has written anew: %v", err)
	}
	if n := strings.Count(x.logged.String(), "was not made here"); n != 1 {
		t.Errorf("told %d times:\n%s", n, x.logged)
	}
}

// TestInvalidLines: each is refused with the name of what is wrong, and nothing is sent that changes anything.
func TestInvalidLines(t *testing.T) {
	x := newDirectoryRig(t, filepath.Join(t.TempDir(), "a.db"))
	for field, spoil := range map[string][]func(*Line){
		"extension": {func(l *Line) { l.Exten = "" }, func(l *Line) { l.Exten = "99999999" }, func(l *Line) { l.Exten = "821\r\nAction: Ping" }},
		"password": {
			func(l *Line) { l.Password = "" }, func(l *Line) { l.Password = "a\nb" }, func(l *Line) { l.Password = " a" },
			func(l *Line) { l.Password = "\xff" }, func(l *Line) { l.Password = "a\x00" }, func(l *Line) { l.Password = strings.Repeat("x", 65) },
		},
		"name":     {func(l *Line) { l.Name = "a b" }, func(l *Line) { l.Name = "a]" }, func(l *Line) { l.Name = strings.Repeat("x", 65) }},
		"transfer": {func(l *Line) { l.Transfer = "821" }, func(l *Line) { l.Transfer = "1&2" }, func(l *Line) { l.Transfer = "${X}" }},
		"context": {
			func(l *Line) { l.Context = "" }, func(l *Line) { l.Context = "a b" }, func(l *Line) { l.Context = lineContext },
			func(l *Line) { l.Context = "nowhere" }, func(l *Line) { l.Context = "a\ninto x" },
		},
	} {
		for i, do := range spoil {
			l := line821()
			do(&l)
			var invalid *InvalidError
			if err := x.d.AddLine(context.Background(), l); !errors.As(err, &invalid) || invalid.Field != field {
				t.Errorf("%s %d: %v", field, i, err)
			}
		}
	}
	for _, action := range []string{"UpdateConfig", "CreateConfig", "Reload", "DialplanExtensionAdd", "DBPut"} {
		if sent := x.fake.Received(action); len(sent) != 0 {
			t.Errorf("sent: %v", sent)
		}
	}
	if x.numbers() != "" {
		t.Errorf("lines %s", x.numbers())
	}
}

// TestWhatAsteriskLacks is told in words, and changes nothing; what was begun is taken back.
func TestWhatAsteriskLacks(t *testing.T) {
	x := newDirectoryRig(t, filepath.Join(t.TempDir(), "a.db"))
	ctx := context.Background()
	clean := func(what string) {
		t.Helper()
		if len(x.files.Categories(amitest.WizardFile)) != 0 || x.numbers() != "" || x.sw.known("821") {
			t.Errorf("%s: left %v, lines %q", what, x.files.Categories(amitest.WizardFile), x.numbers())
		}
		if all, err := x.d.lines(ctx, `1 = 1`); err != nil || len(all) != 0 {
			t.Errorf("%s: rows %v %v", what, all, err)
		}
	}
	var lacks *LackError
	x.set.Unload(true)
	if err := x.d.AddLine(ctx, line821()); !errors.As(err, &lacks) || !strings.Contains(err.Error(), amitest.WizardModule) {
		t.Errorf("without the module: %v", err)
	}
	clean("without the module")
	x.set.Unload(false)
	x.set.Deafen(true)
	var refused *RefusedError
	if err := x.d.AddLine(ctx, line821()); !errors.As(err, &refused) || errors.Is(err, ErrUnknown) {
		t.Errorf("a file that is not taken: %v", err)
	}
	clean("a file that is not taken")
	x.set.Deafen(false)
	for _, action := range []string{"UpdateConfig", "DialplanExtensionAdd", "GetConfig"} {
		for says, want := range map[string]error{"Permission denied": ErrForbidden, "no": nil} {
			undo := x.fake.denyOnce(action, says)
			err := x.d.AddLine(ctx, line821())
			if undo(); err == nil || want != nil && !errors.Is(err, want) || errors.Is(err, ErrUnknown) {
				t.Errorf("%s %s: %v", action, says, err)
			}
			clean(action)
		}
	}
	x.files.Delete(amitest.WizardFile, "") // which is made where it is not there
	x.must(x.d.AddLine(ctx, line821()))
}

// denyOnce lets Asterisk refuse all actions of a name until undo.
func (f *fake) denyOnce(action, says string) (undo func()) {
	h := f.HandlerOf(action)
	f.Handle(action, func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", says) })
	return func() { f.Handle(action, h) }
}

// TestUnknownOutcome: the link is lost at each step of each verb. It is never called done, and the next comparison leaves the lines as
// they were before.
func TestUnknownOutcome(t *testing.T) {
	verbs := map[string]func(*Directory) error{
		"add":    func(d *Directory) error { l := line821(); l.Exten = "822"; return d.AddLine(context.Background(), l) },
		"set":    func(d *Directory) error { return d.SetLine(context.Background(), Line{Exten: "821", Password: "new"}) },
		"remove": func(d *Directory) error { return d.RemoveLine(context.Background(), "821") },
	}
	for name, verb := range verbs {
		for _, action := range []string{"UpdateConfig", "Reload"} {
			for _, done := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " ", action, " ", done), func(t *testing.T) {
					t.Parallel()
					x := newDirectoryRig(t, filepath.Join(t.TempDir(), "a.db"))
					x.must(x.d.AddLine(context.Background(), line821()))
					h, happened := x.fake.HandlerOf(action), make(chan struct{}, 10)
					x.fake.Handle(action, func(s *amitest.Session, a ami.Action) {
						s.Close() // the answer is lost
						if done {
							h(s, a)
						}
						happened <- struct{}{}
					})
					if err := verb(x.d); !errors.Is(err, ErrUnknown) {
						t.Errorf("%v, want ErrUnknown", err)
					}
					<-happened
					x.fake.Handle(action, h)
					x.fake.WaitLogins(2)
					x.await(func(*state) bool { return x.sw.synced })
					x.must(x.d.settle(context.Background(), true))
					if x.numbers() != "821" || !slices.Equal(x.set.Loaded(), []string{"801", "802", "803", "821"}) {
						t.Errorf("lines %s, Asterisk %v", x.numbers(), x.set.Loaded())
					}
					if got := x.files.Value(amitest.WizardFile, "821", "inbound_auth/password"); got != ">a;b" {
						t.Errorf("password %q", got)
					}
				})
			}
		}
	}
}

// TestCrashInBetween: a process that ended between Asterisk and the table leaves a line half made. The next one takes it out.
func TestCrashInBetween(t *testing.T) {
	x := newDirectoryRig(t, filepath.Join(t.TempDir(), "a.db"))
	ctx := context.Background()
	x.must(x.d.AddLine(ctx, line821()))
	x.must(x.store.Do(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE pbx_directory SET made = 0`)
		return err
	}))
	if x.numbers() != "" {
		t.Error("a line that is being made is listed")
	}
	x.must(x.d.settle(ctx, true))
	if len(x.files.Categories(amitest.WizardFile)) != 0 || strings.Contains(x.plan.Text(lineContext), "821") || x.set.Forward("821") != "" {
		t.Errorf("left: %v %s", x.files.Categories(amitest.WizardFile), x.plan.Text(lineContext))
	}
	x.must(x.d.AddLine(ctx, line821()))
}

// TestLostAndFound: what Asterisk has lost is made again, what bears the mark of another database is left alone, and a reload of the
// dialplan is made good.
func TestLostAndFound(t *testing.T) {
	x := newDirectoryRig(t, filepath.Join(t.TempDir(), "a.db"))
	ctx := context.Background()
	x.must(x.d.AddGroup(ctx, Group{K: "out", Name: "Out", HangupDTMF: "0"}))
	l := line821()
	l.Context = "out"
	x.must(x.d.AddLine(ctx, l))
	x.must(x.d.settle(ctx, false))
	x.plan.Reload()
	x.must(x.d.settle(ctx, false))
	if !strings.Contains(x.plan.Text(lineContext), "821 1 Dial") || x.plan.Text("out") != "include internal" {
		t.Errorf("after a reload: %s\nout: %s", x.plan.Text(lineContext), x.plan.Text("out"))
	}
	before := len(x.fake.Received("DialplanExtensionAdd"))
	x.must(x.d.settle(ctx, false))
	if n := len(x.fake.Received("DialplanExtensionAdd")); n != before {
		t.Errorf("%d steps were added to a dialplan that stands", n-before)
	}
	x.files.Delete(amitest.WizardFile, "821")
	x.files.Put(amitest.WizardFile, "829", "type", "wizard", "dialbridge", "dialbridge 0b2f.3")
	x.set.Load()
	x.must(x.d.settle(ctx, true))
	if !slices.Contains(x.set.Loaded(), "821") || !slices.Contains(x.set.Loaded(), "829") || !strings.Contains(x.logged.String(), "another database") {
		t.Errorf("Asterisk has %v; log %s", x.set.Loaded(), x.logged)
	}
	updates := len(x.fake.Received("UpdateConfig"))
	x.must(x.d.settle(ctx, true))
	if n := len(x.fake.Received("UpdateConfig")); n != updates {
		t.Error("a file that is right was written")
	}
}

// TestAtOnce: of many who make, change and remove one line at once each is done whole or refused.
func TestAtOnce(t *testing.T) {
	x := newDirectoryRig(t, filepath.Join(t.TempDir(), "a.db"))
	var wg sync.WaitGroup
	var mu sync.Mutex
	made, removed := 0, 0
	for range 8 {
		wg.Go(func() {
			err := x.d.AddLine(context.Background(), line821())
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made++
			} else if !errors.Is(err, ErrExists) {
				t.Errorf("make: %v", err)
			}
		})
		wg.Go(func() {
			err := x.d.RemoveLine(context.Background(), "821")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				removed++
			} else if !errors.Is(err, ErrNotFound) {
				t.Errorf("remove: %v", err)
			}
		})
	}
	wg.Wait()
	left := len(x.files.Categories(amitest.WizardFile))
	if made == 0 || made-removed != left || (x.numbers() == "821") != (left == 1) {
		t.Errorf("%d made, %d removed, Asterisk has %d, lines %q", made, removed, left, x.numbers())
	}
}

// TestTemplate: what an administrator has written into the template counts before what we would write.
func TestTemplate(t *testing.T) {
	x := newDirectoryRig(t, filepath.Join(t.TempDir(), "a.db"))
	x.files.PutTemplate(amitest.WizardFile, lineTemplate, "endpoint/allow", "opus", "aor/max_contacts", "3")
	x.must(x.d.AddLine(context.Background(), line821()))
	a := x.fake.Wait("UpdateConfig")
	if a.Get("Options-000000") != `inherit="dialbridge"` {
		t.Errorf("options %q", a.Get("Options-000000"))
	}
	if v := x.files.Value(amitest.WizardFile, "821", "endpoint/allow"); v != "" || x.files.Value(amitest.WizardFile, "821", "endpoint/disallow") != "all" {
		t.Errorf("allow %q", v)
	}
}

func TestGroups(t *testing.T) {
	x := newDirectoryRig(t, filepath.Join(t.TempDir(), "a.db"))
	ctx := context.Background()
	x.plan.Put("sales", "_X.", "1", "Dial", "PJSIP/trunk")
	x.must(x.d.AddGroup(ctx, Group{K: "sales", Name: "Sales", HangupDTMF: "0"}))
	x.must(x.d.AddGroup(ctx, Group{K: "out", Name: "Out", Times: "3", HangupDTMF: "1"}))
	if err := x.d.AddGroup(ctx, Group{K: "out", Name: "x", HangupDTMF: "0"}); !errors.Is(err, ErrExists) {
		t.Error(err)
	}
	l := line821()
	l.Context = "sales"
	x.must(x.d.AddLine(ctx, l))
	x.must(x.d.SetGroup(ctx, Group{K: "out", HangupDTMF: "2"}))
	list, err := x.d.Groups(ctx)
	for i := range list {
		list[i].Created, list[i].Updated = time.Time{}, time.Time{}
	}
	want := []Group{{K: "out", Name: "Out", Made: true, HangupDTMF: "2"}, {K: "sales", Name: "Sales", HangupDTMF: "0", Lines: 1}}
	if diff := cmp.Diff(want, list); err != nil || diff != "" {
		t.Errorf("groups, %v (-want +got):\n%s", err, diff)
	}
	if err := x.d.RemoveGroup(ctx, "sales"); !errors.Is(err, ErrInUse) {
		t.Error(err)
	}
	x.must(x.d.RemoveGroup(ctx, "out"))
	x.must(x.d.RemoveLine(ctx, "821"))
	x.must(x.d.RemoveGroup(ctx, "sales"))
	if x.plan.Text("out") != "none" || x.plan.Text("sales") != "_X. 1 Dial PJSIP/trunk" {
		t.Errorf("out: %s, sales: %s", x.plan.Text("out"), x.plan.Text("sales"))
	}
	for _, err := range []error{x.d.RemoveGroup(ctx, "out"), x.d.SetGroup(ctx, Group{K: "out", HangupDTMF: "0"})} {
		if !errors.Is(err, ErrNoGroup) {
			t.Error(err)
		}
	}
	var invalid *InvalidError
	for _, g := range []Group{
		{K: "a b"}, {K: "dialbridge-x"}, {K: "x", HangupDTMF: "3"}, {K: "x", Times: "a", HangupDTMF: "0"}, {K: "x", Name: "a\nb", HangupDTMF: "0"},
	} {
		if err := x.d.AddGroup(ctx, g); !errors.As(err, &invalid) {
			t.Errorf("%+v: %v", g, err)
		}
	}
}
