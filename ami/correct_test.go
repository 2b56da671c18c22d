package ami_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

const (
	kilo70     = 70_000
	mega2      = 2_000_000
	messageCap = 4 << 20 // of a whole message, bytes
	newchannel = "Event: Newchannel\r\nPrivilege: call,all\r\nChannel: PJSIP/802-71\r\nUniqueid: 2\r\n"
)

// rows is what clients of the manager interface lose or mangle. Each row is on the wire what its name says.
var rows = []struct {
	name string
	wire string
	want [][]ami.Field // what a Reader makes of it, message for message
	// events is what comes out of Client.Stream, as texts; nil is all of want that is no response.
	events []string
}{
	{"repeated ChanVariable and Variable, order kept",
		"Event: E\r\nChanVariable: a=b=c\r\nVariable: x\r\nChanVariable: d\r\nVariable: \r\nChanVariable: a=b=c\r\n\r\n",
		[][]ami.Field{{{"Event", "E"}, {"ChanVariable", "a=b=c"}, {"Variable", "x"}, {"ChanVariable", "d"}, {"Variable", ""}, {"ChanVariable", "a=b=c"}}}, nil},
	{"name and colon with no blank and no value", "Event: E\r\nUserField:\r\nX:y\r\n\r\n",
		[][]ami.Field{{{"Event", "E"}, {"UserField", ""}, {"X", "y"}}}, nil},
	{"value with colon and blank", "Event: E\r\nNote: a: b: c:\r\n\r\n", [][]ami.Field{{{"Event", "E"}, {"Note", "a: b: c:"}}}, nil},
	{"blanks around a value", "Event: E\r\nX:  a \t\r\nY: \r\nZ:   \r\n\r\n",
		[][]ami.Field{{{"Event", "E"}, {"X", " a \t"}, {"Y", ""}, {"Z", "  "}}}, nil},
	{"CR LF split over reads", "Event: E\r\nX: y\r\n\r\nEvent: F\r\n\r\n", [][]ami.Field{{{"Event", "E"}, {"X", "y"}}, {{"Event", "F"}}}, nil},
	{"UTF-8 character split over reads", "Event: E\r\nCallerIDName: 张三 😀\r\n张: x\r\n\r\n",
		[][]ami.Field{{{"Event", "E"}, {"CallerIDName", "张三 😀"}, {"张", "x"}}}, nil},
	{"bytes that are no UTF-8", "Event: E\r\nX: \xff\xfea\x80\r\n\xc3: \x00\r\n\r\n",
		[][]ami.Field{{{"Event", "E"}, {"X", "\xff\xfea\x80"}, {"\xc3", "\x00"}}}, nil},
	{"value of 70 kB", "Event: E\r\nX: " + strings.Repeat("x", kilo70) + "\r\nY: z\r\n\r\n",
		[][]ami.Field{{{"Event", "E"}, {"X", strings.Repeat("x", kilo70)}, {"Y", "z"}}}, nil},
	{"value of 2 MB", "Event: E\r\nX: " + strings.Repeat("x", mega2) + "\r\nY: z\r\n\r\n",
		[][]ami.Field{{{"Event", "E"}, {"X", strings.Repeat("x", mega2)}, {"Y", "z"}}}, nil},
	{"message as long as the cap", "Event: E\r\nX: " + strings.Repeat("x", messageCap-len("Event: E\r\nX: \r\n")) + "\r\n\r\n",
		[][]ami.Field{{{"Event", "E"}, {"X", strings.Repeat("x", messageCap-len("Event: E\r\nX: \r\n"))}}}, nil},
	{"line with no colon", "Event: E\r\nno colon\r\nX: y\r\n:z\r\n\r\n", [][]ami.Field{{{"Event", "E"}, {"", "no colon"}, {"X", "y"}, {"", ":z"}}}, nil},
	{"bare LF in a value", "Event: E\r\nX: a\nb\n\r\nY: z\r\n\r\n", [][]ami.Field{{{"Event", "E"}, {"X", "a\nb\n"}, {"Y", "z"}}}, nil},
	{"bare CR in a value", "Event: E\r\nX: a\rb\r\r\nY: z\r\n\r\n", [][]ami.Field{{{"Event", "E"}, {"X", "a\rb\r"}, {"Y", "z"}}}, nil},
	{"two bare LF in a value", "Event: E\r\nX: a\n\nb\r\nY: z\r\n\r\n", [][]ami.Field{{{"Event", "E"}, {"X", "a\n\nb"}, {"Y", "z"}}}, nil},
	{"header name with _ or ( or of one letter", "Event: E\r\na_b: 1\r\nCDR(user field): 2\r\nX: 3\r\n-: 4\r\n a : 5\r\n\r\n",
		[][]ami.Field{{{"Event", "E"}, {"a_b", "1"}, {"CDR(user field)", "2"}, {"X", "3"}, {"-", "4"}, {" a ", "5"}}}, nil},
	{"Response: Follows", "Response: Follows\r\nPrivilege: Command\r\nline: 1\n  2\n--END COMMAND--\r\n\r\nEvent: E\r\n\r\n",
		[][]ami.Field{{{"Response", "Follows"}, {"Privilege", "Command"}, {"line", "1\n  2\n--END COMMAND--"}}, {{"Event", "E"}}}, nil},
	{"Output lines", "Response: Success\r\nOutput:   a: b\r\nOutput: \r\nOutput: c \r\n\r\nEvent: E\r\n\r\n",
		[][]ami.Field{{{"Response", "Success"}, {"Output", "  a: b"}, {"Output", ""}, {"Output", "c "}}, {{"Event", "E"}}}, nil},
	{"empty message between events", "\r\n\r\nEvent: E\r\n\r\n\r\n\r\n\r\n\n\r\nEvent: F\r\n\r\n\r\n",
		[][]ami.Field{{{"Event", "E"}}, {{"Event", "F"}}}, nil},
	{"400 headers", "Event: E\r\n" + strings.Repeat("X: y\r\n", 400) + "\r\n",
		[][]ami.Field{append([]ami.Field{{"Event", "E"}}, slices.Repeat([]ami.Field{{"X", "y"}}, 400)...)}, nil},
	{"UniqueID found as Uniqueid", "Event: Cdr\r\nUniqueID: 1.2\r\nuniqueid: 3\r\n\r\n",
		[][]ami.Field{{{"Event", "Cdr"}, {"UniqueID", "1.2"}, {"uniqueid", "3"}}}, nil},
	{"message with two Event headers", "Event: E\r\nX: y\r\nEvent: F\r\nZ: y\r\n\r\n",
		[][]ami.Field{{{"Event", "E"}, {"X", "y"}, {"Event", "F"}, {"Z", "y"}}}, nil},
	{"torn message", "guage: en\r\nUniqueid: 1\r\n\r\n", [][]ami.Field{{{"guage", "en"}, {"Uniqueid", "1"}}}, nil},
	{"event cut in a line by an event", "EvenEvent: E\r\nPrivilege: call,all\r\nX: y\r\n\r\n",
		[][]ami.Field{{{"EvenEvent", "E"}, {"Privilege", "call,all"}, {"X", "y"}}}, []string{"Event: E\r\nPrivilege: call,all\r\nX: y\r\n"}},
	// As a real exchange does it under channelvars with functions.
	{"event cut by an event", "Event: VarSet\r\nPrivilege: dialplan,all\r\nChannel: PJSIP/801-70\r\nUniq" + newchannel + "\r\n",
		[][]ami.Field{{{"Event", "VarSet"}, {"Privilege", "dialplan,all"}, {"Channel", "PJSIP/801-70"}, {"UniqEvent", "Newchannel"},
			{"Privilege", "call,all"}, {"Channel", "PJSIP/802-71"}, {"Uniqueid", "2"}}},
		[]string{"Event: VarSet\r\nPrivilege: dialplan,all\r\nChannel: PJSIP/801-70\r\n", newchannel}},
	{"UserEvent with a false event in it", "Event: UserEvent\r\nPrivilege: user,all\r\nEvent: Hangup\r\nPrivilege: call,all\r\n\r\n",
		[][]ami.Field{{{"Event", "UserEvent"}, {"Privilege", "user,all"}, {"Event", "Hangup"}, {"Privilege", "call,all"}}}, nil},
	{"answers that nobody has asked for", "Response: Success\r\nActionID: nobody\r\n\r\nResponse: Error\r\nMessage: Permission denied\r\n\r\n",
		[][]ami.Field{{{"Response", "Success"}, {"ActionID", "nobody"}}, {{"Response", "Error"}, {"Message", "Permission denied"}}}, []string{}},
}

// pieces returns the ways in which bytes come in: sources for a Reader.
func pieces(wire string) map[string]io.Reader {
	all := map[string]io.Reader{
		"whole":        strings.NewReader(wire),
		"with the end": iotest.DataErrReader(strings.NewReader(wire)),
		"in halves":    iotest.HalfReader(strings.NewReader(wire)),
	}
	if len(wire) < messageCap {
		all["byte by byte"] = iotest.OneByteReader(strings.NewReader(wire))
	}
	return all
}

// fieldsOf lists the headers of a message.
func fieldsOf(m ami.Message) []ami.Field {
	var fields []ami.Field
	for name, value := range m.All() {
		fields = append(fields, ami.Field{Name: name, Value: value})
	}
	return fields
}

func TestReaderCorrectness(t *testing.T) {
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			for how, src := range pieces(row.wire) {
				var got [][]ami.Field
				r := ami.NewReader(src)
				m, err := r.Next()
				for ; err == nil; m, err = r.Next() {
					got = append(got, fieldsOf(m))
				}
				if diff := cmp.Diff(row.want, got); diff != "" || !errors.Is(err, io.EOF) {
					t.Errorf("%s: %v (-want +got):\n%s", how, err, diff)
				}
			}
		})
	}
}

func TestViewCorrectness(t *testing.T) {
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			for how, src := range pieces(row.wire) {
				var got [][]ami.Field
				r := ami.NewReader(src)
				f, err := r.View()
				for ; err == nil; f, err = r.View() {
					var fields []ami.Field
					for name, value := range f.All() {
						fields = append(fields, ami.Field{Name: string(name), Value: string(value)})
					}
					got = append(got, fields)
				}
				if diff := cmp.Diff(row.want, got); diff != "" || !errors.Is(err, io.EOF) {
					t.Errorf("%s: %v (-want +got):\n%s", how, err, diff)
				}
			}
		})
	}
}

// TestCorrectness sends each row through a client, whole and in small writes, between two events that must stay whole.
func TestCorrectness(t *testing.T) {
	for _, row := range rows {
		want := row.events
		if want == nil {
			for _, fields := range row.want {
				if m := ami.NewMessage(fields...); fields[0].Name != "Response" {
					want = append(want, m.String())
				}
			}
		}
		t.Run(row.name, func(t *testing.T) {
			for _, split := range []int{0, 1, 2, 3, 4, 5, 6, 7} {
				if split > 0 && len(row.wire) > 10_000 {
					continue
				}
				srv := amitest.Start(t)
				r := up(t, srv.Options())
				srv.Split(split)
				srv.Send("Event: Before\r\n\r\n" + row.wire + "Event: After\r\n\r\n")
				r.expectEvent(t, "Before")
				var got []string
				for {
					i := r.expect(t, ami.ItemEvent)
					if i.Message.Event() == "After" {
						break
					}
					got = append(got, ami.NewMessage(fieldsOf(i.Message)...).String())
				}
				if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
					t.Errorf("writes of %d (-want +got):\n%s", split, diff)
				}
			}
		})
	}
}

// TestCaseOfNames: Asterisk itself writes Uniqueid, UniqueID and uniqueid.
func TestCaseOfNames(t *testing.T) {
	const wire = "Event: Cdr\r\nUniqueID: 1.2\r\nuniqueid: 3\r\n\r\n"
	m := ami.ParseMessage(wire)
	f, err := ami.NewReader(strings.NewReader(wire)).View()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Uniqueid", "UniqueID", "UNIQUEID"} {
		if m.Get(name) != "1.2" || string(f.Get(name)) != "1.2" || !slices.Equal(m.Values(name), []string{"1.2", "3"}) {
			t.Errorf("%s is %q, %q and %q", name, m.Get(name), f.Get(name), m.Values(name))
		}
	}
}

// TestCommandOutput asks for both forms in which Asterisk gives what a command has printed.
func TestCommandOutput(t *testing.T) {
	srv := amitest.Start(t)
	r := up(t, srv.Options())
	for name, answer := range map[string]string{
		"Response: Follows": "Response: Follows\r\nPrivilege: Command\r\nActionID: %\r\n  a: b\n\nEvent: c \n--END COMMAND--\r\n\r\n",
		"Output lines":      "Response: Success\r\nActionID: %\r\nMessage: Command output follows\r\nOutput:   a: b\r\nOutput: \r\nOutput: Event: c \r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			srv.Handle("Command", func(s *amitest.Session, a ami.Action) {
				s.Send(strings.ReplaceAll(answer, "%", a.Get("ActionID")))
			})
			m, err := r.Do(t.Context(), ami.NewAction("Command", "Command", "core show version"))
			if diff := cmp.Diff([]string{"  a: b", "", "Event: c "}, m.Output()); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestEventsInTheSegmentOfTheLoginAnswer sends the answer to the login and what follows it in one write, as Asterisk does.
func TestEventsInTheSegmentOfTheLoginAnswer(t *testing.T) {
	bubble(t, amitest.Options{NoEvents: true}, func(t *testing.T, srv *amitest.Server) {
		srv.Handle("Login", func(s *amitest.Session, a ami.Action) {
			synctest.Wait() // what was queued before is on its way, so that this is one write
			s.Send("Response: Success\r\nActionID: " + a.Get("ActionID") + "\r\nMessage: Authentication accepted\r\n\r\n" +
				"Event: FullyBooted\r\nStatus: Fully Booted\r\n\r\nEvent: SuccessfulAuth\r\nService: AMI\r\n\r\n")
		})
		r := run(t, srv.Options())
		r.expect(t, ami.ItemConnected)
		a, b := r.expect(t, ami.ItemEvent), r.expect(t, ami.ItemEvent)
		if a.Message.Event() != "FullyBooted" || b.Message.Event() != "SuccessfulAuth" || !a.At.Equal(b.At) {
			t.Errorf("events are %q and %q", a.Message, b.Message)
		}
	})
}
