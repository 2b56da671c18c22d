package bridge_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

const startTime = 30 * time.Second

// raw sends a request as it is, which no decent client would, and reads the answer.
func (b *bench) raw(request string) (code int, header http.Header, body string) {
	b.Helper()
	u, err := url.Parse(b.d.URL)
	b.must(err)
	var d net.Dialer
	c, err := d.DialContext(b.ctx, "tcp", u.Host)
	b.must(err)
	defer func() { _ = c.Close() }()
	b.must(c.SetDeadline(time.Now().Add(10 * time.Second)))
	if _, err := io.WriteString(c, request); err != nil && !errors.Is(err, net.ErrClosed) {
		b.Logf("%.60q: %v", request, err) // it may have been refused before its end
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		b.Fatalf("%.120q: %v", request, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	b.must(err)
	return resp.StatusCode, resp.Header, string(text)
}

// shaped reports whether a body is an error in the dialect's shape.
func shaped(body string) bool {
	var shape struct{ Status, Message string }
	return json.Unmarshal([]byte(body), &shape) == nil && shape.Status == "error" && shape.Message != ""
}

// callRecorded begins a call to 802 that Asterisk records.
func (b *bench) callRecorded() *phone.Call {
	b.Helper()
	b.phone("802")
	out := b.trunk()
	b.idle("802")
	c, err := out.DialWith(b.ctx, "02188880004", phone.DialOptions{Number: "02112345678"})
	b.must(err)
	b.must(c.Answered(b.within(5 * time.Second)))
	return c
}

// recordedCall makes a call that Asterisk records, and returns the path of the file as the call record has it.
func (b *bench) recordedCall() string {
	b.Helper()
	c := b.callRecorded()
	b.must(c.Heard(b.within(5*time.Second), 50))
	b.must(c.Hangup(b.ctx))
	_, events := b.callEvents(1, dials("02112345678", "802"))
	for _, e := range events {
		if file := e.Fields["recordfile"]; file != "" {
			return file
		}
	}
	b.Fatal("no call record has a recording")
	return ""
}

// TestRecordingsForStrangers asks for what must not be had, in every spelling, beside a recording that Asterisk has made.
func TestRecordingsForStrangers(t *testing.T) {
	t.Parallel()
	b := setUp(t, "22", lab.Options{}, bridge.Options{})
	name := b.recordedCall()
	dir := b.lab.RecordingsDir
	const secret = "nobody outside may read this"
	outside := filepath.Join(filepath.Dir(dir), "secret.wav")
	b.must(os.WriteFile(outside, []byte(secret), 0o644))
	b.must(os.Mkdir(filepath.Join(dir, "folder"), 0o755))
	b.must(os.Symlink(outside, filepath.Join(dir, "absolute.wav")))
	b.must(os.Symlink("../secret.wav", filepath.Join(dir, "relative.wav")))
	b.must(os.Symlink("..", filepath.Join(dir, "folder", "up")))
	b.must(os.Symlink("../..", filepath.Join(dir, "folder", "out")))
	b.must(os.Symlink("loop.wav", filepath.Join(dir, "loop.wav")))
	for _, path := range []string{
		"../secret.wav", "folder/../../secret.wav", "folder/../" + name, "./" + name, "..", ".", "", "folder", "folder/", "folder/out/secret.wav",
		"%2e%2e/secret.wav", "%2e%2e%2fsecret.wav", "..%2fsecret.wav", "%2E%2E%2Fsecret.wav", "%252e%252e%252fsecret.wav", "..%252fsecret.wav",
		"..%5csecret.wav", "..\\secret.wav", "%5c..%5csecret.wav", "%c0%ae%c0%ae/secret.wav", "..%c0%afsecret.wav", "%uff0e%uff0e/secret.wav",
		"/etc/passwd", "//etc/passwd", "%2fetc%2fpasswd", "file:%2f%2f%2fetc%2fpasswd", outside, url.PathEscape(outside), "~root/.bashrc",
		name + "%00", "%00" + name, name + "%00.txt", "..%00/secret.wav", name + "%0a", name + "%0d%0aX: y", "%ff%fe.wav", name + "/", name + "/x", name + "/../" + name,
		"absolute.wav", "relative.wav", "loop.wav", "folder/up/../../secret.wav", "....//secret.wav", "..;/secret.wav", strings.Repeat("a", 5000) + ".wav",
		strings.Repeat("folder/", 500) + "x.wav", strings.Repeat("../", 500) + "etc/passwd",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			code, header, body := b.raw(method + " " + api + "monitor/" + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			switch {
			case code != http.StatusNotFound && code != http.StatusBadRequest:
				t.Errorf("%s %q: %d %v", method, path, code, header)
			case strings.Contains(body, secret) || strings.Contains(body, "root:") || header.Get("X: y") != "":
				t.Errorf("%s %q: %.80q", method, path, body)
			case method == "GET" && !shaped(body) && !strings.HasPrefix(body, "400 Bad Request"): // net/http's own, of what is no HTTP
				t.Errorf("%s %q: %d in another shape: %.80q", method, path, code, body)
			}
		}
	}
	b.partsOf(name)
}

// partsOf asks for pieces of a recording, and under conditions, and compares them with the file.
func (b *bench) partsOf(name string) {
	b.Helper()
	file, err := os.ReadFile(filepath.Join(b.lab.RecordingsDir, name))
	b.must(err)
	size := len(file)
	ask := func(lines ...string) (int, http.Header, string) {
		b.Helper()
		return b.raw("GET " + api + "monitor/" + name + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + strings.Join(append(lines, "", ""), "\r\n"))
	}
	code, header, body := ask()
	tag, modified := header.Get("ETag"), header.Get("Last-Modified")
	if code != 200 || body != string(file) || header.Get("Content-Type") != "audio/wav" || header.Get("Accept-Ranges") != "bytes" || tag == "" || modified == "" {
		b.Fatalf("whole: %d, %d of %d bytes, %v", code, len(body), size, header)
	}
	for _, c := range []struct {
		header string
		code   int
		body   []byte
		said   string // Content-Range
	}{
		{"Range: bytes=0-43", 206, file[:44], fmt.Sprintf("bytes 0-43/%d", size)},
		{"Range: bytes=44-", 206, file[44:], fmt.Sprintf("bytes 44-%d/%d", size-1, size)},
		{"Range: bytes=-100", 206, file[size-100:], fmt.Sprintf("bytes %d-%d/%d", size-100, size-1, size)},
		{"Range: bytes=100-999999999", 206, file[100:], fmt.Sprintf("bytes 100-%d/%d", size-1, size)},
		{"Range: bytes=999999999-", 416, nil, fmt.Sprintf("bytes */%d", size)},
		{"Range: bytes=5-2", 416, nil, ""},
		{"Range: bytes=" + strings.Repeat("0-,", 5000) + "0-", 200, file, ""}, // more in sum than the file: the whole is sent
		{"Range: hats=1-2", 416, nil, ""},
		{"If-None-Match: " + tag, 304, nil, ""},
		{`If-None-Match: "another"`, 200, file, ""},
		{"If-Modified-Since: " + modified, 304, nil, ""},
		{`If-Match: "another"`, 412, nil, ""},
		{"If-Unmodified-Since: Mon, 02 Jan 2006 15:04:05 GMT", 412, nil, ""},
		{"Range: bytes=0-9\r\nIf-Range: " + tag, 206, file[:10], ""},
		{"Range: bytes=0-9\r\nIf-Range: \"another\"", 200, file, ""},
	} {
		code, header, body := ask(c.header)
		if code != c.code || c.said != "" && header.Get("Content-Range") != c.said {
			b.Errorf("%.60q: %d %v", c.header, code, header)
		}
		if c.body != nil && !bytes.Equal([]byte(body), c.body) {
			b.Errorf("%.60q: %d other bytes than the %d of the file", c.header, len(body), len(c.body))
		}
		if code == 416 && !shaped(body) {
			b.Errorf("%.60q: %q", c.header, body)
		}
	}
}

// endpoints are the commands with a good set of parameters.
var endpoints = []struct {
	path   string
	params [][2]string
}{
	{"queues/agent-pause", [][2]string{{"member", "808"}, {"state", "on"}, {"queue", "630"}, {"reason", "x"}}},
	{"queues/agent-login", [][2]string{{"extension", "808"}, {"queue", "631"}}},
	{"queues/agent-logout", [][2]string{{"extension", "808"}, {"queue", "631"}}},
	{"extensions/click-number", [][2]string{{"src", "801"}, {"dst", "802"}, {"callerid", "801"}, {"timeout", "5"}, {"limitSec", "5"}}},
	{"extensions/hangup", [][2]string{{"extension", "808"}}},
	{"extensions/transfer", [][2]string{{"src", "808"}, {"dst", "802"}, {"type", "blind"}}},
	{"extensions/extenSpy", [][2]string{{"src", "801"}, {"dst", "808"}, {"mode", "listen"}}},
	{"blacklist/create", [][2]string{{"number", "123"}}},
	{"blacklist/delete", [][2]string{{"number", "123"}}},
	{"plugin-asterisk/extension/click-number", [][2]string{{"src", "801"}, {"dst", "802"}}},
	{"plugin-asterisk/extension/hangup", [][2]string{{"extension", "808"}}},
	{"plugin-asterisk/extension/transfer", [][2]string{{"src", "808"}, {"dst", "802"}}},
	{"plugin-asterisk/extension/extension-spy", [][2]string{{"src", "801"}, {"dst", "808"}}},
}

// unclean is refused in every parameter; poison in every one but the free text of reason.
var (
	unclean = []string{
		"801\r\nAction: Originate\r\nChannel: PJSIP/802\r\nApplication: Hangup\r\n\r\n", "801\nX: y", "801\rX: y", "801\x00", "\x00", "801\x1b[2J", "801\x7f",
		"\xff\xfe", "801\xc3", "\xc0\xaf", "801\u0085X: y", strings.Repeat("8", 8193),
	}
	poison = []string{
		"${SHELL(id)}", "801&PJSIP/802", "801,1,Ttr", "801|1", "801)", "^801", "801@from-trunk", "Local/801@from-internal", "801;id", "`id`", "../801", "8 0 1",
		"٨٠١", "801\u202e", "<script>", "' OR 1=1 --", strings.Repeat("8", 2000), "-1", "1e3", "0x1F",
	}
)

// TestNothingHostileReachesAsterisk puts what does not belong there into every parameter of every command, in the query, a
// form and JSON, and looks at what the daemon sends to Asterisk, and at Asterisk itself.
func TestNothingHostileReachesAsterisk(t *testing.T) {
	t.Parallel()
	b, p := tapped(t, bridge.Options{})
	b.phone("801")
	b.phone("802")
	b.idle("801", "802")
	look := func() string {
		text := b.cli("core show channels concise") + b.cli("queue show") + b.cli("database show blacklist") + b.cli("core show calls")
		return age.ReplaceAllString(text, "AGE")
	}
	before := look()
	sent := 0
	for _, e := range endpoints {
		for i, param := range e.params {
			texts := unclean
			if param[0] != "reason" {
				texts = append(texts[:len(texts):len(texts)], poison...)
			}
			for _, text := range texts {
				params := append([][2]string{}, e.params...)
				params[i][1] = text
				for way := range 3 {
					code, body := b.hostile(e.path, params, way)
					sent++
					if code != http.StatusBadRequest && code != http.StatusNotFound || !shaped(body) {
						t.Errorf("%s %s=%.40q, way %d: %d %.200q", e.path, param[0], text, way, code, body)
					}
				}
			}
			name := append([][2]string{}, e.params...)
			name[i][0] += "\r\nX: y"
			if code, body := b.hostile(e.path, name, 1); code != http.StatusBadRequest || !shaped(body) {
				t.Errorf("%s %q: %d %q", e.path, name[i][0], code, body)
			}
		}
	}
	if diff := cmp.Diff(before, look()); diff != "" {
		t.Errorf("Asterisk is another (-before +after):\n%s", diff)
	}
	b.does("queues/agent-login", "login extension success", "extension", "801", "queue", "631") // the tap sees what it should
	seen := map[string]int{}
	for _, a := range p.actions() {
		first, rest, _ := strings.Cut(a, "\r\n")
		seen[first]++
		if strings.Contains(rest, "hostile-") && !harmless(first) {
			t.Errorf("sent because of a hostile request:\n%s", a)
		}
	}
	if seen["Action: QueueAdd"] != 1 || seen["Action: Originate"]+seen["Action: Hangup"]+seen["Action: BlindTransfer"]+seen["Action: Redirect"] != 0 {
		t.Errorf("sent in all: %v", seen)
	}
	t.Logf("%d hostile requests; sent in all: %v", sent, seen)
}

// age is what changes in what Asterisk shows while nothing happens.
var age = regexp.MustCompile(`[0-9]+ secs? ago`)

// harmless are the questions that a request may put before it is refused: whether a number, which has only digits by then,
// is in the dialplan or in AstDB.
func harmless(action string) bool {
	return action == "Action: Getvar" || action == "Action: ShowDialPlan" || action == "Action: DBGet"
}

// hostile sends one request in one of three ways: query, form, JSON.
func (b *bench) hostile(path string, params [][2]string, way int) (code int, body string) {
	b.Helper()
	form, object := url.Values{}, map[string]string{}
	for _, p := range params {
		form.Set(p[0], p[1])
		object[p[0]] = p[1]
	}
	target, text, kind := b.d.URL+api+path, "", ""
	switch way {
	case 0:
		target += "?" + form.Encode()
	case 1:
		text, kind = form.Encode(), "application/x-www-form-urlencoded"
	case 2:
		// by hand: the encoder would replace bytes that are no UTF-8
		var list []string
		for name, value := range object {
			value = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", `\r`, "\n", `\n`, "\x00", `\u0000`, "\x1b", `\u001b`, "\x7f", `\u007f`).Replace(value)
			list = append(list, fmt.Sprintf(`"%s":"%s"`, name, value))
		}
		text, kind = "{"+strings.Join(list, ",")+"}", "application/json"
	}
	r, err := http.NewRequestWithContext(b.ctx, http.MethodPost, target, strings.NewReader(text))
	b.must(err)
	r.Header.Set("Content-Type", kind)
	r.Header.Set("X-Request-Id", "hostile-1")
	resp, err := http.DefaultClient.Do(r)
	b.must(err)
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	b.must(err)
	return resp.StatusCode, string(answer)
}
