package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialbridge/dialbridge/internal/conf"
	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/webhook"
)

// certified is a server of TLS with a certificate of its own making.
func certified(t *testing.T, name string, until time.Time) *httptest.Server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: until.Add(-time.Hour), NotAfter: until,
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	if name != "localhost" {
		template.IPAddresses = nil
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// TestCheckTellsFaultsOfReceiversApart tries real servers and real faults.
func TestCheckTellsFaultsOfReceiversApart(t *testing.T) {
	answers := func(status int, header ...string) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	date := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	gone := httptest.NewServer(nil)
	gone.Close()
	plain := answers(200)
	for _, c := range []struct {
		name, url string
		want      []string // status of a line, and what it holds with its mend
	}{
		{"good", plain, []string{"ok took a test event (status 200)", "note not signed"}},
		{"refused", gone.URL, []string{"fail nothing listens at 127.0.0.1:"}},
		{"moved", answers(301, "Location", "/new"), []string{"fail the URL has moved to http://127.0.0.1:"}},
		{"credentials", answers(401), []string{"fail must be the one it verifies with"}},
		{"not found", answers(404), []string{"fail must be the one that takes a POST"}},
		{"broken", answers(500), []string{"fail the receiver itself fails"}},
		{"refuses the event", answers(422), []string{"fail also an event that it does not know"}},
		{"no TLS", strings.Replace(plain, "http:", "https:", 1), []string{"fail does not speak TLS"}},
		{"unknown authority", certified(t, "localhost", time.Now().Add(time.Minute)).URL, []string{"fail update-ca-certificates"}},
		{"expired", certified(t, "localhost", time.Now().Add(-time.Minute)).URL, []string{"fail renew it on the server"}},
		{"another name", certified(t, "other.example", time.Now().Add(time.Minute)).URL, []string{"fail its certificate is for another name"}},
		{"clock a little wrong", answers(200, "Date", date(time.Minute)), []string{"ok took", "note its clock is", "note not signed"}},
		{"clock very wrong", answers(200, "Date", date(-time.Hour)), []string{"ok took", "fail it will refuse signatures as too old", "note not signed"}},
		{"clock right", answers(200, "Date", date(-2*time.Second)), []string{"ok took", "note not signed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			check := &checkup{cfg: &conf.Config{}}
			check.receiver(t.Context(), webhook.Target{URL: c.url, Timeout: 10 * time.Second}, "receiver", "[general] URL")
			expectFindings(t, check.found, c.want)
		})
	}
}

// expectFindings compares lines by their status and a part of their text.
func expectFindings(t *testing.T, found []finding, want []string) {
	t.Helper()
	if len(found) != len(want) {
		t.Fatalf("%d lines, want %d: %+v", len(found), len(want), found)
	}
	for i, w := range want {
		status, text, _ := strings.Cut(w, " ")
		if all := found[i].Text + "\n" + strings.Join(found[i].Mend, "\n"); found[i].Status != status || !strings.Contains(all, text) {
			t.Errorf("%+v, want %q", found[i], w)
		}
		if found[i].Status == "fail" && len(found[i].Mend) == 0 {
			t.Errorf("%+v has no mend", found[i])
		}
	}
}

// TestCheckNamesWhatANameServerSays holds for the faults that a test on a machine of its own cannot make.
func TestCheckNamesWhatANameServerSays(t *testing.T) {
	mend := mendReceiver(webhook.Target{URL: "https://crm.example/x"}, webhook.Probed{Class: "dns"}, "[general] URL")
	if !strings.Contains(strings.Join(mend, "\n"), "getent hosts crm.example") {
		t.Error(mend)
	}
	mend = mendReceiver(webhook.Target{URL: "https://crm.example/x"}, webhook.Probed{Class: "timeout"}, "[general] URL")
	if !strings.Contains(strings.Join(mend, "\n"), "nc -vz crm.example 443") {
		t.Error(mend)
	}
}

func TestCheckTellsTheStateOfTheUnit(t *testing.T) {
	for _, c := range []struct {
		show string
		want []string
	}{
		{"LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nNeedDaemonReload=no\n", []string{"ok active (running)"}},
		{"LoadState=not-found\nActiveState=inactive\n", []string{"note is not installed"}},
		{"LoadState=loaded\nActiveState=failed\nUnitFileState=enabled\n", []string{"fail journalctl -u dialbridge"}},
		{"LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nUnitFileState=enabled\n", []string{"fail started again and again"}},
		{"LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n", []string{"note systemctl enable --now dialbridge"}},
		{"LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=disabled\nNeedDaemonReload=yes\n",
			[]string{"ok active", "note systemctl enable dialbridge", "note daemon-reload"}},
	} {
		check := &checkup{}
		check.unit("dialbridge.service", properties(c.show))
		expectFindings(t, check.found, c.want)
	}
}

func TestCheckKnowsTheFormOfAMember(t *testing.T) {
	cfg, err := conf.Parse("api.conf", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	check := &checkup{cfg: cfg}
	for device, want := range map[string]string{
		"PJSIP/808": "{tech}/{exten}", "SIP/808": "{tech}/{exten}", "Local/808@from-queue/n": "Local/{exten}@from-queue/n",
		"Local/808@agents": "Local/{exten}@agents", "PJSIP/trunk": "", "Local/x@agents": "", "PJSIP/0@trunk": "", "": "",
	} {
		if got := check.memberForm(device); got != want {
			t.Errorf("%s: %q, want %q", device, got, want)
		}
	}
}

// TestCheckEndsWhenItIsTold holds that neither a peer that is silent nor one that hangs keeps the program after Ctrl-C.
func TestCheckEndsWhenItIsTold(t *testing.T) {
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	cfg, err := conf.Parse("api.conf", []byte("[general]\nBINDADDR = 127.0.0.1\nURL = http://"+silent.Addr().String()+"\n[ami]\naddress = "+silent.Addr().String()+
		"\nusername = x\nsecret = y\n[store]\npath = "+t.TempDir()+"/d.db\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	shown := 0
	all, err := (&checkup{cfg: cfg, o: checkOptions{file: "api.conf"}}).all(ctx, func(finding) {
		shown++
		cancel()
	})
	if err == nil || shown == 0 || all != nil {
		t.Errorf("%d lines were shown, then %v", shown, err)
	}
}

// TestCheckTakesNoAddress holds that a daemon gets its address while check tries it, however often both do.
func TestCheckTakesNoAddress(t *testing.T) {
	at := someAddress(t, "127.77.0.1").String() // no other test's
	ctx, stop := context.WithCancel(t.Context())
	tried := make(chan error, 1)
	go func() {
		var err error
		for ctx.Err() == nil && (err == nil || errors.Is(err, syscall.EADDRINUSE)) {
			err = bind(context.WithoutCancel(ctx), at)
		}
		tried <- err
	}()
	for range 200 {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", at)
		if err != nil {
			t.Errorf("a daemon that starts: %v", err)
			break
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-tried; err != nil && !errors.Is(err, syscall.EADDRINUSE) {
		t.Error(err)
	}
}

// TestCheckSeesWhoseAnAddressIs tries every way to write one.
func TestCheckSeesWhoseAnAddressIs(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "::1", "::", "localhost"} {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
		if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
			continue // a machine without IPv6
		}
		if err != nil {
			t.Fatal(err)
		}
		taken := net.JoinHostPort(host, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
		if err := bind(t.Context(), taken); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s is taken: %v", taken, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := bind(t.Context(), net.JoinHostPort(host, "0")); err != nil {
			t.Errorf("%s is ours: %v", host, err)
		}
	}
	if err := bind(t.Context(), "192.0.2.1:0"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("an address of nobody here: %v", err)
	}
}

// TestCheckWaitsForADaemonThatStarts: check said that the daemon had been started with another port, when it had not come to its port yet.
func TestCheckWaitsForADaemonThatStarts(t *testing.T) {
	path, at := filepath.Join(t.TempDir(), "d.db"), someAddress(t, "127.77.0.2").String()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	check := &checkup{cfg: &conf.Config{Store: conf.Store{Path: path}}}
	found := make(chan error, 1)
	go func() {
		_, err := check.bound(t.Context(), at)
		found <- err
	}()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if err := <-found; !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the daemon has its port: %v", err)
	}
}

// TestCheckBesideASlowStart: a daemon that has a large database to copy, or a damaged one to try, is longer without its port than anybody waits. It was
// said to have been started with another port, and to be restarted.
func TestCheckBesideASlowStart(t *testing.T) {
	path, at := filepath.Join(t.TempDir(), "d.db"), someAddress(t, "127.77.0.3").(*net.TCPAddr)
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	check := &checkup{cfg: &conf.Config{Store: conf.Store{Path: path}}}
	synctest.Test(t, func(t *testing.T) {
		check.port(t.Context(), "port", "BINDPORT", at.IP.String(), at.Port, "http")
	})
	if f := check.found[0]; f.Status != "fail" || !strings.Contains(f.Text, "starts still, or was started with other values") || !strings.Contains(f.Mend[0], "activating") {
		t.Errorf("%+v", f)
	}
}

// someAddress is one at which nobody listens.
func someAddress(t *testing.T, host string) net.Addr {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr()
}

func TestCheckTellsARefusedLinkFromALogin(t *testing.T) {
	cfg, err := conf.Parse("api.conf", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	check := &checkup{cfg: cfg}
	refused := strings.Join(check.mendLink(errors.Join(errors.New("dial"), syscall.ECONNREFUSED)), "\n")
	login := strings.Join(check.mendLink(errors.New("login")), "\n")
	if !strings.Contains(refused, "is asterisk running") || strings.Contains(login, "is asterisk running") || !strings.Contains(login, "["+ownName+"]") {
		t.Errorf("refused:\n%s\nlogin:\n%s", refused, login)
	}
}

// TestCheckReadsTheEnvironmentOfTheUnit holds that a secret that stands there is not taken for missing.
func TestCheckReadsTheEnvironmentOfTheUnit(t *testing.T) {
	path := t.TempDir() + "/dialbridge"
	text := "# secrets\n; as well\nDIALBRIDGE_AMI_SECRET = 'one two'\nDIALBRIDGE_AMI_USERNAME=\"x\"\nDIALBRIDGE_GENERAL_WEBKEY=file\nOTHER=1\n no line\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := withUnitEnvironment([]string{"DIALBRIDGE_GENERAL_WEBKEY=shell"}, path)
	want := []string{"DIALBRIDGE_AMI_SECRET=one two", "DIALBRIDGE_AMI_USERNAME=x", "DIALBRIDGE_GENERAL_WEBKEY=file", "OTHER=1", "DIALBRIDGE_GENERAL_WEBKEY=shell"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := withUnitEnvironment(want, path+"-none"); !slices.Equal(got, want) {
		t.Errorf("without a file: %q", got)
	}
}

func TestFixersDoNotMeet(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(dir); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("a second one: %v", err)
	}
	unlock()
	if unlock, err = lockFolder(dir); err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestGroupOfARunningProgram(t *testing.T) {
	own, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	if gid, runs := groupOf(strings.TrimSpace(string(own))); !runs || gid != os.Getegid() {
		t.Errorf("this test runs as %d, %v; it is %d", gid, runs, os.Getegid())
	}
	if _, runs := groupOf("no program is called this"); runs {
		t.Error("a program that does not run was found")
	}
}
