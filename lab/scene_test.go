package lab

import (
	"context"
	"encoding/csv"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/lab/phone"
)

const caller = "09121234567" // a telephone outside

// scene is one test on an Asterisk that it shares with the tests before and after it.
type scene struct {
	*testing.T
	ctx context.Context // ends what the test waits for
	lab *Lab
}

func newScene(t *testing.T, l *Lab) scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return scene{t, ctx, l}
}

func (s scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s scene) phones(extens ...string) (phones []*phone.Phone) {
	s.Helper()
	for _, exten := range extens {
		p, err := s.lab.Phone(s.ctx, exten)
		s.must(err)
		s.closeAfter(p)
		phones = append(phones, p)
	}
	return phones
}

func (s scene) trunk() *phone.Phone {
	s.Helper()
	p, err := s.lab.Trunk(s.ctx)
	s.must(err)
	s.closeAfter(p)
	return p
}

func (s scene) closeAfter(p *phone.Phone) {
	s.Cleanup(func() {
		if err := p.Close(); err != nil {
			s.Errorf("close %s: %v", p.Number(), err)
		}
	})
}

// ring dials from a phone and returns both ends when the callee has got it.
func (s scene) ring(from *phone.Phone, target string, callee *phone.Phone) (out, in *phone.Call) {
	s.Helper()
	out, err := from.DialWith(s.ctx, target, phone.DialOptions{Number: showing(from)})
	s.must(err)
	in, err = callee.Accept(s.ctx)
	s.must(err)
	return out, in
}

// showing is the number that a phone shows: the provider's calls are those of a telephone outside.
func showing(p *phone.Phone) string {
	if p.Number() == "trunk" {
		return caller
	}
	return p.Number()
}

func (s scene) talk(calls ...*phone.Call) {
	s.Helper()
	for _, c := range calls {
		s.must(c.Answered(s.ctx))
	}
	for _, c := range calls {
		s.must(c.Heard(s.ctx, 10))
	}
}

func (s scene) hangUp(from, to *phone.Call) {
	s.Helper()
	s.must(from.Hangup(s.ctx))
	_, err := to.Ended(s.ctx)
	s.must(err)
}

// record waits for a call record that fulfils want, and returns it. Its fields are those of Master.csv: 0 account,
// 1 source, 2 destination, 3 context, 4 caller id, 5 channel, 6 destination channel, 7 application, 8 data, 9 start,
// 10 answer, 11 end, 12 duration, 13 billed seconds, 14 disposition, 15 flags, 16 unique id, 17 user field.
func (s scene) record(what string, want func(fields []string) bool) []string {
	s.Helper()
	for {
		text, err := os.ReadFile(s.lab.CDRCSV)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.Fatal(err)
		}
		records, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
		s.must(err)
		for _, fields := range slices.Backward(records) {
			if want(fields) {
				return fields
			}
		}
		if pause(s.ctx) != nil {
			s.Fatalf("no call record of %s in:\n%s", what, text)
		}
	}
}

// dialMenu calls the menu from outside and presses a key while it speaks.
func (s scene) dialMenu(trunk *phone.Phone, key string) *phone.Call {
	s.Helper()
	out, err := trunk.DialWith(s.ctx, "02188880002", phone.DialOptions{Number: caller})
	s.must(err)
	s.must(out.Answered(s.ctx))
	s.must(out.Heard(s.ctx, 5))
	s.must(out.SendDTMF(s.ctx, key, phone.RFC2833))
	return out
}

// mustBeRecorded waits until the recording of a call has sound in it.
func (s scene) mustBeRecorded(uniqueID string) {
	s.Helper()
	const header = 44 // bytes of a WAV file without sound
	file := filepath.Join(s.lab.RecordingsDir, uniqueID+".wav")
	for {
		info, err := os.Stat(file)
		if err == nil && info.Size() > header {
			return
		}
		if pause(s.ctx) != nil {
			s.Fatalf("recording %s: %v, %+v", file, err, info)
		}
	}
}
