package pbx

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
	"github.com/dialbridge/dialbridge/internal/golden"
)

func testRules() Rules {
	return Rules{
		Context:         "internal",
		Timeout:         30 * time.Second,
		Allow:           regexp.MustCompile(`^[0-9*#+]{1,32}$`),
		Extensions:      regexp.MustCompile(`^8[0-9]{2}$`),
		InboundContexts: regexp.MustCompile(`^(from-trunk|from-pstn|from-did).*`),
		Menus:           map[string]Menu{"ivr": {ID: "610", Name: "working time"}},
		MenuContexts:    regexp.MustCompile(`^ivr-(.+)$`),
		Location:        time.UTC,
	}
}

// replay applies the events of a capture to an empty picture and returns what was told.
func replay(t *testing.T, path string, prepare func(*state)) (*state, []Occurrence) {
	t.Helper()
	return sift(t, path, prepare, func(ami.Message) bool { return true })
}

// sift is replay with the events that are to be kept alone.
func sift(t *testing.T, path string, prepare func(*state), keep func(ami.Message) bool) (*state, []Occurrence) {
	t.Helper()
	rules := testRules()
	st := newState(&rules)
	if prepare != nil {
		prepare(st)
	}
	at := time.Unix(1795286000, 0)
	for _, m := range amitest.Transcript(t, path) {
		if m.Get("ActionID") != "" && m.Event() != "OriginateResponse" {
			continue // items of lists do not come on the stream
		}
		at = at.Add(time.Millisecond)
		if keep(m) {
			st.apply(m, at)
		}
	}
	return st, st.out
}

// short renders events for people and gives ids and channel counters names of their own, so that two versions compare.
type short struct{ names map[string]string }

func (n short) name(kind, s string) string {
	if s == "" {
		return "-"
	}
	if _, ok := n.names[s]; !ok {
		count := 0
		for _, v := range n.names {
			if strings.HasPrefix(v, kind) {
				count++
			}
		}
		n.names[s] = fmt.Sprintf("%s%d", kind, count+1)
	}
	return n.names[s]
}

var counter = regexp.MustCompile(`^(PJ)?SIP/(.*)-[0-9a-f]{8}$`)

func (n short) channel(s string) string {
	if m := counter.FindStringSubmatch(s); m != nil {
		return "SIP/" + m[2]
	}
	return cmp.Or(s, "-")
}

func (n short) render(o Occurrence) (key, line string) {
	switch e := o.Event.(type) {
	case MenuLeft:
		return n.name("call", string(e.Call.ID)), fmt.Sprintf("menu %s %q keys=%q queue=%q", e.Visit.Menu.ID, e.Visit.Menu.Name, e.Visit.Digits, e.Visit.Queue)
	case CallStarted:
		return n.name("call", string(e.Call.ID)), fmt.Sprintf("started %s from %s", e.Call.Direction, n.channel(e.Call.First.Name))
	case DialBegun:
		return n.name("call", string(e.Call)), fmt.Sprintf("dialbegin %s [%s] -> %s [%s]", n.channel(e.Leg.FromName), e.Leg.From.Number, n.channel(e.Leg.ToName), e.Leg.To.Number)
	case DialEnded:
		return n.name("call", string(e.Call)), fmt.Sprintf("dialend %s [%s] -> %s [%s] %s", n.channel(e.Leg.FromName), e.Leg.From.Number, n.channel(e.Leg.ToName), e.Leg.To.Number, e.Leg.Status)
	case CallEnded:
		return n.name("call", string(e.Call.ID)), fmt.Sprintf("ended %s %q <%s> with %q <%s> synthetic=%v", e.Call.Direction, e.Call.First.Caller.Name, e.Call.First.Caller.Number,
			e.Call.First.Connected.Name, e.Call.First.Connected.Number, e.Synthetic)
	case CallClosed:
		return n.name("call", string(e.Account.ID)), n.account(&e.Account)
	case CallRecorded:
		c := e.CDR
		return n.name("call", string(e.Call)), fmt.Sprintf("cdr %s %s -> %s %s %s (%s) recording=%q", c.Direction, c.Source, c.Destination, n.channel(c.DestinationChannel), c.Disposition, c.LastApplication, c.Recording)
	case ExtensionChanged:
		return "exten " + string(e.Exten), e.State.String()
	case AgentChanged:
		return "agent " + string(e.Agent.Exten), n.agent(&e.Agent)
	}
	return "", ""
}

// agent renders what an agent does.
func (n short) agent(a *Agent) string {
	line := fmt.Sprintf("%s after %s", a.State, cmp.Or(a.Old, "nothing"))
	if c := a.Call; c.Channel != "" {
		line += fmt.Sprintf(" outbound=%v number=%s trunk=%s picked=%v answered=%v", c.Outbound, c.Number, c.Trunk, c.Picked, !c.Answered.IsZero())
	}
	return line
}

// account renders what does not depend on the clock, and the spans as they came.
func (n short) account(a *Account) string {
	var b strings.Builder
	fmt.Fprintf(&b, "account %s %s -> %s answered=%v stage=%s side=%s", a.Direction, cmp.Or(a.Caller, "-"), cmp.Or(a.Called, "-"), a.Answered, cmp.Or(a.Stage, "-"), a.Side)
	if a.Queue != "" {
		fmt.Fprintf(&b, " queue=%s agent=%s miss=%s", a.Queue, cmp.Or(a.Agent, "-"), cmp.Or(a.Miss, "-"))
	}
	if a.LinkLost {
		b.WriteString(" link-lost")
	}
	for _, sp := range a.Spans {
		fmt.Fprintf(&b, "\n    %s %s", sp.Kind, cmp.Or(sp.Party, "-"))
		for _, s := range []string{sp.Place, sp.Digits, sp.Outcome} {
			if s != "" {
				b.WriteString(" " + s)
			}
		}
	}
	return b.String()
}

// story groups the events by call and extension, because only within one of them an order is promised.
func story(events []Occurrence) string {
	n := short{names: map[string]string{}}
	lines := map[string][]string{}
	var keys []string
	for _, o := range events {
		key, line := n.render(o)
		if key == "" {
			continue
		}
		if lines[key] == nil {
			keys = append(keys, key)
		}
		lines[key] = append(lines[key], line)
	}
	slices.Sort(keys)
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "%s\n", k)
		for _, l := range lines[k] {
			fmt.Fprintf(&b, "  %s\n", l)
		}
	}
	return b.String()
}

const captures = "../ami/testdata/captures"

func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(captures, "*.ami"))
	if err != nil || len(files) < 40 {
		t.Fatalf("captures: %v, %d files", err, len(files))
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".ami")
		if strings.Contains(name, "-login-") || strings.Contains(name, "-provision") || strings.HasSuffix(name, "-db") {
			continue // no calls in them
		}
		t.Run(name, func(t *testing.T) {
			st, events := replay(t, f, nil)
			checkPromises(t, st, events, strings.HasSuffix(name, "-channelvars"))
			golden.Compare(t, filepath.Join("testdata", name+".golden"), []byte(story(events)))
		})
	}
}

// lives counts what was told of each call: beginnings, ends and accounts. Each account must add up.
func lives(t *testing.T, events []Occurrence) (started, ended, closed map[CallID]int) {
	t.Helper()
	started, ended, closed = map[CallID]int{}, map[CallID]int{}, map[CallID]int{}
	for _, o := range events {
		switch e := o.Event.(type) {
		case CallStarted:
			started[e.Call.ID]++
		case CallEnded:
			ended[e.Call.ID]++
		case CallClosed:
			closed[e.Account.ID]++
			checkAccount(t, &e.Account)
		}
	}
	return started, ended, closed
}

// checkPromises holds what must be true of every stream, whatever happened in it.
// A torn capture misses events that Asterisk had sent.
func checkPromises(t *testing.T, st *state, events []Occurrence, torn bool) {
	t.Helper()
	started, ended, closed := lives(t, events)
	legs, last := map[string]string{}, map[Exten]ExtenState{}
	for _, o := range events {
		switch e := o.Event.(type) {
		case DialBegun:
			if strings.HasPrefix(e.Leg.ToName, "Local/") || strings.HasPrefix(e.Leg.FromName, "Local/") {
				t.Errorf("a Local channel is told: %+v", e.Leg)
			}
			legs[e.Leg.ToID] = "begun"
		case DialEnded:
			if was := legs[e.Leg.ToID]; was != "begun" && (!torn || was != "") {
				t.Errorf("leg %s ended in state %q", e.Leg.ToName, legs[e.Leg.ToID])
			}
			legs[e.Leg.ToID] = "ended"
		case ExtensionChanged:
			if was, ok := last[e.Exten]; ok && was == e.State {
				t.Errorf("extension %s told %s twice", e.Exten, e.State)
			}
			last[e.Exten] = e.State
		}
	}
	if diff := gocmp.Diff(ended, closed); diff != "" {
		t.Errorf("each ended call has one account (-ended +closed):\n%s", diff)
	}
	for id := range st.calls {
		ended[id]++ // still open at the end of the capture
	}
	if n := len(st.channels) + len(st.owners) + len(st.linked) + len(st.dialling) + len(st.bridges) + len(st.halves); len(st.calls) == 0 && n > 0 {
		t.Errorf("left behind by calls that have ended: %d channels, %d owners, %d linked ids, %d Local channels, %d bridges, %d halves",
			len(st.channels), len(st.owners), len(st.linked), len(st.dialling), len(st.bridges), len(st.halves))
	}
	if diff := gocmp.Diff(started, ended); diff != "" {
		t.Errorf("each call must start and end once (-started +ended):\n%s", diff)
	}
}
