package webhook

import (
	"errors"
	"strconv"
	"testing"
	"time"
)

func mustUnix(t *testing.T, s string) time.Time {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if age := time.Since(time.Unix(n, 0)); age < -2*time.Second || age > time.Minute {
		t.Errorf("timestamp %s is not now", s)
	}
	return time.Unix(n, 0)
}

// The example of the Standard Webhooks specification.
func TestSignature(t *testing.T) {
	key, err := signingKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := sign([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestSecrets(t *testing.T) {
	for secret, want := range map[string]string{"plain": "plain", "whsec_dHdv": "two", "whsec_dHc=": "tw", "whsec_dHc": "tw"} {
		if key, err := signingKey(secret); err != nil || string(key) != want {
			t.Errorf("%s: %q %v, want %q", secret, key, err, want)
		}
	}
	for _, secret := range []string{"whsec_", "whsec_!!"} {
		if _, err := signingKey(secret); !errors.Is(err, ErrSecret) {
			t.Errorf("%s: %v, want ErrSecret", secret, err)
		}
	}
}
