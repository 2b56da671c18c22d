package coocenter

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dialbridge/dialbridge/blacklist"
)

// TestBlacklistIsOneWay holds that this dialect sees and changes calls from a number only, whatever another one lists.
func TestBlacklistIsOneWay(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	for number, ways := range map[string]blacklist.Way{"1001": blacklist.Inbound, "1002": blacklist.Outbound, "1003": blacklist.Both} {
		r.must(r.numbers.Add(t.Context(), number, ways, ""))
	}
	has := func(number string, want blacklist.Way) {
		t.Helper()
		if e, err := r.numbers.Get(t.Context(), number); err != nil || e.Ways != want {
			t.Errorf("%s: ways %d, %v, want %d", number, e.Ways, err, want)
		}
	}
	index := func(want string) {
		t.Helper()
		w := r.request(http.MethodGet, Prefix+"/blacklist/index", "")
		if got := strings.TrimSpace(w.Body.String()); got != `{"status":"success","data":[`+want+`]}` {
			t.Errorf("index: %s, want %s", got, want)
		}
	}
	index(`"1001","1003"`)
	const create, remove = Prefix + "/blacklist/create", Prefix + "/blacklist/delete"
	r.expect(404, "Database entry could not be deleted", http.MethodPost, remove, "number=1002")
	has("1002", blacklist.Outbound)
	r.expect(200, "Key deleted successfully", http.MethodPost, remove, "number=1003")
	has("1003", blacklist.Outbound)
	index(`"1001"`)
	r.expect(200, "Updated database successfully", http.MethodPost, create, "number=1002")
	has("1002", blacklist.Both)
	index(`"1001","1002"`)
}

// TestListedNumberIsNotDialled proves that nothing of an order to call a listed number reaches Asterisk, and that the order may
// be given again when it is listed no more.
func TestListedNumberIsNotDialled(t *testing.T) {
	fake := newAsterisk(t)
	fake.channels = liveChannels()
	r := newRig(t, fake, rigOptions{}).complete()
	r.must(r.numbers.Add(t.Context(), "02155559999", blacklist.Outbound, ""))
	r.must(r.numbers.Add(t.Context(), "02155558888", blacklist.Inbound, ""))
	before := len(r.caused())
	const transfer = Prefix + "/extensions/transfer"
	header := []string{"X-Request-Id", "request-1", "Idempotency-Key", "k"}
	r.expect(403, "dst: number is on the black list", http.MethodPost, pathClick, "src=808&dst=02155559999", header...)
	r.expect(403, "src: number is on the black list", http.MethodPost, pathClick, "src=02155559999&dst=808", header[:2]...)
	r.expect(403, "dst: number is on the black list", http.MethodPost, transfer, "src=809&dst=02155559999", header[:2]...)
	r.expect(403, "dst: number is on the black list", http.MethodPost, transfer, "src=809&dst=02155559999&type=attended", header[:2]...)
	if sent := r.caused()[before:]; len(sent) != 0 {
		t.Errorf("Asterisk was sent %v", sent)
	}
	for number, key := range map[string]string{"02155558888": "other", "02155559999": "k"} {
		if number == "02155559999" {
			r.must(r.numbers.Remove(t.Context(), number, blacklist.Outbound))
		}
		w := r.request(http.MethodPost, pathClick, "src=808&dst="+number, "Idempotency-Key", key)
		if w.Code != http.StatusOK || w.Header().Get("Idempotency-Replayed") != "" {
			t.Errorf("%s: %d %s", number, w.Code, w.Body)
		}
	}
}
