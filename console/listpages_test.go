package console

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab/browser"
	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

// open serves the console to a browser on this machine.
func (r *rig) open() string {
	s := httptest.NewServer(r.web)
	r.t.Cleanup(s.Close)
	return s.URL + pathWeb + "/"
}

// looksWell holds what every page must: no fault for axe-core in either colours and either language, and nothing that is wider than a telephone.
func looksWell(t *testing.T, p *browser.Page, chinese string) {
	t.Helper()
	for _, scheme := range []string{"dark", "light"} {
		p.Prefer(scheme)
		p.Accessible()
	}
	p.Size(360, 640)
	narrow(t, p)
	p.Accessible()
	p.Select(".tools select", "zh")
	p.WaitText("h1", chinese)
	p.Prefer("dark")
	p.Accessible()
	narrow(t, p)
	p.Prefer("light")
	p.Size(1280, 800)
	var missing []string
	p.Eval(`Array.from(document.querySelectorAll("main *")).filter(e => e.children.length === 0 && /^[a-z]+\.[a-zA-Z.-]+$/.test(e.textContent.trim()) && !/^\d/.test(e.textContent.trim())).map(e => e.textContent)`, &missing)
	if len(missing) > 0 {
		t.Errorf("texts without words: %q", missing)
	}
	p.Select(".tools select", "en")
}

func TestHistoryPage(t *testing.T) {
	r := newRig(t, 20)
	r.remember(pastCalls()...)
	for i := range 60 {
		r.remember(pbx.Account{ID: pbx.CallID(fmt.Sprint("old", i)), Caller: "802", Called: "803", Start: at(1, i, 0), End: at(1, i, 9)})
	}
	p := browser.ForTest(t, browser.Options{}).Open(r.open() + "#/history")
	p.WaitText("tbody tr:nth-child(1) td:nth-child(1)", "2026-11-20 11:00:00")
	p.WaitText("[role=status]", "50 shown")
	p.WaitText("tbody tr:nth-child(3)", `=HYPERLINK("http://evil.example","x")`)
	p.WaitText("tbody tr:nth-child(4)", "王小明")
	looksWell(t, p, "通话记录")
	p.Click("main > button")
	p.WaitText("[role=status]", "64 shown")
	p.Type("[name=text]", "王小")
	p.Press("\r")
	p.WaitText("[role=status]", "1 shown")
	p.WaitText("tbody tr", "13800000001")
	p.Until("the focus where it was", `document.activeElement.name === "text"`)
	var link string
	p.Eval(`document.querySelector("a[download]").href`, &link)
	w := r.request(http.MethodGet, link, "")
	if w.Code != http.StatusOK || strings.Count(w.Body.String(), "\r\n") != 2 || !strings.Contains(w.Body.String(), "王小明") {
		t.Errorf("%s: %d %s", link, w.Code, w.Body)
	}
	var target string
	p.Eval(`document.querySelector("tbody a").hash`, &target)
	if target != "#/call/1.1" {
		t.Errorf("leads to %s", target)
	}
	p.Eval("history.back()", nil)
	p.WaitText("[role=status]", "50 shown")
	p.Until("the form as it was", `document.querySelector("[name=text]").value === ""`)
	p.Eval(`location.hash = "#/history?from=2026-11-20T10:00&direction=outbound"`, nil)
	p.WaitText("[role=status]", "1 shown")
	p.Until("the filter in the form", `document.querySelector("[name=from]").value === "2026-11-20T10:00" && document.querySelector("[name=direction]").value === "outbound"`)
	p.Expect("400")
	p.Eval(`location.hash = "#/history?extension=trunk"`, nil)
	p.WaitText("[role=alert]", "not an extension number")
}

func TestChartsPage(t *testing.T) {
	r := newRig(t, 20)
	r.remember(pastCalls()...)
	p := browser.ForTest(t, browser.Options{}).Open(r.open() + "#/charts?from=2026-11-20&to=2026-11-20")
	p.WaitText("tfoot", "4\t2\t1\t6:10")
	p.WaitText("tbody tr", "2026-11-20 10:00\t1\t1\t0\t4:50")
	p.WaitText("tbody tr", "801\t3\t1\t1\t6:10\t0:00\t0:00")
	const drawn = `document.querySelectorAll(".plot canvas").length === 3 && Array.from(document.querySelectorAll(".plot canvas")).every(c =>
		c.getContext("2d").getImageData(0, 0, c.width, c.height).data.some(v => v > 0))`
	p.Until("three charts", drawn)
	looksWell(t, p, "图表")
	p.Until("three charts of another size", drawn)
	p.Type("[name=queue]", "630")
	p.Click("[type=submit]")
	p.WaitText("tfoot", "2\t1\t1\t1:20")
	p.Eval(`location.hash = "#/charts?from=2026-11-01&to=2026-11-02"`, nil)
	p.WaitText("main", "No calls in this span.")
	p.WaitText(".notice", "2026-11-20 09:00:00")
	p.Accessible()
	p.Expect("400")
	p.Eval(`location.hash = "#/charts?from=2026-01-01&to=2026-11-02"`, nil)
	p.WaitText("[role=alert]", "more than 31 days")
}

// tone is a second of sound as Asterisk writes it.
func tone() []byte {
	const rate = 8000
	var b bytes.Buffer
	b.WriteString("RIFF")
	_ = binary.Write(&b, binary.LittleEndian, uint32(36+2*rate))
	b.WriteString("WAVEfmt ")
	for _, v := range []any{uint32(16), uint16(1), uint16(1), uint32(rate), uint32(2 * rate), uint16(2), uint16(16)} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, uint32(2*rate))
	for i := range rate {
		_ = binary.Write(&b, binary.LittleEndian, int16(i%40*200))
	}
	return b.Bytes()
}

func TestRecordingsPage(t *testing.T) {
	r := newRig(t, 20)
	dir := t.TempDir()
	r.must(os.WriteFile(filepath.Join(dir, "1.wav"), tone(), 0o600))
	r.api.ConfigureRecordings(Recordings{Directory: dir, AsteriskDirectory: "/var/spool/asterisk/monitor"})
	r.remember(pastCalls()...)
	gone := pastCalls()[2]
	gone.ID, gone.Recording, gone.Start = "1.9", "/var/spool/asterisk/monitor/gone.wav", at(12, 0, 0)
	r.remember(gone)
	p := browser.ForTest(t, browser.Options{}).Open(r.open() + "#/recordings")
	p.WaitText("[role=status]", "2 shown")
	p.Click("tbody tr:nth-child(2) button")
	p.Until("the recording to be known", `document.querySelector("audio")?.duration === 1`)
	p.Eval(`(async () => { const a = document.querySelector("audio"); a.currentTime = 0.5; await a.play(); })()`, nil)
	p.Until("the recording to be played", `document.querySelector("audio").currentTime > 0.5`)
	looksWell(t, p, "录音")
	p.Expect("404")
	p.Click("tbody tr:nth-child(1) button")
	p.WaitText("[role=alert]", "cannot be played here")
	p.Click("tbody tr:nth-child(1) button")
	p.WaitGone("[role=alert]")
	p.Type("[name=text]", "13800000001")
	p.Click("[type=submit]")
	p.WaitText("[role=status]", "1 shown")
}

func TestBlackListPage(t *testing.T) {
	r := newRig(t, 20)
	p := browser.ForTest(t, browser.Options{}).Open(r.open() + "#/blacklist")
	p.WaitText("[role=status]", "There is nothing here.")
	add := func(number, direction, note string) {
		p.Type("[name=number]", number)
		p.Select("form.card [name=direction]", direction)
		p.Type("[name=note]", note)
		p.Click("form.card [type=submit]")
	}
	for i, number := range []string{"+8613800000002", "13800000001", "13800000003"} {
		add(number, []string{"both", "inbound", "outbound"}[i], "Note "+number[len(number)-1:])
		p.WaitText("[role=status] .good", number+" is on the list.")
	}
	p.WaitText("tbody tr:nth-child(1)", "+8613800000002\tCalls from and to it\tNote 2")
	p.WaitText(".notice.warn", "Asterisk has not taken 4 changes yet")
	looksWell(t, p, "黑名单")
	p.Expect("400")
	add("12a", "both", "")
	p.WaitText("[role=alert]", "number: must be 1 to 32 of the characters")
	p.Click(`[aria-label="Change the note of 13800000003"]`)
	p.Until("the note as it is", `document.querySelector("dialog [name=note]").value === "Note 3"`)
	looks(t, p)
	p.Type("dialog [name=note]", "")
	p.Click("dialog .primary")
	p.WaitGone("dialog")
	p.WaitText("[role=status] .good", "The note of 13800000003 is changed.")
	p.Type("[name=text]", "note 1")
	p.Click("[role=search] [type=submit]")
	p.WaitText("main > [role=status]", "1 shown")
	p.Click("tbody button.danger")
	p.WaitText("dialog", "Let 13800000001 in again?")
	p.Until("the focus on what does no harm", `document.activeElement.textContent === "Cancel"`)
	looks(t, p)
	p.Click("dialog .buttons button:not(.danger)")
	p.WaitGone("dialog")
	p.Click("tbody button.danger")
	p.Click("dialog .danger")
	p.WaitText("[role=status] .good", "13800000001 is off the list.")
	if list, _ := r.numbers(""); strings.Join(list, " ") != "+8613800000002:both:Note 2 13800000003:outbound:" {
		t.Errorf("%q", list)
	}
}

// TestDeliveryPage: a receiver that refuses is shown, its dead letters are looked at, and are sent again when it has come to its senses.
func TestDeliveryPage(t *testing.T) {
	r := newRig(t, 20)
	var refuses atomic.Bool
	refuses.Store(true)
	var taken atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		if refuses.Load() && bytes.Contains(body, []byte("<b>bad</b>")) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, "no <i>such</i> customer")
			return
		}
		taken.Add(1)
	}))
	defer receiver.Close()
	r.must(r.sender.Configure(t.Context(), []webhook.Target{{URL: receiver.URL + "/?token=SECRETTOKEN", PoisonAttempts: 1, PoisonSpan: time.Nanosecond}}))
	r.delivers()
	var list []webhook.Event
	for i := range 6 {
		body := fmt.Sprintf(`{"event":"cdr","n":%d}`, i)
		if i%2 == 1 {
			body = `{"event":"hangup","name":"<b>bad</b>"}`
		}
		list = append(list, webhook.Event{ID: fmt.Sprintf("evt_%d", i), Kind: []string{"cdr", "hangup"}[i%2], Key: fmt.Sprint("1.", i), Body: []byte(body), At: at(9, i, 0)})
	}
	done := make(chan error, 1)
	r.outbox.Put(list, func(err error) { done <- err })
	r.must(<-done)
	p := browser.ForTest(t, browser.Options{}).Open(r.open() + "#/delivery?state=dead")
	p.WaitText("tbody tr th", "default")
	p.WaitText("tbody tr td:nth-child(2)", "Up")
	p.Zone("America/New_York") // what a time is told by is the PBX's clock, and not that of who looks
	p.Eval(`location.hash = "#/delivery?from=2026-11-20T09:04&until=2026-11-20T09:05"`, nil)
	p.WaitText("main > [role=status]", "1 shown")
	p.WaitText("tbody td.when", "2026-11-20 09:04:00")
	p.Until("since when the receiver is up, on the PBX's clock", `(() => {
		const at = Date.parse(document.querySelector("tbody td.when").textContent.replace(" ", "T") + "+08:00");
		return Math.abs(Date.now() - at) < 600000;
	})()`)
	p.Eval(`location.hash = "#/delivery?state=dead"`, nil)
	p.Until("the dead letters", `(() => { if (document.body.innerText.includes("3 shown")) return true; document.querySelector("[role=search] [type=submit]").click(); })()`)
	looksWell(t, p, "事件推送")
	p.WaitText("button", "Send all dead letters again")
	p.Click("tbody a[href*=evt_1]")
	p.WaitText("dl", "422")
	p.WaitText("pre", `"name": "<b>bad</b>"`)
	p.WaitText("pre", "no <i>such</i> customer")
	looks(t, p)
	refuses.Store(false)
	p.Click("main button")
	p.Wait("dialog")
	looks(t, p)
	p.Click("dialog .primary")
	p.WaitText("[role=status]", "Events that are sent again: 1.")
	p.Until("the event to be taken", `(() => { if (document.querySelector("dl").innerText.includes("Delivered")) return true; location.reload(); })()`)
	p.Click("main a")
	p.WaitText("main [role=status]", "6 shown")
	p.WaitText("tbody tr th", "default") // it moves what is below it
	p.Click(`[aria-label="Choose evt_3"]`)
	p.WaitText("button", "Send 1 chosen again")
	p.Click("main .buttons button")
	p.Click("dialog .primary")
	p.WaitText("[role=status]", "Events that are sent again: 1.")
	p.WaitText("button", "Send all dead letters again")
	p.Eval(`Array.from(document.querySelectorAll("main button")).find(b => b.textContent === "Send all dead letters again").click()`, nil)
	p.WaitText("dialog", "Send all dead letters again (")
	p.Click("dialog .primary")
	p.Until("no dead letters", `!document.body.innerText.includes("Send all dead letters again") && !document.querySelector("dialog")`)
	before := taken.Load()
	p.Click(`[aria-label="Send a test to default"]`)
	p.WaitText("[role=status]", "default: the test was taken, answer 200")
	if taken.Load() == before {
		t.Error("no test has come")
	}
	var text string
	p.Eval("document.documentElement.outerHTML", &text)
	if strings.Contains(text, "SECRETTOKEN") {
		t.Error("the page shows a secret")
	}
}
