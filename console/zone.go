package console

import "time"

// How far back and ahead of now the pages are told the PBX's clock: nothing that they show a time of is kept for longer, and no page stays open.
const (
	clockBack  = 2 * 365 * 24 * time.Hour
	clockAhead = 365 * 24 * time.Hour
)

// clockStretch is a time during which the PBX's clock goes evenly. A browser does not know every zone, and not by the PBX's rules.
type clockStretch struct {
	From   time.Time `json:"from,omitzero"` // not there: since ever
	Offset int       `json:"offset"`        // seconds ahead of UTC
}

// clockOf tells what a zone's clock shows about a moment.
func clockOf(zone *time.Location, now time.Time) (list []clockStretch) {
	at, last := now.Add(-clockBack).In(zone), now.Add(clockAhead)
	for {
		_, offset := at.Zone()
		stretch := clockStretch{Offset: offset}
		if len(list) > 0 {
			stretch.From = at.UTC()
		}
		list = append(list, stretch)
		_, end := at.ZoneBounds()
		if end.IsZero() || end.After(last) {
			return list
		}
		at = end
	}
}
