package ami

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The tests of this file hold the reader, which is fast, against one that is obvious, on what real exchanges have sent and
// on what becomes of that when bytes are lost, doubled, changed or put in.

// viewAll reads to the end by View and looks at every header where it lies; a too long message is its error's text.
func viewAll(t testing.TB, src io.Reader, limit int) (texts []string) {
	t.Helper()
	r := NewReader(src)
	r.limit = limit
	if limit < maxMessage {
		r.buf = make([]byte, 64) // so that it must grow
	}
	for {
		f, err := r.View()
		switch long := asSizeError(err); {
		case long != nil:
			texts = append(texts, long.Error())
			continue
		case err != nil:
			return texts
		}
		checkFrame(t, f)
		texts = append(texts, string(f.Bytes()))
	}
}

// checkFrame holds a Frame against the Message of the same text.
func checkFrame(t testing.TB, f Frame) {
	t.Helper()
	m := f.Message()
	if string(f.Bytes()) != m.String() || string(f.Event()) != m.Event() {
		t.Fatalf("event %q of %q is %q", m.Event(), m, f.Event())
	}
	var fields []Field
	for name, value := range f.All() {
		fields = append(fields, Field{string(name), string(value)})
		got, ok := f.Lookup(string(name))
		if want, found := m.Lookup(string(name)); string(got) != want || ok != found || string(f.Get(string(name))) != want {
			t.Fatalf("%q of %q is %q, want %q", name, m, got, want)
		}
	}
	if want := fieldsOf(m); !slices.Equal(fields, want) {
		t.Fatalf("%q has %q, want %q", m, fields, want)
	}
	if _, ok := f.Lookup("No-such-header"); ok {
		t.Fatalf("%q has what it has not", m)
	}
}

// beginsSlowly is begins in its obvious form.
func beginsSlowly(frame, first, second string, good func(value string) bool) int {
	for at := 1; at < len(frame); at++ {
		if !strings.HasPrefix(frame[at:], first) {
			continue
		}
		_, next, _ := strings.Cut(frame[at:], "\r\n")
		if value, _, _ := strings.Cut(strings.TrimPrefix(next, second), "\r\n"); strings.HasPrefix(next, second) && good(value) {
			return at
		}
	}
	return 0
}

// streamSlowly is what a Client makes of data while nothing was asked for, in its obvious form: the texts of the events,
// with their gaps.
func streamSlowly(data []byte, limit int, want func(string) bool) (events []string) {
	gap, over := false, false
	add := func(text string) {
		m := ParseMessage(text)
		if strings.HasPrefix(text, "Response: ") {
			over = over || m.Get("Response") == "Goodbye" || m.Get("Response") == "Error" && m.Get("Message") == textShuttingDown
		}
		if over || strings.HasPrefix(text, "Response: ") {
			return
		}
		gap = gap || !strings.HasPrefix(text, "Event: ")
		if want(m.Event()) {
			events = append(events, fmt.Sprint(gap, m))
			gap = false
		}
	}
	for _, frame := range readSlowly(data, limit) {
		if strings.HasPrefix(frame, "message of ") && strings.HasSuffix(frame, " bytes is too long") {
			gap = true
			continue
		}
		for {
			cut := 0
			if !strings.HasPrefix(frame, "Event: UserEvent\r\n") {
				cut = beginsSlowly(frame, "Event: ", "Privilege: ", func(string) bool { return true })
			}
			if cut == 0 {
				add(frame)
				break
			}
			if end := strings.LastIndex(frame[:cut], "\r\n"); end > 0 {
				gap = true
				add(frame[:end+2])
			}
			gap = true
			frame = frame[cut:]
		}
	}
	return events
}

// streamFast is the same by the Client's own reader.
func streamFast(src io.Reader, limit int, want func(string) bool) (events []string) {
	c := New(Options{Want: want})
	c.reader = NewReader(src)
	c.reader.limit = limit
	l := newLink(&socket{}, c.o)
	var b batch
	for c.sortAll(l, time.Time{}, &b) == nil && c.reader.fill() == nil {
		continue
	}
	for _, i := range b.items {
		events = append(events, fmt.Sprint(i.Gap, i.Message))
	}
	return events
}

// tokens are what mutate puts in: what the grammar is made of.
var tokens = []string{
	"\r\n", "\r", "\n", "\r\n\r\n", ":", ": ", " ", "Event: ", "Privilege: ", "\r\nPrivilege: call,all\r\n", "Response: ", "v", "\x00", "\xff",
	"张", "\r\nEvent: Hangup\r\nPrivilege: call,all\r\n", "Event: UserEvent\r\n", "ActionID: 1\r\n",
}

// mutate returns a copy of data with some bytes lost, doubled, changed or put in.
func mutate(r *rand.Rand, data []byte, changes int) []byte {
	data = slices.Clone(data)
	for range changes {
		if len(data) < 2 {
			return data
		}
		at := r.IntN(len(data))
		to := min(at+1+r.IntN(1<<r.IntN(10)), len(data))
		switch r.IntN(5) {
		case 0:
			data = slices.Delete(data, at, to)
		case 1:
			data = slices.Insert(data, at, slices.Clone(data[at:to])...)
		case 2:
			data[at] = byte(r.IntN(256))
		case 3:
			data = slices.Insert(data, at, []byte(tokens[r.IntN(len(tokens))])...)
		case 4: // an event begins in the middle of another
			if from := bytes.Index(data[at:], []byte("Event: ")); from > 0 {
				data = slices.Delete(data, at, at+from)
			}
		}
	}
	return data
}

// differ holds everything that reads data against its obvious form.
func differ(t testing.TB, where string, r *rand.Rand, data []byte, limit int) {
	t.Helper()
	split := func() io.Reader { return splitter{bytes.NewReader(data), r, 1 + r.IntN(700)} }
	want := readSlowly(data, limit)
	if got := readAll(t, split(), limit); !slices.Equal(want, got) {
		t.Fatalf("%s: Next (-slow +fast):\n%s", where, cmp.Diff(want, got))
	}
	if got := viewAll(t, split(), limit); !slices.Equal(want, got) {
		t.Fatalf("%s: View (-slow +fast):\n%s", where, cmp.Diff(want, got))
	}
	wanted := func(event string) bool { return len(event)%3 != 0 }
	if want, got := streamSlowly(data, limit, wanted), streamFast(split(), limit, wanted); !slices.Equal(want, got) {
		t.Fatalf("%s: Client (-slow +fast):\n%s", where, cmp.Diff(want, got))
	}
}

func TestCapturesAgainstTheObvious(t *testing.T) {
	for name, data := range captures(t) {
		differ(t, name, rand.New(rand.NewPCG(1, 2)), data, maxMessage)
	}
}

// TestMutatedCapturesAgainstTheObvious takes pieces of every capture and breaks each in several ways.
func TestMutatedCapturesAgainstTheObvious(t *testing.T) {
	all := captures(t)
	pieces := 0
	for n, name := range slices.Sorted(maps.Keys(all)) {
		data := all[name]
		for seed := range uint64(12) {
			r := rand.New(rand.NewPCG(uint64(n), seed))
			from := r.IntN(len(data))
			piece := mutate(r, data[from:min(from+8_000, len(data))], 1+r.IntN(12))
			limit := maxMessage
			if seed%4 == 0 {
				limit = 1 + r.IntN(2_000)
			}
			differ(t, fmt.Sprint(name, " mutated by ", seed), r, piece, limit)
			pieces++
		}
	}
	if pieces < 900 {
		t.Errorf("only %d pieces", pieces)
	}
}

// FuzzClient is differ on what the fuzzer finds.
func FuzzClient(f *testing.F) {
	f.Add([]byte("Event: VarSet\r\nPrivilege: dialplan,all\r\nUniqEvent: A\r\nPrivilege: a\r\n\r\nX: y\r\n\r\n"), uint64(1), 5000)
	f.Add([]byte("Event: AEvent: B\r\nPrivilege: x\r\nPrivilege: vilege: \r\n\r\n"), uint64(2), 40)
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, limit int) {
		differ(t, "fuzz", rand.New(rand.NewPCG(seed, 1)), data, 1+max(limit, 0)%10_000)
	})
}

func TestViewAllocatesNothing(t *testing.T) {
	data := loadSample(t)
	r := NewReader(nil)
	headers := 0
	allocs := testing.AllocsPerRun(1, func() {
		r.reset(&socket{data: data, left: 1})
		for f, err := r.View(); err == nil; f, err = r.View() {
			for name, value := range f.All() {
				headers += len(name) + len(value)
			}
			headers += len(f.Event()) + len(f.Get("uniqueid"))
		}
	})
	if allocs > 1 || headers == 0 { // the one is the socket
		t.Errorf("%v allocations", allocs)
	}
}

// TestEmptyReads: a source may return no byte and no error, but not for ever.
func TestEmptyReads(t *testing.T) {
	r := NewReader(&lazy{r: strings.NewReader("Event: A\r\n\r\n"), empty: emptyReads - 1})
	if m, err := r.Next(); err != nil || m.Event() != "A" {
		t.Errorf("%q, %v", m, err)
	}
	if _, err := NewReader(&lazy{empty: emptyReads}).Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("%v", err)
	}
}

// lazy is a source whose first reads give nothing.
type lazy struct {
	r     io.Reader
	empty int
}

func (l *lazy) Read(p []byte) (int, error) {
	if l.empty--; l.empty >= 0 {
		return 0, nil
	}
	return l.r.Read(p)
}
