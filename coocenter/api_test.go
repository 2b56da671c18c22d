package coocenter

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

const (
	pathClick  = "/coocenter-api/extensions/click-number"
	pathHangup = "/coocenter-api/extensions/hangup"
	pathCalls  = "/coocenter-api/extensions/current-calls"
	pathHints  = "/coocenter-api/extensions/extension-hints-status"
)

// endpoints are all endpoints, with a request that succeeds.
var endpoints = []struct{ method, path, body string }{
	{http.MethodPost, pathCalls, ""},
	{http.MethodGet, pathHints, ""},
	{http.MethodPost, pathClick, "src=808&dst=809"},
	{http.MethodPost, pathHangup, "extension=810"},
}

// expect sends a request and compares status and message of the answer.
func (r *rig) expect(status int, message, method, path, body string, header ...string) http.Header {
	r.t.Helper()
	w := r.request(method, path, body, header...)
	word := "error"
	if status == http.StatusOK {
		word = "success"
	}
	want := `{"status":"` + word + `","message":"` + message + `"}` + "\n"
	if w.Code != status || w.Body.String() != want {
		r.t.Errorf("%s %s %q: %d %s, want %d %s", method, path, body, w.Code, w.Body, status, want)
	}
	return w.Header()
}

func TestReadmeListsTheRoutes(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed, have []string
	for _, row := range regexp.MustCompile("(?m)^\\| ([A-Z, ]+) \\| `("+Prefix+"[^`]*)` \\|").FindAllStringSubmatch(string(text), -1) {
		for method := range strings.SplitSeq(row[1], ", ") {
			listed = append(listed, method+" "+row[2])
		}
	}
	for _, route := range (&API{}).routes() {
		for _, method := range route.methods {
			have = append(have, method+" "+Prefix+route.path)
		}
	}
	slices.Sort(listed)
	slices.Sort(have)
	if diff := cmp.Diff(have, listed); diff != "" {
		t.Errorf("routes (-code +README.md):\n%s", diff)
	}
}

func TestEmptyLists(t *testing.T) {
	fake := newAsterisk(t)
	for _, action := range []string{"PJSIPShowEndpoints", "DeviceStateList"} {
		fake.Handle(action, func(s *amitest.Session, a ami.Action) { s.List(a, "will follow", nil, action+"Complete") })
	}
	r := newRig(t, fake, rigOptions{}).complete()
	for path, want := range map[string]string{
		pathCalls: `{"status":"success","message":"Channels will follow","data":[]}` + "\n",
		pathHints: "[]\n",
	} {
		if w := r.request(http.MethodGet, path, ""); w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestRawChannelNames(t *testing.T) {
	fake, rules := newAsterisk(t), sampleRules()
	fake.channels = liveChannels()
	r := newRig(t, fake, rigOptions{rules: &rules}).complete()
	rules.RawChannelNames = true
	r.api.Configure(rules)
	if w := r.request(http.MethodGet, pathCalls, ""); !strings.Contains(w.Body.String(), `"channel":"PJSIP/808-0000000a"`) {
		t.Errorf("calls: %s", w.Body)
	}
}

// TestHugeParameters proves that nothing of an oversized request reaches Asterisk.
func TestHugeParameters(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	long := strings.Repeat("8", 9000)
	r.expect(400, "src is longer than 8192 bytes", http.MethodPost, pathClick, "dst=809&src="+long)
	r.expect(400, "src: number may not be dialled", http.MethodPost, pathClick, "dst=809&src="+long[:8000])
	r.expect(400, "dst: number may not be dialled", http.MethodPost, pathClick, "src=808&dst="+long[:8000])
	r.expect(400, "extension: not an extension number", http.MethodPost, pathHangup, "extension="+long[:8000])
	r.expect(413, "the body is larger than 1048576 bytes", http.MethodPost, pathClick, "src=808&dst=809&x="+strings.Repeat("x", 1<<20))
	r.expect(400, "more than 256 parameters", http.MethodPost, pathClick, "src=808&dst=809&"+numbered(300))
	r.expect(200, "hangup extension success", http.MethodPost, pathHangup, "extension=810")
	if got := r.fake.Received("Originate"); len(got) != 0 || len(r.fake.Received("Hangup")) != 1 {
		t.Errorf("reached Asterisk: %v", got)
	}
}

// numbered are n parameters.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("p" + strings.Repeat("a", i/100) + string(rune('0'+i/10%10)) + string(rune('0'+i%10)) + "=1&")
	}
	return b.String()
}

func TestRequestIDReachesAsterisk(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	for path, body := range map[string]string{pathClick: "src=808&dst=809", pathHangup: "extension=810"} {
		given := r.request(http.MethodPost, path, body, "X-Request-Id", "crm-4711")
		drawn := r.request(http.MethodPost, path, body, "X-Request-Id", "not sound")
		id := drawn.Header().Get("X-Request-Id")
		if given.Header().Get("X-Request-Id") != "crm-4711" || id == "" || id == "not sound" {
			t.Errorf("%s: ids %q and %q", path, given.Header().Get("X-Request-Id"), id)
		}
		name := map[string]string{pathClick: "Originate", pathHangup: "Hangup"}[path]
		first, second := r.fake.Wait(name).Get("ActionID"), r.fake.Wait(name).Get("ActionID")
		if !strings.HasPrefix(first, "crm-4711") || !strings.HasPrefix(second, id) {
			t.Errorf("%s: ActionIDs %q and %q", path, first, second)
		}
		if log := r.log.String(); !strings.Contains(log, "request_id=crm-4711") || !strings.Contains(log, "request_id="+id) {
			t.Errorf("the ids are not in the log:\n%s", log)
		}
	}
}

func TestNothingIsAnsweredOfAnUnknownAsterisk(t *testing.T) {
	fake := newAsterisk(t, amitest.Options{Booting: true})
	r := newRig(t, fake, rigOptions{})
	fake.WaitLogins(1)
	for _, e := range endpoints {
		r.expect(503, "Asterisk is not connected, try again", e.method, e.path, e.body)
	}
	fake.Boot()
	r.complete()
	for _, e := range endpoints {
		if w := r.request(e.method, e.path, e.body); w.Code != http.StatusOK {
			t.Errorf("%s after the boot: %d %s", e.path, w.Code, w.Body)
		}
	}
	fake.Refuse()
	fake.Drop()
	r.until("the loss of the link", func() bool { return !r.sw.Status().Complete })
	for _, e := range endpoints {
		r.expect(503, "Asterisk is not connected, try again", e.method, e.path, e.body)
	}
	if n := len(fake.Received("Originate")) + len(fake.Received("Hangup")); n != 2 {
		t.Errorf("%d actions reached Asterisk, want those of the time when it was up", n)
	}
}

// TestOutcomeUnknown cuts the link when the action was written: it may have dialled, and is not tried again.
func TestOutcomeUnknown(t *testing.T) {
	for _, c := range []struct{ action, path, body string }{
		{"Originate", pathClick, "src=808&dst=809"},
		{"Hangup", pathHangup, "extension=810"},
	} {
		fake := newAsterisk(t)
		fake.Handle(c.action, func(s *amitest.Session, _ ami.Action) { s.Close() })
		r := newRig(t, fake, rigOptions{}).complete()
		r.expect(504, "the outcome is unknown, do not repeat blindly", http.MethodPost, c.path, c.body)
		fake.WaitLogins(2)
		r.complete()
		if n := len(fake.Received(c.action)); n != 1 {
			t.Errorf("%s was sent %d times", c.action, n)
		}
		r.close()
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		says, message string
		status        int
	}{
		{"Permission denied", "the manager user of Asterisk lacks the privilege", 500},
		{"Extension does not exist.", "Extension does not exist.", 404},
		{"Channel not specified", "Channel not specified", 500},
	} {
		fake := newAsterisk(t)
		fake.Handle("Originate", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", c.says) })
		r := newRig(t, fake, rigOptions{}).complete()
		r.expect(c.status, c.message, http.MethodPost, pathClick, "src=808&dst=809")
		r.close()
	}
	fake := newAsterisk(t)
	fake.Handle("Hangup", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", "Permission denied") })
	r := newRig(t, fake, rigOptions{}).complete()
	r.expect(500, "the manager user of Asterisk lacks the privilege", http.MethodPost, pathHangup, "extension=810")
}

const (
	tokenToday     = "9c5718de5ca159c3118202322efe74f1" // of sampleKey on 2026-11-21
	unauthorized   = "Unauthorized"
	tooManyAttempt = "too many failed attempts, try again later"
)

// guarded is a rig with a key, at a time of day.
func guarded(t *testing.T, at time.Time) (*rig, *time.Time) {
	t.Helper()
	rules := sampleRules()
	rules.WebKey = sampleKey
	now := &at
	return newRig(t, newAsterisk(t), rigOptions{rules: &rules, now: func() time.Time { return *now }}).complete(), now
}

func TestAuthentication(t *testing.T) {
	zone := time.FixedZone("box", 8*3600)
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, zone)
	yesterday := Token(sampleKey, noon.AddDate(0, 0, -1))
	r, now := guarded(t, noon)
	ok := func(header ...string) {
		t.Helper()
		for _, e := range endpoints {
			if w := r.request(e.method, e.path, e.body, header...); w.Code != http.StatusOK {
				t.Errorf("%s with %v: %d %s", e.path, header, w.Code, w.Body)
			}
		}
	}
	ok("Authorization", tokenToday)
	ok("Authorization", strings.ToUpper(tokenToday))
	ok("Authorization", "Bearer "+tokenToday)
	ok("Authentication", tokenToday)
	r.expect(401, unauthorized, http.MethodPost, pathClick, "src=808&dst=809")
	r.expect(401, unauthorized, http.MethodGet, pathCalls, "", "Authorization", yesterday)
	r.expect(401, unauthorized, http.MethodGet, "/coocenter-api/none", "")
	r.expect(401, unauthorized, http.MethodPost, pathClick+"?Authorization="+tokenToday, "src=808&dst=809")
	*now = time.Date(2026, 11, 21, 0, 4, 59, 0, zone)
	ok("Authorization", yesterday)
	*now = time.Date(2026, 11, 21, 0, 5, 1, 0, zone)
	r.expect(401, unauthorized, http.MethodGet, pathCalls, "", "Authorization", yesterday)
	if n := len(r.fake.Received("Originate")); n != 5 {
		t.Errorf("%d calls were ordered, want those of the right tokens", n)
	}
	if log := r.log.String(); strings.Contains(log, sampleKey) || strings.Contains(strings.ToLower(log), tokenToday) {
		t.Errorf("a secret is in the log:\n%s", log)
	}
}

func TestTooManyFailures(t *testing.T) {
	r, _ := guarded(t, time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	for range 20 {
		r.expect(401, unauthorized, http.MethodGet, pathCalls, "", "Authorization", "wrong")
	}
	for _, token := range []string{"wrong", tokenToday, ""} {
		header := r.expect(429, tooManyAttempt, http.MethodPost, pathClick, "src=808&dst=809", "Authorization", token)
		if after := header.Get("Retry-After"); !regexp.MustCompile(`^([1-9]|[1-5]\d|60)$`).MatchString(after) {
			t.Errorf("Retry-After %q", after)
		}
	}
	if n := len(r.fake.Received("Originate")); n != 0 {
		t.Errorf("%d calls were ordered by a blocked address", n)
	}
}

func TestKeyMayChangeAndGo(t *testing.T) {
	r, _ := guarded(t, time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	rules := sampleRules()
	rules.WebKey = "another"
	r.api.Configure(rules)
	r.expect(401, unauthorized, http.MethodPost, pathHangup, "extension=810", "Authorization", tokenToday)
	rules.WebKey = ""
	r.api.Configure(rules)
	r.expect(200, "hangup extension success", http.MethodPost, pathHangup, "extension=810", "Authorization", tokenToday)
	r.expect(200, "hangup extension success", http.MethodPost, pathHangup, "extension=810")
}
