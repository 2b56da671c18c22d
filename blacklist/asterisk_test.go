package blacklist

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/phone"
)

var versions = []string{"16", "22"}

const (
	checked   = "02188880001" // a DID whose dialplan asks BLACKLIST(), to phone 801
	unchecked = "02188880006" // one that does not, to phone 805
	spam      = "02155559999"

	barred = "02166669999" // by a route whose dialplan asks DB_EXISTS(blacklist_out/...)
	direct = "12166669999" // by one that does not
)

// scene is a black list beside a real Asterisk.
type scene struct {
	*testing.T
	ctx context.Context
	lab *lab.Lab
	rig *rig
	out *phone.Phone // the provider
}

func newScene(t *testing.T, version string, o rigOptions) *scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	s := &scene{T: t, ctx: ctx, lab: lab.ForTest(t, version, lab.Options{})}
	o.link = ami.Options{Address: s.lab.AMIAddress, Username: s.lab.AMIUser, Secret: s.lab.AMISecret}
	s.rig = newRig(t, o)
	s.rig.compared()
	return s
}

// phones registers a phone that rings for long, and the provider.
func (s *scene) phones(number string) *phone.Phone {
	s.Helper()
	p, err := s.lab.Phone(s.ctx, number)
	must(s, err)
	p.Behave(phone.Behaviour{Never: true})
	s.out, err = s.lab.Trunk(s.ctx)
	must(s, err)
	return p
}

func (s *scene) cli(command string) string {
	s.Helper()
	text, err := s.lab.CLI(s.ctx, command)
	must(s, err)
	return text
}

// call calls in and returns how it ended: the SIP status, or "rings".
func (s *scene) call(did, number string) string {
	s.Helper()
	c, err := s.out.DialWith(s.ctx, did, phone.DialOptions{Number: number})
	must(s, err)
	return s.outcome(c)
}

// dial calls out and returns how it ended, as call does.
func (s *scene) dial(p *phone.Phone, number string) string {
	s.Helper()
	c, err := p.Dial(s.ctx, number)
	must(s, err)
	return s.outcome(c)
}

// outcome waits until a call rings, and then gives it up, or has ended.
func (s *scene) outcome(c *phone.Call) string {
	s.Helper()
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	rings := make(chan bool, 1)
	go func() { rings <- c.Ringing(ctx) == nil }()
	ended := make(chan string, 1)
	go func() {
		end, err := c.Ended(ctx)
		if err == nil {
			ended <- fmt.Sprintf("%d", end.Code)
		}
		close(ended)
	}()
	select {
	case how := <-ended:
		<-rings
		return how
	case ok := <-rings:
		if !ok {
			return <-ended
		}
	}
	must(s, c.Cancel(s.ctx))
	<-ended
	return "rings"
}

func forVersions(t *testing.T, do func(t *testing.T, version string)) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			do(t, version)
		})
	}
}

// TestDialplanRefuses is the way without the daemon's help at the time of the call.
func TestDialplanRefuses(t *testing.T) {
	forVersions(t, func(t *testing.T, version string) {
		s := newScene(t, version, rigOptions{})
		s.phones("801")
		if got := s.call(checked, spam); got != "rings" {
			t.Errorf("before: %s", got)
		}
		must(t, s.rig.numbers.Add(s.ctx, spam, Inbound, ""))
		if got := s.cli("database show blacklist"); !strings.Contains(got, "/blacklist/"+spam) {
			t.Errorf("AstDB: %s", got)
		}
		s.rig.stop()
		if got := s.call(checked, spam); got != "403" {
			t.Errorf("listed, and the daemon has ended: %s", got)
		}
		if got := s.call(checked, "+"+spam); got != "rings" {
			t.Errorf("another number: %s", got)
		}
	})
}

// TestGuardRefuses is a dialplan that does not ask.
func TestGuardRefuses(t *testing.T) {
	forVersions(t, func(t *testing.T, version string) {
		s := newScene(t, version, rigOptions{guard: true})
		s.phones("805")
		must(t, s.rig.numbers.Add(s.ctx, spam, Inbound, ""))
		for range 3 {
			start := time.Now()
			c, err := s.out.DialWith(s.ctx, unchecked, phone.DialOptions{Number: spam})
			must(t, err)
			end, err := c.Ended(s.ctx) // it may have rung for a moment
			must(t, err)
			if end.Code != 403 {
				t.Errorf("listed: %v", end)
			}
			t.Logf("refused after %v", end.At.Sub(start))
		}
		if got := s.call(unchecked, "0"+spam); got != "rings" {
			t.Errorf("not listed: %s", got)
		}
		s.rig.numbers.Configure(false)
		if got := s.call(unchecked, spam); got != "rings" {
			t.Errorf("guard is off: %s", got)
		}
	})
}

// TestDialplanRefusesTheWayOut is the way without the daemon's help at the time of the call.
func TestDialplanRefusesTheWayOut(t *testing.T) {
	forVersions(t, func(t *testing.T, version string) {
		s := newScene(t, version, rigOptions{})
		p := s.phones("801")
		s.out.Behave(phone.Behaviour{Never: true})
		if got := s.dial(p, barred); got != "rings" {
			t.Errorf("before: %s", got)
		}
		must(t, s.rig.numbers.Add(s.ctx, barred, Outbound, ""))
		if got := s.cli("database show blacklist_out"); !strings.Contains(got, "/blacklist_out/"+barred) {
			t.Errorf("AstDB: %s", got)
		}
		s.rig.stop()
		if got := s.dial(p, barred); got != "403" {
			t.Errorf("listed, and the daemon has ended: %s", got)
		}
		if got := s.dial(p, barred+"0"); got != "rings" {
			t.Errorf("another number: %s", got)
		}
		if got := s.call(checked, barred); got != "rings" {
			t.Errorf("the other way: %s", got)
		}
	})
}

// TestGuardRefusesTheWayOut is a dialplan that does not ask.
func TestGuardRefusesTheWayOut(t *testing.T) {
	forVersions(t, func(t *testing.T, version string) {
		s := newScene(t, version, rigOptions{guard: true})
		p := s.phones("801")
		s.out.Behave(phone.Behaviour{Never: true})
		must(t, s.rig.numbers.Add(s.ctx, direct, Outbound, ""))
		for range 3 {
			c, err := p.Dial(s.ctx, direct)
			must(t, err)
			end, err := c.Ended(s.ctx) // it may have rung for a moment
			must(t, err)
			if end.Code != 403 {
				t.Errorf("listed: %v", end)
			}
		}
		if got := s.dial(p, direct+"0"); got != "rings" {
			t.Errorf("not listed: %s", got)
		}
		must(t, s.rig.numbers.Add(s.ctx, direct, Inbound, ""))
		must(t, s.rig.numbers.Remove(s.ctx, direct, Outbound))
		if got := s.dial(p, direct); got != "rings" {
			t.Errorf("listed the other way only: %s", got)
		}
		must(t, s.rig.numbers.Set(s.ctx, direct, Outbound))
		s.rig.numbers.Configure(false)
		if got := s.dial(p, direct); got != "rings" {
			t.Errorf("guard is off: %s", got)
		}
	})
}

// TestPhoneWritesAstDB is a feature code, or the console.
func TestPhoneWritesAstDB(t *testing.T) {
	forVersions(t, func(t *testing.T, version string) {
		s := newScene(t, version, rigOptions{})
		must(t, s.rig.numbers.Add(s.ctx, "5550", Both, ""))
		s.cli("database put blacklist " + spam + " 1")
		s.cli("database put blacklist_out 5551 1")
		s.cli("database put blacklist dest app-blackhole")
		if diff := cmp.Diff(map[string]string{"5550": "both", spam: "in", "5551": "out"}, s.rig.listed()); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
		s.cli("database del blacklist " + spam)
		s.cli("database del blacklist 5550")
		if diff := cmp.Diff(map[string]string{"5550": "out", "5551": "out"}, s.rig.listed()); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
		s.cli("database put blacklist 5552 1")
		must(t, s.rig.numbers.Remove(s.ctx, "5552", Inbound))
		if got := s.cli("database show blacklist"); strings.Contains(got, "5552") || !strings.Contains(got, "/blacklist/dest") {
			t.Errorf("AstDB: %s", got)
		}
	})
}

// TestAsteriskIsDown changes the list while there is no Asterisk, ended in order and killed.
func TestAsteriskIsDown(t *testing.T) {
	for _, version := range versions {
		for _, how := range []string{"stopped", "killed"} {
			t.Run(version+"/"+how, func(t *testing.T) {
				t.Parallel()
				asteriskIsDown(newScene(t, version, rigOptions{}), how == "killed")
			})
		}
	}
}

func asteriskIsDown(s *scene, kill bool) {
	n := s.rig.numbers
	for _, number := range []string{"1001", "1002", "1003"} {
		must(s, n.Add(s.ctx, number, Inbound, ""))
	}
	s.cli("database put blacklist 1004 1")
	s.rig.compared()
	must(s, n.Add(s.ctx, "1005", Inbound, ""))
	must(s, n.Remove(s.ctx, "1003", Inbound)) // a killed Asterisk forgets this, and 1005
	if kill {
		must(s, s.lab.Kill(s.ctx))
	} else {
		must(s, s.lab.Stop(s.ctx))
	}
	until(s, "the link to be down", func() bool { return !s.rig.sw.Status().Complete })
	must(s, n.Remove(s.ctx, "1001", Inbound))
	must(s, n.Add(s.ctx, "1006", Both, ""))
	must(s, n.Remove(s.ctx, "1006", Outbound))
	must(s, s.lab.Boot(s.ctx))
	s.cli("database put blacklist 1007 1")
	s.rig.compared()
	want := map[string]string{"1002": "in", "1004": "in", "1005": "in", "1006": "in", "1007": "in"}
	if diff := cmp.Diff(want, s.rig.listed()); diff != "" {
		s.Errorf("listed (-want +got):\n%s", diff)
	}
	inAstDB := map[string]string{}
	for line := range strings.Lines(s.cli("database show blacklist")) {
		if key, ok := strings.CutPrefix(line, "/blacklist/"); ok {
			number, _, _ := strings.Cut(key, " ")
			inAstDB[number] = "in"
		}
	}
	if diff := cmp.Diff(want, inAstDB); diff != "" {
		s.Errorf("AstDB (-want +got):\n%s", diff)
	}
	if got := s.cli("database show blacklist_out"); strings.Contains(got, "1006") {
		s.Errorf("AstDB: %s", got)
	}
}

// TestDaemonIsDown is the phones' turn alone.
func TestDaemonIsDown(t *testing.T) {
	forVersions(t, func(t *testing.T, version string) {
		path := filepath.Join(t.TempDir(), "a.db")
		s := newScene(t, version, rigOptions{path: path})
		must(t, s.rig.numbers.Add(s.ctx, "1001", Both, "a note"))
		must(t, s.rig.numbers.Add(s.ctx, "1002", Inbound, ""))
		s.rig.stop()
		s.cli("database del blacklist 1001")
		s.cli("database put blacklist 1003 1")
		off := newRig(t, rigOptions{path: path, idle: true})
		must(t, off.numbers.Remove(s.ctx, "1002", Inbound))
		off.stop()
		again := newRig(t, rigOptions{path: path, link: ami.Options{Address: s.lab.AMIAddress, Username: s.lab.AMIUser, Secret: s.lab.AMISecret}})
		again.compared()
		if diff := cmp.Diff(map[string]string{"1001": "out", "1003": "in"}, again.listed()); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
		if e, err := again.numbers.Get(s.ctx, "1001"); err != nil || e.Note != "a note" {
			t.Errorf("entry = %+v, %v", e, err)
		}
	})
}
