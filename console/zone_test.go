package console

import (
	"testing"
	"time"
	_ "time/tzdata" // the rules of zones, which the machine may not have

	"github.com/google/go-cmp/cmp"
)

// TestClockOf: the changes of a clock from two years ago to in a year, and those of one that has none.
func TestClockOf(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		m, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	want := []clockStretch{
		{Offset: 3600}, {at("2025-03-30T01:00:00Z"), 7200}, {at("2025-10-26T01:00:00Z"), 3600}, {at("2026-03-29T01:00:00Z"), 7200}, {at("2026-10-25T01:00:00Z"), 3600},
		{at("2027-03-28T01:00:00Z"), 7200}, {at("2027-10-31T01:00:00Z"), 3600},
	}
	if diff := cmp.Diff(want, clockOf(berlin, now)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]clockStretch{{Offset: 28800}}, clockOf(shanghai, now)); diff != "" {
		t.Error(diff)
	}
}
