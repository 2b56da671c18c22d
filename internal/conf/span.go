package conf

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// span is a length of time: Go's form with days added, such as 30d or 1m30s.
type span struct {
	target      *time.Duration
	least, most time.Duration
	off         bool // the word off is allowed and means 0
}

func (v span) set(t string) error {
	if v.off && strings.EqualFold(t, "off") {
		*v.target = 0
		return nil
	}
	d, err := ParseSpan(t)
	switch {
	case t == "":
		return errEmpty
	case err != nil && isNumber(t):
		return wrong(t, "has no unit", "one with it, such as "+t+"s")
	case err != nil || d < 0:
		return wrong(t, "is no length of time", v.want())
	case d < v.least || d > v.most:
		return wrong(t, "is out of range", v.want())
	}
	*v.target = d
	return nil
}

func (v span) want() string {
	want := fmt.Sprintf("a time from %s to %s such as 500ms, 20s, 15m, 1h30m or 30d", showSpan(v.least), showSpan(v.most))
	if v.off {
		want += ", or off"
	}
	return want
}

func (v span) text() string {
	if v.off && *v.target == 0 {
		return "off"
	}
	return showSpan(*v.target)
}

func isNumber(t string) bool {
	_, err := strconv.ParseFloat(t, 64)
	return err == nil
}

// ParseSpan reads a length of time as api.conf has it: what time.ParseDuration reads, with whole days before it.
func ParseSpan(t string) (time.Duration, error) {
	days, rest, found := strings.Cut(strings.ToLower(t), "d")
	if !found {
		return time.ParseDuration(strings.ToLower(t))
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, err
	}
	if rest == "" {
		return time.Duration(n) * day, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || d >= math.MaxInt64-math.MaxUint16*day {
		return 0, fmt.Errorf("time %q: bad part after the days", t)
	}
	return time.Duration(n)*day + d, nil
}

// showSpan writes a time as a person would: 30d, 15m, 1h30m.
func showSpan(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	if d >= 2*day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// seconds is a length of time written as a bare number of seconds.
type seconds struct{ target *time.Duration }

func (v seconds) set(t string) error {
	n, err := strconv.Atoi(t)
	if err != nil || n < 1 || n > 86400 {
		return wrong(t, "is no number of seconds in range", "a number from 1 to 86400, without a unit")
	}
	*v.target = time.Duration(n) * time.Second
	return nil
}

func (v seconds) text() string { return strconv.Itoa(int(*v.target / time.Second)) }

// rate is a number of times a second, minute or hour, such as 20/min.
type rate struct{ target *Rate }

func (v rate) set(t string) error {
	if strings.EqualFold(t, "off") {
		*v.target = Rate{}
		return nil
	}
	number, unit, _ := strings.Cut(strings.ToLower(t), "/")
	n, err := strconv.Atoi(strings.Trim(number, blanks))
	per := perUnit(strings.Trim(unit, blanks))
	if err != nil || n < 1 || n > 1_000_000 || per == 0 {
		return wrong(t, "is no rate", "a number and a unit such as 20/min, 5/s or 100/h, or off")
	}
	*v.target = Rate{Count: n, Per: per}
	return nil
}

func perUnit(unit string) time.Duration {
	switch unit {
	case "s", "sec", "second":
		return time.Second
	case "m", "min", "minute":
		return time.Minute
	case "h", "hour":
		return time.Hour
	}
	return 0
}

func (v rate) text() string {
	switch v.target.Per {
	case time.Second:
		return fmt.Sprintf("%d/s", v.target.Count)
	case time.Minute:
		return fmt.Sprintf("%d/min", v.target.Count)
	case time.Hour:
		return fmt.Sprintf("%d/h", v.target.Count)
	}
	return "off"
}

// size is a number of bytes with a unit, such as 1GiB.
type size struct{ target *int64 }

const leastSize = 1 << 20

func (v size) set(t string) error {
	bytes, ok := parseSize(t)
	if !ok || bytes < leastSize {
		return wrong(t, "is no size in range", "1MiB or more, such as 512MiB or 1GiB")
	}
	*v.target = bytes
	return nil
}

func parseSize(t string) (int64, bool) {
	digits := strings.TrimRight(t, "BKMGTibkmgtI \t")
	factor := sizeUnit(strings.ToLower(strings.Trim(t[len(digits):], blanks)))
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || factor == 0 || n > math.MaxInt64/factor {
		return 0, false
	}
	return n * factor, true
}

func sizeUnit(unit string) int64 {
	switch unit {
	case "b":
		return 1
	case "k", "kib":
		return 1 << 10
	case "m", "mib":
		return 1 << 20
	case "g", "gib":
		return 1 << 30
	case "t", "tib":
		return 1 << 40
	case "kb":
		return 1e3
	case "mb":
		return 1e6
	case "gb":
		return 1e9
	case "tb":
		return 1e12
	}
	return 0
}

func (v size) text() string {
	n := *v.target
	for _, unit := range []struct {
		factor int64
		name   string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n%unit.factor == 0 {
			return strconv.FormatInt(n/unit.factor, 10) + unit.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
