package pbx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// line is a row of Master.csv as cdr_csv writes it.
func line(id, src, dst string) string {
	return fmt.Sprintf(`"","%s","%s","from-internal","""Ann \""A\"""" <%s>","PJSIP/%s-00000001","PJSIP/%s-00000002","Dial","PJSIP/%s,30","2026-11-21 22:00:00","2026-11-21 22:00:01","2026-11-21 22:00:05",5,4,"ANSWERED","DOCUMENTATION","%s",""`+"\n",
		src, dst, src, src, dst, dst, id)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func ids(list []CDR) string {
	var s []string
	for _, r := range list {
		s = append(s, r.UniqueID)
	}
	return strings.Join(s, " ")
}

func TestMissedRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Master.csv")
	from := position{}
	step := func(what, want string) {
		t.Helper()
		list, to, err := missed(path, from, maxRecords)
		if err != nil || ids(list) != want {
			t.Errorf("%s: read %q, %v; want %q", what, ids(list), err, want)
		}
		from = to
	}
	step("no file", "")
	write(t, path, line("1.1", "801", "802"))
	step("the first record of all", "1.1")
	if list, to, err := missed(path, position{}, maxRecords); len(list) != 0 || to != from || err != nil {
		t.Errorf("the first time nothing is old: %v, %+v, %v", list, to, err)
	}
	write(t, path, line("2.1", "801", "802")+line("3.1", "803", "804"))
	step("two more", "2.1 3.1")
	step("nothing new", "")
	half := line("4.1", "801", "802")
	write(t, path, half[:40])
	step("a line that is being written", "")
	write(t, path, half[40:])
	step("and is whole", "4.1")
	write(t, path, "rubbish \"\n"+strings.Replace(line("x", "801", "802"), `,"x",""`, "", 1)+line("5.1", "801", "802"))
	step("rubbish and a record without an id", "5.1")
	write(t, path, line("6.1", "801", "802"))
	one := int64(len(line("6.1", "801", "802")))
	write(t, path, line("6.2", "801", "802"))
	end, err := endOf(path)
	if err != nil {
		t.Fatal(err)
	}
	if list, to, err := missed(path, from, one+5); !errors.Is(err, errTooMany) || ids(list) != "6.1" || to != end {
		t.Errorf("more than is read: %q, %+v, %v", ids(list), to, err)
	}
	if err := os.Truncate(path, end.offset-one); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, path, line("7.1", "801", "802"))
	step("rotated", "6.1 7.1")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	write(t, path, line("8", "1", "2"))
	step("truncated", "8")
}

func TestRecordOfARow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Master.csv")
	write(t, path, line("1.1", "801", "802"))
	list, _, err := readRecords(path, 0, maxRecords)
	want := CDR{
		UniqueID: "1.1", CallerID: `"Ann \"A\"" <801>`, Source: "801", Destination: "802", DestinationContext: "from-internal",
		Channel: "PJSIP/801-00000001", DestinationChannel: "PJSIP/802-00000002", LastApplication: "Dial", LastData: "PJSIP/802,30",
		Start: "2026-11-21 22:00:00", Answer: "2026-11-21 22:00:01", End: "2026-11-21 22:00:05", Duration: "5", Billable: "4", Disposition: "ANSWERED",
	}
	if err != nil || len(list) != 1 || list[0] != want {
		t.Errorf("read %+v, %v\nwant %+v", list, err, want)
	}
}

// TestPlaceIsKeptUp holds that only what stood in the file a look ago counts as told.
func TestPlaceIsKeptUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Master.csv")
	write(t, path, line("1.1", "801", "802"))
	first, err := endOf(path)
	if err != nil {
		t.Fatal(err)
	}
	r := recordFile{path: path}
	now := time.Unix(1795286000, 0)
	r.look(now)
	if r.changed {
		t.Error("the first look cannot know what was told")
	}
	write(t, path, line("2.1", "801", "802"))
	r.look(now.Add(lookEvery / 2))
	r.look(now.Add(lookEvery))
	if !r.changed || r.told != first {
		t.Errorf("told %+v, want %+v", r.told, first)
	}
}

// TestRecordsOfAGap holds that records which Asterisk wrote while the link was down are told, tied to their calls.
func TestRecordsOfAGap(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "Master.csv")
	write(t, path, line("0.1", "801", "802"))
	f := newFake(t)
	f.channels = []ami.Message{row("CoreShowChannel", "PJSIP/801-00000001", "1.1", "1.0", "6")}
	f.csv = path
	r := newRig(t, f, filepath.Join(dir, "a.db"))
	r.until(isStart)
	r.complete()
	write(t, path, line("1.1", "801", "802")+line("9.9", "803", "804"))
	f.set(func() { f.channels = nil })
	f.Drop()
	var got []string
	r.until(func(e Event) bool {
		if c, ok := e.(CallRecorded); ok {
			got = append(got, string(c.Call)+" "+c.CDR.UniqueID)
		}
		return len(got) == 2
	})
	if got[0] != "1.0 1.1" || got[1] != "9.9 9.9" {
		t.Errorf("records %q", got)
	}
}
