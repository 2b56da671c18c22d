package pbx

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami/amitest"
)

// key is what two records of one call must agree in.
type key struct{ UniqueID, Source, Destination, DestinationChannel, Disposition, CallerID string }

func keyOf(c CDR) key {
	return key{c.UniqueID, c.Source, c.Destination, c.DestinationChannel, c.Disposition, c.CallerID}
}

// TestComposedRecords holds that a composed record agrees with the first one that Asterisk itself wrote of the call.
func TestComposedRecords(t *testing.T) {
	for _, name := range []string{"internal", "internal-busy", "internal-cancel", "internal-noanswer", "internal-unregistered", "internal-reject603"} {
		for _, version := range []string{"16", "22"} {
			t.Run(version+"-"+name, func(t *testing.T) {
				path := filepath.Join(captures, version+"-"+name+".ami")
				var want []key
				seen := map[string]bool{}
				for _, m := range amitest.Transcript(t, path) {
					if r := parseCDR(m); m.Event() == "Cdr" && !seen[r.UniqueID] {
						seen[r.UniqueID] = true
						want = append(want, keyOf(r))
					}
				}
				if len(want) == 0 {
					t.Fatal("the capture has no record")
				}
				_, events := replay(t, path, func(s *state) { s.cdrs = cdrComposed })
				var got []key
				for _, o := range events {
					if e, ok := o.Event.(CallRecorded); ok && !seen["composed "+e.CDR.UniqueID] {
						seen["composed "+e.CDR.UniqueID] = true
						got = append(got, keyOf(e.CDR))
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("records (-asterisk +composed):\n%s", diff)
				}
			})
		}
	}
}

func compositionState(source cdrSource) *state {
	rules := testRules()
	s := newState(&rules)
	s.cdrs, s.at = source, time.Unix(1795286000, 0)
	return s
}

func records(s *state) (list []CDR) {
	for _, o := range s.out {
		if e, ok := o.Event.(CallRecorded); ok {
			list = append(list, e.CDR)
		}
	}
	return list
}

// TestRecordOfACallThatRangNobody holds that such a call has a record although Asterisk, by its default, drops it.
func TestRecordOfACallThatRangNobody(t *testing.T) {
	for source, want := range map[cdrSource]int{cdrManager: 0, cdrAnswered: 1, cdrComposed: 1} {
		s := compositionState(source)
		at := s.at
		s.apply(row("Newchannel", "PJSIP/801-00000001", "1.1", "1.1", "4"), at)
		s.apply(row("Hangup", "PJSIP/801-00000001", "1.1", "1.1", "4", "Cause", "3"), at.Add(2*time.Second))
		got := records(s)
		if len(got) != want {
			t.Fatalf("source %d: %d records, want %d", source, len(got), want)
		}
		if want == 1 && (got[0].Disposition != "FAILED" || got[0].Duration != "2" || got[0].Answer != "" || got[0].Destination != "802") {
			t.Errorf("record = %+v", got[0])
		}
	}
}

// TestRecordOfAnOrderedCall holds that an ordered call whose first phone does not answer is recorded with the number it
// was meant for.
func TestRecordOfAnOrderedCall(t *testing.T) {
	s := compositionState(cdrAnswered)
	s.asked["c1"] = order{from: "801", number: "803", at: s.at}
	at := s.at
	s.apply(amitest.NewEvent("Newchannel", "Channel", "PJSIP/801-00000001", "Uniqueid", "c1", "Linkedid", "c1", "ChannelState", "0", "Context", "internal", "Exten", "s", "CallerIDNum", "801"), at)
	s.apply(amitest.NewEvent("DialBegin", "DestChannel", "PJSIP/801-00000001", "DestUniqueid", "c1", "DestLinkedid", "c1", "DestCallerIDNum", "801", "DialString", "801"), at)
	s.apply(amitest.NewEvent("DialEnd", "DestChannel", "PJSIP/801-00000001", "DestUniqueid", "c1", "DestLinkedid", "c1", "DestCallerIDNum", "801", "DialStatus", "BUSY"), at)
	s.apply(amitest.NewEvent("Hangup", "Channel", "PJSIP/801-00000001", "Uniqueid", "c1", "Linkedid", "c1", "ChannelState", "0", "CallerIDNum", "801", "Cause", "17"), at)
	got := records(s)
	if len(got) != 1 || got[0].Disposition != "BUSY" || got[0].Source != "801" || got[0].Destination != "803" {
		t.Fatalf("records = %+v", got)
	}
}

// TestRecordWhenNobodySays holds that a record is composed after a while when it cannot be asked whether Asterisk tells
// its own, and that it is not when one comes.
func TestRecordWhenNobodySays(t *testing.T) {
	s := compositionState(cdrUnknown)
	at := s.at
	call := func(id string) {
		s.apply(row("Newchannel", "PJSIP/801-00000001", id, id, "4"), at)
		s.apply(row("Hangup", "PJSIP/801-00000001", id, id, "4", "Cause", "16"), at)
	}
	call("1.1")
	s.tick(at.Add(cdrPatience - time.Millisecond))
	if got := records(s); len(got) != 0 {
		t.Fatalf("too early: %+v", got)
	}
	s.tick(at.Add(cdrPatience))
	if got := records(s); len(got) != 1 || got[0].UniqueID != "1.1" {
		t.Fatalf("records = %+v", got)
	}
	call("2.1")
	s.apply(amitest.NewEvent("Cdr", "UniqueID", "2.1", "Source", "801", "Destination", "802", "Disposition", "NO ANSWER"), at)
	s.tick(at.Add(time.Hour))
	if got := records(s); len(got) != 2 || got[1].UniqueID != "2.1" {
		t.Fatalf("records = %+v", got)
	}
}

// TestUnreadRecords: a gap whose records cannot be read is told, with the moment at which Asterisk was last heard.
func TestUnreadRecords(t *testing.T) {
	for _, c := range []struct {
		name   string
		seen   time.Time
		unread string
		want   int
	}{
		{"a gap", time.Unix(100, 0), "permission denied", 1},
		{"records were read", time.Unix(100, 0), "", 0},
		{"the first start", time.Time{}, "permission denied", 0},
	} {
		rules := testRules()
		st := newState(&rules)
		st.seen = c.seen
		st.reconcile(&snapshot{hasChannels: true, unread: c.unread}, fates{}, time.Unix(200, 0))
		n := 0
		for _, o := range st.out {
			if e, ok := o.Event.(RecordsMissed); ok && e.Since.Equal(c.seen) {
				n++
			}
		}
		if n != c.want {
			t.Errorf("%s: told %d times, want %d", c.name, n, c.want)
		}
	}
}

// TestRecordOfACallThatFollows: a call that began after the login and ended before the query was answered is told by its own
// events, which are applied on top of the answer, and not by its record as well.
func TestRecordOfACallThatFollows(t *testing.T) {
	rules := testRules()
	st := newState(&rules)
	st.seen = time.Unix(100, 0)
	record := CDR{UniqueID: "1.1", Channel: "PJSIP/801-1", Source: "801", Destination: "802", Start: "1970-01-01 00:01:50", End: "1970-01-01 00:01:55"}
	other := record
	other.UniqueID, other.Channel = "1.2", "PJSIP/803-1"
	snap := &snapshot{hasChannels: true, records: []CDR{record, other}}
	st.reconcile(snap, fates{born: map[string]bool{"1.1": true}}, time.Unix(200, 0))
	told := map[CallID]int{}
	for _, o := range st.out {
		switch e := o.Event.(type) {
		case CallRecorded:
			told[e.Call]++
		case CallEnded:
			told[e.Call.ID]++
		case CallClosed:
			told[e.Account.ID]++
		}
	}
	if told["1.1"] != 0 || told["1.2"] != 3 {
		t.Errorf("told: %v, want nothing of 1.1 and record, end and account of 1.2", told)
	}
}
