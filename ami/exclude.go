package ami

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
)

// An Exclusion names events that Asterisk is asked not to send. Whatever none names is sent, so that an event that a later
// Asterisk has is not missed. Names and values are letters, digits and underscores.
type Exclusion struct {
	Event string

	// Header, where it is set, narrows the exclusion to events whose value of that header does not begin as one of Except
	// does, with its first two bytes: the expressions of Asterisk have no "other than", so that more may pass than is
	// meant, and never less.
	Header string
	Except []string
}

// Filters returns exclusions as lines "eventfilter" of manager.conf have them, and the action Filter: "!" and a POSIX
// extended expression that Asterisk (10 and later) tries on the text of each event. They are as few as can be, since all
// are tried on every event, and begin with ^: what may begin anywhere is looked for in the whole text. An exclusion that
// cannot be written down is a mistake of the programmer and panics.
func Filters(list []Exclusion) []string {
	var names, out []string
	for _, x := range list {
		mustBeWords(append([]string{x.Event}, x.Except...)...)
		if x.Header == "" {
			names = append(names, x.Event)
			continue
		}
		if len(x.Except) == 0 {
			panic("ami: an exclusion by header " + x.Header + " without an exception")
		}
		mustBeWords(x.Header)
		out = append(out, "!^"+eventPrefix+x.Event+"[[:cntrl:]].*[[:cntrl:]]"+x.Header+": ("+strings.Join(others(x.Except), "|")+")")
	}
	if len(names) > 0 {
		out = append(out, "!^"+eventPrefix+"("+strings.Join(names, "|")+")[[:cntrl:]]")
	}
	for _, filter := range out {
		if len("Filter: ")+len(filter) > maxLine {
			panic("ami: an exclusion is longer than a line may be: " + filter)
		}
	}
	return out
}

// others returns expressions for the beginnings of all values but those that begin as one of the list does.
func others(list []string) []string {
	var first []byte
	second := map[byte]string{}
	for _, s := range list {
		if !slices.Contains(first, s[0]) {
			first = append(first, s[0])
		}
		second[s[0]] += s[1:2]
	}
	slices.Sort(first)
	out := []string{"[^" + string(first) + "]"}
	for _, c := range first {
		out = append(out, string(c)+"[^"+second[c]+"]")
	}
	return out
}

// mustBeWords panics on what has a meaning of its own in an expression, or is too short to be told from others.
func mustBeWords(list ...string) {
	for _, s := range list {
		strange := func(r rune) bool {
			return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}
		if len(s) < 2 || strings.ContainsFunc(s, strange) {
			panic("ami: " + strconv.Quote(s) + " cannot be in an exclusion")
		}
	}
}

// exclude queues the filters of a link that is new, before any other action, so that they are in force when the next one is
// carried out.
func (c *Client) exclude(l *link) []*call {
	var calls []*call
	for i, filter := range c.filters {
		id := filterID + strconv.Itoa(i+1)
		wire, err := NewAction("Filter", "Operation", "Add", "Filter", filter).encode(id)
		if err != nil {
			panic(err) // Filters has taken care of it
		}
		k := &call{id: id, action: "Filter", wire: wire, done: make(chan struct{})}
		if l.submit(k) {
			calls = append(calls, k)
		}
	}
	return calls
}

// excluded waits for the answers. An Asterisk that does not filter, mostly because the manager user lacks the class
// system, sends everything, and nothing else is different: that is worth a word the first time.
func (c *Client) excluded(ctx context.Context, l *link, calls []*call) {
	for _, k := range calls {
		<-k.done
		var refused *ResponseError
		if errors.As(k.err, &refused) {
			c.refusedFilter(ctx, refused)
			return
		}
		if k.err != nil {
			return // with the link
		}
	}
	c.filtered(l)
}

// refusedFilter tells why Asterisk does not filter, unless it was told before.
func (c *Client) refusedFilter(ctx context.Context, why *ResponseError) {
	if c.unfiltered == why.Message {
		return
	}
	c.unfiltered = why.Message
	lines := make([]string, 0, len(c.filters))
	for _, filter := range c.filters {
		lines = append(lines, "eventfilter = "+filter)
	}
	c.o.Logger.LogAttrs(ctx, slog.LevelInfo, "asterisk sends events that nobody needs",
		slog.String("error", why.Error()), slog.Any("manager_conf", lines))
}

// filtered notes that the events of the link are filtered, if it is still up.
func (c *Client) filtered(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link.Load() == l {
		c.status.Filtered = true
	}
}
