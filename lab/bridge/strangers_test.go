package bridge_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab/bridge"
)

// forged are the headers by which somebody may say that he is somebody else.
var forged = []string{
	"X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 127.0.0.1, 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1", "Client-IP: 127.0.0.1",
	"True-Client-IP: 127.0.0.1", "CF-Connecting-IP: 127.0.0.1", "X-Client-IP: 127.0.0.1", "X-Originating-IP: 127.0.0.1", "X-Cluster-Client-IP: 127.0.0.1",
	"Via: 1.1 127.0.0.1", "X-Forwarded-Host: 127.0.0.1", "X-Original-URL: /healthz", "X-Rewrite-URL: /healthz", "X-HTTP-Method-Override: GET",
}

// line is a connection from an address of the test's choice that is kept for many requests.
type line struct {
	b    *bench
	conn net.Conn
	in   *bufio.Reader
}

func (b *bench) lineFrom(from, to string, secure bool) *line {
	b.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.DialContext(b.ctx, "tcp", to)
	b.must(err)
	b.Cleanup(func() { _ = conn.Close() })
	b.must(conn.SetDeadline(time.Now().Add(30 * time.Second)))
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the certificate is the test's own
	}
	return &line{b, conn, bufio.NewReader(conn)}
}

// asks sends one request and leaves the connection open.
func (l *line) asks(method, path string, headers ...string) (code int, body string) {
	l.b.Helper()
	_, err := io.WriteString(l.conn, method+" "+path+" HTTP/1.1\r\n"+strings.Join(append(headers, "Host: 127.0.0.1", "", ""), "\r\n"))
	l.b.must(err)
	resp, err := http.ReadResponse(l.in, &http.Request{Method: method})
	l.b.must(err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	l.b.must(err)
	return resp.StatusCode, string(text)
}

// certificate makes the files of a certificate that nobody has signed.
func (b *bench) certificate(dir string) (certFile, keyFile string) {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	b.must(err)
	plan := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, plan, plan, &key.PublicKey, key)
	b.must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	b.must(err)
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	b.must(os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600))
	b.must(os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return certFile, keyFile
}

// TestStrangers holds that an address outside of [http] allow gets nothing by either listener, whatever it says of itself;
// that a change of the networks counts for connections that are open; and that wrong tokens cost nobody else his service.
func TestStrangers(t *testing.T) {
	t.Parallel()
	here := &bench{T: t, ctx: t.Context()}
	certFile, keyFile := here.certificate(t.TempDir())
	const stranger, friend, enemy = "127.99.0.1", "127.99.0.2", "127.99.0.3"
	networks := func(allow string) string {
		return fmt.Sprintf("[http]\nallow = %s\nmetrics_allow = 127.0.0.1\ntls_port = 0\ntls_cert = %s\ntls_key = %s\n", allow, certFile, keyFile)
	}
	b, p := tapped(t, bridge.Options{WebKey: "k", Extra: networks("127.0.0.1, " + friend + ", ::ffff:" + enemy + "/128")})
	plain := strings.TrimPrefix(b.d.URL, "http://")
	said, err := b.d.WaitLog(b.within(startTime), "listening for https")
	b.must(err)
	var https struct{ Address string }
	b.must(json.Unmarshal([]byte(said), &https))
	listeners := map[string]bool{plain: false, https.Address: true}
	token, err := b.d.Token(b.ctx)
	b.must(err)
	right := "Authorization: " + token

	tried := 0
	for to, secure := range listeners {
		l := b.lineFrom(stranger, to, secure)
		for _, path := range []string{"/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/", api, api + "extensions/current-calls", api + "monitor/x.wav"} {
			for _, header := range append(forged, right) {
				code, body := l.asks("GET", path, header)
				if tried++; code != http.StatusForbidden || strings.HasPrefix(path, api) && !shaped(body) {
					t.Errorf("%s with %q: %d %s", path, header, code, body)
				}
			}
		}
		if code, _ := b.lineFrom(friend, to, secure).asks("GET", api+"extensions/current-calls", right); code != http.StatusOK {
			t.Errorf("a friend: %d", code)
		}
		if code, _ := b.lineFrom(friend, to, secure).asks("GET", "/metrics", forged[0]); code != http.StatusForbidden {
			t.Errorf("metrics for a friend: %d", code)
		}
	}

	// Twenty wrong tokens from one address, each under another name: it is shut out, and nobody else.
	l := b.lineFrom(enemy, plain, false)
	codes := map[int]int{}
	for i := range 30 {
		code, _ := l.asks("GET", api+"extensions/current-calls", fmt.Sprintf("X-Forwarded-For: 10.0.0.%d", i), "Authorization: "+strings.Repeat("0", 32))
		codes[code]++
	}
	if codes[http.StatusUnauthorized] != 20 || codes[http.StatusTooManyRequests] != 10 {
		t.Errorf("wrong tokens: %v", codes)
	}
	if code, _ := b.lineFrom(enemy, https.Address, true).asks("GET", api+"extensions/current-calls", right); code != http.StatusTooManyRequests {
		t.Errorf("the same address over TLS: %d", code)
	}
	open := b.lineFrom(friend, plain, false)
	if code, _ := open.asks("GET", api+"extensions/current-calls", right, "X-Forwarded-For: "+enemy); code != http.StatusOK {
		t.Errorf("another address: %d", code)
	}

	// The networks change under connections that are open.
	shut := b.lineFrom(stranger, plain, false)
	if code, _ := shut.asks("GET", api+"extensions/current-calls", right); code != http.StatusForbidden {
		t.Errorf("a stranger before the reload: %d", code)
	}
	o := b.opts
	o.Extra = networks("127.0.0.1, " + stranger)
	b.must(os.WriteFile(b.d.Config, []byte(bridge.Configuration(b.lab, o)), 0o600))
	b.must(b.d.Signal(syscall.SIGHUP))
	_, err = b.d.WaitLog(b.within(10*time.Second), "configuration was reloaded")
	b.must(err)
	if code, _ := open.asks("GET", api+"extensions/current-calls", right); code != http.StatusForbidden {
		t.Errorf("a friend of yesterday on an open connection: %d", code)
	}
	if code, _ := shut.asks("GET", api+"extensions/current-calls", right); code != http.StatusOK {
		t.Errorf("a stranger of yesterday on an open connection: %d", code)
	}
	for _, a := range p.actions() {
		if first, _, _ := strings.Cut(a, "\r\n"); first == "Action: Originate" || first == "Action: Hangup" {
			t.Errorf("sent to Asterisk:\n%s", a)
		}
	}
	var line struct{ Level string }
	for text := range strings.Lines(b.d.Log()) {
		if json.Unmarshal([]byte(text), &line) != nil || strings.Contains(text, token) || strings.Contains(text, "panic") {
			t.Errorf("logged: %s", text)
		}
	}
	t.Logf("%d requests of a stranger were refused", tried)
}
