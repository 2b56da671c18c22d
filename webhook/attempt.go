package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	maxAnswer  = 64 << 10        // read of an answer, so that the connection can be used again
	keptAnswer = 1 << 10         // kept of it for a dead letter
	drainTime  = 2 * time.Second // an answer that trickles is not waited for: its status has said all
)

// verdict is what an attempt means for its event.
type verdict uint8

const (
	failed    verdict = iota // the endpoint's failure: try again for as long as it takes
	refused                  // the event itself is not wanted: a few times more, then a dead letter
	delivered                // 2xx
	abandoned                // broken off by us at the end: nothing is known
)

// judge tells what a status means. Statuses that speak of neither the event nor the endpoint count as the endpoint's, because that
// loses nothing.
func judge(status int) verdict {
	switch {
	case status >= 200 && status <= 299:
		return delivered
	case status == http.StatusBadRequest, status == http.StatusConflict, status == http.StatusLengthRequired,
		status == http.StatusRequestEntityTooLarge, status == http.StatusUnsupportedMediaType,
		status == http.StatusUnprocessableEntity, status == http.StatusRequestHeaderFieldsTooLarge:
		return refused
	}
	return failed
}

// outcome is the end of one attempt.
type outcome struct {
	key        string
	probe      bool
	verdict    verdict
	status     int       // 0 when no answer came
	class      string    // of metrics: "2xx", "5xx", "timeout", "tls" ...
	err        string    // without secrets, "" when delivered
	cause      error     // of no answer; its text may hold secrets
	date       time.Time // the receiver's clock, zero when it told none
	answer     []byte    // first KiB, without secrets
	retryAfter time.Duration
	at         time.Time // when it began
	end        time.Time
}

// attempt makes one request and judges its answer.
func (e *endpoint) attempt(ctx context.Context, it item) outcome {
	out := outcome{key: it.key, at: time.Now()}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	res, err := e.post(ctx, it, out.at) //nolint:bodyclose // read closes it
	if err != nil {
		out.end = time.Now()
		out.cause = err
		out.err, out.class = e.explain(err)
		if ctx.Err() != nil {
			out.verdict, out.class = abandoned, "abandoned"
		}
		return out
	}
	out.end = time.Now()
	e.read(res, &out, cancel)
	return out
}

func (e *endpoint) post(ctx context.Context, it item, at time.Time) (*http.Response, error) {
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, e.url.String(), it.body)
	if err != nil {
		return nil, err
	}
	h := req.Header
	h["webhook-id"] = []string{it.eventID} // the specification writes them in lower case; HTTP does not care
	h["webhook-timestamp"] = []string{strconv.FormatInt(at.Unix(), 10)}
	if len(e.keys) > 0 {
		h["webhook-signature"] = []string{sign(e.keys, it.eventID, at, it.body)}
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("User-Agent", e.target.UserAgent)
	// With this header net/http sends a POST again by itself when a kept connection was closed before it could be used.
	h.Set("Idempotency-Key", it.eventID)
	return e.client.Do(req)
}

// read takes what is needed of the answer.
func (e *endpoint) read(res *http.Response, out *outcome, cancel context.CancelFunc) {
	defer func() { _ = res.Body.Close() }() // the verdict is known, nothing depends on the rest
	out.status = res.StatusCode
	out.verdict = judge(res.StatusCode)
	out.date, _ = http.ParseTime(res.Header.Get("Date")) // zero when there is none
	out.class = strconv.Itoa(res.StatusCode/100) + "xx"
	timer := time.AfterFunc(drainTime, cancel)
	defer timer.Stop()
	kept, _ := io.ReadAll(io.LimitReader(res.Body, keptAnswer)) // an answer cut short is kept as far as it came
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer-int64(len(kept)))
	if out.verdict == delivered {
		return
	}
	out.answer = []byte(e.hide.Replace(string(kept)))
	out.err = e.describe(res)
	out.retryAfter, _ = retryAfter(res.Header, out.end)
}

// describe says in words what a status other than 2xx means, where that helps whoever has to mend it.
func (e *endpoint) describe(res *http.Response) string {
	text := fmt.Sprintf("answer %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	switch {
	case res.StatusCode >= 300 && res.StatusCode <= 399:
		where := "an unnamed place"
		if u, err := url.Parse(res.Header.Get("Location")); err == nil && u.Path+u.Host != "" {
			where = e.hide.Replace(safeURL(e.url.ResolveReference(u)))
		}
		return text + ": the URL has moved to " + where + ", redirects are not followed"
	case res.StatusCode == http.StatusUnauthorized && time.Now().Year() < builtYear:
		return text + ": is the clock right?"
	}
	return text
}

const builtYear = 2025
