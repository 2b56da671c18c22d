package ami

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// ActionBounds are the upper ends of what [Client.Actions] counts by, in seconds.
var ActionBounds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// maxActionNames bounds how many names are told apart; Asterisk has some 150 actions.
const maxActionNames = 256

// otherActions is the name under which those beyond maxActionNames are counted.
const otherActions = "other"

// The outcomes of an action: each error of Do, List and Sync is one of them.
const (
	OutcomeDone    = "done"
	OutcomeRefused = "refused" // a *ResponseError; for some lists that there is nothing
	OutcomeUnsent  = "unsent"  // ErrOffline
	OutcomeUnknown = "unknown" // ErrUnknown: it may have been carried out
	OutcomeFailed  = "failed"  // anything else: an action that cannot be written, a list that is too long
)

// ActionTimes tells how long the actions of one name with one outcome took, from the wish to the answer.
type ActionTimes struct {
	Action, Outcome string
	Counts          []uint64 // by ActionBounds, each without those of the bounds before; one more at the end for what took longer
	Sum             float64  // seconds
}

// actionTimes counts by name and outcome.
type actionTimes struct {
	mu    sync.Mutex
	names map[string]bool
	times map[[2]string]*ActionTimes
}

func (t *actionTimes) note(action string, err error, took time.Duration) {
	seconds := took.Seconds()
	i, _ := slices.BinarySearch(ActionBounds, seconds) // a bucket holds its upper end
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.names[action] {
		if len(t.names) >= maxActionNames {
			action = otherActions
		} else if t.names == nil {
			t.names, t.times = map[string]bool{}, map[[2]string]*ActionTimes{}
		}
		t.names[action] = true
	}
	key := [2]string{action, outcomeOf(err)}
	of := t.times[key]
	if of == nil {
		of = &ActionTimes{Action: key[0], Outcome: key[1], Counts: make([]uint64, len(ActionBounds)+1)}
		t.times[key] = of
	}
	of.Counts[i]++
	of.Sum += seconds
}

func outcomeOf(err error) string {
	var refused *ResponseError
	switch {
	case err == nil:
		return OutcomeDone
	case errors.Is(err, ErrUnknown):
		return OutcomeUnknown
	case errors.Is(err, ErrOffline):
		return OutcomeUnsent
	case errors.As(err, &refused):
		return OutcomeRefused
	}
	return OutcomeFailed
}

// Actions tells how long actions took since the client was made, by name and outcome, sorted. Those of the log-in and the keepalive's
// are not among them.
func (c *Client) Actions() []ActionTimes {
	c.times.mu.Lock()
	defer c.times.mu.Unlock()
	list := make([]ActionTimes, 0, len(c.times.times))
	for _, of := range c.times.times {
		list = append(list, ActionTimes{Action: of.Action, Outcome: of.Outcome, Counts: slices.Clone(of.Counts), Sum: of.Sum})
	}
	slices.SortFunc(list, func(a, b ActionTimes) int {
		return strings.Compare(a.Action+"\x00"+a.Outcome, b.Action+"\x00"+b.Outcome)
	})
	return list
}
