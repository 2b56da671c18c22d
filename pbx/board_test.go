package pbx

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// watched replays a capture and looks at the picture before each event and at the end.
func watched(t *testing.T, path string, look func(*state)) *state {
	t.Helper()
	var st *state
	_, _ = sift(t, path, func(s *state) { st = s }, func(ami.Message) bool {
		if !st.at.IsZero() {
			look(st)
		}
		return true
	})
	look(st)
	return st
}

// TestDayOfQueues: what became of the callers in captured calls of both versions, and that no count ever goes down on the way there.
func TestDayOfQueues(t *testing.T) {
	for name, want := range map[string]string{
		"ivr-queue": "630: 1 answered, 0 abandoned", "ivr-queue-agent-bye": "630: 1 answered, 0 abandoned", "queue-abandon": "630: 0 answered, 2 abandoned",
		"queue-ringnoanswer": "630: 0 answered, 1 abandoned", "queue-local-wrapup": "633: 1 answered, 0 abandoned",
		"queue-empty": "631: 0 answered, 1 abandoned; 632: 0 answered, 1 abandoned", "internal": "",
	} {
		for _, version := range []string{"16", "22"} {
			t.Run(version+"-"+name, func(t *testing.T) {
				before := map[QueueName]counts{}
				st := watched(t, filepath.Join(captures, version+"-"+name+".ami"), func(s *state) {
					for q, n := range s.counted(s.at) {
						if old := before[q]; n.answered < old.answered || n.abandoned < old.abandoned || n.inTime < old.inTime || n.inTime > n.answered {
							t.Errorf("queue %s: %+v after %+v", q, n, old)
						}
						before[q] = n
					}
				})
				var got []string
				for q, n := range st.counted(st.at.Add(queuePatience)) {
					got = append(got, fmt.Sprintf("%s: %d answered, %d abandoned", q, n.answered, n.abandoned))
				}
				slices.Sort(got)
				if text := strings.Join(got, "; "); text != want {
					t.Errorf("%s, want %s", text, want)
				}
				if len(st.counted(st.at.Add(24*time.Hour))) != 0 {
					t.Error("the day does not begin anew")
				}
			})
		}
	}
}

// TestDayBeginsAtMidnight: in the time zone of the PBX; a wait counts for the day on which it ended.
func TestDayBeginsAtMidnight(t *testing.T) {
	rules := testRules()
	rules.Location, rules.ServiceLevel = time.FixedZone("east", 8*3600), 30*time.Second
	s := newState(&rules)
	midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, rules.Location)
	wait := func(end time.Time, length time.Duration, outcome Miss) Span {
		return Span{Kind: SpanQueue, Place: "630", Start: end.Add(-length), End: end, Outcome: string(outcome)}
	}
	s.count([]Span{wait(midnight.Add(-time.Minute), time.Second, queueConnected)}, midnight.Add(-time.Minute))
	if n := s.counted(midnight.Add(-time.Second))["630"]; n.answered != 1 {
		t.Errorf("before midnight: %+v", n)
	}
	now := midnight.Add(time.Minute)
	s.count([]Span{
		wait(midnight.Add(-time.Second), time.Second, queueConnected), // of a call that has ended today
		wait(midnight.Add(time.Second), time.Minute, queueConnected),
		wait(midnight.Add(2*time.Second), 30*time.Second, queueConnected),
		wait(midnight.Add(3*time.Second), 30*time.Second+time.Millisecond, queueConnected),
		wait(midnight.Add(4*time.Second), 3*time.Hour, queueConnected),
		wait(midnight.Add(5*time.Second), time.Second, MissGaveUp),
		wait(midnight.Add(6*time.Second), 0, MissNobody),
		wait(midnight.Add(7*time.Second), time.Second, ""), // it went on in another call
		{Kind: SpanQueue, Place: "630", Start: midnight},
	}, now)
	if n := s.counted(now)["630"]; n != (counts{answered: 4, abandoned: 2, inTime: 1}) {
		t.Errorf("after midnight: %+v", n)
	}
	rules.ServiceLevel = time.Hour
	if n := s.counted(now)["630"]; n.inTime != 3 {
		t.Errorf("with a level of an hour: %+v", n)
	}
	row := QueueRow{Answered: 4, Abandoned: 2, InTime: 3}
	if share, ok := row.Level(); !ok || share != 0.5 {
		t.Errorf("level %v", share)
	}
}

// TestBoardFollowsACall: the states that a call to a queue goes through, the same on both versions.
func TestBoardFollowsACall(t *testing.T) {
	for _, version := range []string{"16", "22"} {
		var states []string
		watched(t, filepath.Join(captures, version+"-ivr-queue.ami"), func(s *state) {
			for _, c := range s.calls {
				row := s.callRow(c)
				if now := string(row.State) + " " + row.Called; len(states) == 0 || states[len(states)-1] != now {
					states = append(states, now)
				}
				if row.StateSince.Before(row.Since) || len(row.Legs) > maxLegRows {
					t.Errorf("%+v", row)
				}
			}
		})
		if got := strings.Join(states, " "); got != "dial 123456 ivr 123456 queue 123456 up 123456 talk 801 up 123456" {
			t.Errorf("%s: %s", version, got)
		}
	}
}

// waits lets a caller wait in queue 630 and be answered by 801.
func (r *rig) waits() {
	caller, agent := "PJSIP/trunk-00000001", "PJSIP/801-00000002"
	r.fake.Send(row("Newchannel", caller, "7.1", "7.1", "4").String() + "\r\n" + row("Newstate", caller, "7.1", "7.1", "6").String() + "\r\n" +
		row("QueueCallerJoin", caller, "7.1", "7.1", "6", "Queue", "630", "Position", "1", "Count", "1").String() + "\r\n")
	r.until(func(e Event) bool { q, ok := e.(CallerQueued); return ok && q.Queue == "630" })
	r.fake.Send(row("Newchannel", agent, "7.2", "7.1", "0").String() + "\r\n" + row("Newstate", agent, "7.2", "7.1", "6").String() + "\r\n" +
		row("QueueCallerLeave", caller, "7.1", "7.1", "6", "Queue", "630", "Count", "0").String() + "\r\n" +
		row("AgentConnect", caller, "7.1", "7.1", "6", "Queue", "630", "Interface", "PJSIP/801", "MemberName", "Ann", "DestUniqueid", "7.2").String() + "\r\n" +
		row("BridgeEnter", caller, "7.1", "7.1", "6", "BridgeUniqueid", "b1").String() + "\r\n" +
		row("BridgeEnter", agent, "7.2", "7.1", "6", "BridgeUniqueid", "b1").String() + "\r\n")
	r.until(func(e Event) bool { a, ok := e.(AgentChanged); return ok && a.Agent.State == AgentBusy })
}

func (r *rig) answeredToday() int {
	for _, q := range r.sw.Board().Queues {
		if q.Name == "630" {
			return q.Answered
		}
	}
	return -1
}

// TestDayOutlivesTheDaemon: who was answered is counted once, whether the daemon ends while he talks, or before anybody has read of the end.
func TestDayOutlivesTheDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	f := newFake(t)
	f.queues = []ami.Message{
		amitest.NewEvent("QueueParams", "Queue", "630"),
		amitest.NewEvent("QueueMember", "Queue", "630", "Name", "Ann", "Location", "PJSIP/801", "Membership", "static", "Penalty", "0", "Paused", "0", "Status", "1"),
	}
	r := newRig(t, f, path)
	r.complete()
	r.waits()
	if n := r.answeredToday(); n != 1 {
		t.Errorf("%d while they talk", n)
	}
	board := r.sw.Board()
	if len(board.Calls) != 1 || board.Calls[0].State != SpanTalk || len(board.Calls[0].Legs) != 2 || board.Queues[0].Agents != (AgentCounts{Busy: 1}) || !board.Live {
		t.Errorf("%+v", board)
	}
	for _, x := range board.Extensions {
		if want := map[Exten]CallID{"801": "7.1"}[x.Exten]; x.Call != want {
			t.Errorf("%+v", x)
		}
	}
	r.stop()
	f.set(func() {
		f.channels = []ami.Message{row("CoreShowChannel", "PJSIP/trunk-00000001", "7.1", "7.1", "6", "BridgeId", "b1"), row("CoreShowChannel", "PJSIP/801-00000002", "7.2", "7.1", "6", "BridgeId", "b1")}
	})
	r = newRig(t, f, path)
	r.complete()
	if n := r.answeredToday(); n != 1 {
		t.Errorf("%d after a restart while they talk", n)
	}
	f.set(func() { f.channels = nil })
	r.fake.Send(row("Hangup", "PJSIP/801-00000002", "7.2", "7.1", "6", "Cause", "16").String() + "\r\n" + row("Hangup", "PJSIP/trunk-00000001", "7.1", "7.1", "6", "Cause", "16").String() + "\r\n")
	r.until(func(e Event) bool { _, ok := e.(CallClosed); return ok })
	if n := r.answeredToday(); n != 1 {
		t.Errorf("%d after the end", n)
	}
	r.stop() // nobody has acknowledged the end: it is told once more
	for range 2 {
		r = newRig(t, f, path)
		r.complete()
		if n := r.answeredToday(); n != 1 {
			t.Errorf("%d after a restart behind the end", n)
		}
		r.stop()
	}
}

// TestBoardOfALostLink: what was known stays, and is told to be no more true at once.
func TestBoardOfALostLink(t *testing.T) {
	f := newFake(t)
	r := newRig(t, f, filepath.Join(t.TempDir(), "test.db"))
	if b := r.sw.Board(); b.Live && len(b.Extensions) == 0 {
		t.Errorf("before the first login: %+v", b)
	}
	r.complete()
	n := len(r.sw.Board().Extensions)
	f.Refuse()
	changed := r.sw.Changed()
	f.Drop()
	for r.sw.Board().Live {
		<-changed
		changed = r.sw.Changed()
	}
	if b := r.sw.Board(); b.Reason == "" || b.Since.IsZero() || len(b.Extensions) != n || n == 0 {
		t.Errorf("%+v", b)
	}
}
