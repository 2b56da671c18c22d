package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab/browser"
	"github.com/dialbridge/dialbridge/pbx"
)

// TestHostileTexts: what a caller calls himself, and what others write in notes and names, stands on each page as it is and makes nothing of it.
func TestHostileTexts(t *testing.T) {
	r := newRig(t, 100)
	const evil = `"><img src=x onerror=document.title='pwned'><a href="javascript:alert(1)">`
	start := at(9, 0, 0)
	call := pbx.Account{
		ID: evil, Caller: evil, CallerName: evil, Called: evil, CalledName: evil, DID: evil, Queue: evil, Agent: evil, Direction: pbx.Inbound, Miss: evil, Side: evil,
		Answered: true, Score: evil, Remark: evil, Cause: evil, CauseText: evil, Start: start, End: start.Add(time.Minute), Duration: time.Minute, Recording: "/x/" + evil + ".wav",
		Agents: []pbx.Share{{Exten: evil, Queue: evil}},
	}
	for _, kind := range []pbx.SpanKind{pbx.SpanMenu, pbx.SpanQueue, pbx.SpanRing, pbx.SpanTalk, evil} {
		call.Spans = append(call.Spans, pbx.Span{
			Kind: kind, Channel: evil, Party: evil, Exten: evil, Place: evil, Name: evil, Digits: evil, Outcome: evil, Start: start, End: start.Add(time.Second),
		})
	}
	r.remember(call)
	for _, tc := range [][]string{{"/users", "login", "ann", "name", evil, "role", "agent", "password", "good enough"}, {"/blacklist", "number", "1", "direction", "both", "note", evil}} {
		if w := r.request(http.MethodPost, Prefix+tc[0], body(tc[1:]...)); w.Code >= http.StatusBadRequest {
			t.Fatalf("%s: %d %s", tc[0], w.Code, w.Body)
		}
	}
	if w := r.request(http.MethodPost, Prefix+"/session", body("login", evil, "password", "x"), "From", elsewhere); w.Code != http.StatusUnauthorized {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	b, url := browser.ForTest(t, browser.Options{}), r.open()
	for _, page := range []string{"history", "recordings", "call/%22%3E%3Cimg%20src%3Dx%20onerror%3Ddocument.title%3D'pwned'%3E%3Ca%20href%3D%22javascript%3Aalert(1)%22%3E", "blacklist", "users", "audit"} {
		p := b.Open(url + "#/" + page)
		p.WaitText("main", "<img src=x")
		var bad []string
		p.Eval(`Array.from(document.querySelectorAll("img, [onerror], a[href^='javascript:']")).map(e => e.outerHTML)`, &bad)
		var title string
		p.Eval("document.title", &title)
		if len(bad) > 0 || strings.Contains(title, "pwned") {
			t.Errorf("%s: %q, %s", page, bad, title)
		}
		p.Close()
	}
}
