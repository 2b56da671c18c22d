package amitest

import (
	"crypto/md5" // the digest of the manager interface
	"encoding/hex"
	"strconv"

	"github.com/dialbridge/dialbridge/ami"
)

// challenge is what every session is challenged with.
const challenge = "127763803"

func (s *Server) handleDefaults() {
	s.Handle("Challenge", s.challenge)
	s.Handle("Login", s.login)
	s.Handle("Logoff", func(session *Session, a ami.Action) {
		session.Respond(a, "Goodbye", "Message", "Thanks for all the fish.")
		session.Hangup()
	})
	s.Handle("Ping", func(session *Session, a ami.Action) {
		session.Respond(a, "Success", "Ping", "Pong", "Timestamp", "1795286308.345087")
	})
	s.Handle("Filter", func(session *Session, a ami.Action) {
		session.Respond(a, "Success", "Message", "Success")
	})
	s.Handle("Events", func(session *Session, a ami.Action) {
		session.Respond(a, "Success", "Events", "On")
	})
}

func (s *Server) challenge(session *Session, a ami.Action) {
	if s.o.NoMD5 || a.Get("AuthType") != "MD5" {
		session.Respond(a, "Error", "Message", "Must specify AuthType")
		return
	}
	session.Respond(a, "Success", "Challenge", challenge)
}

// login lets in who knows the secret. Asterisk hangs up after a refusal.
func (s *Server) login(session *Session, a ami.Action) {
	sum := md5.Sum([]byte(challenge + s.o.Secret))
	good := a.Get("Secret") == s.o.Secret
	if a.Get("AuthType") == "MD5" {
		good = !s.o.NoMD5 && a.Get("Key") == hex.EncodeToString(sum[:])
	}
	if !good || a.Get("Username") != s.o.Username {
		session.Respond(a, "Error", "Message", "Authentication failed")
		session.Hangup()
		return
	}
	// Nothing that is sent to all comes before the answer, and nothing behind it is missed.
	s.mu.Lock()
	defer s.mu.Unlock()
	session.Respond(a, "Success", "Message", "Authentication accepted")
	if !s.o.Booting && !s.o.NoEvents {
		session.Event("FullyBooted", "Privilege", "system,all", "Uptime", "11", "LastReload", "11", "Status", "Fully Booted")
	}
	if !s.o.NoEvents {
		session.Event("SuccessfulAuth", "Privilege", "security,all", "Severity", "Informational", "Service", "AMI",
			"AccountID", s.o.Username, "UsingPassword", "0")
	}
	session.loggedIn = true
	s.logins++
	s.change()
}

func itoa(n int) string { return strconv.Itoa(n) }
