package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/lab/phone"
)

// eventually asks until something is so.
func (s *stage) eventually(ctx context.Context, what string, ok func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		done, err := ok(ctx)
		if done && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waiting for %s: %w", what, ctx.Err()), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// shows waits until a console command of Asterisk prints a line with all words.
func (s *stage) shows(ctx context.Context, command string, words ...string) error {
	return s.printed(ctx, command, true, words)
}

// hides waits until it prints none.
func (s *stage) hides(ctx context.Context, command string, words ...string) error {
	return s.printed(ctx, command, false, words)
}

func (s *stage) printed(ctx context.Context, command string, want bool, words []string) error {
	last := ""
	err := s.eventually(ctx, fmt.Sprintf("%q with %q: %v", command, words, want), func(ctx context.Context) (bool, error) {
		out, err := s.lab.CLI(ctx, command)
		last = out
		found := false
		for line := range strings.Lines(out) {
			all := true
			for _, w := range words {
				all = all && strings.Contains(line, w)
			}
			found = found || all
		}
		return found == want, err
	})
	if err != nil {
		return fmt.Errorf("%w; Asterisk says:\n%s", err, last)
	}
	return nil
}

// allFree reports whether the daemon tells every phone of the stage as registered and idle.
func (s *stage) allFree(ctx context.Context) (bool, error) {
	code, body, err := s.daemon.Get(ctx, "/coocenter-api/extensions/extension-hints-status")
	if err != nil {
		return false, err
	}
	if code != 200 {
		return false, fmt.Errorf("extension-hints-status: %d %s", code, body)
	}
	var rows []struct{ Extension, Status string }
	if err := json.Unmarshal([]byte(body), &rows); err != nil {
		return false, err
	}
	free := 0
	var others []string
	for _, r := range rows {
		switch {
		case s.phones[r.Extension] == nil:
		case r.Status == "0":
			free++
		default:
			others = append(others, r.Extension+" has "+r.Status)
		}
	}
	if free < len(s.phones) {
		return false, fmt.Errorf("%d of %d phones are free, %v", free, len(s.phones), others)
	}
	return true, nil
}

// talk lets one phone call another, and waits until they hear each other.
func (s *stage) talk(ctx context.Context, from, to string) (*phone.Call, error) {
	c, err := s.phones[from].Dial(ctx, to)
	if err != nil {
		return nil, err
	}
	if err := c.Answered(ctx); err != nil {
		return nil, err
	}
	if _, err := s.rings(ctx, to); err != nil {
		return nil, err
	}
	return c, c.Heard(ctx, 10)
}

// rings waits for a call at a phone, until it is answered and something is heard in it.
func (s *stage) rings(ctx context.Context, number string) (*phone.Call, error) {
	return taken(ctx, s.phones[number])
}

func taken(ctx context.Context, p *phone.Phone) (*phone.Call, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		c, err := p.Accept(ctx)
		if err != nil {
			return nil, err
		}
		if err = c.Answered(ctx); err == nil {
			err = c.Heard(ctx, 10)
		}
		var over *phone.EndedError
		if !errors.As(err, &over) { // else it is one of an earlier step
			return c, err
		}
	}
}

// selfSigned makes a certificate for an address.
func selfSigned(dir, ip string) (certFile, keyFile string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "dialbridge lab"}, IPAddresses: []net.IP{net.ParseIP(ip)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return "", "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", err
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	return certFile, keyFile, errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o644),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}
