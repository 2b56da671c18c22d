package httpd

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writePair makes a self-signed certificate of a name and returns its files.
func writePair(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plan := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, plan, plan, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert},
		keyFile:  {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// shown asks over TLS and returns the name in the server's certificate.
func shown(t *testing.T, address string, newest uint16) (string, error) {
	t.Helper()
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, // the name is what the test looks at
		MinVersion:         tls.VersionTLS10,
		MaxVersion:         newest,
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://"+address+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK || response.Header.Get("X-Request-Id") == "" {
		t.Errorf("status %d, headers %v", response.StatusCode, response.Header)
	}
	return response.TLS.PeerCertificates[0].Subject.CommonName, nil
}

func TestTLSTwin(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := writePair(t, dir, "first")
	settings := Settings{Allow: everywhere, CertFile: certFile, KeyFile: keyFile}
	s := newServer(t, func(o *Options) { o.TLSAddress, o.Settings = "127.0.0.1:0", settings })
	plain, _ := run(t, s)
	address := s.TLSAddr().String()
	expect := func(want string) {
		t.Helper()
		if name, err := shown(t, address, tls.VersionTLS13); name != want || err != nil {
			t.Errorf("certificate %q, error %v, want %q", name, err, want)
		}
	}
	expect("first")
	if status, _ := talk(t, plain, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); status != 200 {
		t.Errorf("plain listener: %d", status)
	}
	if _, err := shown(t, address, tls.VersionTLS11); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	writePair(t, dir, "second")
	expect("first")
	if err := s.Configure(settings); err != nil {
		t.Fatal(err)
	}
	expect("second")
	if err := os.WriteFile(keyFile, []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Configure(Settings{CertFile: certFile, KeyFile: keyFile}); err == nil {
		t.Error("a broken key is taken")
	}
	expect("second") // and the networks of the failed reload are not in force
}
