package bridge_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// talks41 is what is told of an agent who talks to the customer of TestCommandsOfSockets; keys are what that one has pressed.
const (
	talks41 = "busy answer inbound 02150000041 answered"
	keys41  = talks41 + " keys 7"
)

// besides is what an event tells of a hold, of a consultation and of the agent's phone.
func besides(data any) (words string) {
	d, _ := data.(map[string]any)
	for _, key := range []string{"hold", "consult"} {
		if v, is := d[key]; is {
			words += fmt.Sprintf(" %s %v", key, v)
		}
	}
	if third, _ := d["third"].(string); strings.Contains(third, ",") {
		words += " of " + third
	}
	if d["sip_state"] == "false" {
		words += " away"
	}
	return words
}

// holds: a hold is told whoever began it, by a command or by the phone's own key; that of the other party is none of the agent's.
func (b *olaBench) holds(s *socket, own, customer *phone.Call) {
	b.Helper()
	s.does("hold")
	b.tells("the customer on hold", customer, music)
	s.told(keys41 + " hold server")
	s.does("unhold")
	b.hearsOf("the customer after the hold", customer, agentTone)
	s.told(keys41)
	b.must(own.Hold(b.ctx))
	s.told(keys41 + " hold phone")
	s.refused(409, "the call is not in a state for this", "unhold")
	b.must(own.Unhold(b.ctx))
	s.told(keys41)
	b.must(customer.Hold(b.ctx))
	b.tells("the agent whom the customer holds", own, music)
	b.must(customer.Unhold(b.ctx))
	b.hearsOf("the agent whom the customer has taken back", own, outsideTone)
	s.nothing()
}

// asksByName: a consultation has a name, by which it alone is completed.
func (b *olaBench) asksByName(s *socket, other *phone.Phone, customer *phone.Call) {
	b.Helper()
	s.refused(409, "the call is not in a state for this", "complete")
	s.does("consult", "dest", "801")
	first := b.incoming(other)
	s.until("the consultation", func() bool { return len(s.events) > 0 && strings.HasSuffix(s.words()[len(s.events)-1], " consult 801") })
	name := s.consulted()
	s.does("unconsult")
	b.over(first)
	b.hearsOf("the customer after the question", customer, agentTone)
	s.refused(409, "the call is not in a state for this", "complete", "consult_id", name)
	s.until("the end of the consultation", func() bool { return s.words()[len(s.events)-1] == keys41 })
	s.does("consult", "dest", "801")
	second := b.incoming(other)
	s.until("another consultation", func() bool { return strings.HasSuffix(s.words()[len(s.events)-1], " consult 801") })
	if again := s.consulted(); again == name {
		b.Errorf("two consultations have the name %s", name)
	}
	s.refused(409, "the call is not in a state for this", "complete", "consult_id", name)
	b.hearsOf("who is asked, after a refusal", second, agentTone)
	s.does("unconsult")
	b.over(second)
	b.hearsOf("the customer after both questions", customer, agentTone)
	s.until("the end of both", func() bool { return s.words()[len(s.events)-1] == keys41 })
	s.mu.Lock()
	s.events = nil
	s.mu.Unlock()
}

// consulted is the name of the consultation that was told last.
func (s *socket) consulted() (name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, _ := s.events[len(s.events)-1]["app_data"].(map[string]any)
	name, _ = d["consult_id"].(string)
	if name == "" {
		s.b.Errorf("a consultation without a name: %v", d)
	}
	return name
}

// losesPhone: that an agent's phone is gone is told during a call, too. Asterisk tells the registration and, with chan_sip, the state of the
// device from different threads: the phone comes back when both are known.
func (b *olaBench) losesPhone(s *socket, agent *phone.Phone) {
	b.Helper()
	b.must(agent.Unregister(b.ctx))
	s.told(keys41 + " away")
	if b.lab.Tech == "SIP" {
		b.eventually("the device to be away", func() bool { return b.stateOf("805") == "4" })
	}
	b.must(agent.Register(b.ctx))
	s.told(keys41)
}

// TestConsultationWithoutACaller: the caller hangs up while the agent asks somebody. The two go on with each other, and there is nobody to connect.
func TestConsultationWithoutACaller(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := &olaBench{bench: setUp(t, version, lab.Options{}, bridge.Options{})}
		s, agent, other := b.seated()
		own, customer := b.answeredBy(s, agent, "02150000041")
		s.does("consult", "dest", "801")
		at801 := b.incoming(other)
		s.until("the consultation", func() bool { return len(s.events) > 0 && strings.HasSuffix(s.words()[len(s.events)-1], " consult 801") })
		name := s.consulted()
		b.must(customer.Hangup(b.ctx))
		s.until("a talk of two", func() bool { return s.words()[len(s.events)-1] == "busy answer inbound 801 answered" })
		s.refused(409, "the call is not in a state for this", "complete", "consult_id", name)
		b.hearsOf("who was asked", at801, agentTone)
		s.does("hold")
		b.tells("who was asked, on hold", at801, music)
		s.does("unhold")
		b.hearsOf("who was asked, after the hold", at801, agentTone)
		b.must(own.Hangup(b.ctx))
		b.over(at801)
	})
}
