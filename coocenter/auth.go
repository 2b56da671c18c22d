package coocenter

import (
	"crypto/md5" //nolint:gosec // the dialect's token is md5 by contract
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// tolerance is how long before and after midnight the neighbouring day's token is accepted too.
const tolerance = 300 * time.Second

// Token returns the Authorization value of the day that t falls on in its location: lower-case hex of
// md5(key + "YYYY-MM-DD").
func Token(key string, t time.Time) string {
	sum := md5.Sum([]byte(key + t.Format(time.DateOnly))) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}

// Authorized reports whether a header holds the token that the key has now; clocks may differ by tolerance around midnight. What lies
// outside of the dialect and is reached with the same token asks it too.
func Authorized(h http.Header, key string, now time.Time) bool {
	given := bearer(h)
	if given == "" {
		return false
	}
	ok := 0
	for _, t := range []time.Time{now, now.Add(-tolerance), now.Add(tolerance)} {
		ok |= subtle.ConstantTimeCompare([]byte(given), []byte(Token(key, t)))
	}
	return ok == 1
}

// bearer takes the token from Authorization, or from Authentication as the vendor's newer page names it; a scheme word
// before it is dropped.
func bearer(h http.Header) string {
	v := h.Get("Authorization")
	if v == "" {
		v = h.Get("Authentication")
	}
	v = strings.TrimSpace(v)
	if scheme, rest, ok := strings.Cut(v, " "); ok && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "Basic")) {
		v = strings.TrimSpace(rest)
	}
	return strings.ToLower(v)
}
