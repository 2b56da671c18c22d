package bridge_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// orders are the actions by which the daemon could dial.
var orders = []string{"Originate", "BlindTransfer", "Atxfer", "Redirect", "Getvar"}

// ordered counts what the daemon has sent to dial.
func (p *tap) ordered() (n int) {
	for _, a := range p.actions() {
		for _, order := range orders {
			if strings.Contains("\r\n"+a+"\r\n", "\r\nAction: "+order+"\r\n") {
				n++
			}
		}
	}
	return n
}

// TestNumbersNotToBeCalled lists a number on the console as one that is not to be called, and orders calls to it.
func TestNumbersNotToBeCalled(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{Extra: "[blacklist]\nguard = no\n"})
		manager := newTap(t, b.lab.IP, b.lab.AMIAddress)
		b.must(b.d.Stop())
		direct := b.lab.AMIAddress
		b.lab.AMIAddress = manager.listener.Addr().String()
		d, err := bridge.Start(b.within(startTime), b.lab, b.opts)
		b.must(err)
		b.d, b.lab.AMIAddress = d, direct
		const number, other, refusal = "02155556666", "02155556667", "dst: number is on the black list"
		p, out := b.phone("801"), b.trunk()
		b.phone("802")
		b.idle("801", "802")
		index := func() (list []string) {
			var reply struct{ Data []string }
			b.get("blacklist/index", &reply)
			return reply.Data
		}
		inAstDB := func(family string, want bool) {
			t.Helper()
			if text := b.cli("database show " + family); strings.Contains(text, "/"+family+"/"+number+" ") != want {
				t.Errorf("%s: want %v:\n%s", family, want, text)
			}
		}
		b.cli("database put blacklist_out " + number + " 1")
		if got := index(); len(got) != 0 { // and compares
			t.Errorf("listed as not to call in: %v", got)
		}

		// A call to a phone, so that there is something to transfer.
		call := b.dial(p, "802")
		b.must(call.Answered(b.within(10 * time.Second)))
		b.inCall("801")
		before := manager.ordered()
		b.refuses(403, "extensions/click-number", refusal, "src", "802", "dst", number)
		b.refuses(403, "extensions/click-number", "src: number is on the black list", "src", number, "dst", "802")
		b.refuses(403, "extensions/transfer", refusal, "src", "801", "dst", number)
		b.refuses(403, "extensions/transfer", refusal, "src", "801", "dst", number, "type", "attended")
		if n := manager.ordered() - before; n != 0 {
			t.Errorf("Asterisk was sent %d orders", n)
		}
		if calls := out.Calls(); len(calls) != 0 {
			t.Errorf("the provider was called: %v", calls)
		}
		b.must(call.Hangup(b.ctx))

		// This dialect's part of the list is the other direction.
		b.refuses(404, "blacklist/delete", "Database entry could not be deleted", "number", number)
		b.does("blacklist/create", "Updated database successfully", "number", number)
		inAstDB("blacklist", true)
		inAstDB("blacklist_out", true)
		if got := index(); len(got) != 1 || got[0] != number {
			t.Errorf("listed as not to call in: %v", got)
		}
		b.does("blacklist/delete", "Key deleted successfully", "number", number)
		inAstDB("blacklist", false)
		inAstDB("blacklist_out", true)
		b.refuses(403, "extensions/click-number", refusal, "src", "801", "dst", number)

		// Others are dialled, and this one when the console has taken it off.
		b.idle("801", "802")
		out.Behave(phone.Behaviour{HangupAfter: 100 * time.Millisecond})
		b.order("src", "801", "dst", other)
		b.accepted(out)
		b.cli("database del blacklist_out " + number)
		index()
		b.idle("801")
		b.order("src", "801", "dst", number)
		b.accepted(out)
		if n := manager.ordered() - before; n != 2 {
			t.Errorf("Asterisk was sent %d orders, want 2", n)
		}
	})
}

// accepted waits until a phone is called.
func (b *bench) accepted(p *phone.Phone) {
	b.Helper()
	_, err := p.Accept(b.within(10 * time.Second))
	b.must(err)
}

// inCall waits until the daemon shows that an extension talks.
func (b *bench) inCall(number string) {
	b.Helper()
	ctx := b.within(10 * time.Second)
	for {
		code, body, err := b.d.Get(ctx, api+"extensions/current-calls?channels=all")
		b.must(err)
		if code == 200 && strings.Count(body, `"channelstatedesc":"Up"`) == 2 && strings.Contains(body, "/"+number+"-") {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			b.Fatalf("%s never talked: %s", number, body)
		}
	}
}
