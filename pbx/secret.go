package pbx

import (
	"context"
	"crypto/md5" //nolint:gosec // what chan_sip and PJSIP keep
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/dialbridge/dialbridge/ami"
)

// maxSecretChecks bounds how many passwords are looked up in Asterisk at once: chan_sip's costs it the reading of a file.
const maxSecretChecks = 4

// CheckSecret compares a password with the one by which the phone of an extension registers, as Asterisk knows it. Errors: ErrPassword
// (wrong, no such extension, or an extension without a password), ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (s *Switch) CheckSecret(ctx context.Context, n Exten, password string) error {
	s.mu.RLock()
	known, synced := s.state.rules.isExten(string(n)), s.synced
	device, _ := s.state.phoneOf(n)
	s.mu.RUnlock()
	if !synced {
		return ErrOffline
	}
	if !known || device == "" || password == "" {
		return fmt.Errorf("%w: extension %s", ErrPassword, n)
	}
	select {
	case s.secrets <- struct{}{}:
		defer func() { <-s.secrets }()
	case <-ctx.Done():
		return ctx.Err()
	}
	tech, name, _ := strings.Cut(device, "/")
	find := s.secretsOfPJSIP
	if tech == "SIP" {
		find = s.secretsOfSIP
	}
	list, err := find(ctx, name)
	if err != nil {
		return err
	}
	right := 0
	for _, x := range list {
		right |= x.equals(password)
	}
	if right != 1 {
		return fmt.Errorf("%w: extension %s", ErrPassword, n)
	}
	return nil
}

// secret is one of the ways in which Asterisk keeps a password; "" where it does not.
type secret struct {
	plain string
	ha1   string // MD5 of user:realm:password, in hexadecimal
	user  string
	realm string
}

// equals is 1 for the right password, in a time that does not depend on where the two differ.
func (x secret) equals(password string) int {
	if x.plain != "" {
		return subtle.ConstantTimeCompare([]byte(x.plain), []byte(password))
	}
	if x.ha1 == "" {
		return 0
	}
	sum := md5.Sum([]byte(x.user + ":" + x.realm + ":" + password)) //nolint:gosec // see above
	return subtle.ConstantTimeCompare([]byte(strings.ToLower(x.ha1)), []byte(hex.EncodeToString(sum[:])))
}

// defaultRealm is what both drivers use where none is configured.
const defaultRealm = "asterisk"

// secretsOfPJSIP asks for the auth objects of an endpoint, wherever they are configured.
func (s *Switch) secretsOfPJSIP(ctx context.Context, name string) (list []secret, err error) {
	items, err := s.client.List(ctx, ami.NewAction("PJSIPShowEndpoint", "Endpoint", name))
	if refusedWith(err, "Unable to retrieve endpoint") {
		return nil, nil
	}
	for _, m := range items {
		if m.Event() == "AuthDetail" {
			x := secret{plain: m.Get("Password"), ha1: m.Get("Md5Cred"), user: m.Get("Username"), realm: m.Get("Realm")}
			if x.realm == "" {
				x.realm = defaultRealm
			}
			list = append(list, x)
		}
	}
	return list, translate(err)
}

// secretsOfSIP reads sip.conf: chan_sip tells nobody.
func (s *Switch) secretsOfSIP(ctx context.Context, name string) (list []secret, err error) {
	m, err := s.client.Do(ctx, ami.NewAction("GetConfig", "Filename", "sip.conf", "Category", name))
	if refusedWith(err, "not found") || refusedWith(err, "No category") {
		return nil, nil
	}
	x := secret{user: name, realm: defaultRealm}
	for key, line := range m.All() {
		if !strings.HasPrefix(key, "Line-") {
			continue
		}
		switch name, value, _ := strings.Cut(line, "="); name {
		case "secret":
			x.plain = value
		case "md5secret":
			x.ha1 = value
		case "defaultuser", "username":
			x.user = value
		}
	}
	return []secret{x}, translate(err)
}
