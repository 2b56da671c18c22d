package amitest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dialbridge/dialbridge/ami"
)

// Send queues raw bytes for every session that is logged in.
func (s *Server) Send(raw string) {
	for _, session := range s.all(true) {
		session.Send(raw)
	}
}

// Event queues an event, with pairs of header name and value, for every session that is logged in.
func (s *Server) Event(name string, nameValue ...string) {
	s.Send(NewEvent(name, nameValue...).String() + "\r\n")
}

// Boot says FullyBooted; see Options.Booting.
func (s *Server) Boot() {
	s.Event("FullyBooted", "Privilege", "system,all", "Uptime", "0", "LastReload", "0", "Status", "Fully Booted")
}

// Drop cuts every connection.
func (s *Server) Drop() {
	for _, session := range s.all(false) {
		session.Close()
	}
}

// Freeze makes every session of now half-open: what comes is read, and nothing is sent any more.
func (s *Server) Freeze() {
	for _, session := range s.all(false) {
		session.mu.Lock()
		session.frozen = true
		session.mu.Unlock()
	}
}

// Stall makes every session of now stop reading; it still sends. Resume ends it.
func (s *Server) Stall() {
	for _, session := range s.all(false) {
		session.mu.Lock()
		session.stalled = true
		session.mu.Unlock()
	}
}

// Resume ends what Freeze and Stall began; what was queued in the meantime is sent.
func (s *Server) Resume() {
	for _, session := range s.all(false) {
		session.mu.Lock()
		if session.stalled {
			close(session.resume)
			session.resume = make(chan struct{})
		}
		session.frozen, session.stalled = false, false
		signal(session.changed)
		session.mu.Unlock()
	}
}

// Split makes every session of now, and of later, write n bytes at a time; 0 is as much as there is.
func (s *Server) Split(n int) {
	s.mu.Lock()
	s.o.Split = n
	s.mu.Unlock()
	for _, session := range s.all(false) {
		session.mu.Lock()
		session.split = n
		session.mu.Unlock()
	}
}

// ShutDown makes every action, Login too, answered by "Asterisk is shutting down". Restart ends it.
func (s *Server) ShutDown() { s.set(&s.shutting, true) }

// Refuse makes the server close every new connection at once, as when no Asterisk runs. Restart ends it.
func (s *Server) Refuse() { s.set(&s.refusing, true) }

// Restart ends what ShutDown and Refuse began.
func (s *Server) Restart() {
	s.set(&s.shutting, false)
	s.set(&s.refusing, false)
}

// SetSecret changes the secret that a login needs.
func (s *Server) SetSecret(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.o.Secret = secret
}

func (s *Server) set(flag *bool, to bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*flag = to
	s.change()
}

func (s *Server) isShutting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shutting
}

func (s *Server) isLoggedIn(session *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return session.loggedIn
}

// record keeps an action for Received and Wait.
func (s *Server) record(a ami.Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, a)
	s.change()
}

// left forgets a session.
func (s *Server) left(session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, session)
	s.change()
}

// Received returns the actions called name in any case that have come so far, in their order; "" is all of them.
func (s *Server) Received(name string) []ami.Action {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.named(name)
}

// named is Received under mu.
func (s *Server) named(name string) []ami.Action {
	if name == "" {
		return slices.Clone(s.received)
	}
	var named []ami.Action
	for _, a := range s.received {
		if strings.EqualFold(a.Name, name) {
			named = append(named, a)
		}
	}
	return named
}

// Text writes an action as it came: its name and its fields, a line each.
func Text(a ami.Action) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Action: %s\n", a.Name)
	for _, f := range a.Fields {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	return b.String()
}

// Wait returns the next action called name that Wait has not returned yet, and waits for it; the test fails when it
// does not come.
func (s *Server) Wait(name string) ami.Action {
	s.t.Helper()
	var got ami.Action
	s.await("the action "+name, func() bool {
		key := strings.ToLower(name)
		named := s.named(name)
		if len(named) <= s.waited[key] {
			return false
		}
		got = named[s.waited[key]]
		s.waited[key]++
		return true
	})
	return got
}

// WaitLogins waits until n logins in all were accepted.
func (s *Server) WaitLogins(n int) {
	s.t.Helper()
	s.await(itoa(n)+" logins", func() bool { return s.logins >= n })
}

// WaitGone waits until no client is connected.
func (s *Server) WaitGone() {
	s.t.Helper()
	s.await("the clients to go", func() bool { return len(s.sessions) == 0 })
}

// Logins returns how many logins were accepted, and Dials how many connections were tried.
func (s *Server) Logins() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logins
}

// Dials returns how many connections were tried, refused ones too.
func (s *Server) Dials() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials
}
