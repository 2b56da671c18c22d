package pbx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// Registration tells whether and from where the phone of an extension is registered.
type Registration struct {
	Exten     Exten
	Address   string        // IP address of the phone, "" when none is registered
	Reachable Reach         // as far as Asterisk's OPTIONS tell
	RoundTrip time.Duration // of the last OPTIONS; 0 when none was answered
}

// Reach is what Asterisk knows of a phone's reachability.
type Reach uint8

// The states of reachability.
const (
	Unregistered Reach = iota // nobody is registered
	Reachable                 // it answers OPTIONS
	Unreachable               // it is registered and does not answer OPTIONS
	Unmonitored               // it is registered and not asked
)

// fetchPatience is how long Asterisk may take to list its phones.
const fetchPatience = 10 * time.Second

// freshness is for how long an answer of Registrations is given again: many clients that ask cost Asterisk one query.
const freshness = time.Second

// shared is the last answer of Registrations and who is fetching the next one.
type shared struct {
	list    []Registration
	err     error
	at      time.Time
	pending chan struct{} // closed when the fetch under way has ended, nil when there is none
}

// Registrations asks Asterisk for the phones of all extensions, in the order of their numbers. Requests of one second
// share one query. Errors: ErrOffline, ErrUnknown, ErrForbidden.
func (s *Switch) Registrations(ctx context.Context) ([]Registration, error) {
	for {
		s.mu.Lock()
		if !s.synced {
			s.mu.Unlock()
			return nil, ErrOffline
		}
		if r := &s.regs; r.pending == nil {
			if time.Since(r.at) < freshness {
				defer s.mu.Unlock()
				return r.list, r.err
			}
			r.pending = make(chan struct{})
			s.mu.Unlock()
			return s.fetchRegistrations(ctx)
		}
		pending := s.regs.pending
		s.mu.Unlock()
		select {
		case <-pending:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrUnknown, ctx.Err())
		}
	}
}

// fetchRegistrations asks on behalf of all who wait: it goes on when the one who began it gives up.
func (s *Switch) fetchRegistrations(ctx context.Context) ([]Registration, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchPatience)
	defer cancel()
	found, err := s.askRegistrations(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Registration, 0, len(s.state.extens))
	for _, x := range s.extensions() {
		if x.Device == "" || strings.HasPrefix(x.Device, "Local/") {
			continue
		}
		r := found[x.Device]
		r.Exten = x.Number
		list = append(list, r)
	}
	close(s.regs.pending)
	s.regs = shared{list: list, err: translate(err), at: time.Now()}
	return s.regs.list, s.regs.err
}

// askRegistrations asks the drivers that are there and returns what they know, by device.
func (s *Switch) askRegistrations(ctx context.Context) (map[string]Registration, error) {
	s.mu.RLock()
	drivers := s.drivers
	s.mu.RUnlock()
	found := map[string]Registration{}
	if drivers.PJSIP {
		list, err := s.client.List(ctx, ami.NewAction("PJSIPShowContacts"))
		if err = nothing(err); err != nil {
			return nil, err
		}
		for _, m := range list {
			if device, r := pjsipContact(m); device != "" && better(r, found[device]) {
				found[device] = r
			}
		}
	}
	if drivers.SIP {
		list, err := s.client.List(ctx, ami.NewAction("SIPpeers"))
		if err = nothing(err); err != nil {
			return nil, err
		}
		for _, m := range list {
			device, r := sipPeer(m)
			found[device] = r
		}
	}
	return found, nil
}

// nothing takes Asterisk's "Error: No contacts found" for the empty list that it is.
func nothing(err error) error {
	var refused *ami.ResponseError
	if errors.As(err, &refused) && strings.HasPrefix(refused.Message, "No ") {
		return nil
	}
	return err
}

// better prefers a contact that answers, where an extension has several.
func better(a, b Registration) bool {
	return b.Reachable == Unregistered || a.Reachable == Reachable && b.Reachable != Reachable
}

// pjsipContact reads a ContactList event.
func pjsipContact(m ami.Message) (device string, r Registration) {
	name := cmp.Or(m.Get("Endpoint"), m.Get("AOR"))
	if name == "" {
		return "", r
	}
	r.Address = m.Get("ViaAddr")
	if r.Address == "" {
		r.Address = hostOf(m.Get("Uri"))
	}
	switch m.Get("Status") {
	case "Reachable", "Avail":
		r.Reachable = Reachable
	case "Unreachable", "Unavail":
		r.Reachable = Unreachable
	default: // NonQualified, Unknown
		r.Reachable = Unmonitored
	}
	if usec, err := strconv.ParseInt(m.Get("RoundtripUsec"), 10, 64); err == nil {
		r.RoundTrip = time.Duration(usec) * time.Microsecond
	}
	return "PJSIP/" + name, r
}

// hostOf takes the address out of a SIP URI such as sip:801@192.168.12.4:5060;ob (RFC 3261, 19.1.1); "" for a name.
func hostOf(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	if i := strings.IndexAny(rest, ";?>"); i >= 0 {
		rest = rest[:i]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if host, _, err := net.SplitHostPort(rest); err == nil {
		rest = host
	}
	if addr, err := netip.ParseAddr(strings.Trim(rest, "[]")); err == nil {
		return addr.String()
	}
	return ""
}

// sipPeer reads a PeerEntry event of chan_sip.
func sipPeer(m ami.Message) (device string, r Registration) {
	device = "SIP/" + m.Get("ObjectName")
	if ip := m.Get("IPaddress"); ip != "-none-" && ip != "" {
		r.Address = ip
	}
	status, ms, _ := strings.Cut(m.Get("Status"), " (")
	switch {
	case r.Address == "":
		return device, r
	case status == "OK" || status == "LAGGED":
		r.Reachable = Reachable
	case status == "Unmonitored":
		r.Reachable = Unmonitored
	default: // UNREACHABLE, UNKNOWN
		r.Reachable = Unreachable
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(ms, " ms)")); err == nil {
		r.RoundTrip = time.Duration(n) * time.Millisecond
	}
	return device, r
}
