package pbx

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

func TestHostOf(t *testing.T) {
	for uri, want := range map[string]string{
		"sip:801@192.168.12.4:5060;ob":                   "192.168.12.4",
		"sip:801@192.168.12.4":                           "192.168.12.4",
		"sips:801@[2001:db8::1]:5061;transport=tls":      "2001:db8::1",
		"sip:801@[2001:db8::1]":                          "2001:db8::1",
		"sip:192.168.12.4:5060":                          "192.168.12.4",
		"sip:801@phone.example.com:5060":                 "",
		"sip:8%4001@10.0.0.1:5060;x-ast-txp=0?Subject=x": "10.0.0.1",
		"": "",
	} {
		if got := hostOf(uri); got != want {
			t.Errorf("hostOf(%q) = %q, want %q", uri, got, want)
		}
	}
}

func TestContactsAndPeers(t *testing.T) {
	for _, tc := range []struct {
		status, usec string
		want         Reach
		round        time.Duration
	}{{"Reachable", "45123", Reachable, 45123 * time.Microsecond}, {"Unreachable", "0", Unreachable, 0}, {"NonQualified", "nan", Unmonitored, 0}, {"Unknown", "", Unmonitored, 0}} {
		device, got := pjsipContact(amitest.NewEvent("ContactList", "Endpoint", "801", "ViaAddr", "10.0.0.1", "Status", tc.status, "RoundtripUsec", tc.usec))
		if device != "PJSIP/801" || got.Reachable != tc.want || got.RoundTrip != tc.round || got.Address != "10.0.0.1" {
			t.Errorf("%s: %s %+v", tc.status, device, got)
		}
	}
	for _, tc := range []struct {
		ip, status string
		want       Reach
		round      time.Duration
	}{
		{"10.0.0.1", "OK (45 ms)", Reachable, 45 * time.Millisecond}, {"10.0.0.1", "LAGGED (2100 ms)", Reachable, 2100 * time.Millisecond},
		{"10.0.0.1", "UNREACHABLE", Unreachable, 0}, {"10.0.0.1", "Unmonitored", Unmonitored, 0}, {"-none-", "UNKNOWN", Unregistered, 0},
	} {
		device, got := sipPeer(amitest.NewEvent("PeerEntry", "ObjectName", "801", "IPaddress", tc.ip, "Status", tc.status))
		if device != "SIP/801" || got.Reachable != tc.want || got.RoundTrip != tc.round {
			t.Errorf("%s: %s %+v", tc.status, device, got)
		}
	}
}

// TestAskerThatGivesUp holds that the others get their list when the one whose request has begun the query goes away.
func TestAskerThatGivesUp(t *testing.T) {
	f := newFake(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	f.Handle("PJSIPShowContacts", func(s *amitest.Session, a ami.Action) {
		close(asked)
		<-answer
		s.List(a, "follows", nil, "ContactListComplete")
	})
	ctx, giveUp := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = r.sw.Registrations(ctx) })
	<-asked
	giveUp()
	wg.Go(func() {
		if _, err := r.sw.Registrations(context.Background()); err != nil {
			t.Errorf("another asker: %v", err)
		}
	})
	close(answer)
	wg.Wait()
}
