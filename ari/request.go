package ari

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"
)

// call makes one request and returns the text of Asterisk's answer, which is valid JSON or empty. Arguments go into the
// query of a GET or DELETE, and into a JSON body else, where Asterisk takes them as well and they may be long.
func (c *Client) call(ctx context.Context, method string, path []string, args form) (string, error) {
	op, target, err := c.target(method, path)
	if err != nil {
		return "", err
	}
	if err := args.check(op); err != nil {
		return "", err
	}
	var body []byte
	if method == http.MethodGet || method == http.MethodDelete {
		target += args.query()
	} else if body, err = args.body(op); err != nil {
		return "", err
	}
	if len(target) > maxTarget {
		return "", &ArgumentError{Op: op, Name: "request", Reason: "is too long for asterisk"}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base.Scheme+"://"+c.base.Host+target, bytes.NewReader(body))
	if err != nil {
		return "", &Error{Op: op, Outcome: ErrOffline, Cause: errURL}
	}
	request.SetBasicAuth(c.o.Username, c.o.Password)
	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Close = makesChannel(method, path)
	return c.exchange(op, request)
}

// makesChannel reports whether a request makes a channel. Asterisk remembers that an id was in use for as long as the
// connection lives on which that was said, and says it again of every channel that cannot be made for another reason.
func makesChannel(method string, path []string) bool {
	return method == http.MethodPost && path[0] == "channels" && (len(path) == 1 || path[len(path)-1] == "snoop")
}

// exchange sends a request and judges what came of it.
func (c *Client) exchange(op string, request *http.Request) (string, error) {
	var sent atomic.Bool
	// A request is tried again on another connection only when nothing of it was written on the first.
	request = request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { sent.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	}))
	response, err := c.http.Do(request)
	if err != nil {
		return "", &Error{Op: op, Err: ErrUnreachable, Outcome: outcome(request.Method, sent.Load()), Cause: bare(err)}
	}
	defer func() { _ = response.Body.Close() }()
	return c.answer(op, request.Method, response)
}

// answer reads an answer to its end, so that the connection can be used again.
func (c *Client) answer(op, method string, response *http.Response) (string, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, int64(c.o.MaxAnswer)+1))
	fail := &Error{Op: op, Status: response.StatusCode, Err: ErrForeign}
	switch status := response.StatusCode; {
	case status < 200 || status > 299:
		fail = refusal(op, status, body)
		if status == http.StatusBadGateway || status == http.StatusGatewayTimeout { // somebody between us and Asterisk
			fail.Outcome = outcome(method, true)
		}
		return "", fail
	case err != nil:
		fail.Err, fail.Cause = ErrUnreachable, bare(err)
	case len(body) > c.o.MaxAnswer:
		fail.Cause = fmt.Errorf("%w: more than %d bytes", ErrTooLong, c.o.MaxAnswer)
	case len(body) > 0 && !json.Valid(body):
	default:
		return string(body), nil
	}
	fail.Outcome = outcome(method, true)
	return "", fail
}

// outcome says what became of a request without an answer.
func outcome(method string, sent bool) error {
	switch {
	case !sent:
		return ErrOffline
	case method == http.MethodGet:
		return nil // there was nothing to be done
	}
	return ErrUnknown
}

// bare takes the URL out of an error of net/http: it may hold a password.
func bare(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		if wrapped.Timeout() && !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("time-out: %w", context.DeadlineExceeded)
		}
		return wrapped.Err
	}
	return err
}

// message is what Asterisk says in an error, in one of its two spellings, made
// fit for one line.
func message(body []byte) string {
	var said struct{ Message, Error string }
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	text := said.Message
	if text == "" {
		text = said.Error
	}
	if len(text) > 200 || strings.ContainsFunc(text, unicode.IsControl) {
		text = strconv.Quote(text[:min(len(text), 200)])
	}
	return text
}
