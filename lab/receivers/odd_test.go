package receivers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tryOddHeaders sends headers as no sender makes them. Each is refused as a forgery is, by an answer, and not by a connection that ends.
func tryOddHeaders(t *testing.T, r *running, secret string) {
	t.Helper()
	const id, body = "evt_810", `{"event":"hangup","uniqueid":"8.0"}`
	now := stampOf(time.Now())
	right := signature(t, secret, id, now, body)
	for _, given := range []string{
		"", " ", ",", "v1", "v1,", "v1,,", "v1, ", "v1,!!!", "v1,=", "v1,A", "v1,\xfc", "v1,\xff\xfe,", "\xe5\xbc\xa0",
		strings.TrimPrefix(right, "v1,"), "v2" + strings.TrimPrefix(right, "v1"), "v1a" + strings.TrimPrefix(right, "v1"),
		strings.TrimRight(right, "="), right[:len(right)/2], strings.ToUpper(right), strings.Repeat("v1,A ", 500),
	} {
		r.post(t, "the signature "+strconv.Quote(given), http.StatusUnauthorized, headers(id, now, given), body)
	}
	// The signature fits the odd time, so that it is the time that is refused.
	for _, at := range []string{
		"", "0", "-1", "-" + now, now + "junk", now + ".5junk", "junk", "NaN", "inf", "-inf", "1e400", "0x10", "\xb2", "\xb2" + now[1:],
		now + "000", strings.Repeat("9", 19), strings.Repeat("9", 400), strings.Repeat("9", 5000),
	} {
		name := at[:min(len(at), 24)]
		r.post(t, "the time "+strconv.Quote(name), http.StatusUnauthorized, headers(id, at, signature(t, secret, id, at, body)), body)
	}
	for _, name := range []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"} {
		h := headers(id, now, right)
		h.Del(name)
		r.post(t, "no "+name, http.StatusUnauthorized, h, body)
	}
	r.send(t, http.MethodGet, "a page that is looked at", http.StatusMethodNotAllowed, http.Header{}, "")
	r.post(t, "an identifier beyond ASCII", http.StatusUnauthorized, headers("evt_\xfc", now, right), body)
	r.post(t, "a body beyond UTF-8", http.StatusUnauthorized, headers(id, now, right), "\xff\xfe"+body)
	r.post(t, "no body", http.StatusUnauthorized, headers(id, now, right), "")
}

// tryOddBodies sends what only somebody with the secret can send, and the daemon never does. Whatever comes of it, no program may stop over
// it, or ask for it again: the events behind it are for the caller to send.
func tryOddBodies(t *testing.T, r *running, secret string, parses bool) {
	t.Helper()
	want := http.StatusNoContent
	if parses {
		want = http.StatusBadRequest
	}
	for n, body := range []string{"", "no JSON", "null", "7", "[]", `{"event":`} {
		id, now := "evt_82"+strconv.Itoa(n), stampOf(time.Now())
		r.post(t, "the body "+strconv.Quote(body), want, headers(id, now, signature(t, secret, id, now, body)), body)
	}
}

// tryRotation sends events 903 and 904 with the signature of the secret among others, as while secrets are changed and where a sender signs
// by more than one version.
func tryRotation(t *testing.T, r *running, secret string) {
	t.Helper()
	now := stampOf(time.Now())
	for n, given := range []func(right, other string) string{
		func(right, other string) string { return other + " v1a," + strings.Repeat("A", 86) + "== " + right },
		func(right, other string) string {
			return right + " v2," + strings.TrimPrefix(other, "v1,") + " " + other
		},
	} {
		e := event(903+n, "cdr", "9.0")
		right, other := signature(t, secret, e.ID, now, string(e.Body)), signature(t, "another", e.ID, now, string(e.Body))
		r.post(t, e.ID+" with several signatures", http.StatusNoContent, headers(e.ID, now, given(right, other)), string(e.Body))
		r.post(t, e.ID+" with several wrong ones", http.StatusUnauthorized, headers(e.ID, now, given(other, other)), string(e.Body))
	}
}

// signature signs as Standard Webhooks has it, whatever the time is written like.
func signature(t *testing.T, secret, id, stamp, body string) string {
	t.Helper()
	key := []byte(secret)
	if text, ok := strings.CutPrefix(secret, "whsec_"); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(text); err != nil {
			t.Fatal(err)
		}
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + stamp + "." + body))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func stampOf(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

func headers(id, stamp, signature string) http.Header {
	return http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {signature}}
}

func (r *running) post(t *testing.T, name string, want int, h http.Header, body string) {
	t.Helper()
	r.send(t, http.MethodPost, name, want, h, body)
}

// send sends one request over a connection of its own and wants the status.
func (r *running) send(t *testing.T, method, name string, want int, h http.Header, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header, req.Close = h, true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	_ = res.Body.Close()
	if res.StatusCode != want {
		t.Errorf("%s is answered with %d, want %d", name, res.StatusCode, want)
	}
}
