package ami

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// captures returns the recorded streams of both versions by name, without their banners.
func captures(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/captures/*.ami")
	if err != nil || len(paths) < 80 {
		t.Fatalf("%d captures: %v", len(paths), err)
	}
	all := map[string][]byte{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, all[filepath.Base(path)], _ = bytes.Cut(data, []byte("\r\n"))
	}
	return all
}

// splitter reads in pieces of random sizes.
type splitter struct {
	r    io.Reader
	rand *rand.Rand
	most int
}

func (s splitter) Read(p []byte) (int, error) {
	return s.r.Read(p[:min(len(p), 1+s.rand.IntN(s.most))])
}

// readAll reads to the end and returns the messages, a too long one as its error's text.
func readAll(t testing.TB, src io.Reader, limit int) []string {
	t.Helper()
	r := NewReader(src)
	r.limit = limit
	if limit < maxMessage {
		r.buf = make([]byte, 64) // so that it must grow
	}
	var all []string
	for {
		m, err := r.Next()
		var long *SizeError
		switch {
		case err == nil:
			all = append(all, m.String())
		case errors.As(err, &long):
			all = append(all, long.Error())
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return all
		default:
			t.Fatal(err)
		}
	}
}

// readSlowly is the grammar in its obvious form.
func readSlowly(data []byte, limit int) []string {
	var all []string
	for {
		for bytes.HasPrefix(data, []byte("\n")) || bytes.HasPrefix(data, []byte("\r\n")) {
			data = data[bytes.IndexByte(data, '\n')+1:]
		}
		message, rest, found := strings.Cut(string(data), "\r\n\r\n")
		if !found {
			return all
		}
		if message += "\r\n"; len(message) > limit {
			message = (&SizeError{Size: len(message)}).Error()
		}
		all = append(all, message)
		data = []byte(rest)
	}
}

func TestReaderAgainstSlowReader(t *testing.T) {
	for name, data := range captures(t) {
		want := readSlowly(data, maxMessage)
		if len(want) == 0 {
			t.Fatalf("%s has no messages", name)
		}
		sources := map[string]io.Reader{
			"whole":        bytes.NewReader(data),
			"byte by byte": iotest.OneByteReader(bytes.NewReader(data)),
			"halves":       iotest.HalfReader(bytes.NewReader(data)),
			"with the end": iotest.DataErrReader(bytes.NewReader(data)),
			"random":       splitter{bytes.NewReader(data), rand.New(rand.NewPCG(1, 2)), 700},
		}
		for how, src := range sources {
			if diff := cmp.Diff(want, readAll(t, src, maxMessage)); diff != "" {
				t.Errorf("%s %s (-slow +fast):\n%s", name, how, diff)
			}
		}
	}
}

func TestLookupAgainstAll(t *testing.T) {
	shapes := map[string]int{} // an event is looked at three times
	for name, data := range captures(t) {
		for _, text := range readSlowly(data, maxMessage) {
			m := ParseMessage(text)
			shape := fmt.Sprint(m.Event(), strings.Count(text, "\r\n"))
			if shapes[shape]++; shapes[shape] > 3 {
				continue
			}
			checkLookups(t, name, m)
			var fields []Field
			for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
				header, value, found := strings.Cut(line, ":")
				if !found {
					header, value = "", " "+line
				}
				fields = append(fields, Field{header, strings.TrimPrefix(value, " ")})
			}
			if diff := cmp.Diff(fields, fieldsOf(m)); diff != "" {
				t.Errorf("%s: %q (-slow +fast):\n%s", name, text, diff)
			}
		}
	}
}

func fieldsOf(m Message) []Field {
	var fields []Field
	for name, value := range m.All() {
		fields = append(fields, Field{name, value})
	}
	return fields
}

// checkLookups asks a message for each of its headers in several ways.
func checkLookups(t *testing.T, where string, m Message) {
	t.Helper()
	first := map[string]string{}
	all := map[string][]string{}
	for name, value := range m.All() {
		key := strings.Map(func(r rune) rune {
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			return r
		}, strings.ToValidUTF8(name, "?"))
		if key != strings.ToLower(name) {
			continue // bytes that are no text: equal case is tested elsewhere
		}
		if _, ok := first[key]; !ok {
			first[key] = value
		}
		all[key] = append(all[key], value)
	}
	for name, value := range first {
		for _, spelled := range []string{name, strings.ToUpper(name)} {
			if strings.ToLower(spelled) != name {
				continue // not every letter has a twin
			}
			if got, ok := m.Lookup(spelled); !ok || got != value {
				t.Fatalf("%s: %q in %q is %q, %v, want %q", where, spelled, m, got, ok, value)
			}
			if name != "" {
				if got := string(find([]byte(m.String()), spelled)); got != value {
					t.Fatalf("%s: %q found in %q is %q, want %q", where, spelled, m, got, value)
				}
			}
		}
		if got := m.Values(name); !slices.Equal(got, all[name]) {
			t.Fatalf("%s: %q in %q are %q, want %q", where, name, m, got, all[name])
		}
	}
	if _, ok := m.Lookup("No-such-header"); ok {
		t.Fatalf("%s: %q has what it has not", where, m)
	}
}

func FuzzReader(f *testing.F) {
	for _, data := range captures(f) {
		f.Add(data[len(data)/2:min(len(data)/2+1500, len(data))], uint64(1), 300)
	}
	for _, c := range grammar {
		if len(c.wire) < 1000 {
			f.Add([]byte(c.wire), uint64(4999), 3)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, most int) {
		limit := 1 + int(seed%5000)
		want := readSlowly(data, limit)
		r := rand.New(rand.NewPCG(seed, 1))
		got := readAll(t, splitter{bytes.NewReader(data), r, 1 + max(most, 0)%10_000}, limit)
		if !slices.Equal(want, got) {
			t.Fatalf("(-slow +fast):\n%s", cmp.Diff(want, got))
		}
		for _, text := range got {
			m := ParseMessage(text)
			if m.String() != text {
				t.Fatalf("%q is %q", text, m)
			}
			_ = m.Output()
			_ = m.Event()
			checkLookups(t, "fuzz", m)
			fields := fieldsOf(m)
			if again := fieldsOf(NewMessage(fields...)); !slices.Equal(fields, again) {
				t.Fatalf("%q made again is %q", text, again)
			}
		}
	})
}

func FuzzMessageEnd(f *testing.F) {
	f.Add([]byte("a\r\n\r\n\r\n"))
	f.Add([]byte("abcdefg\r\r\n\r\n"))
	f.Add([]byte("\r\n\r\r\n\n\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for i := range min(len(b), 9) {
			if got, want := messageEnd(b[i:]), bytes.Index(b[i:], []byte("\r\n\r\n")); got != want {
				t.Fatalf("%q ends at %d, want %d", b[i:], got, want)
			}
		}
	})
}

func TestMessageEndEverywhere(t *testing.T) {
	for _, fill := range []byte("x\r\n\x00\xff\x1f ") {
		for size := range 40 {
			for at := range size + 1 {
				b := append(bytes.Repeat([]byte{fill}, at), "\r\n\r\n"...)
				b = append(b, bytes.Repeat([]byte{fill}, size-at)...)
				if got, want := messageEnd(b), bytes.Index(b, []byte("\r\n\r\n")); got != want {
					t.Fatalf("%q ends at %d, want %d", b, got, want)
				}
			}
		}
	}
}

func TestMessageTooLong(t *testing.T) {
	long := "Event: Long\r\nActionID: 1\r\nX: " + strings.Repeat("x", 5<<20) + "\r\n\r\n"
	for _, most := range []int{1 << 30, 100_000} {
		src := strings.NewReader("Event: A\r\n\r\n" + long + "Event: B\r\n\r\n")
		r := NewReader(splitter{src, rand.New(rand.NewPCG(1, 1)), most})
		if m, err := r.Next(); err != nil || m.Event() != "A" {
			t.Fatalf("first: %q, %v", m, err)
		}
		var size *SizeError
		if _, err := r.Next(); !errors.As(err, &size) || size.Size != len(long)-2 || size.Head.Event() != "Long" || size.Head.Get("ActionID") != "1" {
			t.Fatalf("second: %v", err)
		}
		if len(r.buf) > maxMessage+bufferSize {
			t.Errorf("the buffer has %d bytes", len(r.buf))
		}
		if m, err := r.Next(); err != nil || m.Event() != "B" {
			t.Fatalf("third: %q, %v", m, err)
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("end: %v", err)
		}
		if len(r.buf) != bufferSize {
			t.Errorf("the buffer still has %d bytes", len(r.buf))
		}
	}
}

// endless is a message without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestMessageWithoutEnd(t *testing.T) {
	r := NewReader(endless{})
	if _, err := r.Next(); err == nil || len(r.buf) > maxMessage+bufferSize {
		t.Errorf("%d bytes, %v", len(r.buf), err)
	}
}

func TestBanner(t *testing.T) {
	for wire, want := range map[string]string{
		"Asterisk Call Manager/11.0.0\r\n":       "11.0.0",
		"Asterisk Call Manager/5.0.4\n":          "5.0.4",
		"Asterisk Call Manager Proxy/1.2 \r\n":   "1.2",
		"Asterisk Call Manager\r\n":              "",
		"SSH-2.0-OpenSSH\r\n":                    "error",
		"Asterisk Call":                          "error",
		strings.Repeat("x", 5000) + "\r\n":       "error",
		"\r\n":                                   "error",
		"HTTP/1.1 400 Bad Request\r\nServer: \r": "error",
	} {
		r := NewReader(iotest.OneByteReader(strings.NewReader(wire + "Event: A\r\n\r\n")))
		got, err := r.Banner()
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q is %q (%v), want %q", wire, got, err, want)
		}
		if err == nil {
			if m, err := r.Next(); err != nil || m.Event() != "A" {
				t.Errorf("%q is followed by %q, %v", wire, m, err)
			}
		}
	}
}

// grammar holds what a reader must get right, as it stands on the wire, and what it is.
var grammar = []struct {
	name string
	wire string
	want [][]Field
}{
	{"repeated headers keep their order", "Event: E\r\nChanVariable: a=1\r\nVariable: x=y=z\r\nChanVariable: b=\r\n\r\n",
		[][]Field{{{"Event", "E"}, {"ChanVariable", "a=1"}, {"Variable", "x=y=z"}, {"ChanVariable", "b="}}}},
	{"no blank and no value", "Event: E\r\nUserField:\r\nX:y\r\n\r\n", [][]Field{{{"Event", "E"}, {"UserField", ""}, {"X", "y"}}}},
	{"colon and blank in a value", "Event: E\r\nNote: a: b: c\r\n\r\n", [][]Field{{{"Event", "E"}, {"Note", "a: b: c"}}}},
	{"blanks around a value", "Event: E\r\nX:  a \t\r\n\r\n", [][]Field{{{"Event", "E"}, {"X", " a \t"}}}},
	{"UTF-8", "Event: E\r\nCallerIDName: 张三\r\n\r\n", [][]Field{{{"Event", "E"}, {"CallerIDName", "张三"}}}},
	{"bytes that are no UTF-8", "Event: E\r\nX: a\xff\xfe\x80b\r\n\r\n", [][]Field{{{"Event", "E"}, {"X", "a\xff\xfe\x80b"}}}},
	{"value of 70 kB", "Event: E\r\nX: " + strings.Repeat("x", 70_000) + "\r\n\r\n",
		[][]Field{{{"Event", "E"}, {"X", strings.Repeat("x", 70_000)}}}},
	{"value of 2 MB", "Event: E\r\nX: " + strings.Repeat("x", 2_000_000) + "\r\n\r\n",
		[][]Field{{{"Event", "E"}, {"X", strings.Repeat("x", 2_000_000)}}}},
	{"line without a colon", "Event: E\r\nno header\r\nX: y\r\n\r\n", [][]Field{{{"Event", "E"}, {"", "no header"}, {"X", "y"}}}},
	{"bare LF in a value", "Response: Error\r\nMessage: Park action failed\n\r\n\r\nEvent: E\r\n\r\n",
		[][]Field{{{"Response", "Error"}, {"Message", "Park action failed\n"}}, {{"Event", "E"}}}},
	{"bare CR in a value", "Event: E\r\nX: a\rb\r\r\n\r\n", [][]Field{{{"Event", "E"}, {"X", "a\rb\r"}}}},
	{"odd header names", "Event: E\r\na_b: 1\r\nCDR(userfield): 2\r\nX: 3\r\n张: 4\r\n\r\n",
		[][]Field{{{"Event", "E"}, {"a_b", "1"}, {"CDR(userfield)", "2"}, {"X", "3"}, {"张", "4"}}}},
	{"Response: Follows", "Response: Follows\r\nPrivilege: Command\r\nActionID: 1\r\nline: 1\n  line 2\n\n--END COMMAND--\r\n\r\n",
		[][]Field{{{"Response", "Follows"}, {"Privilege", "Command"}, {"ActionID", "1"}, {"line", "1\n  line 2\n\n--END COMMAND--"}}}},
	{"Output lines", "Response: Success\r\nOutput:   two\r\nOutput: \r\nOutput: a: b\r\n\r\n",
		[][]Field{{{"Response", "Success"}, {"Output", "  two"}, {"Output", ""}, {"Output", "a: b"}}}},
	{"empty messages", "\r\nEvent: A\r\n\r\n\r\n\r\n\r\n\n\r\nEvent: B\r\n\r\n\r\n", [][]Field{{{"Event", "A"}}, {{"Event", "B"}}}},
	{"400 headers", "Event: E\r\n" + strings.Repeat("X: y\r\n", 400) + "\r\n",
		[][]Field{append([]Field{{"Event", "E"}}, slices.Repeat([]Field{{"X", "y"}}, 400)...)}},
	{"two Event headers", "Event: VarSet\r\nChannel: a\r\nEvent: Newchannel\r\nChannel: b\r\n\r\n",
		[][]Field{{{"Event", "VarSet"}, {"Channel", "a"}, {"Event", "Newchannel"}, {"Channel", "b"}}}},
	{"torn at the start", "guage: en\r\nUniqueid: 1\r\n\r\nEvenEvent: E\r\nX: y\r\n\r\n",
		[][]Field{{{"guage", "en"}, {"Uniqueid", "1"}}, {{"EvenEvent", "E"}, {"X", "y"}}}},
	{"line of a colon", "Event: E\r\n:x\r\n:\r\n\r\n", [][]Field{{{"Event", "E"}, {"", ":x"}, {"", ":"}}}},
}

func TestGrammar(t *testing.T) {
	for _, c := range grammar {
		t.Run(c.name, func(t *testing.T) {
			for _, most := range []int{1 << 30, 1, 2, 3, 7} {
				if most < 7 && len(c.wire) > 100_000 {
					continue
				}
				var got [][]Field
				src := splitter{strings.NewReader(c.wire), rand.New(rand.NewPCG(1, 1)), most}
				for _, text := range readAll(t, src, maxMessage) {
					got = append(got, fieldsOf(ParseMessage(text)))
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("pieces of %d (-want +got):\n%s", most, diff)
				}
			}
		})
	}
}

func TestMessage(t *testing.T) {
	m := ParseMessage("Event: Cdr\r\nUniqueID: 1.2\r\nuniqueid: 3\r\nno header\r\n\r\n")
	if m.Event() != "Cdr" || m.Get("Uniqueid") != "1.2" || m.Get("UNIQUEID") != "1.2" || m.Get("") != "no header" {
		t.Errorf("%q is read wrong", m)
	}
	if _, ok := m.Lookup("Unique"); ok {
		t.Error("a part of a name was found")
	}
	for text, want := range map[string]string{
		"": "", "\r\n": "", "\r\n\r\n": "", "Event: A": "A", "event: A\r\n": "A", "X: y\r\nEvent: A": "A",
		"Response: Success\r\nEvent: Fake": "", "Event: Two words": "Two words", "Event:A": "A", "Event: ": "",
	} {
		if got := ParseMessage(text).Event(); got != want {
			t.Errorf("event of %q is %q, want %q", text, got, want)
		}
	}
	if !(Message{}).IsZero() || !ParseMessage("\r\n\r\n").IsZero() || m.IsZero() {
		t.Error("IsZero is wrong")
	}
	for range (Message{}).All() {
		t.Error("the zero Message has headers")
	}
}

func TestOutput(t *testing.T) {
	for text, want := range map[string][]string{
		"Response: Success\r\nMessage: Command output follows\r\nOutput:   a\r\nOutput: \r\nOutput: b\r\n": {"  a", "", "b"},
		"Response: Follows\r\nPrivilege: Command\r\nActionID: 1\r\nA: 1\n  b\n--END COMMAND--\r\n":         {"A: 1", "  b"},
		"Response: Follows\r\nPrivilege: Command\r\n--END COMMAND--\r\n":                                   nil,
		"Response: Success\r\n": nil,
	} {
		if diff := cmp.Diff(want, ParseMessage(text).Output()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func FuzzAction(f *testing.F) {
	f.Add("Setvar", "Value", "x\r\n\r\nAction: Ping", "id-1")
	f.Add("Originate", "Variable", "a=b", "t-2")
	f.Fuzz(func(t *testing.T, name, field, value, id string) {
		a := NewAction(name, field, value, "Last", "1")
		wire, err := a.encode(id)
		var refused *FieldError
		if errors.As(err, &refused) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		got := readAll(t, bytes.NewReader(wire), maxMessage)
		if len(got) != 1 {
			t.Fatalf("%q is %d messages", wire, len(got))
		}
		fields := fieldsOf(ParseMessage(got[0]))
		want := []Field{{"Action", name}, {"ActionID", id}, {field, value}, {"Last", "1"}}
		if diff := cmp.Diff(want, fields); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", wire, diff)
		}
		for i, f := range fields {
			if len(fmt.Sprintf("%s: %s", f.Name, f.Value)) > 1022 {
				t.Fatalf("line %d is too long", i)
			}
		}
	})
}

func TestAction(t *testing.T) {
	a := NewAction("Originate", "Variable", "a=1")
	b := a.With("Variable", "b=2")
	c := a.With("variable", "c=3")
	if len(a.Fields) != 1 || b.Get("VARIABLE") != "a=1" || !slices.Equal(c.Values("Variable"), []string{"a=1", "c=3"}) {
		t.Errorf("%v, %v, %v", a, b, c)
	}
	if diff := cmp.Diff(b, ParseAction(ParseMessage("Action: Originate\r\nVariable: a=1\r\nVariable: b=2\r\n\r\n"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	defer func() {
		if recover() == nil {
			t.Error("a name without a value passed")
		}
	}()
	odd := strings.Fields("x")
	NewAction("Ping", odd...)
}

// streamed returns the items that a link makes of what src yields, with calls that wait for the ActionIDs "call" and
// "list".
func streamed(t testing.TB, src io.Reader) []string {
	t.Helper()
	c := New(Options{Want: func(event string) bool { return event != "VarSet" }})
	c.reader = NewReader(src)
	c.reader.limit = 5000
	c.reader.buf = make([]byte, 64)
	l := newLink(&socket{}, c.o)
	l.submit(&call{id: "call", done: make(chan struct{})})
	list := &call{id: "list", list: true, done: make(chan struct{})}
	l.submit(list)
	var b batch
	for {
		err := c.sortAll(l, time.Time{}, &b)
		if err == nil {
			err = c.reader.fill()
		}
		if err != nil {
			break
		}
	}
	l.fail(io.EOF)
	if int(l.waiting.Load()) != 0 || l.lists.Load() != 0 || len(l.calls) != 0 {
		t.Fatal("calls are left behind")
	}
	var all []string
	for _, i := range b.items {
		all = append(all, fmt.Sprint(i.Gap, i.Message))
	}
	for _, m := range list.items {
		all = append(all, "list "+m.String())
	}
	return append(all, fmt.Sprint(list.err))
}

func FuzzStream(f *testing.F) {
	f.Add([]byte("Event: VarSet\r\nX: yEvent: A\r\nPrivilege: a\r\n\r\nResponse: Success\r\nActionID: call\r\n\r\n"), uint64(1))
	f.Add([]byte("Response: Success\r\nActionID: list\r\nEventList: start\r\n\r\nEvent: A\r\nActionID: list\r\n\r\n"+
		"Event: ACoResponse: Error\r\nActionID: call\r\n\r\nEvent: AComplete\r\nActionID: list\r\n\r\n"), uint64(2))
	data := captures(f)["16-channelvars.ami"]
	for i := 0; i+2000 < len(data); i += 2000 {
		f.Add(data[i:i+2000], uint64(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		whole := streamed(t, bytes.NewReader(data))
		r := rand.New(rand.NewPCG(seed, 1))
		pieces := streamed(t, splitter{bytes.NewReader(data), r, 1 + int(seed%100)})
		if !slices.Equal(whole, pieces) {
			t.Fatalf("(-whole +pieces):\n%s", cmp.Diff(whole, pieces))
		}
	})
}
