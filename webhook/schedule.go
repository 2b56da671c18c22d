package webhook

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	firstRetry    = 2 * time.Second
	minRetryAfter = time.Second
	maxRetryAfter = 15 * time.Minute
)

// backoff returns the wait before try n+1 of an event, n >= 1: 2 s, doubling, a fifth of jitter either way, at most longest.
func backoff(n int, longest time.Duration) time.Duration {
	d := longest
	if n < 30 && firstRetry<<(n-1) < longest {
		d = firstRetry << (n - 1)
	}
	return min(jitter(d), longest)
}

// jitter spreads d by a fifth either way.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// probeWait is the wait before a probe: d of the schedule, or longest with jitter when d is 0 or longer than that.
func probeWait(d, longest time.Duration) time.Duration {
	if d == 0 || d > longest {
		return min(jitter(longest), longest)
	}
	return d
}

// retryAfter reads the Retry-After header (RFC 9110, 10.2.3: seconds or a date) of an answer and bounds it to
// 1 s ... 15 min; false when there is none or it says nothing. It is read on every answer that is not 2xx, and a number
// however large cannot overflow.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0, false
	}
	if digits := strings.TrimLeft(v, "+-"); digits != "" && strings.Trim(digits, "0123456789") == "" {
		if v[0] == '-' {
			return minRetryAfter, true
		}
		seconds, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter, true
		}
		return max(time.Duration(seconds)*time.Second, minRetryAfter), true
	}
	date, err := http.ParseTime(v)
	if err != nil {
		return 0, false
	}
	return min(max(date.Sub(now), minRetryAfter), maxRetryAfter), true
}
