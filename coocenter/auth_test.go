package coocenter

import (
	"net/http"
	"testing"
	"time"
)

const sampleKey = "asjdfjklkasdf"

func TestTokenVectors(t *testing.T) {
	for day, want := range map[string]string{
		"2021-12-10": "7f41cb683b16531b3386e95dcb25bbab",
		"2026-11-21": "9c5718de5ca159c3118202322efe74f1",
	} {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		if got := Token(sampleKey, at); got != want {
			t.Errorf("Token(%s) = %s, want %s", day, got, want)
		}
	}
}

func TestAuthorized(t *testing.T) {
	zone := time.FixedZone("box", 8*3600)
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, zone)
	yesterday := Token(sampleKey, noon.AddDate(0, 0, -1))
	tomorrow := Token(sampleKey, noon.AddDate(0, 0, 1))
	today := "9c5718de5ca159c3118202322efe74f1"
	midnight := time.Date(2026, 11, 21, 0, 0, 0, 0, zone)
	for _, tc := range []struct {
		name, header, value string
		now                 time.Time
		want                bool
	}{
		{"today", "Authorization", today, noon, true},
		{"upper case", "Authorization", "9C5718DE5CA159C3118202322EFE74F1", noon, true},
		{"bearer", "Authorization", "Bearer " + today, noon, true},
		{"basic", "Authorization", "basic  " + today, noon, true},
		{"other header name", "Authentication", today, noon, true},
		{"missing", "X-Other", today, noon, false},
		{"empty", "Authorization", "", noon, false},
		{"scheme only", "Authorization", "Bearer ", noon, false},
		{"yesterday at noon", "Authorization", yesterday, noon, false},
		{"yesterday just after midnight", "Authorization", yesterday, midnight.Add(299 * time.Second), true},
		{"yesterday too late", "Authorization", yesterday, midnight.Add(301 * time.Second), false},
		{"tomorrow just before midnight", "Authorization", tomorrow, midnight.AddDate(0, 0, 1).Add(-299 * time.Second), true},
		{"tomorrow too early", "Authorization", tomorrow, midnight.AddDate(0, 0, 1).Add(-301 * time.Second), false},
		{"prefix of the token", "Authorization", today[:31], noon, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{}
			h.Set(tc.header, tc.value)
			if got := Authorized(h, sampleKey, tc.now); got != tc.want {
				t.Errorf("authorized = %v, want %v", got, tc.want)
			}
		})
	}
}
