package pbx

import (
	"slices"
	"time"
)

// stretches are spans of time in their order that do not touch.
type stretches []stretch

type stretch struct{ from, to time.Time }

// between joins the spans of a kind to stretches in which at least one of them lasted. The ringing of the phone that ordered
// the call is none of the called party.
func (a *Account) between(kind SpanKind) stretches {
	return a.stretchesOf(func(sp *Span) bool { return sp.Kind == kind && (kind != SpanRing || sp.Party != a.Caller) })
}

// when joins those of one extension.
func (a *Account) when(kind SpanKind, n Exten) stretches {
	return a.stretchesOf(func(sp *Span) bool { return sp.Kind == kind && sp.Exten == n })
}

// rings counts how often an extension began to ring.
func (a *Account) rings(n Exten) (count int) {
	var until time.Time
	for i := range a.Spans {
		if sp := &a.Spans[i]; sp.Kind == SpanRing && sp.Exten == n {
			if !sp.Start.Before(until) {
				count++
			}
			until = latest(until, sp.Start.Add(sp.until(a.End)))
		}
	}
	return count
}

func (a *Account) stretchesOf(wanted func(*Span) bool) stretches {
	var list stretches
	for i := range a.Spans {
		if sp := &a.Spans[i]; wanted(sp) {
			list = append(list, stretch{sp.Start, sp.Start.Add(sp.until(a.End))})
		}
	}
	return list.joined()
}

func (l stretches) joined() stretches {
	slices.SortStableFunc(l, func(a, b stretch) int { return a.from.Compare(b.from) })
	var out stretches
	for _, x := range l {
		if n := len(out) - 1; n >= 0 && !x.from.After(out[n].to) {
			out[n].to = latest(out[n].to, x.to)
			continue
		}
		out = append(out, x)
	}
	return out
}

// with returns the stretches in which one or the other lasted.
func (l stretches) with(other stretches) stretches {
	return append(slices.Clone(l), other...).joined()
}

func (l stretches) length() (d time.Duration) {
	for _, x := range l {
		d += x.to.Sub(x.from)
	}
	return d
}

// common is how long both lasted at once.
func (l stretches) common(other stretches) (d time.Duration) {
	for _, a := range l {
		for _, b := range other {
			from, to := latest(a.from, b.from), a.to
			if b.to.Before(to) {
				to = b.to
			}
			d += max(0, to.Sub(from))
		}
	}
	return d
}
