package pbx

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
)

// asterisk is what Asterisk does with the filters that it is asked for: a dot of its expressions is a line end too.
func asterisk(t *testing.T) (sends func(ami.Message) bool) {
	t.Helper()
	var out []*regexp.Regexp
	for _, filter := range ami.Filters(Excluded()) {
		expression, excludes := strings.CutPrefix(filter, "!")
		if !excludes {
			t.Fatalf("%s lets through nothing but what it names", filter)
		}
		out = append(out, regexp.MustCompile("(?s)"+expression))
	}
	return func(m ami.Message) bool {
		for _, re := range out {
			if re.MatchString(m.String()) {
				return false
			}
		}
		return true
	}
}

// matters reports whether an event may change the picture.
func matters(m ami.Message) bool {
	return Wanted(m.Event()) && (m.Event() != "VarSet" || variables[m.Get("Variable")] != nil)
}

// TestNothingThatMattersIsExcluded fails for a handler of an event, or of a variable, that Asterisk is asked to keep back.
func TestNothingThatMattersIsExcluded(t *testing.T) {
	sends := asterisk(t)
	event := func(name string, nameValue ...string) ami.Message {
		fields := ami.NewAction("", append([]string{"Event", name, "Privilege", "call,all", "Channel", "PJSIP/801-00000001"}, nameValue...)...).Fields
		return ami.NewMessage(fields...)
	}
	names := []string{"FullyBooted", "Reload", "Shutdown", "AnEventOfTomorrow"}
	for name := range appliers {
		names = append(names, name)
	}
	for _, name := range names {
		if m := event(name, "Variable", "MIXMONITOR_FILENAME"); !sends(m) {
			t.Errorf("excluded:\n%s", m)
		}
	}
	for name := range variables {
		// What else is in the event, such as a name that a caller has given himself, does not matter.
		if m := event("VarSet", "CallerIDName", "Variable: ABC", "Variable", name, "Value", "Variable: ABC"); !sends(m) {
			t.Errorf("excluded:\n%s", m)
		}
	}
	for _, m := range []ami.Message{
		event("VarSet", "Variable", "DIALSTATUS", "Value", "ANSWER"), event("VarSet", "Variable", "MACRO_EXTEN", "Value", "Variable: VMSTATUS"),
		event("VarSet", "Variable", "", "Value", ""), event("VarSet", "Variable", "M"), event("RTCPSent"), event("DialState"),
	} {
		if sends(m) {
			t.Errorf("not excluded:\n%s", m)
		}
	}
	if sends(event("RTCPSentTwice")) != true {
		t.Error("an event is excluded for how its name begins")
	}
}

// TestExclusionsFollowWhatIsWanted holds that an event is let through as soon as there is a handler for it.
func TestExclusionsFollowWhatIsWanted(t *testing.T) {
	appliers["DialState"], variables["DIALSTATUS"] = (*state).update, (*state).refused
	defer func() { delete(appliers, "DialState"); delete(variables, "DIALSTATUS") }()
	for _, x := range Excluded() {
		if x.Event == "DialState" {
			t.Error("DialState is excluded although it is wanted")
		}
	}
	m := ami.NewMessage(ami.NewAction("", "Event", "VarSet", "Channel", "x", "Variable", "DIALSTATUS").Fields...)
	if !asterisk(t)(m) {
		t.Error("DIALSTATUS is excluded although it is handled")
	}
}

// TestTranscriptsWithoutTheExcluded tells the same of each capture when Asterisk keeps back what it is asked to.
func TestTranscriptsWithoutTheExcluded(t *testing.T) {
	sends := asterisk(t)
	files, err := filepath.Glob(filepath.Join(captures, "*.ami"))
	if err != nil || len(files) < 40 {
		t.Fatalf("captures: %v, %d files", err, len(files))
	}
	kept, dropped := 0, 0
	for _, f := range files {
		_, all := replay(t, f, nil)
		_, sifted := sift(t, f, nil, func(m ami.Message) bool {
			if sends(m) {
				kept++
				return true
			}
			dropped++
			if matters(m) {
				t.Errorf("%s: excluded:\n%s", f, m)
			}
			return false
		})
		if diff := gocmp.Diff(story(all), story(sifted)); diff != "" {
			t.Errorf("%s (-with all +without the excluded):\n%s", f, diff)
		}
	}
	t.Logf("%d of %d events excluded", dropped, kept+dropped)
	if dropped == 0 {
		t.Error("nothing is excluded")
	}
}

// TestExclusionsSpareTwoThirds counts over the stream of a busy Asterisk.
func TestExclusionsSpareTwoThirds(t *testing.T) {
	f, err := os.Open(filepath.Join(captures, "../load22.ami.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	sends := asterisk(t)
	events, bytes, droppedEvents, droppedBytes := 0, 0, 0, 0
	r := ami.NewReader(z)
	if _, err := r.Banner(); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.Event() == "" {
			continue
		}
		size := len(m.String()) + len("\r\n")
		events, bytes = events+1, bytes+size
		if !sends(m) {
			droppedEvents, droppedBytes = droppedEvents+1, droppedBytes+size
			if matters(m) {
				t.Errorf("excluded:\n%s", m)
			}
		}
	}
	t.Logf("%d of %d events excluded, %d of %d bytes", droppedEvents, events, droppedBytes, bytes)
	if droppedEvents*3 < events*2 || droppedBytes*3 < bytes*2 {
		t.Error("that is less than two thirds")
	}
}
