package ola

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/pbx"
)

const insert820 = "/api/ola/extensions/insert?extn=820&extnPwd=x&context=from-internal&name=820"

// TestDirectoryWithoutAsterisk: what was made is listed, and nothing is changed.
func TestDirectoryWithoutAsterisk(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	r.expect(200, "ok", http.MethodPost, insert820, "")
	r.fake.Refuse()
	r.fake.Drop()
	r.until("the loss of the link", func() bool { return !r.sw.Status().Complete })
	for _, path := range []string{
		insert820, "/api/ola/extensions/update?extn=820", "/api/ola/extensions/delete?extn=820", "/api/ola/dicts/insert?k=out&v=x",
		"/api/ola/dicts/delete?k=from-internal",
	} {
		r.expect(503, "Asterisk is not connected, try again", http.MethodPost, path, "")
	}
	for _, path := range []string{"/api/ola/extensions/detail", "/api/ola/dicts/agent_detail/from-internal"} {
		w := r.request(http.MethodGet, path, "")
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"nbr":"820"`) || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	r.expect(200, "ok", http.MethodPost, "/api/ola/dicts/update?k=from-internal&v=inside", "")
}

// TestDirectoryInTrouble: what Asterisk lacks, refuses or leaves open is told as such.
func TestDirectoryInTrouble(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	r.fake.phones.Unload(true)
	r.expect(501, "asterisk cannot take phones from here: its module res_pjsip_config_wizard.so is not loaded", http.MethodPost, insert820, "")
	r.fake.phones.Unload(false)
	update := r.fake.HandlerOf("UpdateConfig")
	r.fake.Handle("UpdateConfig", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", "Permission denied") })
	r.expect(500, "the manager user of Asterisk lacks the privilege", http.MethodPost, insert820, "")
	r.fake.Handle("UpdateConfig", func(s *amitest.Session, a ami.Action) { s.Close(); update(s, a) })
	r.expect(504, "the outcome is unknown, do not repeat blindly", http.MethodPost, insert820, "")
	r.fake.Handle("UpdateConfig", update)
	r.until("the extension to be taken out", func() bool { return len(r.fake.files.Categories(amitest.WizardFile)) == 0 })
	r.until("the number to be free", func() bool { return r.request(http.MethodPost, insert820, "").Code == http.StatusOK })
	if log := r.log.String(); strings.Contains(log, "123Qw") || !strings.Contains(log, "extension made") {
		t.Errorf("log:\n%s", log)
	}
}

// TestTwoDialects: an extension that is made here is one for the first dialect at once, and is gone for it when it is deleted.
func TestTwoDialects(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	sees := func() bool {
		t.Helper()
		w := r.request(http.MethodGet, "/coocenter-api/extensions/extension-hints-status", "")
		return strings.Contains(w.Body.String(), `"820"`)
	}
	for range 5 {
		r.expect(200, "ok", http.MethodPost, insert820, "")
		if !sees() {
			t.Fatal("the first dialect does not see it")
		}
		r.expect(200, "ok", http.MethodPost, "/api/ola/extensions/delete?extn=820", "")
		if sees() {
			t.Fatal("the first dialect still sees it")
		}
	}
}

// TestInsertsAtOnce: of many who make one extension one does.
func TestInsertsAtOnce(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	for range 10 {
		wg.Go(func() {
			w := r.request(http.MethodPost, insert820, "")
			mu.Lock()
			defer mu.Unlock()
			codes[w.Code]++
		})
	}
	wg.Wait()
	if codes[200] != 1 || codes[409] != 9 {
		t.Errorf("answers by status: %v", codes)
	}
}

// samples are the document's own extension and group.
func samples() map[string]any {
	rules := Rules{Location: time.UTC}
	made, changed := time.Date(2020, 3, 19, 16, 59, 32, 0, time.UTC), time.Date(2023, 3, 29, 17, 56, 8, 0, time.UTC)
	return map[string]any{
		"extensions-sample": []extensionRow{rules.extension(pbx.Line{
			Exten: "1002", UUID: "03b19e33-90a8-4bab-9a31-01be01148586", Name: "1002", Password: "!@#123Qw", Context: "out", Created: made, Updated: changed,
		}, "呼出组", []pbx.QueueName{"1", "AI"})},
		"extensions-full": rules.extension(pbx.Line{
			Exten: "1002", Name: "someone", Password: `"<>&`, Context: "out", Transfer: "13812345678", AutoLogin: true, AutoReady: true, Created: made, Updated: changed,
		}, "", nil),
		"dicts-sample": []groupRow{rules.group(pbx.Group{K: "out", Name: "呼出组", HangupDTMF: "0", Lines: 7, Created: made, Updated: changed})},
	}
}
