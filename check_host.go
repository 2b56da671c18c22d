package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// ports tries the addresses where commands are received.
func (c *checkup) ports(ctx context.Context) {
	g, h := c.cfg.General, c.cfg.HTTP
	c.port(ctx, "port", "[general] BINDADDR/BINDPORT", g.BindAddr, g.BindPort, "http")
	if h.TLS {
		c.port(ctx, "tls port", "[http] tls_port", g.BindAddr, h.TLSPort, "https")
		c.certificate()
	}
}

func (c *checkup) port(ctx context.Context, name, key, host string, number int, scheme string) {
	if number == 0 {
		c.note(name, key+" is 0: a free port is taken at each start, and logged")
		return
	}
	at := net.JoinHostPort(host, strconv.Itoa(number))
	daemon, err := c.bound(ctx, at)
	switch {
	case err == nil:
		text := at + " is free"
		if daemon != 0 {
			c.bad(name, fmt.Sprintf("%s, but the daemon (process %d) runs: it starts still, or was started with other values of %s", text, daemon, key), startedMend)
			return
		}
		if c.who.name != "" && number < privilegedPorts() {
			c.bad(name, at+" can be opened by root alone, and the daemon runs as "+c.who.name, "take a higher port in "+key+", or: systemctl edit dialbridge, with",
				"[Service]", "AmbientCapabilities=CAP_NET_BIND_SERVICE", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE")
			return
		}
		c.good(name, text)
	case errors.Is(err, syscall.EADDRINUSE) && daemon != 0 && serves(ctx, scheme, host, number):
		c.good(name, fmt.Sprintf("%s is served by the daemon that runs (process %d)", at, daemon))
	case errors.Is(err, syscall.EADDRINUSE):
		c.bad(name, at+" is taken by another program", fmt.Sprintf("ss -ltnp 'sport = :%d'     # tells which one; end it, or take another port in %s", number, key))
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		c.bad(name, "this machine has no address "+host, "ip -brief address     # lists those that it has; correct "+key+" (0.0.0.0 is all of them)")
	default:
		c.bad(name, at+": "+err.Error(), "correct "+key)
	}
}

// startedMend tells apart a daemon that has a large database to bring up to date, and one that has to be started again.
const startedMend = "systemctl status dialbridge     # activating: wait, and check again; active: systemctl restart dialbridge"

// startPatience is how long a daemon that has begun to start is waited for.
const startPatience = 3 * time.Second

// bound tries an address, and tells which process is the daemon. One that has its database and not its port yet is waited for: it may have
// been started a moment ago.
func (c *checkup) bound(ctx context.Context, at string) (daemon int, err error) {
	settles(ctx, func() bool {
		err = bind(ctx, at)
		daemon = sqlite.Holder(c.cfg.Store.Path)
		return err != nil || daemon == 0
	})
	return daemon, err
}

// settles looks until it is so, or a daemon that starts has had its time.
func settles(ctx context.Context, so func() bool) {
	begun, again := time.Now(), time.NewTicker(50*time.Millisecond)
	defer again.Stop()
	for !so() && ctx.Err() == nil && time.Since(begun) < startPatience {
		<-again.C
	}
}

// errTried ends what would listen.
var errTried = errors.New("it was only tried")

// bind tries whether a daemon could listen at an address, and does not listen: that would take the address from a daemon that starts at this
// moment. A socket that is merely bound is in no other's way, as both have SO_REUSEADDR (socket(7)), which package net sets.
func bind(ctx context.Context, at string) error {
	lc := net.ListenConfig{Control: func(network, address string, c syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if failed := c.Control(func(fd uintptr) { err = syscall.Bind(int(fd), sockaddr(network, to)) }); failed != nil {
			return failed
		}
		if err != nil {
			return err
		}
		return errTried
	}}
	if _, err := lc.Listen(ctx, "tcp", at); !errors.Is(err, errTried) {
		return err
	}
	return nil
}

// sockaddr is an address for the socket that package net has made: one of both families for all addresses, even where they are written 0.0.0.0.
func sockaddr(network string, at netip.AddrPort) syscall.Sockaddr {
	ip, port := at.Addr(), int(at.Port())
	if network == "tcp4" {
		return &syscall.SockaddrInet4{Port: port, Addr: ip.As4()}
	}
	if ip.Is4() {
		ip = netip.IPv6Unspecified()
	}
	to := &syscall.SockaddrInet6{Port: port, Addr: ip.As16()}
	if link, err := net.InterfaceByName(ip.Zone()); err == nil {
		to.ZoneId = uint32(link.Index) //nolint:gosec // an index of the kernel fits
	}
	return to
}

// privilegedPorts is the first port that a user may open.
func privilegedPorts() int {
	const usual = 1024
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return usual
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return usual
	}
	return n
}

// serves reports whether a program of our kind answers at a port of this machine.
func serves(ctx context.Context, scheme, host string, number int) bool {
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.To4() == nil {
			host = "::1"
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, strconv.Itoa(number))+"/healthz", nil)
	if err != nil {
		return false
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // it is asked who it is, and told nothing
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close() // the status says all
	return res.Header.Get("X-Request-Id") != "" && (res.StatusCode == http.StatusOK || res.StatusCode == http.StatusForbidden)
}

// certSoon is when the end of a certificate is told.
const certSoon = 14 * 24 * time.Hour

// certificate reads the one of [http] as the daemon would.
func (c *checkup) certificate() {
	h := c.cfg.HTTP
	var pair tls.Certificate
	err := c.who.try(func() (err error) {
		pair, err = tls.LoadX509KeyPair(h.TLSCert, h.TLSKey)
		return err
	})
	var leaf *x509.Certificate
	if err == nil {
		leaf, err = x509.ParseCertificate(pair.Certificate[0])
	}
	if err != nil {
		c.bad("certificate", err.Error()+" ("+c.who.whom()+")", "[http] tls_cert and tls_key must name a certificate, with those between it and its authority, and its key, which the daemon can read")
		return
	}
	left, until := time.Until(leaf.NotAfter), leaf.NotAfter.In(c.cfg.General.Timezone).Format(time.DateTime)
	switch {
	case left < 0 || time.Until(leaf.NotBefore) > 0:
		c.bad("certificate", h.TLSCert+" is not valid today, but until "+until, "renew it, then: systemctl reload dialbridge")
	case left < certSoon:
		c.note("certificate", h.TLSCert+" ends at "+until, "renew it, then: systemctl reload dialbridge")
	default:
		c.good("certificate", h.TLSCert+" is valid until "+until)
	}
}

func (c *checkup) webkey() {
	g := c.cfg.General
	switch {
	case g.WebKey != "":
		c.good("webkey", "requests need the token of the day, which `dialbridge token` prints")
	case loopback(g.BindAddr):
		c.note("webkey", "empty: every program on this machine may command the telephone system")
	default:
		c.note("webkey", "empty: everybody who reaches "+g.BindAddr+" may command the telephone system",
			"set [general] WEBKEY in "+c.o.file+", or BINDADDR = 127.0.0.1; then: systemctl restart dialbridge")
	}
}

// builtIn is a year before which no clock can be right.
const builtIn = 2026

func (c *checkup) clock() {
	now := time.Now().In(c.cfg.General.Timezone)
	text := now.Format("2006-01-02 15:04:05 MST") + ", time zone " + zoneName(c.cfg.General.Timezone)
	if now.Year() < builtIn {
		c.bad("clock", text+": the clock is wrong", "timedatectl set-ntp true")
		return
	}
	c.good("clock", text)
	var t unix.Timex
	if state, err := unix.Adjtimex(&t); err == nil && state == unix.TIME_ERROR && t.Status&unix.STA_UNSYNC != 0 {
		c.note("clock", "is not kept right by NTP, as far as the kernel knows: a receiver refuses signatures of a clock that is five minutes wrong", "timedatectl set-ntp true")
	}
}

func zoneName(l *time.Location) string {
	name := l.String()
	if name != "Local" {
		return name
	}
	if link, err := os.Readlink("/etc/localtime"); err == nil {
		if _, zone, ok := strings.Cut(link, "zoneinfo/"); ok {
			return zone + " (the system's)"
		}
	}
	return "the system's"
}

// offset is how far local time is from UTC now, in seconds.
func (c *checkup) offset() int {
	_, seconds := time.Now().In(c.cfg.General.Timezone).Zone()
	return seconds
}

// systemdRuns is there where systemd is in charge (sd_booted(3)).
const systemdRuns = "/run/systemd/system"

// service looks at the unit, where systemd runs.
func (c *checkup) service(ctx context.Context) {
	if _, err := os.Stat(systemdRuns); err != nil {
		return // another one is in charge here
	}
	const unit = ownName + ".service"
	out, err := exec.CommandContext(ctx, "systemctl", "show", unit, "--property=LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload").Output()
	if err != nil {
		c.note("service", "systemd cannot be asked: "+err.Error())
		return
	}
	c.unit(unit, properties(string(out)))
}

// unit tells the state of the unit by its properties.
func (c *checkup) unit(unit string, p map[string]string) {
	switch {
	case p["LoadState"] != "loaded":
		c.note("service", "the unit "+unit+" is not installed ("+p["LoadState"]+"): the daemon does not start by itself", "install the package, or the file systemd/"+unit+", then: systemctl enable --now dialbridge")
		return
	case p["ActiveState"] == "failed":
		c.bad("service", unit+" has failed", "journalctl -u dialbridge -n 50     # says why", "systemctl reset-failed dialbridge; systemctl start dialbridge")
	case p["ActiveState"] == "activating" && p["SubState"] == "auto-restart":
		c.bad("service", unit+" fails and is started again and again", "journalctl -u dialbridge -n 50     # says why")
	case p["ActiveState"] == "inactive":
		c.note("service", unit+" does not run", "systemctl enable --now dialbridge")
	default:
		c.good("service", unit+" is "+p["ActiveState"]+" ("+p["SubState"]+")")
	}
	if p["UnitFileState"] != "enabled" && p["ActiveState"] != "inactive" {
		c.note("service", unit+" is "+p["UnitFileState"]+": it does not start with the machine", "systemctl enable dialbridge")
	}
	if p["NeedDaemonReload"] == "yes" {
		c.note("service", "the unit's file has changed since systemd read it", "systemctl daemon-reload && systemctl restart dialbridge")
	}
}

// properties reads what systemctl show prints.
func properties(text string) map[string]string {
	p := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		p[name] = value
	}
	return p
}
