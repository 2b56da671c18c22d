package httpd

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"
)

// keyPair is a certificate that can be read again while connections use it.
type keyPair struct {
	current atomic.Pointer[tls.Certificate]
}

// load reads the files and, only when both are good, takes them over.
func (k *keyPair) load(certFile, keyFile string) error {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return fmt.Errorf("tls certificate: %w", err)
	}
	k.current.Store(&pair)
	return nil
}

func (k *keyPair) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return k.current.Load(), nil
		},
	}
}
