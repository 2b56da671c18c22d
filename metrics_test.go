package main

import (
	"strings"
	"testing"
)

func TestProcessStat(t *testing.T) {
	fields := strings.Repeat("0 ", 10) // from ppid to cmajflt, and the state before
	line := "12 (dial ) bridge) S " + fields[2:] + "0 7 5 0 0 20 0 9 0 123456 1800000000 5500 18446744073709551615\n"
	got, err := parseStat([]byte(line))
	if want := (stat{user: 7, system: 5, start: 123456, virtual: 1800000000, resident: 5500}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, text := range []string{"", "12 (x) S 1 2", strings.ReplaceAll(line, "123456", "-1")} {
		if _, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if own, err := readStat(); err != nil || own.resident == 0 || own.start == 0 {
		t.Errorf("own %+v, %v", own, err)
	}
}
