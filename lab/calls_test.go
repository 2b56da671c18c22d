package lab

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab/phone"
)

const caller = "09121234567" // a telephone outside

// TestCalls goes through the dialplan on each version. The calls of one version share an Asterisk, one after another.
func TestCalls(t *testing.T) {
	everyVersion(t, Options{}, func(t *testing.T, l *Lab) {
		b := bench{l}
		t.Run("inside", b.inside)
		t.Run("busy", b.busy)
		t.Run("forwarded", b.forwarded)
		t.Run("outbound", b.outbound)
		t.Run("inbound", b.inbound)
		t.Run("inbound recorded", b.inboundRecorded)
		t.Run("inbound blacklisted", b.inboundBlacklisted)
		t.Run("no such DID", b.noSuchDID)
		t.Run("menu to queue to survey", b.menuToQueue)
		t.Run("menu invalid", b.menuInvalid)
		t.Run("menu timeout", b.menuTimeout)
		t.Run("menu to phone", b.menuToPhone)
		t.Run("queue login", b.queueLogin)
		t.Run("parking", b.parking)
		t.Run("conference", b.conference)
	})
}

// bench is the Asterisk that the calls of a version share.
type bench struct{ *Lab }

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b bench) phones(t *testing.T, ctx context.Context, extens ...string) (phones []*phone.Phone) {
	t.Helper()
	for _, exten := range extens {
		p, err := b.Phone(ctx, exten)
		must(t, err)
		closeAfter(t, p)
		phones = append(phones, p)
	}
	return phones
}

func (b bench) trunk(t *testing.T, ctx context.Context) *phone.Phone {
	t.Helper()
	p, err := b.Trunk(ctx)
	must(t, err)
	closeAfter(t, p)
	return p
}

func closeAfter(t *testing.T, p *phone.Phone) {
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close %s: %v", p.Number(), err)
		}
	})
}

// ring dials from a phone and returns both ends when the callee has got it.
func ring(t *testing.T, ctx context.Context, from *phone.Phone, target string, callee *phone.Phone) (out, in *phone.Call) {
	t.Helper()
	out, err := from.DialWith(ctx, target, phone.DialOptions{Number: showing(from)})
	must(t, err)
	in, err = callee.Accept(ctx)
	must(t, err)
	return out, in
}

// showing is the number that a phone shows: the provider's calls are those of a telephone outside.
func showing(p *phone.Phone) string {
	if p.Number() == "trunk" {
		return caller
	}
	return p.Number()
}

func talk(t *testing.T, ctx context.Context, calls ...*phone.Call) {
	t.Helper()
	for _, c := range calls {
		must(t, c.Answered(ctx))
	}
	for _, c := range calls {
		must(t, c.Heard(ctx, 10))
	}
}

func hangUp(t *testing.T, ctx context.Context, from, to *phone.Call) {
	t.Helper()
	must(t, from.Hangup(ctx))
	_, err := to.Ended(ctx)
	must(t, err)
}

// record waits for a call record that fulfils want, and returns it. Its fields are those of Master.csv: 0 account,
// 1 source, 2 destination, 3 context, 4 caller id, 5 channel, 6 destination channel, 7 application, 8 data, 9 start,
// 10 answer, 11 end, 12 duration, 13 billed seconds, 14 disposition, 15 flags, 16 unique id, 17 user field.
func (b bench) record(t *testing.T, ctx context.Context, what string, want func(fields []string) bool) []string {
	t.Helper()
	for {
		text, err := os.ReadFile(b.CDRCSV)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		records, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
		must(t, err)
		for _, fields := range slices.Backward(records) {
			if want(fields) {
				return fields
			}
		}
		if pause(ctx) != nil {
			t.Fatalf("no call record of %s in:\n%s", what, text)
		}
	}
}

func (b bench) inside(t *testing.T) {
	ctx := deadline(t)
	p := b.phones(t, ctx, "801", "802")
	out, in := ring(t, ctx, p[0], "802", p[1])
	talk(t, ctx, out, in)
	if from := in.Info().Remote; from.Number != "801" || from.Name != "Phone 801" {
		t.Errorf("802 sees %q %s", from.Name, from.Number)
	}
	hangUp(t, ctx, out, in)
	b.record(t, ctx, "801 to 802", func(f []string) bool { return f[1] == "801" && f[2] == "802" && f[14] == "ANSWERED" })
}

func (b bench) busy(t *testing.T) {
	ctx := deadline(t)
	p := b.phones(t, ctx, "801", "802")
	p[1].Behave(phone.Behaviour{Status: 486})
	out, _ := ring(t, ctx, p[0], "802", p[1])
	end, err := out.Ended(ctx)
	must(t, err)
	if end.Code != 486 {
		t.Errorf("the caller is told %s", end)
	}
}

func (b bench) forwarded(t *testing.T) {
	ctx := deadline(t)
	p := b.phones(t, ctx, "801", "803")
	for _, command := range []string{"database put CF 802 803", "database put CF 803 802"} {
		mustCLI(t, b.Lab, command)
	}
	out, err := p[0].Dial(ctx, "802")
	must(t, err)
	if end, err := out.Ended(ctx); err != nil || end.Code < 400 {
		t.Errorf("two phones forwarded to each other: %s %v", end, err)
	}
	mustCLI(t, b.Lab, "database del CF 803")
	out, in := ring(t, ctx, p[0], "802", p[1])
	talk(t, ctx, out, in)
	hangUp(t, ctx, out, in)
	mustCLI(t, b.Lab, "database del CF 802")
}

func (b bench) outbound(t *testing.T) {
	ctx := deadline(t)
	trunk := b.trunk(t, ctx)
	p := b.phones(t, ctx, "801")
	out, in := ring(t, ctx, p[0], "02112345678", trunk)
	if dialled := in.Info().Dialled; dialled != "02112345678" {
		t.Errorf("the provider is asked for %s", dialled)
	}
	talk(t, ctx, out, in)
	hangUp(t, ctx, in, out)
}

func (b bench) inbound(t *testing.T) {
	ctx := deadline(t)
	trunk := b.trunk(t, ctx)
	p := b.phones(t, ctx, "801")
	out, in := ring(t, ctx, trunk, "02188880001", p[0])
	talk(t, ctx, out, in)
	if from := in.Info().Remote.Number; from != caller {
		t.Errorf("801 sees %s", from)
	}
	hangUp(t, ctx, in, out)
	b.record(t, ctx, "the DID", func(f []string) bool { return f[1] == caller && f[2] == "02188880001" && f[3] == "from-trunk" })
}

func (b bench) inboundRecorded(t *testing.T) {
	ctx := deadline(t)
	trunk := b.trunk(t, ctx)
	p := b.phones(t, ctx, "802")
	out, in := ring(t, ctx, trunk, "02188880004", p[0])
	talk(t, ctx, out, in)
	hangUp(t, ctx, out, in)
	fields := b.record(t, ctx, "the DID", func(f []string) bool { return f[2] == "02188880004" })
	b.mustBeRecorded(t, ctx, fields[16])
}

// mustBeRecorded waits until the recording of a call has sound in it.
func (b bench) mustBeRecorded(t *testing.T, ctx context.Context, uniqueID string) {
	t.Helper()
	const header = 44 // bytes of a WAV file without sound
	file := filepath.Join(b.RecordingsDir, uniqueID+".wav")
	for {
		info, err := os.Stat(file)
		if err == nil && info.Size() > header {
			return
		}
		if pause(ctx) != nil {
			t.Fatalf("recording %s: %v, %+v", file, err, info)
		}
	}
}

func (b bench) inboundBlacklisted(t *testing.T) {
	ctx := deadline(t)
	trunk := b.trunk(t, ctx)
	mustCLI(t, b.Lab, "database put blacklist "+caller+" 1")
	out, err := trunk.DialWith(ctx, "02188880001", phone.DialOptions{Number: caller})
	must(t, err)
	end, err := out.Ended(ctx)
	must(t, err)
	if end.Code != 403 && end.Cause != 21 {
		t.Errorf("a listed caller is told %s", end)
	}
	mustCLI(t, b.Lab, "database del blacklist "+caller)
}

func (b bench) noSuchDID(t *testing.T) {
	ctx := deadline(t)
	trunk := b.trunk(t, ctx)
	out, err := trunk.DialWith(ctx, "02188889999", phone.DialOptions{Number: caller})
	must(t, err)
	if end, err := out.Ended(ctx); err != nil || end.Code != 404 {
		t.Errorf("the caller is told %s, %v", end, err)
	}
}

// The whole way of a customer: menu, queue, agent, survey; and what is left of it.
func (b bench) menuToQueue(t *testing.T) {
	ctx := deadline(t)
	trunk := b.trunk(t, ctx)
	agents := b.phones(t, ctx, "803", "804")
	agents[1].Behave(phone.Behaviour{Never: true})
	out := b.dialMenu(t, ctx, trunk, "1")
	in, err := agents[0].Accept(ctx)
	must(t, err)
	loser, err := agents[1].Accept(ctx)
	must(t, err)
	talk(t, ctx, out, in)
	if end, err := loser.Ended(ctx); err != nil || end.Method != "CANCEL" {
		t.Errorf("804 stops ringing with %s, %v", end, err)
	}
	must(t, in.Hangup(ctx))
	must(t, out.Heard(ctx, 20))
	must(t, out.SendDTMF(ctx, "4", phone.RFC2833))
	_, err = out.Ended(ctx)
	must(t, err)
	score := b.record(t, ctx, "the survey", func(f []string) bool { return f[1] == caller && f[3] == "survey" })
	if score[17] != "4" {
		t.Errorf("the score is %q", score[17])
	}
	b.record(t, ctx, "the queue", func(f []string) bool {
		return f[16] == score[16] && strings.Contains(f[6], "/803-") && f[14] == "ANSWERED"
	})
	b.mustBeRecorded(t, ctx, score[16])
}

// dialMenu calls the menu from outside and presses a key while it speaks.
func (b bench) dialMenu(t *testing.T, ctx context.Context, trunk *phone.Phone, key string) *phone.Call {
	t.Helper()
	out, err := trunk.DialWith(ctx, "02188880002", phone.DialOptions{Number: caller})
	must(t, err)
	must(t, out.Answered(ctx))
	must(t, out.Heard(ctx, 5))
	must(t, out.SendDTMF(ctx, key, phone.RFC2833))
	return out
}

func (b bench) menuInvalid(t *testing.T) {
	ctx := deadline(t)
	trunk := b.trunk(t, ctx)
	agents := b.phones(t, ctx, "803")
	out := b.dialMenu(t, ctx, trunk, "9")
	in, err := agents[0].Accept(ctx)
	must(t, err)
	hangUp(t, ctx, out, in)
}

func (b bench) menuTimeout(t *testing.T) {
	ctx := deadline(t)
	trunk := b.trunk(t, ctx)
	agents := b.phones(t, ctx, "804")
	out, in := ring(t, ctx, trunk, "02188880002", agents[0])
	hangUp(t, ctx, out, in)
}

func (b bench) menuToPhone(t *testing.T) {
	ctx := deadline(t)
	trunk := b.trunk(t, ctx)
	p := b.phones(t, ctx, "801")
	out := b.dialMenu(t, ctx, trunk, "3")
	in, err := p[0].Accept(ctx)
	must(t, err)
	talk(t, ctx, out, in)
	hangUp(t, ctx, in, out)
}

func (b bench) queueLogin(t *testing.T) {
	ctx := deadline(t)
	trunk := b.trunk(t, ctx)
	p := b.phones(t, ctx, "805")
	login := func() {
		call, err := p[0].Dial(ctx, "*45")
		must(t, err)
		_, err = call.Ended(ctx)
		must(t, err)
	}
	login()
	out := b.dialMenu(t, ctx, trunk, "2")
	in, err := p[0].Accept(ctx)
	must(t, err)
	talk(t, ctx, out, in)
	hangUp(t, ctx, out, in)
	login()
	if members := mustCLI(t, b.Lab, "queue show 631"); strings.Contains(members, "/805") {
		t.Errorf("805 is still logged in: %s", members)
	}
}

func (b bench) parking(t *testing.T) {
	ctx := deadline(t)
	p := b.phones(t, ctx, "801", "802", "806")
	out, in := ring(t, ctx, p[0], "802", p[1])
	talk(t, ctx, out, in)
	must(t, in.Refer(ctx, "700"))
	_, err := in.Ended(ctx)
	must(t, err)
	for !strings.Contains(mustCLI(t, b.Lab, "parking show default"), "701") {
		must(t, pause(ctx))
	}
	taken, err := p[2].Dial(ctx, "701")
	must(t, err)
	talk(t, ctx, taken, out)
	hangUp(t, ctx, taken, out)
}

func (b bench) conference(t *testing.T) {
	ctx := deadline(t)
	var calls []*phone.Call
	for _, p := range b.phones(t, ctx, "801", "802", "803") {
		call, err := p.Dial(ctx, "900")
		must(t, err)
		must(t, call.Answered(ctx))
		calls = append(calls, call)
	}
	for {
		list := mustCLI(t, b.Lab, "confbridge list 900")
		if strings.Count(list, b.Tech+"/80") == len(calls) {
			break
		}
		if pause(ctx) != nil {
			t.Fatalf("want %d members: %s", len(calls), list)
		}
	}
	talk(t, ctx, calls...)
	for _, call := range calls {
		must(t, call.Hangup(ctx))
	}
}

func TestPhones(t *testing.T) {
	t.Parallel()
	l := ForTest(t, "22", Options{})
	if _, err := l.Phone(t.Context(), "999"); err == nil || !strings.Contains(err.Error(), "999") {
		t.Errorf("a phone of no extension: %v", err)
	}
	for _, exten := range l.Extensions {
		if _, err := l.Phone(t.Context(), exten); err != nil {
			t.Error(err)
		}
	}
	want := fmt.Sprintf("Objects found: %d", len(l.Extensions))
	if got := mustCLI(t, l, "pjsip show contacts"); !strings.Contains(got, want) {
		t.Errorf("want %s: %s", want, got)
	}
	must(t, l.Close())
	if _, err := l.Phone(t.Context(), "801"); !errors.Is(err, ErrStopped) {
		t.Errorf("a phone of a closed lab: %v", err)
	}
}
