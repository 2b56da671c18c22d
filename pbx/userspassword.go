package pbx

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// What the hash of a password costs: the third of the equal choices of OWASP's Password Storage Cheat Sheet for argon2id, because memory is
// scarcer on a small box than time.
const (
	passwordMemory = 12 << 10 // KiB
	passwordPasses = 3
)

// Lengths of a password's hash and of its salt, in bytes (RFC 9106, section 3.1).
const (
	hashLength = 32
	saltLength = 16
)

// Lengths of a password: NIST SP 800-63B wants eight characters at least where people choose.
const (
	shortestPassword = 8
	longestPassword  = 1024 // bytes
)

var plainBase64 = base64.RawStdEncoding

// hashPassword makes the PHC string of a password.
func hashPassword(password string, cost uint32) string {
	salt := make([]byte, saltLength)
	_, _ = rand.Read(salt) // it never fails
	return phc(cost, salt, argon2.IDKey([]byte(password), salt, passwordPasses, cost, 1, hashLength))
}

// dummyHash is the hash of no password at all.
func dummyHash(cost uint32) string {
	random := make([]byte, saltLength+hashLength)
	_, _ = rand.Read(random) // it never fails
	return phc(cost, random[:saltLength], random[saltLength:])
}

func phc(cost uint32, salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, cost, passwordPasses, plainBase64.EncodeToString(salt), plainBase64.EncodeToString(key))
}

// matches compares in a time that does not depend on where the two differ. A hash that cannot be read matches nothing.
func matches(hash, password string) bool {
	if strings.HasPrefix(hash, "$2") {
		return bcrypt.CompareHashAndPassword([]byte(hash), digest(password)) == nil
	}
	var version int
	var memory, passes uint32
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=1", &version, &memory, &passes); err != nil || version != argon2.Version || passes == 0 {
		return false
	}
	salt, err := plainBase64.DecodeString(parts[4])
	if err != nil {
		return false
	}
	key, err := plainBase64.DecodeString(parts[5])
	if err != nil || len(key) != hashLength {
		return false
	}
	return subtle.ConstantTimeCompare(argon2.IDKey([]byte(password), salt, passes, memory, 1, hashLength), key) == 1
}

// outdated reports whether a hash was made in another way than it would be now.
func outdated(hash string, cost uint32) bool {
	return !strings.HasPrefix(hash, fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$", argon2.Version, cost, passwordPasses))
}

// digest let every byte of a long password count: bcrypt takes 72.
func digest(password string) []byte {
	sum := sha256.Sum256([]byte(password))
	return []byte(base64.StdEncoding.EncodeToString(sum[:]))
}

// checkPassword refuses what is no password.
func checkPassword(password, login string) error {
	bad := func(reason string) error { return &InvalidError{Field: "password", Reason: reason} }
	switch {
	case len(password) > longestPassword:
		return bad(fmt.Sprintf("longer than %d bytes", longestPassword))
	case !utf8.ValidString(password):
		return bad("not UTF-8")
	case utf8.RuneCountInString(password) < shortestPassword:
		return bad(fmt.Sprintf("shorter than %d characters", shortestPassword))
	case strings.EqualFold(password, login):
		return bad("the same as the login")
	}
	return nil
}
