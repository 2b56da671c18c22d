package console

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/dialbridge/dialbridge/internal/httpd"
)

// fromHere reports whether a request comes from this machine itself, and not through a proxy on it, whose clients may be anywhere, nor from
// a page of another server that a browser on it shows.
func fromHere(r *http.Request) bool {
	return httpd.Remote(r).IsLoopback() && local(r.Host) && !passedOn(r) && !ofAnotherPage(r)
}

// passedOn reports whether a proxy has sent a request. One that tells nothing at all, as nginx without any setting, speaks HTTP/1.0.
func passedOn(r *http.Request) bool {
	for _, name := range []string{
		"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Real-Ip",
	} {
		if len(r.Header.Values(name)) > 0 {
			return true
		}
	}
	return !r.ProtoAtLeast(1, 1)
}

// ofAnotherPage reports whether a browser says that a page of another server has caused a request, be it a read: what that
// cannot read it could still let the daemon search for. Another port is another server.
func ofAnotherPage(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	for _, name := range []string{"Origin", "Referer"} {
		if text := r.Header.Get(name); text != "" {
			if page, err := url.Parse(text); err != nil || !strings.EqualFold(page.Host, r.Host) {
				return true
			}
		}
	}
	return false
}

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
