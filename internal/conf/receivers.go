package conf

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	webhookSection = "webhook"
	maxReceivers   = 16 // each has connections, a queue and metrics of its own
	// mostConcurrency is what a sender can have under way (webhook.maxConcurrency): a larger number would be taken and have no effect.
	mostConcurrency = 256
)

// Receiver is a section [webhook NAME]: a receiver beside that of [general] URL. What the section does not say is as in [webhook], but for
// the secret: nobody else is to sign, or to be able to check, what the first receiver gets.
type Receiver struct {
	Name           string // lower case
	URL            URL    // never empty
	Events         []string
	Secrets        []Secret
	Timeout        time.Duration
	Concurrency    int
	RetryMax       time.Duration
	EventTTL       time.Duration
	PoisonAttempts int
	PoisonSpan     time.Duration
}

var receiverForm = regexp.MustCompile(`^[a-z0-9_-]+$`)

// openReceiver takes the head of a section [webhook NAME].
func (s *scanner) openReceiver(name string, number int) {
	switch {
	case len(name) > 32 || !receiverForm.MatchString(name):
		s.fail(number, "", "[%s %s]: is no name; write 1 to 32 letters, digits, dashes or underscores", webhookSection, shorten(name))
	case name == "default":
		s.fail(number, "", "[%s default]: is the name of the receiver of [general] URL; choose another", webhookSection)
	case len(s.receivers) >= maxReceivers && !slices.Contains(s.receivers, name):
		s.fail(number, "", "[%s %s]: is one receiver too many; there may be %d", webhookSection, name, maxReceivers)
	case slices.ContainsFunc(s.receivers, func(other string) bool { return other != name && alike(other) == alike(name) }):
		s.fail(number, "", "[%s %s]: differs from another name by a dash alone; choose another", webhookSection, name)
	default:
		if !slices.Contains(s.receivers, name) {
			if s.heads == nil {
				s.heads = map[string]int{}
			}
			s.receivers, s.heads[name] = append(s.receivers, name), number
		}
		s.section, s.skip = webhookSection+" "+name, false
	}
}

// alike is a name as variables of the environment show it.
func alike(name string) string { return strings.ReplaceAll(name, "-", "_") }

// receiverKeys are those of one section; fallback says which are taken from [webhook] where they are not set.
func (r *Receiver) receiverKeys() []key {
	section := webhookSection + " " + r.Name
	return []key{
		{section, "url", "", false, link{target: &r.URL}},
		{section, "events", "", false, kinds{&r.Events}},
		{section, "secret", "", false, secrets{&r.Secrets}},
		{section, "timeout", "20s", false, span{target: &r.Timeout, least: 100 * time.Millisecond, most: 10 * time.Minute}},
		{section, "concurrency", "8", false, count{&r.Concurrency, mostConcurrency}},
		{section, "retry_max", "60s", false, span{target: &r.RetryMax, least: 100 * time.Millisecond, most: 24 * time.Hour}},
		{section, "event_ttl", "off", false, span{target: &r.EventTTL, least: time.Second, most: year, off: true}},
		{section, "poison_attempts", "5", false, count{&r.PoisonAttempts, 1000}},
		{section, "poison_span", "15m", false, span{target: &r.PoisonSpan, least: time.Millisecond, most: year}},
	}
}

// withoutURL finds the sections that name nobody to send to.
func (s *scanner) withoutURL(c *Config, origin map[string]place) (faults []*Error) {
	for _, r := range c.Receivers {
		section := webhookSection + " " + r.Name
		if r.URL == "" && !origin[section+".url"].bad {
			faults = append(faults, &Error{File: s.file, Line: s.heads[r.Name], Section: section, Key: "url", Reason: "is missing; write one, or take the section away"})
		}
	}
	return faults
}

// inherit fills what the sections of receivers leave to [webhook].
func (c *Config) inherit(table []key, origin map[string]place) error {
	for _, k := range table {
		if _, set := origin[k.section+"."+strings.ToLower(k.name)]; set || !strings.HasPrefix(k.section, webhookSection+" ") {
			continue
		}
		i := slices.IndexFunc(table, func(other key) bool { return other.section == webhookSection && other.name == k.name })
		if i < 0 || k.name == "secret" {
			continue
		}
		if err := k.value.set(table[i].value.text()); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return nil
}

// eventNames are the events that are pushed.
var eventNames = []string{"dialbegin", "dialend", "hangup", "extensionstatus", "cdr", "cc_cdr", "ivr"}

// kinds is a list of events, empty for all.
type kinds struct{ target *[]string }

func (v kinds) set(t string) error {
	*v.target = nil
	if t == "" {
		return nil
	}
	for part := range strings.SplitSeq(t, ",") {
		name := strings.ToLower(strings.Trim(part, blanks))
		switch {
		case name == "":
			return errors.New("has an empty name in its list; write cdr, hangup")
		case name == "dialbegein": // the name that [webhook] dialbegin_event can give it
			name = "dialbegin"
		case !slices.Contains(eventNames, name):
			return wrong(name, "is no event", "some of "+strings.Join(eventNames, ", ")+", or nothing for all")
		}
		if !slices.Contains(*v.target, name) {
			*v.target = append(*v.target, name)
		}
	}
	return nil
}

func (v kinds) text() string { return strings.Join(*v.target, ", ") }
