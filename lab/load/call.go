package load

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// Call is a captured call between two extensions, as a pattern.
type Call struct {
	Phases []Phase
	Bytes  int // of one call on the wire, about
	Events int // of the manager interface
}

// Phase is what Asterisk sends at once: until it rings, at the answer, at the end.
type Phase struct {
	After  time.Duration // since the phase before
	Events []Event
}

// Event is one event of a call, as a pattern.
type Event struct {
	Name  string
	parts []part
}

// part is text, or what stands for something that differs from call to call.
type part struct {
	text string
	what byte // 0 = text
}

// Party is one call of many.
type Party struct {
	Number         int // of the call, from 0
	Caller, Called string
	Time           time.Time // of the event
}

// The call of the capture: 801 calls 802, who answers and hangs up.
const (
	capturedCaller = "801"
	capturedCalled = "802"
	capturedCall   = "1795286335"
)

// holes are what differs from call to call: ids (c and d of the channels, b of the bridge), numbers (x calls y), and channel names.
var holes = []struct {
	what byte
	re   string
}{
	{'c', `1795286335\.8`}, {'d', `1795286335\.9`}, {'b', `da5042f7-140c-4a8b-8a28-02daa95b86a5`}, {'B', `f7613454-2987-4731-9309-c48b96fc9267`},
	{'m', `00000006`}, {'n', `00000007`}, {'x', `\b801\b`}, {'y', `\b802\b`},
}

// Load reads the call out of a capture that has it: 22-hangup.ami.
func Load(file string, talk time.Duration) (*Call, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	r := ami.NewReader(f)
	if _, err := r.Banner(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c, phase, begun, ended := &Call{Phases: []Phase{{}, {After: 300 * time.Millisecond}, {After: talk}}}, 0, false, 0
	for ended < 2 {
		m, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("%s: the call in it: %w", file, err)
		}
		begun = begun || m.Event() == "Newchannel" && strings.HasPrefix(m.Get("Uniqueid"), capturedCall)
		if !begun || !ofCall(m) {
			continue
		}
		if m.Event() == "Newstate" && m.Get("ChannelState") == "6" && phase == 0 || m.Event() == "HangupRequest" {
			phase++
		}
		if m.Event() == "Hangup" {
			ended++
		}
		c.add(phase, m)
	}
	for _, m := range free() {
		c.add(phase, m)
	}
	return c, nil
}

// ofCall reports whether an event belongs to the call, or to one of its extensions.
func ofCall(m ami.Message) bool {
	switch m.Event() {
	case "ChallengeSent", "SuccessfulAuth", "ContactStatus", "PeerStatus", "QueueMemberStatus", "":
		return false
	case "DeviceStateChange":
		return !strings.HasPrefix(m.Get("Device"), "Queue:") && m.Get("State") != "NOT_INUSE"
	case "ExtensionStatus":
		return m.Get("Status") != "0"
	}
	return true
}

// free is what is told last: both extensions are free again.
func free() []ami.Message {
	var list []ami.Message
	for _, n := range []string{capturedCalled, capturedCaller} {
		list = append(list,
			ami.ParseMessage("Event: DeviceStateChange\r\nPrivilege: call,all\r\nDevice: PJSIP/"+n+"\r\nState: NOT_INUSE\r\n"),
			ami.ParseMessage("Event: ExtensionStatus\r\nPrivilege: call,all\r\nExten: "+n+"\r\nContext: hints\r\nHint: PJSIP/"+n+"\r\nStatus: 0\r\nStatusText: Idle\r\n"))
	}
	return list
}

var hole = func() *regexp.Regexp {
	var all []string
	for _, h := range holes {
		all = append(all, "("+h.re+")")
	}
	return regexp.MustCompile(strings.Join(all, "|"))
}()

func (c *Call) add(phase int, m ami.Message) {
	text := m.String() + "\r\n"
	first, rest, _ := strings.Cut(text, "\r\n")
	e := Event{Name: m.Event(), parts: []part{{text: first + "\r\nTimestamp: "}, {what: 't'}}}
	rest = "\r\n" + rest
	at := 0
	for _, found := range hole.FindAllStringSubmatchIndex(rest, -1) {
		for i, h := range holes {
			if found[2+2*i] >= 0 {
				e.parts = append(e.parts, part{text: rest[at:found[0]]}, part{what: h.what})
			}
		}
		at = found[1]
	}
	e.parts = append(e.parts, part{text: rest[at:]})
	p := &c.Phases[phase]
	p.Events = append(p.Events, e)
	c.Bytes += len(text)
	c.Events++
}

// epoch is the first part of every Uniqueid, the time at which Asterisk made the channel; the count behind it makes them differ.
const epoch = "1795286335."

// ID is the Uniqueid of a call's first channel.
func ID(number int) string { return epoch + strconv.Itoa(100+2*number) }

// Append writes the event of one call to b.
func (e *Event) Append(b []byte, p Party) []byte {
	for _, part := range e.parts {
		switch part.what {
		case 0:
			b = append(b, part.text...)
		case 't':
			b = fmt.Appendf(b, "%d.%06d", p.Time.Unix(), p.Time.Nanosecond()/1000)
		case 'c':
			b = append(b, ID(p.Number)...)
		case 'd':
			b = strconv.AppendInt(append(b, epoch...), int64(101+2*p.Number), 10)
		case 'b':
			b = fmt.Appendf(b, "da5042f7-140c-4a8b-8a28-%012x", p.Number)
		case 'B':
			b = fmt.Appendf(b, "f7613454-2987-4731-9309-%012x", p.Number)
		case 'm':
			b = fmt.Appendf(b, "%08x", 2*p.Number)
		case 'n':
			b = fmt.Appendf(b, "%08x", 2*p.Number+1)
		case 'x':
			b = append(b, p.Caller...)
		case 'y':
			b = append(b, p.Called...)
		}
	}
	return b
}
