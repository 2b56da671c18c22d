package coocenter

import (
	"cmp"
	"slices"
	"time"

	"github.com/dialbridge/dialbridge/pbx"
)

// lengths are those of a call in whole seconds.
type lengths struct{ duration, talk, feedback, menus, waiting, ring, hold int }

// part is one of them on its way to whole seconds.
type part struct {
	length time.Duration
	into   *int
}

// secondsOf rounds the lengths of a call to whole seconds. Its stages together are never longer than the whole: where rounding
// would make them so, those are rounded down that are nearest to it.
func secondsOf(a *pbx.Account) lengths {
	t := lengths{duration: nearest(a.Duration), ring: nearest(a.Ring), hold: nearest(a.Hold)}
	parts := []part{{a.Talk, &t.talk}, {a.Feedback, &t.feedback}, {a.Menus, &t.menus}, {a.Waiting, &t.waiting}}
	left := t.duration
	for _, p := range parts {
		*p.into = int(max(0, p.length) / time.Second)
		left -= *p.into
	}
	slices.SortStableFunc(parts, func(x, y part) int { return cmp.Compare(y.length%time.Second, x.length%time.Second) })
	for _, p := range parts {
		if left > 0 && p.length%time.Second >= time.Second/2 {
			*p.into++
			left--
		}
	}
	t.ring, t.hold = min(t.ring, t.duration), min(t.hold, t.duration)
	return t
}

// nearest is a length in whole seconds.
func nearest(d time.Duration) int { return int(max(0, d).Round(time.Second) / time.Second) }
