package bridge_test

import (
	"bytes"
	le "encoding/binary"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
)

// wavHeader is how long the header is that Asterisk puts before the sound.
const wavHeader = 44

// listen asks for a recording, or for a part of it, and checks that as much comes as was said.
func (b *bench) listen(name string, lines ...string) (code int, header http.Header, sound []byte) {
	b.Helper()
	code, header, body := b.raw("GET " + api + "monitor/" + name + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + strings.Join(append(lines, "", ""), "\r\n"))
	if length, err := strconv.Atoi(header.Get("Content-Length")); code < 300 && (err != nil || length != len(body)) {
		b.Errorf("%q: %d bytes, Content-Length %q", lines, len(body), header.Get("Content-Length"))
	}
	return code, header, []byte(body)
}

// TestRecordingOfACallThatGoesOn reads a recording while Asterisk writes it: what there is comes, in whole and in parts, more
// each time, and all of it when the call has ended.
func TestRecordingOfACallThatGoesOn(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := setUp(t, version, lab.Options{}, bridge.Options{})
		c := b.callRecorded()
		name := b.answeredCall("02112345678", "802") + ".wav"
		var first []byte
		var tag string
		b.eventually("some sound", func() bool {
			code, header, sound := b.listen(name)
			first, tag = sound, header.Get("ETag")
			return code == http.StatusOK && len(sound) > wavHeader
		})
		b.eventually("more sound", func() bool {
			code, _, sound := b.listen(name)
			if code != http.StatusOK || !bytes.HasPrefix(sound[wavHeader:], first[wavHeader:]) {
				t.Fatalf("another %d bytes than the %d before: %d", len(sound), len(first), code)
			}
			return len(sound) > len(first)
		})
		size := len(first)
		if code, _, part := b.listen(name, fmt.Sprintf("Range: bytes=%d-%d", wavHeader, size-1)); code != http.StatusPartialContent || !bytes.Equal(part, first[wavHeader:]) {
			t.Errorf("the part that is known: %d, %d bytes", code, len(part))
		}
		if code, header, part := b.listen(name, fmt.Sprintf("Range: bytes=%d-", size)); code != http.StatusPartialContent || len(part) == 0 ||
			!strings.HasPrefix(header.Get("Content-Range"), fmt.Sprintf("bytes %d-", size)) {
			t.Errorf("what has come since: %d, %d bytes, %v", code, len(part), header)
		}
		if code, _, all := b.listen(name, fmt.Sprintf("Range: bytes=%d-", size), "If-Range: "+tag); code != http.StatusOK || len(all) <= size {
			t.Errorf("the rest of a file that is another by now: %d, %d bytes", code, len(all))
		}
		if code, _, _ := b.listen(name, "If-None-Match: "+tag); code != http.StatusOK {
			t.Errorf("not modified: %d", code)
		}
		if code, _, _ := b.listen(name, "Range: bytes=999999999-"); code != http.StatusRequestedRangeNotSatisfiable {
			t.Errorf("a part that is not there yet: %d", code)
		}
		t.Logf("%d bytes at first; the header says %d of sound", size, soundIn(first))
		b.must(c.Hangup(b.ctx))
		b.eventually("the header to be finished", func() bool {
			_, _, sound := b.listen(name)
			return soundIn(sound) == len(sound)-wavHeader
		})
		file, err := os.ReadFile(filepath.Join(b.lab.RecordingsDir, name))
		b.must(err)
		if _, _, sound := b.listen(name); !bytes.Equal(sound, file) || !bytes.HasPrefix(sound[wavHeader:], first[wavHeader:]) {
			t.Errorf("%d bytes, the file has %d", len(sound), len(file))
		}
		b.eventually("the audit log to tell who took it", func() bool {
			_, list, err := b.d.Get(b.ctx, "/console/api/audit?action=/coocenter-api/monitor")
			b.must(err)
			return strings.Contains(list, `"params":{"*":"`+name+`"},"status":200`) && !strings.Contains(list, `"status":416`)
		})
	})
}

// soundIn is how many bytes of sound a WAV file says that it has.
func soundIn(wav []byte) int { return int(le.LittleEndian.Uint32(wav[wavHeader-4:])) }
