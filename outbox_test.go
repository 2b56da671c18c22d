package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/internal/conf"
)

func TestMoment(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	tool := &outboxTool{cfg: &conf.Config{}}
	tool.cfg.General.Timezone = shanghai
	for text, want := range map[string]time.Time{
		"2026-11-21":           time.Date(2026, 11, 20, 16, 0, 0, 0, time.UTC),
		"2026-11-21 15:04":     time.Date(2026, 11, 21, 7, 4, 0, 0, time.UTC),
		"2026-11-21 15:04:05":  time.Date(2026, 11, 21, 7, 4, 5, 0, time.UTC),
		"2026-11-21T15:04:05":  time.Date(2026, 11, 21, 7, 4, 5, 0, time.UTC),
		"2026-11-21T15:04:05Z": time.Date(2026, 11, 21, 15, 4, 5, 0, time.UTC),
		"":                     {},
	} {
		if got, err := tool.moment("--since", text); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v %v, want %v", text, got, err, want)
		}
	}
	for text, ago := range map[string]time.Duration{"2h": 2 * time.Hour, "3d": 72 * time.Hour, "1d12h": 36 * time.Hour} {
		before := time.Now()
		got, err := tool.moment("--since", text)
		if err != nil || got.Before(before.Add(-ago)) || got.After(time.Now().Add(-ago)) {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"yesterday", "2026-13-01", "-2h", "12", "21.11.2026"} {
		if _, err := tool.moment("--since", text); !errors.Is(err, errUsage) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestBar(t *testing.T) {
	var out bytes.Buffer
	b := &bar{out: &out, total: 4000}
	for n := 1000; n <= 4000; n += 1000 {
		b.show(n)
	}
	b.clear()
	if got := out.String(); strings.Count(got, "\r[") < 2 || // the first and the last are shown however fast it goes
		!strings.HasPrefix(got, "\r["+strings.Repeat("#", 10)+strings.Repeat(" ", 30)+"]  25 %  1000 of 4000") ||
		!strings.HasSuffix(got, "\r["+strings.Repeat("#", 40)+"] 100 %  4000 of 4000\r\x1b[K") {
		t.Errorf("%q", got)
	}
	out.Reset()
	(&bar{out: &out}).clear()
	if out.Len() != 0 {
		t.Errorf("a bar that was never shown is cleared: %q", &out)
	}
}

func TestPlainTextOnATerminal(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":"b c"}`: `{"a":"b c"}`, "陈": "陈", "": "",
		"\x1b[2Jgone": `"\x1b[2Jgone"`, "a\nb": `"a\nb"`, "\xff": `"\xff"`, "\u202eabc": `"\u202eabc"`,
	} {
		if got := plain(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
