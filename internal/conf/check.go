package conf

import (
	"net"
	"time"
)

// crossCheck finds what is wrong between keys that are each right by themselves.
func (c *Config) crossCheck(file string, origin map[string]place) []*Error {
	var faults []*Error
	fail := func(section, name, id, reason string) {
		at := origin[id]
		faults = append(faults, &Error{File: file, Line: at.line, Variable: at.variable, Section: section, Key: name, Reason: reason})
	}
	good := func(ids ...string) bool {
		for _, id := range ids {
			if origin[id].bad {
				return false
			}
		}
		return true
	}
	if c.HTTP.TLS && c.HTTP.TLSCert == "" {
		fail("http", "tls_port", "http.tls_port", "needs tls_cert; name the certificate file, or set tls_port = off")
	}
	if c.HTTP.TLS && c.HTTP.TLSKey == "" {
		fail("http", "tls_port", "http.tls_port", "needs tls_key; name the key file, or set tls_port = off")
	}
	if c.HTTP.TLS && c.HTTP.TLSPort != 0 && c.HTTP.TLSPort == c.General.BindPort && good("general.bindport") {
		fail("http", "tls_port", "http.tls_port", "is the port of BINDPORT too; choose another")
	}
	if c.AMI.DeadAfter <= c.AMI.Ping && good("ami.ping", "ami.dead_after") {
		fail("ami", "dead_after", "ami.dead_after", "is not longer than ping; write three times the length of ping, or leave both out")
	}
	return faults
}

// complete fills what the defaults take from elsewhere.
func (c *Config) complete() {
	if c.General.MAC == "" {
		c.General.MAC = firstMAC()
	}
	if c.Recordings.AsteriskDirectory == "" {
		c.Recordings.AsteriskDirectory = c.Recordings.Directory
	}
	if c.General.Timezone == nil {
		c.General.Timezone = time.Local
	}
}

// firstMAC is the address of the first interface that has one, "" without any.
func firstMAC() string {
	interfaces, err := net.Interfaces()
	if err != nil {
		return ""
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback == 0 && len(i.HardwareAddr) == 6 && i.HardwareAddr.String() != "00:00:00:00:00:00" {
			return i.HardwareAddr.String()
		}
	}
	return ""
}
