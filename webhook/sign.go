package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

const secretPrefix = "whsec_"

// ErrSecret says that a secret with the prefix whsec_ is not base64.
var ErrSecret = errors.New("webhook: secret with prefix whsec_ is not base64")

// signingKey returns the bytes of a secret: after the prefix whsec_ it is base64 (Standard Webhooks), otherwise it is taken
// as it is.
func signingKey(secret string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok {
		return []byte(secret), nil
	}
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil || len(key) == 0 {
		return nil, ErrSecret // the decoder's error would name a byte of the secret
	}
	return key, nil
}

// sign returns the value of webhook-signature: "v1," and the base64 HMAC-SHA256 over id.timestamp.body, once for each key,
// separated by blanks.
func sign(keys [][]byte, id string, at time.Time, body []byte) string {
	var b strings.Builder
	for i, key := range keys {
		if i > 0 {
			b.WriteByte(' ')
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		b.WriteString("v1,")
		b.WriteString(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return b.String()
}
