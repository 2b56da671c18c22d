package console

import (
	"net"
	"net/netip"
	"strings"
)

// local reports whether a request was addressed to this machine by its own name: a page that has bent its name to 127.0.0.1
// (DNS rebinding) still carries its own in Host.
func local(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Unmap().IsLoopback()
}
